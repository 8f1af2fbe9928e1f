import os
import socket
from datetime import timedelta

import sqlalchemy as sa

from app.store import tables
from app.store.clock import after
from app.store.heartbeats import alive, beat, leave
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
