"""Contacts without a link: one that names a chart is linked after a look at it, and nothing is ever linked twice."""

import pytest

from tests.flow.clinic import SEARCH_GAP
from workers.read import read_both_sides

CHART = {"first_name": "Testb", "last_name": "Fixture", "email": "chart@example.com"}


async def settles_and_confirms(clinic):
    for _ in range(2):
        await clinic.settles()
        await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()


async def pairs(clinic):
    return {(row.drchrono_id, row.salesforce_id) for row in await clinic.links()}


async def test_a_contact_that_names_no_chart_there_is_is_held_with_its_fix(clinic):
    clinic.human_enters_contact(DrChrono_Patient_Id__c="999999")

    await clinic.hears()
    await settles_and_confirms(clinic)
    await clinic.time_passes(SEARCH_GAP)
    await clinic.settles()

    assert [cause for _, cause, _ in await clinic.failures()] == ["gone_in_drchrono"]
    assert (clinic.calls("drchrono", "GET"), clinic.calls("drchrono", "PATCH")) == (2, 0)
    assert clinic.writes() == []
    assert await clinic.unfinished() == []


@pytest.mark.parametrize("named", ["..", "../users/current", "no number", "1?verbose=true", "%2e%2e", "Ω" * 64])
async def test_what_a_contact_names_is_only_ever_asked_for_as_a_patient(clinic, named):
    clinic.human_enters_contact(DrChrono_Patient_Id__c=named)

    await clinic.hears()
    await settles_and_confirms(clinic)

    assert len(await clinic.failures()) == 1
    assert (clinic.calls("drchrono", "PATCH"), clinic.writes()) == (0, [])
    assert clinic.calls("drchrono", "GET /api/users") == 0


async def test_a_contact_that_names_a_chart_of_another_contact_is_held_and_neither_side_is_written(clinic):
    patient = await clinic.has_linked(**CHART)
    first = clinic.contact()["Id"]
    clinic.human_edits_contact(first, DrChrono_Patient_Id__c=None)
    second = clinic.human_enters_contact(DrChrono_Patient_Id__c=str(patient["id"]), Email="second@example.com")
    writes = clinic.writes()

    await clinic.hears()
    await settles_and_confirms(clinic)

    assert await pairs(clinic) == {(str(patient["id"]), first), (None, second)}
    causes = sorted(cause for _, cause, _ in await clinic.failures())
    assert causes == ["DUPLICATE_VALUE", "contact_of_another_link"], "the first may not say again whose it is"
    assert (clinic.writes(), clinic.calls("drchrono", "PATCH")) == (writes, 0)


async def test_what_a_held_contact_was_due_for_is_used_up(clinic):
    patient = await clinic.has_linked(**CHART)
    clinic.human_edits_contact(DrChrono_Patient_Id__c=None)
    clinic.human_enters_contact(DrChrono_Patient_Id__c=str(patient["id"]))

    await clinic.hears()
    await settles_and_confirms(clinic)

    assert await clinic.unfinished() == []


async def test_linking_asks_drchrono_and_lets_each_sides_own_fields_win(clinic):
    patient = await clinic.registers(**CHART, city="Chartville")
    clinic.human_enters_contact(
        DrChrono_Patient_Id__c=str(patient["id"]), FirstName="Tess", LastName="Fixture", Email="crm@example.com"
    )

    await clinic.hears()
    await settles_and_confirms(clinic)

    contact, chart = clinic.contact(), clinic.chart(patient)
    assert (contact["FirstName"], chart["first_name"]) == ("Testb", "Testb"), "DrChrono owns the name"
    assert (contact["Email"], chart["email"]) == ("crm@example.com",) * 2, "Salesforce owns e-mail"
    assert (contact["MailingCity"], chart["city"]) == ("Chartville",) * 2, "emptiness never beats a value"
    assert clinic.calls("drchrono", "GET") == 1


