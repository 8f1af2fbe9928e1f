"""Is this database where it belongs? A restored or cloned one must not start writing to two vendors.

The first start records who it is for. A start under another identity pauses every lane until an operator resumes.
"""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database, insert_into
from app.store.tables import db_now, instance, lanes
from app.sync.records import Lane

_LONGEST = 512
REASON = "this database was started under another PUBLIC_URL or INSTANCE_ID; resume `all` if that is meant"


async def recognise(database: Database, identity: str) -> bool:
    """Say whether the database knows this installation; if not, every lane is paused and the new identity recorded."""

    async def work(connection: AsyncConnection) -> bool:
        known = (await connection.scalars(sa.select(instance.c.identity))).all()
        insert = insert_into(instance, connection.dialect)
        ours = insert.values(identity=identity[:_LONGEST], recorded_at=db_now()).on_conflict_do_nothing()
        await connection.execute(ours)
        if not known or identity[:_LONGEST] in known:
            return True
        await connection.execute(sa.delete(instance).where(instance.c.identity != identity[:_LONGEST]))
        await connection.execute(sa.delete(lanes))
        await connection.execute(
            sa.insert(lanes).values(paused_at=db_now()), [{"lane": lane.value, "reason": REASON} for lane in Lane]
        )
        return False

    return await database.transact(work)
