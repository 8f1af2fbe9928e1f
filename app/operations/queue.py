"""Queue: what waits, what failed and what is held, and when the vendors' quotas will let it all through.

The forecast is made of what our own count says, so no vendor is called for it. Each record that waits is taken for one
call, and as many calls as in the hour before are expected to come between from more urgent lanes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.operations.lanes import LaneStatus, lane_as_json, lane_states
from app.runtime import Runtime
from app.store import counters, heartbeats, links, queue_stats
from app.sync.model import Kind, Lane

DueCount = queue_stats.DueCount


@dataclass(frozen=True, slots=True)
class DrChronoForecast:
    """DrChrono's clock hour, and what waits for it.

    waiting       records by lane
    caught_up_at  when the last of them will have been called; None when nothing waits
    paused_until  nobody calls before; None when anybody may
    """

    calls_left: int
    calls_per_hour: int
    made: Mapping[Lane, int]
    resets_at: datetime
    waiting: Mapping[Lane, int]
    caught_up_at: datetime | None
    caught_up_in_s: float
    paused_until: datetime | None

    def said(self, now: datetime) -> str:
        """Give it in a sentence."""
        waiting = sum(self.waiting.values())
        parts = [f"{waiting:,} edit{'' if waiting == 1 else 's'} waiting" if waiting else "nothing waiting"]
        parts.append(f"{self.calls_left:,} calls left this hour")
        if self.paused_until is not None:
            parts.append(f"left alone until {_clock(self.paused_until, now)}")
        if self.caught_up_at is not None:
            parts.append(f"caught up by {_clock(self.caught_up_at, now)}")
        return f"DrChrono: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class SalesforceForecast:
    """Salesforce's day: how many calls it has counted, and allows (0: it has not said so yet)."""

    used: int
    most: int
    share: float
    paused_until: datetime | None

    def said(self, now: datetime) -> str:
        """Give it in a sentence."""
        if self.most:
            parts = [f"{self.used:,} of the day's {self.most:,} calls used"]
            parts.append(f"from {int(self.most * self.share):,} on live edits only")
        else:
            parts = ["it has not said yet what its day allows"]
        if self.paused_until is not None:
            parts.append(f"left alone until {_clock(self.paused_until, now)}")
        return f"Salesforce: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class DocumentForecast:
    """DrChrono's calls of an hour that documents may have which nobody waits for, and how many documents wait.

    not_before  when the last of them has its first call, at the earliest: each takes one at least; None when none waits
    """

    calls_left: int
    calls_per_hour: int
    waiting: int
    not_before: datetime | None

    def said(self, now: datetime) -> str:
        """Give it in a sentence."""
        parts = [f"{self.waiting:,} waiting" if self.waiting else "none waiting"]
        parts.append(f"{self.calls_left:,} of their {self.calls_per_hour:,} DrChrono calls left this hour")
        if self.not_before is not None and self.not_before > now:
            parts.append(f"the last not before {_clock(self.not_before, now)}")
        return f"Documents: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Both vendors', as of `now`; None for one that is not connected. `documents`: None where none are synced."""

    now: datetime
    drchrono: DrChronoForecast | None
    salesforce: SalesforceForecast | None
    documents: DocumentForecast | None = None

    def sentences(self) -> list[str]:
        """Give a sentence for each side that is connected, and for documents where they are synced."""
        return [one.said(self.now) for one in (self.drchrono, self.salesforce, self.documents) if one is not None]


async def forecast(runtime: Runtime) -> Forecast:
    """Give how both vendors stand now.

    Raises  StoreUnavailable
    """
    now = runtime.now()
    drchrono = await _drchrono(runtime, now)
    return Forecast(now, drchrono, await _salesforce(runtime, now), await _documents(runtime, drchrono))


async def _drchrono(runtime: Runtime, now: datetime) -> DrChronoForecast | None:
    if runtime.drchrono is None:
        return None
    waiting = await queue_stats.waiting_for_drchrono(runtime.database)
    stands = await runtime.drchrono.grant.budget.stands(waiting)
    return DrChronoForecast(
        stands.left,
        stands.per_hour,
        stands.made,
        now + timedelta(seconds=stands.resets_in_s),
        waiting,
        None if stands.caught_up_in_s is None else now + timedelta(seconds=stands.caught_up_in_s),
        stands.caught_up_in_s or 0.0,
        _until(now, stands.paused_for_s),
    )


async def _salesforce(runtime: Runtime, now: datetime) -> SalesforceForecast | None:
    if runtime.salesforce is None:
        return None
    stands = await runtime.salesforce.budget.stands()
    return SalesforceForecast(stands.used, stands.most, stands.share, _until(now, stands.paused_for_s))


