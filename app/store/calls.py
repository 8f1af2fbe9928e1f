"""How many calls an API application has made in a clock hour and in this second, for all processes together.

DrChrono's limits are counted so, and it never says how much is left. A call is counted before it is made, by the
database's clock; one too many for its second waits for the next. Hours of a day ago are forgotten.
"""

import asyncio
import random

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database, insert_into
from app.store.tables import calls, db_now

_HOUR_S, _KEPT_HOURS = 3600, 24
_LONGEST = 64


def _now_ms() -> sa.ColumnElement[int]:
    return sa.type_coerce(db_now(), sa.BigInteger)


async def count(database: Database, application: str, per_second: int) -> None:
    """Count a call that is about to be made, once its second has room for it."""

    async def work(connection: AsyncConnection) -> float:
        return await _counted(connection, application[:_LONGEST], per_second)

    while True:
        wait_s = await database.transact(work)
        if not wait_s:
            return
        await asyncio.sleep(wait_s + random.random() * 0.1)  # noqa: S311 - so that those who wait do not come together


async def _counted(connection: AsyncConnection, application: str, per_second: int) -> float:
    """Count a call, or give how long the next second is away."""
    now_ms = (await connection.execute(sa.select(_now_ms()))).scalar_one()
    second, hour = now_ms // 1000, now_ms // 1000 // _HOUR_S
    insert = insert_into(calls, connection.dialect)
    first = insert.values(application=application, hour=hour, made=1, second=second, in_second=1)
    is_same = calls.c.second == second
    one_more = first.on_conflict_do_update(
        index_elements=[calls.c.application, calls.c.hour],
        set_={
            "made": calls.c.made + 1,
            "second": second,
            "in_second": sa.case((is_same, calls.c.in_second + 1), else_=1),
        },
        where=sa.or_(sa.not_(is_same), calls.c.in_second < per_second),
    ).returning(calls.c.made)
    made = await connection.scalar(one_more)
    if made == 1:
        await connection.execute(sa.delete(calls).where(calls.c.hour < hour - _KEPT_HOURS))
    return 0.0 if made is not None else 1 - now_ms % 1000 / 1000


async def made_this_hour(database: Database, application: str) -> int:
    """Give how many calls were made since the hour began."""
    this_hour = _now_ms() // sa.literal(1000 * _HOUR_S, sa.BigInteger)
    made = sa.select(calls.c.made).where(calls.c.application == application[:_LONGEST], calls.c.hour == this_hour)
    rows = await database.read(made)
    return int(rows[0].made) if rows else 0
