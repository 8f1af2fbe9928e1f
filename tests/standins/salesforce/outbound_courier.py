"""Carries what the org tells others over HTTP, in the background, on the loop that serves the stand-in.

What waits is gathered into parcels of one kind each; a parcel that is not accepted is carried again after a growing
interval, until it is too old. A policy says how unkindly all of it travels.
"""

import asyncio
import heapq
import itertools
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import httpx

PARCELS_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Policy:
    """How things travel; Salesforce's own numbers unless told."""

    url: str = ""
    batch: int = 100
    concurrency: int = 4
    timeout_s: float = 60.0
    retry_s: float = 15.0  # doubles with every attempt
    most_retry_s: float = 7200.0
    give_up_s: float = 86_400.0
    duplicate: int = 1  # each parcel is carried this often
    shuffle: bool = False
    seed: int = 0
    hold: bool = False
    lose: int = 0  # that many of the next parcels never leave

    def changed(self, wanted: dict[str, Any]) -> "Policy":
        """Raises ValueError for a word there is not, or a number that cannot be."""
        if unknown := wanted.keys() - {known.name for known in fields(self)}:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        given = replace(self, **wanted)
        if not given.url or given.batch < 1 or given.duplicate < 1 or given.concurrency < 1 or given.retry_s <= 0:
            raise ValueError("a url, and batch, duplicate, concurrency and retry_s above zero are needed")
        return given


@dataclass(slots=True)
class Parcel:
    """What one request carries: waiting, retry, delivered, given_up or lost."""

    kind: str
    items: list[Any]
    queued_at: float
    state: str = "waiting"
    attempts: int = 0
    unanswered: int = 0  # copies of the running attempt that are not back yet
    is_accepted: bool = False
    last_status: int | None = None


@dataclass(order=True, slots=True)
class _Due:
    at: float
    order: int
    parcel: Parcel = field(compare=False)


Compose = Callable[[Parcel], tuple[bytes, dict[str, str]]]


class Courier:
    """`compose` gives a parcel's body and headers as it leaves; `accepts` says whether an answer means: received.

    `address` says where a parcel goes, where that is not the policy's url.
    """

    def __init__(
        self,
        compose: Compose,
        accepts: Callable[[httpx.Response], bool],
        address: Callable[[Parcel], str] = lambda _: "",
    ) -> None:
        self._compose, self._accepts, self._address = compose, accepts, address
        self.policy = Policy()
        self.parcels: deque[Parcel] = deque(maxlen=PARCELS_KEPT)
        self._random = random.Random(0)
        self._queues: dict[str, list[tuple[float, Any]]] = {}
        self._ready: deque[Parcel] = deque()
        self._later: list[_Due] = []
        self._order = itertools.count()
        self._flying: dict[asyncio.Task[None], Parcel] = {}
        self._ended: Counter[str] = Counter()
        self._admitted = 0
        self._pumping: asyncio.Handle | None = None
        # verify=False: whoever is told to receive here is on loopback, under whatever certificate it made up.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=2.0)
        self._http = httpx.AsyncClient(verify=False, trust_env=False, timeout=None, limits=limits)

    async def end(self) -> None:
        """Nothing more leaves, and nothing is under way."""
        if self._pumping:
            self._pumping.cancel()
        self.policy = replace(self.policy, hold=True)
        for task in self._flying:
            task.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)
        if self._pumping:
            self._pumping.cancel()
        await self._http.aclose()

    def change(self, policy: Policy) -> None:
        if policy.seed != self.policy.seed:
            self._random = random.Random(policy.seed)
        self.policy = policy
        self._pump_soon()

    def admit(self, kind: str, item: Any) -> None:
        """What is admitted in one turn of the loop may leave in one parcel."""
        self._admitted += 1
        self._queues.setdefault(kind, []).append((asyncio.get_running_loop().time(), item))
        self._pump_soon()

    def counts(self) -> dict[str, int]:
        """How many things wait (for another attempt too), are under way, and what became of the rest."""
        flying = {id(one): one for one in self._flying.values() if one.unanswered}
        in_flight = sum(len(parcel.items) for parcel in flying.values())
        ended = {name: self._ended[name] for name in ("delivered", "given_up", "lost")}
        waiting = self._admitted - in_flight - sum(ended.values())
        return {"waiting": waiting, "in_flight": in_flight, **ended, "sends": self._ended["sends"]}

    def _pump_soon(self, delay_s: float = 0.0) -> None:
        if self._pumping:
            self._pumping.cancel()
        self._pumping = asyncio.get_running_loop().call_later(delay_s, self._pump)

    def _pump(self) -> None:
        self._pumping, now = None, asyncio.get_running_loop().time()
        if self.policy.hold:
            return
        while self._later and self._later[0].at <= now:
            self._load(heapq.heappop(self._later).parcel)
        while len(self._flying) < self.policy.concurrency and self._gather():
            if self.policy.shuffle:
                self._ready.rotate(-self._random.randrange(len(self._ready)))
            self._start(self._ready.popleft())
        if self._later:
            self._pump_soon(max(0.0, self._later[0].at - now))

    def _gather(self) -> bool:
        """Whether a parcel is ready; where none is, what waits is gathered into one."""
        while not self._ready and (kinds := [kind for kind, queue in self._queues.items() if queue]):
            self._pack(self._random.choice(kinds) if self.policy.shuffle else kinds[0])
        return bool(self._ready)

    def _pack(self, kind: str) -> None:
        queue = self._queues[kind]
        if self.policy.shuffle:
            self._random.shuffle(queue)
        taken, queue[:] = queue[: self.policy.batch], queue[self.policy.batch :]
        parcel = Parcel(kind, [item for _, item in taken], min(at for at, _ in taken))
        self.parcels.append(parcel)
        if self.policy.lose > 0:
            self.policy = replace(self.policy, lose=self.policy.lose - 1)
            self._end_of(parcel, "lost")
        else:
            self._load(parcel)

    def _load(self, parcel: Parcel) -> None:
        parcel.state, parcel.unanswered = "waiting", self.policy.duplicate
        parcel.attempts += 1
        self._ready.extend([parcel] * self.policy.duplicate)

    def _start(self, parcel: Parcel) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(parcel))
        self._flying[task] = parcel
        task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        del self._flying[task]
        self._pump_soon()

    async def _carry(self, parcel: Parcel) -> None:
        body, headers = self._compose(parcel)
        url = self._address(parcel) or self.policy.url
        self._ended["sends"] += 1
        try:
            async with asyncio.timeout(self.policy.timeout_s):
                answer = await self._http.post(url, content=body, headers=headers)
            parcel.last_status = answer.status_code
            parcel.is_accepted |= self._accepts(answer)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            parcel.last_status = 0
        parcel.unanswered -= 1
        if not parcel.unanswered:
            self._settle(parcel)

    def _settle(self, parcel: Parcel) -> None:
        now, policy = asyncio.get_running_loop().time(), self.policy
        again_at = now + min(policy.retry_s * 2 ** min(parcel.attempts - 1, 30), policy.most_retry_s)
        if parcel.is_accepted:
            self._end_of(parcel, "delivered")
        elif again_at - parcel.queued_at > policy.give_up_s:
            self._end_of(parcel, "given_up")
        else:
            parcel.state = "retry"
            heapq.heappush(self._later, _Due(again_at, next(self._order), parcel))

    def _end_of(self, parcel: Parcel, state: str) -> None:
        parcel.state = state
        self._ended[state] += len(parcel.items)
