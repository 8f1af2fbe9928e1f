"""A first load on real processes, killed as the power would: it goes on where it stood, and nothing comes twice."""

import sys

import pytest

from app.cli.supervise import Child, stop_all
from app.vendors.drchrono.bulk_lists import REQUESTED_AT_ONCE
from tests.harness.cluster import town
from tests.harness.demo.report import compared

pytestmark = pytest.mark.timeout(600)

PATIENTS, PAGE = 240, 80
ASK, LOOK = "POST /api/patients_list", "GET /api/patients_list"


@pytest.fixture
def here(tmp_path):
    """A town that has had its patients for a year; DrChrono's bulk pages are there at the first look."""
    with town(tmp_path, {"RECONCILE_EVERY": "P1D", "DRCHRONO_CALLS_PER_SECOND": "50"}, service=False) as it:
        it.drchrono.put("/_control/settings", json={"calls_per_hour": 0, "bulk_page_size": PAGE, "bulk_polls": 0})
        it.drchrono.put("/_control/clock", json={"offset_s": -400 * 86_400})
        it.drchrono.post("/_control/patients/bulk", json={"count": PATIENTS, "silent": True}).raise_for_status()
        it.drchrono.put("/_control/clock", json={"now": None})
        it.start_connected()
        yield it


@pytest.fixture
def started(here):
    """Start the command, however often; none is left behind."""
    commands = []

    def start():
        command = [sys.executable, "-m", "app.cli", "backfill", "--kind", "patient"]
        commands.append(Child("backfill", command, here.env, here.folder / "backfill.log", here.folder))
        commands[-1].start()
        return commands[-1]

    yield start
    stop_all(commands)


def test_a_killed_first_load_and_a_killed_worker_lose_nothing_double_nothing_and_read_one_page_again(here, started):
    first = started()
    here.wait_until(lambda: here.called(ASK) == 2, "the second page to be asked for", 120, every_s=0.02)
    first.kill()

    second = started()
    here.wait_until(lambda: len(here.writes()) > PAGE, "the load to have gone on", 120, every_s=0.05)
    second.kill()
    here.work.kill()

    here.work.start()
    third = started()
    here.wait_until(lambda: not third.is_running, "the load to end", 200)
    here.wait_until(lambda: here.queue()["depth"] == 0, "nothing to be due", 120)

    said = (here.folder / "backfill.log").read_text()
    assert third.process.returncode == 0, said
    found = compared(here)
    assert (found.missing, found.doubled, found.differing) == ([], [], {})
    assert (found.patients, found.created) == (PATIENTS, PATIENTS)
    pages = PATIENTS // PAGE
    assert here.called(ASK) <= pages + 2 * min(pages, REQUESTED_AT_ONCE), "each kill costs the pages under way"
    assert here.called("GET /api/patients/") <= PATIENTS, (
        "of those the killed worker had in hand DrChrono is asked once"
    )
