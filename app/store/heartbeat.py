"""Which workers live: one row each, touched every few seconds, by the database's clock."""

import os
import socket
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import put_ahead, turned_back
from app.store.database import Database
from app.store.pace import Moment
from app.store.tables import after, db_now, workers

EVERY_S = 4.0
ALIVE = timedelta(seconds=15)
_FORGOTTEN = timedelta(days=1)


async def beat(database: Database, worker_id: str) -> timedelta:
    """Say that this worker lives; rows a day old are forgotten. Gives by how much the clock was turned back since.

    Where it was put ahead, what is in the air waits anew.
    """

    async def work(connection: AsyncConnection) -> tuple[timedelta, Moment]:
        jump = await turned_back.put_right(connection)
        seen = sa.update(workers).where(workers.c.id == worker_id).values(seen_at=db_now())
        if not (await connection.execute(seen)).rowcount:
            row = {"id": worker_id, "host": socket.gethostname()[:128], "pid": os.getpid()}
            await connection.execute(sa.insert(workers).values(**row, started_at=db_now(), seen_at=db_now()))
            await connection.execute(sa.delete(workers).where(workers.c.seen_at < after(-_FORGOTTEN)))
        return jump, await put_ahead.noticed(connection, database.pace)

    jump, moment = await database.transact(work)
    database.pace.note(moment)
    return jump


async def leave(database: Database, worker_id: str) -> None:
    """Take this worker off the list, as it stops."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.delete(workers).where(workers.c.id == worker_id))

    await database.transact(work)


async def heard_at(database: Database) -> datetime | None:
    """Give when a worker was heard of last; None when none was for a day."""
    rows = await database.read(sa.select(workers.c.seen_at).order_by(workers.c.seen_at.desc()).limit(1))
    return rows[0].seen_at if rows else None


async def alive(database: Database, host: str | None = None) -> int:
    """Give how many workers were heard of in the last 15 seconds, on one host or anywhere."""
    counted = sa.select(sa.func.count()).select_from(workers).where(workers.c.seen_at >= after(-ALIVE))
    if host is not None:
        counted = counted.where(workers.c.host == host)
    return int((await database.read(counted))[0][0])
