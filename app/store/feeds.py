"""Feeds: when each side last delivered, and what was found out about its being quiet. One row per side.

Only deliveries that came since the last look are gone through, so it costs the same however many there are.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.darkness import note
from app.store.database import Database, insert_into
from app.store.inbox import LISTED
from app.store.tables import db_now, deliveries, feeds
from app.sync.records import Side
from app.sync.silence import Feed, Verdict

_OVERLAP = timedelta(minutes=1)  # a delivery may be committed a little after the moment it bears


async def hear(database: Database, side: Side) -> tuple[Feed, Feed, datetime]:
    """Take in what a side has delivered lately; gives its feed before and after, and the present moment.

    A delivery ends every suspicion.
    """

    async def work(connection: AsyncConnection) -> tuple[Feed, Feed, datetime]:
        insert = insert_into(feeds, connection.dialect)
        await connection.execute(insert.values(side=side.value).on_conflict_do_nothing())
        row = (await connection.execute(_row(side).with_for_update())).one()
        theirs = sa.select(deliveries.c.received_at).where(
            deliveries.c.side == side.value, deliveries.c.event != LISTED
        )
        if row.read_to is not None:
            theirs = theirs.where(deliveries.c.received_at > row.read_to - _OVERLAP)
        newest = await connection.scalar(theirs.order_by(deliveries.c.received_at.desc()).limit(1))
        values: dict[str, Any] = {"read_to": db_now()}
        if newest is not None and (row.heard_at is None or newest > row.heard_at):
            values |= {"heard_at": newest, "doubted": [], "silent_since": None, "found": 0}
        changed = sa.update(feeds).where(feeds.c.side == side.value).values(values).returning(feeds)
        heard = (await connection.execute(changed)).one()
        return _feed(row), _feed(heard), heard.read_to

    return await database.transact(work)


async def judged(database: Database, side: Side, verdict: Verdict) -> None:
    """Keep what a look came to; what it newly found is owed a compare by the same commit."""

    async def work(connection: AsyncConnection) -> None:
        values = {
            "asked_at": db_now(),
            "doubted": sorted(verdict.doubted),
            "explained": sorted(verdict.explained),
            "silent_since": verdict.silent_since,
            "found": feeds.c.found + verdict.new,
        }
        await connection.execute(sa.update(feeds).where(feeds.c.side == side.value).values(values))
        if verdict.new:
            now = await connection.scalar(sa.select(db_now()))
            assert now is not None
            await note(connection, f"silent_{side}", now, now)

    await database.transact(work)


async def is_doubted(database: Database) -> bool:
    """Say whether a first look at some side found changes that a second one is to confirm."""
    return any(feed.doubted for feed in (await read(database)).values())


async def read(database: Database) -> Mapping[Side, Feed]:
    """Give every feed that is known."""
    return {Side(row.side): _feed(row) for row in await database.read(sa.select(feeds))}


def _row(side: Side) -> sa.Select[Any]:
    return sa.select(feeds).where(feeds.c.side == side.value)


def _feed(row: sa.Row[Any]) -> Feed:
    doubted, explained = frozenset(row.doubted), frozenset(row.explained)
    return Feed(Side(row.side), row.heard_at, row.asked_at, doubted, explained, row.silent_since, row.found)
