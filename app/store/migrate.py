"""Bring the schema to what this code needs, as `chronobridge migrate` does; one process at a time, beside a service."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.database_url import PostgresAddress
from app.store import postgres
from app.store.database import Database
from app.store.schema import MIGRATIONS, current_revision, known_revisions
from app.store.tables.naming import for_migrations

LOCK_TIMEOUT_S = 2.0  # the inbox gives up after five
_ASKS_EVERY_S, _LONGEST_GAP_S = 0.2, 5.0
_IN_USE = frozenset({"55P03", "40P01"})  # a lock that was not to be had in time, a deadlock
_MIGRATING = 0x6368726F6E6F
_TAKE = f"""
SET LOCAL idle_in_transaction_session_timeout = 0;
DO $$ BEGIN IF NOT pg_try_advisory_xact_lock({_MIGRATING}) THEN RAISE lock_not_available; END IF; END $$
"""


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = for_migrations()
    return config


async def migrate(
    database: Database, tell: Callable[[str], None] = lambda _: None, lock_timeout_s: float = LOCK_TIMEOUT_S
) -> None:
    """Bring the schema to this code's revision; a newer one is left alone, and a migration under way is waited for.

    On SQLite all in one transaction. On PostgreSQL one for each migration, without a limit of time; what is done stays.

    tell            hears what is waited for
    lock_timeout_s  how long a change of a table waits for others at a time, and so how long others wait behind it
    Raises          StoreUnavailable
    """
    current = await current_revision(database)
    if current is not None and current not in known_revisions():
        return
    if database.is_sqlite:
        await database.transact(lambda connection: connection.run_sync(_upgrade))
        return
    assert database.address is not None
    async with database.patient(lock_timeout_s) as connection, _only_one(database.address, tell):
        await _upgrade_between_others(connection, tell)


def _upgrade(connection: sa.Connection) -> None:
    command.upgrade(_config(connection), "head")


@asynccontextmanager
async def _only_one(address: PostgresAddress, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """Hold the lock of whoever migrates until the block ends, in a transaction of its own, once nobody else has it.

    Whoever waits asks again and again, and whoever has it asks nothing more: a query under way, or an answer
    that is not read to its end, keeps a snapshot; an index that is built beside the writes would wait for it for ever.
    """
    guard = await postgres.connect(address)
    try:
        for attempt in count():
            transaction = guard.transaction()
            await transaction.start()
            try:
                await guard.execute(_TAKE)
            except asyncpg.LockNotAvailableError:
                await transaction.rollback()
            else:
                break
            if attempt == 0:
                tell("another migration is under way; waiting for its end")
            await asyncio.sleep(_ASKS_EVERY_S)
        yield
    finally:
        await guard.close()  # which ends the transaction


async def _upgrade_between_others(connection: AsyncConnection, tell: Callable[[str], None]) -> None:
    for attempt in count():
        try:
            await connection.run_sync(_upgrade)
        except DBAPIError as error:
            await connection.rollback()
            if getattr(error.orig, "sqlstate", None) not in _IN_USE:
                raise
        else:
            return
        if attempt == 0:
            tell("a table is in use by a transaction that is open elsewhere; trying again until it has ended")
        await asyncio.sleep(min(_ASKS_EVERY_S * (attempt + 1), _LONGEST_GAP_S))
    raise AssertionError
