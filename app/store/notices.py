"""Notices as they are stored: which conditions are known and told, and what is still to be sent by which channel.

A notice is stored in the commit that notes its conditions as told, so none is told twice and none is lost, however many
workers look and whenever one dies. It is sent at least once by each channel: what is under way is put off before it is
sent, and a worker that dies meanwhile leaves it to be sent again, under the same id.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from app.store.clock import after, db_now
from app.store.database import Database, among, insert_into
from app.store.tables import failures, notice_conditions, notices, schedules
from app.sync.notices import (
    KnownCondition,
    NoticeCondition,
    NoticeDecision,
    NoticeEvent,
    NoticeItem,
    decide_notices,
)

SCHEDULE = "notices"  # the name under which workers take turns
GIVEN_UP_AFTER = timedelta(days=1)
KEPT_FOR = timedelta(days=90)
_FIRST_RETRY, _LONGEST_RETRY, _DOUBLINGS = timedelta(seconds=30), timedelta(hours=1), 7
_HOUR = timedelta(hours=1)
_LONGEST = 1_000
_LONGEST_ABOUT = 128
_MOST_TOGETHER = 200  # notices in one message, once a channel is back
_KEY = (notice_conditions.c.event, notice_conditions.c.about)


# what waits for a channel that nobody has set up any more
_LEFT_BEHIND = (
    sa.update(notices)
    .where(notices.c.next_at.is_not(None), notices.c.made_at <= after(-GIVEN_UP_AFTER))
    .where(notices.c.channel.not_in(among("p_channels")))
    .values(next_at=None, reason="this channel is not set up any more")
)


async def decide(
    database: Database,
    found: Collection[NoticeCondition],
    unseen: Collection[NoticeEvent],
    events: Collection[NoticeEvent],
    channels: Sequence[str],
    per_hour: int,
) -> Sequence[NoticeItem]:
    """Compare what is so now with what was told, and store a notice of what is news for every channel; gives its items.

    unseen    events that were not looked into this time
    events    what the clinic wants to be told of; anything else is forgotten
    per_hour  how many notices may be made in an hour, evenly, so that what comes up in a storm is one
    Raises    StoreUnavailable
    """

    async def work(connection: AsyncConnection) -> Sequence[NoticeItem]:
        await connection.execute(sa.select(schedules).where(schedules.c.name == SCHEDULE).with_for_update())
        now = await connection.scalar(sa.select(db_now()))
        assert now is not None
        await connection.execute(_LEFT_BEHIND, {"p_channels": list(channels)})
        unwanted = notice_conditions.c.event.not_in([event.value for event in events])
        await connection.execute(sa.delete(notice_conditions).where(unwanted))
        known = [_known(row) for row in await connection.execute(sa.select(notice_conditions))]
        just_told = sa.select(notices.c.id).where(notices.c.made_at > now - _HOUR / per_hour).limit(1)
        may_tell = await connection.scalar(just_told) is None
        wanted = [one for one in found if one.event in events]
        decision = decide_notices(known, wanted, now, unseen=unseen, may_tell=may_tell)
        await _remember(connection, known, decision)
        if decision.items:
            await _add(connection, decision.items, channels, now)
        return decision.items

    return await database.transact(work)


def _known(row: Any) -> KnownCondition:
    condition = NoticeCondition(NoticeEvent(row.event), row.about, row.what, row.advice, row.over, row.path)
    return KnownCondition(condition, row.since, row.told_at, row.ended_at)


async def _remember(connection: AsyncConnection, before: Collection[KnownCondition], decision: NoticeDecision) -> None:
    if decision.forgotten:
        gone = sa.tuple_(*_KEY).in_(decision.forgotten)
        await connection.execute(sa.delete(notice_conditions).where(gone))
    rows = [_row(one) for one in decision.known if one not in before]
    if rows:
        insert = insert_into(notice_conditions, connection.dialect)
        changed = {name: insert.excluded[name] for name in rows[0] if name not in ("event", "about")}
        await connection.execute(insert.on_conflict_do_update(index_elements=list(_KEY), set_=changed), rows)


def _row(one: KnownCondition) -> dict[str, Any]:
    condition = one.condition
    return {
        "event": condition.event.value,
        "about": condition.about[:_LONGEST_ABOUT],
        "what": condition.what[:_LONGEST],
        "advice": condition.advice[:_LONGEST],
        "over": condition.over[:_LONGEST],
        "path": condition.path[:_LONGEST],
        "since": one.since,
        "told_at": one.told_at,
        "ended_at": one.ended_at,
    }


async def _add(
    connection: AsyncConnection, items: Sequence[NoticeItem], channels: Sequence[str], now: datetime
) -> None:
    row = {"id": str(ULID()), "items": [one.as_json() for one in items], "made_at": now, "next_at": now}
    await connection.execute(sa.insert(notices), [{**row, "channel": channel} for channel in channels])


@dataclass(frozen=True, slots=True)
class WaitingNotices:
    """What waits for one channel, as one message: the ids, oldest first, and every item."""

    ids: tuple[str, ...]
    items: tuple[NoticeItem, ...]
    made_at: datetime


async def take(database: Database, channel: str) -> WaitingNotices | None:
    """Take what waits for a channel, once any of it is due, and put it off in case it does not get through.

    Raises  StoreUnavailable
    """
    n = notices.c

    async def work(connection: AsyncConnection) -> WaitingNotices | None:
        waits = sa.and_(n.channel == channel, n.next_at.is_not(None))
        due = sa.select(n.id).where(waits, n.next_at <= db_now()).limit(1)
        asked = sa.select(notices).where(waits).order_by(n.id).limit(_MOST_TOGETHER).with_for_update()
        rows = (await connection.execute(asked)).all()
        if not rows or await connection.scalar(due) is None:
            return None
        ids, attempts = [row.id for row in rows], max(row.attempts for row in rows)
        wait = min(_FIRST_RETRY * 2 ** min(attempts, _DOUBLINGS), _LONGEST_RETRY)
        taken = sa.update(notices).where(n.channel == channel, n.id.in_(ids))
        await connection.execute(taken.values(attempts=attempts + 1, next_at=after(wait)))
        items = tuple(NoticeItem.of_json(item) for row in rows for item in row.items)
        return WaitingNotices(tuple(ids), items, rows[-1].made_at)

    due_now = sa.select(n.id).where(n.channel == channel, n.next_at <= db_now()).limit(1)
    return await database.transact(work) if await database.read(due_now) else None


async def sent(database: Database, channel: str, ids: Collection[str], remark: str = "") -> None:
    """Note that notices were sent by a channel.

    Raises  StoreUnavailable
    """
    await _ended(database, channel, ids, {"sent_at": db_now(), "next_at": None, "reason": remark[:200]})


async def not_sent(database: Database, channel: str, ids: Collection[str], reason: str) -> int:
    """Note why notices were not sent; those that are a day old are given up. Gives how many are.

    Raises  StoreUnavailable
    """
    return await _ended(database, channel, ids, {"reason": reason[:200]})


async def _ended(database: Database, channel: str, ids: Collection[str], values: dict[str, Any]) -> int:
    n = notices.c

    async def work(connection: AsyncConnection) -> int:
        these = sa.and_(n.channel == channel, n.id.in_(ids))
        await connection.execute(sa.update(notices).where(these).values(values))
        too_old = sa.and_(these, n.next_at.is_not(None), n.made_at <= after(-GIVEN_UP_AFTER))
        return (await connection.execute(sa.update(notices).where(too_old).values(next_at=None))).rowcount

    return await database.transact(work)


@dataclass(frozen=True, slots=True)
class SentNotice:
    """A notice as one channel has it; `next_at` None and not sent: it was given up."""

    id: str
    channel: str
    items: tuple[NoticeItem, ...]
    made_at: datetime
    attempts: int
    next_at: datetime | None
    sent_at: datetime | None
    reason: str


async def lately(database: Database, limit: int, before: str | None = None) -> list[SentNotice]:
    """Give the notices that were made last, newest first, each with a row for every channel.

    limit   how many notices
    before  older than this id
    Raises  StoreUnavailable
    """
    n = notices.c
    ids = sa.select(n.id).distinct().order_by(n.id.desc()).limit(limit)
    if before is not None:
        ids = ids.where(n.id < before)
    asked = sa.select(notices).where(n.id.in_(ids)).order_by(n.id.desc(), n.channel)
    return [_sent(row) for row in await database.read(asked)]


def _sent(row: Any) -> SentNotice:
    items = tuple(NoticeItem.of_json(item) for item in row.items)
    times = (row.made_at, row.attempts, row.next_at, row.sent_at)
    return SentNotice(row.id, row.channel, items, *times, row.reason)


async def count(database: Database) -> int:
    """Give how many notices are kept."""
    return int((await database.read(sa.select(sa.func.count(notices.c.id.distinct()))))[0][0])


@dataclass(frozen=True, slots=True)
class ChannelBacklog:
    """What a channel could not send: how many wait after an attempt, since when, and how many were given up."""

    waiting: int = 0
    since: datetime | None = None
    given_up: int = 0
    reason: str = ""


async def backlog_of(database: Database, channel: str) -> ChannelBacklog:
    """Give what a channel could not send; what it was given up for counts until something is sent again.

    Raises  StoreUnavailable
    """
    n = notices.c
    rows = await database.read(
        sa.select(n.id, n.made_at, n.next_at, n.reason)
        .where(n.channel == channel, n.sent_at.is_(None), n.attempts > 0, n.reason != "")
        .where(n.made_at > after(-2 * GIVEN_UP_AFTER))
        .order_by(n.id)
    )
    last = await database.read(
        sa.select(sa.func.max(n.id).label("id")).where(n.channel == channel, n.sent_at.is_not(None))
    )
    open_ones = [row for row in rows if row.next_at is not None]
    given_up = [row for row in rows if row.next_at is None and row.id > (last[0].id or "")]
    found = open_ones or given_up
    if not found:
        return ChannelBacklog()
    return ChannelBacklog(len(open_ones), found[0].made_at, len(given_up), found[-1].reason)


@dataclass(frozen=True, slots=True)
class ToPeople:
    """Records that failed or need review. `old`: how many of them have waited for more than a day.

    fields        those it is about, as that side names them
    is_dismissed  a person has dismissed them, so they wait for nobody
    """

    side: str
    kind: str
    cause: str
    fields: tuple[str, ...]
    is_held: bool
    records: int
    old: int
    is_dismissed: bool = False


async def left_to_people(database: Database) -> list[ToPeople]:
    """Give what waits for people, or was dismissed, by side, kind, error, fields and whether it needs review.

    Raises  StoreUnavailable
    """
    f = failures.c
    parts = (f.side, f.kind, f.cause, f.fields, f.is_held, f.dismissed_at.is_not(None).label("is_dismissed"))
    is_old = sa.func.sum(sa.case((f.since <= after(-timedelta(days=1)), 1), else_=0)).label("old")
    rows = await database.read(sa.select(*parts, sa.func.count().label("records"), is_old).group_by(*parts))
    return [
        ToPeople(
            row.side,
            row.kind,
            row.cause,
            _names(row.fields),
            row.is_held,
            row.records,
            int(row.old),
            bool(row.is_dismissed),
        )
        for row in rows
    ]


def _names(joined: str) -> tuple[str, ...]:
    return tuple(joined.split(",")) if joined else ()
