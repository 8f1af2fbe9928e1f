"""Retention: what is finished and old goes, in small batches, oldest first; what is not finished never does.

Contents go first, after RETENTION_DAYS: the bodies of deliveries, and the values a write replaced or a rule decided
against. Their rows stay, so that a redelivery is still known and people can see what was done; they go much later. A
batch is one short transaction that asks again whether each row is over, so that a run may end anywhere. The room it
took is given back to the disk, a little at a time.

SQLite never gives back the rest of a page: a row whose contents go moves to the table's end, and the pages it leaves
become free (measured on 200,000 bodies of 900 bytes: 302 MB stay 302 MB without that, and become 57 MB with it).
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import StoreUnavailable
from app.ports import LISTED
from app.store import notices, oauth_states, sessions
from app.store.clock import after, db_now
from app.store.database import BUSY_TIMEOUT_S, Database
from app.store.tables import (
    conflicts,
    connections,
    decisions,
    deliveries,
    document_polls,
    documents,
    events,
    failures,
    journal,
    links,
    record_history,
)
from app.store.tables import consents as under_way
from app.store.tables import notices as told
from app.store.tables import sessions as signed_in
from app.sync.model import OPEN, Kind, WriteState

LISTED_FOR = timedelta(days=1)  # our own copies of a list: no vendor sends them again, and DrChrono shows it any time
ROWS_FOR = timedelta(days=400)  # a year to look back at, and a month to do it; vendors redeliver for 72 hours at most
_BATCH, _LARGEST = 100, 500
_LONGEST_S = 0.02  # a batch that took longer is halved: so long a delivery may wait for its turn


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that goes by age.

    at       since when it has been over; an index begins with it
    there    what the index is limited to
    is_over  whether a row of the table may go
    dropped  the columns that are emptied; none: the row goes, and `beside` it those of another table
    """

    name: str
    at: sa.Column[Any]
    there: sa.ColumnElement[bool]
    is_over: Callable[[sa.Table], sa.ColumnElement[bool]]
    dropped: tuple[str, ...] = ()
    beside: sa.Column[Any] | None = None

    @property
    def table(self) -> sa.Table:
        """The table it is kept in."""
        assert isinstance(self.at.table, sa.Table)
        return self.at.table

    @property
    def key(self) -> sa.Column[str]:
        """What a row of it is known by."""
        (key,) = self.table.primary_key.columns
        return key


def _literals(words: Iterable[str]) -> list[sa.ColumnElement[str]]:
    """Give words as part of the statement: an index may be limited by them, and one statement serves many rows."""
    return [sa.literal_column(f"'{word}'") for word in words]


