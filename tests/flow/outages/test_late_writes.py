"""A write that nobody answered is sent again in seconds; should the first land after all, it undoes nobody's edit."""

from datetime import timedelta

import pytest

from app.store.tables import conflicts, tallies
from tests.flow.clinic import CONFIRM_AFTER, DRCHRONO_LIMIT, REQUEST_LIMIT

UPSERT = "PATCH /services/data/v67.0/composite/sobjects/Contact"
UPDATE = "PATCH /services/data/v67.0/composite/sobjects"
PATCH = "PATCH /api/patients"
SECONDS = timedelta(seconds=2)  # longer than the wait for a first attempt that was not answered
KEY = "DrChrono_Patient_Id__c"


async def counted(clinic, name):
    return {row.name: row.count for row in await clinic.rows(tallies)}.get(name, 0)


async def told(clinic):
    return [row.field for row in await clinic.rows(conflicts)]


async def a_while_later(clinic, span=SECONDS):
    await clinic.time_passes(span)
    await clinic.settles()


async def lands(clinic, **fields):
    """What Salesforce was at all the time is done at last, by the integration user's hand; nothing tells of it."""
    await clinic.runtime.salesforce.update("Contact", [{"id": clinic.contact()["Id"], **fields}])


@pytest.fixture
async def sent_twice(clinic):
    """An edit in DrChrono that reached Salesforce by a second call, the first being under way there still."""
    patient = await clinic.has_linked(city="Oldtown")
    clinic.breaks("salesforce", UPDATE, "drop_before")
    await clinic.arrives(await clinic.edits(patient, city="Newtown"))
    await a_while_later(clinic)
    assert clinic.contact()["MailingCity"] == "Newtown"
    return patient


async def test_new_patients_whose_call_was_cut_twice_are_there_in_seconds_once(clinic):
    for name in ("Ada", "Ben", "Cleo"):
        assert await clinic.delivers(await clinic.registers(first_name=name), event="PATIENT_CREATE") == 200
    clinic.breaks("salesforce", UPSERT, "drop_before", next=2)

    await clinic.settles()
    await a_while_later(clinic)
    await a_while_later(clinic, timedelta(seconds=6))

    assert sorted(contact["FirstName"] for contact in clinic.contacts()) == ["Ada", "Ben", "Cleo"]
    assert await clinic.failures() == []
    assert [row.due_at for row in await clinic.links()] == [None] * 3


async def test_an_edit_in_salesforce_whose_patch_was_cut_is_in_drchrono_in_seconds(clinic):
    patient = await clinic.has_linked()
    clinic.breaks("drchrono", PATCH, "drop_before")
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()

    await clinic.settles()
    await a_while_later(clinic)

    assert clinic.chart(patient)["email"] == "new@example.com"
    assert (clinic.calls("drchrono", PATCH), clinic.calls("drchrono", "GET")) == (2, 1)


async def test_what_lands_twice_is_nobodys_edit(clinic, sent_twice):
    await lands(clinic, MailingCity="Newtown")
    await clinic.hears()
    await clinic.settles()

    assert clinic.calls("drchrono", PATCH) == 0
    assert await counted(clinic, "late_salesforce_patient") == 0


async def test_what_lands_late_over_something_newer_goes_back_though_nobody_tells_of_it(clinic, sent_twice, capsys):
    await clinic.arrives(await clinic.edits(sent_twice, city="Newesttown"))
    await lands(clinic, MailingCity="Newtown")

    await a_while_later(clinic, REQUEST_LIMIT)

    assert (clinic.contact()["MailingCity"], clinic.chart(sent_twice)["city"]) == ("Newesttown",) * 2
    assert (await counted(clinic, "late_salesforce_patient"), await told(clinic)) == (1, [])
    assert clinic.calls("drchrono", PATCH) == 0
    assert [row.due_at for row in await clinic.links()] == [None]
    assert "write.landed_late" in capsys.readouterr().out


async def test_the_same_value_by_a_persons_hand_is_a_conflict_and_both_values_are_kept(clinic, sent_twice):
    await clinic.arrives(await clinic.edits(sent_twice, city="Newesttown"))
    clinic.human_edits_contact(MailingCity="Newtown")
    await clinic.hears()

    await clinic.settles()

    assert (clinic.contact()["MailingCity"], clinic.chart(sent_twice)["city"]) == ("Newtown",) * 2, "Salesforce owns it"
    assert await told(clinic) == ["city"]


async def test_a_patch_that_lands_late_over_something_newer_is_a_conflict_that_the_fields_rule_decides(clinic):
    patient = await clinic.has_linked()
    clinic.breaks("drchrono", PATCH, "drop_before")
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()
    clinic.human_edits_contact(Email="newest@example.com")
    await a_while_later(clinic)
    await clinic.edits(patient, email="new@example.com")  # what was under way all the time

    await a_while_later(clinic, DRCHRONO_LIMIT)
    await a_while_later(clinic, CONFIRM_AFTER)

    assert (clinic.chart(patient)["email"], clinic.contact()["Email"]) == ("newest@example.com",) * 2
    assert (await told(clinic), await counted(clinic, "late_drchrono_patient")) == (["email"], 1)
    assert [row.due_at for row in await clinic.links()] == [None]


async def test_a_create_that_lands_after_a_person_deleted_what_the_second_one_made_is_held(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    clinic.breaks("salesforce", UPSERT, "drop_before")
    await clinic.arrives(patient, event="PATIENT_CREATE")
    await a_while_later(clinic)
    clinic.salesforce.delete(f"/_control/records/Contact/{clinic.contact()['Id']}").raise_for_status()

    await clinic.runtime.salesforce.upsert("Contact", KEY, [{KEY: str(patient["id"]), "LastName": "Test"}])
    (brought_back,) = [one for one in clinic.contacts() if not one.get("IsDeleted")]
    await clinic.hears_of(brought_back["Id"])
    await clinic.settles()
    await a_while_later(clinic, REQUEST_LIMIT)

    assert "contact_of_another_link" in [cause for _side, cause, _fields in await clinic.failures()]
    assert (await clinic.link(patient)).salesforce_id != brought_back["Id"]


async def test_a_create_that_meets_what_its_first_attempt_has_just_made_is_looked_at_again(clinic):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    clinic.breaks("salesforce", UPSERT, "drop_after_commit")
    await clinic.arrives(patient, event="PATIENT_CREATE")
    query, nobody = "GET /services/data/v67.0/query", {"records": [], "done": True}
    clinic.breaks("salesforce", query, "error", status=200, body=nobody)  # it was made behind this look
    refused = [{"success": False, "errors": [{"statusCode": "DUPLICATE_VALUE", "message": "duplicate", "fields": []}]}]
    clinic.breaks("salesforce", UPSERT, "error", status=200, body=refused)

    await a_while_later(clinic)
    waits = await clinic.failures(), (await clinic.link(patient)).last_error
    await a_while_later(clinic, timedelta(seconds=6))

    assert waits == ([], "DUPLICATE_VALUE")
    assert (await clinic.link(patient)).salesforce_id == clinic.contact()["Id"]
    assert (clinic.writes(), await clinic.failures()) == (["created"], [])
