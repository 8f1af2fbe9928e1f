"""Real processes, killed as the power would: whatever was acknowledged is applied, and nothing twice."""

import asyncio
import time

import pytest
import redis
import sqlalchemy as sa

from app.store.clock import db_now
from app.store.database import Database
from app.store.tables import links
from tests.processes.burst import assert_nothing_lost_nothing_doubled, burst, reaches, settle
from tests.processes.conftest import MACHINE_S, TIMINGS

ON_SQLITE = pytest.param("sqlite", marks=pytest.mark.long)  # where `verify` kills them in each run, too
on_both = pytest.mark.parametrize("here", [ON_SQLITE, "postgresql"], indirect=True)
GRACE_S = 20.0
RETURNED_S = TIMINGS.lease.total_seconds() + MACHINE_S


@on_both
def test_a_web_and_workers_that_are_killed_lose_no_acknowledged_change(here):
    slows_writes(here, 2)
    sender = burst(here)
    sender.start()
    here.wait_until(reaches(sender, 0.2), "the burst to be under way")
    here.serve.kill()
    here.serve.start()
    here.wait_until(here.accepts, "the web to be back")
    here.wait_until(lambda: holders(here), "a worker to hold records", every_s=0.1)
    here.work.kill()
    dead = holders(here)
    here.work.start()
    here.wait_until(lambda: holders(here) - dead, "the next worker to hold records", every_s=0.1)
    here.work.kill()
    here.work.start()

    assert_nothing_lost_nothing_doubled(settle(here, sender))


@pytest.mark.parametrize("here", ["postgresql"], indirect=True)  # on SQLite `verify` does the same to Redis
def test_a_wiped_and_a_vanished_redis_lose_no_acknowledged_change(here):
    sender = burst(here)
    sender.start()
    here.wait_until(reaches(sender, 0.2), "the burst to be under way")
    with redis.Redis.from_url(here.given["REDIS_URL"]) as client:
        client.flushall()
    here.wait_until(reaches(sender, 0.5), "the burst to go on")
    here.valkey.kill()

    assert_nothing_lost_nothing_doubled(settle(here, sender))
    assert sender.refused == []


@on_both
def test_a_deploy_in_a_burst_ends_what_is_under_way_and_loses_nothing(here):
    hurried = here.work.log.read_text().count("worker.hurried")
    slows_writes(here, 1)
    sender = burst(here)
    sender.start()
    here.wait_until(reaches(sender, 0.2), "the burst to be under way")

    serve, serve_s = stopped_by_a_deploy(here.serve)
    here.serve.start()
    here.wait_until(lambda: holders(here), "a worker to hold records", every_s=0.1)
    work, work_s = stopped_by_a_deploy(here.work)
    held = holders(here)
    here.work.start()
    here.wait_until(here.accepts, "the web to be back")

    assert_nothing_lost_nothing_doubled(settle(here, sender))
    assert (work, serve, held) == (0, 0, set())
    assert max(work_s, serve_s) < GRACE_S
    assert here.work.log.read_text().count("worker.hurried") == hurried


def stopped_by_a_deploy(child):
    """SIGTERM, as a deploy sends it; gives how it ended, and after how many seconds."""
    began = time.monotonic()
    child.ask_to_stop()
    child.wait(began + GRACE_S + 5)
    return child.process.returncode, time.monotonic() - began


def slows_writes(here, count):
    """Have that many writes to Salesforce take a second each: whoever makes one is seen to hold records meanwhile."""
    slow = {"match": "PATCH /services/data", "do": "slow", "delay_s": 1, "next": count}
    here.salesforce.post("/_control/faults", json=slow).raise_for_status()


def holders(here):
    """Give who holds records, a token for each batch."""

    async def read():
        asked = sa.select(links.c.lease_owner).distinct().where(links.c.lease_until > db_now())
        async with Database(here.given["DATABASE_URL"]).opened() as database:
            return {row.lease_owner for row in await database.read(asked)}

    return asyncio.run(read())


def test_a_dead_workers_leases_return_as_soon_as_they_end(here):
    here.salesforce.delete("/_control/calls")
    before = len(here.contacts())
    here.salesforce.post(
        "/_control/faults", json={"match": "PATCH /services/data", "do": "timeout_before", "delay_s": 60, "next": 1}
    )
    here.drchrono.post("/_control/patients", json={"first_name": "Ada", "last_name": "Test"})
    here.wait_until(lambda: patches(here) == 1, "the write to hang")
    here.work.kill()
    killed = time.monotonic()
    here.work.start()
    here.wait_until(lambda: len(here.contacts()) > before, "the lease to return", 60)

    assert time.monotonic() - killed < RETURNED_S


def patches(here):
    counts = here.salesforce.get("/_control/calls").json()["counts"]
    return sum(count for name, count in counts.items() if name.startswith("PATCH"))
