"""DrChrono's bulk lists: what a page costs, how many are asked for ahead, and what cuts a list off."""

from contextlib import aclosing

import pytest
import sqlalchemy as sa

from app.errors import Rejected, Unavailable
from app.store.rate_ledger import RateLedger
from app.store.tables import lane_calls
from app.sync.failure_causes import HOUR_IS_SPENT
from app.sync.model import Lane
from app.vendors.drchrono.bulk_lists import REQUESTED_AT_ONCE, bulk_pages
from app.vendors.rate_limit.drchrono import DrChronoRateLimit
from app.vendors.rate_limit.policy import Allowance, quota_hours
from tests.contract.conftest import APPLICATION
from tests.contract.drchrono.test_client import DOWN, PATIENTS, patients, turn
from tests.store.build import change

LIST = "POST /api/patients_list"
LOOK = "GET /api/patients_list"
ALL = {"show_inactive": "true"}


async def bulk(drchrono, asked=ALL):
    """All pages of the bulk list of patients."""
    return [page async for page in bulk_pages(drchrono, PATIENTS, asked)]


@pytest.fixture
async def drchrono(practice):
    return await practice.join()


@pytest.fixture
def impatient(drchrono):
    """One who looks five times at once."""
    drchrono.bulk_waits_s = (0.0,) * 5
    return drchrono


def limited(practice, per_hour):
    """An impatient one who may make so many calls an hour."""
    calls = RateLedger(practice.database, "ours")
    client = practice.client(DrChronoRateLimit("drchrono", calls, Allowance(per_hour, 1000)))
    client.bulk_waits_s = (0.0,) * 5
    return client


def called(practice):
    """What was called by now: pages asked for, and looks."""
    counts = practice.control.get("/_control/calls").json()["counts"]
    return counts.get(LIST, 0), counts.get(LOOK, 0)


async def test_a_bulk_list_comes_page_by_page_and_says_how_many_there_are(practice, impatient):
    ids = patients(practice, 5)
    turn(practice, bulk_page_size=2)

    pages = await bulk(impatient)

    assert [record["id"] for page in pages for record in page.rows] == ids
    assert [(page.is_last, page.of) for page in pages] == [(False, 5), (False, 5), (True, 5)]


async def test_a_bulk_list_of_nothing_is_one_empty_page(impatient):
    (page,) = await bulk(impatient)

    assert (page.rows, page.is_last) == ([], True)


async def test_a_bulk_page_costs_a_call_to_ask_and_one_for_every_look(practice, impatient):
    turn(practice, bulk_polls=2)
    practice.control.delete("/_control/calls")

    await bulk(impatient)

    counts = practice.control.get("/_control/calls").json()["counts"]
    assert (counts[LIST], counts[LOOK]) == (1, 3)


@pytest.mark.parametrize("body", [{"detail": "no"}, "<html>"], ids=["json", "page"])
@pytest.mark.parametrize("status", [403, 404, 405])
async def test_a_practice_without_bulk_lists_says_so(practice, impatient, status, body):
    practice.control.post("/_control/faults", json={"match": LIST, "do": "error", "status": status, "body": body})

    assert await bulk(impatient) == []


@pytest.mark.parametrize(
    ("match", "fault", "expected", "cause"),
    [
        (LIST, {"do": "throttle"}, Unavailable, "HTTP_429"),
        (LIST, DOWN, Unavailable, "HTTP_500"),
        (LIST, {"do": "drop_before"}, Unavailable, None),
        (LIST, {"do": "error", "status": 400, "body": {"since": ["Enter a valid date."]}}, Rejected, "HTTP_400"),
        (LIST, {"do": "error", "status": 200, "body": "<html>"}, Unavailable, "NOT_JSON"),
        (LIST, {"do": "error", "status": 201, "body": {"status": "In progress"}}, Unavailable, "NO_RECORDS"),
        (LOOK, {"do": "error", "status": 500, "body": {"status": "Failed"}}, Unavailable, "BULK_NOT_MADE"),
        (LOOK, {"do": "error", "status": 404, "body": {"detail": "Invalid uuid"}}, Unavailable, "BULK_NOT_MADE"),
        (LOOK, {"do": "error", "status": 404, "body": "<html>"}, Unavailable, "NOT_JSON"),
        (LOOK, {"do": "error", "status": 200, "body": {"status": "Complete"}}, Unavailable, "NO_RECORDS"),
        (LOOK, {"do": "error", "status": 200, "body": "<html>"}, Unavailable, "NOT_JSON"),
        (LOOK, {"do": "drop_before"}, Unavailable, None),
    ],
    ids=[
        "429",
        "500",
        "dropped",
        "400",
        "html",
        "no-uuid",
        "failed",
        "expired",
        "html-404-look",
        "no-rows",
        "html-look",
        "dropped-look",
    ],
)
async def test_every_bad_answer_to_a_bulk_list_is_one_of_our_errors(practice, impatient, match, fault, expected, cause):
    practice.control.post("/_control/faults", json={"match": match, "next": 9, **fault})

    with pytest.raises(expected) as caught:
        await bulk(impatient)

    assert cause is None or caught.value.cause == cause


