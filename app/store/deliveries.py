"""Stored deliveries, as a person looks through them, and their replay.

A replay makes due the records that a delivery told of: both sides are read, and the workers apply what differs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import LISTED, Act
from app.store import audit
from app.store.clock import db_now
from app.store.database import Database
from app.store.links import due_again, mark_due
from app.store.tables import deliveries, events, links
from app.sync.model import Kind, Lane, Side

_MOST_SEARCHED = 20_000  # an end of an id is in no index


class Outcome(StrEnum):
    """What the door made of a delivery."""

    KEPT = "kept"
    SKIPPED = "skipped"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are meant; None: all of them. `record_id` goes with a kind and a side.

    since, until  received then or later, and before
    """

    side: Side | None = None
    outcome: Outcome | None = None
    kind: Kind | None = None
    record_id: str | None = None
    is_open: bool = False
    since: datetime | None = None
    until: datetime | None = None


def _matching(wanted: DeliveryFilter) -> sa.ColumnElement[bool]:
    d, e = deliveries.c, events.c
    parts: list[sa.ColumnElement[bool]] = [d.event != LISTED]
    if wanted.side is not None:
        parts.append(d.side == wanted.side.value)
    if wanted.outcome is not None:
        parts.append(d.outcome == wanted.outcome.value)
    if wanted.since is not None:
        parts.append(d.received_at >= wanted.since)
    if wanted.until is not None:
        parts.append(d.received_at < wanted.until)
    told = [e.delivery_id == d.id]
    if wanted.kind is not None:
        told.append(e.kind == wanted.kind.value)
    if wanted.record_id is not None:
        told.append(e.record_id == wanted.record_id)
    if wanted.is_open:
        told.append(e.finished_at.is_(None))
    if len(told) > 1:
        parts.append(sa.exists().where(*told))
    return sa.and_(*parts)


async def lately(
    database: Database, wanted: DeliveryFilter, limit: int, before: str | None = None
) -> list[sa.Row[Any]]:
    """Give deliveries that match, newest first, older than an id where told; never a body."""
    d = deliveries.c
    asked = sa.select(d.id, d.side, d.event, d.vendor_id, d.outcome, d.received_at, d.body.is_(None).label("is_bare"))
    asked = asked.where(_matching(wanted)).order_by(*_NEWEST).limit(limit)
    return await database.read(asked if before is None else asked.where(_older_than(before)))


_NEWEST = (deliveries.c.received_at.desc(), deliveries.c.id.desc())  # by the index of when they were received


_LATEST = 2**62


def _older_than(id_: str) -> sa.ColumnElement[bool]:
    """Give the condition of what stands behind a delivery in that order; behind one that is gone, older ids do."""
    here, other = sa.type_coerce(deliveries.c.received_at, sa.BigInteger), deliveries.alias()
    at = sa.select(sa.type_coerce(other.c.received_at, sa.BigInteger)).where(other.c.id == id_).scalar_subquery()
    is_earlier = sa.or_(here < sa.func.coalesce(at, 0), deliveries.c.id < id_)
    return sa.and_(here <= sa.func.coalesce(at, sa.literal(_LATEST, sa.BigInteger)), is_earlier)


async def count(database: Database, wanted: DeliveryFilter, most: int | None = None) -> int:
    """Give how many match; counted up to `most` of them, where told."""
    asked = sa.select(deliveries.c.id).where(_matching(wanted))
    if most is not None:
        asked = asked.order_by(*_NEWEST).limit(most)
    return int((await database.read(sa.select(sa.func.count()).select_from(asked.subquery())))[0][0])


async def open_count(database: Database, wanted: DeliveryFilter) -> int:
    """Give how many that match tell of something that is not finished; only what is open is gone through."""
    opened = events.alias("opened")
    theirs = deliveries.c.id.in_(sa.select(opened.c.delivery_id).where(opened.c.finished_at.is_(None)))
    asked = sa.select(sa.func.count()).select_from(deliveries).where(theirs, _matching(wanted))
    return int((await database.read(asked))[0][0])


async def ids(database: Database, wanted: DeliveryFilter, limit: int) -> list[str]:
    """Give the ids of the newest that match."""
    asked = sa.select(deliveries.c.id).where(_matching(wanted)).order_by(*_NEWEST).limit(limit)
    return [row.id for row in await database.read(asked)]


