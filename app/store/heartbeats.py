"""Heartbeats: which workers live, and which of door, workers and sides have been out, since when and until when.

A worker beats every few seconds, by the database's clock, in one transaction: its own row, and one for each of what it
can say: that workers are at it, and which sides can be called. What beats again after a minute or more was out, and
that is recorded.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import FailingJob
from app.store import clock_skew
from app.store.clock import Moment, after, db_now
from app.store.database import Database, insert_into
from app.store.tables import darkness, watermarks, workers

_FORGOTTEN = timedelta(days=1)
_JUST_NOW = timedelta(seconds=3)  # another worker has said the same: one of them all is enough
# a deploy, a fail-over or a pod that moves takes less, and what it missed both vendors send again within the hour
COUNTS_AS_OUTAGE = timedelta(minutes=1)


class Beating(StrEnum):
    """What gives signs: the door while it can keep deliveries, a worker, and a side while it can be called."""

    DOOR = "door"
    WORK = "work"
    DRCHRONO = "drchrono"
    SALESFORCE = "salesforce"


@dataclass(frozen=True, slots=True)
class Outage:
    """From the last sign of something to its next, or all of that together when it happened again and again."""

    name: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat showed: by how much the clock was turned back since the last one, and which outages are over."""

    turned_back: timedelta
    over: tuple[Outage, ...]


async def beat(
    database: Database, worker_id: str, well: Sequence[Beating] = (), failing: Mapping[str, FailingJob] | None = None
) -> Beat:
    """Record that this worker lives, and what else it has seen to be well; rows of workers a day old are forgotten.

    failing  which of its jobs fail, by name

    Where the clock was turned back, what waits for a moment is brought back; where it was put ahead, what is in the air
    waits anew.
    """
    fails = {name: {"error": one.error, "since": one.since.isoformat()} for name, one in (failing or {}).items()}

    async def work(connection: AsyncConnection) -> tuple[Beat, Moment]:
        jump = await clock_skew.rewind_deadlines(connection)
        now = {"seen_at": db_now(), "failing": fails}
        seen = sa.update(workers).where(workers.c.id == worker_id).values(now)
        if not (await connection.execute(seen)).rowcount:
            row = {"id": worker_id, "host": socket.gethostname()[:128], "pid": os.getpid()}
            await connection.execute(sa.insert(workers).values(**row, started_at=db_now(), **now))
            await connection.execute(sa.delete(workers).where(workers.c.seen_at < after(-_FORGOTTEN)))
        found = [await beat_of(connection, of) for of in await _not_just_beaten(connection, (Beating.WORK, *well))]
        over = tuple(outage for outage in found if outage is not None)
        return Beat(jump, over), await clock_skew.extend_pending_writes(connection, database.pace)

    found, moment = await database.transact(work)
    database.pace.note(moment)
    return found


async def _not_just_beaten(connection: AsyncConnection, ours: Sequence[Beating]) -> list[Beating]:
    names = [_mark_of(of) for of in ours]
    lately = sa.select(watermarks.c.name).where(watermarks.c.name.in_(names), watermarks.c.at > after(-_JUST_NOW))
    beaten = set((await connection.scalars(lately)).all())
    return [of for of in ours if _mark_of(of) not in beaten]


def _mark_of(of: Beating) -> str:
    return f"sign_{of}"


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
    """Give how many workers were heard of lately, on one host or anywhere."""
    counted = sa.select(sa.func.count()).select_from(workers).where(workers.c.seen_at >= after(-database.timings.alive))
    if host is not None:
        counted = counted.where(workers.c.host == host)
    return int((await database.read(counted))[0][0])


async def failing_jobs(database: Database) -> list[FailingJob]:
    """Give the jobs that fail in workers that were heard of lately."""
    lively = workers.c.seen_at >= after(-database.timings.alive)
    rows = await database.read(sa.select(workers).where(lively).order_by(workers.c.id))
    return [
        FailingJob(name, said["error"], datetime.fromisoformat(said["since"]), f"{row.host}/{row.pid}")
        for row in rows
        for name, said in row.failing.items()
    ]


async def beat_of(connection: AsyncConnection, of: Beating) -> Outage | None:
    """Give a sign of something, and what was dark until now; None when nothing was."""
    name = _mark_of(of)
    last = sa.select(watermarks.c.at).where(watermarks.c.name == name).with_for_update()
    before = await connection.scalar(last)
    now = await connection.scalar(sa.select(db_now()))
    assert now is not None
    first = insert_into(watermarks, connection.dialect).values(name=name, at=now)
    again = first.on_conflict_do_update(index_elements=[watermarks.c.name], set_={"at": first.excluded["at"]})
    await connection.execute(again)
    if before is None or now - before < COUNTS_AS_OUTAGE:
        return None
    await record_outage(connection, of.value, before, now)
    return Outage(of.value, before, now)


async def beat_now(database: Database, of: Beating) -> Outage | None:
    """Give a sign of something, however old the last is, and what was dark until now; it always writes a row."""

    async def work(connection: AsyncConnection) -> Outage | None:
        return await beat_of(connection, of)

    return await database.transact(work)


async def is_beating(database: Database, of: Beating) -> bool:
    """Say whether something has given a sign within the time that is no darkness yet."""
    recent = sa.select(watermarks.c.at).where(
        watermarks.c.name == _mark_of(of), watermarks.c.at > after(-COUNTS_AS_OUTAGE)
    )
    return bool(await database.read(recent))


async def record_outage(connection: AsyncConnection, name: str, since: datetime, until: datetime) -> None:
    """Note that something was dark; what was noted of it before, and is not over with, becomes one with it."""
    first = insert_into(darkness, connection.dialect).values(name=name, since=since, until=until)
    given = first.excluded["since"]
    earliest = sa.case((darkness.c.since < given, darkness.c.since), else_=given)
    merged = {"since": earliest, "until": first.excluded["until"]}
    await connection.execute(first.on_conflict_do_update(index_elements=[darkness.c.name], set_=merged))


async def open_outages(database: Database) -> list[Outage]:
    """Give every darkness after which something is still to be compared."""
    rows = await database.read(sa.select(darkness).order_by(darkness.c.name))
    return [Outage(row.name, row.since, row.until) for row in rows]


async def forget_outages(database: Database, until: datetime) -> None:
    """Forget each that was over by a moment: everything was compared since."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.delete(darkness).where(darkness.c.until <= until))

    await database.transact(work)
