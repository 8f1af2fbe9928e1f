"""The inbox names who needs attention, why and what to do; whatever is done there says what came of it."""

import pytest
import sqlalchemy as sa

from app.settings.fields import Settings
from app.store.clock import db_now
from app.store.tables import audit, failures, links
from tests.flow.browser import HOME, browsing
from tests.flow.clinic import LOOKS, OPERATOR, opened
from tests.store.build import change
from tests.store.plans import fill

VIEWER = "viewer-token-of-the-tests"
BEARER = {"authorization": f"Bearer {OPERATOR}"}
CAUSE = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
NAMES = ("Ada", "Ben", "Cleo")


@pytest.fixture
async def clinic(known, empty_vendors):
    given = Settings.model_validate(known.model_dump() | {"viewer_token": VIEWER})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as it:
        yield it


@pytest.fixture
async def failing(clinic):
    """A clinic where a rule in Salesforce refuses the new city of three linked patients."""
    clinic.people = []
    for name in NAMES:
        patient = await clinic.registers(first_name=name, last_name="Test", date_of_birth="1980-02-03")
        await clinic.arrives(patient, event="PATIENT_CREATE")
        clinic.people.append(patient)
    match = {"field": "MailingCity", "equals": "Newtown"}
    rule = {"object": "Contact", "statusCode": CAUSE, "fields": ["MailingCity"], "next": 1000, "match": match}
    clinic.salesforce.post("/_control/record-faults", json=rule).raise_for_status()
    for patient in clinic.people:
        await clinic.delivers(await clinic.edits(patient, city="Newtown"))
    await clinic.settles()
    return clinic


@pytest.fixture
async def desk(failing):
    """A browser that an operator has signed in with."""
    async with browsing(failing) as browser:
        await browser.signs_in(OPERATOR)
        yield browser


async def ids(clinic):
    return [row.link_id for row in sorted(await clinic.rows(failures), key=lambda row: row.link_id)]


async def acts(clinic):
    return [(row.action, row.records) for row in await clinic.rows(audit) if row.action not in LOOKS]


async def sends(browser, act, **given):
    """Send a form of the page, with boxes that are ticked."""
    data = {"csrf_token": browser.csrf(), **given}
    answer = await browser.client.post(f"{HOME}/attention/{act}", data=data)
    return await browser.open(answer.headers["location"]) if answer.is_redirect else answer


async def test_who_needs_attention_is_named_with_what_is_wrong_and_how_to_fix_it_and_the_reading_is_noted(
    failing, desk
):
    page = await desk.open("/attention")

    assert all(f"{name} Test" in page.text for name in NAMES)
    assert "born 2/3/1980" in page.text
    assert "A validation rule in Salesforce rejects this patient (city)." in page.text
    assert "have the Salesforce admin relax the rule" in page.text
    assert "3 patients Failed" in page.text
    assert f"Rejected by Salesforce · {CAUSE}" in page.text
    assert "No worker is running" in page.text
    looked = [row for row in await failing.rows(audit) if (row.action, row.about) == ("list", "failures")]
    assert {*looked[-1].ids.split()} == {str(patient["id"]) for patient in failing.people}


async def test_their_number_stands_in_the_menu_and_in_the_title_of_every_page(failing, desk):
    pages = [await desk.open(path) for path in ("/", "/patients", "/audit")]
    polled = await desk.open("/attention/count", **{"x-poll": "1", "hx-request": "true"})

    assert ["<title>(3) " in page.response.text for page in pages] == [True] * 3
    assert all(page.links["Needs attention"] == "/attention" for page in pages)
    assert (polled.text, "<html" in polled.response.text) == ("3", False)


async def test_what_is_done_is_told_once_on_the_page_that_follows(failing, desk):
    failing.salesforce.delete("/_control/record-faults").raise_for_status()
    await desk.open("/attention")

    told = await desk.presses("Retry all")
    polled = await desk.open("/attention/count", **{"hx-request": "true"})
    await failing.settles()
    after = await desk.open("/attention")

    assert "Retrying 3 records. What succeeds leaves this list." in told.text
    assert told.text.count("Retrying") == 1 + 3, "the message, and each row"
    assert "Retrying" not in polled.text + after.text
    assert "Nothing needs attention." in after.text
    assert await acts(failing) == [("retry", 3)]


async def test_only_those_that_are_ticked_are_retried_and_where_none_is_nothing_happens(failing, desk):
    await desk.open("/attention?kind=patient")
    first = (await ids(failing))[:2]

    done = await sends(desk, "retry", ticked="yes", id=first, back="/attention?kind=patient")
    due = [row.id for row in await failing.rows(links) if row.due_at is not None]
    none = await sends(desk, "dismiss", ticked="yes", back="/attention")

    assert "Retrying 2 records." in done.text
    assert str(done.url) == f"{HOME}/attention?kind=patient"
    assert sorted(due) == first
    assert "Nothing was done: tick the records that you mean." in none.text
    assert await acts(failing) == [("retry", 2)]


