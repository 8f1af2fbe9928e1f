"""Is the schema what this code needs? Bringing it there is `chronobridge migrate`, and nothing else.

Code of version N runs on the schema of N+1: a revision we have never heard of is newer, and fine.
"""

from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import StoreUnavailable
from app.store.database import Database
from app.store.tables import metadata

_MIGRATING = 0x6368726F6E6F
_MIGRATIONS = Path(__file__).parent / "migrations"


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    return config


async def migrate(database: Database) -> None:
    """Bring the schema to this code's revision, in one transaction; a newer one is left alone."""
    current, (known, _) = await _current(database), _revisions()
    if current is not None and current not in known:
        return

    async def work(connection: AsyncConnection) -> None:
        if not database.is_sqlite:  # two that start at once wait for each other; SQLite's writers do so anyway
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATING)))
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "head"))

    await database.transact(work)


@cache
def _revisions() -> tuple[frozenset[str], str | None]:
    """Give the revisions this code knows, and the newest; read once, the files do not change under us."""
    script = ScriptDirectory.from_config(_config())
    return frozenset(revision.revision for revision in script.walk_revisions()), script.get_current_head()


async def is_behind(database: Database) -> bool:
    """Say whether `chronobridge migrate` is needed.

    Raises  StoreUnavailable when the database cannot be reached
    """
    known, newest = _revisions()
    current = await _current(database)
    return current is None or (current in known and current != newest)


async def _current(database: Database) -> str | None:
    if database.is_sqlite and not database.path.exists():
        return None
    try:
        rows: list[Any] = await database.read(sa.text("SELECT version_num FROM alembic_version"))
    except StoreUnavailable:
        await database.read(sa.text("SELECT 1"))  # away altogether: say that instead
        return None
    return rows[0][0] if rows else None
