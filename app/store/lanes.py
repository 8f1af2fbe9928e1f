"""Lanes: paused and resumed; all of them are paused where the database is not where it belongs.

A restored or cloned database must not start writing to two vendors. The first start records who it is for; a start
under another identity pauses every lane until an operator resumes.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import Act
from app.store import audit
from app.store.clock import db_now
from app.store.database import Database, insert_into
from app.store.tables import instance, lanes
from app.sync.model import Lane

_LONGEST_IDENTITY = 512
CLONED = "this database was started under another PUBLIC_URL or INSTANCE_ID; resume `all` if that is meant"


async def pause_if_cloned(database: Database, identity: str) -> bool:
    """Say whether the database knows this installation; if not, every lane is paused and the new identity recorded."""

    async def work(connection: AsyncConnection) -> bool:
        known = (await connection.scalars(sa.select(instance.c.identity))).all()
        insert = insert_into(instance, connection.dialect)
        ours = insert.values(identity=identity[:_LONGEST_IDENTITY], recorded_at=db_now()).on_conflict_do_nothing()
        await connection.execute(ours)
        if not known or identity[:_LONGEST_IDENTITY] in known:
            return True
        await connection.execute(sa.delete(instance).where(instance.c.identity != identity[:_LONGEST_IDENTITY]))
        await connection.execute(sa.delete(lanes))
        await connection.execute(
            sa.insert(lanes).values(paused_at=db_now()), [{"lane": lane.value, "reason": CLONED} for lane in Lane]
        )
        return False

    return await database.transact(work)


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """A lane; `reason` and `since`: why it is paused, and since when."""

    lane: Lane
    is_paused: bool = False
    reason: str | None = None
    since: datetime | None = None


async def lane_states(database: Database) -> list[LaneStatus]:
    """Give every lane, most urgent first, whether it is paused and why."""
    paused = {row.lane: row for row in await database.read(sa.select(lanes).where(lanes.c.paused_at.is_not(None)))}
    return [
        LaneStatus(lane, True, row.reason, row.paused_at) if (row := paused.get(lane.value)) else LaneStatus(lane)
        for lane in Lane
    ]


async def is_paused(database: Database, lane: Lane) -> bool:
    """Say whether a lane is paused."""
    paused = sa.select(lanes.c.lane).where(lanes.c.lane == lane.value, lanes.c.paused_at.is_not(None))
    return bool(await database.read(paused))


async def set_paused(database: Database, names: list[Lane], reason: str | None, act: Act | None = None) -> None:
    """Pause lanes with a reason, or resume them with None, noting the act. A paused lane's work stays in it."""

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.delete(lanes).where(lanes.c.lane.in_([name.value for name in names])))
        if reason is not None:
            await connection.execute(
                sa.insert(lanes).values(paused_at=db_now()),
                [{"lane": name.value, "reason": reason[:200]} for name in names],
            )
        if act is not None:
            await audit.note(database, connection, act)

    await database.transact(work)
