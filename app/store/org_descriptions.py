"""What the Salesforce org says of itself, kept for every process: of each object what is read of it.

No patient's value is in it. It outlives the org's being away: until that can be asked anew, its last word holds.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import fence
from app.store.database import Database, insert_into
from app.store.tables import org_descriptions


async def read(database: Database) -> dict[str, Any]:
    """Give what the org last said, by object."""
    rows = await database.read(sa.select(org_descriptions.c.object, org_descriptions.c.described))
    return {row.object: row.described for row in rows}


async def keep(database: Database, described: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep what the org says now; what it said of an object that it does not speak of any more is forgotten.

    Raises  OtherInstance where another installation acts
    """

    async def work(connection: AsyncConnection) -> None:
        await fence.require(connection, database)
        insert = insert_into(org_descriptions, connection.dialect)
        for name, said in sorted(described.items()):
            first = insert.values(object=name, described=said)
            again = {"described": first.excluded.described}
            await connection.execute(
                first.on_conflict_do_update(index_elements=[org_descriptions.c.object], set_=again)
            )
        await connection.execute(sa.delete(org_descriptions).where(org_descriptions.c.object.not_in([*described])))

    await database.transact(work)
