"""SQLite's own: its engine, how a statement gets to the thread of a connection, and what it is told.

The driver takes a turn of that thread for each step: for a cursor, the statement, its rows, the cursor's end. A turn
costs more than most statements do, so here all steps of a statement are one; and rolling back nothing is none. What
SQLite has made of a statement is kept on each connection, 0.6 MB of one that names 3,000 values: so values, however
many, are one.

Source  aiosqlite 0.22, core.py; SQLAlchemy 2.1, connectors/asyncio.py, on which of a driver's calls it makes
"""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import aiosqlite
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.store.database import ALONE, AUTOCOMMIT, BUSY_TIMEOUT_S, NOT_DURABLE

_LOG_BYTES = 64 * 2**20  # what SQLite's log is cut down to, once a burst or a long reader has let it grow
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA journal_size_limit={_LOG_BYTES}",
    "PRAGMA foreign_keys=ON",
)
Call = Literal["execute", "executemany"]


def engine(url: sa.URL, pool: dict[str, Any]) -> AsyncEngine:
    """Give an engine of a file; `pool` says how many connections it has."""
    if url.database:
        with suppress(OSError):  # whoever connects hears that it is not there
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    driver = {"async_creator_fn": OneTurnConnection}
    made = create_async_engine(url, hide_parameters=True, connect_args=driver, **pool)

    @sa.event.listens_for(made.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1000)}")
        cursor.execute("PRAGMA page_count")
        if cursor.fetchone()[0] == 0:  # a new file; later this would be a write, and in vain
            cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @sa.event.listens_for(made.sync_engine, "begin")
    def begin(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        if options.keys() & (ALONE | AUTOCOMMIT).keys():
            return
        waits = "NORMAL" if options.keys() & NOT_DURABLE.keys() else "FULL"  # for the disk, at the commit
        if connection.info.setdefault("waits", "FULL") != waits:
            connection.exec_driver_sql(f"PRAGMA synchronous={waits}")
            connection.info["waits"] = waits
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return made


class OneTurnConnection(aiosqlite.Connection):
    """A connection whose statements take one turn of its thread each; `options` are those of `sqlite3.connect`."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(partial(sqlite3.connect, path, **options), iter_chunk_size=1)
        self._thread.daemon = True  # whoever ends with a connection open, ends

    def cursor(self) -> "OneTurnCursor":  # type: ignore[override]
        """Give what a statement is executed with."""
        return OneTurnCursor(self)

    async def rollback(self) -> None:
        """Roll back the transaction that is under way, if one is."""
        if self.in_transaction:
            await super().rollback()

    async def take_turn(self, call: Call, statement: str, parameters: Any) -> tuple[sqlite3.Cursor, list[Any]]:
        """Execute a statement and give all of its rows, and the cursor, closed, which says what they are."""

        def turn() -> tuple[sqlite3.Cursor, list[Any]]:
            cursor = self._conn.cursor()
            try:
                getattr(cursor, call)(statement, parameters)
                return cursor, cursor.fetchall() if cursor.description else []
            finally:
                cursor.close()

        taken: tuple[sqlite3.Cursor, list[Any]] = await self._execute(turn)  # type: ignore[no-untyped-call]
        return taken


class OneTurnCursor:
    """One statement at a time and what it has given, as SQLAlchemy asks a driver for it."""

    arraysize = 1
    description: Any = None
    rowcount, lastrowid = -1, None

    def __init__(self, connection: OneTurnConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Execute a statement, and read it to its end."""
        await self._take_turn("execute", statement, parameters)

    async def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a statement for each of some rows."""
        await self._take_turn("executemany", statement, rows)

    async def _take_turn(self, call: Call, statement: str, parameters: Any) -> None:
        ended, self._rows = await self._connection.take_turn(call, statement, parameters)
        self.description, self.rowcount, self.lastrowid = ended.description, ended.rowcount, ended.lastrowid

    async def fetchall(self) -> list[Any]:
        """Give its rows."""
        return self._rows

    async def close(self) -> None:
        """Nothing is left open."""
