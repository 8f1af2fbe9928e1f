"""Manual conflict resolution: what a person decides of a held record, and undoing what a rule decided.

A resolution is kept with making the record due, in one commit; a worker carries it out by its usual path. Of a field
that is held one side's value counts, as long as both sides hold what the person saw. Of several candidates one is the
record; it is linked as a first match is, if it still is who is wanted: nothing is ever made by a pick. A Contact whose
chart has another one is merged into that, if it still is that chart's. To undo a conflict is a resolution too: the old
value is to be on both sides, as long as both hold what the rule had them hold.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.operations import candidates, conflicts, records
from app.operations.candidates import Candidates
from app.operations.records import BothSides
from app.ports import Act, Action, By, ListPage, first_of
from app.runtime import Runtime
from app.store import conflicts as store
from app.store import failures, record_views, resolutions
from app.store.failures import Group
from app.store.record_views import RecordView
from app.store.resolutions import Resolution
from app.sync.failure_causes import fix, look_up
from app.sync.mappings.table import Direction
from app.sync.model import WHOLE_RECORD, Base, Decision, Kind, Link, RecordState, Side, WriteState
from app.vendors.salesforce.client import MERGED

_RECORD_ON: Mapping[Decision | None, Side] = {
    Decision.RECORD_IN_DRCHRONO: Side.DRCHRONO,
    Decision.RECORD_IN_SALESFORCE: Side.SALESFORCE,
    Decision.NEW_IN_DRCHRONO: Side.DRCHRONO,
}


_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Refusal(StrEnum):
    """Why a decision is not taken, as a person is told."""

    NOT_HELD = "The record does not need this decision any more."
    NOTHING = "Choose the value to keep, of one field at least."
    NOT_MAPPED = "The mapping does not carry that field."
    ONE_WAY = "That field travels to Salesforce only; DrChrono cannot take Salesforce's value."
    NOT_SEEN = "Compare both systems first: a decision is about the values that were there when you looked."
    NO_ID = "That is not the id of a record."
    ITSELF = "That is the record itself; name the one that stays."
    NO_MERGE = "Salesforce does not merge records of this object; one of the two has to go by hand."
    BUSY = "Somebody decided about this a moment ago; wait until that is carried out."

    # of an undo alone
    UNKNOWN = "No such conflict is kept."
    ONCE = "This was restored before; it can be restored once."
    NOT_KEPT = "The old value is not kept any more: it is older than RETENTION_DAYS, or its key is gone."
    NOT_WRITTEN = "The rule's write did not go through, or is not confirmed yet; there is nothing to restore."
    EDITED = "The field has been edited since, so the old value is left where it is; edit it by hand."
    NOT_MAPPED_NOW = "The mapping does not carry that field any more."
    FIELD_BUSY = "Somebody decided about this field a moment ago; wait until that is carried out."


@dataclass(frozen=True, slots=True)
class Pick:
    """Whose value of a field counts, and the stamps of what each side held when the person looked."""

    field: str
    side: Side
    stamps: Mapping[Side, str]


def waits_for_fields(one: RecordView) -> bool:
    """Say whether a record waits until a person has picked a side, field by field."""
    return _decision(one) is Decision.FIELDS


def lacks(one: RecordView) -> Side | None:
    """Give the side on which a person has to say which of several records it is; None where that is not asked."""
    side = _RECORD_ON.get(_decision(one))
    return side if side is not None and one.link.id_on(side) is None else None


def may_be_new(one: RecordView) -> bool:
    """Say whether a person may say that a new chart is right, though one was known that is not shown any more."""
    return _decision(one) is Decision.NEW_IN_DRCHRONO and one.link.drchrono_id is None


def is_taken(one: RecordView) -> bool:
    """Say whether a Contact is held because the chart it met has another one."""
    return _decision(one) is Decision.MERGE and one.link.drchrono_id is None


def met(one: RecordView) -> Side | None:
    """Give the side on which a held record met somebody: several, or one that has its pair."""
    return Side.DRCHRONO if is_taken(one) else lacks(one)


def _decision(one: RecordView) -> Decision | None:
    """Give the decision that a held record waits for; None where it is not held, or the word is a vendor's."""
    return look_up(one.cause).decision if one.standing is RecordState.HELD else None


