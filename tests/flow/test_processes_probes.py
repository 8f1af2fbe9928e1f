"""The probes of real processes: what is killed is told within half a minute, by the web and beside the worker."""

import socket
import subprocess
import sys
import time

import pytest

from app.operations.maintenance import worker_lives
from tests.harness.cluster import town

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]
TOLD_WITHIN_S = 30.0


def ran(here, *command):
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=here.env,
        cwd=here.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def arqs_check(here):
    return ran(here, "arq", "--check", "workers.main.WorkerSettings")


def state(here, part):
    return here.web.get("/healthz").json()["parts"][part]["state"]


def test_what_is_killed_is_told_within_half_a_minute_by_every_probe(tmp_path):
    with town(tmp_path) as here:
        lives = ran(here, "app.cli", "work", "--health"), arqs_check(here)
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
        dead = ran(here, "app.cli", "work", "--health"), arqs_check(here)
        ready = here.web.get("/readyz").status_code

    assert (lives[0].returncode, lives[0].stdout) == (0, "a worker lives\n")
    assert lives[1].returncode == 0, lives[1].stderr
    assert {part for part, after_s in told.items() if after_s <= TOLD_WITHIN_S} == {"workers", "redis"}, told
    assert [one.returncode for one in dead] == [1, 1]
    assert dead[0].stdout == "no worker of this machine was heard of for 15 s\n"
    assert ready == 200


def test_arqs_check_fails_eleven_seconds_after_a_worker_was_killed_and_redis_lives(tmp_path):
    with town(tmp_path) as here:
        assert arqs_check(here).returncode == 0
        here.work.kill()

        here.wait_until(lambda: arqs_check(here).returncode == 1, "arq's check to fail", TOLD_WITHIN_S)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_the_workers_probe_ends_with_one_line_where_the_database_is_away_or_hangs(known):
    away = known.model_copy(update={"database_url": "postgresql+asyncpg://postgres@127.0.0.1:9/none"})
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it takes the connection, and says nothing
        port = mute.getsockname()[1]
        hangs = known.model_copy(update={"database_url": f"postgresql+asyncpg://postgres@127.0.0.1:{port}/none"})

        found = [await worker_lives(each) for each in (away, hangs)]

    assert [lives for lives, _ in found] == [False, False]
    assert found[0][1].startswith("the database refused: ")
    assert found[1][1].startswith("the database did not answer in 5 s")


def test_without_a_redis_arqs_check_says_what_to_use_instead(tmp_path):
    with town(tmp_path, {"REDIS_URL": ""}) as here:
        found = arqs_check(here)

    assert found.returncode == 1
    assert "chronobridge work --health" in found.stderr
