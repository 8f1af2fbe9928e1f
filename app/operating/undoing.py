"""Conflicts that a rule decided: seen by a person, and undone once, by the path that every write takes.

To undo is a decision: the old value is to be on both sides, as long as both hold what the rule had them hold. It is
kept with making the record due, in one commit; the worker looks at both sides, DrChrono being asked, and writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import Undecryptable
from app.runtime import Runtime
from app.store import audit, conflicts, decisions, links
from app.store.audit import Act, Action, By
from app.store.decisions import Decided
from app.store.states import State
from app.sync.base import Base
from app.sync.records import Kind, Lane, Link, Side


class Refusal(StrEnum):
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
        return _WORDS[self]


_WORDS = {
    Refusal.UNKNOWN: "No such conflict is kept.",
    Refusal.ONCE: "This was undone before; it can be undone once.",
    Refusal.NOT_KEPT: "The old value is not kept any more: it is older than RETENTION_DAYS, or its key is gone.",
    Refusal.NOT_WRITTEN: "The rule's write did not go through, or it is not known yet; there is nothing to undo.",
    Refusal.EDITED: "The field has been edited since, so the old value is left where it is; edit it by hand.",
    Refusal.NOT_MAPPED: "The mapping does not carry that field any more.",
    Refusal.BUSY: "Somebody has decided about this field a moment ago; wait until that is carried out.",
}


@dataclass(frozen=True, slots=True)
class Conflict:
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
        return self.is_kept and self.undo is None and self.state == State.CONFIRMED.value

    @property
    def record(self) -> tuple[Side, str] | None:
        """The record's side and id, to look at."""
        if self.drchrono_id:
            return Side.DRCHRONO, self.drchrono_id
        return (Side.SALESFORCE, self.salesforce_id) if self.salesforce_id else None


def of(row: Any) -> Conflict:
    """Give a conflict of its row; one whose write is forgotten cannot tell who lost."""
    loser = Side(row.side) if row.side else Side.DRCHRONO
    ids = (row.drchrono_id, row.salesforce_id)
    state = row.state or "forgotten"
    return Conflict(row.id, Kind(row.kind), row.field, row.rule, row.at, loser, state, row.undo, row.is_kept, *ids)


async def find(run: Runtime, conflict_id: str) -> Conflict | None:
    """Give one conflict; None when none is kept under that id.

    Raises  StoreUnavailable
    """
    row = await _row(run, conflict_id)
    return of(row) if row is not None else None


async def reveal(run: Runtime, conflict_id: str, by: By) -> Mapping[Side, str | None] | None:
    """Give what each side had held, noted before anything is shown; None where it is not kept.

    Raises  StoreUnavailable: it could not be noted, so nothing is shown
    """
    row = await _row(run, conflict_id)
    kept = _opened(run, row)
    if row is None or kept is None:
        return None
    await audit.done(run.database, Act(by, Action.REVEAL, _about(row)))
    return kept


async def undo(run: Runtime, conflict_id: str, by: By) -> Refusal | None:
    """Have the old value put back where it was taken from, and on the other side; None, or why it is not.

    Raises  StoreUnavailable
    """
    kinds: list[Kind] = []

    async def work(connection: AsyncConnection) -> Refusal | None:
        kinds.clear()
        row = (await connection.execute(conflicts.one(conflict_id))).first()
        wanted = Refusal.UNKNOWN if row is None else _wanted(run, row)
        if isinstance(wanted, Refusal):
            return wanted
        if not await decisions.keep(connection, wanted):
            return Refusal.BUSY
        await links.due(connection, wanted.link_id, Lane.LIVE)
        await audit.note(connection, Act(by, Action.UNDO, _about(row)))
        kinds.append(Kind(row.kind))
        return None

    refusal = await run.database.transact(work)
    run.bell.ring(kinds)
    return refusal


async def _row(run: Runtime, conflict_id: str) -> Any:
    rows = await run.database.read(conflicts.one(conflict_id))
    return rows[0] if rows else None


def _wanted(run: Runtime, row: Any) -> Decided | Refusal:
    """Give the decision that undoes a conflict, or why there is none."""
    if row.undo is not None:
        return Refusal.ONCE
    if row.state != State.CONFIRMED.value:
        return Refusal.NOT_WRITTEN
    kept, kind, loser = _opened(run, row), Kind(row.kind), Side(row.side)
    if kept is None:
        return Refusal.NOT_KEPT
    if kind not in run.mappings or row.field not in run.mappings[kind].rows:
        return Refusal.NOT_MAPPED
    if not row.drchrono_id or not row.salesforce_id:
        return Refusal.EDITED
    rules = run.rules(kind)
    link = Link(row.link_id, kind, row.drchrono_id, row.salesforce_id, Base(row.base))
    if rules.moved(link, row.field, kept[loser.other]) is not False:
        return Refusal.EDITED
    stamp = rules.stamp(link, row.field, kept[loser.other])
    expects = {side.value: stamp for side in Side}
    return Decided(row.link_id, row.field, loser, expects, conflict_id=row.id)


def _opened(run: Runtime, row: Any) -> dict[Side, str | None] | None:
    if row is None or row.kept is None:
        return None
    try:
        kept: Mapping[str, str | None] = run.vault.open(row.kept)
    except Undecryptable:
        return None
    return {side: kept[side.value] for side in Side}


def _about(row: Any) -> str:
    return f"{row.kind} {row.drchrono_id or row.salesforce_id or row.link_id}, {row.field}"
