"""The rate limit policy: how a vendor's quota of calls is shared out by hour, lane and second, and the circuit breaker.

DrChrono counts the calls of an application by the clock hour and refuses the rest of it; it never says how many are
left. So every call is counted before it is made, and each lane but the live edits' leaves a part of the hour to those
that are more urgent. That part melts as the hour passes, so that nothing of it is wasted:

    calls a lane may bring the hour to
    500 ┤                                  ___...---•   all lanes meet at the full hour
        │                     ___...---‾‾‾
    300 ┤......---‾‾‾‾‾
        0                    minutes                60

A call is counted a moment before DrChrono counts it, by a clock that is not quite DrChrono's: near the full hour it
counts in both hours, and each quarter of a second has its quarter of the calls, so that some that were long on their
way do not meet others that were quick. What does not fit is told when it will: the moment at which its lane may make
one call more than all that were told so before it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from app.ports import Ledger
from app.sync.model import Lane

HOUR_S = 3600
EDGE_S = 10.0  # clocks that differ, and calls on their way, at the full hour
LANES = tuple(Lane)
# the share of the hour that a lane leaves to more urgent ones while the hour is young
RESERVED: Mapping[Lane, float] = {
    Lane.LIVE: 0.0,
    Lane.RETRY: 0.05,
    Lane.CONFIRM: 0.1,
    Lane.COMPARE: 0.3,
    Lane.BACKFILL: 0.4,
}
LIVE_DOCUMENTS_SHARE = 0.5  # of DrChrono's hour, for documents that somebody waits for; edits have the rest at least
QUESTIONS_SHARE = 0.1  # of DrChrono's hour, for what people want to see
QUESTIONS_PER_HOUR = 1_000  # of Salesforce's day of tens of thousands
SIGN_IN_CALLS_PER_HOUR = 500  # what DrChrono allows any application; a sign-in takes four or five
_HOURS_AHEAD = 24 * 30
_MOST_BETWEEN = 0.5  # of an hour's calls: more than that was no ordinary hour
_PARTS = 4  # of a second, each with its part of the calls
_BREAKER_THRESHOLD = 2  # failures in a row before the circuit breaker opens: one record alone may fail
_FIRST_CLOSED_S, LONGEST_CLOSED_S, _MOST_DOUBLINGS = 5.0, 150.0, 8


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an application may call."""

    per_hour: int
    per_second: int

    def up_to(self, lane: Lane, share_of_hour: float) -> int:
        """Give how far a lane may bring an hour, when so much of the hour has passed (0 to 1)."""
        return self.per_hour - int(self.per_hour * RESERVED[lane] * (1 - share_of_hour))

    def in_a_second(self, lane: Lane) -> int:
        """Give how many calls of a second a lane may use; the last one is left to live edits."""
        return self.per_second if lane is Lane.LIVE else max(self.per_second - 1, 1)


