"""Conflicts: the fields that both sides had changed, which rule decided each, and what either side had held.

Undoing one is a decision of a person, so it is in `resolve.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.errors import Undecryptable
from app.ports import Act, Action, By, ListPage, SealedColumn, first_of
from app.runtime import Runtime
from app.store import audit, conflicts
from app.sync.model import Kind, Side, WriteState

Sort = conflicts.Sort
NO_UNDO = conflicts.NO_UNDO


@dataclass(frozen=True, slots=True)
class SettledConflict:
    """One conflict; `undo`: how an undo of it stands, None while nobody asked. `loser`: whose value was replaced."""

    id: str
    link_id: str
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


async def listed(runtime: Runtime, sort: Sort, limit: int, before: str | None = None) -> ListPage[SettledConflict]:
    """Give conflicts of a sort, newest first, older than an id where told; never a value.

    Raises  StoreUnavailable
    """
    rows = await conflicts.listed(runtime.database, sort, limit + 1, before)
    total = await conflicts.count(runtime.database, sort)
    return first_of([_conflict(row) for row in rows], limit, lambda one: one.id, total)


async def count(runtime: Runtime) -> int:
    """Give how many conflicts are kept.

    Raises  StoreUnavailable
    """
    return await conflicts.count(runtime.database)


async def find(runtime: Runtime, conflict_id: str) -> SettledConflict | None:
    """Give one conflict; None when none is kept under that id.

    Raises  StoreUnavailable
    """
    row = await conflicts.find(runtime.database, conflict_id)
    return _conflict(row) if row is not None else None


async def reveal(runtime: Runtime, conflict_id: str, by: By) -> Mapping[Side, str | None] | None:
    """Give what each side had held, noted before anything is shown; None where it is not kept.

    Raises  StoreUnavailable: it could not be noted, so nothing is shown
    """
    row = await conflicts.find(runtime.database, conflict_id)
    kept = kept_values(runtime, row)
    if row is None or kept is None:
        return None
    await audit.record(runtime.database, Act(by, Action.REVEAL, about(row)))
    return kept


def kept_values(runtime: Runtime, row: Any) -> dict[Side, str | None] | None:
    """Give what each side had held, of a conflict's row; None where it is not kept, or no key opens it."""
    if row is None or row.kept is None:
        return None
    try:
        kept: Mapping[str, str | None] = runtime.vault.open(row.kept, SealedColumn.CONFLICT_KEPT.of(row.id))
    except Undecryptable:
        return None
    return {side: kept[side.value] for side in Side}


def about(row: Any) -> str:
    """Name a conflict for the audit, of its row: by kind, id and field, never by a value."""
    return f"{row.kind} {row.drchrono_id or row.salesforce_id or row.link_id}, {row.field}"


def named(one: SettledConflict) -> str:
    """Name a conflict for the audit: by kind, id and field, never by a value."""
    return f"{one.kind.value} {one.drchrono_id or one.salesforce_id or one.id}, {one.field}"


def _conflict(row: Any) -> SettledConflict:
    """Give a conflict of its row; one whose write is forgotten cannot tell who lost."""
    loser = Side(row.side) if row.side else Side.DRCHRONO
    ids = (row.drchrono_id, row.salesforce_id)
    state = row.state or "forgotten"
    return SettledConflict(
        row.id, row.link_id, Kind(row.kind), row.field, row.rule, row.at, loser, state, row.undo, row.is_kept, *ids
    )
