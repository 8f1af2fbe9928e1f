"""Pausing and resuming lanes, as a person or a script does it: noted, with the reason, in the same commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.log import log
from app.ports import Act, Action, By
from app.runtime import Runtime
from app.store import lanes, queue_stats
from app.sync.model import Lane

LaneStatus = lanes.LaneStatus
MEANINGS = {
    Lane.LIVE: "edits that people have just made",
    Lane.RETRY: "records that are retried after an error",
    Lane.CONFIRM: "asking a system whether a write arrived",
    Lane.COMPARE: "differences that the reconciliation found",
    Lane.BACKFILL: "what existed before both systems were connected",
}


class LaneName(StrEnum):
    """A lane, or all of them."""

    LIVE = "live"
    RETRY = "retry"
    CONFIRM = "confirm"
    COMPARE = "compare"
    BACKFILL = "backfill"
    ALL = "all"

    def lanes(self) -> list[Lane]:
        """Give the lanes that are meant."""
        return list(Lane) if self is LaneName.ALL else [Lane(self.value)]


@dataclass(frozen=True, slots=True)
class LaneView:
    """A lane as a person sees it: what it is for, what waits in it, and why and since when it is paused."""

    lane: Lane
    is_paused: bool
    reason: str | None
    since: datetime | None
    meaning: str
    due: int
    oldest_s: float


async def lane_states(runtime: Runtime) -> Sequence[LaneStatus]:
    """Give every lane, most urgent first, whether it is paused and why.

    Raises  StoreUnavailable
    """
    return await lanes.lane_states(runtime.database)


def lane_as_json(one: LaneStatus) -> dict[str, Any]:
    """Give a lane as the API and `chronobridge queue --json` say it."""
    since = one.since and one.since.isoformat()
    status = "paused" if one.is_paused else "running"
    named = {"queue": one.lane.value, "lane": one.lane.value}
    return {**named, "paused": one.is_paused, "status": status, "reason": one.reason, "since": since}


async def lane_views(runtime: Runtime) -> Sequence[LaneView]:
    """Give every lane, most urgent first, with what waits in it.

    Raises  StoreUnavailable
    """
    counts = await queue_stats.due_counts(runtime.database)
    return [
        LaneView(
            one.lane,
            one.is_paused,
            one.reason,
            one.since,
            MEANINGS[one.lane],
            sum(each.count for each in counts if each.lane == one.lane),
            max((each.oldest_s for each in counts if each.lane == one.lane), default=0.0),
        )
        for one in await lane_states(runtime)
    ]


async def pause(runtime: Runtime, lane: LaneName, reason: str, by: By) -> None:
    """Pause a lane: its work stays in it and makes no writes.

    Raises  StoreUnavailable
    """
    reason = reason.strip() or "paused by an operator"
    await lanes.set_paused(runtime.database, lane.lanes(), reason, Act(by, Action.PAUSE, lane.value, 0, reason))
    log.warning("lane.paused", lane=lane.value)


async def resume(runtime: Runtime, lane: LaneName, by: By) -> None:
    """Resume a lane, and ring for what waited in it.

    Raises  StoreUnavailable
    """
    await lanes.set_paused(runtime.database, lane.lanes(), None, Act(by, Action.RESUME, lane.value, 0))
    runtime.wakeup.notify(runtime.mappings)
    log.warning("lane.resumed", lane=lane.value)
