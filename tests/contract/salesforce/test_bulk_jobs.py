"""Ingest jobs: the stand-in as simple-salesforce's own client sees it, and our calls whatever Salesforce answers."""

import pytest
import requests
from simple_salesforce import Salesforce as SimpleSalesforce

from app.errors import OutcomeUnknown, Rejected, Unavailable, Unreadable
from app.vendors.salesforce.bulk_jobs import ABORTED, COMPLETE, FAILED, BulkJobs, cells, written
from app.vendors.salesforce.wire import RecordRefused, Saved

KEY = "DrChrono_Patient_Id__c"
NAMES = (KEY, "Email", "LastName")
JOBS = "/services/data/v67.0/jobs/ingest"


@pytest.fixture
def jobs(salesforce):
    return BulkJobs(salesforce)


@pytest.fixture
def library(org, monkeypatch):
    """simple-salesforce by itself, as anybody would use it."""
    org.control.post("/_control/reset")
    asked = {
        "grant_type": "client_credentials",
        "client_id": "standin-client-id",
        "client_secret": "standin-client-secret",
    }
    token = org.control.post("/services/oauth2/token", data=asked).json()["access_token"]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(org.ca_file))  # its jobs go by a session of their own
    with requests.Session() as session:
        yield SimpleSalesforce(instance_url=org.url, session_id=token, version="67.0", session=session)


def csv_of(*records):
    return written([cells(record) for record in records])


def contacts(org):
    return org.control.get("/_control/records/Contact").json()["records"]


def broken(org, match, do, **more):
    org.control.post("/_control/faults", json={"match": match, "do": do, **more}).raise_for_status()


async def done(jobs, job):
    await jobs.close(job)
    while (state := await jobs.state(job)) not in (COMPLETE, FAILED, ABORTED):
        pass
    return state


def test_the_stand_in_takes_a_job_of_simple_salesforces_own_client(library, org):
    records = [{KEY: str(n), "LastName": f"Fixture {n}"} for n in range(5)]

    (told,) = library.bulk2.Contact.upsert(records=records, external_id_field=KEY, wait=1)

    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (5, 0)
    assert sorted(one[KEY] for one in contacts(org)) == ["0", "1", "2", "3", "4"]
    saved = library.bulk2.Contact.get_successful_records(told["job_id"])
    assert saved.count("\n") == 6
    assert "sf__Created" in saved


def test_it_updates_by_id_and_names_what_failed_to_that_client(library, org):
    there = org.control.post("/_control/records/Contact", json={"LastName": "Before"}).json()["Id"]
    records = [{"Id": there, "LastName": "After"}, {"Id": "003SYN999999999YBA", "LastName": "Nobody"}]

    (told,) = library.bulk2.Contact.update(records=records, wait=1)

    assert told["numberRecordsFailed"] == 1
    assert [one["LastName"] for one in contacts(org)] == ["After"]
    assert "INVALID_CROSS_REFERENCE_KEY" in library.bulk2.Contact.get_failed_records(told["job_id"])


async def test_each_record_of_an_upsert_is_answered_for_itself(jobs, org):
    uploaded = csv_of(
        {KEY: "1", "LastName": "A", "Email": "a@example.com"}, {KEY: "2", "LastName": "B", "Email": "no at sign"}
    )

    job = await jobs.begun("Contact", KEY, uploaded)
    nothing = contacts(org)
    state = await done(jobs, job)
    found = await jobs.results(job, KEY, NAMES)

    assert (nothing, state) == ([], COMPLETE)
    assert found.answered["2"] == RecordRefused("INVALID_EMAIL_ADDRESS", ("Email",))
    assert found.answered["2"].message == "Email: invalid email address: no at sign"
    assert isinstance(found.answered["1"], Saved)
    assert found.answered["1"].created
    assert found.unprocessed == frozenset()


async def test_an_update_by_id_empties_leaves_alone_and_resurrects_nobody(jobs, org):
    made = [
        org.control.post("/_control/records/Contact", json={"LastName": name, "Email": "e@example.com"}).json()["Id"]
        for name in "AB"
    ]
    org.control.delete(f"/_control/records/Contact/{made[1]}")
    uploaded = csv_of({"Id": made[0], "Email": None}, {"Id": made[1], "Email": None})

    job = await jobs.begun("Contact", None, uploaded)
    await done(jobs, job)
    found = await jobs.results(job, "Id", NAMES)

    assert found.answered[made[0]].created is False
    assert found.answered[made[1]].code == "ENTITY_IS_DELETED"
    assert [(one["LastName"], one["Email"]) for one in contacts(org)] == [("A", None)]


async def test_an_update_empties_a_reference_by_the_name_of_its_look_up(jobs, org):
    doctor = org.control.post("/_control/records/DrChrono_Doctor__c", json={"Name": "Dr. Test"}).json()["Id"]
    there = {"LastName": "A", "DrChrono_Doctor__c": doctor}
    contact = org.control.post("/_control/records/Contact", json=there).json()["Id"]

    job = await jobs.begun("Contact", None, csv_of({"Id": contact, "DrChrono_Doctor__r": None}))
    state = await done(jobs, job)

    assert state == COMPLETE
    assert [one["DrChrono_Doctor__c"] for one in contacts(org)] == [None]


