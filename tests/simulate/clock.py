"""The clock of a history: it stands still until somebody moves it, and everything that asks for the time asks it.

The databases' connections get a `julianday` of their own, which is SQLite's way to another clock; the stand-ins take
theirs as a function; ids are drawn from the seed. So a history does not know when, or where, it is told.
"""

import random
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import ulid

from tests.standins.drchrono.clock import ZONE

FIRST = datetime(2026, 1, 12, 17, 0, tzinfo=UTC)
AUTUMN = datetime(2026, 11, 1, 8, 58, tzinfo=UTC)  # two minutes later the practice's clock goes back
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_DAY_MS, _EPOCH_JULIAN = 86_400_000, 2_440_587.5


class Clock:
    """Milliseconds since the history began, and the same as others want to hear it."""

    def __init__(self):
        self.ms = 0
        self.starts(FIRST)

    def starts(self, first):
        self.first, self._first_ms = first, (first - _EPOCH) // _MS

    def moves(self, ms):
        self.ms += ms

    def now(self):
        return self.first + timedelta(milliseconds=self.ms)

    def epoch_ms(self):
        return self._first_ms + timedelta(milliseconds=self.ms) // _MS

    def at_the_practice(self, off):
        return (self.now() + off).astimezone(ZONE).replace(tzinfo=None)

    def julian(self, _when):
        return (self.epoch_ms() + 0.25) / _DAY_MS + _EPOCH_JULIAN


@contextmanager
def drawn_from(seed, clock):
    """Have ids made by this clock and drawn from the seed, and whatever else is left to chance."""
    ids, before, state = random.Random(f"{seed} ids"), ulid.default_generator, random.getstate()
    ulid.default_generator = ulid.ULIDGenerator(clock=clock.epoch_ms, randomness=lambda _: ids.randbytes(10))
    random.seed(f"{seed} jitter")
    try:
        yield
    finally:
        ulid.default_generator = before
        random.setstate(state)
