"""The supervisor of a process: its jobs run side by side, and one that fails is started again and ends no other.

Web and workers hold their schedules as tables of tasks that are run every so often; other jobs run until they end.
Whatever error ends a run is logged by its class and place, the job waits, longer each time, and begins anew; a run
that ends well makes it healthy again. What fails now can be asked for, so that the health page names it. A database
that is away is no failure of a job: it is said and waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import NoReturn

from app.errors import StoreUnavailable
from app.log import log
from app.ports import FailingJob

SOONEST_S = 0.05
_HEALTHY_S = 60.0  # a job that has run for so long without falling is well
_NAMED_S = 60.0  # for how long what failed is named once it ends well: most runs of a job find nothing to do
_FORGOTTEN_S = 300.0  # what has neither failed nor ended well for so long is done by somebody else
_ADVICE = "it is started again by itself; report the class and the place if it goes on"

Task = Callable[[], Awaitable[float | None]]
Job = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Missed:
    """What the log says when the database was away and a run was missed."""

    event: str
    advice: str


def _nothing() -> None:
    pass


async def every(
    interval_s: float,
    task: Task,
    missed: Missed | None = None,
    *,
    first_in_s: float = 0.0,
    ended_well: Callable[[], None] = _nothing,
) -> NoReturn:
    """Run a task, and again so many seconds after its end, for ever; sooner where it gives a shorter wait in seconds.

    missed      what is logged when the database is away; nothing where that is said elsewhere
    first_in_s  how long to wait before the first run
    ended_well  called after each run that ended well
    """
    await asyncio.sleep(first_in_s)
    while True:
        wait_s = None
        try:
            wait_s = await task()
        except StoreUnavailable as error:
            if missed is not None:
                log.warning(missed.event, cause=str(error), advice=missed.advice)
        else:
            ended_well()
        await asyncio.sleep(interval_s if wait_s is None else min(interval_s, max(wait_s, SOONEST_S)))


@dataclass(frozen=True, slots=True)
class _Failure:
    job: FailingJob
    until: float


class Supervisor:
    """Runs the jobs of a process, and remembers which of them fail.

    first_s, longest_s  how long a job waits before it is started again: at first, doubling, and at most
    clock               counts seconds, and never back
    """

    def __init__(self, first_s: float = 1.0, longest_s: float = 60.0, clock: Callable[[], float] = monotonic) -> None:
        self._first_s, self._longest_s, self._clock = first_s, longest_s, clock
        self._waits_s: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, _Failure] = {}

    @property
    def failing(self) -> Mapping[str, FailingJob]:
        """Give what fails, or did a moment ago, by name, each with its error and since when."""
        return {name: one.job for name, one in self._failures.items() if one.until > self._clock()}

    def start(self, name: str, job: Job) -> None:
        """Run a job until it ends, again and again where it falls."""
        self._tasks[name] = asyncio.create_task(self._run(name, job), name=name)

    def every(
        self, name: str, interval_s: float, task: Task, missed: Missed | None = None, *, first_in_s: float = 0.0
    ) -> None:
        """Run a task every so often; one that fails waits longer each time until it ends well."""
        ended_well = partial(self.succeeded, name)
        self.start(name, partial(every, interval_s, task, missed, first_in_s=first_in_s, ended_well=ended_well))

    def failed(self, name: str, error: BaseException) -> None:
        """Remember that something fails, since when it does."""
        before = self.failing.get(name)
        job = FailingJob(name, type(error).__name__, datetime.now(UTC))
        self._failures[name] = _Failure(
            replace(job, since=before.since) if before else job, self._clock() + _FORGOTTEN_S
        )

    def succeeded(self, name: str) -> None:
        """Let what failed be well again; it is named for a moment longer."""
        self._waits_s.pop(name, None)
        if (failure := self._failures.get(name)) is not None:
            self._failures[name] = replace(failure, until=min(failure.until, self._clock() + _NAMED_S))

    async def stop(self, *, after: str | None = None, within_s: float = 0.0) -> None:
        """End every job, one of them after it has come to its own end within so many seconds."""
        if after is not None:
            await asyncio.wait({self._tasks[after]}, timeout=within_s)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, name: str, job: Job) -> None:
        while True:
            healthy = asyncio.get_running_loop().call_later(_HEALTHY_S, self.succeeded, name)
            try:
                await job()
            except (Exception, asyncio.CancelledError) as error:
                task = asyncio.current_task()
                if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                    raise
                wait_s = self._waits_s.get(name, self._first_s)
                self._waits_s[name] = min(wait_s * 2, self._longest_s)
                self.failed(name, error)
                log.error("job.failed", cause=name, exc_info=error, retry_in_s=wait_s, advice=_ADVICE)
            else:
                self.succeeded(name)
                return
            finally:
                healthy.cancel()
            await asyncio.sleep(wait_s)
