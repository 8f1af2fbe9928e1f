"""Whoever knows arq starts a worker by it: the same work, ended by the same signals, checked and run in a burst."""

import sys

import pytest

from app.cli.supervise import Child, supervised
from tests.processes.commands import PATIENCE_S
from tests.processes.test_probes import ran

ARQ = (sys.executable, "-m", "arq", "workers.main.WorkerSettings")


@pytest.fixture
def arq(here):
    """A worker that arq starts, in the place of ours."""
    here.work.ask_to_stop()
    here.work.wait(0)
    child = Child("arq", ARQ, here.env, here.folder / "arq.log", here.folder)
    with supervised([child]):
        yield child


def registered(here, name):
    here.drchrono.post("/_control/patients", json={"first_name": "Ada", "last_name": name})


def is_applied(here, name):
    return lambda: any(one["LastName"] == name for one in here.contacts())


def test_arq_starts_a_whole_worker_that_needs_redis_neither_to_go_on_nor_to_end(here, arq):
    arq.start()
    registered(here, "Rung")
    here.wait_until(is_applied(here, "Rung"), "arq's worker to apply an edit")
    here.valkey.kill()
    registered(here, "Polled")
    here.wait_until(is_applied(here, "Polled"), "the poll to apply an edit while Redis is away")
    arq.ask_to_stop()
    code = arq.process.wait(PATIENCE_S)

    said = arq.log.read_text()
    assert (code, "Traceback" in said) == (0, False), said[-2000:]
    assert '"event": "worker.stopped"' in said
    assert "Polled" not in said


def test_arq_starts_a_worker_before_there_is_a_redis(here, arq):
    here.valkey.kill()
    arq.start()
    registered(here, "Alone")
    here.wait_until(is_applied(here, "Alone"), "a worker without Redis to apply an edit")
    arq.ask_to_stop()

    assert (arq.process.wait(PATIENCE_S), "Traceback" in arq.log.read_text()) == (0, False)


def test_a_burst_works_off_what_is_pending_and_ends(here, arq):
    registered(here, "Burst")
    here.wait_until(lambda: here.queue()["depth"] > 0, "the edit to be pending")

    ended = ran(here, *ARQ[2:], "--burst")

    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False)
    assert is_applied(here, "Burst")()
