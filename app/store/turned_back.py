"""What the database's clock has promised, once that clock was turned back: nothing may wait for an hour to come twice.

Workers touch their rows every few seconds, so a row from the future shows that the clock went back, and by how much:
somebody set it, or another server took over whose clock is behind. What was to come at a moment comes at that moment
less the jump, which is too early at worst; leases are cut to their full length, so whoever works keeps what he has. A
watermark from the future would hide what changes until then. A clock that jumps forward needs less: leases end early,
and whoever lost one saves nothing; what is in the air waits anew (`put_ahead.py`).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.links import LEASE
from app.store.scans import HELD
from app.store.states import OPEN
from app.store.tables import (
    allowances,
    connections,
    db_now,
    feeds,
    journal,
    links,
    matches,
    scans,
    schedules,
    watermarks,
    workers,
)

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
    (links.c.lease_until, LEASE),
    (matches.c.until, LEASE),
    (scans.c.held_until, HELD),
    (connections.c.lease_until, timedelta(seconds=30)),  # whoever asks for a token gives up by then
)


async def put_right(connection: AsyncConnection) -> timedelta:
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
            earlier = sa.type_coerce(table.c[name], sa.BigInteger) - _millis(jump)
            await _move(connection, table.c[name], ms, earlier)
    for column, span in _LEASES:
        await _move(connection, column, ms + _millis(span), ms + _millis(span))
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


def _millis(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
