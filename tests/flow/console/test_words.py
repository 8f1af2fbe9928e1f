"""Every page speaks the words of the glossary: none of those that it has replaced stands in what a person reads."""

import html
import re

import pytest

from tests.flow.browser import browsing
from tests.flow.calendar import books
from tests.flow.clinic import OPERATOR
from tests.words import replaced_in

BEARER = {"authorization": f"Bearer {OPERATOR}"}
START = ("/", "/patients", "/appointments?day=2026-12-01", "/attention?group=none", "/find", "/nothing", "/login")
TESS = {"FirstName": "Tess", "LastName": "Sample", "Birthdate": "1990-02-03"}
MOST_PAGES = 60


@pytest.fixture
async def browser(clinic):
    """A browser at a clinic with some of everything: synced, pending, failed, in need of review, a conflict."""
    patient = await clinic.has_linked()
    await clinic.both_edit(patient, {"city": "Deskville"}, {"MailingCity": "Crmville"})
    await clinic.arrives(await books(clinic, patient), event="APPOINTMENT_CREATE")
    for _ in range(2):
        clinic.human_enters_contact(**TESS)
    chart = {"first_name": "Tess", "last_name": "Sample", "date_of_birth": "1990-02-03"}
    await clinic.arrives(await clinic.registers(**chart), event="PATIENT_CREATE")
    refused = [{"errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "no", "fields": ["MobilePhone"]}]
    clinic.breaks("salesforce", "PATCH /services/data", "error", status=400, body=refused, next=1)
    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Other"), event="PATIENT_CREATE")
    await clinic.delivers(await clinic.registers(first_name="Bea", last_name="Third"), event="PATIENT_CREATE")
    await clinic.web.post("/api/v1/queues/backfill/pause", headers=BEARER, json={"reason": "a drill"})
    async with browsing(clinic) as it:
        it.client.headers["accept"] = "text/html"
        await it.signs_in(OPERATOR)
        yield it


def replaced_words(page):
    """Give what of a page's text and labels is a replaced word, with a little of what stands around it."""
    main = page.response.text.partition("<body")[2]
    labels = re.findall(r'(?:placeholder|aria-label|title)="([^"]*)"', main)
    shown = " ".join(" ".join([html.unescape(re.sub(r"<[^>]*>", " ", main)), *labels]).split())
    return replaced_in(shown)


def kind_of(path):
    """Give what pages of one kind have in common: their path without ids and filters."""
    return re.sub(r"[0-9A-Za-z]*[0-9][0-9A-Za-z]*", "…", path.partition("?")[0])


async def every_page(browser):
    """Give each page that links lead to, one of a kind, and those that a button shows without doing anything."""
    waiting, seen = [*START], set()
    while waiting and len(seen) < MOST_PAGES:
        path = waiting.pop(0)
        if kind_of(path) in seen or path.endswith((".csv", "/export")) or path.startswith("/connect/"):
            continue
        seen.add(kind_of(path))
        page = await browser.open(path)
        yield path, page
        waiting += [link for link in page.links.values() if link.startswith("/")]
        for button in {text for form in page.forms if form.method == "POST" for text, *_ in form.buttons} & ASKS:
            await browser.open(path)
            yield f"{path} {button}", await browser.presses(button)


# what only asks, or only reads
ASKS = {"Compare", "Show the values", "Read both systems now", "Dismiss…", "Pause all…", "Disconnect", "Disconnect…",
        "Replay all that match…", "Merge…", "Reveal"}  # fmt: skip


async def test_no_page_speaks_in_replaced_words(browser):
    pages = {path: page async for path, page in every_page(browser)}

    found = {path: replaced_words(page) for path, page in pages.items()}

    assert {path: words for path, words in found.items() if words} == {}
    assert {page.status for page in pages.values()} == {200, 404}
    assert {kind_of(path) for path in pages} >= {
        "/attention",
        "/conflicts/…",
        "/deliveries/…",
        "/records/drchrono/patient/…",
    }
