"""Real processes through what happens to machines in a burst: a deploy, a database that goes, a clock that jumps."""

import asyncio
import os
import resource
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import asyncpg
import libfaketime
import pytest
import redis
import sqlalchemy as sa

from app.cli.supervise import wait_for_port
from app.store.clock import after, db_now
from app.store.database import Database
from app.store.tables import links, workers
from app.wakeup import listens
from tests.flow.burst import BURST, assert_nothing_lost_nothing_doubled, burst, reaches, settle
from tests.harness.cluster import town

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]

on_postgresql = pytest.mark.parametrize("here", ["postgresql"], indirect=True)
GRACE_S, HOUR_S = 20.0, 3600
LONGEST_WAIT = '"retry_in_s": 10.0'  # between two tries to reach Redis: it waits no longer however long that takes
FAKETIME = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"


def stopped_by_a_deploy(child):
    """SIGTERM, as a deploy sends it; gives how it ended, and after how many seconds."""
    began = time.monotonic()
    child.ask_to_stop()
    child.wait(began + GRACE_S + 5)
    return child.process.returncode, time.monotonic() - began


async def leased(url):
    """How many records somebody holds."""
    asked = sa.select(sa.func.count()).select_from(links).where(links.c.lease_until > db_now())
    async with Database(url).opened() as database:
        return (await database.read(asked))[0][0]


def test_a_deploy_in_a_burst_ends_what_is_under_way_and_loses_nothing(here):
    sender = burst(here)
    sender.start()
    here.wait_until(reaches(sender, 0.3), "the burst to be under way")

    work, work_s = stopped_by_a_deploy(here.work)
    held = asyncio.run(leased(here.given["DATABASE_URL"]))
    here.work.start()
    here.wait_until(reaches(sender, 0.6), "the burst to go on")
    serve, serve_s = stopped_by_a_deploy(here.serve)
    here.serve.start()
    here.wait_until(here.accepts, "the web to be back")

    assert_nothing_lost_nothing_doubled(settle(here, sender))
    assert (work, serve, held) == (0, 0, 0)
    assert max(work_s, serve_s) < GRACE_S
    assert "worker.hurried" not in here.work.log.read_text()


@on_postgresql
def test_a_postgresql_that_crashes_and_one_that_is_demoted_lose_no_acknowledged_change(here, postgresql):
    sender = burst(here)
    sender.start()
    here.wait_until(reaches(sender, 0.2), "the burst to be under way")
    postgresql.stop("immediate")
    here.wait_until(lambda: not here.accepts(), "/readyz to tell of it", 30)
    postgresql.start()
    here.wait_until(reaches(sender, 0.5), "the burst to go on", 60)
    name, before = here.given["DATABASE_URL"].rpartition("/")[2], len(sender.refused)
    asyncio.run(
        said(
            postgresql,
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = on',
            f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'",
        )
    )
    here.wait_until(lambda: len(sender.refused) > before + 10, "deliveries to be refused")
    asyncio.run(said(postgresql, f'ALTER DATABASE "{name}" RESET default_transaction_read_only'))

    assert_nothing_lost_nothing_doubled(settle(here, sender))
    assert set(sender.refused) == {503}


async def said(server, *statements):
    connection = await asyncpg.connect((server.url + "postgres").replace("+asyncpg", ""))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def test_a_redis_that_is_gone_for_long_and_comes_back_empty_is_rung_again(tmp_path):
    with town(tmp_path) as here:
        here.valkey.kill()
        here.drchrono.post("/_control/patients", json={"first_name": "Ada", "last_name": "Test"})
        here.wait_until(here.is_quiet, "the patient to arrive without Redis")
        here.wait_until(lambda: LONGEST_WAIT in here.work.log.read_text(), "the worker to have waited its longest", 40)
        shutil.rmtree(tmp_path / "valkey" / "appendonlydir")

        here.valkey.start()
        wait_for_port(here.ports["valkey"], here.valkey)
        with redis.Redis.from_url(here.given["REDIS_URL"]) as client:
            here.wait_until(lambda: client.exists(listens()), "the worker to listen again", 30)
            here.drchrono.post("/_control/patients", json={"first_name": "Ben", "last_name": "Test"})
            here.wait_until(here.is_quiet, "the patient to arrive")
            rung = client.info("commandstats")["cmdstat_zadd"]["calls"]

        assert len(here.contacts()) == 2
        assert rung > 0


def test_a_disk_that_is_full_for_workers_and_web_doubles_nothing_once_there_is_room(tmp_path):
    with town(tmp_path) as here:
        sender = burst(here)
        sender.start()
        here.wait_until(reaches(sender, 0.2), "the burst to be under way")
        full = [(here.work, fills_the_disk_of(here.work))]
        here.wait_until(reaches(sender, 0.4), "deliveries to be kept that nobody can work off")
        waiting = here.queue()["depth"]
        full.append((here.serve, fills_the_disk_of(here.serve)))
        here.wait_until(lambda: len(sender.refused) > 50, "deliveries to be refused")
        for child, limits in full:
            resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, limits)

        found = settle(here, sender)

    assert_nothing_lost_nothing_doubled(found)
    assert set(sender.refused) == {503}
    assert waiting > BURST * 0.1, "what could not be recorded was not taken for done"


def fills_the_disk_of(child):
    """No file grows any more, as far as a process is concerned; gives what it had before."""
    return resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


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


async def beaten_ahead(url):
    """Whether a worker's last beat bears a moment that is still to come, by the clock that nobody turned."""
    asked = sa.select(workers.c.id).where(workers.c.seen_at > after(timedelta(seconds=HOUR_S / 2)))
    async with Database(url).opened() as database:
        return bool(await database.read(asked))


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
        place.write_text(f"+{HOUR_S}")
        here.wait_until(reaches(sender, 0.5), "the burst to go on")
        here.wait_until(lambda: here.queue()["oldest_due_age_s"] < HOUR_S, "the backlog to be worked off", 60)
        here.wait_until(lambda: asyncio.run(beaten_ahead(here.given["DATABASE_URL"])), "a beat by the clock put ahead")
        place.write_text("+0")

        found = settle(here, sender)
        here.wait_until(lambda: "clock.turned_back" in here.work.log.read_text(), "a beat to put it right")

    assert_nothing_lost_nothing_doubled(found)
