"""Salesforce's day: its limits are asked for at the start, and a day that is spent is asked about by one call."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store.tables import allowances, schedules
from app.sync.model import Lane
from workers.vendor_limits import ask_limits_when_due

LIMITS = "GET /services/data/v67.0/limits"
DAY_MS = 24 * 3600 * 1000


def asked(clinic):
    return clinic.calls("salesforce", LIMITS)


def org(clinic, **settings):
    clinic.salesforce.put("/_control/settings", json=settings).raise_for_status()


async def later(clinic, span):
    """Time passes, for what the vendors have said and for what is done every so often."""
    ms = span // timedelta(milliseconds=1)

    async def work(connection):
        for column in (allowances.c.told_at, schedules.c.next_at):
            earlier = sa.type_coerce(column, sa.BigInteger) - ms
            await connection.execute(sa.update(column.table).values({column.name: earlier}))

    await clinic.runtime.database.transact(work)
    await clinic.time_passes(span)


async def standing(clinic):
    (row,) = [one for one in await clinic.rows(allowances) if one.name.startswith("salesforce")]
    return row


async def forgotten(clinic):
    async def work(connection):
        await connection.execute(sa.delete(allowances))

    await clinic.runtime.database.transact(work)
    clinic.salesforce.delete("/_control/calls")


async def spent(clinic):
    """The day is used up, and a record has found out."""
    org(clinic, daily_calls=1)
    await clinic.arrives(await clinic.registers(first_name="Ada"))


async def test_the_share_is_known_before_the_first_record(clinic):
    await forgotten(clinic)
    org(clinic, daily_calls=1000)

    await ask_limits_when_due(clinic.runtime)

    row = await standing(clinic)
    assert (row.most, asked(clinic)) == (1000, 1)
    assert 0 < row.used < 100


async def test_what_was_told_today_is_not_asked_again_and_yesterdays_is(clinic):
    await forgotten(clinic)
    await ask_limits_when_due(clinic.runtime)

    for _ in range(3):
        await ask_limits_when_due(clinic.runtime)
    today = asked(clinic)
    await later(clinic, timedelta(hours=25))
    await ask_limits_when_due(clinic.runtime)

    assert (today, asked(clinic)) == (1, 2)


async def test_an_org_that_does_not_answer_is_asked_again_later(clinic):
    await forgotten(clinic)
    clinic.breaks("salesforce", LIMITS, "error", next=1, status=500)

    await ask_limits_when_due(clinic.runtime)
    await ask_limits_when_due(clinic.runtime)
    meanwhile = asked(clinic)
    await later(clinic, timedelta(minutes=11))
    await ask_limits_when_due(clinic.runtime)

    assert (meanwhile, asked(clinic)) == (1, 2)
    assert (await standing(clinic)).most == 115_000


async def test_a_day_that_is_spent_is_asked_about_by_one_cheap_call_and_opens_the_side_again(clinic):
    await spent(clinic)
    clinic.salesforce.delete("/_control/calls")

    for _ in range(3):  # nothing has recovered: five minutes each
        await later(clinic, timedelta(seconds=301))
        await ask_limits_when_due(clinic.runtime)
        await clinic.settles()
    while_spent = clinic.calls("salesforce", "")
    org(clinic, daily_calls=115_000)
    await later(clinic, timedelta(seconds=301))
    await ask_limits_when_due(clinic.runtime)
    await later(clinic, timedelta(minutes=10))
    await clinic.settles()

    assert while_spent == 3, "the limits, and no record's call"
    assert [contact["FirstName"] for contact in clinic.contacts()] == ["Ada"]


async def test_while_the_day_is_spent_no_record_is_taken_even_of_live_edits(clinic):
    await spent(clinic)

    await later(clinic, timedelta(seconds=301))
    why, wait_s = await clinic.runtime.salesforce.budget.wait(Lane.LIVE)

    assert (why, 0 < wait_s <= 90) == ("day_is_spent", True)


async def test_where_no_worker_asks_the_next_call_finds_out_itself(clinic):
    await spent(clinic)

    await later(clinic, timedelta(seconds=395))

    assert await clinic.runtime.salesforce.budget.wait(Lane.LIVE) is None


@pytest.mark.parametrize(
    ("message", "at_least_s", "at_most_s"),
    [
        ("ConcurrentRequests Limit exceeded.", 1, 6),
        ("TotalRequests Limit exceeded.", 295, 391),
    ],
    ids=["too many at once", "too many today"],
)
async def test_too_many_at_once_pauses_for_seconds_and_too_many_today_for_minutes(
    clinic, message, at_least_s, at_most_s
):
    body = [{"message": message, "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    clinic.breaks("salesforce", "GET /services/data", "error", next=1, status=403, body=body)

    await clinic.arrives(await clinic.registers(first_name="Ada"))

    stands = await clinic.runtime.salesforce.budget.stands()
    assert at_least_s < stands.paused_for_s <= at_most_s
