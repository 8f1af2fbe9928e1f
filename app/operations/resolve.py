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

from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import Undecryptable
from app.operations import records
from app.operations.records import BothSides
from app.ports import Act, Action, By
from app.runtime import Runtime
from app.store import audit, conflicts, links, record_views, resolutions
from app.store.record_views import RecordState, RecordView
from app.store.resolutions import Resolution
from app.sync.create import IS_TAKEN, SEVERAL
from app.sync.loop_guard import REWRITTEN
from app.sync.mappings.table import Direction
from app.sync.model import WHOLE_RECORD, Base, Kind, Lane, Link, Side, WriteState
from app.vendors.drchrono.client import TWIN_CODE
from app.vendors.salesforce.client import MERGED

FIELDS = frozenset({"held", REWRITTEN})  # causes of which a person picks a side, field by field


_WHICH_ON = {**{cause: side for side, cause in SEVERAL.items()}, TWIN_CODE: Side.DRCHRONO}  # a person says which it is


_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class Refusal(StrEnum):
    """Why a decision is not taken."""

    NOT_HELD = "not_held"
    NOTHING = "nothing"
    NOT_MAPPED = "not_mapped"
    ONE_WAY = "one_way"
    NOT_SEEN = "not_seen"
    NO_ID = "no_id"
    ITSELF = "itself"
    NO_MERGE = "no_merge"
    BUSY = "busy"

    @property
    def text(self) -> str:
        """What a person is told."""
        return _WORDS[self]


_WORDS = {
    Refusal.NOT_HELD: "The record does not wait for this decision any more.",
    Refusal.NOTHING: "Nothing was picked.",
    Refusal.NOT_MAPPED: "The mapping does not carry that field.",
    Refusal.ONE_WAY: "That field travels to Salesforce only; DrChrono cannot take Salesforce's value.",
    Refusal.NOT_SEEN: "Read both sides first: a decision is about the values that were there when you looked.",
    Refusal.NO_ID: "That is not the id of a record.",
    Refusal.ITSELF: "That is the held record itself; name the one that stays.",
    Refusal.NO_MERGE: "Salesforce does not merge records of this object; one of the two has to go by hand.",
    Refusal.BUSY: "Somebody has decided about this a moment ago; wait until that is carried out.",
}


@dataclass(frozen=True, slots=True)
class Pick:
    """Whose value of a field counts, and the stamps of what each side held when the person looked."""

    field: str
    side: Side
    stamps: Mapping[Side, str]


def waits_for_fields(one: RecordView) -> bool:
    """Say whether a record waits until a person has picked a side, field by field."""
    return one.standing is RecordState.HELD and one.cause in FIELDS


def lacks(one: RecordView) -> Side | None:
    """Give the side on which a person has to say which of several records it is; None where that is not asked."""
    side = _WHICH_ON.get(one.cause) if one.standing is RecordState.HELD else None
    return side if side is not None and one.link.id_on(side) is None else None


def is_taken(one: RecordView) -> bool:
    """Say whether a Contact is held because the chart it met has another one."""
    return one.standing is RecordState.HELD and one.cause == IS_TAKEN and one.link.drchrono_id is None


def met(one: RecordView) -> Side | None:
    """Give the side on which a held record met somebody: several, or one that has its pair."""
    return Side.DRCHRONO if is_taken(one) else lacks(one)


async def find(runtime: Runtime, link_id: str) -> RecordView | None:
    """Give a record by its link; None when there is none.

    Raises  StoreUnavailable
    """
    found = await record_views.by_id(runtime.database, link_id)
    return found if found is not None and found.link.kind in runtime.mappings else None


async def seen(runtime: Runtime, one: RecordView, by: By | None = None) -> BothSides:
    """Read both sides: masked, or the values for whoever may see them, noted first.

    Raises  StoreUnavailable
    """
    return await (records.read(runtime, one) if by is None else records.reveal(runtime, one, by))


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

    async def work(connection: AsyncConnection) -> Refusal | None:
        if await resolutions.is_open(connection, one.id, [each.field for each in wanted]):
            return Refusal.BUSY
        for each in wanted:
            if not await resolutions.keep(connection, each):
                raise _LostTheRaceError
        await (links.mark_link_due if wanted[0].twin is None else links.look_again)(connection, one.id, Lane.LIVE)
        await audit.note(connection, act)
        return None

    try:
        refusal = await runtime.database.transact(work)
    except _LostTheRaceError:  # rolled back, whatever of it was kept
        return Refusal.BUSY
    runtime.wakeup.notify([one.link.kind])
    return refusal


class _LostTheRaceError(Exception):
    """Somebody else decided about one of the fields in the same moment."""


class UndoRefusal(StrEnum):
    """Why a conflict is not undone."""

    UNKNOWN = "unknown"
    ONCE = "once"
    NOT_KEPT = "not_kept"
    NOT_WRITTEN = "not_written"
    EDITED = "edited"
    NOT_MAPPED = "not_mapped"
    BUSY = "busy"

    @property
    def text(self) -> str:
        """What a person is told."""
        return _UNDO_WORDS[self]


