"""Where the edits of both sides meet: nobody's is lost but by rule, and what lost is kept for a person."""

from datetime import timedelta

import pytest

LATER = timedelta(minutes=2)


@pytest.fixture
async def linked(clinic):
    return await clinic.has_linked(first_name="Testa", last_name="Fixture")


async def comes_to_rest(clinic):
    for _ in range(2):
        await clinic.settles()
        await clinic.time_passes(LATER)
    await clinic.settles()


def on_both(clinic, patient, name, field):
    return clinic.chart(patient)[name], clinic.contact()[field]


@pytest.mark.parametrize("first", ["notice", "delivery", "together"])
@pytest.mark.parametrize(
    ("name", "field", "here", "there", "winner"),
    [
        ("first_name", "FirstName", "Adaline", "Adele", "Adaline"),
        ("email", "Email", "chart@example.com", "crm@example.com", "crm@example.com"),
    ],
    ids=["drchrono's field", "salesforce's field"],
)
async def test_a_field_both_changed_is_the_owners_whichever_was_heard_first(
    clinic, linked, first, name, field, here, there, winner
):
    body = await clinic.edits(linked, **{name: here})
    clinic.human_edits_contact(**{field: there})

    if first != "delivery":
        await clinic.hears()
    if first == "notice":
        await clinic.settles()
    await clinic.delivers(body)
    if first == "delivery":
        await clinic.settles()
        await clinic.hears()
    await comes_to_rest(clinic)

    assert on_both(clinic, linked, name, field) == (winner, winner)
    assert await clinic.unfinished() == []


async def test_what_lost_to_drchrono_is_kept_sealed(clinic, linked):
    body = await clinic.edits(linked, first_name="Adaline")
    clinic.human_edits_contact(FirstName="Adele")

    await clinic.delivers(body)
    await clinic.hears()
    await comes_to_rest(clinic)

    assert {"first_name": "Adele"} in await clinic.replaced()
    assert clinic.calls("drchrono", "GET") == 1, "no body alone wins against Salesforce"


async def test_what_lost_to_salesforce_is_kept_sealed(clinic, linked):
    body = await clinic.edits(linked, email="chart@example.com")
    clinic.human_edits_contact(Email="crm@example.com")

    await clinic.delivers(body)
    await clinic.hears()
    await comes_to_rest(clinic)

    assert {"email": "chart@example.com"} in await clinic.replaced()
    assert all("example.com" not in row.replaced for row in await clinic.journal("drchrono"))


async def test_the_same_edit_on_both_sides_writes_nothing(clinic, linked):
    before = clinic.writes()
    body = await clinic.edits(linked, city="Newtown")
    clinic.human_edits_contact(MailingCity="Newtown")

    await clinic.delivers(body)
    await clinic.hears()
    await comes_to_rest(clinic)

    assert clinic.writes() == before
    assert clinic.calls("drchrono", "PATCH") == 0
    assert on_both(clinic, linked, "city", "MailingCity") == ("Newtown", "Newtown")


async def test_an_edit_that_was_taken_back_before_we_looked_writes_nothing(clinic, linked):
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    clinic.human_edits_contact(Email="old@example.com")
    await clinic.hears()

    await comes_to_rest(clinic)

    assert clinic.calls("drchrono", "") == 0
    assert await clinic.unfinished() == []


async def test_an_edit_that_is_taken_back_after_it_travelled_travels_too(clinic, linked):
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()
    there = clinic.chart(linked)["email"]

    clinic.human_edits_contact(Email="old@example.com")
    await clinic.hears()
    await clinic.settles()

    assert there == "new@example.com"
    assert on_both(clinic, linked, "email", "Email") == ("old@example.com",) * 2
    assert clinic.calls("drchrono", "PATCH") == 2


async def test_two_edits_before_we_look_make_one_patch_of_exactly_both(clinic, linked):
    before = clinic.chart(linked)
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    clinic.human_edits_contact(MailingCity="Newtown")
    await clinic.hears()

    await clinic.settles()

    (row,) = await clinic.journal("drchrono")
    changed = {name for name, value in clinic.chart(linked).items() if value != before[name]}
    assert clinic.calls("drchrono", "PATCH") == 1
    assert row.stamps.keys() == {"email", "city"}
    assert changed - {"updated_at"} == {"email", "city"}


async def test_an_emptied_field_is_emptied_over_there(clinic, linked):
    clinic.human_edits_contact(Email=None)

    await clinic.hears()
    await clinic.settles()

    assert (clinic.chart(linked)["email"], clinic.contact()["Email"]) == ("", None)


