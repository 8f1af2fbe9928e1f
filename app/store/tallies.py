"""What is counted across processes and restarts: for people, what was skipped, put back, decided by a rule.

Beside these lie the counts that processes save for Prometheus; their names have several parts, and people are not shown
them.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database, insert_into
from app.store.tables import tallies

JOINT = "|"  # between the parts of a name that is no person's
_LONGEST = 64


async def add(connection: AsyncConnection, counts: Mapping[str, int]) -> None:
    """Add to the counts, each by its name; in the order of the names, so that two writers lock in the same order."""
    insert = insert_into(tallies, connection.dialect)
    for name, count in sorted(counts.items()):
        first = insert.values(name=name[:_LONGEST], count=count)
        more = {"count": tallies.c["count"] + first.excluded["count"]}
        await connection.execute(first.on_conflict_do_update(index_elements=[tallies.c.name], set_=more))


async def read(database: Database) -> dict[str, int]:
    """Give every count for people by its name."""
    return {name: times for name, times in (await everything(database)).items() if JOINT not in name}


async def everything(database: Database) -> dict[str, int]:
    """Give every count by its name, those of processes too."""
    rows = await database.read(sa.select(tallies.c.name, tallies.c["count"].label("times")).order_by(tallies.c.name))
    return {row.name: row.times for row in rows}
