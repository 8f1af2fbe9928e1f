"""Pace: whether the database's clock runs with the time that passes here, or was put ahead meanwhile.

A process remembers what that clock said when, by its own monotonic time, which nobody can set.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

NOTICED = timedelta(seconds=30)  # clocks are put right by less all the time


@dataclass(frozen=True, slots=True)
class Moment:
    """What the database's clock said, and how much time had passed here by then, in seconds."""

    now: datetime
    passed_s: float


class Pace:
    """What one process remembers of the database's clock."""

    def __init__(self, passed_s: Callable[[], float] = monotonic) -> None:
        self._passed_s = passed_s
        self._last: Moment | None = None

    def read(self, now: datetime) -> Moment:
        """Give the present moment; `now`: as the database has just said."""
        return Moment(now, self._passed_s())

    def ahead(self, moment: Moment) -> timedelta:
        """Give by how much the clock was put ahead since the moment noted last; zero for little, and at first."""
        if self._last is None:
            return timedelta(0)
        passed = timedelta(seconds=moment.passed_s - self._last.passed_s)
        jump = moment.now - self._last.now - passed
        return jump if jump >= NOTICED else timedelta(0)

    def note(self, moment: Moment) -> None:
        """Remember a moment, once what it called for is done."""
        self._last = moment