async def test_a_redelivery_of_the_notice_and_of_the_body_writes_nothing_more(clinic, linked):
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()
    body, writes = clinic.chart(linked), clinic.writes()

    for _ in range(5):
        await clinic.hears()
        await clinic.delivers(body)
        await comes_to_rest(clinic)

    assert clinic.calls("drchrono", "PATCH") == 1
    assert clinic.writes() == writes
    assert clinic.calls("drchrono", "GET") == 0, "what agrees needs no question"


async def test_a_forged_body_does_not_win_a_conflict(clinic, linked):
    clinic.human_edits_contact(FirstName="Adele")
    forged = {**clinic.chart(linked), "first_name": "Mallory", "updated_at": "2099-01-01T00:00:00"}

    await clinic.delivers(forged)
    await clinic.hears()
    await comes_to_rest(clinic)

    assert on_both(clinic, linked, "first_name", "FirstName") == ("Adele", "Adele")
    assert clinic.calls("drchrono", "GET") >= 1


@pytest.mark.parametrize("heard", [False, True], ids=["alone", "with a notice"])
async def test_a_forged_body_does_not_make_somebody_else_of_a_patient(clinic, linked, heard):
    mallory = {"first_name": "Mallory", "last_name": "Other", "date_of_birth": "1999-09-09"}
    forged = {**clinic.chart(linked), **mallory, "updated_at": "2099-01-01T00:00:00"}

    await clinic.delivers(forged)
    if heard:
        await clinic.hears()
    await comes_to_rest(clinic)

    assert on_both(clinic, linked, "first_name", "FirstName") == ("Testa", "Testa")
    assert on_both(clinic, linked, "last_name", "LastName") == ("Fixture", "Fixture")
    assert clinic.calls("drchrono", "PATCH") == 0


async def test_a_forged_deletion_deletes_nothing(clinic, linked):
    forged = {**clinic.chart(linked), "updated_at": "2099-01-01T00:00:00"}

    await clinic.delivers(forged, event="PATIENT_DELETE")
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await comes_to_rest(clinic)

    assert on_both(clinic, linked, "email", "Email") == ("new@example.com",) * 2
    assert await clinic.failures() == []


async def test_a_body_that_contradicts_our_write_is_checked_and_a_true_edit_of_it_travels(clinic, linked):
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()

    await clinic.arrives(await clinic.edits(linked, email="chart@example.com"))
    waiting = (await clinic.link(linked)).last_error
    await comes_to_rest(clinic)

    assert waiting == "contradicts_our_write"
    assert on_both(clinic, linked, "email", "Email") == ("chart@example.com",) * 2
    assert clinic.calls("drchrono", "GET") == 1


async def test_a_forged_body_that_contradicts_our_write_does_not_undo_it(clinic, linked):
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()

    await clinic.delivers({**clinic.chart(linked), "email": "old@example.com", "updated_at": "2099-01-01T00:00:00"})
    await comes_to_rest(clinic)

    assert on_both(clinic, linked, "email", "Email") == ("new@example.com",) * 2


async def test_an_edit_in_drchrono_we_were_never_told_of_outlives_a_patch_of_other_fields(clinic, linked):
    await clinic.edits(linked, city="Newtown")  # the delivery is lost
    clinic.human_edits_contact(Email="new@example.com")

    await clinic.hears()
    await clinic.settles()

    assert clinic.chart(linked)["city"] == "Newtown"


async def test_an_edit_in_drchrono_we_were_never_told_of_wins_a_field_drchrono_owns(clinic, linked):
    await clinic.edits(linked, first_name="Adaline")  # the delivery is lost
    clinic.human_edits_contact(FirstName="Adele")

    await clinic.hears()
    await comes_to_rest(clinic)

    assert on_both(clinic, linked, "first_name", "FirstName") == ("Adaline", "Adaline")


async def test_a_one_way_field_that_was_edited_is_put_back_while_another_edit_travels(clinic, linked):
    clinic.human_edits_contact(DrChrono_Chart_Id__c="MINE", Email="new@example.com")

    await clinic.hears()
    await comes_to_rest(clinic)

    assert clinic.contact()["DrChrono_Chart_Id__c"] == linked["chart_id"]
    assert clinic.chart(linked)["chart_id"] == linked["chart_id"]
    assert on_both(clinic, linked, "email", "Email") == ("new@example.com",) * 2


async def test_a_body_from_between_our_look_and_our_second_patch_does_not_undo_it(clinic, linked):
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()
    clinic.human_edits_contact(Email="newer@example.com")
    await clinic.hears()
    await clinic.delivers(clinic.chart(linked))  # the first PATCH coming back
    work = await clinic.takes()
    looked = await clinic.looks(work)
    between = await clinic.edits(linked, city="Newtown")
    await clinic.records(work, looked, await clinic.writes_out(work, looked))

    await clinic.delivers(between)
    await clinic.settles()

    assert clinic.contact()["Email"] == "newer@example.com"
