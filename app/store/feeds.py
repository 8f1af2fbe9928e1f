"""Feeds: when each side last delivered, and what was found out about its being quiet. One row per side.

Only deliveries that came since the last look are gone through, so it costs the same however many there are.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import LISTED
from app.store.clock import db_now
from app.store.database import Database, insert_into
from app.store.heartbeats import record_outage
from app.store.tables import darkness, deliveries, events, feeds
from app.sync import feed_health
from app.sync.feed_health import Feed, FeedVerdict, UnannouncedChange
from app.sync.model import Side

_OVERLAP = timedelta(minutes=1)  # a delivery may be committed a little after the moment it bears
_MOST = 5000  # of what was told since the last look, the newest


async def hear(database: Database, side: Side) -> tuple[Feed, Feed, datetime]:
    """Take in what a side has delivered lately; gives its feed before and after, and the present moment.

    A delivery ends silence, and the doubts it speaks against.
    """

    async def work(connection: AsyncConnection) -> tuple[Feed, Feed, datetime]:
        insert = insert_into(feeds, connection.dialect)
        await connection.execute(insert.values(side=side.value).on_conflict_do_nothing())
        row = (await connection.execute(_row(side).with_for_update())).one()
        since = None if row.read_to is None else row.read_to - _OVERLAP
        theirs = sa.select(deliveries.c.received_at).where(*_theirs(side, since))
        newest = await connection.scalar(theirs.order_by(deliveries.c.received_at.desc()).limit(1))
        values: dict[str, Any] = {"read_to": db_now()}
        if newest is not None and row.doubted:
            doubted = feed_health.still_doubted(_feed(row), await _told(connection, side, since), newest)
            values["doubted"] = sorted(doubted)
        if newest is not None and (row.heard_at is None or newest > row.heard_at):
            values |= {"heard_at": newest, "silent_since": None, "found": 0}
        changed = sa.update(feeds).where(feeds.c.side == side.value).values(values).returning(feeds)
        heard = (await connection.execute(changed)).one()
        return _feed(row), _feed(heard), heard.read_to

    return await database.transact(work)


async def judged(database: Database, side: Side, verdict: FeedVerdict) -> None:
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
            await record_outage(connection, f"silent_{side}", now, now)

    await database.transact(work)


async def shown(database: Database, side: Side, changes: Collection[str]) -> None:
    """Keep what a compare found that nobody has told of, as doubt of a feed, before it has it taken up."""
    await _doubt(database, side, changes, feed_health.shown_again)


async def taken_up(database: Database, side: Side, changes: Collection[str], *, may_begin: bool) -> None:
    """Keep what a pass took up that nobody has told of, as doubt of a feed; `may_begin`: also if there is none yet."""
    await _doubt(database, side, changes, partial(feed_health.taken_up, may_begin=may_begin))


async def _doubt(
    database: Database, side: Side, changes: Collection[str], doubted: Callable[[Feed, frozenset[str]], frozenset[str]]
) -> None:
    """Doubt a feed that is not known to be silent; what changed while something was dark is no sign of that."""

    async def work(connection: AsyncConnection) -> None:
        row = (await connection.execute(_row(side).with_for_update())).one_or_none()
        if row is None or row.heard_at is None or row.silent_since is not None:
            return
        if await connection.scalar(sa.select(darkness.c.name).limit(1)) is not None:
            return
        now = await connection.scalar(sa.select(db_now()))
        assert now is not None
        untold = feed_health.unannounced(changes, await _told(connection, side, now - _OVERLAP))
        feed = _feed(row)
        kept = doubted(feed, untold) if untold else feed.doubted
        if kept == feed.doubted:
            return
        values: dict[str, Any] = {"doubted": sorted(kept), **({} if feed.doubted else {"asked_at": db_now()})}
        await connection.execute(sa.update(feeds).where(feeds.c.side == side.value).values(values))

    if changes:
        await database.transact(work)


def _theirs(side: Side, since: datetime | None) -> list[sa.ColumnElement[bool]]:
    """Give the conditions of what a side has delivered after a moment; what was listed aside, that we asked for."""
    theirs = [deliveries.c.side == side.value, deliveries.c.event != LISTED]
    return theirs if since is None else [*theirs, deliveries.c.received_at > since]


async def _told(connection: AsyncConnection, side: Side, since: datetime | None) -> list[UnannouncedChange]:
    asked = sa.select(events.c.kind, events.c.record_id, events.c.version).join(
        deliveries, deliveries.c.id == events.c.delivery_id
    )
    newest = asked.where(*_theirs(side, since)).order_by(deliveries.c.received_at.desc()).limit(_MOST)
    return [UnannouncedChange(row.kind, row.record_id, row.version) for row in await connection.execute(newest)]


async def read(database: Database) -> Mapping[Side, Feed]:
    """Give every feed that is known."""
    return {Side(row.side): _feed(row) for row in await database.read(sa.select(feeds))}


def _row(side: Side) -> sa.Select[Any]:
    return sa.select(feeds).where(feeds.c.side == side.value)


def _feed(row: sa.Row[Any]) -> Feed:
    doubted, explained = frozenset(row.doubted), frozenset(row.explained)
    return Feed(Side(row.side), row.heard_at, row.asked_at, doubted, explained, row.silent_since, row.found)
