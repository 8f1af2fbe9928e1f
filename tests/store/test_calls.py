"""Counted calls: per application and clock hour, for all processes together, and forgotten after a day."""

import asyncio

import pytest
import sqlalchemy as sa

from app.store import calls, tables
from app.store.database import Database
from tests.store.build import change, rows

HOUR_MS = 3_600_000


async def counted(database):
    """How often each application called; one clock hour may end while a test runs."""
    sums = sa.select(tables.calls.c.application, sa.func.sum(tables.calls.c.made)).group_by(tables.calls.c.application)
    return {application: int(made) for application, made in await database.read(sums)}


async def this_hour(database):
    return (await database.read(sa.select(sa.type_coerce(tables.db_now(), sa.BigInteger))))[0][0] // HOUR_MS


async def add(database, hours_ago, made=1, application="ours"):
    hour = await this_hour(database) - hours_ago
    await change(database, sa.insert(tables.calls).values(application=application, hour=hour, made=made))


async def test_before_the_first_call_none_was_made(database):
    assert await calls.made_this_hour(database, "ours") == 0


async def test_every_call_counts_for_its_application(database):
    for application in ("ours", "ours", "another"):
        await calls.count(database, application, 1000)

    assert await counted(database) == {"ours": 2, "another": 1}


async def test_the_hour_is_the_clocks(database):
    before = await this_hour(database)

    await calls.count(database, "ours", 1000)

    (row,) = await rows(database, tables.calls)
    assert before <= row.hour <= await this_hour(database)


async def test_what_is_told_are_the_calls_of_one_application_in_this_hour(database):
    await add(database, hours_ago=0, made=7)
    await add(database, hours_ago=0, made=5, application="another")
    await add(database, hours_ago=1, made=499)

    assert await calls.made_this_hour(database, "ours") == 7


async def test_calls_made_at_once_are_all_counted(database):
    await asyncio.gather(*(calls.count(database, "ours", 1000) for _ in range(40)))

    assert await counted(database) == {"ours": 40}


async def test_calls_of_several_processes_are_counted_together(database):
    async with Database(database.url.render_as_string(hide_password=False)).opened() as another:
        await asyncio.gather(*(calls.count(one, "ours", 1000) for one in (database, another) for _ in range(10)))

    assert await counted(database) == {"ours": 20}


@pytest.mark.parametrize(("hours_ago", "is_kept"), [(23, True), (26, False)], ids=["today", "yesterday"])
async def test_hours_of_yesterday_are_forgotten_when_an_hour_begins(database, hours_ago, is_kept):
    await add(database, hours_ago, application="old")

    await calls.count(database, "ours", 1000)

    assert ("old" in await counted(database)) is is_kept


async def test_an_application_with_a_long_name_is_counted_and_found(database):
    name = "a" * 100

    await calls.count(database, name, 1000)
    await calls.count(database, name, 1000)

    assert sum((await counted(database)).values()) == 2
    assert await calls.made_this_hour(database, name) > 0


async def test_no_second_sees_more_calls_than_it_may(database):
    await asyncio.gather(*(calls.count(database, "ours", 3) for _ in range(7)))

    (row,) = await rows(database, tables.calls)
    assert (row.made, row.in_second <= 3) == (7, True)


async def test_a_call_too_many_for_its_second_waits_for_the_next(database):
    loop = asyncio.get_running_loop()
    started = loop.time()

    for _ in range(5):
        await calls.count(database, "ours", 2)

    assert loop.time() - started > 1.0  # five by twos touch three seconds, so one whole second lies between
