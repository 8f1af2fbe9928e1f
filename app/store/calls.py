"""How many calls an API application has made in a clock hour: DrChrono's limit is counted so, and it never says.

Counted before a call is made, by the database's clock, for all processes together. Hours of a day ago are forgotten.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database
from app.store.tables import calls, db_now

_HOUR_MS = 3_600_000
_KEPT_HOURS = 24
_LONGEST = 64


def _this_hour() -> sa.ColumnElement[int]:
    return sa.type_coerce(db_now(), sa.BigInteger) // sa.literal(_HOUR_MS, sa.BigInteger)


async def count(database: Database, application: str) -> None:
    """Count a call that is about to be made."""

    async def work(connection: AsyncConnection) -> None:
        hour = (await connection.execute(sa.select(_this_hour()))).scalar_one()
        insert = (sqlite if database.is_sqlite else postgresql).insert(calls)
        counted = insert.values(application=application[:_LONGEST], hour=hour, made=1)
        one_more = counted.on_conflict_do_update(
            index_elements=[calls.c.application, calls.c.hour], set_={"made": calls.c.made + 1}
        ).returning(calls.c.made)
        if await connection.scalar(one_more) == 1:
            await connection.execute(sa.delete(calls).where(calls.c.hour < hour - _KEPT_HOURS))

    await database.transact(work)


async def made_this_hour(database: Database, application: str) -> int:
    """Give how many calls were made since the hour began."""
    made = sa.select(calls.c.made).where(calls.c.application == application[:_LONGEST], calls.c.hour == _this_hour())
    rows = await database.read(made)
    return int(rows[0].made) if rows else 0
