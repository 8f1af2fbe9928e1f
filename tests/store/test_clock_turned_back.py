"""The database's clock goes back by an hour: what was to come comes, leases keep their length, nothing is hidden."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store import clock, tables
from app.store.clock import after
from app.store.heartbeats import beat
from app.timings import REAL
from tests.store.build import HOUR, SECOND, change

ALMOST = timedelta(minutes=59)


async def sets(database, table, **values):
    await change(database, sa.update(table).values(values))


COMPARED = tables.watermarks.c.name == "compare_patient"  # beside the workers' own sign


async def ahead(database, column, *where):
    """By how much the only value of a column lies ahead of the database's clock."""
    (row,) = await database.read(sa.select(column, clock.db_now().label("now")).where(*where))
    return row[0] - row.now


@pytest.fixture
async def clinic(database):
    """One worker, one linked patient that is due, one write under way, one compare done: all an hour ahead."""
    await beat(database, "one")
    link = {"id": "01JLINK", "kind": "patient", "drchrono_id": "1", "salesforce_id": "0031"}
    await change(database, sa.insert(tables.links).values(**link, due_at=after(HOUR), lease_until=after(HOUR)))
    write = {"id": "01JWRITE", "link_id": "01JLINK", "side": "salesforce", "call": "update", "stamps": {}}
    limit = {"planned_at": after(HOUR), "settle_at": after(HOUR + timedelta(minutes=10))}
    await change(database, sa.insert(tables.journal).values(**write, **limit, state="planned"))
    await change(database, sa.insert(tables.watermarks).values(name="compare_patient", at=after(HOUR)))
    await change(database, sa.insert(tables.schedules).values(name="compare_patient", next_at=after(2 * HOUR)))
    await change(database, sa.insert(tables.matches).values(person="x", owner="y", until=after(HOUR)))
    return database


async def test_what_was_to_come_comes_as_if_the_hour_had_not_been_added(clinic):
    await sets(clinic, tables.workers, seen_at=after(HOUR))

    found = await beat(clinic, "one")

    assert ALMOST < found.turned_back <= HOUR
    assert await ahead(clinic, tables.links.c.due_at) < timedelta(seconds=5)
    assert await ahead(clinic, tables.watermarks.c.at, COMPARED) < timedelta(seconds=5)
    assert ALMOST < await ahead(clinic, tables.schedules.c.next_at) < HOUR + timedelta(seconds=5)


async def test_a_session_is_as_old_as_it_is_and_a_consent_as_long_lived(clinic):
    await change(
        clinic, sa.insert(tables.sessions).values(id="s", token="t", started_at=after(-HOUR), seen_at=after(HOUR))
    )
    await change(clinic, sa.insert(tables.consents).values(state="s", browser="b", expires_at=after(HOUR + SECOND)))
    await sets(clinic, tables.workers, seen_at=after(HOUR))

    await beat(clinic, "one")

    assert -2 * HOUR - timedelta(seconds=5) < await ahead(clinic, tables.sessions.c.started_at) < -HOUR - ALMOST
    assert timedelta(seconds=-5) < await ahead(clinic, tables.sessions.c.seen_at) < timedelta(minutes=1)
    assert timedelta(seconds=-5) < await ahead(clinic, tables.consents.c.expires_at) < timedelta(minutes=1)


async def test_a_lease_is_cut_to_its_length_and_not_taken_away(clinic):
    await sets(clinic, tables.workers, seen_at=after(HOUR))

    await beat(clinic, "one")

    for column in (tables.links.c.lease_until, tables.matches.c.until):
        assert timedelta(seconds=10) < await ahead(clinic, column) <= REAL.lease * 2


async def test_a_write_under_way_is_settled_when_its_vendors_limit_is_over(clinic):
    await sets(clinic, tables.workers, seen_at=after(HOUR))

    await beat(clinic, "one")

    assert timedelta(minutes=9) < await ahead(clinic, tables.journal.c.settle_at) <= timedelta(minutes=10)


async def test_of_several_workers_one_puts_it_right(clinic):
    await beat(clinic, "two")
    await sets(clinic, tables.workers, seen_at=after(HOUR))

    jumps = [(await beat(clinic, name)).turned_back for name in ("one", "two", "one")]

    assert [bool(jump) for jump in jumps] == [True, False, False]
    assert await clinic.read(sa.select(tables.workers.c.id).where(tables.workers.c.seen_at > after(SECOND))) == []


@pytest.mark.parametrize("by", [timedelta(seconds=20), timedelta(0), -HOUR])
async def test_a_clock_that_is_put_right_by_little_or_jumps_forward_moves_nothing(clinic, by):
    await sets(clinic, tables.workers, seen_at=after(by))

    assert (await beat(clinic, "one")).turned_back == timedelta(0)
    assert await ahead(clinic, tables.links.c.due_at) > ALMOST
    assert await ahead(clinic, tables.watermarks.c.at, COMPARED) > ALMOST
