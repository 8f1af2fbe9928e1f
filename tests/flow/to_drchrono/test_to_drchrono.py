"""The way back: an edit in Salesforce reaches DrChrono as a PATCH of exactly that, and nothing comes back of it."""

import pytest

from tests.flow.clinic import SEARCH_GAP


@pytest.fixture
async def linked(clinic):
    """A clinic whose one patient is linked, both sides equal."""
    patient = await clinic.registers(cell_phone="(555) 010-0142", email="testa@example.com")
    await clinic.arrives(patient, event="PATIENT_CREATE")
    clinic.drchrono.delete("/_control/calls")
    return patient


def chart(clinic, patient):
    return clinic.drchrono.get("/_control/patients").json()["patients"][str(patient["id"])]


async def test_an_edit_in_salesforce_is_patched_into_drchrono_and_asks_nothing_of_it(clinic, linked):
    clinic.human_edits_contact(Email="new@example.com")

    assert await clinic.hears() == 200
    await clinic.settles()

    assert chart(clinic, linked)["email"] == "new@example.com"
    assert clinic.calls("drchrono", "PATCH") == 1
    assert clinic.calls("drchrono", "GET") == 0
    (patch,) = [call for call in clinic.drchrono.get("/_control/edits").json() if call["kind"] == "edit"] or [None]
    assert patch is None


async def test_our_own_patch_coming_back_writes_nothing(clinic, linked):
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()
    writes = clinic.writes()

    await clinic.arrives(chart(clinic, linked))
    await clinic.hears()
    await clinic.settles()

    assert clinic.writes() == writes
    assert clinic.calls("drchrono", "PATCH") == 1
    assert (await clinic.link(linked)).unsettled == []


async def test_an_edit_of_a_field_drchrono_owns_is_carried_once_drchrono_was_asked(clinic, linked):
    clinic.human_edits_contact(FirstName="Testina")

    await clinic.hears()
    await clinic.settles()

    assert chart(clinic, linked)["first_name"] == "Testina"
    assert (clinic.calls("drchrono", "GET"), clinic.calls("drchrono", "PATCH")) == (1, 1)


async def test_an_edit_of_a_one_way_field_is_put_back(clinic, linked):
    clinic.human_edits_contact(DrChrono_Chart_Id__c="MINE")

    await clinic.hears()
    await clinic.settles()

    assert clinic.contact()["DrChrono_Chart_Id__c"] == linked["chart_id"]
    assert clinic.calls("drchrono", "PATCH") == 0


async def test_disjoint_edits_on_both_sides_both_survive(clinic, linked):
    edited = await clinic.edits(linked, city="Newtown")
    clinic.human_edits_contact(Email="new@example.com")

    await clinic.delivers(edited)
    await clinic.hears()
    await clinic.settles()

    assert (clinic.contact()["MailingCity"], clinic.contact()["Email"]) == ("Newtown", "new@example.com")
    assert (chart(clinic, linked)["city"], chart(clinic, linked)["email"]) == ("Newtown", "new@example.com")


async def test_a_stale_body_from_before_our_patch_does_not_undo_it(clinic, linked):
    before = await clinic.edits(linked, city="Newtown")  # sent by DrChrono, and late
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()

    await clinic.arrives(before)
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert (chart(clinic, linked)["email"], clinic.contact()["Email"]) == ("new@example.com",) * 2
    assert (chart(clinic, linked)["city"], clinic.contact()["MailingCity"]) == ("Newtown",) * 2
    assert clinic.calls("drchrono", "GET") == 1


async def test_a_contact_that_names_a_chart_is_linked_after_a_look_at_it(clinic):
    patient = await clinic.registers(first_name="Testb", email="chart@example.com")
    clinic.salesforce.post(
        "/_control/records/Contact",
        json={"LastName": "Fixture", "FirstName": "Testb", "DrChrono_Patient_Id__c": str(patient["id"])},
    )

    await clinic.hears()
    await clinic.settles()
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert (await clinic.link(patient)).salesforce_id == clinic.contact()["Id"]
    assert clinic.contact()["Email"] == "chart@example.com"
    assert clinic.calls("drchrono", "GET") == 1


async def test_a_contact_that_is_nobodys_chart_is_left_alone(clinic):
    clinic.salesforce.post("/_control/records/Contact", json={"LastName": "Vendor"})

    await clinic.hears()
    passes = await clinic.settles()

    assert passes == 1
    assert await clinic.links() == []
    assert (clinic.calls("drchrono", "GET"), clinic.writes()) == (0, [])
    assert await clinic.unfinished() == []


async def test_a_notice_about_our_own_create_before_its_answer_makes_no_second_link(clinic):
    patient = await clinic.registers()
    await clinic.delivers(patient, event="PATIENT_CREATE")
    work = await clinic.takes()
    looked = await clinic.looks(work)
    outcomes = await clinic.writes_out(work, looked)
    await clinic.hears()
    lone = await clinic.takes()

    await clinic.records(work, looked, outcomes)
    await clinic.carries_on(lone)
    await clinic.settles()

    rows = await clinic.links()
    assert [(row.drchrono_id, row.salesforce_id) for row in rows] == [(str(patient["id"]), clinic.contact()["Id"])]
    assert await clinic.unfinished() == []


async def test_a_value_drchrono_refuses_makes_a_failure_that_names_its_field_and_the_rest_flows(clinic, linked):
    complaint = {"email": ["Enter a valid email address."]}
    clinic.breaks("drchrono", "PATCH /api/patients", "error", status=400, body=complaint)
    clinic.human_edits_contact(Email="odd@example.com", MailingCity="Newtown")

    await clinic.hears()
    await clinic.settles()

    assert chart(clinic, linked)["city"] == "Newtown"
    assert await clinic.failures() == [("drchrono", "HTTP_400", "email")]


async def test_a_patch_whose_answer_was_lost_is_looked_at_before_anything_else(clinic, linked):
    clinic.breaks("drchrono", "PATCH /api/patients", "drop_after_commit")
    clinic.human_edits_contact(Email="new@example.com")

    await clinic.hears()
    await clinic.settles()
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert chart(clinic, linked)["email"] == "new@example.com"
    assert (clinic.calls("drchrono", "PATCH"), clinic.calls("drchrono", "GET")) == (1, 1)
    assert [row.state for row in await clinic.journal("drchrono")] == ["confirmed"]


async def test_a_chart_that_vanished_is_held_and_not_written_again(clinic, linked):
    clinic.drchrono.delete(f"/_control/patients/{linked['id']}")
    clinic.human_edits_contact(Email="new@example.com")

    await clinic.hears()
    await clinic.settles()
    await clinic.time_passes(SEARCH_GAP)
    await clinic.settles()

    assert [cause for _, cause, _ in await clinic.failures()] == ["gone_in_drchrono"]
    assert clinic.calls("drchrono", "PATCH") == 1


async def test_drchrono_is_not_asked_right_after_it_took_a_patch_because_it_may_still_show_the_old_row(clinic, linked):
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()
    clinic.human_edits_contact(FirstName="Testina")

    await clinic.hears()
    await clinic.settles()
    asked_at_once = clinic.calls("drchrono", "GET")
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    assert (asked_at_once, clinic.calls("drchrono", "GET")) == (0, 1)
    assert chart(clinic, linked)["first_name"] == "Testina"
    assert clinic.contact()["Email"] == "new@example.com"
