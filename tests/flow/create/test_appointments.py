"""A visit entered in Salesforce becomes one in DrChrono, exactly once, and says what it lacks."""

from datetime import timedelta

from app.sync.model import Kind
from tests.flow.calendar import (
    VISITS,
    a_second_passes,
    booked,
    books,
    compares,
    enters,
    forgets,
    has_visit,
    in_drchrono,
    points_out,
    records,
    tells,
    visit_of,
)
from tests.flow.clinic import DRCHRONO_LIMIT


async def hears_of(clinic, *ids):
    """What messages about these would do, however often they come."""
    await compares(clinic, Kind.APPOINTMENT, since=None)
    for record_id in ids:
        await tells(clinic, Kind.APPOINTMENT, record_id)


async def test_a_visit_entered_in_salesforce_is_booked_once_and_knows_its_id(clinic):
    await clinic.has_linked()
    entered = enters(clinic)

    await hears_of(clinic, entered, entered, entered)

    (visit,) = in_drchrono(clinic)
    assert (visit["scheduled_time"], visit["duration"], visit["exam_room"]) == ("2026-12-01T10:30:00", 30, 1)
    there = booked(clinic)
    assert there["DrChrono_Id__c"] == visit["id"]
    assert clinic.calls("drchrono", "POST /api/appointments") == 1
    assert await clinic.failures() == []

    await clinic.arrives(visit, event="APPOINTMENT_CREATE")
    there = booked(clinic)
    assert (there["Local_Start__c"], there["Time_Zone__c"]) == ("2026-12-01T10:30:00", "US/Eastern")
    assert clinic.calls("drchrono", "PATCH") == 0


async def test_the_webhook_of_our_own_booking_may_come_before_its_answer_is_recorded(clinic):
    await clinic.has_linked()
    entered = enters(clinic)
    await points_out(clinic, Kind.APPOINTMENT, since=None)
    work = await clinic.takes(Kind.APPOINTMENT)
    looked = await clinic.looks(work)
    outcome = await clinic.writes_out(work, looked)
    (visit,) = in_drchrono(clinic)

    await clinic.delivers(visit, event="APPOINTMENT_CREATE")
    early = await clinic.takes(Kind.APPOINTMENT)
    await clinic.carries_on(early)
    await clinic.records(work, looked, outcome)
    for _ in range(4):
        await clinic.settles()
        await clinic.time_passes(timedelta(seconds=61))
    await clinic.settles()

    assert [row["Id"] for row in records(clinic, VISITS)] == [entered]
    assert len(in_drchrono(clinic)) == 1
    assert booked(clinic)["DrChrono_Id__c"] == visit["id"]


async def test_a_booking_whose_answer_was_lost_is_found_and_not_repeated(clinic):
    await clinic.has_linked()
    enters(clinic)
    clinic.breaks("drchrono", "POST /api/appointments", "commit_then_drop", next=1)

    await hears_of(clinic)
    assert len(in_drchrono(clinic)) == 1
    for _ in range(6):
        await clinic.time_passes(DRCHRONO_LIMIT)
        await clinic.settles()

    (visit,) = in_drchrono(clinic)
    assert booked(clinic)["DrChrono_Id__c"] == visit["id"]
    assert clinic.calls("drchrono", "POST /api/appointments") == 1
    assert await clinic.failures() == []


async def test_a_visit_that_lacks_what_drchrono_demands_names_the_fields_to_fill(clinic):
    await clinic.has_linked()
    enters(clinic, Exam_Room__c=None, Duration_Minutes__c=None, Office__c=None, Start__c=None)
    forgets(clinic)
    entered = records(clinic, VISITS)[0]["Id"]
    blank = {"Exam_Room__c": None, "Duration_Minutes__c": None, "Office__c": None, "Start__c": None}
    clinic.salesforce.patch(f"/_control/records/{VISITS}/{entered}", json=blank).raise_for_status()

    await hears_of(clinic)

    (failure,) = await clinic.failures()
    assert failure[:2] == ("salesforce", "missing_for_drchrono")
    assert failure[2].split(",") == ["Duration_Minutes__c", "Exam_Room__c", "Office__c", "Start__c"]
    assert in_drchrono(clinic) == []


async def test_a_visit_at_a_time_that_is_taken_names_the_one_in_the_way(clinic):
    visit = await has_visit(clinic)
    entered = enters(clinic, Start__c="2026-12-01T15:40:00.000+0000")
    a_second_passes(clinic)

    await hears_of(clinic, entered)

    causes = [cause for _, cause, _ in await clinic.failures()]
    assert causes == [f"overlaps_{visit['id']}"]
    assert len(in_drchrono(clinic)) == 1


