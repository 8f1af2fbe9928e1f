"""What is done every so often, once for all workers together; up to when it was done, and since when it fails."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import fence
from app.store.clock import after, db_now
from app.store.database import Database, among, insert_into
from app.store.tables import schedules, watermarks
from app.sync.model import Kind

_LONGEST = 64


async def which_are_due(database: Database, names: Collection[str]) -> set[str]:
    """Give of which of these it is time, in one look; whether they are ours to do, `try_claim` says."""
    rows = await database.read(_EARLY, {"p_names": sorted(names)})
    return set(names) - {row.name for row in rows}


_EARLY = sa.select(schedules.c.name).where(schedules.c.name.in_(among("p_names")), schedules.c.next_at > db_now())


async def try_claim(database: Database, name: str, every: timedelta) -> bool:
    """Say whether it is time and nobody else has begun; then the next time is `every` from now.

    It is never time where another installation acts.
    """

    async def work(connection: AsyncConnection) -> bool:
        if not await fence.is_held(connection, database):
            return False
        insert = insert_into(schedules, connection.dialect)
        first = insert.values(name=name, next_at=after(every))
        claim = first.on_conflict_do_update(
            index_elements=[schedules.c.name], set_={"next_at": after(every)}, where=schedules.c.next_at <= db_now()
        )
        return (await connection.scalar(claim.returning(schedules.c.name))) is not None

    return bool(await which_are_due(database, [name])) and await database.transact(work)


async def again_in(database: Database, name: str, span: timedelta) -> None:
    """Have it done again after a span, because it did not come to its end."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.update(schedules).where(schedules.c.name == name).values(next_at=after(span)))

    await database.transact(work)


@dataclass(frozen=True, slots=True)
class FailingSchedule:
    """What fails each time it is done, since when, and with which error the last time."""

    name: str
    since: datetime
    cause: str


async def failed(database: Database, name: str, cause: str) -> None:
    """Remember that a thing did not come to its end, and why; since when that is so, is remembered from the first."""

    async def work(connection: AsyncConnection) -> None:
        told = {"failing_since": db_now(), "cause": cause[:_LONGEST]}
        first = insert_into(schedules, connection.dialect).values(name=name, next_at=db_now(), **told)
        since = sa.func.coalesce(schedules.c.failing_since, db_now())
        again = {"failing_since": since, "cause": first.excluded["cause"]}
        await connection.execute(first.on_conflict_do_update(index_elements=[schedules.c.name], set_=again))

    await database.transact(work)


async def worked(database: Database, name: str) -> None:
    """Remember that a thing came to its end."""
    ours = (schedules.c.name == name, schedules.c.failing_since.is_not(None))

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.update(schedules).where(*ours).values(failing_since=None, cause=None))

    await database.transact(work)


async def failing_for(database: Database, names: Collection[str], span: timedelta) -> list[FailingSchedule]:
    """Give those of these that have failed each time for so long at least, in order of their names."""
    rows = await database.read(_FAILING, {"p_names": sorted(names), "p_span": -span})
    return [FailingSchedule(row.name, row.failing_since, row.cause) for row in rows]


_FAILING = (
    sa.select(schedules)
    .where(schedules.c.name.in_(among("p_names")), schedules.c.failing_since <= after("p_span"))
    .order_by(schedules.c.name)
)


def comparison_of(kind: Kind) -> str:
    """Give the name under which it is kept when a kind is to be compared, and up to when it was."""
    return f"compare_{kind}"


async def watermark(database: Database, name: str) -> datetime | None:
    """Give up to when a thing was done; None when it never was."""
    rows = await database.read(sa.select(watermarks.c.at).where(watermarks.c.name == name))
    return rows[0].at if rows else None


async def raise_watermark(database: Database, name: str, at: datetime) -> None:
    """Remember that a thing was done up to a moment."""
    await database.transact(lambda connection: raise_in(connection, name, at))


async def raise_in(connection: AsyncConnection, name: str, at: datetime) -> None:
    """Remember it with what was done, in one commit."""
    first = insert_into(watermarks, connection.dialect).values(name=name, at=at)
    await connection.execute(
        first.on_conflict_do_update(index_elements=[watermarks.c.name], set_={"at": first.excluded["at"]})
    )