def _is_worked_off(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.not_(sa.exists().where(events.c.delivery_id == table.c.id, events.c.finished_at.is_(None)))


def _is_settled(table: sa.Table) -> sa.ColumnElement[bool]:
    """Say whether a write is over: its outcome is known, and of a create its link says so, or any other."""
    has_chart = sa.and_(links.c.id == table.c.link_id, links.c.drchrono_id.is_not(None))
    names_it = sa.and_(links.c.kind.in_(_literals(Kind)), links.c.drchrono_id == table.c.record_id)
    is_linked = sa.or_(table.c.record_id.is_(None), _is_one(has_chart), _is_one(names_it))
    return sa.or_(
        table.c.state == WriteState.REFUSED.value, sa.and_(table.c.state == WriteState.CONFIRMED.value, is_linked)
    )


def _is_one(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Say whether there is such a link; of `EXISTS` beside `OR` PostgreSQL makes a hash of every link there is."""
    return sa.select(links.c.id).where(condition).limit(1).scalar_subquery().is_not(None)


def _is_decided(table: sa.Table) -> sa.ColumnElement[bool]:
    is_open = journal.c.state.in_(_literals(OPEN))
    is_written = sa.not_(sa.exists().where(journal.c.id == table.c.journal_id, is_open))
    is_undone = sa.exists().where(decisions.c.conflict_id == table.c.id, decisions.c.ended_at.is_(None))
    return sa.and_(is_written, sa.not_(is_undone))


_IS_LISTED = deliveries.c.event.in_(_literals([LISTED]))
_HAS_VALUES = sa.or_(journal.c.replaced.is_not(None), journal.c.sent.is_not(None))
_HAS_MESSAGE = failures.c.message.is_not(None)
_HAS_BODY, _HAS_KEPT = deliveries.c.body.is_not(None), conflicts.c.kept.is_not(None)
RULES = (
    Rule("lists", deliveries.c.received_at, _IS_LISTED, _is_worked_off, beside=events.c.delivery_id),
    Rule("bodies", deliveries.c.received_at, _HAS_BODY, _is_worked_off, ("body",)),
    Rule("values", journal.c.answered_at, _HAS_VALUES, _is_settled, ("replaced", "sent")),
    Rule("undo", conflicts.c.at, _HAS_KEPT, _is_decided, ("kept",)),
    Rule("messages", failures.c.at, _HAS_MESSAGE, lambda table: table.c.message.is_not(None), ("message",)),
    Rule("deliveries", deliveries.c.received_at, sa.true(), _is_worked_off, beside=events.c.delivery_id),
    Rule("conflicts", conflicts.c.at, sa.true(), _is_decided),
    Rule("decisions", decisions.c.ended_at, sa.true(), lambda table: table.c.ended_at.is_not(None)),
    Rule("history", record_history.c.at, sa.true(), lambda _table: sa.true()),
    Rule("writes", journal.c.answered_at, sa.true(), _is_settled),
)


def ages(contents: timedelta) -> dict[str, timedelta]:
    """Give how long each thing is kept; rows at least as long as their contents."""
    rows = max(ROWS_FOR, contents)
    return {rule.name: contents if rule.dropped else rows for rule in RULES} | {"lists": LISTED_FOR}


async def batches(
    database: Database, kept_for: Mapping[str, timedelta], most: int = _LARGEST
) -> AsyncGenerator[tuple[str, int]]:
    """Let go of what is old, and give after each batch what went and how much of it.

    most    rows in a batch; fewer where the database is slow
    Raises  StoreUnavailable when the database fails; what went by then is gone
    """
    (clock,) = await database.read(sa.select(db_now().label("now")))  # what ages meanwhile is for the next run
    for rule in RULES:
        last, limit = None, min(_BATCH, most)
        before = clock.now - kept_for[rule.name]
        while found := await database.read(_old(rule, before, last, limit)):
            began = time.monotonic()
            gone = await _let_go(database, rule, before, [row.id for row in found])
            limit = max(limit // 2, 1) if time.monotonic() - began > _LONGEST_S else min(limit * 2, most)
            last = found[-1]
            yield rule.name, gone


def _old(rule: Rule, before: datetime, last: sa.Row[Any] | None, limit: int) -> sa.Select[Any]:
    """Give the statement that finds the next old rows; those that stay are passed over, once a run."""
    key = rule.key
    old = sa.select(rule.at.label("at"), key.label("id")).where(rule.there, rule.at < before)
    if last is not None:
        old = old.where(sa.tuple_(rule.at, key) > sa.tuple_(sa.literal(last.at, rule.at.type), last.id))
    return old.order_by(rule.at, key).limit(limit)


async def _let_go(database: Database, rule: Rule, before: datetime, ids: Sequence[str]) -> int:
    async def work(connection: AsyncConnection) -> int:
        if rule.dropped:
            return await (_moved if database.is_sqlite else _emptied)(connection, rule, before, ids)
        over = sa.and_(rule.key.in_(ids), rule.at < before, rule.is_over(rule.table))
        gone = (await connection.scalars(sa.delete(rule.table).where(over).returning(rule.key))).all()
        if rule.beside is not None and gone:
            await connection.execute(sa.delete(rule.beside.table).where(rule.beside.in_(gone)))
        return len(gone)

    return await database.transact(work)


async def _emptied(connection: AsyncConnection, rule: Rule, before: datetime, ids: Sequence[str]) -> int:
    over = sa.and_(rule.key.in_(ids), rule.at < before, rule.is_over(rule.table))
    emptied = sa.update(rule.table).where(over).values(dict.fromkeys(rule.dropped))
    return (await connection.execute(emptied)).rowcount


async def _moved(connection: AsyncConnection, rule: Rule, before: datetime, ids: Sequence[str]) -> int:
    """Empty rows of SQLite's, each at the end of its table."""
    table = rule.table.to_metadata(sa.MetaData())
    table.append_column(sa.Column("rowid", sa.BigInteger, system=True))
    top = table.alias()
    end = sa.select(sa.func.max(top.c.rowid) + 1).scalar_subquery()
    is_old = table.c[rule.at.name] < before  # what has taken its place meanwhile is not
    over = sa.and_(table.c[rule.key.name] == sa.bindparam("p_id"), is_old, rule.is_over(table))
    moved = sa.update(table).where(over).values({**dict.fromkeys(rule.dropped), "rowid": end})
    return (await connection.execute(moved, [{"p_id": id_} for id_ in ids])).rowcount


async def forget_leftovers(database: Database) -> int:
    """Forget sessions that ended, consents nobody came back with, and old notices; give how many rows."""

    async def work(connection: AsyncConnection) -> int:
        return sum([(await connection.execute(one)).rowcount for one in _statements()])

    return await database.transact(work)


def _statements() -> Sequence[sa.Delete | sa.Update]:
    idle, old = signed_in.c.seen_at < after(-sessions.IDLE), signed_in.c.started_at < after(-sessions.LONGEST)
    waited = connections.c.pending_at < after(-2 * oauth_states.LIFE)  # of no use to anybody after its life
    return (
        sa.delete(signed_in).where(sa.or_(idle, old)),
        sa.delete(under_way).where(under_way.c.expires_at < db_now()),
        sa.delete(documents).where(~sa.exists().where(links.c.id == documents.c.link_id)),
        sa.delete(document_polls).where(
            document_polls.c.due_at.is_(None), document_polls.c.listed_at < after(-LISTED_FOR)
        ),
        sa.delete(told).where(told.c.made_at < after(-notices.KEPT_FOR)),
        sa.update(connections).where(waited).values(pending=None, pending_at=None),
    )


PAGES = 256  # a MiB
_FREE_SHARE = 0.1
_IMPATIENT_S = 0.05
_INCREMENTAL = 2


async def vacuum_steps(database: Database) -> AsyncGenerator[int]:
    """Give back what is free, and give after each step how many bytes it was; at last the log is cut.

    Raises  StoreUnavailable when the database fails
    """
    if not database.is_sqlite:
        return
    try:
        while given_back := await asyncio.to_thread(_step, database.path):
            yield given_back
        await asyncio.to_thread(_cut_log, database.path)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"the database refused: {type(error).__name__}") from error


def _opened(path: Path, patience_s: float) -> closing[sqlite3.Connection]:
    address = f"{path.resolve().as_uri()}?mode=rw"  # one that is gone must not come back empty
    return closing(sqlite3.connect(address, timeout=patience_s, isolation_level=None, uri=True))


def _step(path: Path) -> int:
    with _opened(path, BUSY_TIMEOUT_S) as connection:
        size, pages, free, mode = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_size", "page_count", "freelist_count", "auto_vacuum")
        )
        count = min(free - int(pages * _FREE_SHARE), PAGES)
        if mode != _INCREMENTAL or count < PAGES:
            return 0
        connection.executescript(f"PRAGMA incremental_vacuum({count})")  # `execute` would stop after one page
        left = int(connection.execute("PRAGMA page_count").fetchone()[0])
        return (pages - left) * size


def _cut_log(path: Path) -> None:
    """Bring the log into the file and empty it; while somebody reads in it, that is left to the next time."""
    with _opened(path, _IMPATIENT_S) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # the bulk, with writers going on beside it
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
