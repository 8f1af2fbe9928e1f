"""Who waits for which record, and how far the records are that others refer to.

A record that is awaited and not known yet is due at once, to be asked for; when it is linked, or turns out never to
be, whoever waits for it is due again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.store.clock import db_now
from app.store.database import Database, insert_into
from app.store.tables import awaited, links
from app.sync.model import Kind, Lane, Parent, RecordRef, Side


async def status_of(database: Database, refs: Collection[tuple[Kind, str]]) -> dict[tuple[Kind, str], Parent]:
    """Say of records, by kind and DrChrono id, how far they are; those that are linked are left out."""
    found = dict.fromkeys(refs, Parent.COMING)
    for kind in sorted({kind for kind, _ in refs}):
        ids = sorted({id_ for one, id_ in refs if one is kind})
        is_idle = sa.and_(links.c.due_at.is_(None), links.c.lease_owner.is_(None))
        asked = sa.select(links.c.drchrono_id, links.c.salesforce_id, is_idle.label("is_idle"))
        for row in await database.read(asked.where(links.c.kind == kind.value, links.c.drchrono_id.in_(ids))):
            if row.salesforce_id is not None:
                del found[kind, row.drchrono_id]
            elif row.is_idle:
                found[kind, row.drchrono_id] = Parent.NEVER
    return found


async def drchrono_ids_of(database: Database, refs: Collection[RecordRef]) -> dict[tuple[Kind, str], str]:
    """Give, by kind and Salesforce id, the DrChrono ids of the records that are linked."""
    found: dict[tuple[Kind, str], str] = {}
    for kind in sorted({ref.kind for ref in refs}):
        ids = sorted({ref.id for ref in refs if ref.kind is kind})
        theirs = sa.and_(links.c.kind == kind.value, links.c.salesforce_id.in_(ids), links.c.drchrono_id.is_not(None))
        for row in await database.read(sa.select(links.c.salesforce_id, links.c.drchrono_id).where(theirs)):
            found[kind, row.salesforce_id] = row.drchrono_id
    return found


async def await_them(connection: AsyncConnection, waiting: Mapping[str, Sequence[RecordRef]], lane: Lane) -> None:
    """Note for which records links wait (link id -> refs); those nobody has heard of are due at once, in their lane."""
    refs = sorted({ref for refs in waiting.values() for ref in refs})
    for side in Side:
        rows = [{"id": str(ULID()), "kind": ref.kind.value, f"{side}_id": ref.id} for ref in refs if ref.side is side]
        if rows:
            unheard = insert_into(links, connection.dialect).values(
                lane=lane.value, due_at=db_now(), confirm_at=db_now()
            )
            await connection.execute(unheard.on_conflict_do_nothing(), rows)
    rows = [
        {"link_id": link_id, "side": ref.side.value, "kind": ref.kind.value, "record_id": ref.id}
        for link_id, refs in sorted(waiting.items())
        for ref in sorted(refs)
    ]
    if rows:
        await connection.execute(insert_into(awaited, connection.dialect).on_conflict_do_nothing(), rows)


async def wake_come(database: Database, refs: Collection[RecordRef]) -> None:
    """Make due whoever waits for what was linked while it was being noted that they wait.

    To be called once that note is committed: whoever links one of these later sees it.
    """

    async def work(connection: AsyncConnection) -> None:
        come = []
        for side in Side:
            ids = sorted({ref.id for ref in refs if ref.side is side})
            column = links.c[f"{side}_id"]
            is_linked = sa.and_(links.c.drchrono_id.is_not(None), links.c.salesforce_id.is_not(None))
            asked = sa.select(links.c.kind, column.label("id")).where(column.in_(ids), is_linked)
            come += [
                ref
                for row in await connection.execute(asked)
                if (ref := RecordRef(side, Kind(row.kind), row.id)) in refs
            ]
        await wake(connection, come)

    await database.transact(work)


async def wake(connection: AsyncConnection, come: Iterable[RecordRef]) -> None:
    """Make due whoever waits for one of these."""
    by_place: dict[tuple[Side, Kind], list[str]] = {}
    for ref in come:
        by_place.setdefault((ref.side, ref.kind), []).append(ref.id)
    for (side, kind), ids in sorted(by_place.items()):
        is_theirs = sa.and_(awaited.c.side == side.value, awaited.c.kind == kind.value, awaited.c.record_id.in_(ids))
        woken = (await connection.scalars(sa.delete(awaited).where(is_theirs).returning(awaited.c.link_id))).all()
        if woken:
            due_at = sa.case((links.c.due_at <= db_now(), links.c.due_at), else_=db_now())
            again = sa.update(links).where(links.c.id.in_(woken))
            await connection.execute(again.values(due_at=due_at, generation=links.c.generation + 1))