async def test_a_contact_that_is_linked_by_hand_later_is_linked_then(clinic):
    patient = await clinic.registers(**CHART)
    clinic.human_enters_contact(FirstName="Testb")
    await clinic.hears()
    await clinic.settles()
    before = await pairs(clinic)

    clinic.human_edits_contact(DrChrono_Patient_Id__c=str(patient["id"]))
    await clinic.hears()
    await settles_and_confirms(clinic)

    assert before == set()
    assert await pairs(clinic) == {(str(patient["id"]), clinic.contact()["Id"])}
    assert clinic.contact()["Email"] == "chart@example.com"


@pytest.mark.parametrize("first", ["chart", "contact"])
async def test_a_chart_and_the_contact_that_names_it_become_one_whichever_is_looked_at_first(clinic, first):
    patient = await clinic.registers(**CHART)

    async def chart_comes():
        await clinic.arrives(patient, event="PATIENT_CREATE")

    async def contact_comes():
        clinic.human_enters_contact(DrChrono_Patient_Id__c=str(patient["id"]), FirstName="Tess")
        await clinic.hears()
        await clinic.settles()

    if first == "contact":
        await contact_comes()
        await chart_comes()
    else:
        contact = {"DrChrono_Patient_Id__c": str(patient["id"]), "FirstName": "Tess"}
        clinic.human_enters_contact(**contact)
        await chart_comes()
        await clinic.hears()
    await settles_and_confirms(clinic)

    assert await pairs(clinic) == {(str(patient["id"]), clinic.contact()["Id"])}
    assert clinic.contact()["FirstName"] == "Testb"
    assert await clinic.unfinished() == []
    assert await clinic.failures() == []


async def test_a_chart_and_the_contact_that_names_it_taken_together_become_one_link(clinic):
    patient = await clinic.registers(**CHART)
    clinic.human_enters_contact(DrChrono_Patient_Id__c=str(patient["id"]), FirstName="Tess")
    await clinic.delivers(patient, event="PATIENT_CREATE")
    await clinic.hears()

    await settles_and_confirms(clinic)

    assert await pairs(clinic) == {(str(patient["id"]), clinic.contact()["Id"])}
    assert await clinic.unfinished() == []


async def test_a_contact_taken_together_with_the_chart_it_names_is_not_written_before_drchrono_was_asked(clinic):
    patient = await clinic.registers(**CHART)
    clinic.human_enters_contact(DrChrono_Patient_Id__c=str(patient["id"]), Email="crm@example.com")
    await clinic.delivers(patient, event="PATIENT_CREATE")
    await clinic.hears()

    await clinic.settles()

    assert clinic.calls("drchrono", "GET") or clinic.writes() == []
    assert clinic.contact()["Email"] == "crm@example.com", "Salesforce owns e-mail"


async def test_two_workers_that_hold_the_two_refs_of_one_person_leave_one_link(clinic):
    patient = await clinic.registers(**CHART)
    await clinic.delivers(patient, event="PATIENT_CREATE")
    of_chart = await clinic.takes()
    clinic.human_enters_contact(DrChrono_Patient_Id__c=str(patient["id"]), FirstName="Tess")
    await clinic.hears()
    of_contact = await clinic.takes()
    looked = await read_both_sides(of_chart)

    await clinic.carries_on(of_contact)
    outcomes = await clinic.writes_out(of_chart, looked)
    await clinic.records(of_chart, looked, outcomes)
    await settles_and_confirms(clinic)

    assert await pairs(clinic) == {(str(patient["id"]), clinic.contact()["Id"])}
    assert clinic.contact()["FirstName"] == "Testb"
    assert await clinic.unfinished() == []


async def test_a_contact_of_nobodys_that_is_deleted_is_left_alone(clinic):
    contact = clinic.human_enters_contact()
    await clinic.hears()
    clinic.salesforce.delete(f"/_control/records/Contact/{contact}")

    await clinic.settles()

    assert await clinic.unfinished() == []
    assert await clinic.failures() == []
    assert await clinic.links() == []
