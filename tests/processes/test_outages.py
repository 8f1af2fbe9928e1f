"""What the service stands on goes in a burst, and comes back: its database, its Redis."""

import shutil

import pytest
import redis

from app.cli.supervise import wait_for_port
from app.wakeup import listens
from tests.postgresql import said
from tests.processes.burst import assert_nothing_lost_nothing_doubled, burst, reaches, settle
from tests.processes.conftest import TIMINGS

# between two tries to reach Redis: it waits no longer however long that takes
LONGEST_WAIT = f'"retry_in_s": {TIMINGS.redis_wait_s}'


@pytest.mark.parametrize("here", ["postgresql"], indirect=True)
def test_a_postgresql_that_crashes_and_one_that_is_demoted_lose_no_acknowledged_change(here, postgresql):
    sender = burst(here)
    sender.start()
    here.wait_until(reaches(sender, 0.2), "the burst to be under way")
    postgresql.stop("immediate")
    try:
        here.wait_until(lambda: not here.accepts(), "/readyz to tell of it")
    finally:
        postgresql.start()
    found = [settle(here, sender)]
    late = burst(here)
    said(
        postgresql.url + "postgres",
        "ALTER DATABASE migrated SET default_transaction_read_only = on",
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'migrated'",
    )
    late.start()
    try:
        here.wait_until(lambda: len(late.refused) > 10, "deliveries to be refused")
    finally:
        said(postgresql.url + "postgres", "ALTER DATABASE migrated RESET default_transaction_read_only")
    found.append(settle(here, late))

    for one in found:
        assert_nothing_lost_nothing_doubled(one)
    assert {*sender.refused, *late.refused} == {503}


def test_a_redis_that_is_gone_for_long_and_comes_back_empty_is_rung_again(here):
    before, waited = len(here.contacts()), here.work.log.read_text().count(LONGEST_WAIT)
    here.valkey.kill()
    here.drchrono.post("/_control/patients", json={"first_name": "Ada", "last_name": "Test"})
    here.wait_until(here.is_quiet, "the patient to arrive without Redis")
    here.wait_until(
        lambda: here.work.log.read_text().count(LONGEST_WAIT) > waited, "the worker to have waited its longest"
    )
    shutil.rmtree(here.folder / "valkey" / "appendonlydir")

    here.valkey.start()
    wait_for_port(here.ports["valkey"], here.valkey)
    with redis.Redis.from_url(here.given["REDIS_URL"]) as client:
        here.wait_until(lambda: client.exists(listens()), "the worker to listen again")
        here.drchrono.post("/_control/patients", json={"first_name": "Ben", "last_name": "Test"})
        here.wait_until(here.is_quiet, "the patient to arrive")
        rung = client.info("commandstats")["cmdstat_zadd"]["calls"]

    assert len(here.contacts()) == before + 2
    assert rung > 0
