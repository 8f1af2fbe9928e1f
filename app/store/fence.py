"""The fence: of all installations that may hold a copy of the database, one acts; the others neither call nor write.

A database belongs to the identity (PUBLIC_URL and INSTANCE_ID) that opened it first. Whoever opens it under another
one, as a restored or a cloned database is, is fenced off until an operator resumes all lanes there: that hands the
database over, and fences off whoever had it before. So at every moment one identity has the right to act. It is asked
for inside the transactions that give that right: leasing records, tokens, scans and schedules, and counting a call.
"""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import OtherInstance
from app.store.clock import db_now
from app.store.database import Database
from app.store.tables import instance

_OWNER = sa.select(instance.c.identity).order_by(instance.c.recorded_at, instance.c.identity).limit(1)


async def recognize(database: Database) -> bool:
    """Say whether the database belongs to this installation; the first that opens it has it from then on.

    Raises  StoreUnavailable
    """
    owner = await _owner(database)
    if owner is not None:
        return owner == database.identity

    async def work(connection: AsyncConnection) -> bool:
        return await is_held(connection, database)

    return await database.transact(work)


async def is_ours(database: Database) -> bool:
    """Say whether this installation may act; nothing is written for it.

    Raises  StoreUnavailable
    """
    return await _owner(database) in (None, database.identity)


async def is_held(connection: AsyncConnection, database: Database) -> bool:
    """Say, inside a transaction, whether this installation may act; one that no other was before gets the right."""
    owner = await connection.scalar(_OWNER)
    if owner is None:
        if not database.is_sqlite:  # of two first starts under two identities, one is first
            await connection.execute(sa.text("LOCK TABLE instance IN EXCLUSIVE MODE"))
            owner = await connection.scalar(_OWNER)
        if owner is None:
            owner = database.identity
            await connection.execute(sa.insert(instance).values(identity=owner, recorded_at=db_now()))
    return bool(owner == database.identity)


async def require(connection: AsyncConnection, database: Database) -> None:
    """Let a transaction go on only where this installation may act.

    Raises  OtherInstance
    """
    if not await is_held(connection, database):
        raise OtherInstance


async def hand_over(connection: AsyncConnection, database: Database) -> None:
    """Let the database belong to this installation, and to no other any more."""
    await connection.execute(sa.delete(instance))
    await connection.execute(sa.insert(instance).values(identity=database.identity, recorded_at=db_now()))


def is_ours_now() -> sa.ColumnElement[bool]:
    """Give the condition that this installation may act, for a statement that asks for more; see `ours`."""
    identity = sa.bindparam("p_identity", type_=sa.String)
    return sa.func.coalesce(_OWNER.scalar_subquery(), identity) == identity


def ours(database: Database) -> dict[str, str]:
    """Give what a statement with that condition is told."""
    return {"p_identity": database.identity}


async def _owner(database: Database) -> str | None:
    rows = await database.read(_OWNER)
    return rows[0].identity if rows else None
