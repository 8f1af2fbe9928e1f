"""What the API has a new name for is asked for and answered under both."""

import pytest

from tests.flow.clinic import OPERATOR

HEADERS = {"authorization": f"Bearer {OPERATOR}"}


@pytest.fixture
async def failing(clinic):
    """A clinic with a patient who is linked, one who failed and one who is pending."""
    await clinic.has_linked()
    refused = [{"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no", "fields": ["MobilePhone"]}]
    clinic.breaks("salesforce", "PATCH /services/data", "error", status=400, body=refused, next=None)
    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Other"), event="PATIENT_CREATE")
    await clinic.delivers(await clinic.registers(first_name="Bea", last_name="Third"), event="PATIENT_CREATE")
    return clinic


@pytest.mark.parametrize(
    ("path", "new", "old", "count"),
    [
        ("patients", "status=synced", "state=in_step", 1),
        ("patients", "status=pending", "state=pending", 1),
        ("failures", "code=FIELD_CUSTOM_VALIDATION_EXCEPTION", "cause=FIELD_CUSTOM_VALIDATION_EXCEPTION", 1),
        ("failures", "source=salesforce&needs_review=false", "side=salesforce&held=false", 1),
        ("failures", "needs_review=true", "held=true", 0),
        ("deliveries", "result=accepted&unprocessed=true", "outcome=kept&open=true", 1),
        ("held", "code=several_contacts", "cause=several_contacts", 0),
        ("conflicts", "undo_status=superseded", "undo=overtaken", 0),
    ],
)
async def test_a_filter_is_asked_by_either_name(failing, path, new, old, count):
    answers = [(await failing.web.get(f"/api/v1/{path}?{query}", headers=HEADERS)).json() for query in (new, old)]

    assert answers[0]["items"] == answers[1]["items"]
    assert len(answers[0]["items"]) == count


async def test_an_answer_says_the_same_under_both_names(failing):
    (failed,) = (await failing.web.get("/api/v1/failures", headers=HEADERS)).json()["items"]
    (pending,) = (await failing.web.get("/api/v1/patients?status=pending", headers=HEADERS)).json()["items"]
    delivery = (await failing.web.get("/api/v1/deliveries", headers=HEADERS)).json()["items"][0]
    queue = (await failing.web.get("/api/v1/queue", headers=HEADERS)).json()

    assert (failed["code"], failed["source"], failed["needs_review"]) == (
        failed["cause"], failed["side"], failed["held"],
    )  # fmt: skip
    assert (pending["status"], pending["state"]) == ("pending", "on_its_way")
    assert (delivery["result"], delivery["outcome"]) == ("accepted", "kept")
    assert delivery["about"] == delivery["told"] != []
    assert queue["queues"] == queue["lanes"]
    assert (queue["queues"][0]["queue"], queue["queues"][0]["status"]) == ("live", "running")


@pytest.mark.parametrize("path", ["queues/live/pause", "lanes/live/pause"])
async def test_a_path_answers_under_both_names(clinic, path):
    answer = await clinic.web.post(f"/api/v1/{path}", headers=HEADERS, json={"reason": "a drill"})

    assert answer.json()["queues"][0]["paused"]


async def test_the_schema_marks_every_old_path_and_parameter(clinic):
    paths = (await clinic.web.get("/openapi.json")).json()["paths"]

    old = {path for path, each in paths.items() for one in each.values() if one.get("deprecated")}
    assert old == {
        "/api/v1/lanes/{lane}/pause", "/api/v1/lanes/{lane}/resume", "/api/v1/held/{link_id}/settle",
        "/api/v1/records/{side}/{kind}/{record_id}/look",
    }  # fmt: skip
    assert {old.replace("lane", "queue").replace("settle", "resolve").replace("look", "recheck") for old in old} <= set(
        paths
    )
