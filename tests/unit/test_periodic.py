"""The one loop: it goes on while the database is away, runs sooner when told so, and hides no other error."""

import asyncio

import pytest
from structlog.testing import capture_logs

from app.errors import StoreUnavailable
from app.periodic import Missed, every

HOUR_S = 3600.0
MISSED = Missed("feeds.not_looked_into", "they are when the database is back")


class EndError(Exception):
    """The end of a test's loop."""


def runs(*answers):
    """A task that gives these answers one after the other, raises those that are errors, and then ends the loop."""
    left = iter([*answers, EndError()])

    async def task():
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return task


async def test_a_database_that_is_away_is_logged_and_the_task_runs_again():
    with capture_logs() as lines, pytest.raises(EndError):
        await every(0, runs(StoreUnavailable("the database refused: OSError"), None), MISSED)

    (line,) = lines
    assert line == {
        "event": MISSED.event,
        "log_level": "warning",
        "cause": "the database refused: OSError",
        "advice": MISSED.advice,
    }


async def test_where_it_is_said_elsewhere_nothing_is_logged():
    with capture_logs() as lines, pytest.raises(EndError):
        await every(0, runs(StoreUnavailable("away")))

    assert lines == []


async def test_a_task_that_says_when_it_is_next_due_runs_then():
    async with asyncio.timeout(5):
        with pytest.raises(EndError):
            await every(HOUR_S, runs(0.0, 0.01))


async def test_a_task_that_is_due_later_than_its_interval_runs_after_the_interval():
    async with asyncio.timeout(5):
        with pytest.raises(EndError):
            await every(0, runs(HOUR_S))


@pytest.mark.parametrize("how", [{"interval_s": HOUR_S, "task": runs(None)}, {"interval_s": 0, "first_in_s": HOUR_S}])
async def test_it_waits_for_its_time(how):
    loop = asyncio.create_task(every(**{"task": runs(), **how}))

    done, _ = await asyncio.wait([loop], timeout=0.05)

    assert done == set()
    loop.cancel()


async def test_any_other_error_ends_the_loop():
    with pytest.raises(ZeroDivisionError):
        await every(0, runs(ZeroDivisionError("a mistake of ours")), MISSED)
