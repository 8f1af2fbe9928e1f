"""History: how a record came to be as it is, newest first: what came in, what was called, what failed, who did what.

A delivery and a call belong together where the delivery was there when the call was planned, and was finished by the
same look or by one that tried again. A finished delivery without a call told nothing new: both sides agreed already,
or it was our own write coming back; what it said and was not applied is told by the failure that it led to. One that
was run again is finished anew, so it counts for every call between. Calls that were alike, with nothing between them,
are told as one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.runtime import Runtime
from app.store import record_history, record_views
from app.store.record_history import Happened
from app.store.record_views import RecordView
from app.sync.failure_causes import vendor_code
from app.sync.failure_sentences import NAMES, labels, sentence
from app.sync.model import WHOLE_RECORD, Kind, Side, WriteState

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
    """Something came in.

    finished_at  None while it waits to be looked at
    calls        the writes that came of it
    failures     the failures and holds that it led to; `not_applied` says why, in words
    """

    id: str
    at: datetime
    side: Side
    event: str
    outcome: str
    finished_at: datetime | None
    calls: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    not_applied: str = ""


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One write of ours, or several that were alike and had the same answer.

    side       where it went
    fields     those it carried: names only
    why        field -> what made it travel, where that was no plain edit
    conflicts  field -> the rule that decided, where both sides had changed it
    times      how often it was made; `first_at`: when first, where that was more than once
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
    times: int = 1
    first_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FailureEvent:
    """A look at the record ended in a failure or a hold: something was not applied.

    side        where it failed; `fields`: as it names them
    says        why, in words
    deliveries  what had come in
    times       how often it ended so, with nothing new that came in; `last_at`: when last
    """

    id: str
    at: datetime
    side: Side
    is_held: bool
    cause: str
    code: str
    fields: tuple[str, ...]
    says: str
    deliveries: tuple[str, ...]
    times: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class PersonEvent:
    """A person did something about the record.

    what      decided, undone, or as `Happened` has it
    by        who, as far as is known; `says`: what it was, in words
    outcome   of a decision: how it stands; `ended_at`: since when
    """

    id: str
    at: datetime
    what: str
    by: str
    says: str
    side: Side | None = None
    fields: tuple[str, ...] = ()
    outcome: str = ""
    ended_at: datetime | None = None


HistoryEvent = DeliveryEvent | CallEvent | FailureEvent | PersonEvent


@dataclass(frozen=True, slots=True)
class History:
    """A page of it; `next` is what `before` takes to go on."""

    items: Sequence[HistoryEvent] = field(default_factory=tuple)
    next: str | None = None


async def history(runtime: Runtime, one: RecordView, before: str | None = None, limit: int = ON_A_PAGE) -> History:
    """Give what happened to a record, newest first.

    Raises  StoreUnavailable
    """
    ids = {side: one.link.id_on(side) for side in Side}
    came_in = await record_views.deliveries_of(runtime.database, one.link.kind, ids, 2 * limit, before)
    writes = await record_views.writes_of(runtime.database, one.id, 2 * limit, before)
    conflicts = await record_views.conflicts_of(runtime.database, one.id)
    acts = await record_history.acts_of(runtime.database, one.id, 2 * limit, before)
    decided = await record_history.decisions_of(runtime.database, one.id, 2 * limit, before)
    failed = [_failed(runtime, one.link.kind, row) for row in acts if row.what in _FAILURES]
    whole: list[HistoryEvent] = [
        *(_delivered(row, writes, failed) for row in came_in),
        *(_called(row, came_in, conflicts.get(row.id, ())) for row in writes),
        *failed,
        *(PersonEvent(row.id, row.at, row.what, row.by_name, _DONE[row.what]) for row in acts if row.what in _DONE),
        *(_decided(row) for row in decided),
    ]
    whole.sort(key=lambda item: item.id, reverse=True)
    return History(_gathered(whole[:limit]), whole[limit - 1].id if len(whole) > limit else None)


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


_FAILURES = (Happened.FAILED.value, Happened.HELD.value)
_DONE: Mapping[str, str] = {
    Happened.RETRIED.value: "Retried",
    Happened.DISMISSED.value: "Dismissed",
    Happened.RESTORED.value: "Dismissal undone",
    Happened.CHECKED.value: "Checked again",
    Happened.NOTED.value: "Note changed",
}


def _delivered(row: Any, writes: Sequence[Any], failed: Sequence[FailureEvent]) -> DeliveryEvent:
    calls = tuple(each.id for each in writes if _led_to(row, each))
    led_to = [each for each in failed if row.delivery_id in each.deliveries]
    return DeliveryEvent(
        row.delivery_id,
        row.received_at,
        Side(row.side),
        row.event,
        row.outcome,
        row.finished_at,
        calls,
        tuple(each.id for each in led_to),
        led_to[0].says if led_to else "",
    )


def _failed(runtime: Runtime, kind: Kind, row: Any) -> FailureEvent:
    side, fields = Side(row.side), tuple(name for name in row.fields.split(",") if name)
    is_held = row.what == Happened.HELD.value
    wrong = sentence(row.cause, side, kind, labels(runtime.mappings.get(kind), side, fields))
    return FailureEvent(
        row.id,
        row.at,
        side,
        is_held,
        row.cause,
        vendor_code(row.cause),
        fields,
        f"{'Needs review' if is_held else 'Not applied'}: {wrong}",
        tuple(row.deliveries),
        row.times,
        row.last_at,
    )


def _decided(row: Any) -> PersonEvent:
    side, name = Side(row.side), row.field.replace("_", " ")
    if row.conflict_id is not None:
        what, says = "undone", f"Restored {NAMES[side]}'s {name}"
    elif row.field != WHOLE_RECORD:
        what, says = "decided", f"Keep {NAMES[side]}'s {name}"
    elif row.twin is None:
        what, says = "decided", f"Create a new record in {NAMES[side]}"
    else:
        what, says = "decided", f"It is {NAMES[side]} {row.twin}"
    fields = () if row.field == WHOLE_RECORD else (row.field,)
    return PersonEvent(row.id, row.at, what, row.by_name, says, side, fields, row.state, row.ended_at)


def _gathered(items: Sequence[HistoryEvent]) -> list[HistoryEvent]:
    """Give what happened, newest first, with calls as one that were alike, unsuccessful, and one after the other."""
    found: list[HistoryEvent] = []
    for item in items:
        last = found[-1] if found else None
        if isinstance(item, CallEvent) and isinstance(last, CallEvent) and _are_alike(item, last):
            found[-1] = replace(last, times=last.times + 1, first_at=item.at)
        else:
            found.append(item)
    return found


def _are_alike(one: CallEvent, other: CallEvent) -> bool:
    said = [(each.side, each.call, each.fields, each.why, each.answer, each.code) for each in (one, other)]
    return said[0] == said[1] and one.answer is WriteState.REFUSED


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
