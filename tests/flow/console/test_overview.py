"""The overview says in one sentence how everything stands, and its numbers are those of the database."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store.tables import journal
from app.web.console.overview import headline, spark
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}


async def overview(clinic):
    return (await clinic.web.get("/api/v1/overview", headers=BEARER)).json()


async def page(clinic):
    await clinic.app.state.health.look()
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        return (await browser.open("/")).text


async def test_what_flowed_is_counted_by_the_side_it_went_to(clinic):
    await clinic.has_linked(first_name="Ada", last_name="Test")
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()
    await clinic.settles()

    seen = await overview(clinic)

    to_salesforce, to_drchrono = seen["to"]["salesforce"], seen["to"]["drchrono"]
    assert to_drchrono["today"] == to_drchrono["last_hour"] == to_drchrono["lately"][-1] == 1
    assert to_salesforce["lately"][-1] == to_salesforce["last_hour"] == len(await clinic.journal("salesforce"))
    assert seen["deliveries_last_hour"] == {"drchrono": 1, "salesforce": 1}


async def test_what_waits_is_counted_on_the_way_it_goes(clinic):
    await clinic.delivers(await clinic.registers(first_name="Ada", last_name="Test"))

    seen = await overview(clinic)

    assert (seen["due"], seen["to"]["salesforce"]["due"], seen["to"]["drchrono"]["due"]) == (1, 1, 0)
    assert "Something is down: workers." in await page(clinic), "nobody works here"


async def test_where_everything_is_in_step_it_says_so(clinic):
    await clinic.has_linked(first_name="Ada", last_name="Test")

    seen = await overview(clinic)

    assert (seen["due"], seen["failed"], seen["held"], seen["paused"]) == (0, 0, 0, [])


async def test_what_was_written_more_than_six_hours_ago_is_in_no_line(clinic):
    await clinic.has_linked(first_name="Ada", last_name="Test")

    async def age(connection):
        long_ago = clinic.runtime.now() - timedelta(hours=7)
        await connection.execute(sa.update(journal).values(answered_at=long_ago))

    await clinic.runtime.database.transact(age)

    assert sum((await overview(clinic))["to"]["salesforce"]["lately"]) == 0


PARTS = {"database": {"state": "ok"}, "drchrono": {"state": "ok"}}


class Seen:
    paused, failed, held, due = (), 0, 0, 0

    def __init__(self, **given):
        self.__dict__.update(given)


@pytest.mark.parametrize(
    ("seen", "parts", "says"),
    [
        (Seen(), PARTS, ("Both sides agree.", "good")),
        (Seen(due=1), PARTS, ("1 change on the way.", "busy")),
        (Seen(due=1234), PARTS, ("1,234 changes on the way.", "busy")),
        (Seen(due=3, held=1), PARTS, ("1 record waits for a person; everything else flows.", "warn")),
        (Seen(failed=3, held=1), PARTS, ("4 records wait for a person; everything else flows.", "warn")),
        (Seen(paused=("live",), failed=3), PARTS, ("Paused: live. Nothing is lost; it waits.", "warn")),
        (Seen(), {**PARTS, "drchrono": {"state": "not_connected"}}, ("DrChrono is not connected yet.", "warn")),
        (Seen(paused=("live",)), {**PARTS, "workers": {"state": "down"}}, ("Something is down: workers.", "bad")),
    ],
)
def test_one_sentence_says_how_everything_stands(seen, parts, says):
    assert headline(seen, parts) == says


@pytest.mark.parametrize(
    ("values", "points"),
    [((), ""), ((0,), "0.0,34.0"), ((0, 0), "0.0,34.0 180.0,34.0"), ((0, 1, 2), "0.0,34.0 90.0,18.0 180.0,2.0")],
)
def test_a_line_goes_from_edge_to_edge_and_its_highest_point_is_the_top(values, points):
    assert spark(values) == points
