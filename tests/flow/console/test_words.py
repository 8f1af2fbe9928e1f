"""Every page speaks the words of the glossary: none of those that it has replaced stands in what a person reads."""

import html
import re

import pytest

from tests.flow.browser import browsing
from tests.flow.calendar import books
from tests.flow.clinic import OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}
# a word or a phrase that was a label once -> what stands in its place
REPLACED = {
    r"in step": "Synced",
    r"on (its|the) way": "Pending",
    r"\bheld\b": "Needs review",
    r"waits? for a person": "Needs attention",
    r"a person's word": "your decision",
    r"let (it |them |all .*)?go\b": "Dismiss",
    r"try (it|all|\d+)\b": "Retry",
    r"tr(y|ied) it out": "Test connection",
    r"(run|runs|ran) .{0,20}again": "Replay",
    r"look (at it|again)": "Review, Check again",
    r"said by": "Rejected by",
    r"what to do\b": "How to fix",
    r"\blanes?\b": "Queue",
    r"\bcompar(ing|ison)\b": "Reconciliation",
    r"first load": "Initial sync",
    r"(DrChrono|Salesforce) told|tells of|heard of|last heard|called us|came in\b": "Received",
    r"came of it|became of it|how it came": "Result, Last change",
    r"how it stands|what happened to it": "Status, History",
    r"(both|either) sides?\b": "Both systems",
    r"dealt with": "Processed",
    r"owns it|whose? .{0,20}counts\b|let these count": "System of record, Keep",
    r"leave it": "Cancel, Decide later",
    r"\bput .{0,30}back\b": "Restore",
    r"the rule's write|whether or not": "Write status, Any",
    r"overtaken|\bdropped\b": "Superseded, Given up",
    r"whom it|this one\b": "Possible matches, Link to this Contact",
    r"connect again": "Reconnect",
    r"\bmends?\b|\bmended\b": "Fix",
    r"\bseal(ed|s)?\b": "Encrypted",
    r"\bvisits?\b": "Appointment",
    r"stand-ins?\b": "Simulator",
}
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
    found = [(match, now) for old, now in REPLACED.items() for match in re.finditer(old, shown, re.IGNORECASE)]
    return [(shown[max(match.start() - 30, 0) : match.end() + 30], now) for match, now in found]


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


def test_a_replaced_word_is_seen():
    for old in ("It is held", "on its way", "Leave it", "two lanes"):
        assert any(re.search(pattern, old, re.IGNORECASE) for pattern in REPLACED), old
