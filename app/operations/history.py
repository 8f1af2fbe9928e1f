"""History: how a record came to be as it is, newest first: what came in, what was decided, what was called, the answer.

A delivery and a call belong together where the delivery was there when the call was planned, and was finished by the
same look or by one that tried again. A finished delivery without a call told nothing new: both sides agreed already,
it was our own write coming back, or what it said was kept back, which the record's state tells. One that was run again
is finished anew, so it counts for every call between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.runtime import Runtime
from app.store import record_views
from app.store.record_views import RecordView
from app.sync.model import Side, WriteState

ON_A_PAGE = 50
_MOST_WRITES = 500


@dataclass(frozen=True, slots=True)
class Came:
    """How a field's value came to a side: by which write of ours, why, and what had come in for it."""

    side: Side
    at: datetime
    call_id: str
    why: str
    rule: str
    deliveries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """Something came in; `calls` are the writes that came of it. `finished_at`: None while it waits to be looked at."""

    id: str
    at: datetime
    side: Side
    event: str
    outcome: str
    finished_at: datetime | None
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One write of ours.

    side       where it went
    fields     those it carried: names only
    why        field -> what made it travel, where that was no plain edit
    conflicts  field -> the rule that decided, where both sides had changed it
    """

    id: str
    at: datetime
    side: Side
    call: str
    fields: tuple[str, ...]
    why: Mapping[str, str]
    conflicts: Mapping[str, str]
    answer: WriteState
    code: str
    answered_at: datetime | None
    deliveries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """A page of it; `next` is what `before` takes to go on."""

    items: Sequence[DeliveryEvent | CallEvent] = field(default_factory=tuple)
    next: str | None = None


async def history(runtime: Runtime, one: RecordView, before: str | None = None, limit: int = ON_A_PAGE) -> History:
    """Give what happened to a record, newest first.

    Raises  StoreUnavailable
    """
    ids = {side: one.link.id_on(side) for side in Side}
    came_in = await record_views.deliveries_of(runtime.database, one.link.kind, ids, 2 * limit, before)
    writes = await record_views.writes_of(runtime.database, one.id, 2 * limit, before)
    conflicts = await record_views.conflicts_of(runtime.database, one.id)
    both: list[DeliveryEvent | CallEvent] = [
        *(_delivered(row, writes) for row in came_in),
        *(_called(row, came_in, conflicts.get(row.id, ())) for row in writes),
    ]
    both.sort(key=lambda item: item.id, reverse=True)
    return History(both[:limit], both[limit - 1].id if len(both) > limit else None)


async def came(runtime: Runtime, one: RecordView) -> dict[str, Came]:
    """Give, by field, the last write that is known to have carried it."""
    ids = {side: one.link.id_on(side) for side in Side}
    writes = await record_views.writes_of(runtime.database, one.id, _MOST_WRITES)
    came_in = await record_views.deliveries_of(runtime.database, one.link.kind, ids, _MOST_WRITES)
    conflicts = await record_views.conflicts_of(runtime.database, one.id)
    found: dict[str, Came] = {}
    for row in writes:
        news = [name for name in row.stamps if name not in found]
        if row.state != WriteState.CONFIRMED.value or not news:
            continue
        rules = {each.field: each.rule for each in conflicts.get(row.id, ())}
        behind = tuple(each.delivery_id for each in came_in if _led_to(each, row))
        for name in news:
            why = str(row.why.get(name, ""))
            found[name] = Came(Side(row.side), row.planned_at, row.id, why, rules.get(name, ""), behind)
    return found


def _delivered(row: Any, writes: Sequence[Any]) -> DeliveryEvent:
    calls = tuple(each.id for each in writes if _led_to(row, each))
    side = Side(row.side)
    return DeliveryEvent(row.delivery_id, row.received_at, side, row.event, row.outcome, row.finished_at, calls)


def _called(row: Any, came_in: Sequence[Any], conflicts: Sequence[Any]) -> CallEvent:
    return CallEvent(
        row.id,
        row.planned_at,
        Side(row.side),
        row.call,
        tuple(row.stamps),
        {name: str(why) for name, why in row.why.items()},
        {each.field: each.rule for each in conflicts},
        WriteState(row.state),
        row.code or "",
        row.answered_at,
        tuple(each.delivery_id for each in came_in if _led_to(each, row)),
    )


def _led_to(delivery: Any, write: Any) -> bool:
    """Say whether a delivery was there when a write was planned, and was finished by that look or a later one."""
    was_there = delivery.received_at <= write.planned_at
    return was_there and (delivery.finished_at is None or delivery.finished_at >= write.planned_at)