_UNDO_WORDS = {
    UndoRefusal.UNKNOWN: "No such conflict is kept.",
    UndoRefusal.ONCE: "This was undone before; it can be undone once.",
    UndoRefusal.NOT_KEPT: "The old value is not kept any more: it is older than RETENTION_DAYS, or its key is gone.",
    UndoRefusal.NOT_WRITTEN: "The rule's write did not go through, or it is not known yet; there is nothing to undo.",
    UndoRefusal.EDITED: "The field has been edited since, so the old value is left where it is; edit it by hand.",
    UndoRefusal.NOT_MAPPED: "The mapping does not carry that field any more.",
    UndoRefusal.BUSY: "Somebody has decided about this field a moment ago; wait until that is carried out.",
}


@dataclass(frozen=True, slots=True)
class SettledConflict:
    """One conflict; `undo`: how an undo of it stands, None while nobody asked. `loser`: whose value was replaced."""

    id: str
    kind: Kind
    field: str
    rule: str
    at: datetime
    loser: Side
    state: str
    undo: str | None
    is_kept: bool
    drchrono_id: str | None
    salesforce_id: str | None

    @property
    def winner(self) -> Side:
        """Whose value both sides took."""
        return self.loser.other

    @property
    def can_be_undone(self) -> bool:
        """Whether to offer it; whether the field was edited since is found when it is pressed."""
        return self.is_kept and self.undo is None and self.state == WriteState.CONFIRMED.value

    @property
    def record(self) -> tuple[Side, str] | None:
        """The record's side and id, to look at."""
        if self.drchrono_id:
            return Side.DRCHRONO, self.drchrono_id
        return (Side.SALESFORCE, self.salesforce_id) if self.salesforce_id else None


def conflict_of(row: Any) -> SettledConflict:
    """Give a conflict of its row; one whose write is forgotten cannot tell who lost."""
    loser = Side(row.side) if row.side else Side.DRCHRONO
    ids = (row.drchrono_id, row.salesforce_id)
    state = row.state or "forgotten"
    return SettledConflict(
        row.id, Kind(row.kind), row.field, row.rule, row.at, loser, state, row.undo, row.is_kept, *ids
    )


async def find_conflict(runtime: Runtime, conflict_id: str) -> SettledConflict | None:
    """Give one conflict; None when none is kept under that id.

    Raises  StoreUnavailable
    """
    row = await _conflict_row(runtime, conflict_id)
    return conflict_of(row) if row is not None else None


async def reveal_conflict(runtime: Runtime, conflict_id: str, by: By) -> Mapping[Side, str | None] | None:
    """Give what each side had held, noted before anything is shown; None where it is not kept.

    Raises  StoreUnavailable: it could not be noted, so nothing is shown
    """
    row = await _conflict_row(runtime, conflict_id)
    kept = _kept_values(runtime, row)
    if row is None or kept is None:
        return None
    await audit.record(runtime.database, Act(by, Action.REVEAL, _about_conflict(row)))
    return kept


async def undo(runtime: Runtime, conflict_id: str, by: By) -> UndoRefusal | None:
    """Have the old value put back where it was taken from, and on the other side; None, or why it is not.

    Raises  StoreUnavailable
    """
    kinds: list[Kind] = []

    async def work(connection: AsyncConnection) -> UndoRefusal | None:
        kinds.clear()
        row = (await connection.execute(conflicts.one(conflict_id))).first()
        wanted = UndoRefusal.UNKNOWN if row is None else _undo_resolution(runtime, row)
        if isinstance(wanted, UndoRefusal):
            return wanted
        if not await resolutions.keep(connection, wanted):
            return UndoRefusal.BUSY
        await links.mark_link_due(connection, wanted.link_id, Lane.LIVE)
        await audit.note(connection, Act(by, Action.UNDO, _about_conflict(row)))
        kinds.append(Kind(row.kind))
        return None

    refusal = await runtime.database.transact(work)
    runtime.wakeup.notify(kinds)
    return refusal


async def _conflict_row(runtime: Runtime, conflict_id: str) -> Any:
    rows = await runtime.database.read(conflicts.one(conflict_id))
    return rows[0] if rows else None


def _undo_resolution(runtime: Runtime, row: Any) -> Resolution | UndoRefusal:
    """Give the decision that undoes a conflict, or why there is none."""
    if row.undo is not None:
        return UndoRefusal.ONCE
    if row.state != WriteState.CONFIRMED.value:
        return UndoRefusal.NOT_WRITTEN
    kept, kind, loser = _kept_values(runtime, row), Kind(row.kind), Side(row.side)
    if kept is None:
        return UndoRefusal.NOT_KEPT
    if kind not in runtime.mappings or row.field not in runtime.mappings[kind].rows:
        return UndoRefusal.NOT_MAPPED
    if not row.drchrono_id or not row.salesforce_id:
        return UndoRefusal.EDITED
    rules = runtime.rules(kind)
    link = Link(row.link_id, kind, row.drchrono_id, row.salesforce_id, Base(row.base))
    if rules.moved(link, row.field, kept[loser.other]) is not False:
        return UndoRefusal.EDITED
    stamp = rules.stamp(link, row.field, kept[loser.other])
    expects = {side.value: stamp for side in Side}
    return Resolution(row.link_id, row.field, loser, expects, conflict_id=row.id)


def _kept_values(runtime: Runtime, row: Any) -> dict[Side, str | None] | None:
    if row is None or row.kept is None:
        return None
    try:
        kept: Mapping[str, str | None] = runtime.vault.open(row.kept)
    except Undecryptable:
        return None
    return {side: kept[side.value] for side in Side}


def _about_conflict(row: Any) -> str:
    return f"{row.kind} {row.drchrono_id or row.salesforce_id or row.link_id}, {row.field}"
