"""The inbox on PostgreSQL: one writer task on its own connection, opened when first needed and again after a loss."""

import asyncio
from collections.abc import Sequence
from functools import cache

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from app.database_url import PostgresAddress
from app.ports import Committed, Delivery
from app.store.database import BUSY_TIMEOUT_S
from app.store.inbox.group_commit import Room, Waiting, probe_delivery, refused
from app.store.inbox.statements import parameters, statements
from app.store.postgres import connect

# the last: a server that has lost its part to another
_AWAY = (OSError, asyncpg.InterfaceError, asyncpg.ReadOnlySQLTransactionError)


class PostgresInbox:
    """See `Inbox`."""

    def __init__(self, address: PostgresAddress, committed: Committed, busy_s: float = BUSY_TIMEOUT_S) -> None:
        self._address, self._busy_s = address, busy_s
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

    async def probe(self) -> None:
        """See `Inbox.probe`."""
        done = self._room.enter_probe()
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
            while self._room:
                if probes := self._room.probes():
                    self._room.answer_probes(probes, await self._failure([probe_delivery()], keeps=False))
                if group := self._room.group():
                    await self._settle(group)
        if self._connection is not None:
            await self._connection.close()

    async def _settle(self, group: list[Waiting]) -> None:
        error = await self._failure([one.delivery for one in group], keeps=True)
        parts = error and self._room.parts(group, error, is_everybodys=self._connection is None)
        if not parts:
            self._room.answer(group, error)
            return
        for part in parts:
            await self._settle(part)

    async def _failure(self, deliveries: Sequence[Delivery], *, keeps: bool) -> Exception | None:
        """Write deliveries, and give why that failed; without a connection afterwards when it was everybody's failure.

        keeps  whether they stay; else all of it is rolled back
        """
        try:
            async with asyncio.timeout(self._busy_s):
                await self._written(deliveries, keeps=keeps)
        except Exception as error:  # noqa: BLE001 - whatever it is, everybody who waits must be answered
            if isinstance(error, _AWAY) or self._is_lost():
                if self._connection is not None:
                    self._connection.terminate()
                self._connection = None
            return refused(error)
        return None

    def _is_lost(self) -> bool:
        return self._connection is None or self._connection.is_closed()

    async def _written(self, deliveries: Sequence[Delivery], *, keeps: bool) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._address)
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            for text, rows in zip(self._statements, parameters(deliveries), strict=True):
                if rows:
                    await self._connection.execute(text, rows)
        except BaseException:
            await transaction.rollback()
            raise
        await (transaction.commit() if keeps else transaction.rollback())


@cache
def _compiled() -> list[str]:
    return statements(PGDialect_asyncpg())  # type: ignore[no-untyped-call]
