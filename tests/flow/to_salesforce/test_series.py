"""Visits of a series: an occurrence that somebody touches is one visit, whatever ids it goes through."""

from datetime import timedelta

from app.sync.model import Kind
from tests.flow.calendar import a_second_passes, books_weekly, forgets, moves, records, visit_of
from tests.flow.clinic import CONFIRM_AFTER


async def repeats(clinic):
    """A patient's weekly visit, whose base is linked; gives the ids of its untouched occurrences."""
    made = books_weekly(clinic, await clinic.has_linked())
    await clinic.arrives(made["base"], event="APPOINTMENT_CREATE")
    forgets(clinic)
    return made["virtual"]


async def settles(clinic):
    for _ in range(3):
        await clinic.settles()
        await clinic.time_passes(CONFIRM_AFTER + timedelta(seconds=1))
    await clinic.settles()


async def test_an_occurrence_becomes_a_visit_when_somebody_touches_it(clinic):
    untouched = await repeats(clinic)

    touched = await moves(clinic, {"id": untouched[0]}, reason="Bring the forms")
    await clinic.arrives(touched, event="APPOINTMENT_MODIFY")

    by_id = {one["DrChrono_Id__c"]: one for one in records(clinic, "DrChrono_Appointment__c")}
    assert touched["id"] != untouched[0]
    assert by_id[touched["id"]]["Reason__c"] == "Bring the forms"
    assert len(by_id) == 2


async def test_a_visit_that_comes_under_another_id_is_the_one_we_know(clinic):
    untouched = await repeats(clinic)
    touched = await moves(clinic, {"id": untouched[0]}, reason="Bring the forms")
    await clinic.arrives(touched, event="APPOINTMENT_MODIFY")
    before = {one["Id"] for one in records(clinic, "DrChrono_Appointment__c")}
    a_second_passes(clinic)
    split = clinic.drchrono.post(f"/_control/appointments/{touched['id']}/renumber").raise_for_status().json()
    split = await moves(clinic, split, reason="Moved to another series")

    await clinic.arrives(split, event="APPOINTMENT_MODIFY")
    await settles(clinic)

    there = records(clinic, "DrChrono_Appointment__c")
    assert {one["Id"] for one in there} == before
    (moved,) = (one for one in there if one["DrChrono_Id__c"] == split["id"])
    assert moved["Reason__c"] == "Moved to another series"
    assert moved["Local_Start__c"] == visit_of(clinic, split)["scheduled_time"]
    assert await clinic.failures() == []
    assert len(await clinic.links(Kind.APPOINTMENT)) == 2


async def test_a_delivery_alone_does_not_give_a_visit_another_id(clinic):
    untouched = await repeats(clinic)
    touched = await moves(clinic, {"id": untouched[0]}, reason="Bring the forms")
    await clinic.arrives(touched, event="APPOINTMENT_MODIFY")

    await clinic.arrives({**touched, "id": "999", "reason": "Forged"}, event="APPOINTMENT_MODIFY")
    await settles(clinic)

    there = records(clinic, "DrChrono_Appointment__c")
    assert {one["DrChrono_Id__c"] for one in there} >= {touched["id"]}
    assert "Forged" not in {one["Reason__c"] for one in there}
