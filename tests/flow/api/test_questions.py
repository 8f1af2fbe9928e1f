"""What people want to see costs few calls: a small part of the hour for all, so many a minute for a session."""

import pytest

from app.sync.model import Side
from app.vendors.rate_limit.bucket import TokenBuckets
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, opened
from tests.flow.heard import changed

BEARER = {"authorization": f"Bearer {OPERATOR}"}
PER_HOUR = 200  # so questions have 20 of them


@pytest.fixture
def known(known):
    return changed(known, drchrono_calls_per_hour=PER_HOUR)


@pytest.fixture
async def clinic(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as it:
        yield it


def reads(clinic):
    return clinic.calls("drchrono", "GET /api/patients/")


async def test_questions_spend_a_tenth_of_the_hour_and_live_edits_go_on(clinic):
    patient = await clinic.has_linked()
    path = f"/api/v1/records/drchrono/patient/{patient['id']}/read"

    answers = [(await clinic.web.post(path, headers=BEARER)).json()["answers"] for _ in range(25)]
    asked = reads(clinic)
    await clinic.arrives(await clinic.edits(patient, email="new@example.com"))

    assert asked == 20
    assert [one["drchrono"] for one in answers[:20]] == ["read"] * 20
    assert {one["drchrono"] for one in answers[20:]} == {
        "DrChrono was not asked: the calls left are kept for edits that wait to travel."
    }
    assert clinic.contact()["Email"] == "new@example.com"


async def test_a_session_asks_so_often_and_others_are_answered_meanwhile(clinic):
    patient = await clinic.has_linked()
    limit = clinic.app.state.runtime.questions[Side.DRCHRONO]
    limit._sessions = TokenBuckets(3, lambda: 0.0)
    page = f"/records/drchrono/patient/{patient['id']}"

    async with browsing(clinic) as much, browsing(clinic) as other:
        for browser in (much, other):
            await browser.signs_in(OPERATOR)
        for _ in range(4):
            await much.open(page)
            refused = await much.presses("Compare")
        asked = reads(clinic)
        await other.open(page)
        answered = await other.presses("Compare")

    assert asked == 3
    assert "too many questions came from this session" in refused.text
    assert (reads(clinic), "too many questions" in answered.text) == (4, False)
