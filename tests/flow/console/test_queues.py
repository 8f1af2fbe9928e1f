"""Queues are paused and resumed with a reason, by a page as by a script, and the audit keeps who did it."""

from datetime import timedelta

import pytest

from app.settings.fields import Settings
from tests.flow.browser import HOME, browsing
from tests.flow.clinic import OPERATOR, opened

VIEWER = "viewer-token-of-the-tests"
BEARER = {"authorization": f"Bearer {OPERATOR}"}


@pytest.fixture
async def staffed(known, empty_vendors):
    given = Settings.model_validate(known.model_dump() | {"viewer_token": VIEWER})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
        yield clinic


async def acts(clinic, **asked):
    return (await clinic.web.get("/api/v1/audit", headers=BEARER, params=asked)).json()


async def test_a_queue_is_paused_with_a_reason_and_resumed_from_its_page(staffed):
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/queues")
        paused = await browser.presses("Pause", reason="Salesforce is being upgraded")
        resumed = await browser.presses("Resume")

    assert "Paused since" in paused.text
    assert "Salesforce is being upgraded" in paused.text
    assert "Paused since" not in resumed.text
    noted = [(one["role"], one["action"], one["about"], one["reason"]) for one in (await acts(staffed))["items"]]
    assert noted[:2] == [
        ("operator", "resume", "live", ""),
        ("operator", "pause", "live", "Salesforce is being upgraded"),
    ]


async def test_a_script_does_the_same_and_the_audit_tells_it_from_a_person(staffed):
    paused = await staffed.web.post("/api/v1/queues/all/pause", headers=BEARER, json={"reason": "a restore"})

    assert {(queue["paused"], queue["reason"]) for queue in paused.json()["queues"]} == {(True, "a restore")}
    assert [(one["who"], one["about"]) for one in (await acts(staffed))["items"]] == [("bearer", "all")]


async def test_a_viewer_reads_queues_and_audit_and_is_offered_nothing_to_press(staffed):
    async with browsing(staffed) as browser:
        await browser.signs_in(VIEWER)
        queues, audit = await browser.open("/queues"), await browser.open("/audit")

    assert [form.action for form in queues.forms] == ["/find", "/logout"]
    assert "viewer session" in audit.text


async def test_the_audit_is_read_page_by_page_and_by_action(staffed):
    for _ in range(30):
        for act in ("pause", "resume"):
            await staffed.web.post(f"/api/v1/queues/live/{act}", headers=BEARER)

    first = await acts(staffed, limit=50)
    second = await acts(staffed, limit=50, before=first["next"])
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open("/audit")
        older = await browser.follows("Older")

    assert (len(first["items"]), len(second["items"]), second["next"], first["total"]) == (50, 10, None, 60)
    assert {one["action"] for one in (await acts(staffed, action="pause"))["items"]} == {"pause"}
    assert (page.text.count("operator bearer"), older.text.count("operator bearer")) == (49, 11)


async def test_what_a_page_asks_by_itself_keeps_nobody_signed_in(staffed):
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        for _ in range(4):
            await staffed.time_passes(timedelta(minutes=10))
            asked = await browser.client.get(f"{HOME}/queues", headers={"x-poll": "1", "hx-request": "true"})

    assert asked.status_code == 401
    assert asked.headers["hx-redirect"] == "/login?next=/queues"
