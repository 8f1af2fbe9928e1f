"""What flowed lately, as numbers over time: writes that were confirmed, by the side they went to, and what came in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.store.database import Database
from app.store.inbox import LISTED
from app.store.states import State
from app.store.tables import Instant, deliveries, instant, journal, millis
from app.sync.records import Side

SLOT = timedelta(minutes=10)
_SLOT_MS = SLOT // timedelta(milliseconds=1)


async def applied(database: Database, since: datetime) -> dict[tuple[Side, datetime], int]:
    """Give (side written to, begin of ten minutes) -> confirmed writes; slots in which nothing was are not there."""
    slot = (sa.type_coerce(journal.c.answered_at, sa.BigInteger) // _SLOT_MS).label("slot")
    rows = await database.read(
        sa.select(journal.c.side, slot, sa.func.count().label("writes"))
        .where(journal.c.state == State.CONFIRMED.value, journal.c.answered_at >= since)
        .group_by(journal.c.side, slot)
    )
    return {(Side(row.side), instant(row.slot * _SLOT_MS / 1000)): row.writes for row in rows}


@dataclass(frozen=True, slots=True)
class Calls:
    """How often a side delivered, and when last."""

    times: int
    last_at: datetime


async def came_in(database: Database, since: datetime) -> Mapping[Side, Calls]:
    """Give side -> what it delivered since then; a side that did not is not there."""
    d = deliveries.c
    rows = await database.read(
        sa.select(d.side, sa.func.count().label("times"), sa.func.max(d.received_at, type_=Instant).label("last_at"))
        .where(d.received_at >= since, d.event != LISTED)
        .group_by(d.side)
    )
    return {Side(row.side): Calls(row.times, row.last_at) for row in rows}


def slot_of(at: datetime) -> datetime:
    """Give the begin of the ten minutes an instant is in."""
    return instant(millis(at) // _SLOT_MS * _SLOT_MS / 1000)
