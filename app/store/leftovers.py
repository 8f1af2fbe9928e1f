"""Leftovers: the small tables' rows that have had their time, where nobody else comes by to forget them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import consents, sessions
from app.store.database import Database
from app.store.tables import after, connections, db_now
from app.store.tables import consents as under_way
from app.store.tables import sessions as signed_in


async def forget(database: Database) -> int:
    """Forget sessions that ended, and consents nobody came back with; give how many rows."""

    async def work(connection: AsyncConnection) -> int:
        return sum([(await connection.execute(one)).rowcount for one in _statements()])

    return await database.transact(work)


def _statements() -> Sequence[sa.Delete | sa.Update]:
    idle, old = signed_in.c.seen_at < after(-sessions.IDLE), signed_in.c.started_at < after(-sessions.LONGEST)
    waited = connections.c.pending_at < after(-2 * consents.LIFE)  # of no use to anybody after its life
    return (
        sa.delete(signed_in).where(sa.or_(idle, old)),
        sa.delete(under_way).where(under_way.c.expires_at < db_now()),
        sa.update(connections).where(waited).values(pending=None, pending_at=None),
    )
