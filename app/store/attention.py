"""What needs attention, record by record: every failure and hold with its record, since when, and when it is retried.

A vendor's own message and a person's note lie beside the failure, sealed, and end with it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import Act
from app.store import audit, record_history
from app.store.clock import Instant
from app.store.database import Database
from app.store.failures import Group, group_of
from app.store.tables import deliveries, events, failures, links
from app.sync.model import Kind, Side

_f = failures.c
_ROWS = sa.select(
    _f.link_id,
    _f.side,
    _f.kind,
    _f.cause,
    _f.fields,
    _f.is_held,
    _f.since,
    _f.at,
    (_f.attempts + links.c.attempts).label("attempts"),
    _f.note,
    _f.dismissed_at,
    _f.dismissed_by,
    _f.reason,
    _f.message.is_not(None).label("has_message"),
    links.c.drchrono_id,
    links.c.salesforce_id,
    links.c.due_at,
).join(links, links.c.id == _f.link_id)


async def page(
    database: Database, group: Group, limit: int, after: tuple[datetime, str] | None = None
) -> list[sa.Row[Any]]:
    """Give the records of a group that need attention, the one that has waited longest first.

    after  since when the last one of the page before has waited, and its link's id
    """
    asked = _ROWS.where(group_of(group)).order_by(_f.since, _f.link_id).limit(limit)
    if after is not None:
        asked = asked.where(sa.tuple_(_f.since, _f.link_id) > sa.tuple_(sa.literal(after[0], Instant), after[1]))
    return await database.read(asked)


async def some(database: Database, link_ids: Collection[str]) -> list[sa.Row[Any]]:
    """Give, of these links, those that need attention."""
    return await database.read(_ROWS.where(_f.link_id.in_(sorted(link_ids)))) if link_ids else []


async def counts(database: Database) -> tuple[int, int, int]:
    """Give how many records failed, how many are held, and how many of either were dismissed."""
    waits = _f.dismissed_at.is_(None)
    each = {"failed": sa.and_(waits, ~_f.is_held), "held": sa.and_(waits, _f.is_held), "dismissed": ~waits}
    counted = [sa.func.count().filter(condition).label(name) for name, condition in each.items()]
    (row,) = await database.read(sa.select(*counted).select_from(failures))
    return row.failed, row.held, row.dismissed


async def find_message(database: Database, link_id: str) -> sa.Row[Any] | None:
    """Give what the vendor said of a failure, sealed, with what it is about; None where nothing fails."""
    asked = sa.select(_f.side, _f.kind, _f.cause, _f.at, _f.message, links.c.drchrono_id, links.c.salesforce_id)
    rows = await database.read(asked.join(links, links.c.id == _f.link_id).where(_f.link_id == link_id))
    return rows[0] if rows else None


async def keep_note(database: Database, link_id: str, sealed: str | None, act: Act) -> bool:
    """Keep a note, sealed, on what needs attention, or take it away (None); False where nothing of the link does."""

    async def work(connection: AsyncConnection) -> bool:
        noted = sa.update(failures).where(_f.link_id == link_id).values(note=sealed)
        if not (await connection.execute(noted)).rowcount:
            return False
        await record_history.note_acts(connection, [link_id], act)
        await audit.note(database, connection, act)
        return True

    return await database.transact(work)


async def latest_bodies(database: Database, kind: Kind, ids: Collection[str]) -> Sequence[sa.Row[Any]]:
    """Give, of DrChrono's records by id, the last body of each that was delivered and is still kept, sealed."""
    if not ids:
        return ()
    theirs = (events.c.side == Side.DRCHRONO.value, events.c.kind == kind.value, events.c.record_id.in_(sorted(ids)))
    last = (
        sa.select(events.c.record_id, sa.func.max(events.c.delivery_id).label("delivery_id"))
        .join(deliveries, deliveries.c.id == events.c.delivery_id)
        .where(*theirs, deliveries.c.body.is_not(None))
        .group_by(events.c.record_id)
        .subquery()
    )
    asked = sa.select(last.c.record_id, deliveries.c.id, deliveries.c.body)
    return await database.read(asked.join(deliveries, deliveries.c.id == last.c.delivery_id))