async def _documents(runtime: Runtime, drchrono: DrChronoForecast | None) -> DocumentForecast | None:
    if drchrono is None or Kind.DOCUMENT not in runtime.mappings:
        return None
    counts = await queue_stats.due_counts(runtime.database)
    waiting = sum(one.count for one in counts if one.kind == Kind.DOCUMENT)
    left, per_hour = await runtime.document_calls.left(), runtime.document_calls.per_hour
    hours = -(-max(waiting - left, 0) // per_hour)
    last = drchrono.resets_at + timedelta(hours=hours - 1) if hours else runtime.now()
    return DocumentForecast(left, per_hour, waiting, last if waiting else None)


def forecast_as_json(found: Forecast) -> dict[str, Any]:
    """Give a forecast as the API and `chronobridge queue --json` say it."""
    drchrono, salesforce, documents = found.drchrono, found.salesforce, found.documents
    return {
        "drchrono": drchrono
        and {
            "calls_left": drchrono.calls_left,
            "calls_per_hour": drchrono.calls_per_hour,
            "calls_made": {lane.value: drchrono.made.get(lane, 0) for lane in Lane},
            "resets_at": _iso(drchrono.resets_at),
            "waiting": {lane.value: drchrono.waiting.get(lane, 0) for lane in Lane},
            "caught_up_at": _iso(drchrono.caught_up_at),
            "paused_until": _iso(drchrono.paused_until),
            "message": drchrono.said(found.now),
            "says": drchrono.said(found.now),
        },
        "salesforce": salesforce
        and {
            "calls_used": salesforce.used,
            "calls_per_day": salesforce.most or None,
            "share": salesforce.share,
            "paused_until": _iso(salesforce.paused_until),
            "message": salesforce.said(found.now),
            "says": salesforce.said(found.now),
        },
        "documents": documents
        and {
            "calls_left": documents.calls_left,
            "calls_per_hour": documents.calls_per_hour,
            "waiting": documents.waiting,
            "not_before": _iso(documents.not_before),
            "message": documents.said(found.now),
        },
    }


def _until(now: datetime, span_s: float) -> datetime | None:
    return now + timedelta(seconds=span_s) if span_s > 0 else None


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


def _clock(at: datetime, now: datetime) -> str:
    """Give a time of day, rounded up to the minute, with its day where that is another one."""
    at = at + timedelta(seconds=59)
    return f"{at:%H:%M} UTC" if at.date() == now.date() else f"{at:%H:%M} UTC on {at:%d %B}"


@dataclass(frozen=True, slots=True)
class QueueReport:
    """What waits, what failed and what is held, and when it will all be through.

    oldest_due_age_s   for how long the oldest has been due
    by_kind            what is due, by kind, direction and lane
    dismissed          how many records failed or were held, and were dismissed by a person
    excluded           how many records the mapping leaves out of the set that is synced
    unsettled_writes   writes of which it is not known yet whether they landed
    counted            what was counted since ever, by name: created, linked, skipped, put back
    """

    depth: int
    oldest_due_age_s: float
    rate_per_minute: int
    by_kind: Sequence[DueCount]
    failed: int
    held: int
    dismissed: int
    excluded: int
    unsettled_writes: int
    counted: Mapping[str, int]
    lanes: Sequence[LaneStatus]
    forecast: Forecast


async def queue_report(runtime: Runtime) -> QueueReport:
    """Give depth, age of the oldest, rate, failures, holds, what was skipped or put back, lanes, and the forecast.

    Raises  StoreUnavailable
    """
    counts = await queue_stats.due_counts(runtime.database)
    groups = await queue_stats.failure_groups(runtime.database)
    return QueueReport(
        depth=sum(one.count for one in counts),
        oldest_due_age_s=max((one.oldest_s for one in counts), default=0.0),
        rate_per_minute=await queue_stats.synced_per_minute(runtime.database),
        by_kind=counts,
        failed=sum(row.records for row in groups if not row.is_held),
        held=sum(row.records for row in groups if row.is_held),
        dismissed=sum((await queue_stats.dismissed_counts(runtime.database)).values()),
        excluded=sum((await queue_stats.excluded_counts(runtime.database)).values()),
        unsettled_writes=sum(row.writes for row in await queue_stats.journal_counts(runtime.database)),
        counted=await counters.read(runtime.database),
        lanes=await lane_states(runtime),
        forecast=await forecast(runtime),
    )


def report_as_json(found: QueueReport) -> dict[str, Any]:
    """Give a report as the API and `chronobridge queue --json` say it."""
    return {
        "depth": found.depth,
        "oldest_due_age_s": round(found.oldest_due_age_s, 3),
        "rate_per_minute": found.rate_per_minute,
        "by_kind": [
            {
                "kind": one.kind,
                "direction": one.direction,
                "queue": one.lane,
                "lane": one.lane,
                "depth": one.count,
                "oldest_due_age_s": round(one.oldest_s, 3),
            }
            for one in found.by_kind
        ],
        "failed": found.failed,
        "needs_review": found.held,
        "held": found.held,
        "dismissed": found.dismissed,
        "excluded": found.excluded,
        "unsettled_writes": found.unsettled_writes,
        "counted": dict(found.counted),
        "queues": [lane_as_json(one) for one in found.lanes],
        "lanes": [lane_as_json(one) for one in found.lanes],
        "forecast": forecast_as_json(found.forecast),
    }


LeftOfComparison = queue_stats.LeftOfComparison


async def left_of_comparison(runtime: Runtime, lane: Lane, kinds: Sequence[Kind]) -> LeftOfComparison:
    """Give what is due of these kinds in a lane, now or later, and why the lane is paused.

    Raises  StoreUnavailable
    """
    return await queue_stats.left_of_comparison(runtime.database, lane, kinds)


async def has_workers(runtime: Runtime) -> bool:
    """Say whether a worker was heard of lately, on this machine or another.

    Raises  StoreUnavailable
    """
    return bool(await heartbeats.alive(runtime.database))


async def linked_count(runtime: Runtime, kind: Kind) -> int:
    """Give how many records of a kind are linked.

    Raises  StoreUnavailable
    """
    return await links.linked(runtime.database, kind)


async def counted_so_far(runtime: Runtime) -> Mapping[str, int]:
    """Give what was counted since ever, by name; what a run came to is the difference of two such counts.

    Raises  StoreUnavailable
    """
    return await counters.read(runtime.database)


async def left_to_people(runtime: Runtime, kind: Kind, since: datetime) -> Sequence[queue_stats.LeftToPeople]:
    """Give the failures of a kind since a moment by cause, the largest group first.

    Raises  StoreUnavailable
    """
    return await queue_stats.left_to_people(runtime.database, kind, since)
