"""The one endless loop: a task is run every so often, and a database that is away is said and waited for.

Web and workers hold their schedules as tables of these tasks. Only a store that is away is expected here: any other
error ends the loop, and whoever started it says so.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn

from app.errors import StoreUnavailable
from app.log import log

SOONEST_S = 0.05

Task = Callable[[], Awaitable[float | None]]


@dataclass(frozen=True, slots=True)
class Missed:
    """What the log says when the database was away and a run was missed."""

    event: str
    advice: str


async def every(interval_s: float, task: Task, missed: Missed | None = None, *, first_in_s: float = 0.0) -> NoReturn:
    """Run a task, and again so many seconds after its end, for ever; sooner where it gives a shorter wait in seconds.

    missed      what is logged when the database is away; nothing where that is said elsewhere
    first_in_s  how long to wait before the first run
    """
    await asyncio.sleep(first_in_s)
    while True:
        wait_s = None
        try:
            wait_s = await task()
        except StoreUnavailable as error:
            if missed is not None:
                log.warning(missed.event, cause=str(error), advice=missed.advice)
        await asyncio.sleep(interval_s if wait_s is None else min(interval_s, max(wait_s, SOONEST_S)))
