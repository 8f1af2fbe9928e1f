"""Darkness: for how long something was away that deliveries and compares rest on, as its own signs tell.

Whatever is there gives a sign every few seconds. A sign that follows the one before too late says that it was dark
between them; that is noted in the same commit, so by one process only and never lost. It is forgotten once every kind
was compared after its end.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database, insert_into
from app.store.tables import after, darkness, db_now, watermarks

EVERY = timedelta(seconds=5)
# a deploy, a fail-over or a pod that moves takes less, and what it missed both vendors send again within the hour
COUNTS = timedelta(minutes=1)


class Of(StrEnum):
    """What gives signs: the door while it can keep deliveries, a worker, and a side while it can be called."""

    DOOR = "door"
    WORK = "work"
    DRCHRONO = "drchrono"
    SALESFORCE = "salesforce"


@dataclass(frozen=True, slots=True)
class Dark:
    """From the last sign of something to its next, or all of that together when it happened again and again."""

    name: str
    since: datetime
    until: datetime


async def sign(connection: AsyncConnection, of: Of) -> Dark | None:
    """Give a sign of something, and what was dark until now; None when nothing was."""
    name = f"sign_{of}"
    last = sa.select(watermarks.c.at).where(watermarks.c.name == name).with_for_update()
    before = await connection.scalar(last)
    now = await connection.scalar(sa.select(db_now()))
    assert now is not None
    first = insert_into(watermarks, connection.dialect).values(name=name, at=now)
    again = first.on_conflict_do_update(index_elements=[watermarks.c.name], set_={"at": first.excluded["at"]})
    await connection.execute(again)
    if before is None or now - before < COUNTS:
        return None
    await note(connection, of.value, before, now)
    return Dark(of.value, before, now)


async def give(database: Database, of: Of) -> Dark | None:
    """Give a sign of something if the last is some seconds old, and what was dark until now."""
    recent = sa.select(watermarks.c.at).where(watermarks.c.name == f"sign_{of}", watermarks.c.at > after(-EVERY))
    if await database.read(recent):
        return None

    async def work(connection: AsyncConnection) -> Dark | None:
        return await sign(connection, of)

    return await database.transact(work)


async def is_there(database: Database, of: Of) -> bool:
    """Say whether something has given a sign within the time that is no darkness yet."""
    recent = sa.select(watermarks.c.at).where(watermarks.c.name == f"sign_{of}", watermarks.c.at > after(-COUNTS))
    return bool(await database.read(recent))


async def note(connection: AsyncConnection, name: str, since: datetime, until: datetime) -> None:
    """Note that something was dark; what was noted of it before, and is not over with, becomes one with it."""
    first = insert_into(darkness, connection.dialect).values(name=name, since=since, until=until)
    given = first.excluded["since"]
    earliest = sa.case((darkness.c.since < given, darkness.c.since), else_=given)
    merged = {"since": earliest, "until": first.excluded["until"]}
    await connection.execute(first.on_conflict_do_update(index_elements=[darkness.c.name], set_=merged))


async def noted(database: Database) -> list[Dark]:
    """Give every darkness after which something is still to be compared."""
    rows = await database.read(sa.select(darkness).order_by(darkness.c.name))
    return [Dark(row.name, row.since, row.until) for row in rows]


async def forget(database: Database, until: datetime) -> None:
    """Forget each that was over by a moment: everything was compared since."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.delete(darkness).where(darkness.c.until <= until))

    await database.transact(work)
