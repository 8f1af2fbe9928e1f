"""Webhook deliveries: sent once, sent again at +1 h, +3 h and +7 h, then given up, as DrChrono documents.

The signature header carries the registration's secret itself, and the event's name stands in a header only.
The body is the record as it is when the delivery first leaves; a redelivery carries that same body again. An
API write raises an event just as a human's edit does. Whatever is not a 2xx, 302 included, is a failure.
"""

import asyncio
import contextlib
import heapq
import itertools
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, replace
from typing import Any

from tests.standins.drchrono.callback import Callback
from tests.standins.drchrono.clock import Clock
from tests.standins.drchrono.deliveries import Delivery, Due, Policy, body_of
from tests.standins.drchrono.remembered import Record

REDELIVERED_AFTER_H = (1, 3, 7)
FIRST_DELIVERY_ID = 950000001


class Dispatcher:
    """Sends deliveries in the background, on the loop that serves the stand-in."""

    def __init__(self, clock: Clock, current: Callable[[int | str], Record | None]) -> None:
        self._clock = clock
        self._current = current
        self.callback = Callback()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.clear()

    def clear(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.policy = Policy()
        self.callback.webhook = None
        self.deliveries: dict[str, Delivery] = {}
        self._numbers = itertools.count(FIRST_DELIVERY_ID)
        self._order = itertools.count()
        self._random = random.Random(0)
        self._held: deque[Delivery] = deque()
        self._ready: deque[Delivery] = deque()
        self._later: list[Due] = []
        self._states: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with self.callback.open():
            yield
            if self._timer:
                self._timer.cancel()
            self._ready.clear()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ping(self) -> int:
        """Gives the status of a PING, 0 for none."""
        if self.callback.webhook is None:
            return 0
        delivery = Delivery(str(next(self._numbers)), "PING", {"id": None}, self.callback.webhook.receiver())
        return await self.callback.post(delivery, body_of(delivery.receiver, None))

    def raise_event(self, event: str, record: Record) -> None:
        """Starts a delivery, unless nobody is registered for this event."""
        webhook = self.callback.webhook
        if webhook is None or not webhook.verified or event not in webhook.events:
            return
        delivery = Delivery(str(next(self._numbers)), event, record, webhook.receiver())
        self.deliveries[delivery.id] = delivery
        self._states["waiting"] += 1
        if self.policy.drop and self._random.random() < self.policy.drop:
            self._move(delivery, "dropped")
        elif self.policy.delay_s:
            self._put_off(delivery, time.monotonic() + self.policy.delay_s)
        else:
            self._admit(delivery)
        self._pump()

    def set_policy(self, change: dict[str, Any]) -> None:
        """Raises ValueError for a word there is not. Ending a hold lets go of what was held."""
        unknown = change.keys() - {known.name for known in fields(Policy)}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        self.policy = replace(self.policy, **change)
        if "seed" in change:
            self._random = random.Random(change["seed"])
        if not self.policy.hold:
            self.release()
        self._pump()

    def release(self) -> int:
        """Lets go of what is held; gives how many sends that was. What comes later is held again."""
        released = len(self._held)
        self._ready.extend(self._held)
        self._held.clear()
        self._pump()
        return released

    def reschedule(self) -> None:
        """Moves redeliveries to where the clock's hour now puts them."""
        for due in self._later:
            if due.delivery.state == "retry":
                due.at = self._redelivery_at(due.delivery)
        heapq.heapify(self._later)
        self._pump()

    def counts(self) -> dict[str, int]:
        """Gives how many sends wait (held and delayed ones too) and are under way, and what became of the rest."""
        delayed = sum(due.delivery.state == "waiting" for due in self._later) if self._later else 0
        return {
            "waiting": len(self._held) + len(self._ready) + delayed,
            "in_flight": len(self._tasks),
            "delivered": self._states["delivered"],
            "failed_waiting_retry": self._states["retry"],
            "given_up": self._states["given_up"],
            "dropped": self._states["dropped"],
        }

    async def redeliver(self, delivery: Delivery) -> int:
        """Sends once more, by hand: past any hold, and without any redelivery after it."""
        delivery.attempts += 1
        status = await self.callback.post(delivery, self._body(delivery))
        self._note(delivery, status)
        return status

    def _admit(self, delivery: Delivery) -> None:
        delivery.is_fresh = True
        delivery.unanswered = self.policy.copies
        place = self._held if self.policy.hold else self._ready
        place.extend([delivery] * self.policy.copies)

    def _put_off(self, delivery: Delivery, at: float) -> None:
        heapq.heappush(self._later, Due(at, next(self._order), delivery))

    def _pump(self) -> None:
        now = time.monotonic()
        while self._later and self._later[0].at <= now:
            delivery = heapq.heappop(self._later).delivery
            if delivery.state != "delivered":
                self._move(delivery, "waiting")
                self._admit(delivery)
        while self._ready and len(self._tasks) < self.policy.concurrency:
            if self.policy.shuffle:
                pick = self._random.randrange(len(self._ready))
                self._ready[0], self._ready[pick] = self._ready[pick], self._ready[0]
            self._start(self._ready.popleft())
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._later:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, self._later[0].at - now), self._pump)

    def _start(self, delivery: Delivery) -> None:
        if delivery.is_fresh:
            delivery.is_fresh = False
            delivery.attempts += 1
        task = asyncio.get_running_loop().create_task(self._send(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._pump())

    async def _send(self, delivery: Delivery) -> None:
        status = await self.callback.post(delivery, self._body(delivery))
        delivery.unanswered -= 1
        self._note(delivery, status)
        if delivery.unanswered or delivery.state != "waiting":
            return
        if delivery.redeliveries == len(REDELIVERED_AFTER_H):
            self._move(delivery, "given_up")
            return
        delivery.redeliveries += 1
        self._move(delivery, "retry")
        self._put_off(delivery, self._redelivery_at(delivery))

    def _body(self, delivery: Delivery) -> bytes:
        if delivery.record is None:
            delivery.first_sent_at = time.monotonic()
            delivery.record = delivery.snapshot
            if self.policy.body_at == "send":
                delivery.record = self._current(delivery.snapshot["id"]) or delivery.snapshot
        return body_of(delivery.receiver, delivery.record)

    def _note(self, delivery: Delivery, status: int) -> None:
        delivery.last_status = status
        if 200 <= status < 300 and delivery.state != "delivered":
            delivery.delivered_at = time.time()
            self._move(delivery, "delivered")

    def _redelivery_at(self, delivery: Delivery) -> float:
        return delivery.first_sent_at + REDELIVERED_AFTER_H[delivery.redeliveries - 1] * self._clock.hour_s

    def _move(self, delivery: Delivery, state: str) -> None:
        self._states[delivery.state] -= 1
        self._states[state] += 1
        delivery.state = state
