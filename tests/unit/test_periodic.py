"""The loop waits for a database that is away; the supervisor starts a job that fails again, and ends no other."""

import asyncio

import pytest
from structlog.testing import capture_logs

from app.errors import StoreUnavailable
from app.periodic import Missed, Supervisor, every

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


class Ticks:
    """Counts seconds as told."""

    now = 0.0

    def __call__(self):
        return self.now


async def ended(jobs, name):
    """Wait until a job has come to its end."""
    async with asyncio.timeout(5):
        await jobs._tasks[name]


async def test_a_job_that_fails_is_started_again_and_its_siblings_go_on():
    jobs, sibling = Supervisor(first_s=0), asyncio.Event()
    attempts = iter(
        [ValueError("Canary"), asyncio.CancelledError(), BaseExceptionGroup("Canary", [ValueError()]), None]
    )

    async def falls():
        if (error := next(attempts)) is not None:
            raise error

    with capture_logs() as lines:
        jobs.start("sibling", sibling.wait)
        jobs.start("falls", falls)
        await ended(jobs, "falls")

    assert not jobs._tasks["sibling"].done()
    assert [line["cause"] for line in lines if line["event"] == "job.failed"] == ["falls"] * 3
    await jobs.stop()


async def test_each_failure_in_a_row_is_waited_for_twice_as_long_and_an_end_that_was_well_starts_anew():
    jobs, last = Supervisor(first_s=0.001, longest_s=0.004), asyncio.Event()
    fail, well = ValueError(), None
    answers = iter([fail, fail, fail, fail, well, fail, EndError()])

    async def task():
        answer = next(answers)
        if isinstance(answer, EndError):
            last.set()
            await asyncio.Event().wait()
        if answer is not None:
            raise answer

    with capture_logs() as lines:
        jobs.every("task", 0, task)
        async with asyncio.timeout(5):
            await last.wait()

    assert [line["retry_in_s"] for line in lines] == [0.001, 0.002, 0.004, 0.004, 0.001]
    await jobs.stop()


def test_what_fails_is_named_with_its_class_since_it_began_and_a_minute_after_it_is_well():
    clock = Ticks()
    jobs = Supervisor(clock=clock)
    jobs.failed("reconcile", KeyError("Canary"))
    (first,) = jobs.failing.values()

    jobs.failed("reconcile", ValueError("Canary"))
    (again,) = jobs.failing.values()
    jobs.succeeded("reconcile")
    clock.now = 59.0
    named = set(jobs.failing)
    clock.now = 61.0

    assert (first.name, first.error, again.error, again.since) == ("reconcile", "KeyError", "ValueError", first.since)
    assert (named, set(jobs.failing)) == ({"reconcile"}, set())


async def test_a_stop_ends_every_job_also_one_that_waits_to_be_started_again():
    jobs = Supervisor(first_s=HOUR_S)
    began = asyncio.Event()

    async def falls():
        began.set()
        raise ValueError

    jobs.start("falls", falls)
    jobs.start("waits", asyncio.Event().wait)
    await began.wait()

    async with asyncio.timeout(5):
        await jobs.stop()

    assert all(task.done() for task in jobs._tasks.values())
