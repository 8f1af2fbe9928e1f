"""The picture of the two sides and the flow between them, as a person takes it in within ten seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.operations.activity import activity_of
from app.operations.queue import Forecast, forecast
from app.runtime import Runtime
from app.store import feeds, lanes, queue_stats
from app.store.queue_stats import CallCounts, DueCount
from app.sync.feed_health import Feed
from app.sync.model import Side

_LATELY, _LATELY_STEP = timedelta(hours=6), timedelta(minutes=10)
_HOUR = timedelta(hours=1)
_FROM: Mapping[Side, str] = {Side.SALESFORCE: "to_salesforce", Side.DRCHRONO: "to_drchrono"}


@dataclass(frozen=True, slots=True)
class FlowDirection:
    """What flows to one side.

    today   writes confirmed since the clinic's midnight
    lately  confirmed writes of each ten minutes of the last six hours, oldest first
    """

    due: int
    oldest_s: float
    last_hour: int
    today: int
    lately: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """How both sides and the flow between them stand, as of `at`; `heard`: when each side last delivered.

    dismissed  records that failed or were held, and that a person has dismissed: both systems may differ in them
    """

    at: datetime
    to: Mapping[Side, FlowDirection]
    due: int
    oldest_s: float
    failed: int
    held: int
    dismissed: int
    per_minute: int
    paused: tuple[str, ...]
    heard: Mapping[Side, datetime | None]
    came_in: Mapping[Side, int]
    forecast: Forecast


async def picture(runtime: Runtime) -> Picture:
    """Give the picture, from what the database knows; no vendor is asked.

    Raises  StoreUnavailable
    """
    now = runtime.now()
    counts = await queue_stats.due_counts(runtime.database)
    groups = await queue_stats.failure_groups(runtime.database)
    known, calls = (
        await feeds.read(runtime.database),
        await queue_stats.received_since(runtime.database, now - _HOUR),
    )
    applied = await _applied(runtime, now)
    return Picture(
        at=now,
        to={side: _direction(side, counts, applied[side]) for side in Side},
        due=sum(one.count for one in counts),
        oldest_s=max((one.oldest_s for one in counts), default=0.0),
        failed=sum(row.records for row in groups if not row.is_held),
        held=sum(row.records for row in groups if row.is_held),
        dismissed=sum((await queue_stats.dismissed_counts(runtime.database)).values()),
        per_minute=await queue_stats.synced_per_minute(runtime.database),
        paused=tuple(one.lane.value for one in await lanes.lane_states(runtime.database) if one.is_paused),
        heard={side: _heard(calls.get(side), known.get(side)) for side in Side},
        came_in={side: one.times for side, one in calls.items()},
        forecast=await forecast(runtime),
    )


def _heard(calls: CallCounts | None, feed: Feed | None) -> datetime | None:
    """Give when a side last delivered: what is older than an hour only its feed remembers."""
    return calls.last_at if calls else feed.heard_at if feed else None


async def _applied(runtime: Runtime, now: datetime) -> Mapping[Side, tuple[int, tuple[int, ...]]]:
    """Give, by side, how much it has taken today, and in each ten minutes of the last six hours."""
    shown = now.astimezone(runtime.settings.zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    midnight = shown.astimezone(UTC)
    found = await activity_of(runtime, min(midnight, now - _LATELY + _LATELY_STEP), now, _LATELY_STEP)
    lately = found.steps[-(_LATELY // _LATELY_STEP) :]
    return {
        side: (
            sum(one.applied[side] for one in found.steps if one.begin >= midnight),
            tuple(one.applied[side] for one in lately),
        )
        for side in Side
    }


def _direction(side: Side, counts: list[DueCount], applied: tuple[int, tuple[int, ...]]) -> FlowDirection:
    ours, (today, lately) = [one for one in counts if one.direction == _FROM[side]], applied
    return FlowDirection(
        due=sum(one.count for one in ours),
        oldest_s=max((one.oldest_s for one in ours), default=0.0),
        last_hour=sum(lately[-(_HOUR // _LATELY_STEP) :]),
        today=today,
        lately=lately,
    )
