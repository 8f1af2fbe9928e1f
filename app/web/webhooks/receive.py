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
