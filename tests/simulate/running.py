"""Event loops for what waits for nobody outside this process.

In one, time is a history's clock: where everybody sleeps, the clock moves on to whoever wakes first. So an hour takes
as long as what is done in it, and everything that sleeps, waits or times out does so in that hour. The other goes by
the machine's clock, and does not ask the system for news while there is something to do.
"""

import asyncio
import selectors


class _Moving(selectors.SelectSelector):
    """Instead of waiting, it moves the clock."""

    def __init__(self, clock):
        super().__init__()
        self._clock = clock

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("everybody waits, and nobody will wake")
        if timeout > 0:
            self._clock.moves(timeout * 1000)
        return []


class Loop(asyncio.SelectorEventLoop):
    """Its time is the clock's, in seconds since the history began."""

    def __init__(self, clock):
        self._clock_told = clock
        super().__init__(_Moving(clock))

    def time(self):
        return self._clock_told.ms / 1000


def lived(clock, coroutine):
    """Run to its end what takes place by this clock, and give what it gives."""
    with asyncio.Runner(loop_factory=lambda: Loop(clock)) as runner:
        return runner.run(coroutine)


class _Ready(selectors.DefaultSelector):
    """It does not ask the system while there is something to do here."""

    def select(self, timeout=None):
        return super().select(timeout) if timeout is None or timeout > 0 else []


def runner():
    """Give what runs coroutines in such a loop."""
    return asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(_Ready()))
