"""Call sizes: how many records the org's own code lets through in one call, learnt by object and call.

Salesforce takes 200, but the org's triggers and flows run in the same transaction, and may need more of it for 200
than it has. What went through is kept for a while and grows back, since somebody may have mended that code. It is kept
in the memory of the process: whoever starts anew learns it by as few calls as 200 can be halved, which is cheaper than
a row of the database read before every call.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable
from time import monotonic

MOST_RECORDS = 200  # that Salesforce takes in a call
_HOUR_S = 3600.0
_USELESS_S = 600.0


class CallSizes:
    """What is known of one org; `now` counts seconds, and never back."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._learnt: dict[str, tuple[int, float]] = {}
        self._useless: dict[tuple[str, Hashable], float] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def turn(self, what: str) -> asyncio.Lock:
        """Give what whoever finds out a size holds meanwhile."""
        return self._turns[what]

    def of(self, what: str) -> int:
        """Give how many records a call may have; twice as many with every hour since fewer went through."""
        size, at = self._learnt.get(what, (MOST_RECORDS, self._now()))
        hours = int((self._now() - at) / _HOUR_S)
        return min(size << min(hours, MOST_RECORDS.bit_length()), MOST_RECORDS)

    def learn(self, what: str, size: int) -> None:
        """Keep that so many records went through where more did not."""
        self._learnt[what] = min(size, self.of(what)), self._now()

    def is_useless(self, what: str, refusal: Hashable) -> bool:
        """Say whether smaller calls were no help against a refusal of late."""
        return self._useless.get((what, refusal), 0.0) > self._now()

    def give_up(self, what: str, refusal: Hashable) -> None:
        """Keep that each record falls of the same refusal alone, so that a smaller call is no help."""
        now = self._now()
        self._useless = {key: until for key, until in self._useless.items() if until > now}
        self._useless[what, refusal] = now + _USELESS_S

    def went_through(self, what: str) -> None:
        """Keep that a record was written: what was useless need not be so any more."""
        self._useless = {key: until for key, until in self._useless.items() if key[0] != what}
