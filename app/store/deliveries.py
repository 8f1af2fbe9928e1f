"""Stored deliveries, as a person looks through them: by side, outcome, kind and whether they are finished."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from app.store.database import Database
from app.store.inbox import LISTED
from app.store.tables import deliveries, events
from app.sync.records import Kind, Side


class Outcome(StrEnum):
    """What the door made of a delivery."""

    KEPT = "kept"
    SKIPPED = "skipped"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries are meant; None: all of them. `record_id` goes with a kind and a side."""

    side: Side | None = None
    outcome: Outcome | None = None
    kind: Kind | None = None
    record_id: str | None = None
    is_open: bool = False


def _matching(wanted: Wanted) -> sa.ColumnElement[bool]:
    d, e = deliveries.c, events.c
    parts: list[sa.ColumnElement[bool]] = [d.event != LISTED]
    if wanted.side is not None:
        parts.append(d.side == wanted.side.value)
    if wanted.outcome is not None:
        parts.append(d.outcome == wanted.outcome.value)
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


async def lately(database: Database, wanted: Wanted, limit: int, before: str | None = None) -> list[sa.Row[Any]]:
    """Give deliveries that match, newest first, older than an id where told; never a body."""
    d = deliveries.c
    asked = sa.select(d.id, d.side, d.event, d.vendor_id, d.outcome, d.received_at, d.body.is_(None).label("is_bare"))
    asked = asked.where(_matching(wanted)).order_by(d.id.desc()).limit(limit)
    return await database.read(asked if before is None else asked.where(d.id < before))


async def count(database: Database, wanted: Wanted) -> int:
    """Give how many match."""
    asked = sa.select(sa.func.count()).select_from(deliveries).where(_matching(wanted))
    return int((await database.read(asked))[0][0])


async def ids(database: Database, wanted: Wanted, limit: int) -> list[str]:
    """Give the ids of the newest that match."""
    asked = sa.select(deliveries.c.id).where(_matching(wanted)).order_by(deliveries.c.id.desc()).limit(limit)
    return [row.id for row in await database.read(asked)]


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
