"""The inbox on PostgreSQL: one writer task on its own connection, opened when first needed and again after a loss."""

import asyncio
from collections.abc import Sequence
from functools import cache

import asyncpg
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from app.database_url import PostgresAddress
from app.ports import Committed, Delivery
from app.store.database import BUSY_TIMEOUT_S
from app.store.inbox.group_commit import GroupCommit, GroupFailure
from app.store.inbox.statements import both_parameters, one_statement
from app.store.postgres import connect

# the last: a server that has lost its part to another
_AWAY = (OSError, asyncpg.InterfaceError, asyncpg.ReadOnlySQLTransactionError)


class PostgresInbox(GroupCommit):
    """See `Inbox`."""

    def __init__(self, address: PostgresAddress, committed: Committed, busy_s: float = BUSY_TIMEOUT_S) -> None:
        self._address, self._busy_s = address, busy_s
        self._connection: asyncpg.Connection | None = None
        super().__init__(committed)

    async def _failure(self, deliveries: Sequence[Delivery], *, keeps: bool) -> GroupFailure | None:
        """See `GroupCommit`; without a connection afterwards when it was everybody's failure."""
        try:
            async with asyncio.timeout(self._busy_s):
                await self._written(deliveries, keeps=keeps)
        except Exception as error:  # noqa: BLE001 - whatever it is, everybody who waits must be answered
            if isinstance(error, _AWAY) or self._is_lost():
                if self._connection is not None:
                    self._connection.terminate()
                self._connection = None
            return GroupFailure.of(error, is_everybodys=self._connection is None)
        return None

    async def _let_go(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    def _is_lost(self) -> bool:
        return self._connection is None or self._connection.is_closed()

    async def _written(self, deliveries: Sequence[Delivery], *, keeps: bool) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._address)
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            await self._connection.execute(_statement(), *both_parameters(deliveries))
        except BaseException:
            await transaction.rollback()
            raise
        await (transaction.commit() if keeps else transaction.rollback())


@cache
def _statement() -> str:
    return one_statement(PGDialect_asyncpg())  # type: ignore[no-untyped-call]
