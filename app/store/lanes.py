"""Lanes: paused and resumed; all of them are paused for an installation that the database does not belong to.

Resuming all of them there says that it is meant to: the database is handed over (`fence.py`).
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import OTHER_INSTANCE
from app.ports import Act
from app.store import audit, fence
from app.store.clock import db_now
from app.store.database import Database
from app.store.tables import lanes
from app.sync.model import Kind, Lane


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """A lane; `reason` and `since`: why it is paused, and since when."""

    lane: Lane
    is_paused: bool = False
    reason: str | None = None
    since: datetime | None = None


# one row in any case, that says whose the database is
_PAUSED = sa.select(lanes, fence.is_ours_now().label("is_ours")).select_from(
    sa.select(sa.literal(1).label("any")).subquery().outerjoin(lanes, lanes.c.paused_at.is_not(None))
)


def kinds_and_lanes() -> sa.Subquery:
    """Give every kind in every lane as rows of a statement, for what is asked of each of them."""
    pairs = [
        sa.select(sa.literal(kind.value).label("kind"), sa.literal(lane.value).label("lane"))
        for kind in Kind
        for lane in Lane
    ]
    return sa.union_all(*pairs).subquery("each")


async def lane_states(database: Database) -> list[LaneStatus]:
    """Give every lane, most urgent first, whether it is paused and why."""
    rows = await database.read(_PAUSED, fence.ours(database))
    if not rows[0].is_ours:
        return [LaneStatus(lane, True, OTHER_INSTANCE, database.opened_at) for lane in Lane]
    paused = {row.lane: row for row in rows}
    return [
        LaneStatus(lane, True, row.reason, row.paused_at) if (row := paused.get(lane.value)) else LaneStatus(lane)
        for lane in Lane
    ]


async def is_paused(database: Database, lane: Lane) -> bool:
    """Say whether a lane is paused."""
    return any(one.is_paused for one in await lane_states(database) if one.lane is lane)


async def set_paused(database: Database, names: list[Lane], reason: str | None, act: Act | None = None) -> None:
    """Pause lanes with a reason, or resume them with None, noting the act. A paused lane's work stays in it.

    Resuming all of them hands the database over to this installation.
    """

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.delete(lanes).where(lanes.c.lane.in_([name.value for name in names])))
        if reason is not None:
            await connection.execute(
                sa.insert(lanes).values(paused_at=db_now()),
                [{"lane": name.value, "reason": reason[:200]} for name in names],
            )
        elif set(names) == set(Lane):
            await fence.hand_over(connection, database)
        if act is not None:
            await audit.note(database, connection, act)

    await database.transact(work)
