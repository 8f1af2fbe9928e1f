"""Failures are tried again or let go, a few or all, only after their number was seen; what was mended then flows."""

import pytest

from app.settings import Settings
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, opened

VIEWER = "viewer-token-of-the-tests"
BEARER = {"authorization": f"Bearer {OPERATOR}"}
CAUSE = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
MANY = 7


@pytest.fixture
async def clinic(known, empty_vendors):
    given = Settings.model_validate(known.model_dump() | {"viewer_token": VIEWER})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as it:
        yield it


@pytest.fixture
async def failing(clinic):
    """A clinic where a rule in Salesforce refuses seven patients."""
    rule = {"object": "Contact", "statusCode": CAUSE, "next": 1000, "match": {"field": "LastName", "equals": "Test"}}
    clinic.salesforce.post("/_control/record-faults", json=rule).raise_for_status()
    for n in range(MANY):
        patient = await clinic.registers(first_name=f"Ada{n}", last_name="Test", cell_phone="(555) 010-0142")
        await clinic.delivers(patient, event="PATIENT_CREATE")
    await clinic.settles()
    return clinic


def mended(clinic):
    clinic.salesforce.delete("/_control/record-faults").raise_for_status()


async def causes(clinic):
    return (await clinic.web.get("/api/v1/failures", headers=BEARER)).json()["items"]


async def acts(clinic):
    items = (await clinic.web.get("/api/v1/audit", headers=BEARER)).json()["items"]
    return [(one["action"], one["about"], one["records"]) for one in items]


async def test_a_cause_says_how_many_which_field_what_to_do_and_one_to_look_at(failing):
    (one,) = await causes(failing)
    async with browsing(failing) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open("/failures")

    assert (one["cause"], one["side"], one["kind"], one["count"]) == (CAUSE, "salesforce", "patient", MANY)
    assert one["record"].startswith("drchrono/patient/")
    assert "satisfy or relax the rule" in page.text


async def test_five_are_tried_and_then_all_once_the_cause_is_mended(failing):
    mended(failing)
    async with browsing(failing) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/failures")
        await browser.presses("Try 5")
        await failing.settles()
        after_five = len(failing.contacts())
        left = await browser.open("/failures")
        asked = await browser.presses("Try all 2 again…")
        none_yet = await acts(failing)
        await browser.presses("Try 2")
        await failing.settles()

    assert after_five == 5
    assert "2 patients" in left.text
    assert asked.heading == "Try 2 records again?"
    assert len(none_yet) == 1
    assert len(failing.contacts()) == MANY
    assert await causes(failing) == []
    assert await acts(failing) == [
        ("retry", f"{CAUSE}, at salesforce, patients", 2),
        ("retry", f"{CAUSE}, at salesforce, patients", 5),
    ]


async def test_what_still_fails_waits_again_and_nothing_is_doubled(failing):
    done = await failing.web.post(f"/api/v1/failures/retry?expected={MANY}", headers=BEARER)
    await failing.settles()

    assert done.json() == {"records": MANY}
    assert [one["count"] for one in await causes(failing)] == [MANY]
    assert failing.contacts() == []
    assert failing.calls("drchrono", "GET /api/patients/{id}") == MANY, "each was looked at anew"


async def test_what_is_let_go_is_forgotten_until_it_is_edited(failing):
    async with browsing(failing) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/failures")
        asked = await browser.presses("Let go…")
        await browser.presses(f"Let go of {MANY}")
    gone, quiet = await causes(failing), await failing.settles()
    mended(failing)
    chart = failing.charts()[0]
    await failing.arrives(await failing.edits(chart, city="Newtown"))

    assert asked.heading == f"Let go of {MANY} records?"
    assert (gone, quiet) == ([], 0)
    assert [one["MailingCity"] for one in failing.contacts()] == ["Newtown"]
    assert await acts(failing) == [("discard", f"{CAUSE}, at salesforce, patients", MANY)]


async def test_a_number_that_has_changed_is_shown_anew_and_nothing_is_done(failing):
    for act in ("retry", "discard"):
        refused = await failing.web.post(f"/api/v1/failures/{act}?expected=3", headers=BEARER)
        assert refused.status_code == 409
        assert refused.json()["detail"].startswith(f"{MANY} match, not 3")

    assert [one["count"] for one in await causes(failing)] == [MANY]
    assert await acts(failing) == []


async def test_only_what_a_filter_means_is_touched(failing):
    none = await failing.web.post("/api/v1/failures/retry?kind=appointment&expected=0", headers=BEARER)
    few = await failing.web.post(f"/api/v1/failures/retry?cause={CAUSE}&limit=3", headers=BEARER)

    assert (none.json(), few.json()) == ({"records": 0}, {"records": 3})
    assert (await failing.web.get("/api/v1/queue", headers=BEARER)).json()["depth"] == 3


async def test_a_viewer_sees_them_and_can_do_nothing(failing):
    viewer = {"authorization": f"Bearer {VIEWER}"}
    async with browsing(failing) as browser:
        await browser.signs_in(VIEWER)
        pages = [await browser.open(path) for path in ("/failures", "/held")]
    answers = [
        await failing.web.post(f"/api/v1/failures/{act}?expected={MANY}", headers=viewer)
        for act in ("retry", "discard")
    ]

    assert [[form.action for form in page.forms] for page in pages] == [["/logout"], ["/logout"]]
    assert [answer.status_code for answer in answers] == [403, 403]


async def test_a_held_record_says_why_and_what_to_do(clinic):
    for _ in range(2):
        clinic.human_enters_contact(FirstName="Twin", LastName="Test", Birthdate="1988-08-08")
    twin = await clinic.registers(first_name="Twin", last_name="Test", date_of_birth="1988-08-08")
    await clinic.arrives(twin, event="PATIENT_CREATE")
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open("/held")

    assert "Held for a person: 1" in page.text
    assert f"patient {twin['id']}" in page.text
    assert "put the chart's id into the right one" in page.text
    assert "Twin" not in page.text
