"""Visits travel both ways: time, room, status, notes; deleted, cancelled, and none of ours."""

import asyncio
from datetime import timedelta

from app.store import counters
from app.store.tables import links
from app.sync.model import Kind
from tests.flow.calendar import (
    TEN,
    TEN_UTC,
    a_second_passes,
    booked,
    books,
    books_weekly,
    deletes,
    deletes_in_salesforce,
    forged,
    forgets,
    has_visit,
    moves,
    records,
    tells,
    visit_of,
)
from tests.flow.clinic import CONFIRM_AFTER, SEARCH_GAP
from workers.dispatcher import Dispatcher


async def test_a_visit_reaches_salesforce_with_its_patient_doctor_office_and_instant(clinic):
    visit = await has_visit(clinic, reason="Synthetic check-up", status="Confirmed")

    there = booked(clinic)
    assert there["DrChrono_Id__c"] == visit["id"]
    assert (there["Start__c"], there["Local_Start__c"], there["Time_Zone__c"]) == (TEN_UTC, TEN, "US/Eastern")
    assert (there["Duration_Minutes__c"], there["Exam_Room__c"]) == (30, 1)
    assert (there["Status__c"], there["Reason__c"], there["Deleted__c"]) == ("Confirmed", "Synthetic check-up", False)
    assert there["Patient__c"] == clinic.contact()["Id"]
    assert there["Doctor__c"] == records(clinic, "DrChrono_Doctor__c")[0]["Id"]
    assert there["Office__c"] == records(clinic, "DrChrono_Office__c")[0]["Id"]


async def test_a_visit_whose_patient_is_not_known_waits_for_it_and_follows_without_a_new_event(clinic):
    patient = await clinic.registers()
    visit = await books(clinic, patient)
    clinic.drchrono.delete("/_control/calls")

    await clinic.arrives(visit, event="APPOINTMENT_CREATE")

    assert booked(clinic)["Patient__c"] == clinic.contact()["Id"]
    assert clinic.calls("drchrono", "GET /api/patients") == 1
    assert await clinic.failures() == []
    assert await clinic.unfinished() == []


async def test_a_worker_that_stops_lets_a_pass_end_that_wakes_another_kind(clinic):
    visit = await books(clinic, await clinic.registers())
    await clinic.delivers(visit, event="APPOINTMENT_CREATE")
    dispatcher = Dispatcher(clinic.runtime)
    dispatcher.notify([Kind.APPOINTMENT])
    await asyncio.sleep(0)  # now the pass is under way

    await dispatcher.stop()

    assert {link.kind for link in await clinic.rows(links)} >= {"appointment", "patient"}, "whom it waits for is known"
    await clinic.settles()
    assert booked(clinic)["Patient__c"] == clinic.contact()["Id"]


async def test_a_visit_of_a_patient_who_can_never_come_is_a_failure_and_no_loop(clinic):
    patient = await clinic.registers()
    visit = await books(clinic, patient)
    clinic.drchrono.delete(f"/_control/patients/{patient['id']}").raise_for_status()

    await clinic.arrives(visit, event="APPOINTMENT_CREATE")
    at_once = await clinic.failures()
    await clinic.time_passes(SEARCH_GAP)
    await clinic.settles()

    assert (at_once, records(clinic, "DrChrono_Appointment__c")) == ([], [])
    failures = sorted(await clinic.failures())
    assert ("salesforce", "parent_missing", "Patient__c") in failures
    assert [row for row in await clinic.links(Kind.APPOINTMENT) if row.due_at] == []


async def test_a_visit_moved_in_drchrono_moves_in_salesforce(clinic):
    visit = await has_visit(clinic)

    await clinic.arrives(await moves(clinic, visit, scheduled_time="2026-12-02T09:00:00"), event="APPOINTMENT_MODIFY")

    there = booked(clinic)
    assert (there["Start__c"], there["Local_Start__c"]) == ("2026-12-02T14:00:00.000+0000", "2026-12-02T09:00:00")


