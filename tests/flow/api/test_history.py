"""A record's history tells what was not applied and why, and what people did about it, by name."""

from datetime import timedelta

import pytest

from app.operations import records
from app.settings.fields import Settings
from app.sync.model import Kind, RecordRef, Side
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, opened

MARIA = "maria-signs-in-with-this-secret-of-the-tests"
BEARER, ASKS = {"authorization": f"Bearer {OPERATOR}"}, {"authorization": f"Bearer {MARIA}"}
ADA = {"first_name": "Ada", "last_name": "Fixture", "date_of_birth": "1980-02-03"}


@pytest.fixture
async def staffed(known, empty_vendors):
    given = Settings.model_validate(known.model_dump() | {"operators": f"maria:{MARIA}"})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
        yield clinic


async def history(clinic, patient, side="drchrono"):
    path = f"/api/v1/records/{side}/patient/{patient['id']}"
    return (await clinic.web.get(path, headers=BEARER)).raise_for_status().json()


async def test_an_edit_that_was_not_applied_says_why_at_the_delivery_and_as_a_row_of_its_own(staffed):
    patient = await staffed.has_linked(**ADA)
    staffed.human_edits_contact(FirstName=None)
    await staffed.hears()
    await staffed.settles()

    found = await history(staffed, patient)
    failure, told = found["history"][:2]

    assert (failure["what"], failure["says"]) == ("failure", "Not applied: DrChrono needs a first name.")
    assert (told["what"], told["says"], told["failures"]) == ("delivery", failure["says"], [failure["id"]])
    assert (failure["belongs_to"], found["sentence"], found["attempts"]) == (
        [told["id"]], "DrChrono needs a first name.", 1,
    )  # fmt: skip


async def test_who_retried_checked_noted_and_let_go_stands_in_the_history_and_what_fails_again_is_counted(staffed):
    patient = await staffed.has_linked(**ADA)
    staffed.human_edits_contact(FirstName=None)
    await staffed.hears()
    await staffed.settles()
    (waiting,) = (await staffed.web.get("/api/v1/failures/records", headers=BEARER)).json()["items"]

    await staffed.web.put(f"/api/v1/failures/records/{waiting['id']}/note", headers=ASKS, json={"text": "asked"})
    await staffed.web.post("/api/v1/failures/retry?expected=1", headers=ASKS)
    await staffed.settles()
    await staffed.web.post(f"/api/v1/records/drchrono/patient/{patient['id']}/look", headers=ASKS)
    await staffed.settles()
    await staffed.web.post("/api/v1/failures/discard?expected=1", headers=ASKS)

    told = [(one["name"], one["by"]) for one in (await history(staffed, patient))["history"] if one["what"] == "person"]
    assert told == [("dismissed", "maria"), ("checked", "maria"), ("retried", "maria"), ("noted", "maria")]


async def test_what_a_person_decided_stands_with_who_and_how_it_ended(staffed):
    for _ in range(2):
        staffed.human_enters_contact(FirstName="Twin", LastName="Test", Birthdate="1988-08-08")
    twin = await staffed.registers(first_name="Twin", last_name="Test", date_of_birth="1988-08-08")
    await staffed.arrives(twin, event="PATIENT_CREATE")
    (waiting,) = (await staffed.web.get("/api/v1/held", headers=BEARER)).json()["items"]
    chosen = staffed.contacts()[0]["Id"]

    await staffed.web.post(f"/api/v1/held/{waiting['link']}/choose", headers=ASKS, json={"id": chosen})
    await staffed.settles()

    told = (await history(staffed, twin))["history"]
    hold = next(one for one in told if one["what"] == "hold")
    decided = next(one for one in told if one["what"] == "person")
    assert hold["says"] == "Needs review: Several Contacts in Salesforce have this name and birth date."
    assert (decided["says"], decided["by"], decided["outcome"]) == (f"It is Salesforce {chosen}", "maria", "done")


async def test_an_undo_stands_with_who_asked_for_it_and_how_it_ended(staffed):
    patient = await staffed.has_linked(**ADA)
    await staffed.both_edit(patient, {"city": "East"}, {"MailingCity": "West"})
    await staffed.arrives(staffed.chart(patient))
    (conflict,) = (await staffed.web.get("/api/v1/conflicts", headers=BEARER)).json()["items"]

    await staffed.web.post(f"/api/v1/conflicts/{conflict['id']}/undo", headers=ASKS)
    await staffed.settles()

    undone = next(one for one in (await history(staffed, patient))["history"] if one["what"] == "person")
    assert (undone["name"], undone["by"], undone["outcome"], undone["fields"]) == ("undone", "maria", "done", ["city"])
    assert undone["says"] in ("Restored DrChrono's city", "Restored Salesforce's city")


async def test_a_call_that_is_refused_again_and_again_is_one_row(staffed):
    rule = {"object": "Contact", "statusCode": "UNABLE_TO_LOCK_ROW", "next": 3}
    rule["match"] = {"field": "MailingCity", "equals": "Newtown"}
    patient = await staffed.has_linked(**ADA)
    staffed.salesforce.post("/_control/record-faults", json=rule).raise_for_status()
    await staffed.arrives(await staffed.edits(patient, city="Newtown"))
    waiting = await history(staffed, patient)
    for _ in range(2):
        await staffed.time_passes(timedelta(minutes=20))
        await staffed.settles()

    found = await history(staffed, patient)
    calls = [one for one in found["history"] if one["what"] == "call" and one["fields"] == ["city"]]
    assert (waiting["state"], waiting["attempts"], waiting["due_at"] is not None) == ("on_its_way", 1, True)
    assert [(one["outcome"], one["times"]) for one in calls] == [("refused", 3)]
    assert calls[0]["at"] < calls[0]["last_at"]


async def test_how_most_fields_came_is_named_once_and_beside_the_others_how_they_did(staffed):
    patient = await staffed.has_linked(**ADA)
    await staffed.arrives(await staffed.edits(patient, city="Newtown"))
    one = await records.find(staffed.runtime, RecordRef(Side.DRCHRONO, Kind.PATIENT, str(patient["id"])))

    both = await records.unread(staffed.runtime, one)

    (create, update) = await staffed.journal(Side.SALESFORCE)
    assert both.common.call_id == create.id
    assert [each.seen.name for each in both.fields if each.came and each.came != both.common] == ["city"]
    assert update.id != create.id
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open(f"/records/drchrono/patient/{patient['id']}")
    assert page.text.count("As most fields.") == len(create.stamps)


async def test_the_fields_that_a_failure_is_about_come_first(staffed):
    patient = await staffed.has_linked(**ADA)
    staffed.human_edits_contact(FirstName=None)
    await staffed.hears()
    await staffed.settles()

    read = await staffed.web.post(f"/api/v1/records/drchrono/patient/{patient['id']}/read", headers=BEARER)

    assert read.json()["fields"][0]["field"] == "first_name"
