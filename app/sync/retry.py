"""Error, attempt -> what becomes of the record: again in n seconds, a dead letter, or the whole side waits.

What a cause means stands in `failure_causes.py`.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.errors import BatchFailed, Disposition, DocumentNotReady, Rejected, SyncError, Unauthorized, Unavailable
from app.sync.failure_causes import look_up


class Fate(StrEnum):
    """What becomes of a record after an attempt that did not end well."""

    RETRY = "retry"
    PAUSED = "paused"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """A fate; `in_s` says when to look again; `spends` whether the attempt counts against the record's limit."""

    fate: Fate
    in_s: float = 0.0
    spends: bool = False


_FIRST_S, _LONGEST_S, _MOST_STEPS = 1.0, 900.0, 10
_GROWTH, _PASSES_GROWTH = 2, 4  # from one wait to the next: of eight attempts, two minutes in all, and forty
_VENDOR_DOWN_S, _MOST_JITTER_S = 10.0, 20.0
_SIDE_PAUSED_S = 60.0
_BATCH_FAILED_S = 60.0  # and no jitter: those that come back together are told again that it is none of theirs
_UNFORESEEN_S = (
    30.0  # whether it is the record's own fault is not sure, and a mistake of ours takes a while to be found
)


def after(error: SyncError, attempt: int, limit: int, jitter: float) -> RetryDecision:
    """Say what becomes of a record.

    attempt  how many attempts were spent, this one included
    jitter   0 to 1, so that records refused together do not come back together
    """
    match error.disposition:
        case Disposition.PAUSE_SIDE:
            known_s = error.retry_in_s if isinstance(error, Unauthorized) else None
            return RetryDecision(Fate.PAUSED, (known_s or _SIDE_PAUSED_S) * (1 + jitter / 2))
        case Disposition.RETRY if isinstance(error, BatchFailed):
            return RetryDecision(Fate.RETRY, _BATCH_FAILED_S)
        case Disposition.RETRY:
            known_s = error.retry_in_s if isinstance(error, Unavailable | DocumentNotReady) else None
            wait = known_s or _VENDOR_DOWN_S
            return RetryDecision(Fate.RETRY, wait + min(wait / 2, _MOST_JITTER_S) * jitter)
        case Disposition.READ_BACK:  # it is sent again at once, so a line that goes on being cut has as long as a lock
            return _again(attempt, limit, jitter, growth=_PASSES_GROWTH)
        case Disposition.RETRY_LIMITED:
            return _again(attempt, limit, jitter, _UNFORESEEN_S)
        case Disposition.DEAD_LETTER if isinstance(error, Rejected):
            return after_refusal(error.cause, attempt, limit, jitter)
        case Disposition.DEAD_LETTER:
            return RetryDecision(Fate.DEAD_LETTER, spends=True)


def after_refusal(code: str, attempt: int, limit: int, jitter: float) -> RetryDecision:
    """Say what becomes of a record that was refused, others of its batch having gone through.

    What may pass by itself has longer for it than what we look at again: a lock lasts as long as somebody's job does.
    """
    if not look_up(code).passes:
        return RetryDecision(Fate.DEAD_LETTER, spends=True)
    return _again(attempt, limit, jitter, growth=_PASSES_GROWTH)


def _again(attempt: int, limit: int, jitter: float, first_s: float = _FIRST_S, growth: int = _GROWTH) -> RetryDecision:
    if attempt >= limit:
        return RetryDecision(Fate.DEAD_LETTER, spends=True)
    return RetryDecision(Fate.RETRY, backoff_s(attempt, jitter, first_s, growth), spends=True)


def backoff_s(attempt: int, jitter: float, first_s: float = _FIRST_S, growth: int = _GROWTH) -> float:
    """Give the wait before the next attempt: growing from the first to a quarter of an hour, jittered by half."""
    return float(min(first_s * growth ** min(attempt - 1, _MOST_STEPS), _LONGEST_S) * (0.75 + jitter / 2))
