"""Failures are retried or dismissed, a few or all, only after their number was seen; what was mended then flows."""

import pytest
import sqlalchemy as sa

from app.settings.fields import Settings
from app.store.tables import failures
from tests.flow.browser import browsing
from tests.flow.clinic import LOOKS, OPERATOR, opened
from tests.store.build import change

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
    return [(one["action"], one["about"], one["records"]) for one in items if one["action"] not in LOOKS]


async def test_a_cause_says_how_many_which_field_what_to_do_and_one_to_look_at(failing):
    (one,) = await causes(failing)
    async with browsing(failing) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open("/attention")

    assert (one["cause"], one["side"], one["kind"], one["count"]) == (CAUSE, "salesforce", "patient", MANY)
    assert one["record"].startswith("drchrono/patient/")
    assert "have the Salesforce admin relax the rule" in page.text


async def test_five_are_tried_and_then_all_once_the_cause_is_mended(failing):
    mended(failing)
    async with browsing(failing) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/attention")
        await browser.presses("Retry 5 first")
        await failing.settles()
        after_five = len(failing.contacts())
        left = await browser.open("/attention")
        await browser.presses("Retry all")
        await failing.settles()

    assert after_five == 5
    assert "2 patients" in left.text
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


async def test_what_is_dismissed_on_the_page_waits_for_nobody_until_it_is_edited(failing):
    async with browsing(failing) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/attention")
        asked = await browser.presses("Dismiss…")
        await browser.presses(f"Dismiss {MANY} records", reason="tests alone")
    gone, quiet = await causes(failing), await failing.settles()
    mended(failing)
    chart = failing.charts()[0]
    await failing.arrives(await failing.edits(chart, city="Newtown"))

    assert asked.heading == f"Dismiss {MANY} records?"
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


async def test_a_dry_run_gives_the_number_and_does_nothing(failing):
    asked = [
        await failing.web.post(f"/api/v1/failures/{act}?dry_run=true{more}", headers=BEARER)
        for act in ("retry", "discard")
        for more in ("", "&limit=3", "&kind=appointment")
    ]

    assert [one.json()["records"] for one in asked] == [MANY, 3, 0] * 2
    assert [one["count"] for one in await causes(failing)] == [MANY]
    assert await failing.settles() == 0
    assert await acts(failing) == []


async def test_of_one_cause_those_about_a_field_are_meant_alone(failing):
    ids = sorted(row.link_id for row in await failing.rows(failures))
    for about, link_id in (("Email", ids[0]), ("Email,Home_Email__c", ids[1]), ("Home_Email__c", ids[2])):
        await change(
            failing.runtime.database, sa.update(failures).where(failures.c.link_id == link_id).values(fields=about)
        )

    async def number(field):
        asked = f"/api/v1/failures/discard?dry_run=true&field={field}"
        return (await failing.web.post(asked, headers=BEARER)).json()["records"]

    numbers = {field: await number(field) for field in ("Email", "Home_Email__c", "mail", "Home_Email_.c")}
    assert numbers == {"Email": 2, "Home_Email__c": 2, "mail": 0, "Home_Email_.c": 0}
    async with browsing(failing) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/attention?field=Email")
        page = await browser.presses("Dismiss all 2…")
        done = await browser.presses("Dismiss 2 records", reason="tests alone")

    assert page.heading == "Dismiss 2 records?"
    assert sum([one["count"] for one in await causes(failing)]) == MANY - 2
    assert done.status == 200
    assert await acts(failing) == [("discard", "every cause, field Email", 2)]


async def test_a_number_that_has_changed_much_is_said_on_the_page_and_nothing_is_done(failing):
    async with browsing(failing) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/attention")
        await browser.presses("Dismiss…")
        left = sa.select(failures.c.link_id).order_by(failures.c.link_id).limit(3)
        await change(failing.runtime.database, sa.delete(failures).where(failures.c.link_id.in_(left)))
        told = await browser.presses(f"Dismiss {MANY} records", reason="tests alone")
        await browser.presses("Dismiss 4 records")

    assert f"There were {MANY} when you looked, and there are 4 now. Nothing was dismissed yet." in told.text
    assert [records for _, _, records in await acts(failing)] == [4]


async def test_what_was_dismissed_is_asked_of_drchrono_at_the_next_edit_so_nothing_told_meanwhile_is_lost(clinic):
    patient = await clinic.has_linked(email="old@example.com", city="Testville")
    rule = {"object": "Contact", "statusCode": CAUSE, "next": 1, "match": {"field": "MailingCity", "equals": "Oldham"}}
    clinic.salesforce.post("/_control/record-faults", json=rule).raise_for_status()
    await clinic.arrives(await clinic.edits(patient, city="Oldham"))
    assert [one["count"] for one in await causes(clinic)] == [1]

    await clinic.web.post("/api/v1/failures/discard?expected=1", headers=BEARER)
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()

    chart, contact = clinic.chart(patient), clinic.contact()
    assert (chart["email"], chart["city"]) == ("new@example.com", "Oldham")
    assert (contact["Email"], contact["MailingCity"]) == ("new@example.com", "Oldham")


async def test_a_viewer_can_do_nothing(failing):
    viewer = {"authorization": f"Bearer {VIEWER}"}
    answers = [
        await failing.web.post(f"/api/v1/failures/{act}?expected={MANY}", headers=viewer)
        for act in ("retry", "discard", "restore")
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
