"""The check as a page: an operator begins it, in the background and one at a time; everybody reads the latest."""

import asyncio

import pytest

from app.operations.health.model import CheckState
from app.operations.selfcheck import CheckRuns, SettingsOrigin
from app.ports import By
from app.settings.fields import Settings
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, opened

VIEWER = "viewer-token-of-the-tests"
READS, ACTS = ({"authorization": f"Bearer {token}"} for token in (VIEWER, OPERATOR))


@pytest.fixture
async def staffed(known, empty_vendors):
    given = Settings.model_validate(known.model_dump() | {"viewer_token": VIEWER})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
        yield clinic


async def ended(clinic):
    await clinic.app.state.checks.end()


async def test_an_operator_begins_a_check_and_a_viewer_reads_what_it_found(staffed):
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/check")
        begun = await browser.presses("Check now")
        await ended(staffed)
        operators = await browser.open("/check")
    async with browsing(staffed) as browser:
        await browser.signs_in(VIEWER)
        viewers = await browser.open("/check")

    assert "Checking …" in begun.text
    for page in (operators, viewers):
        assert "✓ salesforce token: given, by client credentials" in page.text, "as text"
        assert "not yet: last delivery: drchrono patient" in page.text, "in its list"
        assert "Started by operator" in page.text
    assert "/check" not in {form.action for form in viewers.forms}


async def test_the_text_for_a_ticket_has_every_line_with_its_fix_and_no_secret(staffed):
    staffed.app.state.checks.begin(By("operator", "bearer", "maria"))
    await ended(staffed)
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        page = await browser.open("/check")

    for finding in staffed.app.state.checks.latest.findings:
        assert f"{finding.name}: {finding.says}" in page.text
    assert OPERATOR not in page.text
    assert staffed.runtime.settings.salesforce_client_secret.get_secret_value() not in page.text


async def test_a_script_begins_one_and_reads_it_again_later(staffed):
    before = (await staffed.web.get("/api/v1/check", headers=READS)).json()
    refused = await staffed.web.post("/api/v1/check", headers=READS)
    made = (await staffed.web.post("/api/v1/check", headers=ACTS)).json()
    after = (await staffed.web.get("/api/v1/check", headers=READS)).json()

    assert (before["ok"], before["checks"], refused.status_code) == (None, [], 403)
    assert (made["running"], made["by"], {one["part"] for one in made["checks"]}) == (
        False,
        "operator",
        {"This service", "DrChrono", "Salesforce", "Events received"},
    )
    assert after == made


async def test_whoever_asks_while_one_is_under_way_joins_it(staffed):
    first, second = await asyncio.gather(*(staffed.web.post("/api/v1/check", headers=ACTS) for _ in range(2)))

    assert first.json() == second.json()
    assert staffed.salesforce.get("/_control/sessions").json()["logins"] == 1


async def test_a_check_that_takes_too_long_is_cut_off_and_says_so(staffed):
    checks = CheckRuns(staffed.runtime, SettingsOrigin(), most_s=0.0)

    checks.begin(By("operator", "bearer"))
    await checks.end()

    last = checks.latest.findings[-1]
    assert (last.name, last.state, checks.is_running) == ("check", CheckState.RED, False)
    assert checks.latest.ended_at is not None