async def test_a_column_that_is_no_field_fails_a_job_before_it_writes_anything(jobs, org):
    job = await jobs.begun("Contact", KEY, written([{KEY: "1", "LastName": "A", "DrChrono_Doctor__r": "#N/A"}]))

    state = await done(jobs, job)
    found = await jobs.results(job, KEY, NAMES)

    assert (state, found.answered, found.unprocessed) == (FAILED, {}, {"1"})
    assert contacts(org) == []


async def test_a_job_that_failed_says_what_it_never_came_to(jobs, org):
    org.control.put("/_control/settings", json={"ingest_ends": "Failed", "ingest_does": 1})
    job = await jobs.begun("Contact", KEY, csv_of({KEY: "1", "LastName": "A"}, {KEY: "2", "LastName": "B"}))

    state = await done(jobs, job)
    found = await jobs.results(job, KEY, NAMES)

    assert (state, set(found.answered), found.unprocessed) == (FAILED, {"1"}, {"2"})


async def test_a_job_that_goes_on_is_called_off_and_one_that_is_gone_was_complete(jobs, org):
    org.control.put("/_control/settings", json={"ingest_looks": 1000})
    job = await jobs.begun("Contact", KEY, csv_of({KEY: "1", "LastName": "A"}))
    await jobs.close(job)

    assert await jobs.ended(job) == ABORTED
    assert await jobs.ended("750SYN999999999YBA") == COMPLETE
    assert contacts(org) == []


@pytest.mark.parametrize(
    ("match", "how", "error"),
    [
        (f"POST {JOBS}", {"do": "error", "status": 503}, Unavailable),
        (f"POST {JOBS}", {"do": "error", "status": 400, "body": [{"errorCode": "INVALIDJOB"}]}, Rejected),
        (f"POST {JOBS}", {"do": "error", "status": 200, "body": {"state": "Open"}}, Unavailable),
        (
            f"POST {JOBS}",
            {"do": "error", "status": 403, "body": [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]},
            Unavailable,
        ),
        (f"PUT {JOBS}", {"do": "error", "status": 503}, Unavailable),
        (f"PUT {JOBS}", {"do": "error", "status": 200, "body": {}}, Unavailable),
        (f"PUT {JOBS}", {"do": "error", "status": 201, "body": "<html>"}, Unavailable),
        (f"PUT {JOBS}", {"do": "drop_before"}, Unavailable),
    ],
)
async def test_a_job_that_could_not_be_filled_has_written_nothing_and_says_why(jobs, org, match, how, error):
    broken(org, match, **how)

    with pytest.raises(error):
        await jobs.begun("Contact", KEY, csv_of({KEY: "1", "LastName": "A"}))

    assert contacts(org) == []


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({"do": "drop_after_commit"}, OutcomeUnknown),
        ({"do": "error", "status": 500}, (OutcomeUnknown, Unavailable)),
        ({"do": "error", "status": 400, "body": [{"errorCode": "INVALIDJOBSTATE"}]}, Rejected),
    ],
)
async def test_a_close_without_a_good_answer_is_never_taken_for_one(jobs, org, how, error):
    job = await jobs.begun("Contact", KEY, csv_of({KEY: "1", "LastName": "A"}))
    broken(org, f"PATCH {JOBS}", **how)

    with pytest.raises(error):
        await jobs.close(job)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("<html>a proxy's page</html>", Unavailable),
        ('"sf__Id","sf__Created"\n"003","true"\n', Unreadable),
        (f'"sf__Id","{KEY}"\n"003","Half of a', Unreadable),
    ],
    ids=["a page", "no key", "cut off"],
)
async def test_results_that_cannot_be_read_are_not_guessed(jobs, org, said, error):
    job = await jobs.begun("Contact", KEY, csv_of({KEY: "1", "LastName": "A"}))
    await done(jobs, job)
    broken(org, f"GET {JOBS}/{job}/successfulResults", "error", status=200, body=said)

    with pytest.raises(error):
        await jobs.results(job, KEY, NAMES)


async def test_a_record_the_results_do_not_name_is_neither_answered_nor_unprocessed(jobs, org):
    job = await jobs.begun("Contact", KEY, csv_of({KEY: "1", "LastName": "A"}))
    await done(jobs, job)
    broken(org, f"GET {JOBS}/{job}/successfulResults", "error", status=200, body=f'"sf__Id","{KEY}"\n')

    found = await jobs.results(job, KEY, NAMES)

    assert (found.answered, found.unprocessed) == ({}, frozenset())


async def test_a_token_that_ends_in_the_middle_is_renewed(jobs, org):
    job = await jobs.begun("Contact", KEY, csv_of({KEY: "1", "LastName": "A"}))
    org.control.post("/_control/sessions/expire")

    assert await done(jobs, job) == COMPLETE
    assert [one[KEY] for one in contacts(org)] == ["1"]
