"""What a person at a terminal sees: one clear line for a wrong setting, and processes that start, stop and live on."""

import json
import os
import re
import signal
import subprocess
import time

import httpx
import pytest

from app.cli.supervise import free_port
from tests.build import HASH_KEY, KEY
from tests.processes.commands import PATIENCE_S, as_a_process, chronobridge, ordinary, started


def given(tmp_path, **more):
    """A complete environment without any vendor."""
    port = free_port()
    return ordinary(
        DATABASE_URL=f"sqlite+aiosqlite:///{tmp_path}/chronobridge.db",
        PUBLIC_URL=f"http://127.0.0.1:{port}",
        PORT=str(port),
        ENCRYPTION_KEYS=KEY,
        HASH_KEYS=HASH_KEY,
        OPERATOR_TOKEN="operator-token-of-the-tests",
        **more,
    )


@pytest.mark.parametrize("command", ["serve", "work", "up", "migrate"])
def test_a_missing_setting_stops_every_command_with_one_line_that_names_it(tmp_path, command):
    env = given(tmp_path)
    del env["ENCRYPTION_KEYS"]

    ended = chronobridge(tmp_path, env, command)

    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1
    assert re.match(
        r"chronobridge: ENCRYPTION_KEYS is missing: expected .*; for example ENCRYPTION_KEYS=", ended.stderr
    )


def test_beside_what_is_missing_stands_the_name_that_is_almost_its_own(tmp_path):
    env = given(tmp_path)
    env["OPERATR_TOKEN"] = env.pop("OPERATOR_TOKEN")

    ended = chronobridge(tmp_path, env, "serve")

    missing, near = ended.stderr.splitlines()
    assert missing.startswith("chronobridge: OPERATOR_TOKEN is missing: expected ")
    assert near == "chronobridge: OPERATR_TOKEN is not a setting: did you mean OPERATOR_TOKEN?"


def test_half_a_side_stops_the_start_and_names_what_is_missing(tmp_path):
    env = given(tmp_path, DRCHRONO_CLIENT_ID="id", DRCHRONO_WEBHOOK_SECRETS="the-webhook-secret-of-all-the-tests")

    ended = chronobridge(tmp_path, env, "serve")

    assert ended.returncode == 2
    assert "DRCHRONO_CLIENT_SECRET is missing" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_wrong_mapping_file_stops_the_start_and_names_file_table_and_key(tmp_path):
    (tmp_path / "mine.toml").write_text('[patient]\ndrchrono = "/api/patients"\nobject = "Contact"\n')

    ended = chronobridge(tmp_path, given(tmp_path, MAPPING_FILE="mine.toml"), "serve")

    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "chronobridge: MAPPING_FILE: mine.toml, table [patient], key external_id: is missing"
    )


def test_an_unknown_command_is_wrong_usage(tmp_path):
    assert chronobridge(tmp_path, given(tmp_path), "nonsense").returncode == 2
    assert chronobridge(tmp_path, given(tmp_path), "backfill", "--json").returncode == 2, "it goes with --dry-run"


@pytest.mark.parametrize("command", ["queue", "replay 01JD8Q3V7N5B2X4C6E8G0H2K4M", "pause live", "audit verify"])
def test_before_the_database_is_migrated_every_command_says_what_to_run(tmp_path, command):
    ended = chronobridge(tmp_path, given(tmp_path), *command.split())

    assert (ended.returncode, ended.stderr) == (
        1,
        "chronobridge: the database's schema is behind; run: chronobridge migrate\n",
    )


def test_the_workers_probe_says_so_too(tmp_path):
    ended = chronobridge(tmp_path, given(tmp_path), "work", "--health")

    assert (ended.returncode, "run: chronobridge migrate" in ended.stdout) == (1, True)


def test_all_wrong_settings_are_told_at_once_each_in_a_line(tmp_path):
    ended = chronobridge(tmp_path, given(tmp_path, BRAKE_DELETES="few", RECONCILE_EVERY="soon"), "queue")

    assert ended.returncode == 2
    assert [line.split()[1] for line in ended.stderr.splitlines()[:2]] == ["RECONCILE_EVERY", "BRAKE_DELETES"]


