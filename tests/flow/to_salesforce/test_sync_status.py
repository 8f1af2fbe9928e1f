"""Salesforce's records show people how they are synced: written when it changes, many a call, and never an edit."""

from datetime import timedelta

import pytest

from app.runtime import open_inbox
from app.sync.model import Kind, Lane
from app.vendors.salesforce.transport import BulkPolicy
from tests.flow.calendar import points_out
from tests.flow.patience import ages
from workers.compare.reconcile import EVER, compare
from workers.sync_status import write_statuses_when_due
from workers.vendor_limits import OrgWatch

FIELDS = ("DrChrono_Sync_Status__c", "DrChrono_Sync_Message__c", "DrChrono_Synced_At__c")
UPDATE = "PATCH /services/data/v67.0/composite/sobjects"


@pytest.fixture
async def shown(clinic):
    """The clinic, once it knows that its org has the three fields."""
    await OrgWatch(clinic.runtime).look()
    return clinic


async def looks(clinic, passed=timedelta(minutes=1)):
    """The worker looks for statuses to write; gives how many calls that took."""
    await ages(clinic, passed)
    clinic.salesforce.delete("/_control/calls")
    await write_statuses_when_due(clinic.runtime)
    return clinic.calls("salesforce", UPDATE)


async def compares(clinic):
    """Everything that changed is compared; gives how many passes that makes."""
    inbox = open_inbox(clinic.runtime, lambda _group: None)
    await compare(clinic.runtime, inbox, Kind.PATIENT, EVER)
    await inbox.close()
    return await clinic.settles()


def status(contact):
    return contact["DrChrono_Sync_Status__c"], contact["DrChrono_Sync_Message__c"]


async def test_a_status_is_written_once_with_the_moment_of_the_sync_and_is_no_edit(shown):
    await shown.has_linked(first_name="Ada", last_name="Test")

    calls = [await looks(shown), await looks(shown)]

    assert calls == [1, 0]
    assert status(shown.contact()) == ("In step", None)
    assert shown.contact()["DrChrono_Synced_At__c"] is not None
    contact, patient = shown.contact(), (await shown.links())[0].drchrono_id
    assert contact["DrChrono_Record_Url__c"] == f"https://sync.example.com/records/salesforce/patient/{contact['Id']}"
    assert contact["DrChrono_Chart_Url__c"].endswith(f"/patients/{patient}")
    assert (await compares(shown), shown.calls("salesforce", UPDATE)) == (0, 0)


async def test_what_fails_and_heals_is_told_at_the_next_look(shown):
    patient = await shown.has_linked(first_name="Ada", last_name="Test")
    await looks(shown)
    await shown.arrives(await shown.edits(patient, date_of_birth="1492-01-01"))

    failed = await looks(shown, timedelta(seconds=6))
    said = status(shown.contact())
    await shown.arrives(await shown.edits(patient, date_of_birth="1992-01-01"))
    healed = await looks(shown, timedelta(seconds=6))

    assert (failed, healed) == (1, 1)
    assert said[0] == "Failed"
    assert said[1].startswith("Birthdate: ")
    assert "1492" not in said[1]
    assert status(shown.contact()) == ("In step", None)


async def test_the_moment_of_the_last_sync_alone_is_written_after_a_minute_with_what_gathered(shown):
    patients = [await shown.has_linked(first_name="Ada", last_name=f"Test{number}") for number in range(3)]
    first = await looks(shown)
    for patient in patients:
        await shown.arrives(await shown.edits(patient, city="Testville"))

    calls = [await looks(shown, timedelta(seconds=6)), await looks(shown)]

    assert (first, calls) == (1, [0, 1])


@pytest.mark.parametrize(("above", "told"), [(2, (0, 1)), (3, (1, 0))], ids=["by a job", "in a call"])
async def test_what_a_first_load_brought_is_told_after_a_minute_by_a_job_where_it_is_much(shown, above, told):
    for name in ("Ada", "Ben", "Cleo"):
        await shown.registers(first_name=name)
    await points_out(shown, Kind.PATIENT, since=EVER, lane=Lane.BACKFILL)
    await shown.settles()
    shown.runtime.salesforce.patience = BulkPolicy(above=above, most=50, looks_s=(0.01,), longest_s=5.0)

    found = []
    for passed in (timedelta(seconds=6), timedelta(minutes=1), timedelta(minutes=1)):
        calls = await looks(shown, passed)
        found.append((calls, shown.calls("salesforce", "POST /services/data/v67.0/jobs/ingest")))

    assert found == [(0, 0), told, (0, 0)]
    assert {status(contact) for contact in shown.contacts()} == {("In step", None)}


async def test_an_edit_of_salesforce_beside_a_status_still_travels(shown):
    patient = await shown.has_linked(first_name="Ada", last_name="Test")
    shown.human_edits_contact(MailingCity="Testville")
    await looks(shown)

    await shown.hears()
    await shown.settles()

    assert shown.chart(patient)["city"] == "Testville"


async def test_a_record_that_does_not_take_it_is_left_until_its_state_changes_and_its_neighbor_has_its_own(shown):
    patient = await shown.has_linked(first_name="Ada", last_name="Test")
    await shown.has_linked(first_name="Bea", last_name="Test")
    contact = next(one for one in shown.contacts() if one["FirstName"] == "Ada")
    shown.salesforce.delete(f"/_control/records/Contact/{contact['Id']}")

    calls = [await looks(shown), await looks(shown)]

    left = [status(one)[0] for one in shown.contacts() if one["FirstName"] == "Bea"]
    assert (calls, left) == ([1, 0], ["In step"])
    assert patient


async def test_an_org_without_the_permission_is_asked_again_in_ten_minutes_and_nothing_else_waits(shown, caplog):
    patient = await shown.has_linked(first_name="Ada", last_name="Test")
    hidden = {"hidden": True}
    shown.salesforce.patch(f"/_control/objects/Contact/fields/{FIELDS[0]}", json=hidden).raise_for_status()

    calls = [await looks(shown), await looks(shown, timedelta(minutes=9))]
    await shown.arrives(await shown.edits(patient, city="Testville"))
    shown.salesforce.patch(f"/_control/objects/Contact/fields/{FIELDS[0]}", json={"hidden": False}).raise_for_status()
    calls.append(await looks(shown))

    assert calls == [1, 0, 1]
    assert status(shown.contact()) == ("In step", None)


async def test_an_org_without_the_fields_or_a_clinic_that_wants_none_is_not_called(clinic):
    await clinic.has_linked(first_name="Ada", last_name="Test")
    for place in (f"{kind}/fields/{name}" for kind in ("Contact", "DrChrono_Appointment__c") for name in FIELDS):
        clinic.salesforce.patch(f"/_control/objects/{place}", json={"hidden": True}).raise_for_status()

    await OrgWatch(clinic.runtime).look()

    assert await looks(clinic) == 0


async def test_a_word_that_an_older_package_lacks_keeps_it_from_nobody_else(shown):
    ada, _ben = [await shown.has_linked(first_name=name, last_name="Test") for name in ("Ada", "Ben")]
    lacks = {"object": "Contact", "statusCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "fields": [FIELDS[0]]}
    lacks |= {"external_id": str(ada["id"]), "next": 100}
    shown.salesforce.post("/_control/record-faults", json=lacks).raise_for_status()

    await looks(shown)
    await shown.arrives(await shown.registers(first_name="Cleo", last_name="Test"), event="PATIENT_CREATE")
    await looks(shown)

    told = {one["FirstName"]: one[FIELDS[0]] is not None for one in shown.contacts()}
    assert told == {"Ada": False, "Ben": True, "Cleo": True}
