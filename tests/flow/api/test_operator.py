"""What the operator and the probes are told, and what pausing does."""

import pytest

from app.store.database import Database
from tests.flow.clinic import OPERATOR, opened, settings_of

VIEWER = "viewer-token-of-the-tests"
HEADERS = {"Authorization": f"Bearer {OPERATOR}"}


@pytest.fixture
def unconnected(database, empty_vendors):
    """Settings without Salesforce."""
    return settings_of(
        database, str(empty_vendors.drchrono.base_url).rstrip("/"), None, empty_vendors.ca_file,
        salesforce_client_id=None, salesforce_client_secret=None, salesforce_org_id=None, viewer_token=VIEWER,
    )  # fmt: skip


async def test_deliveries_for_a_side_that_is_not_connected_are_kept_and_flow_once_it_is(
    unconnected, known, empty_vendors
):
    async with opened(unconnected, empty_vendors.drchrono, empty_vendors.salesforce) as clinic:
        patient = await clinic.registers(first_name="Ada", last_name="Test")
        await clinic.arrives(patient)
        health = (await clinic.web.get("/healthz")).json()["parts"]["salesforce"]
        waiting = (await clinic.web.get("/api/v1/queue", headers=HEADERS)).json()["depth"]
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce) as clinic:
        await clinic.settles()
        contact = clinic.contact()

    assert (health["state"], waiting) == ("not_connected", 1)
    assert "SALESFORCE" in health["advice"]
    assert contact["FirstName"] == "Ada"


async def test_a_viewer_reads_and_may_not_act(unconnected, empty_vendors):
    headers = {"Authorization": f"Bearer {VIEWER}"}

    async with opened(unconnected, empty_vendors.drchrono, empty_vendors.salesforce) as clinic:
        reads = await clinic.web.get("/api/v1/queue", headers=headers)
        acts = await clinic.web.post("/api/v1/lanes/live/pause", headers=headers)
        unknown = await clinic.web.post("/api/v1/lanes/nonsense/pause", headers=headers)

    assert (reads.status_code, acts.status_code, unknown.status_code) == (200, 403, 403)


async def test_a_paused_lane_makes_no_writes_until_it_is_resumed(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    paused = await clinic.web.post("/api/v1/lanes/live/pause", headers=HEADERS)

    await clinic.arrives(patient)
    while_paused = clinic.contacts()
    await clinic.web.post("/api/v1/lanes/live/resume", headers=HEADERS)
    await clinic.settles()

    assert [lane["lane"] for lane in paused.json()["lanes"] if lane["paused"]] == ["live"]
    assert while_paused == []
    assert clinic.contact()["FirstName"] == "Ada"


async def test_a_cloned_database_starts_with_every_lane_paused_until_an_operator_resumes(clinic, known, empty_vendors):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.delivers(patient)
    copied = known.model_copy(update={"public_url": "https://staging.example.com"})

    async with opened(copied, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clone:
        await clone.settles()
        refused = await clone.web.get("/connect/drchrono", headers=HEADERS)
        before = clone.contacts()
        health = (await clone.web.get("/healthz")).json()["parts"]["lanes"]
        await clone.web.post("/api/v1/lanes/all/resume", headers=HEADERS)
        await clone.settles()
        after = clone.contacts()

    assert (before, len(after)) == ([], 1)
    assert health["state"] == "degraded"
    assert refused.status_code == 409


async def test_the_queue_tells_depth_age_kinds_and_lanes(clinic):
    await clinic.delivers(await clinic.registers(first_name="Ada", last_name="Test"))

    queue = (await clinic.web.get("/api/v1/queue", headers=HEADERS)).json()

    assert (queue["depth"], queue["failed"], queue["held"]) == (1, 0, 0)
    assert queue["oldest_due_age_s"] >= 0
    assert (queue["by_kind"][0]["kind"], queue["by_kind"][0]["direction"]) == ("patient", "to_salesforce")
    assert [lane["lane"] for lane in queue["lanes"]] == ["live", "retry", "confirm", "compare", "backfill"]


async def test_what_only_salesforce_has_told_of_goes_to_drchrono(clinic):
    await clinic.has_linked()
    await clinic.hears()

    (waiting,) = (await clinic.web.get("/api/v1/queue", headers=HEADERS)).json()["by_kind"]

    assert (waiting["kind"], waiting["direction"], waiting["depth"]) == ("patient", "to_drchrono", 1)


async def test_the_probes_tell_alive_ready_and_each_part_apart(clinic):
    alive, ready = await clinic.web.get("/livez"), await clinic.web.get("/readyz")
    health = (await clinic.web.get("/healthz")).json()

    assert (alive.status_code, ready.status_code) == (200, 200)
    assert health["parts"]["database"]["state"] == "ok"
    assert health["parts"]["workers"]["state"] == "down", "no worker process runs in this test"
    assert {"state", "since", "age_s", "advice"} == set(health["parts"]["redis"])


async def test_a_database_that_is_not_migrated_is_not_ready_and_acknowledges_nothing(tmp_path, empty_vendors):
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/empty.db")
    known = settings_of(database, "http://127.0.0.1:9", "https://127.0.0.1:9", empty_vendors.ca_file)

    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        ready = await clinic.web.get("/readyz")
        health = (await clinic.web.get("/healthz")).json()["parts"]["database"]
        answered = await clinic.delivers({"id": 7})

    assert (ready.status_code, answered) == (503, 503)
    assert "chronobridge migrate" in health["advice"]
