"""What people ask for on a record's card in Salesforce: to sync it now, to link it to a chart, to unlink it."""

import uuid

import pytest

from tests.flow.clinic import ORG_ID
from tests.flow.heard import changed
from tests.flow.patience import EVENTS

CONTACT = {"FirstName": "Tess", "LastName": "Sample", "Birthdate": "1990-02-03"}


@pytest.fixture
def known(known):
    return changed(known, salesforce_event_tokens=EVENTS)


async def asks(clinic, action, contact, chart=None):
    """Somebody presses a button of the card, and the workers do what is to be done."""
    event = {
        "EventUuid": str(uuid.uuid4()),
        "Action__c": action,
        "Object__c": "Contact",
        "Record_Id__c": contact["Id"],
        "Chart_Id__c": None if chart is None else str(chart["id"]),
    }
    body = {"organizationId": ORG_ID, "events": [event]}
    answer = await clinic.web.post(
        "/webhooks/salesforce/events", json=body, headers={"authorization": f"Bearer {EVENTS}"}
    )
    assert answer.status_code == 200
    await clinic.settles()


async def excluded_by(clinic):
    return {row.excluded_by for row in await clinic.links()}


async def test_sync_now_asks_drchrono_and_brings_an_edit_that_no_delivery_told_of(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    await clinic.edits(patient, city="Testville")

    await asks(clinic, "sync", clinic.contact())

    assert clinic.contact()["MailingCity"] == "Testville"
    assert clinic.calls("drchrono", "GET /api/patients/{id}") == 1


async def test_a_contact_that_nobody_ticked_is_linked_to_the_chart_that_is_named_and_says_so(clinic):
    chart = await clinic.registers(first_name="Tess", last_name="Samples", date_of_birth="1990-02-03")
    clinic.human_enters_contact(**CONTACT)

    await asks(clinic, "link", clinic.contact(), chart)
    await clinic.settles()

    assert clinic.contact()["DrChrono_Patient_Id__c"] == str(chart["id"])
    assert [row.drchrono_id for row in await clinic.links()] == [str(chart["id"])]
    assert len(clinic.charts()) == 1


async def test_what_was_unlinked_stays_as_it_is_on_both_sides_until_it_is_linked_again(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    await asks(clinic, "unlink", clinic.contact())

    await clinic.arrives(await clinic.edits(patient, city="Testville"))
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()
    apart = clinic.contact()["MailingCity"], clinic.chart(patient)["email"], await excluded_by(clinic)
    await asks(clinic, "link", clinic.contact(), patient)

    assert apart == (None, "old@example.com", {"person"})
    assert (clinic.contact()["MailingCity"], clinic.chart(patient)["email"]) == ("Testville", "new@example.com")
    assert await excluded_by(clinic) == {None}


async def test_what_was_unlinked_is_not_linked_again_by_naming_another_chart(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    other = await clinic.registers(first_name="Bea", last_name="Other", date_of_birth="1980-02-03")
    await asks(clinic, "unlink", clinic.contact())

    await asks(clinic, "link", clinic.contact(), other)
    await clinic.arrives(await clinic.edits(patient, city="Testville"))

    assert (clinic.contact()["MailingCity"], await excluded_by(clinic)) == (None, {"person"})


async def test_the_last_word_counts_of_two_that_are_heard_together(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    contact = clinic.contact()
    for action in ("unlink", "link"):
        event = {"Action__c": action, "Object__c": "Contact", "Record_Id__c": contact["Id"]}
        body = {"events": [{**event, "EventUuid": str(uuid.uuid4()), "Chart_Id__c": str(patient["id"])}]}
        bearer = {"authorization": f"Bearer {EVENTS}"}
        assert (await clinic.web.post("/webhooks/salesforce/events", json=body, headers=bearer)).status_code == 200

    await clinic.settles()

    assert await excluded_by(clinic) == {None}


async def test_a_chart_that_another_contact_has_is_not_taken_from_it(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    first = clinic.contact()
    clinic.human_enters_contact(**CONTACT)
    second = next(one for one in clinic.contacts() if one["Id"] != first["Id"])

    await asks(clinic, "link", second, patient)

    links = {row.salesforce_id: row.drchrono_id for row in await clinic.links()}
    assert links[first["Id"]] == str(patient["id"])
    assert [failure[1] for failure in await clinic.failures()] == ["contact_of_another_link"]


@pytest.mark.parametrize("chart", [None, {"id": "0x7"}], ids=["none", "no id"])
async def test_a_link_without_a_chart_changes_nothing(clinic, chart):
    clinic.human_enters_contact(**CONTACT)

    await asks(clinic, "link", clinic.contact(), chart)

    assert (await clinic.links(), clinic.charts()) == ([], [])
