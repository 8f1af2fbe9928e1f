"""Sessions: open while they are used, never longer than half a day, and over at once when their owner says so."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store import clock, sessions, tables
from app.store.sessions import IDLE, LONGEST
from tests.store.build import HOUR, SECOND, change, rows, statements_of

MINUTE = timedelta(minutes=1)


async def moved(database, **spans):
    """Move moments of every session, as the clock would."""
    moments = {name: clock.after(-span) for name, span in spans.items()}
    await change(database, sa.update(tables.sessions).values(**moments))


async def seen_s_ago(database):
    ago = sa.type_coerce(clock.db_now(), sa.BigInteger) - sa.type_coerce(tables.sessions.c.seen_at, sa.BigInteger)
    return (await database.read(sa.select(ago)))[0][0] / 1000


async def test_a_session_stands_for_the_account_it_was_begun_with(database):
    await sessions.begin(database, "ours", "print of the operator's", "operator", "anna")
    await sessions.begin(database, "theirs", "print of the viewer's", "viewer", "ben")

    found = [await sessions.find(database, session) for session in ("ours", "theirs")]
    assert [(one.token, one.role, one.name) for one in found] == [
        ("print of the operator's", "operator", "anna"), ("print of the viewer's", "viewer", "ben"),
    ]  # fmt: skip


async def test_a_session_nobody_began_is_nobodys(database):
    await sessions.begin(database, "ours", "print", "operator", "anna")

    assert await sessions.find(database, "another") is None
    assert await sessions.find(database, "") is None


def test_the_limits_are_half_an_hour_unused_and_half_a_day_in_all():
    assert (timedelta(minutes=30), timedelta(hours=12)) == (IDLE, LONGEST)


@pytest.mark.parametrize(
    ("unused", "since", "is_open"),
    [
        (IDLE - MINUTE, IDLE, True),
        (IDLE + SECOND, IDLE + SECOND, False),
        (timedelta(0), LONGEST - MINUTE, True),
        (timedelta(0), LONGEST + SECOND, False),
    ],
    ids=["used lately", "not used", "used and old", "used and too old"],
)
async def test_a_session_ends_unused_and_at_the_latest_after_some_hours(database, unused, since, is_open):
    await sessions.begin(database, "ours", "print", "operator", "anna")
    await moved(database, seen_at=unused, started_at=since)

    assert (await sessions.find(database, "ours") is not None) is is_open


async def test_using_a_session_prolongs_it(database):
    await sessions.begin(database, "ours", "print", "operator", "anna")
    await moved(database, seen_at=IDLE - MINUTE)

    await sessions.find(database, "ours")

    assert await seen_s_ago(database) < 30


async def test_a_session_that_is_over_is_not_brought_back_by_asking(database):
    await sessions.begin(database, "ours", "print", "operator", "anna")
    await moved(database, seen_at=IDLE + SECOND)

    await sessions.find(database, "ours")

    assert await sessions.find(database, "ours") is None


@pytest.mark.parametrize(("unused_s", "writes"), [(20, 0), (61, 1)], ids=["within the minute", "after it"])
async def test_use_is_written_down_once_a_minute_at_most(database, unused_s, writes):
    await sessions.begin(database, "ours", "print", "operator", "anna")
    await moved(database, seen_at=unused_s * SECOND)

    sent = await statements_of(database, sessions.find, "ours")

    assert sum(statement.startswith("UPDATE") for statement, _ in sent) == writes


async def test_a_session_that_was_ended_is_over(database):
    await sessions.begin(database, "ours", "print", "operator", "anna")
    await sessions.begin(database, "theirs", "print", "operator", "anna")

    await sessions.end(database, "ours")

    assert await sessions.find(database, "ours") is None
    assert (await sessions.find(database, "theirs")).token == "print"


async def test_ending_a_session_twice_is_no_failure(database):
    await sessions.begin(database, "ours", "print", "operator", "anna")

    await sessions.end(database, "ours")
    await sessions.end(database, "ours")

    assert await rows(database, tables.sessions) == []


@pytest.mark.parametrize("over", [{"seen_at": IDLE + SECOND}, {"started_at": LONGEST + SECOND}], ids=["idle", "old"])
async def test_sessions_that_are_over_are_forgotten_when_somebody_signs_in(database, over):
    await sessions.begin(database, "old", "print", "operator", "anna")
    await moved(database, **over)

    await sessions.begin(database, "new", "print", "operator", "anna")

    assert [row.id for row in await rows(database, tables.sessions)] == ["new"]


async def test_signing_in_ends_nobody_elses_session(database):
    await sessions.begin(database, "first", "print", "operator", "anna")
    await moved(database, seen_at=IDLE - MINUTE, started_at=11 * HOUR)

    await sessions.begin(database, "second", "print", "operator", "anna")

    assert (await sessions.find(database, "first")).token == "print"
