"""The inbox: a delivery is kept once, and its records become due, in one commit that is shared with its neighbours.

Concurrent requests wait beside each other for one writer, which commits whatever waits (group commit): durability per
request, cost per batch. A request is answered only after the commit that holds it. A group that fails is tried again
request by request, so that one bad row hurts only itself. The statements are compiled once and run on the raw driver.
"""

import asyncio
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from ulid import ULID

from app.errors import StoreUnavailable
from app.store.database import BUSY_TIMEOUT_S, Database
from app.store.tables import db_now, deliveries, events, links
from app.sync.records import Kind, Lane, Side

MOST_WAITING = 20_000
_BIGGEST_GROUP = 500


@dataclass(frozen=True, slots=True)
class Event:
    """What a delivery says of one record."""

    side: Side
    kind: Kind
    record_id: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request a vendor made to us, ready to be kept.

    key      unique: a keyed hash over side, event, vendor's delivery id and body
    body     sealed
    outcome  kept, skipped (an event we do not sync) or unreadable
    """

    side: Side
    event: str
    vendor_id: str | None
    key: str
    body: bytes
    outcome: str
    events: tuple[Event, ...] = ()
    id: str = field(default_factory=lambda: str(ULID()))


class Inbox(Protocol):
    """What a door needs of the inbox."""

    async def keep(self, delivery: Delivery) -> None:
        """Return once the delivery is durable.

        Raises  StoreUnavailable when it could not be made so: nothing may be acknowledged
        """

    async def close(self) -> None:
        """Let go of the database, after what waits is written."""


Committed = Callable[[Sequence[Delivery]], None]


def open_inbox(database: Database, committed: Committed) -> Inbox:
    """Give the inbox of this database; `committed` is called in the event loop after each commit, with its group."""
    return SqliteInbox(database, committed) if database.is_sqlite else PostgresInbox(database, committed)


def _insert(table: sa.Table, dialect: Any) -> Any:
    return (sqlite if dialect.name == "sqlite" else postgresql).insert(table)


def _statements(dialect: Any) -> list[tuple[str, list[str]]]:
    """Give the three statements of a commit as text, with the order of their parameters."""

    def given(*columns: sa.Column[Any]) -> list[sa.BindParameter[Any]]:
        return [sa.bindparam(f"p_{column.name}", type_=column.type) for column in columns]

    kept = sa.exists().where(deliveries.c.id == sa.bindparam("p_delivery_id", type_=sa.String(26)))
    delivery_columns = [column for column in deliveries.columns if column.name != "received_at"]
    first = _insert(deliveries, dialect).from_select(
        [*delivery_columns, deliveries.c.received_at],
        sa.select(*given(*delivery_columns), db_now()).where(sa.true()),
    )
    event_columns = [column for column in events.columns if column.name != "finished_at"]
    second = _insert(events, dialect).from_select(event_columns, sa.select(*given(*event_columns)).where(kept))
    fresh = {"base": sa.literal_column("'{}'"), "base_version": 0, "floor": "", "attempts": 0, "generation": 1}
    third_by_side = []
    for id_column in (links.c.drchrono_id, links.c.salesforce_id):
        own = [links.c.id, links.c.kind, id_column]
        insert = _insert(links, dialect).from_select(
            [*own, *(links.c[name] for name in fresh), links.c.lane, links.c.due_at],
            sa.select(
                *given(*own),
                *(
                    sa.literal_column(str(v))
                    if isinstance(v, int)
                    else (v if isinstance(v, sa.ColumnElement) else sa.literal_column(f"'{v}'"))
                    for v in fresh.values()
                ),
                sa.literal_column(f"'{Lane.LIVE}'"),
                db_now(),
            ).where(kept),
        )
        third_by_side.append(
            insert.on_conflict_do_update(
                index_elements=[links.c.kind, id_column],
                set_={
                    "generation": links.c.generation + sa.literal_column("1"),
                    "due_at": db_now(),
                    "lane": sa.literal_column(f"'{Lane.LIVE}'"),
                    "attempts": sa.literal_column("0"),
                },
            )
        )
    compiled = [s.compile(dialect=dialect) for s in (first.on_conflict_do_nothing(), second, *third_by_side)]
    return [(str(statement), list(statement.positiontup or ())) for statement in compiled]


def _parameters(group: Sequence[Delivery]) -> list[list[dict[str, Any]]]:
    """Give the rows for each statement, sorted by key so that two writers lock in the same order."""
    rows = [
        {
            "p_id": d.id,
            "p_side": d.side.value,
            "p_event": d.event,
            "p_vendor_id": d.vendor_id,
            "p_delivery_key": d.key,
            "p_body": d.body,
            "p_outcome": d.outcome,
        }
        for d in group
    ]
    seen = [
        {
            "p_delivery_id": d.id,
            "p_position": position,
            "p_side": e.side.value,
            "p_kind": e.kind.value,
            "p_record_id": e.record_id,
            "p_version": e.version,
        }
        for d in group
        for position, e in enumerate(d.events)
    ]
    due: list[list[dict[str, Any]]] = []
    for side in (Side.DRCHRONO, Side.SALESFORCE):
        due.append(
            [
                {
                    "p_id": str(ULID()),
                    "p_kind": e["p_kind"],
                    f"p_{side}_id": e["p_record_id"],
                    "p_delivery_id": e["p_delivery_id"],
                }
                for e in sorted(seen, key=lambda e: (e["p_kind"], e["p_record_id"]))
                if e["p_side"] == side
            ]
        )
    return [sorted(rows, key=lambda r: r["p_delivery_key"]), seen, *due]


def _ordered(rows: Sequence[dict[str, Any]], order: Sequence[str]) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in order) for row in rows]


@dataclass(slots=True)
class _Waiting:
    delivery: Delivery
    done: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop


class SqliteInbox:
    """One writer thread on its own connection; requests wait beside each other for its commit."""

    def __init__(self, database: Database, committed: Committed) -> None:
        self._path = database.path
        self._committed = committed
        self._statements = _statements(sqlite.dialect(paramstyle="qmark"))  # type: ignore[no-untyped-call]
        self._waiting: deque[_Waiting] = deque()
        self._bell = threading.Condition()
        self._closing = False
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._write, name="inbox", daemon=True)
        self._thread.start()

    async def keep(self, delivery: Delivery) -> None:
        """See `Inbox.keep`."""
        if len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailable("too many deliveries wait for the database")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(delivery, loop.create_future(), loop)
        with self._bell:
            self._waiting.append(waiting)
            self._bell.notify()
        await waiting.done

    async def close(self) -> None:
        """See `Inbox.close`."""
        with self._bell:
            self._closing = True
            self._bell.notify()
        await asyncio.to_thread(self._thread.join)

    def _write(self) -> None:
        while True:
            with self._bell:
                while not self._waiting and not self._closing:
                    self._bell.wait()
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BIGGEST_GROUP))]
            if group:
                self._settle(group)
            elif self._closing:
                if self._connection is not None:
                    self._connection.close()
                return

    def _settle(self, group: list[_Waiting]) -> None:
        try:
            self._commit(group)
        except (sqlite3.Error, OSError) as error:
            if len(group) == 1 or isinstance(error, sqlite3.OperationalError | OSError):
                _answer(group, StoreUnavailable(f"the database refused: {type(error).__name__}"))
            else:
                for one in group:
                    self._settle([one])
        else:
            _answer(group, None, self._committed)

    def _commit(self, group: list[_Waiting]) -> None:
        connection = self._connected()
        try:
            connection.execute("BEGIN IMMEDIATE")
            batches = _parameters([one.delivery for one in group])
            for (text, order), rows in zip(self._statements, batches, strict=True):
                if rows:
                    connection.executemany(text, _ordered(rows, order))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._must_be_there()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            if not self._path.exists():
                raise FileNotFoundError(str(self._path))  # connecting would make an empty database
            self._connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S / 2, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous=FULL")
            self._inode = _inode(self._path)
        self._must_be_there()
        return self._connection

    def _must_be_there(self) -> None:
        """Refuse to write into a file that was deleted or replaced under us: Linux would let us, and lose it."""
        try:
            if _inode(self._path) == self._inode:
                return
        except OSError:
            pass
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        raise FileNotFoundError(str(self._path))


def _inode(path: Any) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116 - on the hot path
    return found.st_dev, found.st_ino


def _answer(group: list[_Waiting], error: Exception | None, committed: Committed | None = None) -> None:
    """Wake the requests of a group, one hop into their loop for all of them."""

    def wake() -> None:
        for one in group:
            if not one.done.done():
                if error is None:
                    one.done.set_result(None)
                else:
                    one.done.set_exception(error)
        if committed is not None:
            committed([one.delivery for one in group])

    loop = group[0].loop
    if not loop.is_closed():
        loop.call_soon_threadsafe(wake)


class PostgresInbox:
    """One writer task on its own connection, opened when first needed and again after it was lost."""

    def __init__(self, database: Database, committed: Committed) -> None:
        self._dsn = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._committed = committed
        self._statements = _statements(PGDialect_asyncpg())  # type: ignore[no-untyped-call]
        self._waiting: deque[_Waiting] = deque()
        self._bell = asyncio.Event()
        self._closing = False
        self._connection: Any = None
        self._task = asyncio.create_task(self._write(), name="inbox")

    async def keep(self, delivery: Delivery) -> None:
        """See `Inbox.keep`."""
        if len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailable("too many deliveries wait for the database")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(delivery, loop.create_future(), loop)
        self._waiting.append(waiting)
        self._bell.set()
        await waiting.done

    async def close(self) -> None:
        """See `Inbox.close`."""
        self._closing = True
        self._bell.set()
        await self._task

    async def _write(self) -> None:
        while True:
            if not self._waiting:
                if self._closing:
                    break
                self._bell.clear()
                await self._bell.wait()
                continue
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BIGGEST_GROUP))]
            await self._settle(group)
        if self._connection is not None:
            await self._connection.close()

    async def _settle(self, group: list[_Waiting]) -> None:
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_S):
                await self._commit(group)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            is_gone = isinstance(error, OSError | TimeoutError | asyncpg.InterfaceError) or self._connection.is_closed()
            if is_gone and self._connection is not None:
                self._connection.terminate()
                self._connection = None
            if len(group) == 1 or is_gone:
                _answer(group, StoreUnavailable(f"the database refused: {type(error).__name__}"))
            else:
                for one in group:
                    await self._settle([one])
        else:
            _answer(group, None, self._committed)

    async def _commit(self, group: list[_Waiting]) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._dsn)
        async with self._connection.transaction():
            batches = _parameters([one.delivery for one in group])
            for (text, order), rows in zip(self._statements, batches, strict=True):
                if rows:
                    await self._connection.executemany(text, _ordered(rows, order))
