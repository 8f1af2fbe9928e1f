"""DrChrono's quota and four workers that share it: their budgets and the database are the service's own.

Workers take what is due, lane by lane, as many at once as the client lets through, and are killed in the middle of
it. A call takes its time on its way to DrChrono, which counts it when it comes in, by a clock of its own. What was
refused is due again when the service's own rules say so.
"""

import asyncio
import heapq
import itertools
from collections import Counter
from dataclasses import dataclass, field

from app.errors import Unavailable
from app.store.database import Database
from app.store.rate_ledger import RateLedger
from app.sync.model import Lane
from app.sync.retry import after
from app.vendors.drchrono.answers import RECORD, said
from app.vendors.http import Reply
from app.vendors.rate_limit.drchrono import DrChronoRateLimit
from app.vendors.rate_limit.policy import HOUR_S, Allowance
from tests.simulate.database import at_once
from tests.standins.drchrono.quota import Quota, throttled

ALLOWED = Allowance(500, 4)
WORKERS = 4
_QUICKEST_S, _SLOWEST_S = 0.05, 2.0
_AT_ONCE = {True: 4, False: 3}  # of one process, as in the client
_TAKEN_AT_ONCE = 8
_SWEPT_S = 2.0
_LEASE_S = 20.0
_NEVER = float("inf")


@dataclass(slots=True, eq=False)
class Thing:
    """Something that needs one call of DrChrono's."""

    lane: Lane
    came_s: float
    first: Lane = Lane.LIVE
    refused: int = 0
    done_s: float | None = None
    awaited_by: list = field(default_factory=list)


class Shelf:
    """What is due now or later, by lane."""

    def __init__(self, now_s):
        self._now_s, self._numbers = now_s, itertools.count()
        self._heaps, self._waiting = {lane: [] for lane in Lane}, {lane: {} for lane in Lane}
        self.open = {}

    def put(self, thing, in_s=0.0):
        self.open[thing] = None
        heapq.heappush(self._heaps[thing.lane], (self._now_s() + in_s, next(self._numbers), thing))
        for woken in list(self._waiting[thing.lane]):
            woken.done() or woken.set_result(None)

    def end(self, thing):
        del self.open[thing]

    def by_lane(self):
        return Counter(thing.lane for thing in self.open)

    async def take(self, lane, most):
        """Give some things that are due, once there are any."""
        heap, loop = self._heaps[lane], asyncio.get_running_loop()
        while not heap or heap[0][0] > self._now_s():
            woken = loop.create_future()
            timer = (
                loop.call_at(heap[0][0], lambda woken=woken: woken.done() or woken.set_result(None)) if heap else None
            )
            self._waiting[lane][woken] = None
            try:
                await woken
            finally:
                del self._waiting[lane][woken]
                if timer is not None:
                    timer.cancel()
        found = []
        while heap and heap[0][0] <= self._now_s() and len(found) < most:
            found.append(heapq.heappop(heap)[2])
        return found


class Practice:
    """DrChrono: the stand-in's own quota, some way off, its clock a little beside ours."""

    def __init__(self, clock, rng, skew_s, ails=0.0):
        self._clock, self._rng, self._skew_s, self._ails = clock, rng, skew_s, ails
        self.quota = Quota(self.now_s, lambda: clock.ms / 1000)
        self.made, self.refused, self.asked_too_soon, self.closed_until_s = Counter(), Counter(), 0, 0.0

    def now_s(self):
        return self._clock.epoch_ms() / 1000 + self._skew_s

    def hour(self):
        return int(self.now_s() // HOUR_S)

    def counts(self):
        """A call comes in; gives how long to wait, 0 where it passed."""
        wait_s = self.quota.wait_s(ALLOWED.per_hour, HOUR_S, burst_rule=True)
        (self.refused if wait_s else self.made)[self.hour()] += 1
        return wait_s

    async def call(self):
        """Make a call, and give its answer; a caller who dies on the way has sent it all the same."""
        loop = asyncio.get_running_loop()
        if loop.time() < self.closed_until_s:
            self.asked_too_soon += 1
        whole_s = _QUICKEST_S * (_SLOWEST_S / _QUICKEST_S) ** self._rng.random()
        there_s = whole_s * self._rng.random()
        comes_at = loop.time() + there_s
        try:
            await asyncio.sleep(there_s)
        except asyncio.CancelledError:
            loop.call_at(comes_at, self.counts)
            raise
        wait_s = self.counts()
        await asyncio.sleep(whole_s - there_s)
        if wait_s:
            return Reply(429, "application/json", throttled(wait_s).body)
        return Reply(503, "", b"") if self._rng.random() < self._ails else Reply(200, "application/json", b'{"id": 1}')

    def has_refused(self, wait_s):
        """Somebody has heard of it: from now on nobody may call until the wait is over."""
        self.closed_until_s = max(self.closed_until_s, asyncio.get_running_loop().time() + wait_s)


class Worker:
    """A process with a budget of its own on the database that all share."""

    def __init__(self, url, clock, rng, shelf, practice, tell):
        self._database = at_once(Database(url), clock)
        self.budget = DrChronoRateLimit("drchrono", RateLedger(self._database, "ours"), ALLOWED)
        self._gates = {is_live: asyncio.Semaphore(at_once) for is_live, at_once in _AT_ONCE.items()}
        self._rng, self._shelf, self._practice, self._tell = rng, shelf, practice, tell
        self._hand, self._tasks = {}, [asyncio.create_task(self._works(lane)) for lane in Lane]

    async def dies(self):
        """Whatever it was doing; what it had taken comes back when its lease has run out."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        async with self._database.opened():  # lets its connections go, once what it had begun is done
            pass
        for thing in self._hand:
            self._shelf.put(thing, _LEASE_S * self._rng.random() + _SWEPT_S)
        await self._database.engine.dispose()

    async def ended(self):
        """Wait until one of its tasks has failed, which none should."""
        await asyncio.gather(*self._tasks)

    async def _works(self, lane):
        while True:
            taken = await self._shelf.take(lane, _TAKEN_AT_ONCE)
            self._hand.update(dict.fromkeys(taken))
            await asyncio.gather(*(self._tries(thing) for thing in taken))

    async def _tries(self, thing):
        began = asyncio.get_running_loop().time()
        try:
            async with self._gates[thing.lane is Lane.LIVE]:
                began = asyncio.get_running_loop().time()
                await self.budget.spend(thing.lane, "GET")
                self._tell.held_s.append(asyncio.get_running_loop().time() - began)
                answer = await self._practice.call()
            await self._hears(answer)
        except Unavailable as error:
            self._again(thing, error)
        else:
            self._tell.done(thing)
        self._hand.pop(thing, None)

    async def _hears(self, answer):
        """Take an answer in as the client does.

        Raises  Unavailable for all but a record
        """
        try:
            said(answer, "GET", RECORD, writes=False)
        except Unavailable as error:
            await self.budget.answered(answer.status, error.retry_in_s)
            if error.retry_in_s is not None:
                self._practice.has_refused(error.retry_in_s)
            raise
        await self.budget.answered(answer.status, None)

    def _again(self, thing, error):
        if error.status is None:
            thing.refused += 1
        thing.lane = thing.lane.behind(Lane.RETRY)
        wait_s = after(error, 1, 8, self._rng.random()).in_s
        self._shelf.put(thing, wait_s + self._rng.random() * _SWEPT_S)
