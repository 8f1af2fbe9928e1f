"""The inbox on SQLite: one writer thread on its own connection.

Measured beside SQLAlchemy's async engine, which costs a thread hop and a commit per request, this is about ten times
cheaper under load; the statements are the same Core ones, compiled.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from time import monotonic, sleep

from sqlalchemy.dialects import sqlite

from app.ports import Committed, Delivery
from app.store.database import BUSY_TIMEOUT_S
from app.store.inbox.group_commit import GroupCommit, GroupFailure
from app.store.inbox.statements import parameters, statements

_PATIENCE_S, _LOOKED_AGAIN_S = BUSY_TIMEOUT_S / 2, 0.001


class SqliteInbox(GroupCommit):
    """See `Inbox`."""

    def __init__(self, path: Path, committed: Committed) -> None:
        self._path = path
        self._statements = _compiled()
        self._thread = ThreadPoolExecutor(1, "inbox")
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        super().__init__(committed)

    async def _failure(self, deliveries: Sequence[Delivery], *, keeps: bool) -> GroupFailure | None:
        try:
            await self._in_thread(partial(self._write_all, deliveries, keeps=keeps))
        except Exception as error:  # noqa: BLE001 - whatever it is, everybody who waits must be answered
            return GroupFailure.of(error, is_everybodys=isinstance(error, sqlite3.OperationalError | OSError))
        return None

    async def _in_thread(self, write: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, write)

    async def _let_go(self) -> None:
        self._disconnect()
        self._thread.shutdown(wait=False)

    def _write_all(self, deliveries: Sequence[Delivery], *, keeps: bool) -> None:
        connection, batches = self._connected(), parameters(deliveries)
        try:
            _when_free(connection, "BEGIN IMMEDIATE")
            for text, rows in zip(self._statements, batches, strict=True):
                if rows:
                    connection.execute(text, (rows,))
            connection.execute("COMMIT" if keeps else "ROLLBACK")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._must_be_there()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._inode = _inode(self._path)  # raises when it is not there: connecting would make an empty one
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            _when_free(connection, "PRAGMA synchronous=FULL")  # reads the file, which whoever closes it last has alone
            self._connection = connection
        self._must_be_there()
        return self._connection

    def _must_be_there(self) -> None:
        """Refuse a file that was deleted or replaced under us: the system would let us write it, and lose it."""
        try:
            if _inode(self._path) == self._inode:
                return
        except OSError:
            self._disconnect()
            raise
        self._disconnect()
        raise FileNotFoundError(str(self._path))

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _when_free(connection: sqlite3.Connection, statement: str) -> None:
    """Execute a statement once nobody else has the file, or the right to write, for themselves.

    SQLite's own way to wait looks ever less often, in the end ten times a second: whoever writes short transactions one
    after the other, as a worker does, would keep deliveries waiting for most of that time.
    """
    until = monotonic() + _PATIENCE_S
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
        else:
            return
        sleep(_LOOKED_AGAIN_S)


def _inode(path: Path) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116 - on the hot path
    return found.st_dev, found.st_ino


@cache
def _compiled() -> list[str]:
    return statements(sqlite.dialect(paramstyle="qmark"))