async def ids_ending(database: Database, ending: str, limit: int = 5) -> list[str]:
    """Give the ids that end so, of the newest deliveries, newest first."""
    newest = sa.select(deliveries.c.id).order_by(deliveries.c.id.desc()).limit(_MOST_SEARCHED).subquery()
    asked = sa.select(newest.c.id).where(newest.c.id.endswith(ending, autoescape=True))
    return [row.id for row in await database.read(asked.order_by(newest.c.id.desc()).limit(limit))]


async def told(database: Database, delivery_ids: Sequence[str]) -> dict[str, list[sa.Row[Any]]]:
    """Give delivery id -> what each says of which record, and whether that is finished."""
    found: dict[str, list[sa.Row[Any]]] = {}
    e = events.c
    asked = sa.select(e.delivery_id, e.side, e.kind, e.record_id, e.version, e.finished_at)
    asked = asked.where(e.delivery_id.in_(delivery_ids)).order_by(e.delivery_id, e.position)
    for row in await database.read(asked) if delivery_ids else ():
        found.setdefault(row.delivery_id, []).append(row)
    return found


async def one(database: Database, delivery_id: str) -> sa.Row[Any] | None:
    """Give a delivery with its sealed body; None where there is none of that id."""
    rows = await database.read(sa.select(deliveries).where(deliveries.c.id == delivery_id))
    return rows[0] if rows else None


REPLAY_BATCH = 500


@dataclass(frozen=True, slots=True)
class ReplayResult:
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


async def replay(database: Database, ids: Sequence[str], act: Act | None) -> ReplayResult:
    """Run deliveries again, in commits of 500; what was asked for and by whom is noted with the first.

    Raises  StoreUnavailable: what was committed before runs, and all of it may be asked for again
    """
    wanted = sorted(set(ids))
    told = ReplayResult()
    for at in range(0, len(wanted), REPLAY_BATCH):

        async def work(
            connection: AsyncConnection, part: Sequence[str] = wanted[at : at + REPLAY_BATCH]
        ) -> ReplayResult:
            again = await _again(connection, part)
            if act is not None and part[0] == wanted[0]:
                await audit.note(database, connection, act)
            return again

        more = await database.transact(work)
        told = ReplayResult(
            told.deliveries + more.deliveries,
            told.records + more.records,
            told.empty + more.empty,
            told.unknown + more.unknown,
        )
    return told


async def _again(connection: AsyncConnection, ids: Sequence[str]) -> ReplayResult:
    here = sa.select(deliveries.c.id, deliveries.c.body.is_(None).label("is_bare")).where(deliveries.c.id.in_(ids))
    is_bare = {row.id: row.is_bare for row in await connection.execute(here)}
    asked = sa.select(events.c.delivery_id, events.c.side, events.c.kind, events.c.record_id)
    told = (await connection.execute(asked.where(events.c.delivery_id.in_(is_bare)))).all()
    refs = sorted({(row.side, row.kind, row.record_id) for row in told})
    bare = {(row.side, row.kind, row.record_id) for row in told if is_bare[row.delivery_id]}
    records = 0
    for side, kind in sorted({(side, kind) for side, kind, _ in refs}):
        of = [ref for ref in refs if ref[:2] == (side, kind)]
        records += await mark_due(connection, Kind(kind), Side(side), [ref[2] for ref in of], Lane.RETRY)
        await _ask_about(connection, Kind(kind), Side(side), [ref[2] for ref in of if ref in bare])
    whole = [id_ for id_, bare_ in is_bare.items() if not bare_]
    reopened = sa.update(events).where(events.c.delivery_id.in_(whole)).values(finished_at=None)
    await connection.execute(reopened)
    with_records = {row.delivery_id for row in told}
    unknown = tuple(id_ for id_ in ids if id_ not in is_bare)
    return ReplayResult(len(with_records), records, len(is_bare) - len(with_records), unknown)


async def _ask_about(connection: AsyncConnection, kind: Kind, side: Side, ids: Iterable[str]) -> None:
    """Have DrChrono asked about records of which no body is left; Salesforce is read at every look anyway."""
    if side is Side.DRCHRONO and (gone := list(ids)):
        theirs = sa.and_(links.c.kind == kind.value, links.c.drchrono_id.in_(gone))
        await connection.execute(sa.update(links).where(theirs).values(confirm_at=db_now(), **due_again(Lane.RETRY)))
