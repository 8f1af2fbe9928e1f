"""What failed, what is worked on and what has waited longest: counted in groups and by index, for probes and scrapes.

Only what is due or failed is gone through, never what is at rest.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from app.store.database import Database
from app.store.tables import db_now, failures, links
from app.sync.records import Kind, Lane


async def leased(database: Database) -> dict[str, int]:
    """Give kind -> how many records are worked on now; a lease lies on what is due."""
    is_leased = (links.c.due_at.is_not(None), links.c.lease_until > db_now())
    counted = sa.select(links.c.kind, sa.func.count().label("records")).where(*is_leased)
    return {row.kind: row.records for row in await database.read(counted.group_by(links.c.kind))}


async def failed(database: Database) -> list[sa.Row[Any]]:
    """Give how many records wait for a person, by side, kind, cause and whether they are held."""
    group = (failures.c.side, failures.c.kind, failures.c.cause, failures.c.is_held)
    return await database.read(sa.select(*group, sa.func.count().label("records")).group_by(*group))


async def oldest_s(database: Database, lanes: Sequence[Lane]) -> float:
    """Give how long the longest due record of some lanes has been due: one seek for each kind and lane."""
    due_at = sa.type_coerce(links.c.due_at, sa.BigInteger)
    each = [
        sa.select(sa.func.min(due_at).label("due_at")).where(
            links.c.kind == kind.value, links.c.lane == lane.value, links.c.due_at.is_not(None)
        )
        for kind in Kind
        for lane in lanes
    ]
    firsts = sa.union_all(*each).subquery("firsts")
    now = sa.type_coerce(db_now(), sa.BigInteger)
    rows = await database.read(sa.select((now - sa.func.min(firsts.c.due_at)).label("age_ms")))
    return float(max(rows[0].age_ms or 0, 0)) / 1000
