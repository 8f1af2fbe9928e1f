"""Fields that both sides had changed: which rule decided, and both values, sealed, so that a person can undo it."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.ports import SealedColumn
from app.store.clock import after, db_now
from app.store.database import Database
from app.store.encryption import Vault
from app.store.tables import conflicts, decisions, journal, links
from app.sync.model import Kind, WriteState


@dataclasses.dataclass(frozen=True, slots=True)
class DecidedConflict:
    """One field that both sides had changed; `kept`: sealed, what each of them held."""

    kind: Kind
    field: str
    rule: str
    kept: str
    id: str = dataclasses.field(default_factory=lambda: str(ULID()))


def again(decided: DecidedConflict, vault: Vault) -> DecidedConflict:
    """Give the same conflict as a row of its own: its values are sealed anew for that row.

    Raises  Undecryptable when no configured key opens them any more
    """
    id_ = str(ULID())
    kept = vault.reseal(decided.kept, SealedColumn.CONFLICT_KEPT.of(decided.id), SealedColumn.CONFLICT_KEPT.of(id_))
    return dataclasses.replace(decided, id=id_, kept=kept)


async def keep(connection: AsyncConnection, decided: Sequence[tuple[str, str, DecidedConflict]]) -> None:
    """Keep conflicts with the writes that carry out what was decided: (journal id, link id, conflict) of each."""
    rows = [
        {
            "id": one.id,
            "journal_id": journal_id,
            "link_id": link_id,
            "kind": one.kind.value,
            "field": one.field[:64],
            "rule": one.rule[:64],
            "kept": one.kept,
        }
        for journal_id, link_id, one in decided
    ]
    if rows:
        await connection.execute(sa.insert(conflicts).values(at=db_now()), rows)


@dataclasses.dataclass(frozen=True, slots=True)
class Sort:
    """Which conflicts are meant; None: all of them.

    state  what became of the write that carried the rule out
    undo   how the undoing of it stands: `none`, or as the decision does
    """

    kind: Kind | None = None
    field: str | None = None
    state: WriteState | None = None
    undo: str | None = None


NO_UNDO = "none"
_undo = decisions.c.state


def _of(sort: Sort) -> list[sa.ColumnElement[bool]]:
    undos = decisions.alias()
    asked_for = sa.exists().where(undos.c.conflict_id == conflicts.c.id)  # found before anything is joined
    is_undone = sa.not_(asked_for) if sort.undo == NO_UNDO else _undo == sort.undo
    parts = (
        (sort.kind, conflicts.c.kind == (sort.kind and sort.kind.value)),
        (sort.field, conflicts.c.field == sort.field),
        (sort.state, journal.c.state == (sort.state and sort.state.value)),
        (sort.undo, is_undone),
    )
    return [condition for wanted, condition in parts if wanted is not None]


def _asked() -> sa.Select[Any]:
    """Give conflicts newest first, with their record's ids, what became of the write, and how an undo stands."""
    c = conflicts.c
    place = (
        conflicts.outerjoin(journal, journal.c.id == c.journal_id)
        .outerjoin(links, links.c.id == c.link_id)
        .outerjoin(decisions, decisions.c.conflict_id == c.id)
    )
    columns = (c.id, c.link_id, c.kind, c.field, c.rule, c.at, c.kept.is_not(None).label("is_kept"))
    beside = (journal.c.side, journal.c.state, links.c.drchrono_id, links.c.salesforce_id, _undo.label("undo"))
    return sa.select(*columns, *beside).select_from(place).order_by(c.id.desc())


async def listed(database: Database, sort: Sort, limit: int, before: str | None = None) -> list[sa.Row[Any]]:
    """Give conflicts of a sort, newest first; those older than an id where told. Never a value."""
    asked = _asked().where(*_of(sort)).limit(limit)
    return await database.read(asked if before is None else asked.where(conflicts.c.id < before))


async def count(database: Database, sort: Sort | None = None) -> int:
    """Give how many conflicts of a sort are kept; those nobody undid are all but the few that somebody did."""
    sort = sort or Sort()
    if sort.undo == NO_UNDO:
        whole = dataclasses.replace(sort, undo=None)
        return await count(database, whole) - await _count(database, whole, has_undo=True)
    return await _count(database, sort, has_undo=sort.undo is not None)


async def _count(database: Database, sort: Sort, *, has_undo: bool) -> int:
    place: sa.FromClause = conflicts
    if sort.state is not None:
        place = place.join(journal, journal.c.id == conflicts.c.journal_id)
    if has_undo:
        place = place.join(decisions, decisions.c.conflict_id == conflicts.c.id)
    asked = sa.select(sa.func.count()).select_from(place).where(*_of(sort))
    return int((await database.read(asked))[0][0])


async def by_field(database: Database, span: timedelta) -> dict[tuple[Kind, str], int]:
    """Give (kind, our name of the field) -> conflicts of the last span of time."""
    c = conflicts.c
    asked = sa.select(c.kind, c.field, sa.func.count().label("times")).where(c.at >= after(-span))
    return {(Kind(row.kind), row.field): row.times for row in await database.read(asked.group_by(c.kind, c.field))}


async def find(database: Database, conflict_id: str) -> sa.Row[Any] | None:
    """Give one conflict, with both values as they were kept, sealed, and what its sides agree on; None: unknown."""
    asked = _asked().add_columns(conflicts.c.kept, links.c.base).where(conflicts.c.id == conflict_id)
    rows = await database.read(asked)
    return rows[0] if rows else None
