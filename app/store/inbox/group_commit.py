"""The inbox: a delivery is kept once, and its records become due, in one commit that is shared with its neighbours.

Concurrent requests wait beside each other for one writer, which commits whatever waits (group commit): durability per
request, cost per batch. A request is answered only after the commit that holds it. A group that fails is tried again
request by request, so that one bad row hurts only itself. Probes wait for the same writer, and are answered before the
next group: what they find is what a delivery would.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import StoreUnavailable
from app.log import log
from app.ports import Committed, Delivery, RecordEvent
from app.sync.model import Kind, Side

MOST_WAITING = 20_000
BIGGEST_GROUP = 500
_NOBODY = "0"  # no vendor gives this id


@dataclass(slots=True)
class Waiting:
    """A request that waits for the commit that holds its delivery."""

    delivery: Delivery
    done: asyncio.Future[None]


class Room:
    """Where requests wait for the writer; it calls `committed` after each commit, with the group."""

    def __init__(self, committed: Committed) -> None:
        self._loop = asyncio.get_running_loop()
        self._committed = committed
        self._waiting: deque[Waiting] = deque()
        self._probes: list[asyncio.Future[None]] = []
        self.is_closed = False

    def enter(self, delivery: Delivery) -> asyncio.Future[None]:
        """Let a delivery wait, and give what is done once it is durable.

        Raises  StoreUnavailable when the room is full or closed
        """
        if self.is_closed:
            raise StoreUnavailable("the service is stopping")
        if len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailable("too many deliveries wait for the database")
        waiting = Waiting(delivery, self._loop.create_future())
        self._waiting.append(waiting)
        return waiting.done

    def enter_probe(self) -> asyncio.Future[None]:
        """Let a probe wait, and give what is done once the writer has tried what a delivery needs.

        Raises  StoreUnavailable when the room is closed
        """
        if self.is_closed:
            raise StoreUnavailable("the service is stopping")
        probe = self._loop.create_future()
        self._probes.append(probe)
        return probe

    def probes(self) -> list[asyncio.Future[None]]:
        """Take every probe that waits; called by the writer alone."""
        taken, self._probes = self._probes, []
        return taken

    def group(self) -> list[Waiting]:
        """Take everybody who waits, up to the biggest group; called by the writer alone."""
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), BIGGEST_GROUP))]

    def __bool__(self) -> bool:
        return bool(self._waiting or self._probes)

    def answer(self, group: Sequence[Waiting], error: Exception | None) -> None:
        """Wake a group, from any thread, in one hop into the loop."""
        if isinstance(error, StoreUnavailable):
            log.warning("group.not_kept", error=type(error.__cause__ or error).__name__, deliveries=len(group))
        committed = [one.delivery for one in group] if error is None else []
        self._wake([one.done for one in group], error, committed)

    def answer_probes(self, probes: Sequence[asyncio.Future[None]], error: Exception | None) -> None:
        """Wake probes, from any thread."""
        self._wake(probes, error, [])

    def _wake(
        self, waiting: Sequence[asyncio.Future[None]], error: Exception | None, committed: Sequence[Delivery]
    ) -> None:
        def wake() -> None:
            for one in waiting:
                if one.done():
                    continue  # its client went away meanwhile
                if error is None:
                    one.set_result(None)
                else:
                    one.set_exception(error)
            if committed:
                self._committed(committed)

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(wake)


def probe_delivery() -> Delivery:
    """Give a delivery that writes to everything a delivery writes to; it is always rolled back."""
    events = tuple(RecordEvent(side, Kind.PATIENT, _NOBODY) for side in Side)
    return Delivery(Side.DRCHRONO, "PROBE", None, "probe", "", "skipped", events)


def refused(error: Exception) -> StoreUnavailable:
    """Give what a request hears of a failure: what kind it was, as drivers put values into their messages."""
    unavailable = StoreUnavailable(f"the database refused: {type(error).__name__}")
    unavailable.__cause__ = error
    return unavailable
