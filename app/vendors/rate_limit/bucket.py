"""Token buckets: so many a minute for whoever asks, and as many at once after a while of not asking; in memory.

For what one asker could do endlessly at others' cost. The oldest are forgotten beyond the first thousands.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

_MINUTE_S = 60.0
_MOST_ASKERS = 10_000


class TokenBuckets:
    """What each asker has left."""

    def __init__(self, per_minute: int, now: Callable[[], float] = monotonic) -> None:
        self._most, self._now = float(per_minute), now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, asker: str = "") -> float:
        """Take one, and give 0.0; or give for how many seconds there is none."""
        now = self._now()
        left, at = self._left.pop(asker, (self._most, now))
        left = min(left + (now - at) * self._most / _MINUTE_S, self._most)
        wait_s = 0.0 if left >= 1 else (1 - left) * _MINUTE_S / self._most
        self._left[asker] = (left if wait_s else left - 1, now)
        while len(self._left) > _MOST_ASKERS:
            self._left.popitem(last=False)
        return wait_s
