"""A new chart looks for its Contact before one is created: one is linked, several wait for a person, none creates."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from app.sync.failure_causes import fix
from tests.flow.create.test_in_drchrono import POST, WHO, causes, goes_on

TESS = {"FirstName": "Tess", "LastName": "Sample", "Birthdate": "1990-02-03"}
QUERY = "GET /services/data/v67.0/query"
UPSERT = "PATCH /services/data/v67.0/composite/sobjects/Contact"


def contacts(clinic):
    return sorted(str(one["DrChrono_Patient_Id__c"]) for one in clinic.contacts())


async def test_the_contact_of_a_new_chart_is_linked_after_drchrono_was_asked(clinic):
    contact = clinic.human_enters_contact(**{**TESS, "FirstName": "tess"}, Email="crm@example.com")
    chart = await clinic.registers(**WHO, email="chart@example.com", city="Chartville")

    await clinic.delivers(chart, event="PATIENT_CREATE")
    await clinic.settles()

    (link,) = await clinic.links()
    assert (link.drchrono_id, link.salesforce_id) == (str(chart["id"]), contact)
    assert contacts(clinic) == [str(chart["id"])]
    assert (clinic.contact()["FirstName"], clinic.contact()["MailingCity"]) == ("Tess", "Chartville")
    assert (clinic.chart(chart)["email"], clinic.calls("drchrono", "GET")) == ("crm@example.com", 1)
    assert (await clinic.failures(), await clinic.unfinished()) == ([], [])


async def test_a_chart_that_a_ticked_contact_finds_under_a_newer_birth_date_gets_no_contact_beside_it(clinic):
    chart = await clinic.registers(**{**WHO, "date_of_birth": "1991-02-03"})
    await clinic.delivers(chart, event="PATIENT_CREATE")
    await clinic.edits(chart, date_of_birth=TESS["Birthdate"])
    contact = clinic.human_ticks_contact(**TESS)
    await clinic.hears_of(contact)

    await clinic.settles()

    assert [one["Id"] for one in clinic.contacts()] == [contact]
    assert contacts(clinic) == [str(chart["id"])]
    assert await clinic.failures() == []


@pytest.mark.parametrize(
    "other",
    [{"FirstName": "Tessa"}, {"Birthdate": "1990-02-04"}, {"Birthdate": None}, {"DrChrono_Patient_Id__c": "999"}],
    ids=["another name", "another birth date", "no birth date", "the Contact of another chart"],
)
async def test_whoever_is_not_the_same_or_has_a_chart_is_left_alone(clinic, other):
    clinic.human_enters_contact(**{**TESS, **other})
    chart = await clinic.registers(**WHO)

    await clinic.arrives(chart, event="PATIENT_CREATE")

    assert len(clinic.contacts()) == 2
    assert clinic.writes().count("created") == 1
    assert str(chart["id"]) in contacts(clinic)


@pytest.mark.parametrize("lacks", ["first_name", "last_name", "date_of_birth"])
async def test_a_chart_without_name_or_birth_date_is_matched_with_nobody(clinic, lacks):
    clinic.human_enters_contact(**TESS)
    empty = {lacks: None if lacks == "date_of_birth" else ""}
    chart = await clinic.registers(**{**WHO, **empty})

    await clinic.arrives(chart, event="PATIENT_CREATE")

    assert [one["Id"] for one in clinic.contacts() if one["DrChrono_Patient_Id__c"] is None] != []


async def test_several_contacts_wait_for_a_person_who_says_which(clinic):
    first, _ = (clinic.human_enters_contact(**TESS) for _ in range(2))
    chart = await clinic.registers(**WHO)
    await clinic.arrives(chart, event="PATIENT_CREATE")
    held = (await causes(clinic), len(clinic.contacts()), clinic.writes())

    clinic.human_edits_contact(first, DrChrono_Patient_Id__c=str(chart["id"]))
    await clinic.hears_of(first)
    await goes_on(clinic, span=clinic.confirm_after)

    assert held == (["several_contacts"], 2, [])
    assert "right one" in fix("several_contacts")
    assert [(row.drchrono_id, row.salesforce_id) for row in await clinic.links()] == [(str(chart["id"]), first)]
    assert await clinic.failures() == []


async def test_an_equal_email_or_phone_tells_several_contacts_apart(clinic):
    clinic.human_enters_contact(**TESS, Email="other@example.com")
    wanted = clinic.human_enters_contact(**TESS, HomePhone="+1 555 010 0142")
    chart = await clinic.registers(**WHO, cell_phone="(555) 010-0142")

    await clinic.arrives(chart, event="PATIENT_CREATE")

    assert [row.salesforce_id for row in await clinic.links()] == [wanted]
    assert await clinic.failures() == []


async def test_two_charts_of_one_name_do_not_share_a_contact(clinic):
    clinic.human_enters_contact(**TESS)
    charts = [await clinic.registers(**WHO) for _ in range(2)]
    for chart in charts:
        await clinic.delivers(chart, event="PATIENT_CREATE")

    await goes_on(clinic)

    assert contacts(clinic) == sorted(str(chart["id"]) for chart in charts)
    assert len({row.salesforce_id for row in await clinic.links()}) == 2


async def test_a_contact_that_is_ticked_while_its_chart_looks_for_it_ends_as_one_pair(clinic):
    chart = await clinic.registers(**WHO)
    clinic.human_ticks_contact()
    await clinic.delivers(chart, event="PATIENT_CREATE")
    of_chart = await clinic.takes()
    await clinic.hears()
    of_contact = await clinic.takes()

    await asyncio.gather(clinic.carries_on(of_chart), clinic.carries_on(of_contact))
    await goes_on(clinic)

    (link,) = await clinic.links()
    assert (link.drchrono_id, link.salesforce_id) == (str(chart["id"]), clinic.contact()["Id"])
    assert (clinic.calls("drchrono", POST), clinic.writes().count("created"), len(clinic.charts())) == (0, 0, 1)
    assert (await clinic.unfinished(), await clinic.failures()) == ([], [])


async def test_a_chart_waits_while_another_worker_looks_for_the_contact_of_its_person(clinic):
    charts = [await clinic.registers(**WHO) for _ in range(2)]
    await clinic.delivers(charts[0], event="PATIENT_CREATE")
    first = await clinic.takes()
    looked = await clinic.looks(first)
    await clinic.delivers(charts[1], event="PATIENT_CREATE")

    await clinic.carries_on(await clinic.takes())
    of_second = [row.last_error for row in await clinic.links() if row.drchrono_id == str(charts[1]["id"])]
    at_first = (of_second, contacts(clinic))
    await clinic.records(first, looked, await clinic.writes_out(first, looked))
    await goes_on(clinic)

    assert at_first == (["match_busy"], []), "the other one may be creating its Contact now"
    assert contacts(clinic) == sorted(str(chart["id"]) for chart in charts)


@pytest.mark.parametrize(
    "former",
    [lambda one: replace(one, at=one.at - 60), lambda one: replace(one, who={**one.who, "gender": "Male"})],
    ids=["some time ago", "as another"],
)
async def test_a_contact_entered_since_the_look_is_met_where_that_is_old_or_was_for_another(clinic, former):
    await clinic.delivers(await clinic.registers(**WHO), event="PATIENT_CREATE")
    work = await clinic.takes()
    looked = [replace(one, searched=former(one.searched)) for one in await clinic.looks(work)]
    contact = clinic.human_enters_contact(**TESS)

    plans, answers = await clinic.writes_out(work, looked)

    assert ([plan.link_to for plan in plans.values()], answers) == ([contact], {})


async def test_where_salesforce_refuses_to_search_beside_a_read_it_is_searched_before_the_create(clinic):
    linked, contact = await clinic.has_linked(), clinic.human_enters_contact(**TESS)
    await clinic.delivers(await clinic.edits(linked, city="Springfield"))
    await clinic.delivers(await clinic.registers(**WHO), event="PATIENT_CREATE")
    refusal = [{"errorCode": "INVALID_FIELD", "message": "cannot be filtered"}]
    clinic.breaks("salesforce", QUERY, "error", status=400, body=refusal, next=1)
    clinic.salesforce.delete("/_control/calls")

    await clinic.carries_on(await clinic.takes())
    in_one_pass = (
        clinic.calls("salesforce", QUERY),
        [row.salesforce_id for row in await clinic.links()].count(contact),
    )
    await clinic.settles()

    assert in_one_pass == (3, 1), "with the search, without it, and the search by itself"
    assert [one["MailingCity"] for one in clinic.contacts() if one["Id"] != contact] == ["Springfield"]
    assert "None" not in contacts(clinic)


async def test_a_salesforce_that_does_not_answer_the_search_creates_nobody(clinic):
    clinic.human_enters_contact(**TESS)
    chart = await clinic.registers(**WHO)
    clinic.breaks("salesforce", QUERY, "error", status=503, next=2)
    await clinic.arrives(chart, event="PATIENT_CREATE")
    before = clinic.writes()

    for _ in range(3):
        await clinic.time_passes(timedelta(minutes=1))
        await clinic.settles()

    assert before == []
    assert contacts(clinic) == [str(chart["id"])]


async def test_a_birth_date_salesforce_has_no_day_for_holds_up_nobody_else(clinic):
    clinic.human_enters_contact(**TESS)
    await clinic.delivers(await clinic.registers(**{**WHO, "date_of_birth": "0019-05-05"}), event="PATIENT_CREATE")
    chart = await clinic.registers(**WHO)
    await clinic.delivers(chart, event="PATIENT_CREATE")

    await goes_on(clinic)

    (link,) = [row for row in await clinic.links() if row.drchrono_id == str(chart["id"])]
    assert link.salesforce_id is not None
    asked = clinic.salesforce.get("/_control/calls").json()["calls"]
    assert "0019-05-05" not in str([one["path"] for one in asked if "query" in one["path"]])


async def test_dying_between_the_match_and_the_link_leads_to_the_same_pair(clinic):
    clinic.human_enters_contact(**TESS)
    chart = await clinic.registers(**WHO)
    await clinic.delivers(chart, event="PATIENT_CREATE")
    work = await clinic.takes()
    await clinic.writes_out(work, await clinic.looks(work))

    await clinic.time_passes(timedelta(minutes=1))
    await clinic.settles()

    assert contacts(clinic) == [str(chart["id"])]
    assert clinic.calls("salesforce", UPSERT) == 0


async def test_a_burst_of_charts_that_have_their_contacts_costs_salesforce_little(clinic):
    for n in range(30):
        clinic.human_enters_contact(FirstName=f"Tess{n}", LastName="Sample", Birthdate="1990-02-03")
        await clinic.delivers(await clinic.registers(**{**WHO, "first_name": f"Tess{n}"}), event="PATIENT_CREATE")

    await clinic.settles()

    assert "None" not in contacts(clinic)
    assert len(clinic.contacts()) == 30
    assert clinic.calls("salesforce", "GET /services/data") == 2
    assert clinic.calls("salesforce", "PATCH /services/data") == 1