async def test_a_visit_moved_in_salesforce_moves_in_drchrono_once_it_was_asked(clinic):
    visit = await has_visit(clinic)
    there = booked(clinic)
    a_second_passes(clinic)
    edit = {"Start__c": "2026-12-03T18:00:00.000+0000"}
    clinic.salesforce.patch(f"/_control/records/DrChrono_Appointment__c/{there['Id']}", json=edit).raise_for_status()

    await tells(clinic, Kind.APPOINTMENT, there["Id"])

    assert visit_of(clinic, visit)["scheduled_time"] == "2026-12-03T13:00:00"
    assert clinic.calls("drchrono", "GET /api/appointments") == 1
    assert clinic.calls("drchrono", "PATCH /api/appointments") == 1

    await clinic.arrives(visit_of(clinic, visit), event="APPOINTMENT_MODIFY")
    there = booked(clinic)
    assert (there["Start__c"], there["Local_Start__c"]) == ("2026-12-03T18:00:00.000+0000", "2026-12-03T13:00:00")
    assert clinic.writes() == ["updated"]  # the wall clock beside it, and nothing else
    assert clinic.calls("drchrono", "PATCH /api/appointments") == 1


async def test_notes_written_in_salesforce_are_patched_without_asking(clinic):
    visit = await has_visit(clinic)
    there = booked(clinic)
    edit = {"Notes__c": "Bring the forms"}
    clinic.salesforce.patch(f"/_control/records/DrChrono_Appointment__c/{there['Id']}", json=edit).raise_for_status()

    await tells(clinic, Kind.APPOINTMENT, there["Id"])

    assert visit_of(clinic, visit)["notes"] == "Bring the forms"
    assert clinic.calls("drchrono", "GET /api/appointments") == 0


async def test_our_own_write_of_a_visit_coming_back_writes_nothing(clinic):
    visit = await has_visit(clinic)

    await clinic.arrives(visit_of(clinic, visit), event="APPOINTMENT_MODIFY")
    await tells(clinic, Kind.APPOINTMENT, booked(clinic)["Id"])

    assert clinic.writes() == []
    assert clinic.calls("drchrono", "PATCH") == 0


async def test_a_custom_status_survives_both_ways(clinic):
    visit = await has_visit(clinic, status="Waiting for labs")
    assert booked(clinic)["Status__c"] == "Waiting for labs"

    await clinic.arrives(await moves(clinic, visit, reason="x"), event="APPOINTMENT_MODIFY")

    assert visit_of(clinic, visit)["status"] == "Waiting for labs"


async def test_a_cancelled_visit_is_a_status_and_not_a_deletion(clinic):
    visit = await has_visit(clinic)

    await clinic.arrives(await moves(clinic, visit, status="Cancelled"), event="APPOINTMENT_MODIFY")

    assert (booked(clinic)["Status__c"], booked(clinic)["Deleted__c"]) == ("Cancelled", False)


async def test_a_deleted_visit_is_marked_once_drchrono_has_confirmed_it(clinic):
    visit = await has_visit(clinic)
    deletes(clinic, visit)

    await clinic.arrives(visit_of(clinic, visit), event="APPOINTMENT_DELETE")
    assert booked(clinic)["Deleted__c"] is False

    await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()
    assert booked(clinic)["Deleted__c"] is True
    assert clinic.calls("drchrono", "GET /api/appointments") == 1
    assert await clinic.failures() == []


async def test_a_forged_deletion_is_not_believed(clinic):
    visit = await has_visit(clinic)

    assert await forged(clinic, visit, event="APPOINTMENT_DELETE") == 200
    await clinic.settles()
    await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()

    assert booked(clinic)["Deleted__c"] is False
    assert await clinic.unfinished() == []


async def test_a_stale_body_does_not_bring_a_deleted_visit_back(clinic):
    visit = await has_visit(clinic)
    deletes(clinic, visit)
    await clinic.arrives(visit_of(clinic, visit), event="APPOINTMENT_DELETE")
    await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()

    await clinic.arrives(visit, event="APPOINTMENT_MODIFY", delivery="seven hours late")
    await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()

    assert booked(clinic)["Deleted__c"] is True


async def test_a_visit_deleted_before_we_heard_of_it_is_never_created(clinic):
    patient = await clinic.has_linked()
    visit = await books(clinic, patient)
    deletes(clinic, visit)
    await clinic.arrives(visit_of(clinic, visit), event="APPOINTMENT_DELETE")
    await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()

    await clinic.arrives(visit, event="APPOINTMENT_CREATE", delivery="the first, at last")
    await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()

    assert records(clinic, "DrChrono_Appointment__c") == []
    assert await clinic.failures() == []


