import os
import socket
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.ports import FailingJob
from app.store import tables
from app.store.clock import after
from app.store.heartbeats import Beating, alive, beat, failing_jobs, is_beating, leave, open_outages
from app.timings import REAL
from tests.store.build import change, rows

HERE = socket.gethostname()[:128]


async def last_heard_of(database, worker_id, ago):
    await change(
        database, sa.update(tables.workers).where(tables.workers.c.id == worker_id).values(seen_at=after(-ago))
    )


async def test_nobody_lives_at_first(database):
    assert await alive(database) == 0


async def test_a_first_beat_says_where_the_worker_runs(database):
    await beat(database, "one")

    (row,) = await rows(database, tables.workers)
    assert (row.id, row.host, row.pid) == ("one", HERE, os.getpid())
    assert await alive(database) == 1


async def test_further_beats_touch_the_same_row(database):
    await beat(database, "one")
    (first,) = await rows(database, tables.workers)
    await last_heard_of(database, "one", REAL.alive)

    await beat(database, "one")

    (row,) = await rows(database, tables.workers)
    assert row.started_at == first.started_at
    assert row.seen_at >= first.seen_at


async def test_a_worker_not_heard_of_for_fifteen_seconds_is_not_alive(database):
    await beat(database, "just in time")
    await beat(database, "too late")
    await last_heard_of(database, "just in time", timedelta(seconds=13))
    await last_heard_of(database, "too late", timedelta(seconds=16))

    assert await alive(database) == 1


async def test_a_worker_that_was_silent_and_beats_again_is_alive(database):
    await beat(database, "one")
    await last_heard_of(database, "one", timedelta(minutes=5))

    await beat(database, "one")

    assert await alive(database) == 1


async def test_workers_are_counted_by_host(database):
    await beat(database, "one")
    await beat(database, "two")
    await change(database, sa.update(tables.workers).where(tables.workers.c.id == "two").values(host="elsewhere"))

    assert (await alive(database, HERE), await alive(database, "elsewhere"), await alive(database)) == (1, 1, 2)


async def test_a_worker_that_leaves_is_off_the_list_at_once(database):
    await beat(database, "one")
    await beat(database, "two")

    await leave(database, "one")

    assert [row.id for row in await rows(database, tables.workers)] == ["two"]


async def test_rows_a_day_old_are_forgotten_when_a_worker_starts(database):
    await beat(database, "old")
    await beat(database, "not so old")
    await last_heard_of(database, "old", timedelta(hours=25))
    await last_heard_of(database, "not so old", timedelta(hours=23))

    await beat(database, "new")

    assert {row.id for row in await rows(database, tables.workers)} == {"not so old", "new"}


async def silent(database, of, ago):
    name = f"sign_{of}"
    marks = tables.watermarks
    await change(database, sa.update(marks).where(marks.c.name == name).values(at=after(-ago)))


async def test_one_beat_says_that_workers_are_at_it_and_which_side_can_be_called(database):
    await beat(database, "one", [Beating.SALESFORCE])

    said = {of: await is_beating(database, of) for of in Beating}
    assert {of for of, beats in said.items() if beats} == {Beating.WORK, Beating.SALESFORCE}


async def test_what_beats_again_after_a_minute_was_out_and_the_beat_says_so(database):
    await beat(database, "one", [Beating.DRCHRONO, Beating.SALESFORCE])
    await silent(database, Beating.WORK, timedelta(minutes=5))
    await silent(database, Beating.DRCHRONO, timedelta(minutes=2))

    found = await beat(database, "one", [Beating.DRCHRONO, Beating.SALESFORCE])

    assert [one.name for one in found.over] == ["work", "drchrono"]
    assert [one.name for one in await open_outages(database)] == ["drchrono", "work"]


async def test_of_several_workers_one_beats_for_all_and_each_for_itself(database):
    await beat(database, "one")
    (before,) = await rows(database, tables.watermarks)

    await beat(database, "two")

    (after_it,) = await rows(database, tables.watermarks)
    assert after_it.at == before.at
    assert await alive(database) == 2


async def test_a_worker_that_was_away_while_another_beat_was_no_outage(database):
    await beat(database, "one")
    await last_heard_of(database, "one", timedelta(minutes=5))

    assert (await beat(database, "one")).over == ()


async def test_a_beat_says_which_jobs_of_a_living_worker_fail(database):
    ours = f"{HERE}/{os.getpid()}"
    failing = FailingJob("reconcile", "KeyError", datetime(2026, 3, 5, 14, tzinfo=UTC))
    await beat(database, "one", (), {"reconcile": failing})
    await beat(database, "two")
    while_it_fails = await failing_jobs(database)
    await last_heard_of(database, "one", REAL.alive + timedelta(seconds=1))
    once_it_is_dead = await failing_jobs(database)

    await beat(database, "one")

    assert while_it_fails == [FailingJob("reconcile", "KeyError", failing.since, ours)]
    assert (once_it_is_dead, await failing_jobs(database)) == ([], [])
