"""SQLite's own: how a statement gets to the thread that each connection of the engine's has, and what it is told.

The driver takes a turn of that thread for each step: for a cursor, the statement, its rows, the cursor's end. A turn
costs more than most statements do, so here all steps of a statement are one; and rolling back nothing is none. What
SQLite has made of a statement is kept on each connection, 0.6 MB of one that names 3,000 values: so values, however
many, are one.

Source  aiosqlite 0.22, core.py; SQLAlchemy 2.1, connectors/asyncio.py, on which of a driver's calls it makes
"""

import json
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, Self

import aiosqlite
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

Call = Literal["execute", "executemany"]


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


class _JsonArray(sa.TypeDecorator[Any]):
    """Values, told to the database as a JSON array."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str:  # noqa: ARG002
        """Give the array."""
        return json.dumps(list(value), ensure_ascii=False)  # text that no encoding can carry fails at the driver


class Among(sa.BindParameter[Any]):
    """Values, however many, for `in_`; on SQLite the statement is the same however many they are."""

    inherit_cache = True


@compiles(Among, "sqlite")
def _among(element: Any, compiler: Any, **_: Any) -> str:
    told = compiler.process(sa.bindparam(element.key, type_=_JsonArray))
    return f"(SELECT value FROM json_each({told}))"  # noqa: S608 - the place of a parameter