async def test_a_visit_that_became_a_block_is_marked_and_is_a_visit_again_with_its_patient(clinic):
    visit = await has_visit(clinic)

    await clinic.arrives(await moves(clinic, visit, patient=None, unchecked="true"), event="APPOINTMENT_MODIFY")
    await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()
    marked = booked(clinic)["Deleted__c"]
    await clinic.arrives(await moves(clinic, visit, patient=visit["patient"]), event="APPOINTMENT_MODIFY")

    assert (marked, booked(clinic)["Deleted__c"]) == (True, False)
    assert await clinic.failures() == []


async def test_a_break_and_an_untouched_occurrence_are_skipped_and_counted(clinic):
    pause = clinic.drchrono.post(
        "/_control/breaks?silent=true", json={"doctor": 310001, "office": 410001, "scheduled_time": TEN, "duration": 60}
    ).json()
    series = books_weekly(clinic, await clinic.has_linked())
    occurrence = {**series["base"], "id": series["virtual"][0]}
    forgets(clinic)

    await clinic.arrives(pause, event="APPOINTMENT_CREATE")
    await clinic.arrives(occurrence, event="APPOINTMENT_MODIFY")

    assert records(clinic, "DrChrono_Appointment__c") == []
    assert await clinic.links(Kind.APPOINTMENT) == []
    counts = await counters.read(clinic.runtime.database)
    assert (counts["skipped_break"], counts["skipped_virtual"]) == (1, 1)


async def test_a_visit_deleted_in_salesforce_is_cancelled_in_drchrono_and_stays_so(clinic):
    visit = await has_visit(clinic)
    there = booked(clinic)
    deletes_in_salesforce(clinic, there)

    await tells(clinic, Kind.APPOINTMENT, there["Id"], "DELETE")
    assert visit_of(clinic, visit)["status"] == "Cancelled"

    await clinic.arrives(visit_of(clinic, visit), event="APPOINTMENT_MODIFY")
    await tells(clinic, Kind.APPOINTMENT, there["Id"], "DELETE")
    assert records(clinic, "DrChrono_Appointment__c") == []
    assert clinic.calls("drchrono", "PATCH /api/appointments") == 1
    assert await clinic.failures() == []


async def test_a_visit_that_took_place_is_not_cancelled_because_salesforce_deleted_it(clinic):
    visit = await has_visit(clinic, status="Complete")
    there = booked(clinic)
    deletes_in_salesforce(clinic, there)

    await tells(clinic, Kind.APPOINTMENT, there["Id"], "DELETE")

    assert visit_of(clinic, visit)["status"] == "Complete"
    assert [cause for _, cause, _ in await clinic.failures()] == ["gone_in_salesforce"]


async def test_an_undeleted_visit_takes_its_status_back(clinic):
    visit = await has_visit(clinic, status="Confirmed")
    there = booked(clinic)
    deletes_in_salesforce(clinic, there)
    await tells(clinic, Kind.APPOINTMENT, there["Id"], "DELETE")
    await clinic.arrives(visit_of(clinic, visit), event="APPOINTMENT_MODIFY")
    assert visit_of(clinic, visit)["status"] == "Cancelled"

    clinic.salesforce.post(f"/_control/records/DrChrono_Appointment__c/{there['Id']}/undelete").raise_for_status()
    await tells(clinic, Kind.APPOINTMENT, there["Id"], "UNDELETE")

    assert visit_of(clinic, visit)["status"] == "Confirmed"
    assert booked(clinic)["Status__c"] == "Confirmed"


async def test_a_visit_in_the_repeated_hour_is_carried_and_flagged(clinic):
    visit = await has_visit(clinic, scheduled_time="2026-11-01T01:30:00")

    assert booked(clinic)["Start__c"] == "2026-11-01T05:30:00.000+0000"  # the first of the two
    assert await clinic.failures() == [("drchrono", "repeated_hour", "scheduled_time")]

    await tells(clinic, Kind.APPOINTMENT, booked(clinic)["Id"])
    assert visit_of(clinic, visit)["scheduled_time"] == "2026-11-01T01:30:00"
    assert clinic.calls("drchrono", "PATCH") == 0


async def test_a_visit_in_the_missing_hour_is_shifted_flagged_and_not_changed_by_it(clinic):
    visit = await has_visit(clinic, scheduled_time="2027-03-14T02:30:00")

    assert booked(clinic)["Start__c"] == "2027-03-14T07:30:00.000+0000"  # 03:30 in daylight time
    assert await clinic.failures() == [("drchrono", "missing_hour", "scheduled_time")]

    await tells(clinic, Kind.APPOINTMENT, booked(clinic)["Id"])
    assert visit_of(clinic, visit)["scheduled_time"] == "2027-03-14T02:30:00"
