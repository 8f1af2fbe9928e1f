"""Event loops for what waits for nobody outside this process.

In one, time is a history's clock: where everybody sleeps, the clock moves on to whoever wakes first. So an hour takes
as long as what is done in it, and everything that sleeps, waits or times out does so in that hour. In the other next to
no time passes, so that nothing times out and no lease is renewed on a slow machine that was not on a quick one; it does
not ask the system for news while there is something to do.
"""

import asyncio
import selectors
import socket
from time import monotonic

_SLOWER = 1_000
_PUBLIC = "93.184.215.14"


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


class _Line(asyncio.Transport):
    """One end of a connection in this process: what is written at one end comes at the other in a turn of its own."""

    def __init__(self, loop, protocol):
        super().__init__()
        self._loop, self._protocol, self._other, self._is_closing = loop, protocol, None, False

    @classmethod
    def connects(cls, loop, here, there):
        """Have two protocols talk to each other; gives the first one's end."""
        ends = cls(loop, here), cls(loop, there)
        ends[0]._other, ends[1]._other = ends[1], ends[0]
        for end in ends:
            end._protocol.connection_made(end)
        return ends[0]

    def write(self, data):
        if not self._is_closing:
            self._loop.call_soon(self._other._hears, bytes(data))

    def _hears(self, data):
        if not self._is_closing:
            self._protocol.data_received(data)

    def is_closing(self):
        return self._is_closing

    def close(self):
        if not self._is_closing:
            self._loop.call_soon(self._ends)
            self._loop.call_soon(self._other._ends)
        self._is_closing = True

    abort = close

    def _ends(self):
        if self._protocol is not None:
            self._protocol.connection_lost(None)
        self._is_closing, self._protocol = True, None


class _Slow(asyncio.SelectorEventLoop):
    """Its time is the machine's, but for so many times slower; every name is some public host's, and nobody asks.

    hosts  those that take connections: name -> who says, at each, what talks to the caller, or raises OSError
    """

    def __init__(self, selector):
        super().__init__(selector)
        self.hosts = {}

    async def create_connection(self, protocol_factory, host, port, **_):
        talks, reader = await self.hosts[host](), asyncio.StreamReader(loop=self)
        there = asyncio.StreamReaderProtocol(reader, lambda *ends: _talked(talks, *ends), loop=self)
        here = protocol_factory()
        return _Line.connects(self, here, there), here

    def time(self):
        return monotonic() / _SLOWER

    async def getaddrinfo(self, host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (_PUBLIC, port))]


async def _talked(talks, reader, writer):
    """Talk to a caller, and hang up."""
    try:
        await talks(reader, writer)
    except (EOFError, OSError):
        pass
    finally:
        writer.close()


def runner():
    """Give what runs coroutines in such a loop."""
    return asyncio.Runner(loop_factory=lambda: _Slow(_Ready()))
