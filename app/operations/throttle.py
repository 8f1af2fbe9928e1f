"""The throttle: whoever sends wrong secrets is slowed, counted and named in the log, at whatever address of ours.

There is one for all secrets of ours: the tokens people sign in with, scripts' bearers, and what the vendors prove
themselves by. A secret is compared first and the throttle asked about a wrong one alone: nobody's guesses keep out who
knows it. Wrong ones are counted in memory, per process, because a stranger's request must not write to the database:
after some an address waits, twice as long each time. What is forgotten, oldest first, are addresses beyond the first
thousands.
"""

from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from time import monotonic

from app.log import OncePerMinute
from app.metrics.definitions import WRONG_SECRETS
from app.store.counters import ProcessCounters

FREE = 5
_FIRST_S, _LONGEST_S, _FORGOTTEN_S = 1.0, 300.0, 3600.0
_MOST_ADDRESSES = 10_000
_NETWORK_BITS = 64  # of an IPv6 address: the rest a customer chooses at will


class Secret(StrEnum):
    """Which secret was wrong; the words are the log's and the metric's."""

    SIGN_IN = "login"
    BEARER = "bearer"
    DRCHRONO = "webhook"
    OUTBOUND = "outbound"
    EVENTS = "event"


class Throttle:
    """Who guessed wrong lately, and until when they wait (monotonic)."""

    def __init__(self, counts: ProcessCounters, now: Callable[[], float] = monotonic) -> None:
        self._counts, self._now = counts, now
        self._warn = OncePerMinute(now)
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def refuse(self, secret: Secret, address: str) -> float:
        """Count a wrong secret, and give for how many seconds its address must wait; a guess meanwhile adds nothing."""
        self._counts.add(WRONG_SECRETS, secret.value)
        self._warn(f"{secret.value}.refused", address=address)
        place = _place(address)
        wait_s = self._wait_s(place)
        if not wait_s:
            count, last = self._wrong.pop(place, (0, self._now()))
            forgotten = self._now() - last > _FORGOTTEN_S
            self._wrong[place] = (1 if forgotten else count + 1, self._now())
            while len(self._wrong) > _MOST_ADDRESSES:
                self._wrong.popitem(last=False)
        return wait_s

    def wait_s(self, address: str) -> float:
        """Give for how many seconds an address must wait, where comparing is not ours to do, and costs something."""
        return self._wait_s(_place(address))

    def forget(self, address: str) -> None:
        """Forget the guesses of an address where somebody knew the secret after all."""
        self._wrong.pop(_place(address), None)

    def _wait_s(self, place: str) -> float:
        count, last = self._wrong.get(place, (0, 0.0))
        if count < FREE or self._now() - last > _FORGOTTEN_S:
            return 0.0
        wait: float = min(_FIRST_S * 2 ** min(count - FREE, 20), _LONGEST_S)
        return max(last + wait - self._now(), 0.0)


def _place(address: str) -> str:
    """Give what is counted together: an address, of IPv6 its network."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(int(found) >> _NETWORK_BITS) if isinstance(found, IPv6Address) else address