async def settle(runtime: Runtime, one: RecordView, picks: Sequence[Pick], by: By) -> Refusal | None:
    """Have the picked side's value of each field written to the other one; None, or why none of it is.

    Raises  StoreUnavailable
    """
    if not waits_for_fields(one):
        return Refusal.NOT_HELD
    if (refusal := _not_to_be(runtime, one, picks)) is not None:
        return refusal
    wanted = [
        Resolution(one.id, pick.field, pick.side, {side.value: stamp for side, stamp in pick.stamps.items()})
        for pick in picks
    ]
    names = ", ".join(f"{pick.field}: {pick.side}" for pick in picks)
    return await _decided(runtime, one, wanted, Act(by, Action.SETTLE, f"{records.about(one)}, {names}"))


async def choose(runtime: Runtime, one: RecordView, record_id: str, by: By) -> Refusal | None:
    """Have a record linked to one of several, if that still is who is wanted; None, or why not.

    Raises  StoreUnavailable
    """
    if (side := lacks(one)) is None:
        return Refusal.NOT_HELD
    if not _ID.fullmatch(record_id):
        return Refusal.NO_ID
    wanted = Resolution(one.id, WHOLE_RECORD, side, twin=record_id)
    return await _decided(
        runtime, one, [wanted], Act(by, Action.SETTLE, f"{records.about(one)}, is {side} {record_id}")
    )


async def create(runtime: Runtime, one: RecordView, by: By) -> Refusal | None:
    """Have a new chart made beside the one that is not shown any more, if none is found by then; None, or why not.

    Raises  StoreUnavailable
    """
    if not may_be_new(one):
        return Refusal.NOT_HELD
    wanted = Resolution(one.id, WHOLE_RECORD, Side.DRCHRONO)
    return await _decided(runtime, one, [wanted], Act(by, Action.SETTLE, f"{records.about(one)}, a new chart is right"))


async def merge(runtime: Runtime, one: RecordView, record_id: str, by: By) -> Refusal | None:
    """Have a Contact merged into the one its chart has, if it still is that chart's; None, or why not.

    Raises  StoreUnavailable
    """
    if not is_taken(one):
        return Refusal.NOT_HELD
    if record_id == one.link.salesforce_id:
        return Refusal.ITSELF
    if runtime.mappings[one.link.kind].object not in MERGED:
        return Refusal.NO_MERGE
    if not _ID.fullmatch(record_id):
        return Refusal.NO_ID
    wanted = Resolution(one.id, WHOLE_RECORD, Side.SALESFORCE, twin=record_id)
    return await _decided(runtime, one, [wanted], Act(by, Action.MERGE, f"{records.about(one)}, into {record_id}"))


def _not_to_be(runtime: Runtime, one: RecordView, picks: Sequence[Pick]) -> Refusal | None:
    rules = runtime.rules(one.link.kind)
    if not picks:
        return Refusal.NOTHING
    for pick in picks:
        row = rules.table.rows.get(pick.field)
        if row is None:
            return Refusal.NOT_MAPPED
        if pick.side is Side.SALESFORCE and row.direction is Direction.TO_SALESFORCE:
            return Refusal.ONE_WAY
        if not all(rules.keys.knows(pick.stamps.get(side, "")) for side in Side):
            return Refusal.NOT_SEEN
    return None


async def _decided(runtime: Runtime, one: RecordView, wanted: Sequence[Resolution], act: Act) -> Refusal | None:
    """Keep all of the decisions or none, make the record due, and ring."""
    if not await resolutions.decide(runtime.database, one.id, wanted, act):
        return Refusal.BUSY
    runtime.wakeup.notify([one.link.kind])
    return None


async def undo(runtime: Runtime, conflict_id: str, by: By) -> Refusal | None:
    """Have the old value put back where it was taken from, and on the other side; None, or why it is not.

    Raises  StoreUnavailable
    """
    row = await store.find(runtime.database, conflict_id)
    if row is None:
        return Refusal.UNKNOWN
    wanted = _undo_resolution(runtime, row)
    if isinstance(wanted, Refusal):
        return wanted
    act = Act(by, Action.UNDO, conflicts.about(row))
    if not await resolutions.decide(runtime.database, wanted.link_id, [wanted], act):
        return Refusal.FIELD_BUSY
    runtime.wakeup.notify([Kind(row.kind)])
    return None


