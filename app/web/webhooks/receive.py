"""Receive: what every webhook does with a request, whoever sends it: read it, keep it, count it, log it.

A delivery is acknowledged once it is durable, also when it cannot be read: vendors switch off endpoints that answer
errors. Who may send, what of a body names a record, and what is answered, each webhook knows for itself.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from starlette.requests import Request

from app.errors import StoreUnavailable
from app.log import log
from app.metrics.definitions import DELIVERIES
from app.ports import Delivery, Inbox
from app.runtime import Runtime
from app.sync.model import Side

LogFields = Callable[[Delivery], Mapping[str, str | int | None]]


KEPT_BYTES = 64 * 1024  # of a body that cannot be read: enough to see what it was
_LARGE_BYTES, _LARGE_AT_ONCE, _TURN_S = 64 * 1024, 2, 20.0


class LargeBodies:
    """Turns: of large bodies two are read and understood at once; the others stay with their senders meanwhile."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def take_turn(self) -> None:
        """Return once a turn is the caller's, who gives it back.

        Raises  StoreUnavailable when none comes free in 20 s
        """
        try:
            async with asyncio.timeout(_TURN_S):
                await self._turns.acquire()
        except TimeoutError:
            raise StoreUnavailable("too many large bodies at once") from None

    def give_back(self) -> None:
        """Let somebody else have a turn."""
        self._turns.release()


class WholeBody:
    """The whole body of a request; a large one has its turn until the block ends, so read it there and keep it after.

    Raises  StoreUnavailable when too many are large; HTTPException at what is beyond the path's limit;
            ClientDisconnect when its sender goes away before its end
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._taken_from: LargeBodies | None = None

    async def __aenter__(self) -> bytes:
        body = bytearray()
        try:
            async for part in self._request.stream():
                body += part
                if len(body) > _LARGE_BYTES and self._taken_from is None:
                    large: LargeBodies = self._request.app.state.large_bodies
                    await large.take_turn()
                    self._taken_from = large
        except BaseException:
            self._give_back()
            raise
        return bytes(body)

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    def _give_back(self) -> None:
        if self._taken_from is not None:
            self._taken_from.give_back()


def count(request: Request, side: Side, outcome: str) -> None:
    """Count what became of a delivery."""
    runtime: Runtime = request.app.state.runtime
    runtime.counts.add(DELIVERIES, side, outcome)


async def keep(request: Request, side: Side, deliveries: Sequence[Delivery], started: float, beside: LogFields) -> None:
    """Return once all that a request brought is durable; each is counted and has its line in the log.

    started  when the request came (monotonic)
    beside   what that line says of a delivery that is its webhook's own
    Raises   StoreUnavailable when it could not be made durable: nothing may be acknowledged
    """
    inbox: Inbox = request.app.state.inbox
    try:
        if len(deliveries) == 1:
            await inbox.keep(deliveries[0])  # a task of its own would cost more than most of what is done here
        else:
            await asyncio.gather(*(inbox.keep(one) for one in deliveries))
    except StoreUnavailable:
        count(request, side, "not_kept")
        raise
    for one in deliveries:
        count(request, side, one.outcome)
        say = log.warning if one.outcome == "unreadable" else log.info
        say(
            f"delivery.{one.outcome}",
            delivery_id=one.id,
            side=side.value,
            kind=one.events[0].kind.value if one.events else None,
            **beside(one),
            duration_ms=round((monotonic() - started) * 1000, 1),
        )