async def test_a_page_that_is_never_made_is_given_up(practice, impatient):
    turn(practice, bulk_polls=50)

    with pytest.raises(Unavailable) as caught:
        await bulk(impatient)

    assert (caught.value.cause, caught.value.retry_in_s) == ("BULK_NOT_MADE", 60.0)


async def test_a_bulk_list_is_counted_in_its_lane_the_asking_and_each_look(practice, drchrono):
    patients(practice, 3)
    turn(practice, bulk_polls=3)
    drchrono.bulk_waits_s = (0.0,) * 5
    practice.control.delete("/_control/calls")

    (page,) = await bulk(drchrono.on(Lane.BACKFILL), {})

    assert len(page.rows) == 3
    assert practice.counted("POST /api/patients_list") == 1
    assert practice.counted("GET /api/patients_list") == 4
    assert (await RateLedger(practice.database, APPLICATION).by_lane())[Lane.BACKFILL] == 5


async def test_the_pages_to_come_are_asked_for_while_one_is_worked_on_and_only_so_many(practice, impatient):
    count = len(patients(practice, REQUESTED_AT_ONCE + 4))
    turn(practice, bulk_page_size=1, bulk_polls=0)
    practice.control.delete("/_control/calls")
    ahead = []

    async for page in bulk_pages(impatient, PATIENTS, ALL):
        ahead.append(called(practice)[0] - page.number)

    most = REQUESTED_AT_ONCE - 1  # beside the one whose turn it is
    assert ahead == [0, *(min(most, count - number) for number in range(2, count + 1))]
    assert called(practice) == (count, count), "each page costs what it costs one by one"


async def test_whoever_takes_the_first_page_alone_has_no_other_asked_for(practice, impatient):
    patients(practice, 3)
    turn(practice, bulk_page_size=1, bulk_polls=0)
    practice.control.delete("/_control/calls")

    async with aclosing(bulk_pages(impatient, PATIENTS, ALL)) as pages:
        await anext(pages)

    assert called(practice) == (1, 1)


async def test_no_page_is_asked_for_that_the_hour_has_no_call_left_to_fetch(practice, drchrono):
    patients(practice, 12)
    turn(practice, bulk_page_size=1, bulk_polls=0)
    practice.control.delete("/_control/calls")

    with pytest.raises(Unavailable, match=HOUR_IS_SPENT):
        await bulk(limited(practice, 14))

    assert called(practice) == (7, 7)


async def test_a_look_that_the_hour_has_no_call_for_at_this_moment_is_made_a_moment_later(practice, drchrono):
    """A lane's share of the hour grows by the second, here by five calls."""
    patients(practice, 1)
    client = limited(practice, 50_000)
    ledger = await RateLedger(practice.database, "ours").read()
    room = await client.grant.budget.room(Lane.BACKFILL)
    made = [
        {"application": "ours", "lane": "backfill", "hour": hour, "made": room - 1} for hour in quota_hours(ledger.at)
    ]
    await change(practice.database, sa.insert(lane_calls).values(made))
    practice.control.delete("/_control/calls")

    (page,) = await bulk(client.on(Lane.BACKFILL))

    assert (len(page.rows), called(practice)[0]) == (1, 1)


async def test_a_list_that_is_refused_in_its_midst_is_not_taken_for_one_that_has_ended(practice, impatient):
    patients(practice, 4)
    turn(practice, bulk_page_size=1, bulk_polls=0)
    pages = bulk_pages(impatient, PATIENTS, ALL)
    await anext(pages)
    refused = {"match": LIST, "do": "error", "status": 403, "body": {"detail": "no"}}
    practice.control.post("/_control/faults", json=refused)

    with pytest.raises(Unavailable, match="BULK_NOT_MADE"):
        await anext(pages)
