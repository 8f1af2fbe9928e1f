"""Jobs nobody hears the end of: a worker killed at the close, answers of no use. Nothing is lost, doubled, given up."""

from datetime import timedelta

import pytest

from app.runtime import open_inbox
from app.sync.model import Kind, Lane
from app.vendors.salesforce.transport import BulkPolicy
from tests.flow.clinic import REQUEST_LIMIT
from workers.compare.reconcile import EVER, compare

JOBS = "/services/data/v67.0/jobs/ingest"
BIRTHDAY = "1980-01-01"
NAMES = ("Ada", "Ben", "Cleo")
FIRST_JOB = "750SYN000000001YBA"
PAGE = "<html>a proxy's page</html>"


@pytest.fixture
async def crowded(clinic):
    """A clinic where more than two records are a crowd; a job is looked at a hundred times before it is called off."""
    clinic.runtime.salesforce.patience = BulkPolicy(above=2, most=50, looks_s=(0.01,), longest_s=1.0)
    for name in NAMES:
        await clinic.registers(first_name=name, last_name="Test", date_of_birth=BIRTHDAY)
    return clinic


async def points_out(clinic):
    inbox = open_inbox(clinic.runtime, lambda _group: None)
    await compare(clinic.runtime, inbox, Kind.PATIENT, EVER, Lane.BACKFILL)
    await inbox.close()


async def leaves_a_job(clinic):
    """A worker closes a job that stays queued, and is killed."""
    await points_out(clinic)
    clinic.salesforce.put("/_control/settings", json={"ingest_looks": 100_000})
    await clinic.dies_when(await clinic.takes(), lambda: clinic.calls("salesforce", f"PATCH {JOBS}") == 1)


async def comes_to_rest(clinic):
    """Salesforce is well again, and its request limit passes."""
    clinic.salesforce.delete("/_control/faults")
    clinic.salesforce.put("/_control/settings", json={"ingest_looks": 0})
    for _ in range(2):
        await clinic.time_passes(REQUEST_LIMIT + timedelta(minutes=2))
        await clinic.settles()


@pytest.mark.parametrize(("how", "ended"), [("timeout_before", "Aborted"), ("timeout_after_commit", "JobComplete")])
async def test_who_is_killed_on_either_side_of_the_close_leaves_a_job_that_makes_nobody_twice(crowded, how, ended):
    await points_out(crowded)
    crowded.breaks("salesforce", f"PATCH {JOBS}", how, delay_s=5)
    await crowded.dies_when(await crowded.takes(), lambda: crowded.calls("salesforce", f"PATCH {JOBS}") == 1)
    died_with = {(row.state, row.job) for row in await crowded.journal("salesforce")}, crowded.contacts()
    await crowded.time_passes(timedelta(minutes=1))
    await crowded.settles()
    made = len(crowded.contacts())
    await comes_to_rest(crowded)

    assert died_with == ({("planned", FIRST_JOB)}, [])
    assert made == (len(NAMES) if ended == "JobComplete" else 0), "a job that was called off may still have had a start"
    assert crowded.writes() == ["created"] * len(NAMES)
    assert await crowded.failures() == []
    assert all(link.salesforce_id and link.due_at is None for link in await crowded.links())


@pytest.mark.parametrize(
    ("match", "how"),
    [
        (f"GET {JOBS}", {"status": 200, "body": PAGE}),
        (f"GET {JOBS}", {"status": 400, "body": [{"errorCode": "INVALIDJOBSTATE"}]}),
        (f"PATCH {JOBS}", {"status": 400, "body": [{"errorCode": "INVALIDJOBSTATE"}]}),
    ],
    ids=["a page", "refused", "goes on"],
)
async def test_a_dead_workers_job_that_says_nothing_of_use_is_asked_again_and_gives_nobody_up(crowded, match, how):
    await leaves_a_job(crowded)
    crowded.breaks("salesforce", match, "error", next=1000, **how)
    await crowded.time_passes(timedelta(minutes=1))
    await crowded.settles()
    given_up, written = await crowded.failures(), crowded.contacts()
    await comes_to_rest(crowded)

    assert (given_up, written) == ([], [])
    assert crowded.writes() == ["created"] * len(NAMES)
    assert await crowded.failures() == []


async def test_results_that_are_of_no_use_are_not_waited_for_and_looking_tells_instead(crowded):
    await points_out(crowded)
    keyless = '"sf__Id","sf__Created"\n'
    crowded.breaks("salesforce", f"GET {JOBS}/{FIRST_JOB}/", "error", next=1000, status=200, body=keyless)
    await crowded.carries_on(await crowded.takes())
    asked = crowded.calls("salesforce", f"GET {JOBS}")
    crowded.salesforce.delete("/_control/faults")
    await crowded.time_passes(timedelta(minutes=1))
    await crowded.settles()

    assert asked < 5
    assert crowded.writes() == ["created"] * len(NAMES)
    assert await crowded.failures() == []
    assert {row.state for row in await crowded.journal("salesforce")} == {"confirmed"}
