"""Notices as they are stored: told once by however many workers, sent by each channel until it is done or given up."""

import asyncio
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from app.store import notices, retention, schedules, tables
from app.store.clock import after
from app.sync.notices import NoticeCondition, NoticeEvent, NoticeState
from tests.store.build import change

PAUSED = NoticeCondition(
    NoticeEvent.SAFETY_LIMIT, "compare", "Reconciliation is paused", "Look.", "It goes on", "/lanes"
)
DOWN = NoticeCondition(NoticeEvent.OUTAGE, "drchrono", "DrChrono is down", "", "DrChrono answers again")
EVENTS = tuple(NoticeEvent)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INSTANTS = ("made_at", "next_at", "sent_at")


async def looks(database, *found, channels=("email", "slack"), per_hour=3_600, events=EVENTS):
    await passes(database, timedelta(seconds=2))
    return await notices.decide(database, found, (), events, channels, per_hour)


async def passes(database, span):
    """So much time goes by for everything that is known of notices."""
    ms = span // timedelta(milliseconds=1)
    for table, names in ((tables.notices, INSTANTS), (tables.notice_conditions, ("since", "told_at", "ended_at"))):
        for name in names:
            earlier = sa.type_coerce(table.c[name], sa.BigInteger) - ms
            await change(database, sa.update(table).values({name: earlier}))


async def rows(database):
    return await database.read(sa.select(tables.notices).order_by(tables.notices.c.id, tables.notices.c.channel))


async def test_of_many_workers_that_look_at_once_one_tells(database):
    await schedules.try_claim(database, notices.SCHEDULE, HOUR)

    one_look = partial(notices.decide, database, [PAUSED], (), EVENTS, ("email", "slack"), 10)
    await asyncio.gather(*(one_look() for _ in range(6)))

    assert [row.channel for row in await rows(database)] == ["email", "slack"]
    assert len({row.id for row in await rows(database)}) == 1


async def test_what_was_told_is_not_told_again_by_who_starts_anew(database):
    first = await looks(database, PAUSED)
    second = await looks(database, PAUSED)
    await looks(database)
    await passes(database, timedelta(minutes=6))
    over = await looks(database)

    assert [[one.state for one in items] for items in (first, second, over)] == [
        [NoticeState.STARTED],
        [],
        [NoticeState.RESOLVED],
    ]


async def test_what_comes_up_too_soon_after_a_notice_is_told_by_the_next(database):
    several = [NoticeCondition(NoticeEvent.SAFETY_LIMIT, f"{at}", f"paused {at}", over="goes on") for at in range(4)]

    told = [[one.what for one in await looks(database, *several[:count], per_hour=2)] for count in (1, 2, 3, 4)]
    await passes(database, HOUR / 2)
    told.append([one.what for one in await looks(database, *several, per_hour=2)])

    assert told == [["paused 0"], [], [], [], ["paused 1", "paused 2", "paused 3"]]


async def test_an_event_that_is_not_wanted_any_more_is_forgotten_without_a_word(database):
    await looks(database, PAUSED)

    items = await looks(database, PAUSED, events=[NoticeEvent.OUTAGE])
    await passes(database, DAY)
    items += await looks(database, events=[NoticeEvent.OUTAGE])

    assert items == ()


async def test_what_is_under_way_is_nobody_elses_and_comes_back_where_its_worker_dies(database):
    await looks(database, PAUSED)

    taken = await asyncio.gather(*(notices.take(database, "email") for _ in range(4)))
    await passes(database, timedelta(minutes=1))
    again = await notices.take(database, "email")

    (ours,) = [one for one in taken if one is not None]
    assert again.ids == ours.ids
    assert again.items == ours.items


async def test_a_channel_that_is_back_sends_all_that_waits_as_one_and_the_others_do_not_wait_for_it(database):
    await looks(database, PAUSED)
    await notices.sent(database, "slack", (await notices.take(database, "slack")).ids)
    await notices.not_sent(database, "email", (await notices.take(database, "email")).ids, "no answer")
    await looks(database, PAUSED, DOWN)
    await passes(database, timedelta(minutes=3))
    await looks(database, PAUSED, DOWN)

    by_mail, by_slack = await notices.take(database, "email"), await notices.take(database, "slack")

    assert [one.what for one in by_mail.items] == [PAUSED.what, DOWN.what]
    assert [one.what for one in by_slack.items] == [DOWN.what]


@pytest.mark.parametrize(
    ("failed", "wait"), [(1, timedelta(seconds=30)), (3, timedelta(minutes=2)), (40, HOUR)], ids=str
)
async def test_each_failure_doubles_the_wait_up_to_an_hour(database, failed, wait):
    await looks(database, PAUSED, channels=["email"])
    await change(database, sa.update(tables.notices).values(attempts=failed - 1))

    await notices.take(database, "email")

    (row,) = await database.read(
        sa.select((tables.notices.c.next_at > after(wait - timedelta(seconds=5))).label("late"))
    )
    (other,) = await database.read(sa.select((tables.notices.c.next_at <= after(wait)).label("soon")))
    assert row.late
    assert other.soon


async def test_after_a_day_a_notice_is_given_up_and_counts_until_something_gets_through(database):
    await looks(database, PAUSED, channels=["email"])
    ids = (await notices.take(database, "email")).ids
    given_up = [await notices.not_sent(database, "email", ids, "no answer")]
    behind = [await notices.backlog_of(database, "email")]
    await passes(database, DAY)
    ids = (await notices.take(database, "email")).ids
    given_up.append(await notices.not_sent(database, "email", ids, "no answer"))
    behind.append(await notices.backlog_of(database, "email"))

    await passes(database, HOUR)
    left = await notices.take(database, "email")
    await looks(database, PAUSED, DOWN, channels=["email"])
    await passes(database, timedelta(minutes=3))
    await looks(database, PAUSED, DOWN, channels=["email"])
    await notices.sent(database, "email", (await notices.take(database, "email")).ids)
    behind.append(await notices.backlog_of(database, "email"))

    assert given_up == [0, 1]
    assert left is None
    assert [(one.waiting, one.given_up, one.reason) for one in behind] == [
        (1, 0, "no answer"),
        (0, 1, "no answer"),
        (0, 0, ""),
    ]


async def test_what_waits_for_a_channel_that_is_not_set_up_any_more_is_given_up_after_a_day(database):
    await looks(database, PAUSED)
    await passes(database, DAY)

    await looks(database, PAUSED, channels=["email"])

    assert [(row.channel, row.next_at is None, row.reason) for row in await rows(database)] == [
        ("email", False, ""),
        ("slack", True, "this channel is not set up any more"),
    ]


async def test_the_list_has_the_newest_first_and_goes_by_age(database):
    for about in ("a", "b", "c"):
        await looks(database, NoticeCondition(NoticeEvent.SAFETY_LIMIT, about, f"paused {about}", over="goes on"))

    page = await notices.lately(database, 2)
    rest = await notices.lately(database, 2, before=page[-1].id)
    await passes(database, notices.KEPT_FOR)
    await retention.forget_leftovers(database)

    assert [(one.items[0].what, one.channel) for one in page] == [
        ("paused c", "email"),
        ("paused c", "slack"),
        ("paused b", "email"),
        ("paused b", "slack"),
    ]
    assert [one.items[0].what for one in rest] == ["paused a", "paused a"]
    assert await notices.count(database) == 0