def test_the_queue_is_told_at_a_terminal(tmp_path):
    env = given(tmp_path)
    chronobridge(tmp_path, env, "migrate")

    told = [chronobridge(tmp_path, env, "queue"), as_a_process(tmp_path, env, "queue", "--json")]

    assert [one.returncode for one in told] == [0, 0]
    assert told[0].stdout == "nothing is pending; 0 failed, 0 need review, 0 writes a minute\n"
    assert json.loads(told[1].stdout)["depth"] == 0


def test_a_watched_queue_is_a_line_for_each_look_in_a_pipe_and_ends_well_at_ctrl_c(tmp_path):
    env = given(tmp_path)
    chronobridge(tmp_path, env, "migrate")

    with started(tmp_path, env, "queue", "--watch", "--every", "0.1", stdout=subprocess.PIPE) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        code = process.wait(PATIENCE_S)

    assert code == 0
    assert {line[9:] for line in lines} == {"nothing is pending; 0 failed, 0 need review, 0 writes a minute\n"}


def test_serve_starts_without_a_schema_says_so_and_is_not_ready(tmp_path):
    env = given(tmp_path)
    with started(tmp_path, env, "serve", stderr=subprocess.PIPE) as process:
        status = wait_for(env, "/readyz")
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE_S)

    assert (status, process.returncode) == (503, 0)
    assert "run: chronobridge migrate" in said


def wait_for(env, path):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            return httpx.get(env["PUBLIC_URL"] + path, timeout=5).status_code
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError("the web did not answer")


def test_up_runs_web_worker_and_valkey_restarts_what_falls_and_stops_all_of_it(tmp_path):
    env = given(tmp_path)
    with started(tmp_path, env, "up") as process:
        ready = wait_for(env, "/readyz")
        children = child_pids(process.pid)
        web = next(pid for pid, line in children.items() if line.endswith("serve"))
        os.kill(web, 9)
        again = wait_for_new(env, process.pid, web)
        health = as_a_process(tmp_path, env, "work", "--health")
        process.terminate()
        code = process.wait(PATIENCE_S)

    assert (ready, again, code) == (200, 200, 0)
    assert len(children) == 3, "a Valkey, a web, a worker"
    assert (health.returncode, health.stdout) == (0, "a worker lives\n")
    assert [pid for pid in children if alive(pid)] == []
    assert (tmp_path / "var" / "valkey").is_dir()


def child_pids(parent):
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True, check=False
    )
    return {int(line.split(None, 1)[0]): line.strip() for line in listed.stdout.splitlines() if "ps -o" not in line}


def wait_for_new(env, parent, old):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if any(line.endswith("serve") and pid != old for pid, line in child_pids(parent).items()):
            return wait_for(env, "/readyz")
        time.sleep(0.05)
    raise AssertionError("the web was not started again")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_workers_probe_fails_where_no_worker_lives(tmp_path):
    env = given(tmp_path)
    chronobridge(tmp_path, env, "migrate")

    assert chronobridge(tmp_path, env, "work", "--health").returncode == 1


def test_a_lane_is_paused_and_resumed_by_a_command(tmp_path):
    env = given(tmp_path)
    chronobridge(tmp_path, env, "migrate")

    paused = chronobridge(tmp_path, env, "pause", "compare", "--reason", "month's end")
    waits = lanes_of(chronobridge(tmp_path, env, "queue", "--json"))
    resumed = chronobridge(tmp_path, env, "resume", "compare")
    runs = lanes_of(chronobridge(tmp_path, env, "queue", "--json"))

    assert (paused.stdout, resumed.stdout) == ("paused: compare\n", "resumed: compare\n")
    assert (waits["compare"], waits["live"]["paused"]) == (
        waits["compare"] | {"paused": True, "reason": "month's end"},
        False,
    )
    assert not any(one["paused"] for one in runs.values())


def test_a_lane_that_is_none_is_wrong_usage(tmp_path):
    ended = chronobridge(tmp_path, given(tmp_path), "pause", "everything")

    assert ended.returncode == 2
    assert "everything is no queue; there are live, retry, confirm" in ended.stderr


def lanes_of(told):
    return {one["lane"]: one for one in json.loads(told.stdout)["lanes"]}
