"""DrChrono's rate limit: every call of every process is counted before it is made; what does not fit hears when.

The rules are `policy.py`'s. A call waits here for its second at most, and not where those are full for long; one that
has to wait for its hour is refused at once, so that it holds up nobody.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from app.errors import StoreUnavailable, Unavailable
from app.ports import HourStore, Ledger
from app.sync.failure_causes import CIRCUIT_OPEN, HOUR_IS_SPENT, SECONDS_ARE_FULL
from app.sync.model import Lane
from app.vendors.http import OnResponse, ignore_response
from app.vendors.rate_limit import policy
from app.vendors.rate_limit.policy import HOUR_S, LANES, Allowance

_HELD_S, _CROWDED_S = 20.0, 5.0  # how long a call waits for its second; and then, out of the way
_ALONE_S = 5.0  # how long the first call after an outage has the vendor to itself
_LONGEST_THROTTLE_S = float(HOUR_S)
_SHORTEST_THROTTLE_S = 1.0
_SHORTEST_WAIT_S = 0.1
_TOO_MANY, _AILS = 429, 500  # HTTP's


@dataclass(frozen=True, slots=True)
class HourStanding:
    """How a clock hour stands.

    left            calls it still has, as we count them
    made            calls it has had, by lane
    resets_in_s     when it ends
    paused_for_s    for how long nobody calls; 0 when anybody may
    caught_up_in_s  when all that wait will have been called; None when nobody waits
    """

    left: int
    per_hour: int
    made: Mapping[Lane, int]
    resets_in_s: int
    paused_for_s: float
    caught_up_in_s: float | None


class DrChronoRateLimit:
    """The calls an application may make in a clock hour, shared out by lane; `heard` hears of each that was made."""

    def __init__(self, side: str, calls: HourStore, allowance: Allowance, heard: OnResponse = ignore_response) -> None:
        self._side, self._calls, self.allowance, self.heard = side, calls, allowance, heard
        self._is_failing = False
        self._turns = {lane: asyncio.Lock() for lane in Lane}

    async def spend(self, lane: Lane, call: str) -> None:
        """Return once a call may be made; it is counted.

        Raises  Unavailable with when to come again: the hour is spent for this lane, its seconds are full, or the
                vendor is left alone
        """
        now = asyncio.get_running_loop().time
        began = now()
        async with self._turns[lane]:  # who waits for his second waits in a row
            while wait_s := await self._spent(lane, call):
                if now() + wait_s - began > _HELD_S:
                    raise Unavailable(self._side, call, code=SECONDS_ARE_FULL, retry_in_s=_CROWDED_S)
                jitter = random.random() * 0.1  # noqa: S311 - so that processes come one by one
                await asyncio.sleep(wait_s + jitter)

    async def _spent(self, lane: Lane, call: str) -> float:
        """Count a call and give 0.0, or give how long to wait for its second."""
        ledger, is_counted = await self._calls.count(lane, lambda found: self._admit(found, lane))
        self._is_failing = ledger.failures > 0
        if is_counted:
            return 0.0
        if ledger.closed_until > ledger.at:
            raise Unavailable(self._side, call, code=CIRCUIT_OPEN, retry_in_s=ledger.closed_until - ledger.at)
        if not policy.has_room(ledger, self.allowance, lane):
            wait_s = await promised_s(self._calls, ledger, self.allowance, lane)
            raise Unavailable(self._side, call, code=HOUR_IS_SPENT, retry_in_s=wait_s)
        return policy.second_s(ledger, self.allowance, lane)

    async def answered(self, status: int, wait_s: float | None = None) -> None:
        """Take in what the vendor answered: that it is well, ails, or has counted more calls than we did.

        wait_s  of a 429: how long to wait, as it says; None where it does not
        """
        with suppress(StoreUnavailable):  # a note that is lost must not cost the answer: it may be a write's
            if status == _TOO_MANY:
                ledger = await self._calls.read()
                wait = policy.resets_in_s(ledger) if wait_s is None else wait_s
                await self._calls.throttled(min(max(wait, _SHORTEST_THROTTLE_S), _LONGEST_THROTTLE_S))
            elif status >= _AILS:
                await self.failed()
            elif self._is_failing:
                await self._calls.recovered()
                self._is_failing = False

    async def failed(self) -> None:
        """Take in that no answer came."""
        self._is_failing = True
        with suppress(StoreUnavailable):
            await self._calls.failed(lambda failures: policy.breaker_wait_s(failures, random.random()))  # noqa: S311

    async def pause(self, wait_s: float) -> None:
        """Leave the vendor alone for so long: it does not let us in, and is not out."""
        await self._calls.throttled(wait_s, is_spent=False)

    async def left(self) -> int:
        """Give how many calls the hour has left, as we count them."""
        return policy.left(await self._calls.read(), self.allowance)

    async def room(self, lane: Lane) -> int:
        """Give how many calls more a lane may make in this hour by now, as we count them."""
        return policy.room(await self._calls.read(), self.allowance, lane)

    async def stands(self, waiting: Mapping[Lane, int]) -> HourStanding:
        """Give how things stand, and when all that wait will have been called."""
        ledger, made = await self._calls.read(), await self._calls.by_lane()
        of_late = await self._calls.by_lane(hours_ago=1) if waiting else {}
        at = policy.caught_up_at(ledger, self.allowance, waiting, of_late)
        return HourStanding(
            left=policy.left(ledger, self.allowance),
            per_hour=self.allowance.per_hour,
            made=made,
            resets_in_s=policy.resets_in_s(ledger),
            paused_for_s=max(ledger.closed_until - ledger.at, 0.0),
            caught_up_in_s=None if at is None else at - ledger.at,
        )

    async def was_throttled(self) -> bool:
        """Say whether the vendor has refused calls as too many within the hour: its 403s may mean no more than that."""
        ledger = await self._calls.read()
        return ledger.at - ledger.throttled_at < HOUR_S

    def _admit(self, ledger: Ledger, lane: Lane) -> tuple[Sequence[int], int, float]:
        if ledger.closed_until > ledger.at or not policy.has_room(ledger, self.allowance, lane):
            return (), 0, 0.0
        if policy.second_s(ledger, self.allowance, lane):
            return (), 0, 0.0
        alone_s = _ALONE_S if policy.breaker_open(ledger.failures) else 0.0
        return policy.quota_hours(ledger.at), policy.taken(ledger, self.allowance), alone_s


async def promised_s(calls: HourStore, ledger: Ledger, allowance: Allowance, lane: Lane) -> float:
    """Promise a call that does not fit a moment, behind those that were promised one before; give how far off it is."""
    urgent = LANES[: LANES.index(lane) + 1]
    at = await calls.promise(lane, urgent, lambda ahead: policy.fits_at(ledger, allowance, lane, ahead))
    return max(at - ledger.at, _SHORTEST_WAIT_S)
