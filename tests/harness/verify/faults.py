"""Everything that goes wrong in a history, by name, and which promises each of it puts to the test."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from tests.harness.verify.seen import Call


class Fault(StrEnum):
    """What goes wrong, in words."""

    WORKER_KILLED = "kill -9 of the worker"
    WEB_KILLED = "kill -9 of the web"
    WORKER_STOPPED = "SIGTERM of the worker"
    WEB_STOPPED = "SIGTERM of the web"
    REDIS_FLUSHED = "FLUSHALL"
    REDIS_KILLED = "kill -9 of Valkey"
    DISK_FULL = "a full disk"
    DOUBLED = "notices that come several times"
    SHUFFLED = "notices late and out of order"
    HELD = "notices held back"
    LOST = "notices lost for good"
    TOO_MANY = "too many calls, says a vendor"
    REFUSED = "5xx of a vendor"
    NO_ANSWER = "done, but no answer"
    NO_CONNECTION = "connection lost before it was done"
    SLOW = "a slow answer"
    EXPIRED = "an expired token"
    POISONED = "a record that is refused"


_CRASHES = (Fault.WORKER_KILLED, Fault.WEB_KILLED, Fault.WORKER_STOPPED, Fault.WEB_STOPPED, Fault.DISK_FULL)
_REDIS = (Fault.REDIS_FLUSHED, Fault.REDIS_KILLED)
_NOTICES = (Fault.DOUBLED, Fault.SHUFFLED, Fault.HELD)
_VENDORS = (Fault.TOO_MANY, Fault.REFUSED, Fault.NO_ANSWER, Fault.NO_CONNECTION, Fault.SLOW, Fault.EXPIRED)
TESTS: Mapping[int, tuple[Fault, ...]] = {
    1: (*_CRASHES, *_REDIS, *_VENDORS),
    2: (*_CRASHES, *_NOTICES, Fault.NO_ANSWER),
    3: (*_CRASHES, *_REDIS, *_NOTICES, *_VENDORS),
    4: (*_CRASHES, *_NOTICES, Fault.NO_ANSWER),
    5: (Fault.POISONED,),
    6: (*_CRASHES, *_VENDORS),
    7: (),  # measured while all is well
    8: (*_CRASHES, *_VENDORS, Fault.POISONED),
    9: (*_CRASHES, Fault.REDIS_KILLED),
    10: (Fault.LOST,),
}
# how the stand-ins' logs name what they did to a call
_STRUCK = {
    "throttle": Fault.TOO_MANY,
    "timeout_before": Fault.NO_CONNECTION,
    "drop_before": Fault.NO_CONNECTION,
    "timeout_after_commit": Fault.NO_ANSWER,
    "drop_after_commit": Fault.NO_ANSWER,
    "slow": Fault.SLOW,
}
_TOO_MANY_CALLS = 429


def struck(calls: list[Call]) -> Counter[str]:
    """Count the faults that did strike a call of ours; one that was ordered and met no call is none."""
    found = Counter[str]()
    for one in calls:
        if one.fault:
            is_throttled = one.fault == "error" and one.status == _TOO_MANY_CALLS
            found[Fault.TOO_MANY if is_throttled else _STRUCK.get(one.fault, Fault.REFUSED)] += 1
    return found


def counted(faults: Mapping[str, int], promise: int) -> int:
    """Give how many faults put a promise to the test."""
    return sum(faults.get(one, 0) for one in TESTS[promise])
