"""Salesforce's rate limit: it counts our calls against the day's quota and says so with every answer, so we need not.

Live edits may use all of the day; everything less urgent stops at a share of it, and looks again now and then. Once
Salesforce refuses a call as one more than the day has, it is left alone until somebody has asked it for its limits
and heard that there are some left: that is one call every five minutes, instead of every record's. An org that does
not answer is left alone too. One that takes no writes, or no new records, can be read all the same: that is remembered
for everybody to see, and each write it refuses waits.
"""

import random
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from app.errors import StoreUnavailable, Unavailable
from app.log import log
from app.ports import DayStore, Ledger
from app.sync.failure_causes import CIRCUIT_OPEN, DAY_IS_SPENT
from app.sync.model import Lane, Side
from app.sync.vendor_errors import refuses_only_new
from app.vendors.http import OnResponse, ignore_response
from app.vendors.rate_limit import policy
from app.vendors.rate_limit.concurrency import ConcurrencySlots

SPENT_S = 300.0  # how long we pause at a spent quota, before the limits are asked for again
_ASKED_FOR_S = 90.0  # how long everybody else waits for who asks; longer, and nobody does
_OLD_S = 24 * 3600.0
_LOOK_AGAIN_S = 600.0  # how old Salesforce's word may be before a call that does not fit asks for a newer one
_REMEMBER_S = 1.0
_REFUSES_FIRST_S, _REFUSES_LONGEST_S = 60.0, 900.0
_TOLD_EVERY_S = 30.0
USED = re.compile(r"\bapi-usage=(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class DayStanding:
    """What the org has counted of its day's calls, and allows (0: it has not said so yet).

    share           how much of them lanes less urgent than live edits may bring the day to
    paused_for_s    for how long nobody calls; 0 when anybody may
    """

    used: int
    most: int
    share: float
    paused_for_s: float


class SalesforceRateLimit:
    """The calls of an org's 24 hours.

    share       how much of them lanes less urgent than live edits may bring the day to, 0 to 1
    places      how many calls may be under way at once
    remember_s  for how long what is stored is not read again
    heard       hears of each request that was made, in whatever thread
    """

    def __init__(
        self,
        side: str,
        told: DayStore,
        share: float,
        places: ConcurrencySlots | None = None,
        remember_s: float = _REMEMBER_S,
        heard: OnResponse = ignore_response,
    ) -> None:
        self._side, self._told, self.share, self._remember_s, self.heard = side, told, share, remember_s, heard
        self.places = places or ConcurrencySlots()
        self._known: tuple[Ledger, float] | None = None
        self._said_at = -_TOLD_EVERY_S
        self._said = (0, 0)

    async def admit(self, lane: Lane, call: str) -> None:
        """Return where a call may be made.

        Raises  Unavailable with when to come again: the lane's share of the day is spent, or the org is left alone
        """
        wait = await self.wait(lane)
        if wait is not None:
            raise Unavailable(self._side, call, code=wait[0], retry_in_s=wait[1])

    async def wait(self, lane: Lane) -> tuple[str, float] | None:
        """Give why a lane has to wait, and for how many seconds; None where it need not."""
        ledger, age_s = await self._read()
        at = ledger.at + age_s
        if ledger.closed_until > at:
            return CIRCUIT_OPEN, ledger.closed_until - at
        if _is_spent(ledger) and at < ledger.closed_until + _ASKED_FOR_S:
            return DAY_IS_SPENT, ledger.closed_until + _ASKED_FOR_S - at
        is_spent = ledger.most and ledger.used >= ledger.most * self.share
        if lane is Lane.LIVE or not is_spent or at - ledger.told_at > _LOOK_AGAIN_S:
            return None
        return DAY_IS_SPENT, _LOOK_AGAIN_S - (at - ledger.told_at) + 1

    async def is_to_be_asked(self) -> bool:
        """Say whether Salesforce is to be asked for its limits: nothing is known of late, or the day was spent."""
        ledger, age_s = await self._read()
        at = ledger.at + age_s
        return ledger.closed_until <= at and (_is_spent(ledger) or at - ledger.told_at > _OLD_S)

    async def asked(self, used: int, most: int) -> None:
        """Take in what Salesforce says of its limits: with calls left everybody may call again."""
        if used >= most:
            await self.refused(SPENT_S)
        else:
            await self._told.told(used, most)
        self._known = None

    async def answered(self, usage: str | None) -> None:
        """Take in an answer, and what it says was used; `usage`: the header Sforce-Limit-Info."""
        found = USED.search(usage or "")
        with suppress(StoreUnavailable):  # a note that is lost must not cost the answer: it may be a write's
            ledger, age_s = await self._read()
            if ledger.failures:
                await self._told.recovered()
                self._known = None
            if found is not None and ledger.closed_until <= ledger.at + age_s:  # else it was sent before it was refused
                await self._tell(int(found[1]), int(found[2]))

    async def _tell(self, used: int, most: int) -> None:
        """Keep what Salesforce says, not more often than it matters."""
        is_news = (
            abs(used - self._said[0]) > max(self._said[1] // 200, 1) or monotonic() - self._said_at > _TOLD_EVERY_S
        )
        if is_news:
            self._said, self._said_at = (used, most), monotonic()
            await self._told.told(used, most)

    async def failed(self) -> None:
        """Take in that no answer came, or that the org is out."""
        with suppress(StoreUnavailable):
            await self._told.failed(lambda failures: policy.breaker_wait_s(failures, random.random()))  # noqa: S311
        self._known = None

    async def refused(self, wait_s: float, *, is_spent: bool = True) -> None:
        """Take in that Salesforce refused a call as one too many: of the day, or only just now."""
        with suppress(StoreUnavailable):
            await self._told.throttled(wait_s, is_spent=is_spent)
        self._known = None

    async def refuses(self, cause: str) -> float:
        """Take in that the org refuses whatever it is sent; gives for how long what it refused is to wait.

        That is as long as it has refused by now: what is over in minutes goes on in minutes.
        """
        lasts_s = _REFUSES_FIRST_S
        with suppress(StoreUnavailable):
            lasts_s = await self._told.refuses(cause)
        self._known = None
        if lasts_s == 0.0:
            log.warning("salesforce.refuses", cause=cause)
        return min(max(lasts_s, _REFUSES_FIRST_S), _REFUSES_LONGEST_S)

    async def took(self, *, is_new: bool) -> str:
        """Take in that the org took a record, a new one or a changed; gives what it refused until now, if it did."""
        with suppress(StoreUnavailable):
            ledger, _ = await self._read()
            if ledger.refuses and (is_new or not refuses_only_new(ledger.refuses)):
                await self._told.takes_again()
                self._known = None
                log.info("salesforce.takes_again", cause=ledger.refuses)
                return ledger.refuses
        return ""

    async def stands(self) -> DayStanding:
        """Give how things stand."""
        ledger, age_s = await self._read()
        at = ledger.at + age_s
        paused_until = ledger.closed_until + (_ASKED_FOR_S if _is_spent(ledger) else 0.0)
        return DayStanding(ledger.used, ledger.most, self.share, max(paused_until - at, 0.0))

    async def _read(self) -> tuple[Ledger, float]:
        if self._known is None or monotonic() - self._known[1] >= self._remember_s:
            self._known = await self._told.read(), monotonic()
        return self._known[0], monotonic() - self._known[1]


def _is_spent(ledger: Ledger) -> bool:
    """Say whether the day's calls were spent when Salesforce last said anything of them."""
    return ledger.throttled_at > ledger.told_at


class _Unkept:
    async def read(self) -> Ledger:
        return Ledger(at=0.0)

    async def told(self, used: int, most: int) -> None:
        pass

    async def failed(self, closed_s: Callable[[int], float]) -> None:
        pass

    async def recovered(self) -> None:
        pass

    async def throttled(self, wait_s: float, *, is_spent: bool = True) -> None:
        pass

    async def refuses(self, _cause: str, /) -> float:
        return 0.0

    async def takes_again(self) -> None:
        pass


def unlimited(side: str = Side.SALESFORCE.value) -> SalesforceRateLimit:
    """Give a budget that admits every call and remembers nothing, for whoever only checks the connection."""
    return SalesforceRateLimit(side, _Unkept(), 1.0)
