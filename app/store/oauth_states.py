"""A consent under way: the state we sent a browser to DrChrono with, and the token pair that waits for a word.

A state works once, for the browser it was given to, and not for long; only hashes of both are kept. A pair that came of
it waits here, sealed, until we know whose it is: it is durable before anyone uses it, like every pair.
"""

import hashlib
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import SealedColumn
from app.store.clock import after, db_now
from app.store.database import Database, insert_into
from app.store.encryption import Vault
from app.store.tables import connections, consents
from app.sync.model import Side

LIFE = timedelta(minutes=10)
_PENDING = SealedColumn.CONNECTION_PENDING.of(Side.DRCHRONO.value)


class OAuthStates:
    """The consents of DrChrono users that are under way."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault

    async def expect(self, state: str, browser: str) -> None:
        """Remember that this browser was sent away with this state."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.delete(consents).where(consents.c.expires_at < db_now()))
            ours = {"state": _hash(state), "browser": _hash(browser), "expires_at": after(LIFE)}
            await connection.execute(sa.insert(consents).values(**ours))

        await self._database.transact(work)

    async def take(self, state: str, browser: str) -> bool:
        """Say whether this browser was sent away with this state a short while ago; nobody is told so twice."""

        async def work(connection: AsyncConnection) -> bool:
            used = sa.delete(consents).where(consents.c.state == _hash(state))
            good = sa.and_(consents.c.browser == _hash(browser), consents.c.expires_at >= db_now())
            return bool(await connection.scalar(used.returning(good)))

        return await self._database.transact(work)

    async def hold(self, pair: dict[str, Any]) -> None:
        """Keep a pair until somebody says what becomes of it; it takes the place of any other that waits."""
        sealed = self._vault.seal(pair, _PENDING)

        async def work(connection: AsyncConnection) -> None:
            insert = insert_into(connections, connection.dialect)
            await connection.execute(insert.values(side=Side.DRCHRONO.value, version=0).on_conflict_do_nothing())
            await connection.execute(_ours(sa.update(connections)).values(pending=sealed, pending_at=db_now()))

        await self._database.transact(work)

    async def held(self) -> dict[str, Any] | None:
        """Give the pair that waits; None when there is none, or it has waited too long."""
        fresh = connections.c.pending_at >= after(-LIFE)
        rows = await self._database.read(_ours(sa.select(connections.c.pending)).where(fresh))
        return self._vault.open(rows[0].pending, _PENDING) if rows and rows[0].pending else None

    async def drop(self) -> None:
        """Forget the pair that waits."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(_ours(sa.update(connections)).values(pending=None, pending_at=None))

        await self._database.transact(work)


def _ours(statement: Any) -> Any:
    return statement.where(connections.c.side == Side.DRCHRONO.value)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
