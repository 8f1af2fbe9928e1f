"""What we hold of each vendor's trust: the token pair, sealed, and who may refresh it.

One row per side. The lease is fenced: a save names the lease it was made under and the version it replaces, so a
refresher that was thought dead cannot put an old pair back. All times are the database's.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.errors import LeaseLost
from app.store.database import Database
from app.store.secrets import Vault
from app.store.tables import after, connections, db_now
from app.sync.records import Side

_LEASE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Stored:
    """A token as stored. `is_stale`: past its time for an early refresh. `refused_for_s`: since the vendor said no."""

    token: dict[str, Any] | None
    version: int
    is_stale: bool
    refused_for_s: float | None
    refused_code: str | None


class Connections:
    """The stored connection of one side."""

    def __init__(self, database: Database, vault: Vault, side: Side) -> None:
        self._database, self._vault, self._side = database, vault, side

    async def read(self) -> Stored:
        """Give what is stored now; version 0 when nothing ever was."""
        since = sa.type_coerce(db_now(), sa.BigInteger) - sa.type_coerce(connections.c.refused_at, sa.BigInteger)
        rows = await self._database.read(
            sa.select(
                connections.c.token,
                connections.c.version,
                (connections.c.refresh_at <= db_now()).label("is_stale"),
                since.label("refused_for_ms"),
                connections.c.refused_code,
            ).where(connections.c.side == self._side.value)
        )
        if not rows:
            return Stored(None, 0, is_stale=False, refused_for_s=None, refused_code=None)
        row = rows[0]
        token = self._vault.open(row.token) if row.token else None
        refused = None if row.refused_for_ms is None else row.refused_for_ms / 1000
        return Stored(token, row.version, bool(row.is_stale), refused, row.refused_code)

    async def lease(self) -> str | None:
        """Take the right to refresh, for half a minute; None when another process has it."""
        owner = str(ULID())

        async def work(connection: AsyncConnection) -> str | None:
            insert = (sqlite if self._database.is_sqlite else postgresql).insert(connections)
            await connection.execute(insert.values(side=self._side.value, version=0).on_conflict_do_nothing())
            free = sa.or_(connections.c.lease_until.is_(None), connections.c.lease_until < db_now())
            taken = await connection.execute(
                sa.update(connections)
                .where(connections.c.side == self._side.value, free)
                .values(lease_owner=owner, lease_until=after(_LEASE))
            )
            return owner if taken.rowcount else None

        return await self._database.transact(work)

    async def save(self, lease: str, token: dict[str, Any], refresh_in: timedelta | None) -> Stored:
        """Store a new token and let the lease go; it is durable before anyone can use it.

        Raises  LeaseLost when the lease has passed to another process
        """
        await self._under(
            lease,
            {
                "token": self._vault.seal(token),
                "version": connections.c.version + 1,
                "refresh_at": after(refresh_in) if refresh_in is not None else None,
                "refused_at": None,
                "refused_code": None,
            },
        )
        return await self.read()

    async def refuse(self, lease: str, code: str) -> None:
        """Remember that the vendor refused our credential, so that nobody asks again at once."""
        await self._under(lease, {"refused_at": db_now(), "refused_code": code[:64]})

    async def release(self, lease: str) -> None:
        """Let the lease go unused."""
        await self._under(lease, {})

    async def _under(self, lease: str, values: dict[str, Any]) -> None:
        async def work(connection: AsyncConnection) -> None:
            ours = sa.and_(connections.c.side == self._side.value, connections.c.lease_owner == lease)
            done = await connection.execute(
                sa.update(connections).where(ours).values(lease_owner=None, lease_until=None, **values)
            )
            if not done.rowcount:
                raise LeaseLost(f"{self._side}: the right to refresh passed to another process")

        await self._database.transact(work)
