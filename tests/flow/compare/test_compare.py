"""What no webhook and no message told of is found by comparing, and comparing what is equal costs next to nothing."""

from datetime import timedelta

from app.sync.model import Kind
from tests.flow.calendar import TEN, a_second_passes, booked, books, compares, deletes, forgets, has_visit, records
from tests.flow.clinic import CONFIRM_AFTER

PATIENTS, VISITS = Kind.PATIENT, Kind.APPOINTMENT


async def test_a_first_load_brings_everything_over_parents_first(clinic):
    patients = [await clinic.registers(first_name=name) for name in ("Ada", "Ben", "Cleo")]
    for hour, patient in enumerate(patients):
        await books(clinic, patient, scheduled_time=f"2026-12-01T{9 + hour:02}:00:00")
    forgets(clinic)

    await compares(clinic, *clinic.runtime.mappings)

    assert len(clinic.contacts()) == 3
    assert {one["Patient__c"] for one in records(clinic, "DrChrono_Appointment__c")} == {
        one["Id"] for one in clinic.contacts()
    }
    assert clinic.calls("drchrono", "GET /api/patients/") == 0
    assert await clinic.failures() == []


async def test_an_edit_whose_webhook_was_lost_is_found(clinic):
    patient = await clinic.has_linked()
    await clinic.edits(patient, last_name="Renamed", city="Springfield")

    await compares(clinic, PATIENTS, since=None)
    await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()

    assert (clinic.contact()["LastName"], clinic.contact()["MailingCity"]) == ("Renamed", "Springfield")


async def test_an_edit_in_salesforce_whose_message_was_lost_is_found(clinic):
    patient = await clinic.has_linked()
    clinic.human_edits_contact(Email="moved@example.com")

    await compares(clinic, PATIENTS, since=None)

    assert clinic.chart(patient)["email"] == "moved@example.com"


async def test_a_deletion_whose_webhook_was_lost_is_found(clinic):
    visit = await has_visit(clinic)
    deletes(clinic, visit)

    await compares(clinic, VISITS, since=None)
    await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()

    assert booked(clinic)["Deleted__c"] is True


async def test_a_visit_deleted_in_salesforce_is_found(clinic):
    await has_visit(clinic, scheduled_time=TEN)
    place = f"/_control/records/DrChrono_Appointment__c/{booked(clinic)['Id']}"
    clinic.salesforce.delete(place).raise_for_status()

    await compares(clinic, VISITS, since=None)

    (visit,) = clinic.drchrono.get("/_control/appointments").json()["appointments"].values()
    assert visit["status"] == "Cancelled"


async def test_comparing_what_is_equal_asks_for_no_record_and_writes_nothing(clinic):
    await has_visit(clinic)
    a_second_passes(clinic)
    forgets(clinic)

    await compares(clinic, *clinic.runtime.mappings, since=None)

    assert clinic.writes() == []
    assert clinic.calls("drchrono", "GET") == 4, "one page of each list"
    assert clinic.calls("drchrono", "PATCH") == 0


async def test_of_two_edits_in_one_second_the_one_that_was_lost_is_found(clinic):
    patient = await clinic.has_linked(city="Testville")
    first = await clinic.edits(patient, email="first@example.com")
    clinic.drchrono.put("/_control/clock", json={"now": first["updated_at"]})
    clinic.drchrono.patch(f"/_control/patients/{patient['id']}?silent=true", json={"city": "Springfield"})
    await clinic.arrives(first)
    assert clinic.chart(patient)["updated_at"] == first["updated_at"]

    await compares(clinic, PATIENTS, since=None)
    await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()

    assert clinic.contact()["MailingCity"] == "Springfield"


async def test_deleted_visits_and_breaks_that_nobody_knows_cost_nothing(clinic):
    patient = await clinic.has_linked()
    visit = await books(clinic, patient)
    deletes(clinic, visit)
    pause = {"doctor": 310001, "office": 410001, "scheduled_time": "2026-12-03T09:00:00", "duration": 60}
    clinic.drchrono.post("/_control/breaks?silent=true", json=pause).raise_for_status()
    forgets(clinic)

    await compares(clinic, VISITS, since=None)

    assert clinic.calls("drchrono", "GET") == 1
    assert await clinic.links(VISITS) == []
    assert await clinic.unfinished() == []
