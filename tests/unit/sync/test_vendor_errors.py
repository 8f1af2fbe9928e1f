"""Vendor errors: every published code has its meaning, and what a message names goes before the code it came with."""

from pathlib import Path

import pytest

from app.sync.failure_causes import class_of, fix, look_up
from app.sync.model import FailureClass, RefusalScope
from app.sync.vendor_errors import cause_named

PUBLISHED = (Path(__file__).parents[2] / "samples" / "salesforce" / "error_codes.txt").read_text().split()
NO_ADVICE = fix("a cause nobody has heard of")
TRIGGER, FLOW, RULE = (
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    "CANNOT_EXECUTE_FLOW_TRIGGER",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
)
LIMIT, LOCK, PARENT = "transaction_limit", "UNABLE_TO_LOCK_ROW", "INVALID_CROSS_REFERENCE_KEY"
READ_ONLY, FULL = "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "STORAGE_LIMIT_EXCEEDED"
BY_TRIGGER = "acme.ContactTrigger: execution of BeforeInsert\n\ncaused by: "
BY_FLOW = "We can't save this record because the “Intake” process failed. The flow tried to update records: "
# a code, a message that came with it -> what is wrong
NAMED = [
    (TRIGGER, f"{BY_TRIGGER}System.LimitException: Too many SOQL queries: 101", LIMIT),
    (TRIGGER, f"{BY_TRIGGER}System.LimitException: acme:Apex CPU time limit exceeded", LIMIT),
    (TRIGGER, f"{BY_TRIGGER}System.DmlException: first error: UNABLE_TO_LOCK_ROW, unable to obtain", LOCK),
    (TRIGGER, f"{BY_TRIGGER}System.DmlException: first error: STORAGE_LIMIT_EXCEEDED, storage limit", FULL),
    (FLOW, f"{BY_FLOW}UNABLE_TO_LOCK_ROW: unable to obtain exclusive access to this record", LOCK),
    (FLOW, f"{BY_FLOW}The number of iterations exceeded the limit", "transaction_limit"),
    (RULE, "System.LimitException: Too many DML rows: 10001", LIMIT),
    ("UNKNOWN_EXCEPTION", "Updates can't be made during maintenance. Try again later.", READ_ONLY),
    ("INSUFFICIENT_ACCESS_OR_READONLY", "This organization is currently in read-only mode", READ_ONLY),
    ("LIMIT_EXCEEDED", "System.LimitException: Apex heap size too large: 6000001", "LIMIT_EXCEEDED"),
    ("INVALID_FIELD", "Foreign key external ID: 12 not found for field DrChrono_Id__c in entity Contact", PARENT),
]  # fmt: skip
# what is no such thing, though words of it are there
NOT_NAMED = [
    ("INVALID_FIELD", "No such column 'Nope__c' on sobject of type Contact"),
    ("STRING_TOO_LONG", "Last Name: data value too large: UNABLE_TO_LOCK_ROW (max length=10)"),
    ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value for restricted picklist field: read-only mode"),
    (RULE, "A device under maintenance has no patient; too many SOQL queries is no reason"),
    (FLOW, "We can't save this record because the “Maintenance Plan” process failed."),
    (TRIGGER, f"{BY_TRIGGER}System.NullPointerException: Attempt to de-reference a null object"),
    ("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"),
    ("a_code_nobody_knows", ""),
]
MET = {  # codes that people meet every day -> a word of what they have to do
    FULL: "free storage",
    "ENTITY_IS_LOCKED": "approval",
    "INACTIVE_OWNER_OR_USER": "owner",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "edit access",
    "FIELD_FILTER_VALIDATION_EXCEPTION": "lookup filter",
    "FIELD_INTEGRITY_EXCEPTION": "state",
    FLOW: "flow",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "access",
    "UNAVAILABLE_RECORDTYPE_EXCEPTION": "record type",
    "DUPLICATES_DETECTED": "duplicate rule",
    RULE: "validation rule",
    LIMIT: "one transaction",
    READ_ONLY: "nothing need be done",
}


def test_every_published_code_has_a_meaning():
    assert len(PUBLISHED) > 700
    assert [code for code in PUBLISHED if class_of(code) is FailureClass.OTHER or fix(code) == NO_ADVICE] == []


@pytest.mark.parametrize("code", MET)
def test_what_people_meet_every_day_says_in_words_what_to_do(code):
    assert MET[code] in fix(code).lower()


@pytest.mark.parametrize(("code", "message", "cause"), NAMED)
def test_words_that_name_a_lock_a_limit_or_an_orgs_state_count_as_that(code, message, cause):
    assert cause_named(code, message) == cause


@pytest.mark.parametrize(("code", "message"), NOT_NAMED)
def test_the_words_of_a_value_a_rule_or_a_name_count_for_nothing(code, message):
    assert cause_named(code, message) == code


@pytest.mark.parametrize(
    ("cause", "scope", "passes"),
    [
        (LOCK, RefusalScope.RECORD, True),
        (PARENT, RefusalScope.RECORD, True),
        ("ENTITY_IS_LOCKED", RefusalScope.RECORD, False),
        (LIMIT, RefusalScope.CALL, True),
        (TRIGGER, RefusalScope.CALL, False),
        (READ_ONLY, RefusalScope.ORG, True),
        ("INVALID_SESSION_ID", RefusalScope.CONNECTION, False),
        ("too_long", RefusalScope.RECORD, False),
    ],
)
def test_a_cause_says_what_it_is_about_and_whether_it_passes(cause, scope, passes):
    assert (look_up(cause).scope, look_up(cause).passes) == (scope, passes)
