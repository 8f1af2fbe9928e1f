"""Cause -> the sort of thing that is wrong, of which there are few: causes are a vendor's words, and without end."""

from collections.abc import Mapping
from enum import StrEnum


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
