"""A comparison that fails and fails is told of: what no event tells of would stay unknown, and nobody would notice."""

from datetime import UTC, datetime, timedelta

import pytest

from app.operations.health.local import FailingComparison
from app.sync.model import Kind
from tests.flow.outages.test_notices import looks, receiver, texts, told  # noqa: F401 - fixtures
from tests.flow.patience import ages, compares_when_due

NOW = datetime(2027, 3, 15, tzinfo=UTC)
LISTS = "GET /api/offices"
PART, REFUSED = "reconciliation", {"detail": "You do not have permission to perform this action."}


async def fails_for(clinic, span):
    """A worker tries to compare now, and again each half of a span later."""
    for passed in (timedelta(0), span / 2, span / 2):
        await ages(clinic, passed)
        await compares_when_due(clinic)


async def part(clinic):
    await clinic.app.state.health.look()
    return (await clinic.web.get("/healthz")).json()["parts"][PART]


@pytest.mark.parametrize(("span", "state"), [(timedelta(minutes=40), "ok"), (timedelta(hours=2), "degraded")])
async def test_a_list_that_is_refused_for_an_hour_is_told_with_its_error_and_its_fix(clinic, span, state):
    clinic.breaks("drchrono", LISTS, "error", status=403, body=REFUSED, next=None)

    await fails_for(clinic, span)

    found = await part(clinic)
    assert found["state"] == state
    assert ("offices are not compared (HTTP_403): " in (found["advice"] or "")) is (state == "degraded")
    assert found["age_s"] > 3_600 or state == "ok"


async def test_a_comparison_that_works_again_is_told_of_no_more(clinic):
    clinic.breaks("drchrono", LISTS, "error", status=403, body=REFUSED, next=None)
    await fails_for(clinic, timedelta(hours=2))
    clinic.drchrono.delete("/_control/faults").raise_for_status()

    await ages(clinic, timedelta(minutes=2))
    await compares_when_due(clinic)
    await ages(clinic, timedelta(hours=2))

    assert (await part(clinic))["state"] == "ok"


async def test_people_are_told_that_comparing_fails_and_that_it_works_again(told, receiver):  # noqa: F811
    told.breaks("drchrono", LISTS, "error", status=403, body=REFUSED, next=None)
    await fails_for(told, timedelta(hours=2))
    await looks(told)
    told.drchrono.delete("/_control/faults").raise_for_status()
    await ages(told, timedelta(minutes=2))
    await compares_when_due(told)
    for _ in range(2):
        await looks(told, timedelta(minutes=6))

    first, second = (text for text in texts(receiver) if "reconciliation" in text)
    assert "The reconciliation of offices has failed for more than an hour" in first
    assert "It is the error HTTP_403. How to fix: " in first
    assert "Resolved: The reconciliation of offices works again" in second


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("hour_is_spent", "The quota of calls is spent"),
        ("REQUEST_LIMIT_EXCEEDED", "The quota of calls is spent"),
        ("HTTP_403", "lacks a permission or a scope"),
        ("ConnectError", "See what is said of both systems"),
    ],
)
def test_what_to_do_is_said_of_every_error(cause, says):
    assert says in FailingComparison(Kind.DOCUMENT, NOW, cause).advice
