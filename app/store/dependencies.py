"""Who waits for which record, and how far the records are that others refer to.

A record that is awaited and not known yet is due at once, to be asked for; when it is linked, or turns out never to
be, whoever waits for it is due again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.store.clock import db_now
from app.store.database import Database, DialectInsert, among
from app.store.tables import awaited, failures, links
from app.sync.failure_causes import GONE_ON
from app.sync.model import Kind, Lane, Parent, RecordRef, Side

_IS_OF_KIND = links.c.kind == sa.bindparam("p_kind")


def _is_gone(*sides: Side) -> sa.ColumnElement[bool]:
    """Give the condition under which a linked record waits for a person because it is on one of these sides no more."""
    causes = sorted({cause for side in sides for cause in GONE_ON[side]})
    return sa.exists().where(failures.c.link_id == links.c.id, failures.c.cause.in_(causes))


_STATUS = {
    side: sa.select(
        links.c.drchrono_id,
        sa.and_(links.c.salesforce_id.is_not(None), ~_is_gone(side)).label("is_linked"),
        sa.and_(links.c.due_at.is_(None), links.c.lease_owner.is_(None)).label("is_idle"),
    ).where(_IS_OF_KIND, links.c.drchrono_id.in_(among("p_ids")))
    for side in Side
}


async def status_of(
    database: Database, refs: Collection[tuple[Kind, str]], side: Side = Side.SALESFORCE
) -> dict[tuple[Kind, str], Parent]:
    """Say of records, by kind and DrChrono id, how far they are; those that are linked are left out.

    side  where they are to be referred to: one that is known to be gone from there is as one that never came
    """
    found = dict.fromkeys(refs, Parent.COMING)
    for kind in sorted({kind for kind, _ in refs}):
        ids = sorted({id_ for one, id_ in refs if one is kind})
        for row in await database.read(_STATUS[side], {"p_kind": kind.value, "p_ids": ids}):
            if row.is_linked:
                del found[kind, row.drchrono_id]
            elif row.is_idle:
                found[kind, row.drchrono_id] = Parent.NEVER
    return found


_DRCHRONO_IDS = sa.select(links.c.salesforce_id, links.c.drchrono_id).where(
    _IS_OF_KIND, links.c.salesforce_id.in_(among("p_ids")), links.c.drchrono_id.is_not(None)
)


async def drchrono_ids_of(database: Database, refs: Collection[RecordRef]) -> dict[tuple[Kind, str], str]:
    """Give, by kind and Salesforce id, the DrChrono ids of the records that are linked."""
    found: dict[tuple[Kind, str], str] = {}
    for kind in sorted({ref.kind for ref in refs}):
        ids = sorted({ref.id for ref in refs if ref.kind is kind})
        for row in await database.read(_DRCHRONO_IDS, {"p_kind": kind.value, "p_ids": ids}):
            found[kind, row.salesforce_id] = row.drchrono_id
    return found


_UNHEARD = DialectInsert(
    links,
    lambda insert: insert.values(
        lane=sa.bindparam("p_lane"), due_at=db_now(), confirm_at=db_now()
    ).on_conflict_do_nothing(),
)
_AWAITED = DialectInsert(awaited, lambda insert: insert.on_conflict_do_nothing())


_EXCLUDED = {
    side: sa.select(links.c[f"{side}_id"].label("id")).where(
        _IS_OF_KIND, links.c[f"{side}_id"].in_(among("p_ids")), links.c.excluded_by.is_not(None)
    )
    for side in Side
}


_DISMISSED = {
    side: sa.select(links.c[f"{side}_id"].label("id"))
    .select_from(links.join(failures, failures.c.link_id == links.c.id))
    .where(_IS_OF_KIND, links.c[f"{side}_id"].in_(among("p_ids")), failures.c.dismissed_at.is_not(None))
    for side in Side
}


async def excluded_of(database: Database, refs: Collection[RecordRef]) -> frozenset[RecordRef]:
    """Give, of these records, those that are out of the set that is synced."""
    return await _those(database, refs, _EXCLUDED)


async def dismissed_of(database: Database, refs: Collection[RecordRef]) -> frozenset[RecordRef]:
    """Give, of these records, those whose failure or hold a person has dismissed."""
    return await _those(database, refs, _DISMISSED)


async def _those(
    database: Database, refs: Collection[RecordRef], asked: Mapping[Side, sa.Select[Any]]
) -> frozenset[RecordRef]:
    found = set()
    for side, kind in sorted({(ref.side, ref.kind) for ref in refs}):
        ids = sorted({ref.id for ref in refs if (ref.side, ref.kind) == (side, kind)})
        rows = await database.read(asked[side], {"p_kind": kind.value, "p_ids": ids})
        found |= {RecordRef(side, kind, row.id) for row in rows}
    return frozenset(found)


async def await_them(connection: AsyncConnection, waiting: Mapping[str, Sequence[RecordRef]], lane: Lane) -> None:
    """Note for which records links wait (link id -> refs); those nobody has heard of are due at once, in their lane."""
    refs = sorted({ref for refs in waiting.values() for ref in refs})
    for side in Side:
        rows = [
            {"id": str(ULID()), "kind": ref.kind.value, f"{side}_id": ref.id, "p_lane": lane.value}
            for ref in refs
            if ref.side is side
        ]
        if rows:
            await connection.execute(_UNHEARD.on(connection), rows)
    rows = [
        {"link_id": link_id, "side": ref.side.value, "kind": ref.kind.value, "record_id": ref.id}
        for link_id, refs in sorted(waiting.items())
        for ref in sorted(refs)
    ]
    if rows:
        await connection.execute(_AWAITED.on(connection), rows)


_COME = {
    side: sa.select(links.c.kind, links.c[f"{side}_id"].label("id")).where(
        links.c[f"{side}_id"].in_(among("p_ids")),
        *(links.c.drchrono_id.is_not(None), links.c.salesforce_id.is_not(None), links.c.excluded_by.is_(None)),
        ~_is_gone(*Side),
    )
    for side in Side
}


async def wake_come(database: Database, refs: Collection[RecordRef]) -> None:
    """Make due whoever waits for what was linked while it was being noted that they wait.

    To be called once that note is committed: whoever links one of these later sees it.
    """

    async def work(connection: AsyncConnection) -> None:
        come = []
        for side in Side:
            ids = sorted({ref.id for ref in refs if ref.side is side})
            come += [
                ref
                for row in await connection.execute(_COME[side], {"p_ids": ids})
                if (ref := RecordRef(side, Kind(row.kind), row.id)) in refs
            ]
        await wake(connection, come)

    await database.transact(work)


_IS_AWAITED = sa.and_(
    awaited.c.side == sa.bindparam("p_side"),
    awaited.c.kind == sa.bindparam("p_kind"),
    awaited.c.record_id.in_(among("p_ids")),
)
_NO_MORE_AWAITED = sa.delete(awaited).where(_IS_AWAITED).returning(awaited.c.link_id)
_WHO_WAITS = sa.select(awaited.c.link_id).where(_IS_AWAITED)
_IS_ASKED_ABOUT = sa.and_(links.c.excluded_by.is_not(None), links.c.drchrono_id.is_not(None))  # what came is used up
_WOKEN = (
    sa.update(links)
    .where(links.c.id.in_(among("p_ids")))
    .values(
        due_at=sa.case((links.c.due_at <= db_now(), links.c.due_at), else_=db_now()),
        generation=links.c.generation + 1,
        confirm_at=sa.case((_IS_ASKED_ABOUT, db_now()), else_=links.c.confirm_at),
    )
)


async def waiting_for(connection: AsyncConnection, parents: Iterable[RecordRef]) -> list[str]:
    """Give the links of those who wait for one of these, in order."""
    found: set[str] = set()
    for place in _places(parents):
        found |= set((await connection.scalars(_WHO_WAITS, place)).all())
    return sorted(found)


def _places(refs: Iterable[RecordRef]) -> list[dict[str, Any]]:
    """Give records by side and kind, as the statements are told them."""
    by_place: dict[tuple[Side, Kind], list[str]] = {}
    for ref in refs:
        by_place.setdefault((ref.side, ref.kind), []).append(ref.id)
    return [
        {"p_side": side.value, "p_kind": kind.value, "p_ids": ids} for (side, kind), ids in sorted(by_place.items())
    ]


async def wake(connection: AsyncConnection, come: Iterable[RecordRef]) -> None:
    """Make due whoever waits for one of these."""
    for place in _places(come):
        if woken := (await connection.scalars(_NO_MORE_AWAITED, place)).all():
            await connection.execute(_WOKEN, {"p_ids": woken})
