"""A first load's many writes go by one job of Salesforce's, and are as safe there as in calls."""

from datetime import timedelta

import pytest

from app.runtime import open_inbox
from app.sync.model import Kind, Lane
from app.vendors.salesforce.transport import BulkPolicy
from tests.flow.clinic import REQUEST_LIMIT
from workers.compare.reconcile import EVER, compare

JOBS = "POST /services/data/v67.0/jobs/ingest"
CLOSE = "PATCH /services/data/v67.0/jobs/ingest"
CALLS = "PATCH /services/data/v67.0/composite/sobjects/Contact"
NAMES = ("Ada", "Ben", "Cleo", "Dora")


@pytest.fixture
async def crowded(clinic):
    """A clinic where more than two records are a crowd, and four patients that nobody has told us of."""
    clinic.runtime.salesforce.patience = BulkPolicy(above=2, most=50, looks_s=(0.01,), longest_s=0.3)
    for name in NAMES:
        await clinic.registers(first_name=name, last_name="Test")
    return clinic


async def points_out(clinic):
    inbox = open_inbox(clinic.runtime, lambda _group: None)
    await compare(clinic.runtime, inbox, Kind.PATIENT, EVER, Lane.BACKFILL)
    await inbox.close()


def here(clinic):
    return sorted(one["FirstName"] for one in clinic.contacts())


async def test_a_first_load_goes_by_one_job_and_nothing_is_doubled(crowded):
    await points_out(crowded)
    await crowded.settles()
    await points_out(crowded)
    await crowded.settles()

    assert here(crowded) == sorted(NAMES)
    assert crowded.writes() == ["created"] * 4
    assert (crowded.calls("salesforce", JOBS), crowded.calls("salesforce", CALLS)) == (1, 0)
    assert {row.state for row in await crowded.journal("salesforce")} == {"confirmed"}
    assert all(link.salesforce_id for link in await crowded.links())


async def test_a_crowd_is_searched_for_by_itself_once_it_was_decided_on(crowded):
    await points_out(crowded)

    looked = await crowded.looks(await crowded.takes())

    assert [one.searched for one in looked] == [None] * len(NAMES)


async def test_a_bad_record_hurts_only_itself_and_names_its_field(crowded):
    odd = await crowded.registers(first_name="Odd", last_name="Test")
    path = f"/_control/patients/{odd['id']}?silent=true&unchecked=true"
    crowded.drchrono.patch(path, json={"email": "no at sign"}).raise_for_status()
    await points_out(crowded)
    await crowded.settles()

    assert crowded.calls("salesforce", JOBS) == 1
    assert len(crowded.contacts()) == 5
    assert await crowded.failures() == [("salesforce", "INVALID_EMAIL_ADDRESS", "Email")]


async def test_what_breaks_a_limit_of_the_orgs_code_in_a_job_goes_in_small_calls(crowded):
    crowded.salesforce.put("/_control/settings", json={"most_in_transaction": 2})
    await points_out(crowded)
    await crowded.settles()

    assert here(crowded) == sorted(NAMES)
    assert (crowded.calls("salesforce", JOBS), crowded.calls("salesforce", CALLS)) == (1, 3)
    assert await crowded.failures() == []


async def test_an_alert_of_duplicates_is_passed_by_a_call(crowded):
    await crowded.registers(first_name="Eve", last_name="Twin", date_of_birth="1980-01-01")
    await crowded.registers(first_name="Eve", last_name="Twin", date_of_birth="1980-01-01", email="two@example.com")
    crowded.human_enters_contact(
        FirstName="Eve", LastName="Twin", Birthdate="1980-01-01", DrChrono_Patient_Id__c="other"
    )
    crowded.salesforce.put("/_control/settings", json={"duplicate_rule": "alert"})
    await points_out(crowded)
    await crowded.time_passes(timedelta(seconds=5))
    await crowded.settles()

    assert await crowded.failures() == []
    assert here(crowded) == sorted([*NAMES, "Eve", "Eve", "Eve"])
    assert crowded.calls("salesforce", CALLS) >= 1


async def test_who_dies_before_the_close_has_written_nothing_and_it_is_tried_again(crowded):
    await points_out(crowded)
    crowded.breaks("salesforce", "PUT /services/data/v67.0/jobs", "timeout_after_commit", delay_s=5)
    await crowded.dies_when(
        await crowded.takes(), lambda: crowded.calls("salesforce", "PUT /services/data/v67.0/jobs") == 1
    )

    planned = await crowded.journal("salesforce")
    await crowded.time_passes(timedelta(minutes=1))
    await crowded.settles()

    assert planned == []
    assert crowded.writes() == ["created"] * 4


async def test_a_close_that_never_came_through_leaves_the_job_called_off_and_is_tried_again(crowded):
    await points_out(crowded)
    crowded.breaks("salesforce", CLOSE, "drop_before", next=1)
    await crowded.carries_on(await crowded.takes())

    nothing = crowded.contacts()
    for _ in range(2):
        await crowded.time_passes(REQUEST_LIMIT + timedelta(seconds=1))
        await crowded.settles()

    assert nothing == []
    assert crowded.writes() == ["created"] * 4


