"""Who did what: one row for each act of a person or a script, only ever added to; never a patient's value in it."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.ports import Act, Action
from app.store.clock import db_now
from app.store.database import Database
from app.store.tables import audit


async def note(connection: AsyncConnection, act: Act) -> None:
    """Note an act with what it does, in one commit."""
    row = {
        "id": str(ULID()),
        "at": db_now(),
        "role": act.by.role,
        "who": act.by.who,
        "action": act.action.value,
        "about": act.about[:200],
        "records": act.records,
        "reason": act.reason[:200],
    }
    await connection.execute(sa.insert(audit).values(**row))


async def record(database: Database, act: Act) -> None:
    """Note an act that is done by something else than this database."""

    async def work(connection: AsyncConnection) -> None:
        await note(connection, act)

    await database.transact(work)


async def lately(
    database: Database, limit: int, *, action: Action | None = None, before: str | None = None
) -> list[sa.Row[Any]]:
    """Give acts, newest first: of one action where told, older than an id where told."""
    asked = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
    if action is not None:
        asked = asked.where(audit.c.action == action.value)
    if before is not None:
        asked = asked.where(audit.c.id < before)
    return await database.read(asked)


async def count(database: Database, action: Action | None = None) -> int:
    """Give how many acts were noted."""
    asked = sa.select(sa.func.count()).select_from(audit)
    rows = await database.read(asked if action is None else asked.where(audit.c.action == action.value))
    return int(rows[0][0])
