"""What is counted for people across processes and restarts: what was skipped, put back, decided by a rule."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database, insert_into
from app.store.tables import tallies


async def add(connection: AsyncConnection, counts: Mapping[str, int]) -> None:
    """Add to the counts, each by its name; in the order of the names, so that two writers lock in the same order."""
    insert = insert_into(tallies, connection.dialect)
    for name, count in sorted(counts.items()):
        first = insert.values(name=name[:64], count=count)
        more = {"count": tallies.c["count"] + first.excluded["count"]}
        await connection.execute(first.on_conflict_do_update(index_elements=[tallies.c.name], set_=more))


async def read(database: Database) -> dict[str, int]:
    """Give every count by its name."""
    rows = await database.read(sa.select(tallies.c.name, tallies.c["count"].label("times")).order_by(tallies.c.name))
    return {row.name: row.times for row in rows}
