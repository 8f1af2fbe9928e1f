"""What SQLite holds free is given back to the disk, and its log is cut, in steps short enough for those who wait.

Free pages are given back a few at a time, each time in a short transaction; a share of the file stays free, for what
comes in next. PostgreSQL uses free room again by itself (autovacuum): nothing is done there. A file made by a version
that did not ask for this keeps its size: what is free in it is used again, and only `VACUUM`, with the service stopped,
makes it smaller.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

from app.errors import StoreUnavailable
from app.store.database import BUSY_TIMEOUT_S, Database

PAGES = 256  # a MiB
_FREE_SHARE = 0.1
_IMPATIENT_S = 0.05
_INCREMENTAL = 2


async def steps(database: Database) -> AsyncGenerator[int]:
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
