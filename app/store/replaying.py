"""Running stored deliveries again: what they told is open once more, and their records are due.

Nothing is taken at its word by that: an old body is judged as any late redelivery is, and where retention has dropped
it, the vendor is asked instead.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import audit
from app.store.audit import Act
from app.store.database import Database
from app.store.links import due_again, point_out
from app.store.tables import db_now, deliveries, events, links
from app.sync.records import Kind, Lane, Side

BATCH = 500


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to.

    deliveries  how many run again
    records     how many records are due by it
    empty       how many of them tell of no record that we sync, so that there is nothing to run
    unknown     ids that are no delivery's
    """

    deliveries: int = 0
    records: int = 0
    empty: int = 0
    unknown: tuple[str, ...] = ()


async def again(database: Database, ids: Sequence[str], act: Act | None) -> Replayed:
    """Run deliveries again, in commits of 500; what was asked for and by whom is noted with the first.

    Raises  StoreUnavailable: what was committed before runs, and all of it may be asked for again
    """
    wanted = sorted(set(ids))
    told = Replayed()
    for at in range(0, len(wanted), BATCH):

        async def work(connection: AsyncConnection, part: Sequence[str] = wanted[at : at + BATCH]) -> Replayed:
            if act is not None and part[0] == wanted[0]:
                await audit.note(connection, act)
            return await _again(connection, part)

        more = await database.transact(work)
        told = Replayed(
            told.deliveries + more.deliveries,
            told.records + more.records,
            told.empty + more.empty,
            told.unknown + more.unknown,
        )
    return told


async def _again(connection: AsyncConnection, ids: Sequence[str]) -> Replayed:
    here = sa.select(deliveries.c.id, deliveries.c.body.is_(None).label("is_bare")).where(deliveries.c.id.in_(ids))
    is_bare = {row.id: row.is_bare for row in await connection.execute(here)}
    asked = sa.select(events.c.delivery_id, events.c.side, events.c.kind, events.c.record_id)
    told = (await connection.execute(asked.where(events.c.delivery_id.in_(is_bare)))).all()
    refs = sorted({(row.side, row.kind, row.record_id) for row in told})
    bare = {(row.side, row.kind, row.record_id) for row in told if is_bare[row.delivery_id]}
    records = 0
    for side, kind in sorted({(side, kind) for side, kind, _ in refs}):
        of = [ref for ref in refs if ref[:2] == (side, kind)]
        records += await point_out(connection, Kind(kind), Side(side), [ref[2] for ref in of], Lane.RETRY)
        await _ask_about(connection, Kind(kind), Side(side), [ref[2] for ref in of if ref in bare])
    whole = [id_ for id_, bare_ in is_bare.items() if not bare_]
    reopened = sa.update(events).where(events.c.delivery_id.in_(whole)).values(finished_at=None)
    await connection.execute(reopened)
    with_records = {row.delivery_id for row in told}
    unknown = tuple(id_ for id_ in ids if id_ not in is_bare)
    return Replayed(len(with_records), records, len(is_bare) - len(with_records), unknown)


async def _ask_about(connection: AsyncConnection, kind: Kind, side: Side, ids: Iterable[str]) -> None:
    """Have DrChrono asked about records of which no body is left; Salesforce is read at every look anyway."""
    if side is Side.DRCHRONO and (gone := list(ids)):
        theirs = sa.and_(links.c.kind == kind.value, links.c.drchrono_id.in_(gone))
        await connection.execute(sa.update(links).where(theirs).values(confirm_at=db_now(), **due_again(Lane.RETRY)))