def quota_hours(at: float) -> tuple[int, ...]:
    """Give the hours in which a call counts that is made now: near the full hour it is two."""
    return tuple(sorted({int((at - EDGE_S) // HOUR_S), int((at + EDGE_S) // HOUR_S)}))


def has_room(ledger: Ledger, allowance: Allowance, lane: Lane) -> bool:
    """Say whether one call more fits its hour; the second is another matter."""
    return room(ledger, allowance, lane) > 0


def room(ledger: Ledger, allowance: Allowance, lane: Lane) -> int:
    """Give how many calls more a lane may make by now, of the hour or, near the full hour, of both."""
    hours = quota_hours(ledger.at)
    free = min(allowance.up_to(lane, _share(ledger.at, hour)) - ledger.made.get(hour, 0) for hour in hours)
    return max(free, 0)


def second_s(ledger: Ledger, allowance: Allowance, lane: Lane) -> float:
    """Give how long a call waits for its part of a second; 0 when this one has room."""
    share, most = ledger.at % 1, allowance.in_a_second(lane)
    part = _part(ledger, allowance)
    if max(ledger.in_second, _before(allowance, part)) < min(_before(allowance, part + 1), most):
        return 0.0
    later = range(part + 1, _parts(allowance))
    free = (one for one in later if ledger.in_second < min(_before(allowance, one + 1), most))
    return next(free, _parts(allowance)) / _parts(allowance) - share


def taken(ledger: Ledger, allowance: Allowance) -> int:
    """Give what has gone of this second once a call is made now."""
    return max(ledger.in_second, _before(allowance, _part(ledger, allowance))) + 1


def _parts(allowance: Allowance) -> int:
    return min(_PARTS, allowance.per_second)


def _part(ledger: Ledger, allowance: Allowance) -> int:
    return int(ledger.at % 1 * _parts(allowance))


def _before(allowance: Allowance, part: int) -> int:
    """Give how many calls of a second the parts before this one have."""
    return allowance.per_second * part // _parts(allowance)


def _share(at: float, hour: int) -> float:
    return min(max(at / HOUR_S - hour, 0.0), 1.0)


def fits_at(
    ledger: Ledger,
    allowance: Allowance,
    lane: Lane,
    ahead: Mapping[int, int],
    more: int = 1,
    limit: int = _HOURS_AHEAD,
) -> float:
    """Give the moment at which so many calls more fit, behind those that were promised an hour already.

    ahead   hour -> calls promised in it, from now on, to lanes as urgent as this one or more
    more    the last of so many
    """
    hour = int(ledger.at // HOUR_S)
    for later in range(limit):
        made = ledger.made.get(hour + later, 0) + ahead.get(hour + later, 0)
        free = allowance.per_hour - made
        if more <= free:
            begin = max(ledger.at, (hour + later) * HOUR_S + (EDGE_S if later else 0))
            paced = begin + (ahead.get(hour + later, 0) + more - 1) / allowance.in_a_second(lane)
            moment = (hour + later) * HOUR_S + _into_s(allowance, lane, made + more)
            return max(paced, moment)
        more -= max(free, 0)
    return float((hour + limit) * HOUR_S)


def _into_s(allowance: Allowance, lane: Lane, nth: int) -> float:
    """Give how far an hour must have come before a lane may make its nth call."""
    reserve = int(allowance.per_hour * RESERVED[lane])
    share = 1 - (allowance.per_hour - nth) / reserve if reserve else 0.0
    return min(max(share * HOUR_S, 0.0), HOUR_S - EDGE_S)


def caught_up_at(
    ledger: Ledger, allowance: Allowance, waiting: Mapping[Lane, int], of_late: Mapping[Lane, int]
) -> float | None:
    """Give when the last of those that wait will have been called, as far as we know; None when nobody waits.

    of_late  calls that each lane made in the hour before: as many are expected to come between from more urgent ones
    """
    done, between, last = 0, 0, None
    for lane in LANES:
        if waiting.get(lane):
            done += waiting[lane]
            ahead = _expected(ledger, min(between, int(allowance.per_hour * _MOST_BETWEEN)))
            last = max(last or 0.0, fits_at(ledger, allowance, lane, ahead, more=done), ledger.closed_until)
        between += of_late.get(lane, 0)
    return last


def _expected(ledger: Ledger, per_hour: int) -> Mapping[int, int]:
    hour = int(ledger.at // HOUR_S)
    left_of_this = {hour: int(per_hour * (1 - _share(ledger.at, hour)))}
    return left_of_this | dict.fromkeys(range(hour + 1, hour + _HOURS_AHEAD), per_hour)


def breaker_open(failures: int) -> bool:
    """Say whether so many failures in a row mean that the vendor is out."""
    return failures > _BREAKER_THRESHOLD


def breaker_wait_s(failures: int, jitter: float) -> float:
    """Give how long a vendor is left alone after so many failures in a row; 0 while they may be a record's own.

    jitter  0 to 1, so that processes do not ask together
    """
    if not breaker_open(failures):
        return 0.0
    doublings = min(failures - _BREAKER_THRESHOLD - 1, _MOST_DOUBLINGS)
    return float(min(_FIRST_CLOSED_S * 2**doublings * (0.75 + jitter / 2), LONGEST_CLOSED_S))


def left(ledger: Ledger, allowance: Allowance) -> int:
    """Give how many calls the hour has left."""
    return max(allowance.per_hour - ledger.made.get(int(ledger.at // HOUR_S), 0), 0)


def resets_in_s(ledger: Ledger) -> int:
    """Give how long until the hour ends."""
    return math.ceil(HOUR_S - ledger.at % HOUR_S)
