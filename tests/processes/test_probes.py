"""The probes of real processes: what is killed is told within half a minute, by the web and beside the worker."""

import subprocess
import sys
import time

import redis

from app.wakeup import listens
from tests.processes.commands import PATIENCE_S
from tests.processes.conftest import MACHINE_S, SCALE, TIMINGS

TOLD_WITHIN_S = 30.0 * SCALE + MACHINE_S


def ran(here, *command, **variables):
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=here.env | variables,
        cwd=here.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def health(here):
    return ran(here, "app.cli", "work", "--health")


def arqs_check(here, **variables):
    return ran(here, "arq", "--check", "workers.main.WorkerSettings", **variables)


def is_listened_to(here):
    """Say what arq's check asks Redis, without a process for each look."""
    with redis.Redis.from_url(here.env["REDIS_URL"]) as there:
        return bool(there.exists(listens()))


def state(here, part):
    return here.web.get("/healthz").json()["parts"][part]["state"]


def test_what_is_killed_is_told_within_half_a_minute_by_every_probe(here):
    here.wait_until(lambda: is_listened_to(here), "a worker to listen")
    here.wait_until(lambda: state(here, "workers") == "ok", "the worker to report")
    lives = health(here)
    here.work.kill()
    here.valkey.kill()
    killed_at, told = time.monotonic(), {}
    while len(told) < 2 and time.monotonic() - killed_at < TOLD_WITHIN_S + 5:
        told |= {
            part: time.monotonic() - killed_at
            for part in ("workers", "redis")
            if part not in told and state(here, part) != "ok"
        }
        time.sleep(0.2)
    dead = health(here), arqs_check(here)
    ready = here.web.get("/readyz").status_code

    assert (lives.returncode, lives.stdout) == (0, "a worker lives\n")
    assert {part for part, after_s in told.items() if after_s <= TOLD_WITHIN_S} == {"workers", "redis"}, told
    assert [one.returncode for one in dead] == [1, 1]
    assert dead[0].stdout == f"no worker of this machine has reported for {TIMINGS.alive.total_seconds():.0f} s\n"
    assert ready == 200


def test_arqs_check_fails_once_a_worker_that_was_killed_has_not_said_for_long_that_it_listens(here):
    here.wait_until(lambda: is_listened_to(here), "a worker to listen")
    passed = arqs_check(here)
    here.work.kill()
    here.wait_until(lambda: not is_listened_to(here), "its word to be too old", TOLD_WITHIN_S)

    assert (passed.returncode, arqs_check(here).returncode) == (0, 1)


def test_without_a_redis_arqs_check_says_what_to_use_instead(here):
    found = arqs_check(here, REDIS_URL="")

    assert (found.returncode, len(found.stderr.splitlines())) == (2, 1)
    assert "`chronobridge work`, and `work --health`" in found.stderr
