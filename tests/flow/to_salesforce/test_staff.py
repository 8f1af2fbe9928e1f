"""Doctors and offices: DrChrono's alone, fetched by lists and by what refers to them; a doctor who moves zones."""

from app.store import counters
from app.sync.model import Kind
from tests.flow.calendar import DOCTOR, TEN, booked, books, compares, forgets, has_visit, records, tells, visit_of
from workers.compare.reconcile import apply_zones


async def test_doctors_and_offices_reach_salesforce_with_their_names_and_numbers(clinic):
    (doctor,) = records(clinic, "DrChrono_Doctor__c")
    (office,) = records(clinic, "DrChrono_Office__c")

    assert doctor["DrChrono_Id__c"] == str(DOCTOR)
    assert doctor["Name"] == f"{doctor['First_Name__c']} {doctor['Last_Name__c']}"
    assert (doctor["Time_Zone__c"], doctor["Suspended__c"]) == ("US/Eastern", False)
    assert office["Doctor__c"] == doctor["Id"]
    assert (office["Archived__c"], bool(office["Phone__c"])) == (False, True)


async def test_a_list_that_says_nothing_new_writes_nothing_and_asks_for_no_record(clinic):
    forgets(clinic)

    await compares(clinic, Kind.DOCTOR, Kind.OFFICE)

    assert clinic.writes() == []
    assert clinic.calls("drchrono", "GET /api/doctors") == 1
    assert clinic.calls("drchrono", "GET /api/offices") == 1


async def test_an_edit_of_a_doctor_in_salesforce_is_put_back_at_the_next_list_and_counted(clinic):
    (doctor,) = records(clinic, "DrChrono_Doctor__c")
    edit = {"Last_Name__c": "Somebody", "Suspended__c": True}
    clinic.salesforce.patch(f"/_control/records/DrChrono_Doctor__c/{doctor['Id']}", json=edit).raise_for_status()

    await compares(clinic, Kind.DOCTOR)

    (now,) = records(clinic, "DrChrono_Doctor__c")
    assert (now["Last_Name__c"], now["Suspended__c"]) == (doctor["Last_Name__c"], False)
    assert (await counters.read(clinic.runtime.database))["put_back_doctor"] == 2


async def test_a_new_doctor_is_fetched_by_the_visit_that_refers_to_them(clinic):
    hired = {"first_name": "Second", "last_name": "Provider", "timezone": "US/Pacific", "practice_group": 510001}
    doctor = clinic.drchrono.post("/_control/doctors", json=hired).raise_for_status().json()
    patient = await clinic.has_linked()
    visit = await books(clinic, patient, doctor=doctor["id"])
    clinic.drchrono.delete("/_control/calls")

    await clinic.arrives(visit, event="APPOINTMENT_CREATE")

    there = booked(clinic)
    assert there["Time_Zone__c"] == "US/Pacific"
    assert there["Start__c"] == "2026-12-01T18:30:00.000+0000"
    assert clinic.calls("drchrono", "GET /api/doctors") == 1
    assert await clinic.failures() == []


async def test_a_doctor_in_an_unknown_zone_has_their_visits_refused_by_name(clinic):
    hired = {"first_name": "Second", "last_name": "Provider", "timezone": "Mars/Olympus", "practice_group": 510001}
    doctor = clinic.drchrono.post("/_control/doctors", json=hired).raise_for_status().json()
    patient = await clinic.has_linked()
    visit = await books(clinic, patient, doctor=doctor["id"])

    await clinic.arrives(visit, event="APPOINTMENT_CREATE")

    assert records(clinic, "DrChrono_Appointment__c") == []
    assert await clinic.failures() == [("salesforce", "unknown_time_zone", "Start__c")]


async def test_a_doctors_change_of_zone_moves_the_visits_to_come_and_asks_drchrono_nothing(clinic):
    visit = await has_visit(clinic)
    clinic.drchrono.put(f"/_control/doctors/{DOCTOR}", json={"timezone": "US/Central"}).raise_for_status()
    await compares(clinic, Kind.DOCTOR)
    forgets(clinic)

    await apply_zones(clinic.runtime, lambda _kinds: None)
    await clinic.settles()

    there = booked(clinic)
    assert (there["Time_Zone__c"], there["Local_Start__c"]) == ("US/Central", TEN)
    assert there["Start__c"] == "2026-12-01T16:30:00.000+0000"
    assert visit_of(clinic, visit)["scheduled_time"] == TEN
    assert clinic.calls("drchrono", "GET") == 0
    assert clinic.calls("drchrono", "PATCH") == 0

    await apply_zones(clinic.runtime, lambda _kinds: None)
    assert [row.due_at for row in await clinic.links(Kind.APPOINTMENT)] == [None]


async def test_a_visit_that_is_over_is_not_moved_by_a_change_of_zone(clinic):
    await has_visit(clinic, scheduled_time="2026-01-05T10:30:00")
    clinic.drchrono.put(f"/_control/doctors/{DOCTOR}", json={"timezone": "US/Central"}).raise_for_status()
    await compares(clinic, Kind.DOCTOR)

    await apply_zones(clinic.runtime, lambda _kinds: None)
    await clinic.settles()

    assert booked(clinic)["Time_Zone__c"] == "US/Eastern"


async def test_a_notice_of_a_visit_whose_zone_has_not_changed_writes_nothing(clinic):
    await has_visit(clinic)

    await tells(clinic, Kind.APPOINTMENT, booked(clinic)["Id"])

    assert clinic.writes() == []
