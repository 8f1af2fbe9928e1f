"""Failure causes: what is wrong with a record, in a vendor's words or ours; each has its class and its fix.

Causes are without end, their classes are few. Every cause a person may meet has its fix in words here, so that a
failure always says why and what to do.
"""

from collections.abc import Mapping
from enum import StrEnum

from app.errors import SyncError, VendorError


class FailureClass(StrEnum):
    """What sort of thing is wrong with a record that waits for a person.

    VALUE     a value the other side does not take
    MISSING   something it needs is not filled in
    RULE      a rule or an automation in Salesforce refuses it
    ACCESS    a right or a field the integration user lacks
    IDENTITY  it is not clear which record it is
    PARENT    what it refers to is not there
    GONE      it is there on one side only
    CONFLICT  both sides changed a field, or something keeps changing it
    CLASH     another visit is at that time
    ANSWER    the vendor did not answer, or not so that it could be read
    OTHER     none of these
    """

    VALUE = "value"
    MISSING = "missing"
    RULE = "rule"
    ACCESS = "access"
    IDENTITY = "identity"
    PARENT = "parent"
    GONE = "gone"
    CONFLICT = "conflict"
    CLASH = "clash"
    ANSWER = "answer"
    OTHER = "other"


_CAUSES: Mapping[FailureClass, str] = {
    FailureClass.VALUE: "STRING_TOO_LONG too_long unknown_value not_a_date not_a_number not_a_flag not_a_local_time "
    "not_an_instant not_text unknown_time_zone repeated_hour missing_hour INVALID_EMAIL_ADDRESS "
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST HTTP_400",
    FailureClass.MISSING: "REQUIRED_FIELD_MISSING cannot_be_empty missing_for_drchrono says_not_who nothing_to_create",
    FailureClass.RULE: "FIELD_CUSTOM_VALIDATION_EXCEPTION DUPLICATES_DETECTED CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY "
    "UNABLE_TO_LOCK_ROW",
    FailureClass.ACCESS: "INVALID_FIELD INSUFFICIENT_ACCESS_OR_READONLY HTTP_403",
    FailureClass.IDENTITY: "DUPLICATE_VALUE contact_of_another_link several_charts several_contacts "
    "chart_of_another_contact names_another_chart potential_duplicate OTHER_RECORD",
    FailureClass.PARENT: "parent_missing parent_not_linked INVALID_CROSS_REFERENCE_KEY",
    FailureClass.GONE: "ENTITY_IS_DELETED gone_in_salesforce gone_in_drchrono",
    FailureClass.CONFLICT: "held rewritten",
    FailureClass.ANSWER: "create_unsettled create_unanswered UNKNOWN QUERY_TIMEOUT REQUEST_LIMIT_EXCEEDED "
    "SERVER_UNAVAILABLE UNKNOWN_EXCEPTION ANSWER_DOES_NOT_FIT NOT_JSON NO_RECORDS OutcomeUnknown Unreadable NO_ANSWER",
}
_CLASS_OF = {cause: group for group, causes in _CAUSES.items() for cause in causes.split()}


def class_of(cause: str) -> FailureClass:
    """Give the sort of thing that a cause says is wrong."""
    if cause.startswith("overlaps_"):
        return FailureClass.CLASH
    if cause.startswith("HTTP_5") or cause.endswith(("Timeout", "Error")):
        return FailureClass.ANSWER
    return _CLASS_OF.get(cause, FailureClass.OTHER)


CIRCUIT_OPEN = "left_alone"  # a vendor that failed several calls in a row: none is made for a while
HOUR_IS_SPENT, SECONDS_ARE_FULL, DAY_IS_SPENT = "hour_is_spent", "seconds_are_full", "day_is_spent"
DRCHRONO_QUOTA_CAUSES = (HOUR_IS_SPENT, SECONDS_ARE_FULL, "HTTP_429")  # calls, that is: the vendor is not away
SALESFORCE_QUOTA_CAUSES = (DAY_IS_SPENT, "REQUEST_LIMIT_EXCEEDED")

