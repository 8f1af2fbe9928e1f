"""Salesforce's budget: it counts our calls by the day and says so with every answer, so we need not.

Live edits may use all of the day; everything less urgent stops at a share of it, and looks again now and then. Once
Salesforce refuses a call as one too many it is left alone for a while, and so is an org that does not answer.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

from app.errors import Unavailable
from app.sync.records import Lane, Side
from app.vendors import budget

SPENT, AWAY = "day_is_spent", "left_alone"
_LOOK_AGAIN_S = 600.0  # how old Salesforce's word may be before a call that does not fit asks for a newer one
_REMEMBER_S = 1.0
_TOLD_EVERY_S = 30.0
_USED = re.compile(r"\bapi-usage=(\d+)/(\d+)")


class Told(Protocol):
    """What a budget needs of whoever remembers; `app/store/calls.py` is the one for all processes."""

    async def read(self) -> Any:
        """Give how things stand."""

    async def told(self, used: int, most: int) -> None:
        """Keep what the vendor says of its allowance."""

    async def failed(self, closed_s: Callable[[int], float]) -> None:
        """Count a failure in a row."""

    async def recovered(self) -> None:
        """Forget the failures."""

    async def throttled(self, wait_s: float) -> None:
        """Leave the vendor alone for so long."""


class Daily:
    """The calls of an org's 24 hours.

    share       how much of them lanes less urgent than live edits may bring the day to, 0 to 1
    remember_s  for how long what is stored is not read again
    """

    def __init__(self, side: str, told: Told, share: float, remember_s: float = _REMEMBER_S) -> None:
        self._side, self._told, self._share, self._remember_s = side, told, share, remember_s
        self._known: tuple[Any, float] | None = None
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
            return AWAY, ledger.closed_until - at
        is_spent = ledger.most and ledger.used >= ledger.most * self._share
        if lane is Lane.LIVE or not is_spent or at - ledger.told_at > _LOOK_AGAIN_S:
            return None
        return SPENT, _LOOK_AGAIN_S - (at - ledger.told_at) + 1

    async def answered(self, usage: str | None) -> None:
        """Take in an answer, and what it says was used; `usage`: the header Sforce-Limit-Info."""
        ledger, _ = await self._read()
        if ledger.failures or ledger.closed_until:
            await self._told.recovered()
            self._known = None
        found = _USED.search(usage or "")
        if found is not None:
            await self.told(int(found[1]), int(found[2]))

    async def told(self, used: int, most: int) -> None:
        """Keep what Salesforce says, not more often than it matters."""
        is_news = (
            abs(used - self._said[0]) > max(self._said[1] // 200, 1) or monotonic() - self._said_at > _TOLD_EVERY_S
        )
        if is_news:
            self._said, self._said_at = (used, most), monotonic()
            await self._told.told(used, most)

    async def failed(self) -> None:
        """Take in that no answer came, or that the org is out."""
        await self._told.failed(lambda failures: budget.closed_s(failures, random.random()))  # noqa: S311
        self._known = None

    async def refused(self, wait_s: float) -> None:
        """Take in that Salesforce refused a call as one too many."""
        await self._told.throttled(wait_s)
        self._known = None

    async def _read(self) -> tuple[Any, float]:
        if self._known is None or monotonic() - self._known[1] >= self._remember_s:
            self._known = await self._told.read(), monotonic()
        return self._known[0], monotonic() - self._known[1]


@dataclass(frozen=True, slots=True)
class _Nothing:
    at: float = 0.0
    closed_until: float = 0.0
    failures: int = 0
    used: int = 0
    most: int = 0
    told_at: float = 0.0


class _Unkept:
    async def read(self) -> _Nothing:
        return _Nothing()

    async def told(self, used: int, most: int) -> None:
        pass

    async def failed(self, closed_s: Callable[[int], float]) -> None:
        pass

    async def recovered(self) -> None:
        pass

    async def throttled(self, wait_s: float) -> None:
        pass


def unlimited(side: str = Side.SALESFORCE.value) -> Daily:
    """Give a budget that admits every call and remembers nothing, for whoever only checks the connection."""
    return Daily(side, _Unkept(), 1.0)
