"""The inbox on SQLite: one writer thread on its own connection.

Measured beside SQLAlchemy's async engine, which costs a thread hop and a commit per request, this is about ten times
cheaper under load; the statements are the same Core ones, compiled.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from sqlalchemy.dialects import sqlite

from app.ports import Committed, Delivery
from app.store.database import BUSY_TIMEOUT_S
from app.store.inbox.group_commit import Room, Waiting, probe_delivery, refused
from app.store.inbox.statements import parameters, statements


class SqliteInbox:
    """See `Inbox`."""

    def __init__(self, path: Path, committed: Committed) -> None:
        self._path = path
        self._statements = _compiled()
        self._room = Room(committed)
        self._bell = threading.Condition()
        self._connection: sqlite3.Connection | None = None
        self._inode = (0, 0)
        self._thread = threading.Thread(target=self._write, name="inbox", daemon=True)
        self._thread.start()

    async def keep(self, delivery: Delivery) -> None:
        """See `Inbox.keep`."""
        with self._bell:
            done = self._room.enter(delivery)
            self._bell.notify()
        await done

    async def probe(self) -> None:
        """See `Inbox.probe`."""
        with self._bell:
            done = self._room.enter_probe()
            self._bell.notify()
        await done

    async def close(self) -> None:
        """See `Inbox.close`."""
        with self._bell:
            self._room.is_closed = True
            self._bell.notify()
        await asyncio.to_thread(self._thread.join)

    def _write(self) -> None:
        while True:
            with self._bell:
                self._bell.wait_for(lambda: self._room or self._room.is_closed)
                probes, group = self._room.probes(), self._room.group()
            if probes:
                self._room.answer_probes(probes, self._failure([probe_delivery()], keeps=False)[0])
            if group:
                self._settle(group)
            if not probes and not group:
                self._let_go()
                return

    def _settle(self, group: list[Waiting]) -> None:
        error, is_store = self._failure([one.delivery for one in group], keeps=True)
        parts = error and self._room.parts(group, error, is_everybodys=is_store)
        if not parts:
            self._room.answer(group, error)
            return
        for part in parts:
            self._settle(part)

    def _failure(self, deliveries: Sequence[Delivery], *, keeps: bool) -> tuple[Exception | None, bool]:
        """Write deliveries, and give why that failed, and whether it is true of everybody: full, locked or gone.

        keeps  whether they stay; else all of it is rolled back
        """
        try:
            self._write_all(deliveries, keeps=keeps)
        except Exception as error:  # noqa: BLE001 - whatever it is, everybody who waits must be answered
            return refused(error), isinstance(error, sqlite3.OperationalError | OSError)
        return None, False

    def _write_all(self, deliveries: Sequence[Delivery], *, keeps: bool) -> None:
        connection, batches = self._connected(), parameters(deliveries)
        try:
            connection.execute("BEGIN IMMEDIATE")
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
            self._connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT_S / 2, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous=FULL")
        self._must_be_there()
        return self._connection

    def _must_be_there(self) -> None:
        """Refuse a file that was deleted or replaced under us: the system would let us write it, and lose it."""
        try:
            if _inode(self._path) == self._inode:
                return
        except OSError:
            self._let_go()
            raise
        self._let_go()
        raise FileNotFoundError(str(self._path))

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _inode(path: Path) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116 - on the hot path
    return found.st_dev, found.st_ino


@cache
def _compiled() -> list[str]:
    return statements(sqlite.dialect(paramstyle="qmark"))
