"""Something before the API answers in its place for a while: nothing of it is believed, and all goes on by itself."""

from datetime import timedelta

import pytest

from app.sync.model import Kind
from tests.flow.calendar import VISITS, booked, compares, deletes, has_visit, records, tells
from tests.flow.heard import changed

PAGE = "<html><body>We'll be right back.</body></html>"
HOUR = timedelta(hours=1)


async def health(clinic):
    await clinic.app.state.health.look()
    return (await clinic.web.get("/healthz")).json()["parts"]["drchrono"]


async def hours_pass(clinic, hours):
    for _ in range(hours):
        await clinic.settles()
        await clinic.time_passes(HOUR)


@pytest.mark.parametrize("do", ["error", "page_after_commit"], ids=["not done", "done"])
async def test_a_page_is_no_success_of_a_write_and_the_edit_is_not_lost(clinic, do):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    clinic.breaks("drchrono", "PATCH /api/patients", do, status=200, body=PAGE)
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await hours_pass(clinic, 4)
    await compares(clinic, Kind.PATIENT, since=clinic.runtime.now() - timedelta(days=2))
    await hours_pass(clinic, 3)

    assert clinic.contact()["Email"] == "new@example.com"
    assert clinic.chart(patient)["email"] == "new@example.com"
    assert await clinic.failures() == []


async def test_pages_in_place_of_answers_to_a_write_cost_its_record_no_attempt(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    clinic.breaks("drchrono", "PATCH /api/patients", "error", next=8, status=403, body=PAGE)
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await hours_pass(clinic, 20)

    assert clinic.chart(patient)["email"] == "new@example.com"
    assert await clinic.failures() == []


async def test_a_fresh_token_that_is_not_known_everywhere_yet_costs_a_wait_and_no_new_consent(clinic):
    patient = await clinic.has_linked(first_name="Ada", last_name="Test")
    said = {"detail": "Authentication credentials were not provided."}
    clinic.breaks("drchrono", "PATCH /api", "error", next=4, status=401, body=said)
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()
    told = await health(clinic)
    await hours_pass(clinic, 5)

    assert (told["state"], "tried again by itself" in told["advice"]) == ("down", True)
    assert clinic.chart(patient)["email"] == "new@example.com"
    assert (await health(clinic))["state"] == "ok"


async def asks_about(clinic, visit):
    """A person edits a field of a visit's that DrChrono owns, so DrChrono is asked before anything is written."""
    there = booked(clinic)
    edit = {"Start__c": "2026-12-03T18:00:00.000+0000"}
    clinic.salesforce.patch(f"/_control/records/{VISITS}/{there['Id']}", json=edit).raise_for_status()
    await tells(clinic, Kind.APPOINTMENT, there["Id"])


class TestDeletions:
    """A visit is there, and DrChrono's answer to who asks for it is another."""

    @pytest.fixture(params=["mark", "delete"])
    def known(self, known, request):
        return changed(known, on_drchrono_delete=request.param)

    async def test_a_404_that_is_a_page_deletes_and_marks_nothing(self, clinic):
        visit = await has_visit(clinic)
        clinic.breaks("drchrono", "GET /api/appointments/", "error", next=3, status=404, body=PAGE)

        await asks_about(clinic, visit)
        await hours_pass(clinic, 2)

        assert [one["Deleted__c"] for one in records(clinic, VISITS)] == [False]

    async def test_drchronos_own_404_deletes_nothing_when_it_is_said_once(self, clinic):
        visit = await has_visit(clinic)
        gone = {"detail": "Not found."}
        clinic.breaks("drchrono", f"GET /api/appointments/{visit['id']}", "error", next=1, status=404, body=gone)

        await asks_about(clinic, visit)
        await clinic.settles()
        once = [one["Deleted__c"] for one in records(clinic, VISITS)]
        await hours_pass(clinic, 2)

        assert (once, [one["Deleted__c"] for one in records(clinic, VISITS)]) == ([False], [False])
        assert clinic.calls("drchrono", "GET /api/appointments/") == 2
        assert await clinic.failures() == []

    async def test_drchronos_own_404_said_twice_a_while_apart_is_a_deletion(self, clinic):
        visit = await has_visit(clinic)
        deletes(clinic, visit)

        await asks_about(clinic, visit)
        once = [one["Deleted__c"] for one in records(clinic, VISITS)]
        await clinic.time_passes(HOUR)
        await clinic.settles()

        left = [one["Deleted__c"] for one in records(clinic, VISITS)]
        assert (once, left) == ([False], [] if clinic.runtime.settings.on_drchrono_delete == "delete" else [True])
        assert clinic.calls("drchrono", "GET /api/appointments/") == 2


async def test_a_chart_that_is_not_shown_is_told_of_when_it_is_said_twice(clinic):
    patient = await clinic.has_linked()
    clinic.drchrono.delete(f"/_control/patients/{patient['id']}").raise_for_status()
    clinic.human_edits_contact(LastName="Edited")
    await clinic.hears()
    await clinic.settles()
    once = await clinic.failures()
    await hours_pass(clinic, 3)

    assert (once, await clinic.failures()) == ([], [("drchrono", "gone_in_drchrono", "")])
