"""What we hold of each vendor's trust: the token pair, sealed, and who may refresh it.

One row per side. A save names the version it replaces, so a refresher that was thought dead cannot put an old pair
back, and one that was merely slow still saves the only pair that lives. `asked_at` is set with the right to refresh and
cleared by whatever ends it: found later, it tells of a refresh that was cut off. All times are the database's.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.errors import LeaseLost
from app.ports import SealedColumn, StoredToken, TokenLease
from app.store import fence
from app.store.clock import after, db_now
from app.store.database import Database, insert_into
from app.store.encryption import Vault
from app.store.tables import connections, watermarks
from app.sync.model import Side

Note = Callable[[AsyncConnection], Awaitable[None]]


class VendorTokens:
    """The stored connection of one side."""

    def __init__(self, database: Database, vault: Vault, side: Side) -> None:
        self._database, self._vault, self._side = database, vault, side
        self._place = SealedColumn.CONNECTION_TOKEN.of(side.value)
        self._is_ours, self._stored = connections.c.side == side.value, f"token_{side}"

    async def read(self) -> StoredToken:
        """Give what is stored now; version 0 when nothing ever was.

        Raises  Undecryptable when no configured key opens the token
        """
        told = {"p_side": self._side.value, "p_stored": self._stored, **fence.ours(self._database)}
        rows = await self._database.read(_HOW_IT_STANDS, told)
        if not rows:
            return StoredToken()
        row = rows[0]
        return StoredToken(
            self._vault.open(row.token, self._place) if row.token else None,
            row.version,
            bool(row.is_stale),
            bool(row.is_expired),
            None if row.refused_for_ms is None else row.refused_for_ms / 1000,
            row.refused_code,
            max(row.ask_again_in_ms or 0, 0) / 1000,
            bool(row.is_cut_off),
            row.practice,
            None if row.expires_in_ms is None else row.expires_in_ms / 1000,
            None if row.age_ms is None else row.age_ms / 1000,
            bool(row.is_ours),
        )

    async def practice(self) -> str | None:
        """Give whose practice the database is, connected now or before; None where nobody ever connected one."""
        rows = await self._database.read(sa.select(connections.c.practice).where(self._is_ours))
        return rows[0].practice if rows else None

    async def lease(self, span: timedelta) -> TokenLease | None:
        """Take the right to ask for a token, for a while; None when another process has it.

        Raises  OtherInstance
        """
        owner = str(ULID())

        async def work(connection: AsyncConnection) -> TokenLease | None:
            await fence.require(connection, self._database)
            insert = insert_into(connections, connection.dialect)
            await connection.execute(insert.values(side=self._side.value, version=0).on_conflict_do_nothing())
            there = sa.select(connections.c.asked_at, connections.c.version).where(self._is_ours).with_for_update()
            before = (await connection.execute(there)).one()
            taken = await connection.execute(
                sa.update(connections)
                .where(self._is_ours, _is_free())
                .values(lease_owner=owner, lease_until=after(span), asked_at=db_now())
            )
            return TokenLease(owner, before.version, before.asked_at is not None) if taken.rowcount else None

        return await self._database.transact(work)

    async def save(
        self,
        lease: TokenLease,
        version: int,
        token: dict[str, Any],
        refresh_in: timedelta | None = None,
        lives: timedelta | None = None,
        *,
        is_doubted: bool = False,
    ) -> StoredToken:
        """Store the token that follows `version` and let the lease go; it is durable before anyone can use it.

        A pair that waited for a word is forgotten; the practice of the token's account is remembered for good.

        refresh_in, lives  when an early refresh is due, and how long the vendor says it lives; None: not stated
        is_doubted         the refusal of the one before stays until this one is taken
        Raises  LeaseLost when another token has followed that version already
        """
        saved = {
            "token": self._vault.seal(token, self._place),
            "version": version + 1,
            "refresh_at": None if refresh_in is None else after(refresh_in),
            "expires_at": None if lives is None else after(lives),
            "ask_again_at": None,
            "pending": None,
            "pending_at": None,
        }
        if not is_doubted:
            saved |= {"refused_at": None, "refused_code": None}
        if practice := token.get("account", {}).get("practice"):
            saved["practice"] = practice
        await self._end(lease, connections.c.version == version, saved, self._note)
        return await self.read()

    async def refuse(self, lease: TokenLease, code: str, again_in: timedelta | None = None) -> None:
        """Remember that the vendor refused our credential, and since when it does, so that nobody asks again at once.

        again_in  how long nobody is to ask the token endpoint; None: nothing is known of it
        Raises  LeaseLost when the lease has passed on, or a token has followed the refused one meanwhile
        """
        column = connections.c
        same = sa.and_(_held_by(lease), column.version == lease.version)
        since = sa.case(
            (column.refused_code == code[:64], sa.func.coalesce(column.refused_at, db_now())), else_=db_now()
        )
        again_at = None if again_in is None else after(again_in)
        await self._end(lease, same, {"refused_at": since, "refused_code": code[:64], "ask_again_at": again_at})

    async def trust(self, version: int, code: str) -> None:
        """Forget that the token of a version was refused by this code: the vendor has taken it."""
        column = connections.c
        refused = (self._is_ours, column.version == version, column.refused_code == code)
        taken = sa.update(connections).where(*refused)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(taken.values(refused_at=None, refused_code=None, ask_again_at=None))

        await self._database.transact(work)

    async def release(
        self, lease: TokenLease, ask_again_in: timedelta | None = None, *, is_answered: bool = True
    ) -> None:
        """Let the lease go without a token.

        ask_again_in  how long nobody is to ask
        is_answered   False: the vendor may have given a token that never reached us
        """
        values: dict[str, Any] = {} if ask_again_in is None else {"ask_again_at": after(ask_again_in)}
        await self._end(lease, _held_by(lease), values if is_answered else values | {"asked_at": db_now()})

    async def forget(self, lease: TokenLease) -> None:
        """Forget the token and the pair that waits, and let the lease go; whose practice it was stays known."""
        gone = dict.fromkeys(("token", "refresh_at", "expires_at", "refused_at", "refused_code", "ask_again_at"))
        version = connections.c.version + 1
        await self._end(lease, _held_by(lease), {**gone, "version": version, "pending": None, "pending_at": None})

    async def _note(self, connection: AsyncConnection) -> None:
        """Note when the token was stored."""
        first = insert_into(watermarks, connection.dialect).values(name=self._stored, at=db_now())
        await connection.execute(
            first.on_conflict_do_update(index_elements=[watermarks.c.name], set_={"at": first.excluded["at"]})
        )

    async def _end(
        self, lease: TokenLease, condition: sa.ColumnElement[bool], values: dict[str, Any], note: Note | None = None
    ) -> None:
        """Save under a condition, and let the lease go where it is still ours; `note`: what is noted with it."""
        owner, until = connections.c.lease_owner, connections.c.lease_until
        freed = {
            "asked_at": None,
            "lease_owner": sa.case((_held_by(lease), None), else_=owner),
            "lease_until": sa.case((_held_by(lease), None), else_=until),
        }

        async def work(connection: AsyncConnection) -> None:
            ended = sa.update(connections).where(self._is_ours, condition).values(**(freed | values))
            if not (await connection.execute(ended)).rowcount:
                raise LeaseLost(f"{self._side}: the right to refresh passed to another process")
            if note is not None:
                await note(connection)

        await self._database.transact(work)


def _held_by(lease: TokenLease) -> sa.ColumnElement[bool]:
    return connections.c.lease_owner == lease.owner


def _is_free() -> sa.ColumnElement[bool]:
    return sa.or_(connections.c.lease_until.is_(None), connections.c.lease_until < db_now())


def _how_it_stands() -> sa.Select[Any]:
    """Ask for what is stored, and how old it is; each call of the vendor's asks it."""
    now, column = sa.type_coerce(db_now(), sa.BigInteger), connections.c
    stored_at = sa.select(watermarks.c.at).where(watermarks.c.name == sa.bindparam("p_stored")).scalar_subquery()
    return sa.select(
        column.token,
        column.version,
        (column.refresh_at <= db_now()).label("is_stale"),
        (column.expires_at <= db_now()).label("is_expired"),
        (sa.type_coerce(column.expires_at, sa.BigInteger) - now).label("expires_in_ms"),
        (now - sa.type_coerce(column.refused_at, sa.BigInteger)).label("refused_for_ms"),
        column.refused_code,
        (sa.type_coerce(column.ask_again_at, sa.BigInteger) - now).label("ask_again_in_ms"),
        sa.and_(column.asked_at.is_not(None), _is_free()).label("is_cut_off"),
        column.practice,
        (now - sa.type_coerce(stored_at, sa.BigInteger)).label("age_ms"),
        fence.is_ours_now().label("is_ours"),
    ).where(column.side == sa.bindparam("p_side"))


_HOW_IT_STANDS = _how_it_stands()
