"""Due: links as they stood when they were taken, with the deliveries and the unsettled writes that belong to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import decisions
from app.store.decisions import Decided
from app.store.inbox import LISTED
from app.store.states import OPEN, State
from app.store.tables import deliveries, events, journal
from app.sync.base import Base
from app.sync.records import Kind, Lane, Link, OwnWrite, Side


@dataclass(frozen=True, slots=True)
class Body:
    """One unfinished delivery of a record: its sealed body, and the event in it that is to be finished.

    is_listed  it is a row of a list that DrChrono answered with, not what somebody delivered
    """

    delivery_id: str
    position: int
    sealed: str | None
    version: str
    received_at: datetime
    is_listed: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """One link that was due, as it stood when taken, with the deliveries read at take.

    bodies   what DrChrono delivered
    notices  what Salesforce only pointed at: (delivery id, position) of each
    decided  what people decided of it, and nobody has carried out yet
    """

    link: Link
    generation: int
    base_version: int
    attempts: int
    lane: Lane = Lane.LIVE
    bodies: tuple[Body, ...] = ()
    notices: tuple[tuple[str, int], ...] = ()
    decided: tuple[Decided, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What a worker took, of which lane, the token that proves it, and the database's clock when it did."""

    kind: Kind
    lane: Lane
    token: str
    now: datetime
    due: tuple[Due, ...]


async def due_of(connection: AsyncConnection, kind: Kind, rows: Sequence[Any]) -> tuple[Due, ...]:
    """Give the links of rows as they stand, the longest due first, with what has come in for them and is unfinished."""
    bodies = await _bodies(connection, kind, rows)
    notices = await _notices(connection, kind, rows)
    lone = [row.id for row in rows if row.drchrono_id is None]
    writes = await _own_writes(connection, [row.id for row in rows], lone)
    decided = await decisions.open_of(connection, [row.id for row in rows])
    return tuple(
        Due(
            _link(row, writes.get(row.id, ())),
            row.generation,
            row.base_version,
            row.attempts,
            Lane(row.lane),
            tuple(bodies.get(row.drchrono_id, ())),
            tuple(notices.get(row.salesforce_id, ())),
            tuple(decided.get(row.id, ())),
        )
        for row in sorted(rows, key=lambda row: (row.due_at, row.id))
    )


def _link(row: Any, writes: Sequence[OwnWrite]) -> Link:
    return Link(
        row.id,
        Kind(row.kind),
        row.drchrono_id,
        row.salesforce_id,
        Base(row.base),
        row.floor,
        row.confirm_at,
        tuple(writes),
        frozenset(row.unsettled),
        bool(row.is_failed),
    )


async def _bodies(connection: AsyncConnection, kind: Kind, rows: Sequence[Any]) -> dict[str, list[Body]]:
    ids = [row.drchrono_id for row in rows if row.drchrono_id]
    found = await connection.execute(
        sa.select(
            events.c.record_id,
            events.c.delivery_id,
            events.c.position,
            events.c.version,
            deliveries.c.event,
            deliveries.c.body,
            deliveries.c.received_at,
        )
        .join(deliveries, deliveries.c.id == events.c.delivery_id)
        .where(
            events.c.side == Side.DRCHRONO.value,
            events.c.kind == kind.value,
            events.c.record_id.in_(ids),
            events.c.finished_at.is_(None),
        )
        .order_by(deliveries.c.received_at, events.c.delivery_id, events.c.position)
    )
    bodies: dict[str, list[Body]] = {}
    for row in found:
        is_listed = row.event == LISTED
        body = Body(row.delivery_id, row.position, row.body, row.version, row.received_at, is_listed)
        bodies.setdefault(row.record_id, []).append(body)
    return bodies


async def _notices(connection: AsyncConnection, kind: Kind, rows: Sequence[Any]) -> dict[str, list[tuple[str, int]]]:
    notices: dict[str, list[tuple[str, int]]] = {}
    if ids := [row.salesforce_id for row in rows if row.salesforce_id]:
        open_ = (events.c.kind == kind.value, events.c.record_id.in_(ids), events.c.finished_at.is_(None))
        asked = sa.select(events.c.record_id, events.c.delivery_id, events.c.position)
        for row in await connection.execute(asked.where(events.c.side == Side.SALESFORCE.value, *open_)):
            notices.setdefault(row.record_id, []).append((row.delivery_id, row.position))
    return notices


async def _own_writes(
    connection: AsyncConnection, ids: Sequence[str], lone: Sequence[str]
) -> dict[str, list[OwnWrite]]:
    """Give the unsettled writes of links we hold; a *planned* one is a dead worker's, so it may have been sent.

    Of a Contact without a chart also the create that made one: its worker died before it could say so in the link.
    """
    j = journal.c
    is_open = sa.and_(j.link_id.in_(ids), j.state.in_(OPEN))
    wanted = (j.id, j.link_id, j.side, j.stamps, j.settle_at, j.sent, j.record_id, j.searched_at, j.job)
    found = list(await connection.execute(sa.select(*wanted).where(is_open).order_by(j.id)))
    if lone:
        has_made = sa.and_(j.link_id.in_(lone), j.state == State.CONFIRMED.value, j.record_id.is_not(None))
        found += await connection.execute(sa.select(*wanted).where(has_made).order_by(j.id))
    writes: dict[str, list[OwnWrite]] = {}
    for row in found:
        stamps = {name: (old, new) for name, (old, new) in row.stamps.items()}
        made = (row.sent, row.record_id, row.searched_at)
        write = OwnWrite(row.id, Side(row.side), stamps, row.settle_at, *made, row.job)
        writes.setdefault(row.link_id, []).append(write)
    return writes