async def test_a_visit_moved_onto_another_is_refused_by_its_time_and_the_rest_travels(clinic):
    first = await has_visit(clinic)
    (patient,) = clinic.drchrono.get("/_control/patients").json()["patients"].values()
    second = await books(clinic, patient, scheduled_time="2026-12-02T09:00:00")
    await clinic.arrives(second, event="APPOINTMENT_CREATE")
    (there,) = (one for one in records(clinic, VISITS) if one["DrChrono_Id__c"] == second["id"])
    edit = {"Start__c": "2026-12-01T15:45:00.000+0000", "Notes__c": "Bring the forms"}
    clinic.salesforce.patch(f"/_control/records/{VISITS}/{there['Id']}", json=edit).raise_for_status()

    await tells(clinic, Kind.APPOINTMENT, there["Id"])

    now = visit_of(clinic, second)
    assert (now["scheduled_time"], now["notes"]) == ("2026-12-02T09:00:00", "Bring the forms")
    assert [cause for _, cause, _ in await clinic.failures()] == [f"overlaps_{first['id']}"]


async def test_a_visit_of_a_contact_that_becomes_a_patient_follows_it(clinic):
    contact = clinic.human_enters_contact(
        FirstName="Nora",
        LastName="Newcomer",
        Birthdate="1991-02-03",
        DrChrono_Gender__c="Female",
        DrChrono_Doctor__c=records(clinic, "DrChrono_Doctor__c")[0]["Id"],
        Sync_To_DrChrono__c=True,
    )
    enters(clinic, Patient__c=contact)

    await hears_of(clinic)

    (visit,) = in_drchrono(clinic)
    assert str(visit["patient"]) == clinic.contact()["DrChrono_Patient_Id__c"]
    assert await clinic.failures() == []


async def test_a_visit_of_a_contact_nobody_has_ticked_is_a_failure_until_it_is(clinic):
    contact = clinic.human_enters_contact(
        FirstName="Nora",
        LastName="Newcomer",
        Birthdate="1991-02-03",
        DrChrono_Gender__c="Female",
        DrChrono_Doctor__c=records(clinic, "DrChrono_Doctor__c")[0]["Id"],
    )
    enters(clinic, Patient__c=contact)
    await hears_of(clinic)
    assert await clinic.failures() == [("salesforce", "parent_not_linked", "Patient__c")]

    clinic.human_edits_contact(Sync_To_DrChrono__c=True)
    assert await clinic.hears() == 200
    await clinic.settles()

    assert len(in_drchrono(clinic)) == 1
    assert await clinic.failures() == []


async def test_a_linked_visit_moved_to_a_contact_nobody_has_ticked_follows_once_it_is(clinic):
    visit = await has_visit(clinic)
    other = clinic.human_ticks_contact(Sync_To_DrChrono__c=False)
    clinic.salesforce.patch(f"/_control/records/{VISITS}/{booked(clinic)['Id']}", json={"Patient__c": other})
    await tells(clinic, Kind.APPOINTMENT, booked(clinic)["Id"])
    assert await clinic.failures() == [("salesforce", "parent_not_linked", "Patient__c")]

    clinic.human_edits_contact(other, Sync_To_DrChrono__c=True)
    assert await clinic.hears_of(other) == 200
    await clinic.settles()

    (contact,) = (one for one in clinic.contacts() if one["Id"] == other)
    assert str(visit_of(clinic, visit)["patient"]) == contact["DrChrono_Patient_Id__c"]
    assert await clinic.failures() == []


async def test_a_visit_whose_contact_was_merged_into_a_stranger_is_well_once_that_one_has_the_chart(clinic):
    visit = await has_visit(clinic)
    loser, winner = clinic.contact()["Id"], clinic.human_enters_contact()
    clinic.salesforce.post("/_control/records/Contact/merge", json={"winner": winner, "loser": loser})
    await tells(clinic, Kind.APPOINTMENT, booked(clinic)["Id"])
    assert await clinic.failures() == [("salesforce", "parent_not_linked", "Patient__c")]

    await tells(clinic, Kind.PATIENT, loser, "MERGE")

    assert str(visit_of(clinic, visit)["patient"]) == clinic.contact()["DrChrono_Patient_Id__c"]
    assert await clinic.failures() == []


async def test_the_visits_of_a_contact_that_was_merged_are_looked_at_though_nothing_tells_of_them(clinic):
    visit = await has_visit(clinic)
    loser = clinic.contact()["Id"]
    other = await clinic.registers(first_name="Bea", last_name="Other", date_of_birth="1980-02-03")
    await clinic.arrives(other, event="PATIENT_CREATE")
    winner = next(one["Id"] for one in clinic.contacts() if one["Id"] != loser)
    clinic.salesforce.post("/_control/records/Contact/merge", json={"winner": winner, "loser": loser})

    await tells(clinic, Kind.PATIENT, loser, "MERGE")
    await clinic.settles()

    assert str(visit_of(clinic, visit)["patient"]) == str(other["id"])


async def test_a_visit_that_is_in_drchrono_already_is_linked_and_not_booked_again(clinic):
    patient = await clinic.has_linked()
    visit = await books(clinic, patient)
    enters(clinic)

    await hears_of(clinic)
    for _ in range(3):
        await clinic.time_passes(timedelta(seconds=61))
        await clinic.settles()

    assert len(in_drchrono(clinic)) == 1
    assert booked(clinic)["DrChrono_Id__c"] == visit["id"]
