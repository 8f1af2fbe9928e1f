"""Fields that both sides had changed: which rule decided, and both values, sealed, so that a person can undo it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.store.database import Database
from app.store.tables import conflicts, db_now, journal, links
from app.sync.records import Kind


@dataclasses.dataclass(frozen=True, slots=True)
class Conflict:
    """One field that both sides had changed; `kept`: sealed, what each of them held."""

    kind: Kind
    field: str
    rule: str
    kept: str
    id: str = dataclasses.field(default_factory=lambda: str(ULID()))


async def keep(connection: AsyncConnection, decided: Sequence[tuple[str, str, Conflict]]) -> None:
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


async def lately(database: Database, limit: int) -> list[sa.Row[Any]]:
    """Give the latest conflicts, newest first, each with its record's ids and what became of its write."""
    place = conflicts.join(journal, journal.c.id == conflicts.c.journal_id).outerjoin(
        links, links.c.id == journal.c.link_id
    )
    columns = (conflicts.c.id, conflicts.c.kind, conflicts.c.field, conflicts.c.rule, conflicts.c.at)
    beside = (journal.c.side, journal.c.state, links.c.drchrono_id, links.c.salesforce_id)
    asked = sa.select(*columns, *beside).select_from(place).order_by(conflicts.c.id.desc()).limit(limit)
    return await database.read(asked)


async def count(database: Database) -> int:
    """Give how many conflicts are kept."""
    return int((await database.read(sa.select(sa.func.count()).select_from(conflicts)))[0][0])
