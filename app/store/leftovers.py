"""Leftovers: the small tables' rows that have had their time, where nobody else comes by to forget them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import consents, sessions
from app.store.database import Database
from app.store.tables import after, calls, connections, db_now, lane_calls
from app.store.tables import consents as under_way
from app.store.tables import sessions as signed_in

_CALLS_FOR_HOURS = 7 * 24  # a week, to see by what an hour's calls were spent
_HOUR_MS = 3_600_000


async def forget(database: Database) -> int:
    """Forget counts of past hours, sessions that ended, and consents nobody came back with; give how many rows."""

    async def work(connection: AsyncConnection) -> int:
        return sum([(await connection.execute(one)).rowcount for one in _statements()])

    return await database.transact(work)


def _statements() -> Sequence[sa.Delete | sa.Update]:
    now_ms = sa.type_coerce(db_now(), sa.BigInteger)
    oldest_hour = now_ms // sa.literal(_HOUR_MS, sa.BigInteger) - _CALLS_FOR_HOURS
    idle, old = signed_in.c.seen_at < after(-sessions.IDLE), signed_in.c.started_at < after(-sessions.LONGEST)
    waited = connections.c.pending_at < after(-2 * consents.LIFE)  # of no use to anybody after its life
    return (
        sa.delete(calls).where(calls.c.hour < oldest_hour),
        sa.delete(lane_calls).where(lane_calls.c.hour < oldest_hour),
        sa.delete(signed_in).where(sa.or_(idle, old)),
        sa.delete(under_way).where(under_way.c.expires_at < db_now()),
        sa.update(connections).where(waited).values(pending=None, pending_at=None),
    )
