"""Error, attempt -> what becomes of the record: again in n seconds, a dead letter, or the whole side waits.

Every cause a person may meet has its fix in words here, so that a failure always says why and what to do.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.errors import Disposition, SyncError, Unavailable, VendorError


class Fate(StrEnum):
    """What becomes of a record after an attempt that did not end well."""

    RETRY = "retry"
    PAUSED = "paused"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A fate; `in_s` says when to look again; `spends` whether the attempt counts against the record's limit."""

    fate: Fate
    in_s: float = 0.0
    spends: bool = False


_FIRST_S, _LONGEST_S = 1.0, 900.0
_VENDOR_DOWN_S = 10.0
_SIDE_PAUSED_S = 60.0


def after(error: SyncError, attempt: int, limit: int, jitter: float) -> Verdict:
    """Say what becomes of a record.

    attempt  how many attempts were spent, this one included
    jitter   0 to 1, so that records refused together do not come back together
    """
    match error.disposition:
        case Disposition.PAUSE_SIDE:
            return Verdict(Fate.PAUSED, _SIDE_PAUSED_S * (1 + jitter / 2))
        case Disposition.RETRY:
            wait = error.retry_in_s if isinstance(error, Unavailable) and error.retry_in_s else _VENDOR_DOWN_S
            return Verdict(Fate.RETRY, wait * (1 + jitter / 2))
        case Disposition.READ_BACK:
            return _again(attempt, limit, jitter)
        case _:
            return Verdict(Fate.DEAD_LETTER, spends=True)


def after_refusal(code: str, attempt: int, limit: int, jitter: float) -> Verdict:
    """Say what becomes of a record that Salesforce refused by itself, the others of its batch having gone through.

    Source  REST API Developer Guide, Status Codes and Error Responses
    """
    return _again(attempt, limit, jitter) if code in RETRYABLE_CODES else Verdict(Fate.DEAD_LETTER, spends=True)


def _again(attempt: int, limit: int, jitter: float) -> Verdict:
    if attempt >= limit:
        return Verdict(Fate.DEAD_LETTER, spends=True)
    return Verdict(Fate.RETRY, backoff_s(attempt, jitter), spends=True)


def backoff_s(attempt: int, jitter: float) -> float:
    """Give the wait before the next attempt: doubling from one second to a quarter of an hour, jittered by half."""
    return float(min(_FIRST_S * 2 ** (attempt - 1), _LONGEST_S) * (0.75 + jitter / 2))


RETRYABLE_CODES = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",
        "SERVER_UNAVAILABLE",
        "UNKNOWN_EXCEPTION",
        "DUPLICATE_VALUE",  # the race of two creates: the next look finds the other one
        "INVALID_CROSS_REFERENCE_KEY",  # the parent may not be there yet
        "REQUEST_LIMIT_EXCEEDED",
        "QUERY_TIMEOUT",
        "ENTITY_IS_DELETED",  # the next look sees it gone and holds
    }
)

_FIXES = {
    "REQUIRED_FIELD_MISSING": "Fill the named field in DrChrono, or give it a value in the mapping, then save again.",
    "STRING_TOO_LONG": "Shorten the named field in DrChrono, or lengthen it in Salesforce and in the mapping.",
    "too_long": "Shorten the named field in DrChrono, or raise max_length in the mapping and the field's length.",
    "unknown_value": "Add the value to the named field's `values` in the mapping, and to Salesforce's picklist.",
    "not_a_date": "Correct the named date; it must be a calendar day.",
    "not_text": "The named field holds something that is no text; correct it, or map it with another codec.",
    "held": "Both sides changed the named field; decide which value is right and save it on both sides.",
    "INVALID_EMAIL_ADDRESS": "Correct the e-mail address; Salesforce does not accept it.",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "Add the value to the picklist in Salesforce, or map it to another one.",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule in Salesforce refuses it; satisfy or relax the rule.",
    "DUPLICATES_DETECTED": "A blocking duplicate rule in Salesforce refuses it; merge the records or relax the rule.",
    "DUPLICATE_VALUE": "Two Contacts claim one DrChrono id; clear it on the wrong one.",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "A trigger or flow in Salesforce failed on this record; mend it there.",
    "INVALID_FIELD": "The mapping names a field the integration user does not see; create it or grant access to it.",
    "INSUFFICIENT_ACCESS_OR_READONLY": "Give the integration user edit access to the object and its fields.",
    "INVALID_CROSS_REFERENCE_KEY": "The record refers to one that Salesforce does not have; bring that one in first.",
    "UNABLE_TO_LOCK_ROW": "Something in Salesforce keeps the record locked; find the automation, then try again.",
    "gone_in_salesforce": "The Contact was deleted or is not shared with us; undelete or share it, or unlink it.",
    "gone_in_drchrono": "The chart was deleted, merged or hidden from our user; look there before doing anything here.",
    "OutcomeUnknown": "The vendor never answered; it is looked at again on a retry. If it repeats, ask the vendor.",
    "Unreadable": "The vendor's answer was not understood; keep the record's id and report it.",
    "HTTP_403": "The connected user lacks a permission or a scope for this call; grant it, then try again.",
}


def fix(cause: str) -> str:
    """Give what a person should do about a cause, in one sentence."""
    return _FIXES.get(cause, "Look the code up in the vendor's documentation, correct the record, then try again.")


def cause_of(error: SyncError) -> tuple[str, tuple[str, ...]]:
    """Give the stable name of an error and the field names it blames."""
    if isinstance(error, VendorError):
        return error.cause, error.fields
    return type(error).__name__, ()
