"""Is the schema what this code needs? Bringing it there is `chronobridge migrate`, and nothing else.

Code of version N runs on the schema of N+1: a revision we have never heard of is newer, and fine. A migration is named
by its file, so nobody who only asks has to load what migrates.
"""

from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.errors import StoreUnavailable
from app.store.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"


@cache
def known_revisions() -> tuple[str, ...]:
    """Give the revisions this code knows, the newest last; read once, the files do not change under us."""
    return tuple(sorted(file.stem.partition("_")[0] for file in MIGRATIONS.glob("versions/[0-9]*.py")))


async def is_behind(database: Database) -> bool:
    """Say whether `chronobridge migrate` is needed.

    Raises  StoreUnavailable when the database cannot be reached
    """
    known, current = known_revisions(), await current_revision(database)
    return current is None or (current in known and current != known[-1])


async def current_revision(database: Database) -> str | None:
    """Give the revision of the database; None where it has none.

    Raises  StoreUnavailable when the database cannot be reached
    """
    if database.is_sqlite and not database.path.exists():
        return None
    try:
        rows: list[Any] = await database.read(sa.text("SELECT version_num FROM alembic_version"))
    except StoreUnavailable:
        await database.read(sa.text("SELECT 1"))  # away altogether: say that instead
        return None
    return rows[0][0] if rows else None
