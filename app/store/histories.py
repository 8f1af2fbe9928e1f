"""Histories: what came in for one record, what we wrote for it, and what both sides had changed at once.

Deliveries and writes are known by ids that begin with their time, so a history is read page by page, newest first,
by those. What was finished by a look that planned a write is what that write came of: a look finishes exactly the
deliveries it read, after its writes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from app.store.database import Database
from app.store.tables import conflicts, deliveries, events, journal
from app.sync.records import Kind, Side

_MOST_CONFLICTS = 500


async def deliveries_of(
    database: Database, kind: Kind, ids: Mapping[Side, str | None], limit: int, before: str | None = None
) -> list[sa.Row[Any]]:
    """Give what came in for a record, by its ids on each side, newest first; older than an id where told."""
    found: list[sa.Row[Any]] = []
    columns = (events.c.delivery_id, events.c.side, events.c.version, events.c.finished_at)
    beside = (deliveries.c.event, deliveries.c.outcome, deliveries.c.received_at)
    place = events.join(deliveries, deliveries.c.id == events.c.delivery_id)
    for side, record_id in ids.items():
        if record_id is None:
            continue
        theirs = (events.c.record_id == record_id, events.c.kind == kind.value, events.c.side == side.value)
        asked = sa.select(*columns, *beside).select_from(place).where(*theirs)
        if before is not None:
            asked = asked.where(events.c.delivery_id < before)
        found += await database.read(asked.order_by(events.c.delivery_id.desc()).limit(limit))
    newest_first = sorted(found, key=lambda row: row.delivery_id, reverse=True)
    return list({row.delivery_id: row for row in reversed(newest_first)}.values())[::-1][:limit]


async def writes_of(database: Database, link_id: str, limit: int, before: str | None = None) -> list[sa.Row[Any]]:
    """Give what we wrote for a record, newest first; older than an id where told. Never a value."""
    names = ("id", "side", "call", "stamps", "why", "state", "planned_at", "answered_at", "code")
    asked = sa.select(*(journal.c[name] for name in names)).where(journal.c.link_id == link_id)
    if before is not None:
        asked = asked.where(journal.c.id < before)
    return await database.read(asked.order_by(journal.c.id.desc()).limit(limit))


async def conflicts_of(database: Database, link_id: str) -> dict[str, Sequence[sa.Row[Any]]]:
    """Give write -> the fields of it that both sides had changed, with the rule that decided; never a value."""
    columns = (conflicts.c.id, conflicts.c.journal_id, conflicts.c.field, conflicts.c.rule, conflicts.c.at)
    asked = sa.select(*columns).where(conflicts.c.link_id == link_id).order_by(conflicts.c.id.desc())
    found: dict[str, list[sa.Row[Any]]] = {}
    for row in await database.read(asked.limit(_MOST_CONFLICTS)):
        found.setdefault(row.journal_id, []).append(row)
    return dict(found)
