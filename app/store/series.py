"""A visit of a series may come under another id: its place in the series tells that it is the one we know.

Source  DrChrono fact sheet 5.5: `recurrence_instance_key` is stable across materialization, splits and rescheduling
"""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import decisions
from app.store.database import Database
from app.store.decisions import Ending
from app.store.tables import db_now, failures, journal, links
from app.sync.records import Kind


async def known(database: Database, kind: Kind, places: Collection[str]) -> dict[str, str]:
    """Give place in its series -> link id, of the visits that are linked."""
    theirs = sa.and_(links.c.kind == kind.value, links.c.series.in_(sorted(places)), links.c.salesforce_id.is_not(None))
    rows = await database.read(sa.select(links.c.series, links.c.id).where(theirs)) if places else []
    return {row.series: row.id for row in rows}


async def succeed(connection: AsyncConnection, lone_id: str, link_id: str, drchrono_id: str) -> bool:
    """Give a link its record's new id, and what its lone ref was due for; False while somebody works on the link."""
    is_free = sa.or_(links.c.lease_until.is_(None), links.c.lease_until < db_now())
    ours = sa.select(links.c.id).where(links.c.id == link_id, is_free).with_for_update()
    if await connection.scalar(ours) is None:
        return False
    await connection.execute(sa.delete(failures).where(failures.c.link_id == lone_id))
    await decisions.end_of(connection, [lone_id], Ending.OVERTAKEN)
    await connection.execute(sa.update(journal).where(journal.c.link_id == lone_id).values(link_id=link_id))
    await connection.execute(sa.delete(links).where(links.c.id == lone_id))
    anew = {
        "drchrono_id": drchrono_id,
        "floor": "",
        "due_at": db_now(),
        "confirm_at": db_now(),
        "generation": links.c.generation + 1,
        "attempts": 0,
    }
    await connection.execute(sa.update(links).where(links.c.id == link_id).values(anew))
    return True
