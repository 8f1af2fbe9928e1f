"""Counted calls: per application, clock hour and lane, for all processes together, and forgotten after two days."""

import asyncio
import itertools
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store import clock, tables
from app.store.database import Database
from app.store.rate_ledger import RateLedger
from app.sync.model import Lane
from tests.store.build import change

HOUR_MS = 3_600_000


def in_this_hour(ledger):
    return (int(ledger.at // 3600),), ledger.in_second + 1, 0.0


@pytest.fixture
def calls(database):
    return RateLedger(database, "ours")


async def makes(calls, lane=Lane.LIVE, times=1):
    for _ in range(times):
        assert (await calls.count(lane, in_this_hour))[1]


async def counted(database):
    """How often each application called; one clock hour may end while a test runs."""
    made = tables.lane_calls.c
    sums = sa.select(made.application, sa.func.sum(made.made)).group_by(made.application)
    return {application: int(made) for application, made in await database.read(sums)}


async def this_hour(database):
    return (await database.read(sa.select(sa.type_coerce(clock.db_now(), sa.BigInteger))))[0][0] // HOUR_MS


async def add(database, hours_ago, made=1, application="ours", lane=Lane.LIVE):
    hour = await this_hour(database) - hours_ago
    row = {"application": application, "hour": hour, "lane": lane.value, "made": made}
    await change(database, sa.insert(tables.lane_calls).values(row))


async def test_before_the_first_call_none_was_made(calls):
    ledger = await calls.read()

    assert (ledger.made, ledger.in_second, ledger.closed_until, ledger.failures) == ({}, 0, 0.0, 0)


async def test_every_call_counts_for_its_application(database):
    for application in ("ours", "ours", "another"):
        await makes(RateLedger(database, application))

    assert await counted(database) == {"ours": 2, "another": 1}


async def test_a_call_that_is_not_admitted_is_not_counted(database, calls):
    _, is_counted = await calls.count(Lane.LIVE, lambda _ledger: ((), 0, 0.0))

    assert is_counted is False
    assert await counted(database) == {}


async def test_calls_of_all_lanes_make_up_the_hour(database, calls):
    await add(database, hours_ago=0, made=7)
    await add(database, hours_ago=0, made=5, lane=Lane.BACKFILL)
    await add(database, hours_ago=0, made=100, application="another")
    await add(database, hours_ago=1, made=499)
    hour = await this_hour(database)

    assert (await calls.read()).made == {hour: 12, hour - 1: 499}
    assert await calls.by_lane() == {Lane.LIVE: 7, Lane.BACKFILL: 5}


async def test_a_call_may_count_in_two_hours(database, calls):
    await calls.count(Lane.LIVE, lambda ledger: ((int(ledger.at // 3600), int(ledger.at // 3600) + 1), 1, 0.0))

    assert sorted((await calls.read()).made.values()) == [1, 1]


async def test_calls_made_at_once_are_all_counted(database, calls):
    await asyncio.gather(*(makes(calls) for _ in range(40)))

    assert await counted(database) == {"ours": 40}


async def test_no_call_is_admitted_twice_by_several_processes(database, calls):
    def up_to_ten(ledger):
        hour = int(ledger.at // 3600)
        return ((hour,) if ledger.made.get(hour, 0) < 10 else ()), 1, 0.0

    async with Database(database.url.render_as_string(hide_password=False)).opened() as another:
        counts = (one.count(Lane.LIVE, up_to_ten) for one in (calls, RateLedger(another, "ours")) for _ in range(20))
        admitted = [is_counted for _, is_counted in await asyncio.gather(*counts)]

    assert sum(admitted) == 10


@pytest.mark.parametrize(("hours_ago", "is_kept"), [(47, True), (50, False)], ids=["yesterday", "the day before"])
async def test_hours_of_two_days_ago_are_forgotten_when_an_hour_begins(database, calls, hours_ago, is_kept):
    await add(database, hours_ago, application="old")

    await makes(calls)

    assert ("old" in await counted(database)) is is_kept


async def test_an_application_with_a_long_name_is_counted_and_found(database):
    calls = RateLedger(database, "a" * 100)

    await makes(calls, times=2)

    assert sum((await calls.read()).made.values()) == 2


async def test_what_has_gone_of_this_second_is_told(calls):
    seen = [(await calls.count(Lane.LIVE, in_this_hour))[0] for _ in range(5)]

    for before, after in itertools.pairwise(seen):
        assert after.in_second == (before.in_second + 1 if int(after.at) == int(before.at) else 0)


async def test_what_was_promised_is_told_until_its_minute_has_passed(calls):
    at = (await calls.read()).at
    hour = int(at // 3600)
    compare = [Lane.COMPARE]

    told = [await calls.promise(Lane.COMPARE, compare, lambda _ahead: at + 3600) for _ in range(2)]
    await calls.promise(Lane.BACKFILL, compare, lambda _ahead: at + 7200)
    await calls.promise(Lane.COMPARE, compare, lambda _ahead: at - 60)

    assert told == [at + 3600] * 2
    assert await calls.promised(compare) == {hour + 1: 2}
    assert await calls.promised([Lane.COMPARE, Lane.BACKFILL]) == {hour + 1: 2, hour + 2: 1}


async def test_whoever_is_promised_a_moment_hears_of_those_who_were_before_whichever_process_asked(database, calls):
    at, seen = (await calls.read()).at, []

    def next_hour(ahead):
        seen.append(sum(ahead.values()))
        return at + 3600

    async with Database(database.url.render_as_string(hide_password=False)).opened() as another:
        asked = (
            one.promise(Lane.COMPARE, [Lane.COMPARE], next_hour) for one in (calls, RateLedger(another, "ours")) * 10
        )
        await asyncio.gather(*asked)

    assert sorted(seen) == list(range(20))


async def test_a_vendor_is_left_alone_for_as_long_as_its_failures_ask_for(calls):
    for _ in range(3):
        await calls.failed(lambda failures: 60.0 if failures > 2 else 0.0)

    ledger = await calls.read()
    assert ledger.failures == 3
    assert 58 < ledger.closed_until - ledger.at <= 60


async def test_an_answer_ends_it(calls):
    await calls.failed(lambda _failures: 60.0)

    await calls.recovered()

    ledger = await calls.read()
    assert (ledger.failures, ledger.closed_until) == (0, 0.0)


async def test_a_vendor_that_says_how_long_is_left_alone_for_so_long_and_it_is_remembered(calls):
    await calls.throttled(2295.0)

    ledger = await calls.read()
    assert 2290 < ledger.closed_until - ledger.at <= 2295
    assert ledger.at - ledger.throttled_at < 5


async def test_what_a_vendor_says_of_its_allowance_is_kept(calls):
    await calls.told(18, 100_000)

    ledger = await calls.read()
    assert (ledger.used, ledger.most) == (18, 100_000)
    assert ledger.at - ledger.told_at < 5


async def test_what_a_vendor_refuses_is_remembered_with_its_beginning_until_it_takes_something_again(calls, database):
    began = await calls.refuses("STORAGE_LIMIT_EXCEEDED")
    await since(database, minutes=5)

    lasts_s = await calls.refuses("STORAGE_LIMIT_EXCEEDED")
    ledger = await calls.read()
    await calls.takes_again()

    assert began == 0
    assert 299 < lasts_s < 305
    assert (ledger.refuses, ledger.at - ledger.refused_at < 5) == ("STORAGE_LIMIT_EXCEEDED", True)
    assert (await calls.read()).refuses == ""


@pytest.mark.parametrize(("cause", "minutes"), [("OTHER", 5), ("STORAGE_LIMIT_EXCEEDED", 90)], ids=["other", "old"])
async def test_another_refusal_or_one_of_long_ago_begins_anew(calls, database, cause, minutes):
    await calls.refuses("STORAGE_LIMIT_EXCEEDED")
    await since(database, minutes=minutes)

    assert await calls.refuses(cause) == 0


async def since(database, minutes):
    """Let what is refused have been refused so long ago."""
    earlier = clock.after(-timedelta(minutes=minutes))
    await change(database, sa.update(tables.allowances).values(refuses_since=earlier, refused_at=earlier))


async def test_whoever_calls_first_after_an_outage_has_the_vendor_to_himself(calls):
    await calls.count(Lane.LIVE, lambda ledger: ((int(ledger.at // 3600),), 1, 5.0))

    ledger = await calls.read()
    assert 3 < ledger.closed_until - ledger.at <= 5


async def test_what_a_vendor_asked_for_outlasts_answers_and_failures_of_calls_made_before(calls):
    await calls.failed(lambda _failures: 0.0)
    await calls.throttled(2295.0)

    await calls.recovered()
    await calls.failed(lambda _failures: 60.0)
    await calls.recovered()
    await calls.throttled(1.0)

    ledger = await calls.read()
    assert 2290 < ledger.closed_until - ledger.at <= 2295
    assert ledger.failures == 0
