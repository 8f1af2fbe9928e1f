"""The appointments of a day: by their doctors' wall clocks, with who meets, how each stands, and what is odd."""

import pytest
import sqlalchemy as sa

from app.store.tables import zones
from tests.flow.browser import browsing
from tests.flow.calendar import TEN, VISITS, booked, books, deletes, enters, has_visit
from tests.flow.clinic import OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}
DAY = TEN[:10]


async def of_day(clinic, day):
    answer = await clinic.web.get("/api/v1/appointments", headers=BEARER, params={"day": day})
    return answer.raise_for_status().json()


async def starts(clinic, day):
    return [one["starts"] for one in (await of_day(clinic, day))["items"]]


async def visits_at(clinic, *times):
    """One patient's visits, linked."""
    patient = await clinic.has_linked()
    for time in times:
        await clinic.arrives(await books(clinic, patient, scheduled_time=time), event="APPOINTMENT_CREATE")


async def test_a_days_visits_are_told_by_one_call_with_who_meets_and_how_each_stands(clinic):
    visit = await has_visit(clinic, status="Confirmed")
    clinic.salesforce.delete("/_control/calls")

    found = await of_day(clinic, DAY)

    (one,) = found["items"]
    chart, doctor = (
        clinic.charts()[0],
        clinic.salesforce.get("/_control/records/DrChrono_Doctor__c").json()["records"][0],
    )
    assert (one["drchrono_id"], one["starts"], one["time_zone"]) == (str(visit["id"]), TEN, "US/Eastern")
    assert one["patient"] == f"{chart['first_name']} {chart['last_name']}"
    assert one["doctor"] == doctor["Name"]
    assert (one["minutes"], one["status"], one["state"], one["odd"]) == ("30", "Confirmed", "in_step", [])
    assert (found["total"], found["cut"], found["silence"]) == (1, False, None)
    assert clinic.calls("salesforce", "GET") == 1


async def test_a_day_begins_and_ends_by_the_doctors_clock_and_is_told_in_order(clinic):
    await visits_at(clinic, f"{DAY}T23:30:00", f"{DAY}T00:00:00", "2026-12-02T00:00:00", "2026-11-30T23:30:00")

    assert await starts(clinic, DAY) == [f"{DAY}T00:00:00", f"{DAY}T23:30:00"]
    assert await starts(clinic, "2026-11-30") == ["2026-11-30T23:30:00"]
    assert await starts(clinic, "2026-12-02") == ["2026-12-02T00:00:00"]


async def test_a_visit_that_salesforce_moved_is_on_the_day_it_was_moved_to_before_drchrono_knows(clinic):
    await has_visit(clinic)
    clinic.salesforce.patch(
        f"/_control/records/{VISITS}/{booked(clinic)['Id']}", json={"Start__c": "2026-12-02T03:30:00.000+0000"}
    )

    assert await starts(clinic, DAY) == [f"{DAY}T22:30:00"]  # 22:30 of the day before, where the doctor is
    assert await starts(clinic, "2026-12-02") == []


async def test_a_visit_entered_in_salesforce_has_no_wall_clock_yet_and_is_shown_by_its_doctors(clinic):
    await clinic.has_linked()
    enters(clinic)

    (one,) = (await of_day(clinic, DAY))["items"]

    assert (one["starts"], one["drchrono_id"], one["state"]) == (TEN, None, None)


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_zone_nobody_knows_is_asked_for_all_round_the_earth(clinic, is_kept):
    await has_visit(clinic)

    async def forgets(connection):
        await connection.execute(sa.delete(zones))

    if not is_kept:
        await clinic.runtime.database.transact(forgets)

    (one,) = (await of_day(clinic, DAY))["items"]

    assert (one["starts"], one["time_zone"]) == (TEN, "US/Eastern")  # as the record itself says


@pytest.mark.parametrize(
    ("time", "odd"),
    [
        ("2026-11-01T01:30:00", ["repeated_hour", "outside_office_hours"]),  # the clock is put back; a Sunday
        ("2027-03-14T02:30:00", ["missing_hour", "outside_office_hours"]),  # and forward
        ("2026-12-01T06:00:00", ["outside_office_hours"]),
        ("2026-12-01T20:59:00", []),
    ],
)
async def test_a_visit_with_an_odd_hour_is_flagged(clinic, time, odd):
    await visits_at(clinic, time)

    (one,) = (await of_day(clinic, time[:10]))["items"]

    assert one["odd"] == odd


async def test_a_visit_deleted_in_drchrono_is_shown_as_such(clinic):
    visit = await has_visit(clinic)
    deletes(clinic, visit)
    await clinic.arrives(visit, event="APPOINTMENT_DELETE")
    await clinic.time_passes(clinic.confirm_after)
    await clinic.settles()

    (one,) = (await of_day(clinic, DAY))["items"]

    assert one["deleted"] is True


async def test_the_page_opens_on_today_and_leads_to_the_days_beside(clinic):
    await has_visit(clinic)
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        today = await browser.open("/appointments")
        day = await browser.presses("Show", day=DAY)
        after = await browser.follows("Day after")
        back = await browser.follows("Day before")
        record = await browser.follows("10:30 AM")
        last = await browser.open("/appointments?day=9999-12-31")
        nonsense = await browser.open("/appointments?day=tomorrow")

    assert today.status == nonsense.status == last.status == 200
    assert "10:30 AM" in day.text
    assert "Synced" in day.text
    assert "no appointment" in after.text
    assert "10:30 AM" in back.text
    assert record.heading == "Testa Fixture, Dec 1, 10:30 AM"
    assert "Day after" not in last.links


@pytest.mark.parametrize("day", ["0001-01-01", "1700-01-01", "1700-01-02", "4000-12-30", "4000-12-31", "9999-12-31"])
async def test_a_day_far_away_has_no_visits_and_breaks_nothing(clinic, day):
    found = await of_day(clinic, day)

    assert (found["day"], found["items"], found["silence"]) == (day, [], None)


async def test_with_salesforce_away_the_page_says_so(clinic):
    await has_visit(clinic)
    clinic.breaks("salesforce", "GET /services/data", "error", status=503, next=None)

    found = await of_day(clinic, DAY)
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open(f"/appointments?day={DAY}")

    assert (found["items"], found["silence"].split(" (")[0]) == ([], "Salesforce did not answer")
    assert "Only Salesforce knows the appointments" in page.text
