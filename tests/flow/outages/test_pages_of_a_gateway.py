"""Something before the API answers in its place for a while: nothing of it is believed, and all goes on by itself."""

from datetime import timedelta

import pytest

from app.sync.model import Kind
from tests.flow.calendar import VISITS, booked, compares, has_visit, records, tells
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


class TestDeletions:
    """A visit is there, and DrChrono's answer to who asks for it is another."""

    @pytest.fixture(params=["mark", "delete"])
    def known(self, known, request):
        return changed(known, on_drchrono_delete=request.param)

    async def test_a_404_that_is_a_page_deletes_and_marks_nothing(self, clinic):
        await has_visit(clinic)
        there = booked(clinic)
        clinic.breaks("drchrono", "GET /api/appointments/", "error", next=3, status=404, body=PAGE)
        edit = {"Start__c": "2026-12-03T18:00:00.000+0000"}
        clinic.salesforce.patch(f"/_control/records/{VISITS}/{there['Id']}", json=edit).raise_for_status()

        await tells(clinic, Kind.APPOINTMENT, there["Id"])
        await hours_pass(clinic, 2)

        assert [one["Deleted__c"] for one in records(clinic, VISITS)] == [False]