async def test_who_dies_before_the_results_leaves_a_job_its_successor_asks_for(crowded):
    await points_out(crowded)
    crowded.breaks("salesforce", "GET /services/data/v67.0/jobs/ingest", "drop_after_commit", next=1000)
    await crowded.dies_when(await crowded.takes(), crowded.contacts)
    crowded.salesforce.delete("/_control/faults")
    planned = {row.state for row in await crowded.journal("salesforce")}

    await crowded.time_passes(timedelta(minutes=1))
    await crowded.settles()

    assert planned == {"planned"}
    assert crowded.writes() == ["created"] * 4
    assert {row.state for row in await crowded.journal("salesforce")} == {"confirmed"}


async def test_a_job_that_stays_queued_is_called_off_and_writes_nothing_later(crowded):
    await points_out(crowded)
    crowded.salesforce.put("/_control/settings", json={"ingest_looks": 100_000})
    await crowded.carries_on(await crowded.takes())
    crowded.salesforce.put("/_control/settings", json={"ingest_looks": 0})

    called_off = crowded.contacts()
    await crowded.time_passes(timedelta(minutes=1))
    await crowded.settles()
    too_early = crowded.contacts()
    await crowded.time_passes(REQUEST_LIMIT)
    await crowded.settles()

    assert (called_off, too_early) == ([], [])
    assert crowded.writes() == ["created"] * 4


async def test_what_a_failed_job_has_not_come_to_goes_in_calls(crowded):
    await points_out(crowded)
    crowded.salesforce.put("/_control/settings", json={"ingest_ends": "Failed", "ingest_does": 1})
    await crowded.settles()

    assert crowded.writes() == ["created"] * 4
    assert crowded.calls("salesforce", CALLS) == 1
    assert await crowded.failures() == []


async def test_an_org_without_jobs_is_written_to_in_calls(crowded):
    await points_out(crowded)
    crowded.breaks("salesforce", JOBS, "error", status=403, body=[{"errorCode": "FEATURENOTENABLED"}])
    await crowded.settles()

    assert crowded.writes() == ["created"] * 4
    assert crowded.calls("salesforce", CALLS) == 1


async def test_a_lost_lease_keeps_a_job_open(crowded):
    await points_out(crowded)
    work = await crowded.takes()
    looked = await crowded.looks(work)
    await crowded.time_passes(timedelta(minutes=1))
    await crowded.writes_out(work, looked)

    assert crowded.contacts() == []


async def test_contacts_that_were_there_are_linked_and_brought_up_to_date_by_a_job_that_makes_none(crowded):
    born = {"date_of_birth": "1980-01-01", "gender": "Female"}
    for name in ("Wim", "Xia", "Yan", "Zoe"):
        await crowded.registers(first_name=name, last_name="There", **born)
        crowded.human_enters_contact(FirstName=name, LastName="There", Birthdate="1980-01-01")
    await points_out(crowded)
    for _ in range(3):
        await crowded.settles()
        await crowded.time_passes(timedelta(minutes=1))

    there = [one for one in crowded.contacts() if one["LastName"] == "There"]
    assert [one["DrChrono_Gender__c"] for one in there] == ["Female"] * 4
    assert all(one["DrChrono_Patient_Id__c"] for one in there)
    assert here(crowded) == sorted([*NAMES, "Wim", "Xia", "Yan", "Zoe"])
    assert await crowded.failures() == []


async def test_a_job_whose_records_somebody_called_off_is_settled_by_looking(crowded):
    await points_out(crowded)
    crowded.salesforce.put("/_control/settings", json={"ingest_ends": "Aborted", "ingest_does": 2})
    await crowded.carries_on(await crowded.takes())
    crowded.salesforce.put("/_control/settings", json={"ingest_ends": "JobComplete"})

    for _ in range(3):
        await crowded.time_passes(REQUEST_LIMIT + timedelta(seconds=1))
        await crowded.settles()

    assert crowded.writes() == ["created"] * 4
    assert await crowded.failures() == []


async def test_a_close_that_is_refused_while_nothing_can_be_called_off_is_not_taken_for_undone(crowded):
    await points_out(crowded)
    crowded.breaks("salesforce", CLOSE, "error", status=503, next=2)
    await crowded.carries_on(await crowded.takes())
    states = {row.state for row in await crowded.journal("salesforce")}

    for _ in range(3):
        await crowded.time_passes(REQUEST_LIMIT + timedelta(seconds=1))
        await crowded.settles()

    assert states == {"unknown"}
    assert crowded.writes() == ["created"] * 4
    assert await crowded.failures() == []


async def test_live_edits_never_go_by_a_job(crowded):
    for one in crowded.charts():
        await crowded.delivers(one, event="PATIENT_CREATE")
    await crowded.settles()

    assert here(crowded) == sorted(NAMES)
    assert crowded.calls("salesforce", JOBS) == 0
