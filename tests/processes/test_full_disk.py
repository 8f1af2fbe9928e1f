"""A disk that is full for a process, and room again: nothing is acknowledged that is not kept, and nothing doubled."""

import resource

import pytest

from tests.harness.cluster import town
from tests.processes.burst import BURST, acknowledged, assert_nothing_lost_nothing_doubled, burst, settle
from tests.processes.conftest import put_right

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@pytest.fixture(scope="module")
def _machine(tmp_path_factory):
    with town(tmp_path_factory.mktemp("full")) as it:
        yield it


@pytest.fixture
def here(_machine):
    """A cluster whose processes may be forbidden to write; none is when a test begins."""
    for child in (_machine.serve, _machine.work):
        resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, UNLIMITED)
    put_right(_machine)
    return _machine


def grows_no_file(child, beyond=0):
    """No file grows any more, as far as a process is concerned, or none beyond a size."""
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (beyond, resource.RLIM_INFINITY))


def may_write(child):
    resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, UNLIMITED)


def test_a_full_disk_acknowledges_nothing_and_work_goes_on_once_there_is_room(here):
    sizes = [(here.folder / f"chronobridge.db{end}").stat().st_size for end in ("", "-wal")]
    grows_no_file(here.serve, max(sizes))
    sender, statuses = burst(here), set()
    for request in sender.waiting:
        statuses.add(one_post(here, request))
    may_write(here.serve)
    sender.start()

    assert_nothing_lost_nothing_doubled(settle(here, sender))
    assert 503 in statuses
    assert statuses <= {200, 503}


def one_post(here, request):
    body = request.split(b"\r\n\r\n", 1)[1]
    headers = {"x-drchrono-event": "PATIENT_MODIFY", "x-drchrono-signature": here.webhook_secret}
    return here.web.post("/webhooks/drchrono", content=body, headers=headers).status_code


def test_a_disk_that_is_full_for_workers_and_web_doubles_nothing_once_there_is_room(here):
    begun, kept, refused = burst(here).parted(0.2, 0.4)
    begun.start()
    acknowledged(begun)
    grows_no_file(here.work)
    kept.start()
    acknowledged(kept)  # what nobody can work off
    grows_no_file(here.serve)
    refused.start()
    here.wait_until(lambda: len(refused.refused) > 50, "deliveries to be refused")
    waiting = here.queue()["depth"]
    for child in (here.work, here.serve):
        may_write(child)

    assert_nothing_lost_nothing_doubled(settle(here, refused))
    assert (begun.refused, kept.refused, set(refused.refused)) == ([], [], {503})
    assert waiting > BURST * 0.1, "what could not be recorded was not taken for done"


def test_a_full_disk_is_told_by_readyz_and_so_is_its_end(here):
    grows_no_file(here.serve)
    here.wait_until(lambda: not here.accepts(), "/readyz to tell of the full disk")

    may_write(here.serve)
    here.wait_until(here.accepts, "/readyz to tell that there is room again")
