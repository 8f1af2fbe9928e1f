"""Schedules, watermarks, zones and tallies: for all workers together, and across restarts."""

import asyncio
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.store import clock, counters, doctor_zones, schedules, tables
from tests.store.build import change

HOUR = timedelta(hours=1)


async def test_of_many_workers_one_does_it(database):
    ours = await asyncio.gather(*(schedules.try_claim(database, "compare", HOUR) for _ in range(8)))

    assert sorted(ours) == [False] * 7 + [True]


async def test_it_is_done_again_when_its_time_has_come(database):
    await schedules.try_claim(database, "compare", HOUR)
    assert not await schedules.try_claim(database, "compare", HOUR)

    await change(database, sa.update(tables.schedules).values(next_at=clock.after(-timedelta(seconds=1))))

    assert await schedules.try_claim(database, "compare", HOUR)


async def test_what_did_not_come_to_its_end_is_done_sooner(database):
    await schedules.try_claim(database, "compare", HOUR)

    await schedules.again_in(database, "compare", timedelta(0))

    assert await schedules.try_claim(database, "compare", HOUR)


async def test_a_watermark_is_what_it_was_raised_to(database):
    assert await schedules.watermark(database, "compare") is None

    for hour in (8, 9):
        await schedules.raise_watermark(database, "compare", datetime(2026, 1, 12, hour, tzinfo=UTC))

    assert await schedules.watermark(database, "compare") == datetime(2026, 1, 12, 9, tzinfo=UTC)


async def keep(database, **by_doctor):
    async def work(connection):
        await asyncio.sleep(0.002)  # the clock of the database is a millisecond's
        await doctor_zones.keep(connection, by_doctor)

    await database.transact(work)


async def test_the_first_zone_of_a_doctor_is_no_change(database):
    await keep(database, d1="US/Eastern")

    assert await doctor_zones.all_zones(database) == {"d1": "US/Eastern"}
    assert await doctor_zones.changes(database) == []


async def test_another_zone_is_a_change_until_it_was_applied(database):
    await keep(database, d1="US/Eastern", d2="US/Pacific")
    await keep(database, d1="US/Central", d2="US/Pacific")

    (change_,) = await doctor_zones.changes(database)
    assert change_.doctor_id == "d1"
    await database.transact(lambda connection: doctor_zones.applied(connection, change_))
    assert await doctor_zones.changes(database) == []


async def test_a_change_that_comes_while_another_is_applied_is_not_lost(database):
    await keep(database, d1="US/Eastern")
    await keep(database, d1="US/Central")
    (first,) = await doctor_zones.changes(database)
    await keep(database, d1="US/Mountain")

    await database.transact(lambda connection: doctor_zones.applied(connection, first))

    assert [one.doctor_id for one in await doctor_zones.changes(database)] == ["d1"]


async def test_counts_add_up(database):
    async def add(connection):
        await counters.add(connection, {"skipped_break": 2, "put_back_doctor": 1})

    for _ in range(3):
        await database.transact(add)

    assert await counters.read(database) == {"put_back_doctor": 3, "skipped_break": 6}
