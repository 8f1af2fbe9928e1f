"""Sign-in: whoever guesses is slowed down: after some wrong tokens an address waits, twice as long each time.

Kept in memory, per process: a stranger's request must not write to the database. What is forgotten, oldest first, are
addresses beyond the first thousands.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

FREE = 5
_FIRST_S, _LONGEST_S, _FORGOTTEN_S = 1.0, 300.0, 3600.0
_MOST_ADDRESSES = 10_000


class SignInThrottle:
    """Who guessed wrong lately, and until when they wait (monotonic)."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Give how long an address must wait before it is listened to again."""
        count, last = self._wrong.get(address, (0, 0.0))
        if count < FREE or self._now() - last > _FORGOTTEN_S:
            return 0.0
        wait: float = min(_FIRST_S * 2 ** min(count - FREE, 20), _LONGEST_S)
        return max(last + wait - self._now(), 0.0)

    def wrong(self, address: str) -> None:
        """Count a wrong token."""
        count, last = self._wrong.pop(address, (0, self._now()))
        forgotten = self._now() - last > _FORGOTTEN_S
        self._wrong[address] = (1 if forgotten else count + 1, self._now())
        while len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """Forget an address that knew the token."""
        self._wrong.pop(address, None)
