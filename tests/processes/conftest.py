"""One cluster for each kind of database, for all of these tests; it is put right before each, and its patients stay.

A test looks at patients of its own. Only where the machine itself is hurt, a disk, a clock, a test has a cluster of
its own. The soak has one too: it begins before the first test, and is asked after the last how it ended.
"""

import sys
from contextlib import ExitStack

import pytest

from app.cli.supervise import Child, supervised, wait_for_port
from app.timings import REAL
from tests.harness.cluster import town
from tests.postgresql import with_a_template

SCALE = 0.25  # every wait of the service's own is shorter by that; what they prove lies in the proportions
MACHINE_S = 30.0  # what a machine that has much else to do may add: starting a process takes as long as ever
TIMINGS = REAL.times(SCALE)
SOAK = "soaking"
SOAKED = ("--minutes", "1", "--databases", "sqlite", "--pause", "2")  # everybody works for 1 s in 3, beside the tests
USER = {"id": "610001", "name": "fixture.provider"}


def pytest_collection_modifyitems(items):
    for item in items:
        if "/processes/" in str(item.path):
            item.add_marker(pytest.mark.processes)
            item.add_marker(pytest.mark.timeout(400))
    items.sort(key=lambda item: SOAK in item.fixturenames)


@pytest.fixture(scope="session", autouse=True)
def _in_less_time():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHRONOBRIDGE_TIME_SCALE", str(SCALE))
        yield


@pytest.fixture(scope="session", autouse=True)
def _begins_to_soak(request, tmp_path_factory):
    """Soak beside all of these tests, if that is to be asked for."""
    if not any(SOAK in item.fixturenames for item in request.session.items):
        yield None
        return
    command = [sys.executable, "-m", "tests.load.soak", *SOAKED]
    child = Child("soak", command, log=tmp_path_factory.mktemp("soak") / "soak.log")
    with supervised([child]):
        child.start()
        yield child


@pytest.fixture
def soaking(_begins_to_soak):
    """The soak that began before the first of these tests."""
    return _begins_to_soak


@pytest.fixture(scope="session")
def _clusters():
    with ExitStack() as stack:
        yield stack, {}


@pytest.fixture(scope="session")
def postgresql(_clusters):
    """The PostgreSQL of one of these clusters alone, which outlives that: it may be crashed, and is started again."""
    stack, _ = _clusters
    return stack.enter_context(with_a_template())


@pytest.fixture
def here(request, _clusters, tmp_path_factory):
    """Real processes of the service and of both vendors, all well; on SQLite unless told."""
    kind, (stack, running) = getattr(request, "param", "sqlite"), _clusters
    if kind not in running:
        overrides = {}
        if kind == "postgresql":
            overrides["DATABASE_URL"] = request.getfixturevalue("postgresql").url + "migrated"
        running[kind] = stack.enter_context(town(tmp_path_factory.mktemp(kind), overrides))
    put_right(running[kind])
    return running[kind]


def put_right(it):
    """Start what is down, mend what is broken, and wait until nobody has anything to do."""
    for child in it.children:
        if not child.is_running:
            child.start()
    wait_for_port(it.ports["valkey"], it.valkey)
    it.drchrono.put("/_control/settings", json={"calls_per_hour": 0})
    it.drchrono.put("/_control/delivery-policy", json={"drop": 0.0})
    it.salesforce.delete("/_control/record-faults")
    for vendor in (it.drchrono, it.salesforce):
        vendor.delete("/_control/faults")
    it.wait_until(it.is_ready, "the service to be ready", 60)
    if not is_connected(it):
        it.web.post("/disconnect/drchrono")
        it.drchrono.post("/_control/oauth/user", json={"user": USER["id"]})
        it.connect_practice()
    it.wait_until(it.is_quiet, "nothing to be under way", 60)


def is_connected(it):
    """Say whether the practice is connected, by who it was at first."""
    (ours,) = [one for one in it.web.get("/api/v1/connections").json()["items"] if one["side"] == "drchrono"]
    is_known = ours["has_token"] and ours["username"] == USER["name"]
    return is_known and it.drchrono.get("/_control/tokens").json()["live"] > 0
