"""Our DrChrono client's create and its filtered lists against the stand-in: what was made, what may have been."""

import pytest

from app.errors import EdgeAnswered, LeaseLost, OutcomeUnknown, Rejected, Unavailable
from app.sync.failure_causes import TWIN_CODE

PATIENTS = "/api/patients"
ADA = {"first_name": "Ada", "last_name": "Test", "date_of_birth": "1980-01-02", "gender": "Female", "doctor": 310001}
TWIN = "Potential duplicate patient(s) found."


@pytest.fixture
async def drchrono(practice):
    return await practice.join()


def there(practice):
    return list(practice.control.get("/_control/patients").json()["patients"].values())


async def test_a_create_answers_with_what_was_made(practice, drchrono):
    made = await drchrono.create(PATIENTS, ADA)

    (patient,) = there(practice)
    assert (made["id"], made["chart_id"], made["first_name"]) == (patient["id"], patient["chart_id"], "Ada")


async def test_a_create_with_a_token_that_died_is_sent_once_more_and_made_once(practice, drchrono):
    practice.control.post("/_control/tokens/expire")

    await drchrono.create(PATIENTS, ADA)

    assert len(there(practice)) == 1


async def test_a_create_that_may_not_start_any_more_is_not_sent(practice, drchrono):
    def too_late():
        raise LeaseLost

    with pytest.raises(LeaseLost):
        await drchrono.create(PATIENTS, ADA, too_late)

    assert there(practice) == []


@pytest.mark.parametrize(
    ("fault", "expected", "code", "fields"),
    [
        ({"do": "throttle"}, Unavailable, "", ()),
        ({"do": "error", "status": 400, "body": {"gender": ["no"]}}, Rejected, "", ("gender",)),
        ({"do": "error", "status": 400, "body": {"non_field_errors": [TWIN]}}, Rejected, TWIN_CODE, ()),
        ({"do": "error", "status": 409, "body": {"a": [{"b": TWIN.upper()}]}}, Rejected, TWIN_CODE, ()),
        ({"do": "error", "status": 409, "body": {"detail": "no"}}, Rejected, "", ()),
        ({"do": "error", "status": 409, "body": "<html>"}, EdgeAnswered, "NOT_JSON", ()),
        ({"do": "error", "status": 403, "body": {"detail": "no"}}, Rejected, "", ()),
        ({"do": "error", "status": 404, "body": {"detail": "no"}}, Rejected, "", ()),
        ({"do": "error", "status": 500, "body": "<html>"}, OutcomeUnknown, "", ()),
        ({"do": "error", "status": 503, "body": ""}, EdgeAnswered, "", ()),
        ({"do": "error", "status": 201, "body": "<html>"}, EdgeAnswered, "NOT_JSON", ()),
        ({"do": "error", "status": 201, "body": {"first_name": "Ada"}}, EdgeAnswered, "ANSWER_DOES_NOT_FIT", ()),
        ({"do": "error", "status": 201, "body": [1]}, EdgeAnswered, "ANSWER_DOES_NOT_FIT", ()),
        ({"do": "drop_before"}, OutcomeUnknown, None, ()),
        ({"do": "drop_after_commit"}, OutcomeUnknown, None, ()),
    ],
    ids=[
        "429", "400 fields", "400 twin", "409 twin, deep", "409", "409 html", "403", "404", "500", "503", "201 html",
        "201 without id", "201 list", "dropped", "done and dropped",
    ],
)  # fmt: skip
async def test_every_bad_answer_to_a_create_says_whether_it_may_have_happened(
    practice, drchrono, fault, expected, code, fields
):
    practice.fault("POST /api/patients", **fault)

    with pytest.raises(expected) as raised:
        await drchrono.create(PATIENTS, ADA)

    assert raised.value.fields == fields
    assert code is None or raised.value.code == code
    assert "Ada" not in str(raised.value) + repr(raised.value)


async def test_a_list_is_asked_with_its_filters_and_followed_to_its_end(practice, drchrono):
    practice.control.put("/_control/settings", json={"page_size": 2})
    for number in range(5):
        await drchrono.create(PATIENTS, {**ADA, "first_name": f"Ada{number}"})
    await drchrono.create(PATIENTS, {**ADA, "date_of_birth": "1980-01-03"})
    await drchrono.create(PATIENTS, {**ADA, "first_name": "Ida", "patient_status": "I"})

    found = await drchrono.listed(PATIENTS, {"date_of_birth": "1980-01-02", "show_inactive": "true"})

    assert [one["first_name"] for one in found] == ["Ada0", "Ada1", "Ada2", "Ada3", "Ada4", "Ida"]


async def test_a_filter_is_in_no_error(practice, drchrono):
    practice.fault("GET /api/patients", do="error", status=403, body={"detail": "1961-12-24"})

    with pytest.raises(Rejected) as raised:
        await drchrono.listed(PATIENTS, {"date_of_birth": "1961-12-24"})

    assert "1961" not in str(raised.value) + repr(raised.value)
