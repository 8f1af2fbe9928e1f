"""The database's clock is put ahead by an hour: what is in the air waits for its vendor's limit all the same, once."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store import clock, tables, work_queue
from app.store.clock import Moment, Pace, after
from app.store.heartbeats import beat
from app.sync.model import Kind
from tests.store.build import HOUR, SECOND, change

LIMIT, MINUTE = timedelta(minutes=10), timedelta(minutes=1)


@pytest.fixture
async def clinic(database):
    """One worker; a write that was in the air when the clock was put ahead, and a record of it that is due."""
    await beat(database, "one")
    link = {"id": "01JLINK", "kind": "patient", "drchrono_id": "1", "salesforce_id": "0031"}
    await change(database, sa.insert(tables.links).values(**link, due_at=after(-SECOND), lease_until=after(-HOUR)))
    await planned(database, "01JAIR", HOUR + MINUTE)
    return database


async def planned(database, name, ago):
    write = {"id": name, "link_id": "01JLINK", "side": "salesforce", "call": "update", "stamps": {}}
    when = {"planned_at": after(-ago), "settle_at": after(LIMIT - ago)}
    await change(database, sa.insert(tables.journal).values(**write, **when, state="planned"))


async def may_land(database, name="01JAIR"):
    """It was sent again meanwhile, and may land late."""
    ours = sa.update(tables.journal).where(tables.journal.c.id == name)
    await change(database, ours.values(state="refused", late_until=tables.journal.c.settle_at))


async def was_put_ahead(database, by=HOUR, passed_s=0.0):
    """What this process noted last is a clock that was behind by so much; so many seconds have passed here since."""
    (row,) = await database.read(sa.select(clock.db_now().label("now")))
    database.pace = Pace(lambda: passed_s)
    database.pace.note(Moment(row.now - by, 0.0))


async def settles_in(database, name="01JAIR"):
    asked = sa.select(tables.journal.c.settle_at, clock.db_now().label("now"))
    (row,) = await database.read(asked.where(tables.journal.c.id == name))
    return row.settle_at - row.now


async def test_whoever_takes_the_record_finds_a_write_that_may_still_land(clinic):
    await was_put_ahead(clinic)

    taken = await work_queue.lease_batch(clinic, Kind.PATIENT)

    (write,) = taken.due[0].link.own_writes
    assert LIMIT - MINUTE < write.settle_at - taken.now < LIMIT + MINUTE


async def test_what_may_land_late_is_remembered_for_as_long_as_it_may(clinic):
    await may_land(clinic)
    for _ in range(2):
        await was_put_ahead(clinic)
        taken = await work_queue.lease_batch(clinic, Kind.PATIENT)
        await change(clinic, sa.update(tables.links).values(lease_until=after(-HOUR)))

        (write,) = taken.due[0].link.late_writes

        assert LIMIT - MINUTE < write.settle_at - taken.now < LIMIT + MINUTE


async def test_a_beat_does_it_too_for_those_who_cannot_notice(clinic):
    await was_put_ahead(clinic)

    await beat(clinic, "one")
    clinic.pace = Pace()

    assert LIMIT - MINUTE < await settles_in(clinic) < LIMIT + MINUTE


async def test_whoever_notices_it_again_lets_nothing_wait_longer(clinic):
    for _ in range(3):
        await was_put_ahead(clinic)
        await beat(clinic, "one")

    assert LIMIT - MINUTE < await settles_in(clinic) < LIMIT + MINUTE


async def test_what_was_over_before_and_what_is_planned_after_keeps_its_time(clinic):
    await planned(clinic, "01JOVER", HOUR + 2 * LIMIT)
    await planned(clinic, "01JAFTER", MINUTE)
    await was_put_ahead(clinic)

    await beat(clinic, "one")

    assert await settles_in(clinic, "01JOVER") < -HOUR
    assert await settles_in(clinic, "01JAFTER") <= LIMIT - MINUTE


@pytest.mark.parametrize(("by", "passed_s"), [(timedelta(seconds=20), 0.0), (HOUR, 3_600.0), (-HOUR, 0.0)])
async def test_time_that_passed_little_and_a_clock_that_was_turned_back_move_nothing(clinic, by, passed_s):
    await was_put_ahead(clinic, by, passed_s)

    await work_queue.lease_batch(clinic, Kind.PATIENT)

    assert await settles_in(clinic) < -LIMIT