_FIXES = {
    "REQUIRED_FIELD_MISSING": "Fill the named field in DrChrono, or give it a value in the mapping, then save again.",
    "STRING_TOO_LONG": "Shorten the named field in DrChrono, or lengthen it in Salesforce and in the mapping.",
    "too_long": "Shorten the named field in DrChrono, or raise max_length in the mapping and the field's length.",
    "unknown_value": "Add the value to the named field's `values` in the mapping, and to Salesforce's picklist.",
    "not_a_date": "Correct the named date; it must be a calendar day.",
    "not_a_number": "The named field holds something that is no number; correct it where it was entered.",
    "not_a_flag": "The named field is neither yes nor no; map it with another codec.",
    "not_a_local_time": "DrChrono gave a time in a form we do not know; report it with the record's id.",
    "not_an_instant": "Salesforce gave a time in a form we do not know; map the field to a date and time.",
    "parent_missing": "The record named there is gone in DrChrono or cannot be brought over; mend that one first.",
    "parent_not_linked": "It refers to a record that DrChrono does not know; tick that one's box, or choose another.",
    "cannot_be_empty": "DrChrono does not do without the named field; fill it in again in Salesforce.",
    "unknown_time_zone": "Correct the time zone of the visit's doctor in DrChrono's account settings.",
    "repeated_hour": "The clocks go back then, so the time exists twice; we took the first. Ask the practice.",
    "missing_hour": "The clocks go forward then, so that time does not exist; we took an hour later. Move the visit.",
    "not_text": "The named field holds something that is no text; correct it, or map it with another codec.",
    "held": "Both sides changed the named field; pick in Held which value counts, or save it on both sides.",
    "rewritten": "Some automation keeps rewriting the named field; find and stop it, then pick in Held what counts.",
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
    "UNKNOWN": "Salesforce gave no reason; save the Contact there by hand, and what it complains of is the reason.",
    "ENTITY_IS_DELETED": "The Contact was deleted meanwhile; undelete it in Salesforce, or let it go here.",
    "gone_in_salesforce": "Deleted in Salesforce, or not shared with us; undelete or share it, or let it go here.",
    "gone_in_drchrono": "It was deleted, merged or hidden from our user in DrChrono; look there before acting here.",
    "contact_of_another_link": "Two charts claim one Contact, or two Contacts one chart; clear the wrong DrChrono id.",
    "missing_for_drchrono": "Fill the named field in Salesforce; DrChrono takes no new patient without it. For the "
    "doctor, DRCHRONO_DEFAULT_DOCTOR does too.",
    "says_not_who": "The name has no letter in it; correct it in Salesforce.",
    "create_unsettled": "DrChrono did not answer, and what it made cannot be searched for; look there by hand.",
    "several_charts": "Several charts have this name and birth date; pick one in Held, or put the right one's id into "
    "the Contact.",
    "several_contacts": "Several Contacts have this name and birth date; pick one in Held, or put the chart's id into "
    "the right one.",
    "chart_of_another_contact": "The chart of this name and birth date has its Contact; merge the two, here or there.",
    "names_another_chart": "The Contact names another chart than the one it is linked to; correct its DrChrono id.",
    "potential_duplicate": "DrChrono takes the patient for one it has; look in Held whom it shows, and pick that one. "
    "Whom it does not show, find there, and put the id into the Contact.",
    "create_unanswered": "DrChrono did not answer, and made no chart, at every attempt; try again when it is well.",
    "nothing_to_create": "Every mapped field of it is empty in DrChrono; fill in at least the name there.",
    "OTHER_RECORD": "DrChrono answered with another record than asked for; report it with the record's id.",
    "HTTP_400": "DrChrono does not take the named field's value; correct it in Salesforce.",
    "HTTP_403": "The connected user lacks a permission or a scope for this call; grant it, then try again.",
}
_BUSY = "The vendor was too busy for every attempt; try again later, and ask the vendor when it goes on."
_NO_ANSWER = "The vendor did not answer, or not so that it could be read; try again, and ask the vendor if it repeats."
_REFUSED = "The vendor refused the request itself; report it with the record's id."
_OTHER = "Look the code up in the vendor's documentation, correct the record, then try again."
_BUSY_CAUSES = frozenset({"QUERY_TIMEOUT", "REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION"})
_UNREADABLE_CAUSES = frozenset({"ANSWER_DOES_NOT_FIT", "NOT_JSON", "NO_RECORDS", "OutcomeUnknown", "Unreadable"})


def fix(cause: str) -> str:
    """Give what a person should do about a cause, in one sentence."""
    if cause in _FIXES:
        return _FIXES[cause]
    if cause.startswith("overlaps_"):
        return f"Visit {cause.removeprefix('overlaps_')} is at that time in DrChrono; move one of the two."
    if cause in _BUSY_CAUSES:
        return _BUSY
    if cause in _UNREADABLE_CAUSES or cause.startswith("HTTP_5") or cause.endswith(("Timeout", "Error")):
        return _NO_ANSWER
    return _REFUSED if cause.startswith("HTTP_4") else _OTHER


def paused_by(side: str) -> str:
    """Give the name under which records wait for a side's credential."""
    return f"{side}_paused"


def cause_of(error: SyncError) -> tuple[str, tuple[str, ...]]:
    """Give the stable name of an error and the field names it blames."""
    if isinstance(error, VendorError):
        return error.cause, error.fields
    return type(error).__name__, ()
