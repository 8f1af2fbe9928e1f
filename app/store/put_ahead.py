"""What is in the air when the database's clock is put ahead: no write counts as over before its vendor gave it up.

Leases end early by such a jump, and whoever takes a record over would find its write long past the vendor's limit and
send it again, while the first is still on its way. So whoever notices, at the latest before it takes anything, has the
limit of every write that was in the air counted anew from now. A process that was started after the jump cannot notice
it; it finds that done by any other that beats, some seconds later at most.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.pace import Moment, Pace
from app.store.states import OPEN
from app.store.tables import db_now, journal, millis


async def noticed(connection: AsyncConnection, pace: Pace, now: datetime | None = None) -> Moment:
    """Have what is in the air wait anew where the clock was put ahead; gives the moment to note after the commit."""
    if now is None:
        now = await connection.scalar(sa.select(db_now()))
        assert now is not None
    moment = pace.read(now)
    if jump := pace.ahead(moment):
        await _wait_anew(connection, moment.now, jump)
    return moment


async def _wait_anew(connection: AsyncConnection, now: datetime, jump: timedelta) -> None:
    """What was planned before the jump, and not over by then, is planned now; once, whoever else notices."""
    planned, settled = (sa.type_coerce(journal.c[name], sa.BigInteger) for name in ("planned_at", "settle_at"))
    before = millis(now - jump)
    in_the_air = (journal.c.state.in_(OPEN), planned <= before, settled > before)
    moved = {"planned_at": now, "settle_at": millis(now) + (settled - planned)}
    await connection.execute(sa.update(journal).where(*in_the_air).values(moved))