def _undo_resolution(runtime: Runtime, row: Any) -> Resolution | Refusal:
    """Give the decision that undoes a conflict, or why there is none."""
    if row.undo is not None:
        return Refusal.ONCE
    if row.state != WriteState.CONFIRMED.value:
        return Refusal.NOT_WRITTEN
    kept, kind, loser = conflicts.kept_values(runtime, row), Kind(row.kind), Side(row.side)
    if kept is None:
        return Refusal.NOT_KEPT
    if kind not in runtime.mappings or row.field not in runtime.mappings[kind].rows:
        return Refusal.NOT_MAPPED_NOW
    if not row.drchrono_id or not row.salesforce_id:
        return Refusal.EDITED
    rules = runtime.rules(kind)
    link = Link(row.link_id, kind, row.drchrono_id, row.salesforce_id, Base(row.base))
    if rules.moved(link, row.field, kept[loser.other]) is not False:
        return Refusal.EDITED
    stamp = rules.stamp(link, row.field, kept[loser.other])
    expects = {side.value: stamp for side in Side}
    return Resolution(row.link_id, row.field, loser, expects, conflict_id=row.id)


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record that waits; `is_decided`: a person has decided, and it is to be carried out."""

    link_id: str
    side: str
    kind: str
    cause: str
    fields: tuple[str, ...]
    fix: str
    drchrono_id: str | None
    salesforce_id: str | None
    is_decided: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may do about a held record. `met`: the side on which it met somebody, several or one."""

    is_decided: bool
    can_settle: bool
    can_choose: bool
    can_merge: bool
    can_create: bool
    met: Side | None


def ids(held: Sequence[HeldRecord]) -> tuple[str, ...]:
    """Give the ids of held records, for the audit."""
    return tuple(one.drchrono_id or one.salesforce_id or one.link_id for one in held)


async def listed(
    runtime: Runtime, limit: int, after: str = "", *, cause: str | None = None, kind: Kind | None = None
) -> ListPage[HeldRecord]:
    """Give held records in the order of their links, from after one on; those of a cause or a kind where told.

    Raises  StoreUnavailable
    """
    group = Group(cause=cause, kind=kind, is_held=True)
    rows = await failures.some(runtime.database, group, limit + 1, after)
    decided = await resolutions.waiting(runtime.database, [row.link_id for row in rows])
    found = [
        HeldRecord(
            row.link_id,
            row.side,
            row.kind,
            row.cause,
            tuple(row.fields.split(",")) if row.fields else (),
            fix(row.cause),
            row.drchrono_id,
            row.salesforce_id,
            row.link_id in decided,
            row.at,
        )
        for row in rows
    ]
    return first_of(found, limit, lambda one: one.link_id, await failures.count(runtime.database, group))


async def find(runtime: Runtime, link_id: str) -> RecordView | None:
    """Give a record by its link; None when there is none.

    Raises  StoreUnavailable
    """
    found = await record_views.by_id(runtime.database, link_id)
    return found if found is not None and found.link.kind in runtime.mappings else None


async def choices_of(runtime: Runtime, one: RecordView) -> Choices:
    """Give what a person may do about a record.

    Raises  StoreUnavailable
    """
    return Choices(
        bool(await resolutions.waiting(runtime.database, [one.id])),
        waits_for_fields(one),
        lacks(one) is not None,
        is_taken(one),
        may_be_new(one),
        met(one),
    )


async def read(runtime: Runtime, one: RecordView, by: By | None = None) -> BothSides | Candidates:
    """Read both sides of a record, or whom it could be where it met somebody, by a call to each.

    by      who may see the values, which is noted before anything is shown; None: they are masked, or for nobody
    Raises  StoreUnavailable
    """
    if met(one) is not None:
        return await candidates.of(runtime, one, by)
    return await (records.read(runtime, one) if by is None else records.reveal(runtime, one, by))