async def test_rows_that_change_by_themselves_ask_no_vendor_and_name_nobody(failing, desk):
    failing.salesforce.delete("/_control/record-faults").raise_for_status()
    await desk.open("/attention")
    retried, left = (await ids(failing))[0], (await ids(failing))[1]
    await sends(desk, "retry", id=retried, back="/attention")
    path, poll = f"/attention/status?id={retried}&id={left}", {"x-poll": "1", "hx-request": "true"}
    failing.salesforce.delete("/_control/calls")

    before = await desk.open(path, **poll)
    calls = failing.calls("salesforce", "")
    await failing.settles()
    after = await desk.open(path, **poll)

    assert f'?id={retried}"' in before.response.text, "it asks again, for the one that is under way"
    assert (calls, "Test" in before.text + after.text) == (0, False)
    assert "every 3s" not in after.response.text
    assert "Synced Failed" in after.text


async def test_what_is_dismissed_needs_a_reason_and_its_number_seen_and_can_be_restored(failing, desk):
    await desk.open("/attention")
    asked = await desk.presses("Dismiss…")
    blank = await desk.presses("Dismiss 3 records", reason="  ")
    wrong = await desk.presses("Dismiss 3 records", reason="both are right", expected="90")
    none_yet = await acts(failing)
    done = await desk.presses("Dismiss 3 records", reason="both are right")
    shown = await desk.follows("Show dismissed")
    back = await desk.presses("Restore all 3")

    assert asked.heading == "Dismiss 3 records?"
    assert "Say why, in 200 characters at most" in blank.text
    assert "There were 90 when you looked, and there are 3 now. Nothing was dismissed yet." in wrong.text
    assert none_yet == []
    assert "Dismissed 3 records. Both systems stay as they are until a value changes." in done.text
    assert "Nothing needs attention" in done.text
    assert shown.text.count("both are right") == 3
    assert "Restored 3 records; each is retried." in back.text
    assert await acts(failing) == [("discard", 3), ("restore", 3)]


async def test_a_note_is_kept_for_whoever_comes_next(failing, desk):
    await desk.open("/attention")

    noted = await desk.presses("Save note", note="called the patient")

    assert "The note is saved." in noted.text
    assert noted.text.count("called the patient") == 1


async def test_earlier_addresses_lead_there_with_their_filter(failing, desk):
    first = await desk.open(f"/failures?cause={CAUSE}&kind=patient&held=no")
    other = await desk.open("/held?cause=several_contacts")
    one = await desk.open(f"/held/{(await ids(failing))[0]}")

    assert str(first.url) == f"{HOME}/attention?state=failed&cause={CAUSE}&kind=patient"
    assert str(other.url) == f"{HOME}/attention?state=needs_review&cause=several_contacts"
    assert one.heading == "Ada Test", "it needs no review, so its own page is shown"


async def test_the_list_is_exported_as_csv_as_it_is_filtered(failing, desk):
    page = await desk.open("/attention?kind=patient")
    given = await desk.open(page.links["Download as CSV"])
    none = await desk.open("/attention/export?kind=doctor")

    assert given.response.headers["content-disposition"].startswith("attachment")
    assert [str(patient["id"]) in given.response.text for patient in failing.people] == [True] * 3
    assert len(none.response.text.splitlines()) == 1


async def test_a_viewer_sees_it_all_and_can_do_nothing(failing):
    async with browsing(failing) as browser:
        await browser.signs_in(VIEWER)
        page = await browser.open("/attention")
        answers = [
            await browser.client.post(f"{HOME}/attention/{act}", data={"csrf_token": browser.csrf()})
            for act in ("retry", "dismiss", "restore")
        ]

    assert "Ada Test" in page.text
    assert [form.action for form in page.forms if form.method == "POST"] == ["/find", "/logout"]
    assert [answer.status_code for answer in answers] == [403] * 3


async def test_of_very_many_the_errors_are_listed_and_behind_each_its_records_page_by_page(clinic):
    await fill(clinic.runtime.database, 1, 120)
    for about, theirs in (("Email", links.c.id.like("L1%")), ("MailingCity", ~links.c.id.like("L1%"))):
        why = {"side": "salesforce", "kind": "patient", "cause": CAUSE, "fields": about, "is_held": False}
        row = {"link_id": links.c.id, **{name: sa.literal(value) for name, value in why.items()}, "at": db_now()}
        of = sa.select(*(value.label(name) for name, value in row.items())).where(links.c.id.like("L%"), theirs)
        await change(clinic.runtime.database, sa.insert(failures).from_select([*row], of))
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        errors = await browser.open("/attention")
        retried = await browser.presses("Retry 5 first")
        behind = await browser.open(f"/attention?cause={CAUSE}&fields=MailingCity")
        more = await browser.follows("More")

    assert ("32 patients" in errors.text, "88 patients" in errors.text) == (True, True)
    assert ("88 patients Failed 5 retrying" in retried.text, "every 5s" in retried.response.text) == (True, True)
    assert "every 5s" not in errors.response.text
    assert [page.response.text.count("<tr id=") for page in (errors, behind, more)] == [0, 50, 38]


async def test_what_the_browser_says_of_an_act_before_counts_only_where_we_said_it(failing, desk):
    desk.client.cookies.set("__Host-chronobridge_flash", '["You have won", []]', domain="sync.example.com")

    page = await desk.open("/attention")

    assert page.status == 200
    assert "You have won" not in page.text
