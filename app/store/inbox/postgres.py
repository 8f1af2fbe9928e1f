"""The inbox on PostgreSQL: one writer task on its own connection, opened when first needed and again after a loss."""

import asyncio
from functools import cache

import asyncpg
from sqlalchemy import URL
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from app.errors import StoreUnavailable
from app.ports import Committed, Delivery
from app.store.database import BUSY_TIMEOUT_S
from app.store.inbox.group_commit import Room, Waiting
from app.store.inbox.statements import parameters, statements

# the last: a server that has lost its part to another
_AWAY = (OSError, asyncpg.InterfaceError, asyncpg.ReadOnlySQLTransactionError)


class PostgresInbox:
    """See `Inbox`."""

    def __init__(self, url: URL, committed: Committed) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._statements = _compiled()
        self._room = Room(committed)
        self._bell = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._task = asyncio.create_task(self._write(), name="inbox")

    async def keep(self, delivery: Delivery) -> None:
        """See `Inbox.keep`."""
        done = self._room.enter(delivery)
        self._bell.set()
        await done

    async def close(self) -> None:
        """See `Inbox.close`."""
        self._room.is_closed = True
        self._bell.set()
        await self._task

    async def _write(self) -> None:
        while self._room or not self._room.is_closed:
            await self._bell.wait()
            self._bell.clear()
            while group := self._room.group():
                await self._settle(group)
        if self._connection is not None:
            await self._connection.close()

    async def _settle(self, group: list[Waiting]) -> None:
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_S):
                await self._commit(group)
        except Exception as error:  # noqa: BLE001 - whatever it is, everybody who waits must be answered
            is_store = isinstance(error, _AWAY) or self._is_lost()
            if is_store and self._connection is not None:
                self._connection.terminate()
                self._connection = None
            if len(group) == 1 or is_store:
                self._room.answer(group, StoreUnavailable(f"the database refused: {type(error).__name__}"))
            else:
                for one in group:
                    await self._settle([one])
        else:
            self._room.answer(group, None)

    def _is_lost(self) -> bool:
        return self._connection is None or self._connection.is_closed()

    async def _commit(self, group: list[Waiting]) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._dsn)
        async with self._connection.transaction():
            batches = parameters([one.delivery for one in group])
            for text, rows in zip(self._statements, batches, strict=True):
                if rows:
                    await self._connection.execute(text, rows)


@cache
def _compiled() -> list[str]:
    return statements(PGDialect_asyncpg())  # type: ignore[no-untyped-call]
