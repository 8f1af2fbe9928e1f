"""From wake-ups and polls to batches: at once when idle, in full batches when much comes in.

Each kind and lane is worked off by itself, so that a live edit never waits behind a first load. A wake-up that finds a
batch running only marks that there is more; so while a batch waits for Salesforce, what comes in gathers into the next
one. While live edits of a kind keep coming, more than people make, a batch gathers for a moment before it is taken: two
hundred cost as many calls as two. A lone edit never waits. A second batch beside the first starts behind a full one,
and in such a stream.

The poll finds what Redis forgot: whatever is due and not leased, every few seconds. So a wiped, empty or absent Redis,
a lost wake-up, an expired lease and a retry whose time has come are all one case.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from time import monotonic

from app.compat import give_back_memory
from app.errors import StoreUnavailable
from app.log import log
from app.periodic import Supervisor
from app.runtime import Runtime
from app.store import work_queue
from app.sync.model import BULKY, Kind, Lane
from workers.batch import Batch
from workers.sync import sync, take

FULL = 200
POLL_EVERY_S = 2.0
_PASSES_AT_ONCE, _BULKY_PASSES_AT_ONCE = 3, 2  # what waits in a bulky lane meanwhile comes together in a bulk job
_STREAM_PER_S, _FEW = 50, 5  # people edit more slowly, and what they save at once is one thing or a few
_MANY = 20  # of batches of a few, before they tell how fast it comes
_GATHERS_S = 0.9  # the longest: of 200 a second that is most of a batch
_AIM = 190  # so nearly full that what comes a little faster leaves no few behind, which would cost calls of their own
_FASTER, _BEHIND_PER_S = (
    1.5,
    800,
)  # than was known it comes, and so fast, when a batch is full: what is left is not seen

KindLane = tuple[Kind, Lane]


class Stream:
    """How fast records of a kind come, by what was found of them; and so, how long the next batch is to gather.

    Two batches of more than a few, soon one after the other, tell it, or many of a few: one alone may be all there is.

    clock  counts seconds, and never back
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._taken_at, self._per_s, self._was_many = clock, 0.0, 0.0, False
        self._few, self._few_since = 0, 0.0

    def took(self, count: int) -> None:
        """Note that so many were taken now; behind a full batch is more, so the next one gathers briefly at most."""
        if not count:
            return
        now, known, is_many = self._clock(), self._per_s, count >= _FEW
        is_soon = now - self._taken_at < 2 * _GATHERS_S
        came, since = (count, self._taken_at) if is_many else (self._few + count, self._few_since)
        is_told = is_soon and (bool(known) or self._was_many if is_many else came >= _MANY)
        self._per_s = came / max(now - since, 0.001) if is_told else 0.0
        if is_told and count >= FULL:
            self._per_s = max(self._per_s, known * _FASTER, _BEHIND_PER_S)
        if is_told or is_many or not is_soon:
            self._few, self._few_since = 0, now
        else:
            self._few = came
        self._taken_at, self._was_many = now, is_many

    def wait_s(self) -> float:
        """Give for how long from now the next batch gathers: until nearly full, and not at all without a stream."""
        if self._per_s <= _STREAM_PER_S:
            return 0.0
        return max(self._taken_at + min(_GATHERS_S, _AIM / self._per_s) - self._clock(), 0.0)


class Dispatcher:
    """Works off what is due, kind by kind and lane by lane, whenever it is rung; `jobs` is told which passes fail."""

    def __init__(self, runtime: Runtime, jobs: Supervisor | None = None) -> None:
        self._runtime, self._jobs = runtime, jobs or Supervisor()
        self._tasks: defaultdict[KindLane, set[asyncio.Task[None]]] = defaultdict(set)
        self._more: set[KindLane] = set()
        self._streams: defaultdict[KindLane, Stream] = defaultdict(Stream)
        self._in_crowd: KindLane | None = None  # one at a time, for it takes memory
        self._is_stopping = False

    def notify(self, kinds: Iterable[str]) -> None:
        """Have the live edits of these kinds looked at at once; the poll finds what is less urgent."""
        self.wake((Kind(kind), Lane.LIVE) for kind in kinds)

    def wake(self, places: Iterable[KindLane]) -> None:
        """Have these kinds and lanes looked at soon; returns at once."""
        for place in places:
            if self._is_stopping or place[0] not in self._runtime.mappings:
                continue
            self._more.add(place)
            if all(task.done() for task in self._tasks[place]):
                self._start(place)

    async def poll(self) -> float | None:
        """Start on every kind and lane of which something waits; gives in how many seconds the next falls due.

        Raises  StoreUnavailable
        """
        self.wake(await work_queue.waiting(self._runtime.database))
        return await work_queue.next_due_in_s(self._runtime.database)

    async def finish(self) -> None:
        """Return once everything is worked off that is due by now, and what falls due by that.

        Raises  StoreUnavailable
        """
        await self.poll()
        await self._end()

    async def stop(self) -> None:
        """Let the passes under way end, and start no more."""
        self._is_stopping = True
        await self._end()

    async def _end(self) -> None:
        """Wait for the passes under way, and for those that one of them starts meanwhile."""
        while running := [task for tasks in self._tasks.values() for task in tasks]:
            await asyncio.wait(running)

    def _start(self, place: KindLane) -> None:
        task = asyncio.create_task(self._work_off(place), name=f"dispatch {place[0]} {place[1]}")
        self._tasks[place].add(task)
        task.add_done_callback(self._tasks[place].discard)

    async def _sync(self, batch: Batch) -> None:
        try:
            self.notify(kind.value for kind in await sync(batch))
        finally:
            if len(batch.leased.due) > FULL:
                self._in_crowd = None

    async def _take(self, place: KindLane) -> Batch | None:
        """Take what is due there; a crowd only where this process has none in hand."""
        kind, lane = place
        is_first = self._in_crowd is None
        if is_first:
            self._in_crowd = place
        batch = None
        try:
            batch = await take(self._runtime, kind, [lane], may_be_crowd=is_first)
        finally:
            if is_first and (batch is None or len(batch.leased.due) <= FULL):
                self._in_crowd = None
        return batch

    async def _work_off(self, place: KindLane) -> None:
        kind, lane = place
        name = f"pass {kind} {lane}"
        while not self._is_stopping:
            if wait_s := self._streams[place].wait_s():
                await asyncio.sleep(wait_s)
                continue
            self._more.discard(place)
            try:
                batch = await self._take(place)
                count = 0 if batch is None else len(batch.leased.due)
                if lane is Lane.LIVE:
                    self._streams[place].took(count)
                is_full = count == FULL
                most = _BULKY_PASSES_AT_ONCE if lane in BULKY else _PASSES_AT_ONCE
                if (is_full or self._streams[place].wait_s()) and len(self._tasks[place]) < most:
                    self._start(place)
                if batch is not None:
                    await self._sync(batch)
                    del batch  # before the next is taken
                if count > FULL:
                    give_back_memory()
            except StoreUnavailable:
                log.warning("database.away", kind=kind.value, advice="the poll looks again in seconds")
                return
            except Exception as error:  # noqa: BLE001 - the wrapper: one bad pass must not end the worker; its leases run out
                log.exception("pass.failed", kind=kind.value, lane=lane.value)
                self._jobs.failed(name, error)
                return
            self._jobs.succeeded(name)
            if not is_full and (len(self._tasks[place]) > 1 or (count == 0 and place not in self._more)):
                return
