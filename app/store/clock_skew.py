"""Clock skew: what the database's clock has promised, once that clock was turned back or put ahead.

Workers touch their rows every few seconds, so a row from the future shows that the clock went back, and by how much:
somebody set it, or another server took over whose clock is behind. What was to come at a moment comes at that moment
less the jump, which is too early at worst; leases are cut to their full length, so whoever works keeps what he has. A
watermark from the future would hide what changes until then. Which columns those are, the tables say. A clock that
jumps forward needs less: leases end early, and whoever lost one saves nothing; what is in the air waits anew.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.clock import NOTICED_AT_ONCE, Moment, Pace, db_now, millis
from app.store.tables import journal, metadata, sessions, workers
from app.sync.model import OPEN


def instants(*times: str) -> list[sa.Column[Any]]:
    """Give every column that is a `deadline`, a `lease` or a `stamp`, as asked."""
    return [column for table in metadata.tables.values() for column in table.c if column.info.get("time") in times]


# what a write waits for is moved with the write, by how much is left of it
_DEADLINES = [column for column in instants("deadline") if column is not journal.c.settle_at]


async def rewind_deadlines(connection: AsyncConnection) -> timedelta:
    """Bring back what waits for a moment that was set before the clock was turned back; gives by how much it was."""
    ms = sa.type_coerce(db_now(), sa.BigInteger)
    latest = sa.func.max(sa.type_coerce(workers.c.seen_at, sa.BigInteger))
    ahead_ms = await connection.scalar(sa.select(latest - ms))
    jump = timedelta(milliseconds=int(ahead_ms or 0))
    if jump < NOTICED_AT_ONCE:
        return timedelta(0)
    # of several workers the first to get here does it; the others find no row from the future any more
    from_the_future = await connection.scalars(
        sa.select(workers.c.id).where(workers.c.seen_at > db_now()).order_by(workers.c.id).with_for_update()
    )
    if not from_the_future.all():
        return timedelta(0)
    await connection.execute(sa.update(workers).where(workers.c.seen_at > db_now()).values(seen_at=db_now()))
    for column in _DEADLINES:
        await _move(connection, column, ms, sa.type_coerce(column, sa.BigInteger) - _jumped_millis(jump))
    for column in instants("lease"):
        longest = ms + _jumped_millis(column.info["length"])
        await _move(connection, column, longest, longest)
    # a session ends by its age, so whenever it began, that was longer ago than the clock says now
    ages = {
        one: sa.type_coerce(sessions.c[one], sa.BigInteger) - _jumped_millis(jump) for one in ("started_at", "seen_at")
    }
    await connection.execute(sa.update(sessions).values(ages))
    await _settle(connection)
    return jump


async def _move(connection: AsyncConnection, column: sa.Column[Any], later_than: Any, to: Any) -> None:
    is_later = sa.type_coerce(column, sa.BigInteger) > later_than
    await connection.execute(sa.update(column.table).where(is_later).values({column.name: to}))


async def _settle(connection: AsyncConnection) -> None:
    """Writes that were planned after now are planned now, and are looked at when their vendor's limit is over."""
    planned, settled = (sa.type_coerce(journal.c[name], sa.BigInteger) for name in ("planned_at", "settle_at"))
    now = sa.type_coerce(db_now(), sa.BigInteger)
    moved = {"planned_at": db_now(), "settle_at": now + (settled - planned)}
    await connection.execute(sa.update(journal).where(journal.c.state.in_(OPEN), planned > now).values(moved))


def _jumped_millis(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


async def extend_pending_writes(connection: AsyncConnection, pace: Pace, now: datetime | None = None) -> Moment:
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
    may_land = (sa.type_coerce(journal.c.late_until, sa.BigInteger) > before, planned <= before)
    longer = {"planned_at": now, "late_until": millis(now) + (settled - planned)}
    await connection.execute(sa.update(journal).where(*may_land).values(longer))
