"""A clock that jumps in a burst, for processes that know nothing of it.

`make long` tells it: the library that turns the clock was once seen to keep every timer of a worker waiting. The rule
itself is proved for both databases in `tests/store/test_clock_turned_back.py`.
"""

import asyncio
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import libfaketime
import pytest
import sqlalchemy as sa

from app.store.clock import after
from app.store.database import Database
from app.store.tables import workers
from tests.harness.cluster import town
from tests.processes.burst import assert_nothing_lost_nothing_doubled, burst, reaches, settle

HOUR_S = 3600
FAKETIME = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"


@pytest.fixture
def clock(tmp_path):
    """Turns the clock of the service's processes, that of their SQLite included; that of the vendors goes on."""
    place = tmp_path / "clock"
    place.write_text("+0")
    env = {
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(place), "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # a mend for older glibcs, with which threads wait long for Python's lock
    }  # fmt: skip
    place.write_text("+3600")
    told = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"], env=os.environ | env, check=True, capture_output=True
    )
    if float(told.stdout) - time.time() < HOUR_S / 2:
        pytest.skip("the library that turns a process's clock does not work on this machine")
    place.write_text("+0")
    return place, env


def turn(place, by):
    """Turn the clock at once: a process never reads half of it."""
    written = place.with_suffix(".new")
    written.write_text(by)
    written.replace(place)


async def beaten_ahead(url):
    """Whether a worker's last beat bears a moment that is still to come, by the clock that nobody turned."""
    asked = sa.select(workers.c.id).where(workers.c.seen_at > after(timedelta(seconds=HOUR_S / 2)))
    async with Database(url).opened() as database:
        return bool(await database.read(asked))


@pytest.mark.long
def test_a_clock_that_jumps_an_hour_ahead_and_back_loses_nothing_and_lets_nothing_wait_for_the_hour(tmp_path, clock):
    place, env = clock
    with town(tmp_path, service=False) as here:
        for child in (here.serve, here.work):
            child.env = {**here.env, **env}
        here.start_service()
        here.connect()
        sender = burst(here)
        sender.start()
        here.wait_until(reaches(sender, 0.2), "the burst to be under way")
        turn(place, f"+{HOUR_S}")
        here.wait_until(reaches(sender, 0.5), "the burst to go on")
        here.wait_until(lambda: here.queue()["oldest_due_age_s"] < HOUR_S, "the backlog to be worked off", 60)
        here.wait_until(lambda: asyncio.run(beaten_ahead(here.given["DATABASE_URL"])), "a beat by the clock put ahead")
        turn(place, "+0")

        found = settle(here, sender)
        here.wait_until(lambda: "clock.turned_back" in here.work.log.read_text(), "a beat to put it right")

    assert_nothing_lost_nothing_doubled(found)
