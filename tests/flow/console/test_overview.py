"""The overview says in one sentence how everything stands, and its numbers are those of the database."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store.tables import journal
from app.sync.model import Side
from app.web.console.overview import Headline, headline
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
    paused, failed, held, due, dismissed = (), 0, 0, 0, 0

    def __init__(self, **given):
        self.__dict__.update(given)


@pytest.mark.parametrize(
    ("seen", "parts", "says"),
    [
        (Seen(), PARTS, ("Both systems agree.", "good", "")),
        (Seen(due=1), PARTS, ("1 change pending.", "busy", "/queues")),
        (Seen(due=1234), PARTS, ("1,234 changes pending.", "busy", "/queues")),
        (Seen(due=3, held=1), PARTS, ("1 record needs attention.", "warn", "/attention")),
        (
            Seen(dismissed=8),
            PARTS,
            ("8 records differ, dismissed. Everything else is synced.", "warn", "/attention?state=dismissed"),
        ),
        (
            Seen(failed=2, dismissed=1),
            PARTS,
            (
                "2 records need attention; 1 record differs, dismissed. Everything else is synced.",
                "warn",
                "/attention",
            ),
        ),
        (
            Seen(failed=3, held=1),
            PARTS,
            ("4 records need attention. Everything else is synced.", "warn", "/attention"),
        ),
        (Seen(paused=("live",), failed=3), PARTS, ("Paused: Live. Nothing is lost; it waits.", "warn", "/queues")),
        (
            Seen(),
            {**PARTS, "drchrono": {"state": "not_connected"}},
            ("DrChrono has not been connected yet.", "warn", "/connections"),
        ),
        (
            Seen(paused=("live",)),
            {**PARTS, "workers": {"state": "down"}},
            ("Something is down: workers.", "bad", "#needs"),
        ),
    ],
)
def test_one_sentence_says_how_everything_stands_and_where_it_is_seen(seen, parts, says):
    assert headline(seen, parts) == Headline(*says)


async def test_a_practice_that_was_disconnected_is_told_apart_from_one_that_never_was(clinic):
    (await clinic.web.post("/api/v1/connections/drchrono/disconnect", headers=BEARER)).raise_for_status()
    await clinic.app.state.health.look()
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        shown = await browser.open("/")

    assert "the practice was disconnected: open" in shown.text
    assert shown.links["https://sync.example.com/connect/drchrono"] == "/connect/drchrono", (
        "what is to be opened can be"
    )
    off = {"drchrono": {"state": "not_connected"}}
    assert headline(Seen(), off, left={Side.DRCHRONO}).text == "DrChrono was disconnected."


async def test_what_happened_last_is_told_with_who_did_it_and_no_name_of_a_patient(clinic):
    patient = await clinic.has_linked(first_name="Canary", last_name="Test")
    for city in ("Springfield", "Shelbyville"):
        await clinic.arrives(await clinic.edits(patient, city=city))

    shown = (await page(clinic)).partition("Recent activity")[2]

    assert "operator signed in" in shown
    assert f"Patient {patient['id']} was updated in Salesforce, and 1 more" in shown
    assert f"Patient {patient['id']} was created in Salesforce" in shown
    assert "Canary" not in shown
