"""The inbox: a delivery is kept once, and its records become due, in one commit that is shared with its neighbours.

Concurrent requests wait beside each other for one writer, which commits whatever waits (group commit): durability per
request, cost per batch. A request is answered only after the commit that holds it. A group that fails is tried again
request by request, so that one bad row hurts only itself.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import StoreUnavailable
from app.ports import Committed, Delivery

MOST_WAITING = 20_000
BIGGEST_GROUP = 500


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

    def group(self) -> list[Waiting]:
        """Take everybody who waits, up to the biggest group; called by the writer alone."""
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), BIGGEST_GROUP))]

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def answer(self, group: Sequence[Waiting], error: Exception | None) -> None:
        """Wake a group, from any thread, in one hop into the loop."""

        def wake() -> None:
            for one in group:
                if one.done.done():
                    continue  # its client went away meanwhile
                if error is None:
                    one.done.set_result(None)
                else:
                    one.done.set_exception(error)
            if error is None:
                self._committed([one.delivery for one in group])

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(wake)
