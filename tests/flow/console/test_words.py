"""Every page speaks the words of the glossary: none of those that it has replaced stands in what a person reads."""

import html
import re

import pytest

from tests.flow.browser import browsing
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
    r"\bcompar(e|ing|ison)\b(?! )": "Reconciliation",
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
PAGES = (
    "/patients", "/patients?status=pending", "/appointments", "/queues", "/mapping", "/connections", "/audit",
    "/find", "/nothing",
)  # fmt: skip


@pytest.fixture
async def browser(clinic):
    """A browser at a clinic with some of everything."""
    patient = await clinic.has_linked()
    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Other"), event="PATIENT_CREATE")
    await clinic.web.post("/api/v1/queues/backfill/pause", headers=BEARER, json={"reason": "a drill"})
    async with browsing(clinic) as it:
        it.client.headers["accept"] = "text/html"
        it.patient = patient
        await it.signs_in(OPERATOR)
        yield it


def replaced_words(page):
    """Give what of a page's text, title and labels is a replaced word, with a little of what stands around it."""
    main = page.response.text.partition("<main")[2]
    labels = re.findall(r'(?:placeholder|aria-label|title)="([^"]*)"', main)
    shown = " ".join(" ".join([html.unescape(re.sub(r"<[^>]*>", " ", main)), *labels]).split())
    found = [(match, now) for old, now in REPLACED.items() for match in re.finditer(old, shown, re.IGNORECASE)]
    return [(shown[max(match.start() - 20, 0) : match.end() + 20], now) for match, now in found]


async def test_no_page_speaks_in_replaced_words(browser):
    found = {path: replaced_words(await browser.open(path)) for path in PAGES}

    assert {path: words for path, words in found.items() if words} == {}


def test_a_replaced_word_is_seen():
    for old in ("It is held", "on its way", "Leave it", "two lanes"):
        assert any(re.search(pattern, old, re.IGNORECASE) for pattern in REPLACED), old
