"""Charts and the figures behind them tell what was received and applied, in the range that was asked for."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store import activity
from app.store.clock import after
from app.store.tables import deliveries, journal
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def asked(clinic, path="activity", **given):
    given = {name: at.isoformat() if hasattr(at, "isoformat") else at for name, at in given.items()}
    return await clinic.web.get(f"/api/v1/{path}", headers=BEARER, params=given)


async def two_are_synced(clinic):
    """One two days ago, one now."""
    await clinic.has_linked(first_name="Ada", last_name="Test")

    async def age(connection):
        await connection.execute(sa.update(deliveries).values(received_at=after(-2 * DAY)))
        await connection.execute(sa.update(journal).values(answered_at=after(-2 * DAY)))

    await clinic.runtime.database.transact(age)
    await clinic.arrives(await clinic.registers(first_name="Grace", last_name="Test"), event="PATIENT_CREATE")
    await clinic.runtime.counts.save(clinic.runtime.database)


async def test_the_figures_are_those_of_the_range_whether_they_were_summed_up_or_not(clinic):
    await two_are_synced(clinic)
    now = clinic.runtime.now()

    before = (await asked(clinic, since=now - 3 * DAY, step=3600)).json()
    await activity.sum_up(clinic.runtime.database)
    summed = (await asked(clinic, since=now - 3 * DAY, step=3600)).json()
    of_today = (await asked(clinic)).json()

    assert summed["total"] == before["total"]
    assert summed["total"]["received"] == {"drchrono": 2, "salesforce": 0}
    assert summed["total"]["results"] == {"accepted": 2, "ignored": 0, "invalid": 0}
    assert (summed["step_s"], len(summed["steps"]) in (72, 73)) == (3600, True)
    assert of_today["total"]["received"]["drchrono"] == 1
    assert of_today["total"]["applied"]["salesforce"] >= 1
    assert 0 < of_today["total"]["p95_s"] < 60


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"since": "2020-01-01T00:00:00Z"}, "Activity is kept for 35 days"),
        ({"since": "2999-01-01T00:00:00Z"}, "has not begun"),
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "not later than"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "Activity is kept for 35 days"),
        ({"step": "1"}, "A step is 5 minutes"),
        ({"step": 10**30}, "35 days at most"),
        ({"since": "2026-11-01T00:00:00"}, "timezone"),
        ({"step": "often"}, "integer"),
    ],
)
async def test_a_range_that_cannot_be_shown_is_refused_in_words(clinic, given, says):
    answer = await asked(clinic, **given)

    assert answer.status_code == 422
    assert says in answer.text


async def test_deliveries_are_those_of_a_range_page_by_page(clinic):
    await two_are_synced(clinic)
    now = clinic.runtime.now()

    everything = (await asked(clinic, "deliveries", limit=1)).json()
    rest = (await asked(clinic, "deliveries", limit=1, before=everything["next"])).json()
    lately = (await asked(clinic, "deliveries", since=now - HOUR)).json()
    earlier = (await asked(clinic, "deliveries", until=now - HOUR)).json()

    assert (everything["total"], len(everything["items"]), rest["next"]) == (2, 1, None)
    assert [one["id"] for one in lately["items"]] == [everything["items"][0]["id"]]
    assert [one["id"] for one in earlier["items"]] == [rest["items"][0]["id"]]


async def test_the_page_counts_what_is_in_its_range_and_replays_no_more_than_that(clinic):
    await two_are_synced(clinic)
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        today = await browser.open("/deliveries")
        sure = await browser.presses("Replay the one that matches…")
        everything = await browser.open("/deliveries?range=all")
        older = await browser.open("/deliveries?range=all&side=drchrono&kind=patient")
        none = await browser.open("/deliveries?side=salesforce")

    assert "1 Accepted 0 Ignored 0 Invalid 0 Unprocessed" in today.text
    assert "1 matches in the last 24 hours, and would be replayed" in sure.text
    assert "2 Accepted" in everything.text
    assert "/deliveries/replay" not in [form.action for form in everything.forms], "not all there ever was"
    assert "Replay all 2 that match…" in older.text
    assert none.links["Look at all that is stored"] == "/deliveries?side=salesforce&range=all"


async def test_all_that_was_ever_received_is_never_replayed_at_once(clinic):
    await two_are_synced(clinic)
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/deliveries")
        shown = await browser.presses("Replay the one that matches…", range="all", expected="2")

    assert shown.status == 400
    assert "Choose a range of time, or a filter" in shown.text


async def test_a_bad_range_is_answered_beside_its_fields_and_what_was_typed_stays(clinic):
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        for path in ("/", "/deliveries"):
            shown = await browser.open(f"{path}?from=2026-11-02T09:00&to=2026-11-01T09:00")
            fields = next(form.fields for form in shown.forms if "from" in form.fields)

            assert shown.status == 200
            assert "The range ends before it begins." in shown.text
            assert "This page shows the last 24 hours instead." in shown.text
            assert (fields["from"], fields["to"]) == ("2026-11-02T09:00", "2026-11-01T09:00")


async def test_what_follows_keeps_the_range_and_the_filter(clinic):
    for number in range(51):
        await clinic.delivers({"id": number}, event="LAB_ORDER_CREATE")
    async with browsing(clinic) as browser:
        await browser.signs_in(OPERATOR)
        await browser.open("/deliveries?range=7d&outcome=skipped")
        shown = await browser.follows("Older")

    assert {"range": "7d", "outcome": "skipped"}.items() <= dict(shown.url.params).items()
    assert "Received in the last 7 days" in shown.text
