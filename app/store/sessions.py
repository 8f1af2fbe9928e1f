"""Who is signed in: one row per session, so that signing out means it, in every process.

A session ends when nobody used it for a while, and at the latest after some hours. Only a hash of its id is kept, and a
print of the account it was begun with: what changes the account ends its sessions.
"""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.clock import after, db_now
from app.store.database import Database
from app.store.tables import sessions

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
_TOUCHED_EVERY = timedelta(minutes=1)


def _is_open() -> sa.ColumnElement[bool]:
    return sa.and_(sessions.c.seen_at >= after(-IDLE), sessions.c.started_at >= after(-LONGEST))


async def begin(database: Database, session: str, token: str, role: str, name: str) -> None:
    """Remember a session, the print of its account, and whose it is; those that are over are forgotten."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.delete(sessions).where(sa.not_(_is_open())))
        row = {"id": session, "token": token, "role": role, "name": name, "started_at": db_now(), "seen_at": db_now()}
        await connection.execute(sa.insert(sessions).values(**row))

    await database.transact(work)


async def find(database: Database, session: str, *, is_used: bool = True) -> sa.Row[Any] | None:
    """Give the `token`, `role` and `name` of an open session, None when it is over; `is_used`: count this as use."""
    touched = (sessions.c.seen_at < after(-_TOUCHED_EVERY)).label("is_to_be_touched")
    asked = sa.select(sessions.c.token, sessions.c.role, sessions.c.name, touched)
    rows = await database.read(asked.where(sessions.c.id == session, _is_open()))
    if not rows:
        return None
    if rows[0].is_to_be_touched and is_used:

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.update(sessions).where(sessions.c.id == session).values(seen_at=db_now()))

        await database.transact(work)
    return rows[0]


async def end(database: Database, session: str) -> None:
    """Forget a session."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.delete(sessions).where(sessions.c.id == session))

    await database.transact(work)
