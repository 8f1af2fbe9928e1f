"""Clock skew: what the database's clock has promised, once that clock was turned back or put ahead.

Workers touch their rows every few seconds, so a row from the future shows that the clock went back, and by how much:
somebody set it, or another server took over whose clock is behind. What was to come at a moment comes at that moment
less the jump, which is too early at worst; leases are cut to their full length, so whoever works keeps what he has. A
watermark from the future would hide what changes until then. A clock that jumps forward needs less: leases end early,
and whoever lost one saves nothing; what is in the air waits anew.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.clock import Moment, Pace, db_now, millis
from app.store.tables import (
    allowances,
    connections,
    feeds,
    journal,
    links,
    matches,
    scans,
    schedules,
    watermarks,
    workers,
)
from app.sync.model import OPEN
from app.timings import REAL

NOTICED = timedelta(seconds=30)  # clocks are put right by less all the time
_TO_COME: Mapping[sa.Table, tuple[str, ...]] = {
    links: ("due_at", "confirm_at"),
    allowances: ("closed_until",),
    connections: ("refresh_at", "expires_at", "ask_again_at"),
    schedules: ("next_at",),
    watermarks: ("at",),
    feeds: ("read_to", "heard_at", "asked_at"),
}
_LEASES: tuple[tuple[sa.Column[Any], timedelta], ...] = (
    (links.c.lease_until, REAL.lease),
    (matches.c.until, REAL.lease),
    (scans.c.held_until, REAL.scan_held),
    (connections.c.lease_until, timedelta(seconds=30)),  # whoever asks for a token gives up by then
)


async def rewind_deadlines(connection: AsyncConnection) -> timedelta:
    """Bring back what waits for a moment that was set before the clock was turned back; gives by how much it was."""
    ms = sa.type_coerce(db_now(), sa.BigInteger)
    latest = sa.func.max(sa.type_coerce(workers.c.seen_at, sa.BigInteger))
    ahead_ms = await connection.scalar(sa.select(latest - ms))
    jump = timedelta(milliseconds=int(ahead_ms or 0))
    if jump < NOTICED:
        return timedelta(0)
    # of several workers the first to get here does it; the others find no row from the future any more
    from_the_future = await connection.scalars(
        sa.select(workers.c.id).where(workers.c.seen_at > db_now()).order_by(workers.c.id).with_for_update()
    )
    if not from_the_future.all():
        return timedelta(0)
    await connection.execute(sa.update(workers).where(workers.c.seen_at > db_now()).values(seen_at=db_now()))
    for table, names in _TO_COME.items():
        for name in names:
            earlier = sa.type_coerce(table.c[name], sa.BigInteger) - _jumped_millis(jump)
            await _move(connection, table.c[name], ms, earlier)
    for column, span in _LEASES:
        await _move(connection, column, ms + _jumped_millis(span), ms + _jumped_millis(span))
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
