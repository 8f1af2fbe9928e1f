"""Comparisons: what is left of one for the workers, and what of it waits for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.store.database import Database
from app.store.tables import db_now, failures, lanes, links
from app.sync.records import Kind, Lane


@dataclass(frozen=True, slots=True)
class Left:
    """What is due in a lane: how many records, in how many seconds the next falls due (0: now), why it is paused."""

    records: int
    next_in_s: float | None
    is_paused: str = ""


async def left(database: Database, lane: Lane, kinds: Sequence[Kind]) -> Left:
    """Give what is due of these kinds in a lane, now or later."""
    ahead = sa.type_coerce(sa.func.min(links.c.due_at), sa.BigInteger) - sa.type_coerce(db_now(), sa.BigInteger)
    is_here = (
        links.c.kind.in_([kind.value for kind in kinds]),
        links.c.lane == lane.value,
        links.c.due_at.is_not(None),
    )
    (row,) = await database.read(sa.select(sa.func.count().label("records"), ahead.label("ms")).where(*is_here))
    paused = sa.select(lanes.c.reason).where(lanes.c.lane == lane.value, lanes.c.paused_at.is_not(None))
    reasons = [one.reason for one in await database.read(paused)]
    return Left(row.records, None if row.ms is None else max(float(row.ms) / 1000, 0.0), "".join(reasons))


async def left_to_people(database: Database, kind: Kind, since: datetime) -> list[sa.Row[Any]]:
    """Give the failures of a kind since a moment by cause, the largest group first."""
    group = (failures.c.cause, failures.c.is_held)
    asked = sa.select(*group, sa.func.count().label("records")).where(
        failures.c.kind == kind.value, failures.c.at >= since
    )
    return await database.read(asked.group_by(*group).order_by(sa.desc("records"), failures.c.cause))
