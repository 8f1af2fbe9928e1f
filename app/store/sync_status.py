"""Sync statuses: of which records the Salesforce record shows something else than how they are synced.

A record is due for it whenever its outcome is saved, and until it is known that Salesforce shows it. Who is looked at
within a minute, or has a write that may yet land, is left for later: it would show what passes at once.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store import record_views
from app.store.clock import after, db_now
from app.store.database import Database
from app.store.record_views import RecordView
from app.store.tables import journal, links
from app.sync.model import OPEN, Kind, Lane

_SOON = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DueStatus:
    """A record of which Salesforce may show something else.

    shown   what was kept of the status that it shows; empty where it shows none
    due_at  since when it is due; another moment once the record's state has been saved anew
    age     for how long it has been due
    """

    view: RecordView
    shown: str
    due_at: datetime
    age: timedelta


def _is_due(kinds: Collection[Kind]) -> sa.ColumnElement[bool]:
    is_due = sa.and_(links.c.status_due_at.is_not(None), links.c.salesforce_id.is_not(None))
    is_at_rest = sa.or_(links.c.due_at.is_(None), links.c.due_at > after(_SOON))
    may_land = sa.or_(journal.c.state.in_(OPEN), journal.c.late_until.is_not(None))
    has_writes = sa.exists().where(journal.c.link_id == links.c.id, may_land)
    return sa.and_(links.c.kind.in_([kind.value for kind in kinds]), is_due, is_at_rest, ~has_writes)


async def are_due(database: Database, kinds: Collection[Kind]) -> bool:
    """Say whether any record of these kinds is due."""
    return bool(await database.read(sa.select(links.c.id).where(_is_due(kinds)).limit(1)))


async def due(
    database: Database, kind: Kind, lanes: Collection[Lane], limit: int, gathers: timedelta = timedelta(0)
) -> list[DueStatus]:
    """Give the records of a kind, last worked on in these lanes, that have been due for longest.

    gathers  none are given before one of them has been due for so long
    """
    theirs = sa.and_(_is_due([kind]), links.c.lane.in_([lane.value for lane in lanes]))
    if gathers:
        first = sa.select(links.c.id).where(theirs, links.c.status_due_at <= after(-gathers)).limit(1)
        if not await database.read(first):
            return []
    columns = (links.c.status, links.c.status_due_at, (db_now()).label("now"))
    asked = record_views.selected().add_columns(*columns).where(theirs)
    rows = await database.read(asked.order_by(links.c.status_due_at).limit(limit))
    return [_due(row) for row in rows]


def _due(row: Any) -> DueStatus:
    return DueStatus(record_views.view(row), row.status, row.status_due_at, row.now - row.status_due_at)


_SHOWN = (
    sa.update(links)
    .where(links.c.id == sa.bindparam("p_id"), links.c.status_due_at == sa.bindparam("p_due_at"))
    .values(status=sa.bindparam("p_status"), status_due_at=None)
)


async def shown(database: Database, now: Iterable[tuple[DueStatus, str]]) -> None:
    """Keep what Salesforce shows of records by now; one whose state was saved meanwhile stays due."""
    rows = [{"p_id": one.view.id, "p_due_at": one.due_at, "p_status": status} for one, status in now]

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(_SHOWN, sorted(rows, key=lambda row: str(row["p_id"])))

    if rows:
        await database.transact(work)
