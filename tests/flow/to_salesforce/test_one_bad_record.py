"""One bad record hurts one record: it becomes a failure that says why; its neighbors go through in the same pass."""

import pytest
import sqlalchemy as sa
from ulid import ULID

from app.store.clock import db_now
from app.store.tables import links
from app.sync.model import Kind
from tests.flow.calendar import VISITS, books, forged, records
from workers.sync import sync

PATIENTS, APPOINTMENTS = Kind.PATIENT, Kind.APPOINTMENT
GOOD = 5
NO_ID_OF_SALESFORCES = "003SYN000000001ZZZ"  # its last letters do not fit the others


async def one_pass(clinic, kind):
    """A worker takes what is due of a kind, and sees it through once."""
    await sync(await clinic.takes(kind))


async def is_told_of(clinic, contact_id):
    """What no door takes is due: it came before they looked."""

    async def work(connection):
        odd = {"id": str(ULID()), "kind": PATIENTS.value, "salesforce_id": contact_id, "due_at": db_now()}
        await connection.execute(sa.insert(links).values(odd))

    await clinic.runtime.database.transact(work)


async def delivers_among_good_ones(clinic, **odd):
    """Five good visits are delivered, and in their midst an odd one; gives the ids of the good ones, and its own."""
    patient = await clinic.has_linked()
    good = [await books(clinic, patient, scheduled_time=f"2026-12-{n + 1:02}T10:30:00") for n in range(GOOD)]
    visit = {**good[0], "id": "340099999", **odd}
    for one in (*good[:2], visit, *good[2:]):
        assert await forged(clinic, one, event="APPOINTMENT_CREATE") == 200
    return {one["id"] for one in good}, visit["id"]


# what no process of ours writes, and yet a newer one, a person at the database, or a failing disk may leave in a row
UNREADABLE = {"half a character": sa.literal_column("CAST(X'5bff5d' AS TEXT)"), "another form": 5}
ENOUGH_ATTEMPTS = 99


async def leaves(clinic, patient, **values):
    """Somebody writes to a patient's row who is none of us."""
    row = sa.update(links).where(links.c.drchrono_id == str(patient["id"])).values(**values)
    await clinic.runtime.database.transact(lambda connection: connection.execute(row))


async def base_of(clinic, patient):
    asked = sa.select(sa.cast(links.c.base, sa.Text)).where(links.c.drchrono_id == str(patient["id"]))
    return (await clinic.runtime.database.read(asked))[0][0]


@pytest.mark.both
@pytest.mark.parametrize(
    ("database", "what", "cause"),
    [("sqlite", "half a character", "value_not_stored"), ("postgresql", "another form", "unexpected_error")],
    indirect=["database"],
)
async def test_a_record_whose_row_cannot_be_read_holds_up_no_other_and_loses_nothing(clinic, what, cause):
    good = [await clinic.has_linked(first_name=name) for name in ("Ada", "Ben", "Cleo", "Dee")]
    for patient in good:
        await clinic.delivers(await clinic.edits(patient, city="Springfield"))
    odd = good.pop(1)
    before = await base_of(clinic, odd)
    await leaves(clinic, odd, unsettled=UNREADABLE[what], attempts=ENOUGH_ATTEMPTS)

    await one_pass(clinic, PATIENTS)

    arrived = {contact["DrChrono_Patient_Id__c"] for contact in clinic.contacts() if contact["MailingCity"]}
    assert arrived == {str(patient["id"]) for patient in good}
    assert await clinic.failures() == [("salesforce", cause, "")]
    assert await base_of(clinic, odd) == before

    await leaves(clinic, odd, unsettled=[], due_at=db_now())
    await one_pass(clinic, PATIENTS)

    assert [contact["MailingCity"] for contact in clinic.contacts()] == ["Springfield"] * 4
    assert await clinic.failures() == []


@pytest.mark.parametrize("time", ["0202-12-01T10:30:00", "9998-12-01T10:30:00"])
async def test_a_visit_of_an_odd_year_holds_up_no_other(clinic, time):
    good, _odd = await delivers_among_good_ones(clinic, scheduled_time=time)

    await one_pass(clinic, APPOINTMENTS)

    assert {there["DrChrono_Id__c"] for there in records(clinic, VISITS)} == good
    assert await clinic.failures() == [("salesforce", "date_out_of_range", "Start__c")]


@pytest.mark.parametrize(
    "doctor", ["9" * 100, 10**70, "31\x000001", "31\ud8000001"], ids=["100", "number", "NUL", "half"]
)
async def test_a_visit_of_a_doctor_whose_id_is_none_holds_up_no_other(clinic, doctor):
    good, _odd = await delivers_among_good_ones(clinic, doctor=doctor)

    await one_pass(clinic, APPOINTMENTS)

    assert {there["DrChrono_Id__c"] for there in records(clinic, VISITS)} == good
    assert await clinic.failures() == [("salesforce", "not_an_id", "Doctor__c")]


@pytest.mark.parametrize("place", ["1_\x0020261201", "1_\ud80020261201", "9" * 100], ids=["NUL", "half", "100"])
async def test_a_visit_whose_place_in_its_series_is_none_comes_beside_the_others(clinic, place):
    good, odd = await delivers_among_good_ones(clinic, recurrence_instance_key=place)

    await one_pass(clinic, APPOINTMENTS)

    assert {there["DrChrono_Id__c"] for there in records(clinic, VISITS)} == good | {odd}
    assert await clinic.failures() == []


async def test_a_record_whose_id_salesforce_takes_for_none_holds_up_no_other(clinic):
    good = [await clinic.has_linked(first_name=name) for name in ("Ada", "Ben", "Cleo")]
    for patient in good:
        await clinic.delivers(await clinic.edits(patient, city="Springfield"))
    await is_told_of(clinic, NO_ID_OF_SALESFORCES)

    await one_pass(clinic, PATIENTS)

    assert [contact["MailingCity"] for contact in clinic.contacts()] == ["Springfield"] * 3
    assert await clinic.failures() == [("salesforce", "id_refused", "")]


async def test_a_question_that_salesforce_refuses_whoever_it_is_about_is_nobodys_failure_and_not_halved(clinic):
    for name in ("Ada", "Ben", "Cleo"):
        await clinic.delivers(await clinic.registers(first_name=name))
    refusal = [{"errorCode": "INVALID_FIELD", "message": "No such column"}]
    clinic.breaks("salesforce", "GET /services/data/v67.0/query", "error", status=400, body=refusal, next=None)
    clinic.salesforce.delete("/_control/calls")

    await one_pass(clinic, PATIENTS)

    assert await clinic.failures() == []
    assert {(link.attempts, link.last_error) for link in await clinic.links()} == {(0, "INVALID_FIELD")}
    assert clinic.calls("salesforce", "GET /services/data/v67.0/query") == 3, "with a search, without, about nobody"


async def test_a_contact_that_names_no_chart_that_there_can_be_is_a_failure_of_its_own(clinic):
    odd = clinic.human_enters_contact(DrChrono_Patient_Id__c="..", FirstName="Tess")
    clinic.human_ticks_contact(FirstName="Ada")

    assert await clinic.hears() == 200
    await clinic.settles()

    assert [chart["first_name"] for chart in clinic.charts()] == ["Ada"]
    assert await clinic.failures() == [("salesforce", "not_an_id", "DrChrono_Patient_Id__c")]
    assert odd in {link.salesforce_id for link in await clinic.links()}
