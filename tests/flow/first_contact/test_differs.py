"""Vendors that are otherwise than assumed: each trial says so, and a patient is left as it was whatever happens."""

from datetime import timedelta

import pytest

from tests.flow.calendar import books
from tests.flow.first_contact.person import tried, verdicts

READ_OTHERWISE = {
    "users_current_redirect": "elsewhere",
    "next_links": "inner",
    "limit_headers": True,
}
WRITTEN_OTHERWISE = {
    "list_stale_s": 60.0,
    "since_counts_time": True,
    "phones_as_digits": True,
    "refresh_gives_refresh_token": False,
}
KEY = "DrChrono_Patient_Id__c"
OTHER_WORDS = {"detail": "That time is taken."}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "first-contact.json"


def turns(clinic, **settings):
    clinic.drchrono.put("/_control/settings", json=settings).raise_for_status()


def differing(report):
    return {trial_id for trial_id, verdict in verdicts(report).items() if verdict == "differs"}


async def test_what_reads_show_otherwise_is_told_apart(clinic, path):
    patient = await clinic.registers()
    await clinic.registers()
    visit = await books(clinic, patient, scheduled_time=f"{clinic.runtime.now().date()}T08:00:00")
    row = {**visit, "id": 7, "patient": 1, "appt_is_break": True, "exam_room": 2}
    row |= {"recurring_appointment": True, "recurrence_instance_key": None}
    turns(clinic, token_scope_key=False)
    await clinic.connects()
    turns(clinic, **READ_OTHERWISE)
    clinic.breaks("drchrono", "POST /api/patients_list", "error", status=403, body={"detail": "no"})
    for name in ("GET /api/appointments", "GET /api/offices"):
        clinic.breaks("drchrono", name, "error", next=None, status=200, body={"results": [row], "next": None})

    clinic.breaks("drchrono", "GET /api/doctors", "slow", delay_s=0)
    clinic.breaks("drchrono", "GET /api/doctors", "error", status=200, body={"results": ["no record"], "next": None})

    report, _ = await tried(clinic, path)

    assert verdicts(report)["doctor_zones"] == "cannot be told", "a shape that nobody thought of ends no run"
    assert sorted(differing(report)) == sorted(
        {
            "user_redirect",
            "token_answer",
            "list_onward",
            "window",
            "office_rooms",
            "appointment_ids",
            "breaks",
            "series_keys",
            "bulk",
            "limit_headers",
        }
    )


async def test_what_salesforce_shows_otherwise_is_told_apart(clinic, path):
    patient = await clinic.has_linked()
    yesterday = (clinic.runtime.now() - timedelta(days=1)).isoformat()
    answers = {
        "GET /services/data/v67.0/limits": {"DailyApiRequests": {"Max": 9, "Remaining": 8}},
        "GET /services/data/v67.0/query": {"records": [{"SystemModstamp": "2026-01-01T00:00:00"}], "done": True},
        "GET /services/data/v67.0/sobjects/Contact/deleted": {"deletedRecords": [], "earliestDateAvailable": yesterday},
        "GET /services/data/v67.0/sobjects/Contact/describe": {"fields": [{"name": KEY, "externalId": True}]},
    }
    for match, body in answers.items():
        clinic.breaks("salesforce", match, "error", status=200, body=body)
    gone = [{"errorCode": "ENTITY_IS_DELETED", "message": ""}]
    clinic.breaks("salesforce", f"GET /services/data/v67.0/sobjects/Contact/{KEY}", "error", status=404, body=gone)
    result = [{"success": False, "errors": [{"statusCode": "INVALID_TYPE", "message": "", "fields": []}]}]
    clinic.breaks("salesforce", "PATCH /services/data/v67.0/composite", "error", status=200, body=result)

    report, _ = await tried(clinic, path, "refused_parent", patient=patient)

    assert differing(report) == {
        "usage_header",
        "stamp_form",
        "not_there",
        "deletions",
        "external_id",
        "parent_not_found",
    }


async def test_what_writes_show_otherwise_is_told_apart_and_the_patient_is_as_it_was(clinic, path):
    patient = await clinic.has_linked(home_phone="(555) 010-0199")
    turns(clinic, **WRITTEN_OTHERWISE)
    clinic.breaks("drchrono", "PATCH /api/patients", "answer_after_commit", status=200, body={"id": patient["id"]})
    clinic.breaks("drchrono", "POST /api/appointments", "slow", delay_s=0)
    clinic.breaks("drchrono", "POST /api/appointments", "error", status=409, body=OTHER_WORDS)
    clinic.breaks("drchrono", "GET /api/appointments", "answer_after_commit", status=200, body={"results": []})

    report, _ = await tried(clinic, path, "patient_edit", "visit", "refresh", patient=patient)

    found = differing(report)
    assert {"patch_answer", "list_lag", "since_time", "overlap", "rotation"} <= found
    assert report.result("phone_form").seen == "in the form 9999999999"
    assert clinic.chart(patient)["home_phone"] == "5550100199"
    assert report.altered == ["DrChrono, test patient: home_phone"], "it is kept in another form than it was"
