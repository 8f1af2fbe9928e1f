"""Who did what: one row for each act of a person or a script, only ever added to; never a patient's value in it.

The rows are a chain (`audit_chain.py`). Writers take turns at the head, a row that every act changes: acts are few, and
no webhook waits for one. It is locked last in a transaction, so nobody who holds it waits for anything else.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.ports import Act, Action, By
from app.store.audit_chain import (
    AuditAnchor,
    AuditBreak,
    AuditKeys,
    ChainReader,
    checkpoint_of,
    digest_of,
    sum_of_earlier,
)
from app.store.clock import db_now
from app.store.database import Database
from app.store.tables import audit, audit_head

_BATCH, _RESTS = 1_000, 3
_MOST_IDS = 16_000  # characters
_DROPPED_TOGETHER = timedelta(days=30)  # so that there is a checkpoint a month, not one an hour
_FOREIGN = "was added by something else than this version of the service"
_ITSELF = By("system", "audit")


async def note(database: Database, connection: AsyncConnection, act: Act) -> None:
    """Note an act with what it does, in one commit; the last thing to be done in it."""
    taken = sa.update(audit_head).values(position=audit_head.c.position + 1)
    head = (await connection.execute(taken.returning(audit_head.c.position, audit_head.c.digest))).one()
    position, before = head.position, head.digest
    if position == 1 and (anchor := await _anchor(connection)) is not None:
        before = await _append(connection, database.audit_keys, position, before, anchor)
        position += 1
    digest = await _append(connection, database.audit_keys, position, before, act)
    await connection.execute(sa.update(audit_head).values(position=position, digest=digest))


async def _append(connection: AsyncConnection, keys: AuditKeys, position: int, before: str, act: Act) -> str:
    """Add a row to the chain; gives its digest."""
    row = {
        "id": str(ULID()),
        "at": await connection.scalar(sa.select(db_now())),
        "role": act.by.role,
        "who": act.by.who,
        "name": act.by.name[:254],
        "action": act.action.value,
        "about": act.about[:200],
        "records": act.records,
        "reason": act.reason[:200],
        "ids": _joined(act.ids),
    }
    digest = digest_of(before, position, row)
    key_id, mac = keys.sign(digest)
    chained = {"position": position, "digest": digest, "key_id": key_id, "mac": mac}
    await connection.execute(sa.insert(audit).values(**row, **chained))
    return digest


def _joined(ids: tuple[str, ...]) -> str:
    text = " ".join(ids)
    return text if len(text) <= _MOST_IDS else text[: _MOST_IDS + 1].rpartition(" ")[0]


async def _anchor(connection: AsyncConnection) -> Act | None:
    """Give the row that vouches for those noted before there was a chain; None where there are none."""
    total, count, last = "", 0, ""
    while rows := (await connection.execute(_earlier(last))).mappings().all():
        for row in rows:
            total, count, last = sum_of_earlier(total, row), count + 1, row["id"]
    if not count:
        return None
    return Act(_ITSELF, Action.ANCHOR, f"the {count} rows noted before", count, total, (last,))


def _earlier(after: str) -> sa.Select[Any]:
    return sa.select(audit).where(audit.c.position.is_(None), audit.c.id > after).order_by(audit.c.id).limit(_BATCH)


async def record(database: Database, act: Act) -> None:
    """Note an act that is done by something else than this database."""

    async def work(connection: AsyncConnection) -> None:
        await note(database, connection, act)

    await database.transact(work)


async def lately(
    database: Database, limit: int, *, action: Action | None = None, before: str | None = None
) -> list[sa.Row[Any]]:
    """Give acts, newest first: of one action where told, older than an id where told."""
    asked = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
    if action is not None:
        asked = asked.where(audit.c.action == action.value)
    if before is not None:
        asked = asked.where(audit.c.id < before)
    return await database.read(asked)


async def latest_of(database: Database, actions: Collection[Action], limit: int) -> list[sa.Row[Any]]:
    """Give the newest acts of these actions; each is sought by itself, however many others were noted since."""
    each = [
        sa.select(audit).where(audit.c.action == action.value).order_by(audit.c.id.desc()).limit(limit).subquery()
        for action in sorted(actions)
    ]
    asked = sa.union_all(*(sa.select(one) for one in each)).subquery()
    return await database.read(sa.select(asked).order_by(asked.c.id.desc()).limit(limit))


async def count(database: Database, action: Action | None = None) -> int:
    """Give how many acts were noted."""
    asked = sa.select(sa.func.count()).select_from(audit)
    rows = await database.read(asked if action is None else asked.where(audit.c.action == action.value))
    return int(rows[0][0])


async def between(database: Database, since: datetime | None, until: datetime | None) -> AsyncIterator[sa.Row[Any]]:
    """Give acts, oldest first: not before a moment and before another, where told.

    Raises  StoreUnavailable
    """
    asked, last = sa.select(audit).order_by(audit.c.id).limit(_BATCH), ""
    if since is not None:
        asked = asked.where(audit.c.at >= since)
    if until is not None:
        asked = asked.where(audit.c.at < until)
    while rows := await database.read(asked.where(audit.c.id > last)):
        for row in rows:
            yield row
        last = rows[-1].id


async def head(database: Database) -> AuditAnchor:
    """Give the position and the digest of the last row.

    Raises  StoreUnavailable
    """
    (row,) = await database.read(sa.select(audit_head.c.position, audit_head.c.digest))
    return AuditAnchor(row.position, row.digest)


async def first_break(
    database: Database, anchor: AuditAnchor | None = None, *, rests: bool = False
) -> tuple[AuditBreak | None, AuditAnchor]:
    """Follow the whole chain; give the first row that cannot be believed, and how far it can be.

    anchor  a row as somebody noted it elsewhere: it must still be there and the same
    rests   after each thousand rows for three times as long as they took, so that whoever else works goes first
    Raises  StoreUnavailable
    """
    last = await head(database)  # what is noted meanwhile is for the next time
    reader = ChainReader(database.audit_keys, await _dropped(database, last))
    begins_at, at_anchor, earlier = reader.at.position, None, None
    began = monotonic()
    while rows := await database.read(_after(reader.at.position, last.position)):
        for row in rows:
            if (found := reader.read(row._asdict())) is not None:
                return found, reader.at
            if row.action == Action.ANCHOR.value and row.position == 1:
                earlier = row
            if anchor is not None and anchor.position == row.position:
                at_anchor = reader.at
        if rests:
            await asyncio.sleep(_RESTS * (monotonic() - began))
            began = monotonic()
    broken = reader.end(last) or await _broken_outside(database, last, earlier, is_cut=begins_at > 0)
    if broken is None and anchor is not None and anchor.position > begins_at and at_anchor != anchor:
        is_there = anchor.position <= last.position
        says = "is not the one of the anchor" if is_there else "of the anchor is missing at the end"
        broken = AuditBreak(anchor.position, None, says)
    return broken, reader.at


def _after(position: int, until: int) -> sa.Select[Any]:
    there = sa.and_(audit.c.position > position, audit.c.position <= until)
    return sa.select(audit).where(there).order_by(audit.c.position).limit(_BATCH)


async def _dropped(database: Database, last: AuditAnchor) -> AuditAnchor | None:
    """Give up to where retention has dropped the chain, None where its beginning is there.

    The row that says so is itself of the chain that is checked from there on, so a false one does not pass.
    """
    is_one = sa.and_(audit.c.action == Action.CHECKPOINT.value, audit.c.position <= last.position)
    rows = await database.read(sa.select(audit).where(is_one).order_by(audit.c.position.desc()).limit(1))
    return checkpoint_of(rows[0]._asdict()) if rows else None


async def _broken_outside(
    database: Database, last: AuditAnchor, anchor: sa.Row[Any] | None, *, is_cut: bool
) -> AuditBreak | None:
    """Look at the rows without a position, which are those of before the chain, and at any that belong nowhere."""
    beyond = sa.select(audit.c.id).where(audit.c.position > sa.select(audit_head.c.position).scalar_subquery())
    if rows := await database.read(beyond.order_by(audit.c.position).limit(1)):
        return AuditBreak(None, rows[0].id, _FOREIGN)
    if anchor is None and last.position == 0:  # nothing was noted since there is a chain
        return None
    total, count, id_ = "", 0, ""
    vouched_to = anchor.ids if anchor is not None else ""
    while rows := await database.read(_earlier(id_)):
        for row in rows:
            id_ = row.id
            if row.id > vouched_to:
                return AuditBreak(None, row.id, _FOREIGN)
            total, count = sum_of_earlier(total, row._asdict()), count + 1
    if anchor is not None and not is_cut and (count, total) != (anchor.records, anchor.reason):
        return AuditBreak(1, anchor.id, "vouches for other rows of before the chain: one was changed or is missing")
    return None


async def drop_old(database: Database, older_than: timedelta) -> int:
    """Drop the rows that are older than so long, once a month of them has gathered; give how many.

    What is left stays a chain: a row is added that says up to where it was dropped, with the digest of that row.

    Raises  StoreUnavailable
    """

    async def work(connection: AsyncConnection) -> int:
        now = await connection.scalar(sa.select(db_now()))
        assert now is not None
        oldest = await connection.scalar(sa.select(sa.func.min(audit.c.at)))
        if oldest is None or oldest >= now - older_than - _DROPPED_TOGETHER:
            return 0
        is_kept = sa.and_(audit.c.position.is_not(None), audit.c.at >= now - older_than)
        first_kept = await connection.scalar(sa.select(sa.func.min(audit.c.position)).where(is_kept))
        newest = await connection.scalar(sa.select(sa.func.max(audit.c.position)))
        until = (first_kept or newest or 0) - 1  # the newest stays, so that there is a chain to go on with
        cut = (await connection.execute(sa.select(audit).where(audit.c.position == until))).mappings().first()
        if cut is None:
            return 0
        is_earlier = sa.and_(audit.c.position.is_(None), audit.c.at < now - older_than)
        old = sa.or_(audit.c.position <= until, is_earlier)
        gone = (await connection.execute(sa.delete(audit).where(old))).rowcount
        act = Act(_ITSELF, Action.CHECKPOINT, f"rows up to {until} were dropped by age", until, cut["digest"])
        await note(database, connection, act)
        return gone

    return await database.transact(work)
