"""Failure causes: what is wrong with a record, in a vendor's words or ours; one table, a row a cause.

Causes are without end, their classes are few. A row says of what class a cause is, what a person does about it, on
which side, whether the record waits for a person's decision and for which, and whether it passes by itself. So a
dead letter always says why and what to do; what the table does not have has the fix of its form, or a general one.
Ours are here, Salesforce's codes in `vendor_errors.py`.
"""

from collections.abc import Mapping

from app.errors import BatchFailed, DocumentError, IdRefused, SyncError, Unexpected, ValueRefused, VendorError
from app.sync import vendor_errors
from app.sync.model import Decision, FailureCause, FailureClass, Side

# what a record waits or is held for, by the names that the core gives it
HELD, REWRITTEN = "held", "rewritten"
MISSING, NO_PARENT, NOTHING_TO_CREATE = "missing_for_drchrono", "parent_missing", "nothing_to_create"
PARENT_DISMISSED, PARENT_NOT_LINKED = "parent_dismissed", "parent_not_linked"
GONE_IN_DRCHRONO, GONE_IN_SALESFORCE = "gone_in_drchrono", "gone_in_salesforce"
SEVERAL: Mapping[Side, str] = {Side.DRCHRONO: "several_charts", Side.SALESFORCE: "several_contacts"}
IS_TAKEN, OTHER_KEY, NOT_SHOWN = "chart_of_another_contact", "names_another_chart", "chart_not_shown"
OTHER_LINK = "contact_of_another_link"
NOBODY, UNSETTLED, UNANSWERED = "says_not_who", "create_unsettled", "create_unanswered"
TWIN_CODE = "potential_duplicate"
OVERLAPS = "overlaps_"  # and the id of the visit that is in the way
NOT_AN_ID, OUT_OF_RANGE = "not_an_id", "date_out_of_range"
ID_REFUSED, VALUE_NOT_STORED = "id_refused", "value_not_stored"
ON_NO_PATIENT, SEVERAL_PATIENTS, SAME_CONTENT = "file_on_no_patient", "file_of_several_patients", "file_sent_already"
UNEXPECTED, EVERY_RECORD_FAILS = "unexpected_error", "every_record_fails"
# why the bytes of a document do not travel
TYPE_REFUSED, POLYGLOT, BIGTIFF = "document_type_refused", "document_polyglot", "document_bigtiff"
EXTENSION_DIFFERS, EMPTY_DOCUMENT, DOCUMENT_TOO_LARGE = (
    "document_extension_differs",
    "document_empty",
    "document_too_large",
)
MALWARE_FOUND, SCANNER_AWAY, SCANNER_LIMIT = "document_malware_found", "scanner_away", "scanner_limit"
BYTES_MISSING, BYTES_CHANGED, URL_REFUSED = "document_bytes_missing", "document_bytes_changed", "document_url_refused"
FILES_SPENT, FILE_TYPE_BLOCKED = "file_versions_spent", "file_type_blocked"  # Salesforce's day; its list of types
# what a record waits for by itself, and no person ever sees as a failure
ASK = "ask_drchrono"  # DrChrono's own word is needed, now
NOT_SHOWN_ONCE = "not_shown_once"  # DrChrono does not show it, and said nothing of it before: it is asked again
WRITE_UNSETTLED = "write_unsettled"  # a write of ours may yet land
BUSY = "match_busy"
NEVER_HERE = "never_here"
CIRCUIT_OPEN = "left_alone"  # a vendor that failed several calls in a row: none is made for a while
HOUR_IS_SPENT, SECONDS_ARE_FULL, DAY_IS_SPENT = "hour_is_spent", "seconds_are_full", "day_is_spent"
ASKED_TOO_OFTEN = "asked_too_often"  # of what a person wants to see: no record's failure
DRCHRONO_QUOTA_CAUSES = (HOUR_IS_SPENT, SECONDS_ARE_FULL, "HTTP_429")  # calls, that is: the vendor is not away
SALESFORCE_QUOTA_CAUSES = (DAY_IS_SPENT, "REQUEST_LIMIT_EXCEEDED")

_NO_ANSWER = "The vendor did not answer, or not so that it could be read; retry, and ask the vendor if it repeats."
_REFUSED = "The vendor refused the request itself; report it with the record's id."
_OTHER = "Look the code up in the vendor's documentation, correct the record, then retry."

_UNREADABLE = (
    "ANSWER_DOES_NOT_FIT NOT_JSON NO_RECORDS OutcomeUnknown Unreadable NO_ID NO_USER NO_FIELDS "
    "NO_LIMITS NO_VERSIONS NO_JOB NO_KEY NO_RESULT NO_GRANT JOB_ABORTED JOB_GOES_ON "
    "NOT_CSV NO_FILE NOT_TAKEN OTHER_HOST ENDLESS_LIST job_failed NO_ZIP ZIP_TOO_LARGE"
)
_VALUES = {  # what is wrong with a value, and what a person does about it
    "too_long": "Shorten the named field in DrChrono, or raise max_length in the mapping and the field's length.",
    "unknown_state": "DrChrono takes two letters of a state of the United States or Canada; correct the named field.",
    "state_not_listed": "The org's list has no such state: add it under its country in Setup, State and "
    "Country/Territory Picklists, or correct the named field.",
    "not_in_picklist": "The named field is a restricted picklist without that value; add it there, or give the row of "
    "the mapping codec enum with `values`.",
    "number_out_of_range": "The number has more digits than Salesforce's field; correct it, or widen the field there.",
    "too_many_decimals": "Salesforce's field would round the number; give it more decimal places there.",
    "unknown_value": "Add the value to the named field's `values` in the mapping, and to Salesforce's picklist.",
    "not_a_date": "Correct the named date; it must be a calendar day.",
    "not_a_number": "The named field holds something that is no number; correct it where it was entered.",
    "not_tags": "DrChrono gave the document's tags in a form we do not know; save them there anew.",
    "tag_with_comma": "Salesforce keeps tags in one text, with commas between; rename the tag in DrChrono without one.",
    "not_a_flag": "The named field is neither yes nor no; map it with another codec.",
    "not_a_local_time": "DrChrono gave a time in a form we do not know; report it with the record's id.",
    "not_an_instant": "Salesforce gave a time in a form we do not know; map the field to a date and time.",
    "not_text": "The named field holds something that is no text; correct it, or map it with another codec.",
    NOT_AN_ID: "The named field refers to a record by something that is no id; correct it where it was entered.",
    OUT_OF_RANGE: "Correct the named date; Salesforce takes the years 1700 to 4000.",
    VALUE_NOT_STORED: "The database does not take or give back a part of it; look for odd characters or endless text.",
    "unknown_time_zone": "Correct the time zone of the visit's doctor in DrChrono's account settings.",
    "repeated_hour": "The clocks go back then, so the time exists twice; we took the first. Ask the practice.",
    "missing_hour": "The clocks go forward then, so that time does not exist; we took an hour later. Move the visit.",
    "HTTP_400": "DrChrono does not take the named field's value; correct it in Salesforce.",
    TYPE_REFUSED: "Only the types that the mapping's [document] table lists travel; save the document as a PDF, add "
    "that one, and dismiss this one.",
    POLYGLOT: "A file of two types at once can hide things from scanners; save it anew from the program that made it, "
    "and add that copy.",
    BIGTIFF: "Save the image as an ordinary TIFF, a PNG or a PDF, and add that copy.",
    EXTENSION_DIFFERS: "Rename the file so that its extension says what it is, or save it anew; then add that copy.",
    EMPTY_DOCUMENT: "The file has no content; add it again from where it came from, and dismiss this one.",
    DOCUMENT_TOO_LARGE: "Make the file smaller, or raise DOCUMENT_MAX_MB as far as both systems take it; then retry.",
}
_ROWS = (
    *(FailureCause(name, FailureClass.VALUE, fix) for name, fix in _VALUES.items()),
    FailureCause(
        "cannot_be_empty",
        FailureClass.MISSING,
        "DrChrono does not do without the named field; fill it in again in Salesforce.",
    ),
    FailureCause(
        "required_by_salesforce",
        FailureClass.MISSING,
        "Salesforce never lets the named field be empty; fill it in again in DrChrono, or lift the requirement.",
    ),
    FailureCause(
        MISSING,
        FailureClass.MISSING,
        "Fill the named field in Salesforce; DrChrono takes no new record without it. For the doctor, "
        "DRCHRONO_DEFAULT_DOCTOR does too.",
    ),
    FailureCause(NOBODY, FailureClass.MISSING, "The name has no letter in it; correct it in Salesforce.", is_held=True),
    FailureCause(
        NOTHING_TO_CREATE,
        FailureClass.MISSING,
        "Every mapped field of it is empty in DrChrono; fill in at least the name there.",
    ),
    FailureCause(
        "HTTP_403",
        FailureClass.ACCESS,
        "The connected user lacks a permission or a scope for this call; grant it, then retry.",
    ),
    FailureCause(
        OTHER_LINK,
        FailureClass.IDENTITY,
        "Two charts claim one Contact, or two Contacts one chart; clear the wrong DrChrono id.",
        is_held=True,
    ),
    FailureCause(
        SEVERAL[Side.DRCHRONO],
        FailureClass.IDENTITY,
        "Several charts have this name and birth date; link the right one, or put its id into the Contact.",
        is_held=True,
        side=Side.DRCHRONO,
        decision=Decision.RECORD_IN_DRCHRONO,
    ),
    FailureCause(
        SEVERAL[Side.SALESFORCE],
        FailureClass.IDENTITY,
        "Several Contacts have this name and birth date; link the right one, or put the chart's id into it.",
        is_held=True,
        decision=Decision.RECORD_IN_SALESFORCE,
    ),
    FailureCause(
        ON_NO_PATIENT,
        FailureClass.MISSING,
        "The File is on no patient's record; put it on the one it belongs to, or untick it.",
    ),
    FailureCause(
        SEVERAL_PATIENTS,
        FailureClass.IDENTITY,
        "The File is on the records of several patients, and a document is of one; take it off the others.",
    ),
    FailureCause(
        SAME_CONTENT,
        FailureClass.IDENTITY,
        "The same file is a document of that patient already, by another File; dismiss this one, or untick it.",
        is_held=True,
    ),
    FailureCause(
        IS_TAKEN,
        FailureClass.IDENTITY,
        "Merge the two Contacts, here or in Salesforce.",
        is_held=True,
        decision=Decision.MERGE,
    ),
    FailureCause(
        NOT_SHOWN,
        FailureClass.IDENTITY,
        "This person had a chart, which DrChrono does not show any more: deleted, merged or hidden from our user. Find "
        "the right one there and put its id into the Contact, or have a new chart created.",
        is_held=True,
        side=Side.DRCHRONO,
        decision=Decision.NEW_IN_DRCHRONO,
    ),
    FailureCause(
        OTHER_KEY,
        FailureClass.IDENTITY,
        "The Contact names another chart than the one it is linked to; correct its DrChrono id.",
        is_held=True,
    ),
    FailureCause(
        TWIN_CODE,
        FailureClass.IDENTITY,
        "DrChrono takes the patient for one it has; link the possible match it shows. Whom it does not show, find "
        "there, and put the id into the Contact.",
        is_held=True,
        decision=Decision.RECORD_IN_DRCHRONO,
    ),
    FailureCause(
        ID_REFUSED,
        FailureClass.IDENTITY,
        "Salesforce refuses every question about this record, and about no other; check its id, then dismiss it.",
    ),
    FailureCause(
        "OTHER_RECORD",
        FailureClass.IDENTITY,
        "DrChrono answered with another record than asked for; report it with the record's id.",
    ),
    FailureCause(
        NO_PARENT,
        FailureClass.PARENT,
        "The record named there is gone from one of the two systems, or cannot be created; fix that one first.",
    ),
    FailureCause(
        PARENT_DISMISSED,
        FailureClass.PARENT,
        "The record named there failed and was dismissed, so this one cannot follow it; restore that one first.",
    ),
    FailureCause(
        PARENT_NOT_LINKED,
        FailureClass.PARENT,
        "It refers to a record that DrChrono does not know; tick that one's box, or choose another.",
    ),
    FailureCause(
        GONE_IN_SALESFORCE,
        FailureClass.GONE,
        "Deleted in Salesforce, or not shared with us; undelete or share it, or dismiss it here.",
        is_held=True,
    ),
    FailureCause(
        GONE_IN_DRCHRONO,
        FailureClass.GONE,
        "It was deleted, merged or hidden from our user in DrChrono; look there before acting here.",
        is_held=True,
        side=Side.DRCHRONO,
    ),
    FailureCause(
        HELD,
        FailureClass.CONFLICT,
        "Both systems changed the named field; choose the value to keep, or save it in both systems.",
        is_held=True,
        decision=Decision.FIELDS,
    ),
    FailureCause(
        REWRITTEN,
        FailureClass.CONFLICT,
        "Some automation keeps rewriting the named field; find and stop it, then choose the value to keep.",
        is_held=True,
        decision=Decision.FIELDS,
    ),
    FailureCause(
        UNSETTLED,
        FailureClass.ANSWER,
        "It was not said whether it was created, and it cannot be searched for; look there by hand.",
    ),
    FailureCause(
        UNANSWERED,
        FailureClass.ANSWER,
        "The system that was to create it did not answer, and has not created it, at any attempt; retry when it is "
        "well.",
    ),
    FailureCause(
        "UNKNOWN",
        FailureClass.ANSWER,
        "Salesforce gave no reason; save the record there by hand, and what it complains of is the reason.",
    ),
    FailureCause(
        UNEXPECTED,
        FailureClass.INTERNAL,
        "This record met a mistake of this service; report the log's line `record.unexpected`, then retry.",
    ),
    FailureCause(
        EVERY_RECORD_FAILS,
        FailureClass.INTERNAL,
        "No record is to blame; look at the mapping's last change, report the log's line `batch.failed`.",
    ),
    FailureCause(
        "NO_PERMISSION_SET",
        FailureClass.ANSWER,
        "The org lacks the permission set; run `chronobridge salesforce deploy`, which brings it.",
    ),
    FailureCause(
        MALWARE_FOUND,
        FailureClass.RULE,
        "Do not open the document; show it to whoever is responsible for security. If the scanner is wrong, correct "
        "its rules, then retry.",
    ),
    FailureCause(
        SCANNER_AWAY,
        FailureClass.ANSWER,
        "No document travels unscanned: start the scanner that DOCUMENT_SCANNER names, or correct the address, and see "
        "that its own size limit is above DOCUMENT_MAX_MB; what waits goes on by itself then.",
        passes=True,
    ),
    FailureCause(
        SCANNER_LIMIT,
        FailureClass.ANSWER,
        "The scanner does not take a document of this size: raise its limit above DOCUMENT_MAX_MB (of clamd, "
        "StreamMaxLength), then restart it.",
        passes=True,
    ),
    FailureCause(
        FILES_SPENT,
        FailureClass.ANSWER,
        "The org has made as many versions of files as it may in 24 hours, ours and those of others; what waits goes "
        "on by itself when some are left.",
        passes=True,
    ),
    FailureCause(
        FILE_TYPE_BLOCKED,
        FailureClass.RULE,
        "The org blocks files of this type: allow it in Setup, File Upload and Download Security, then retry; or take "
        "it out of `types` in the mapping.",
    ),
    FailureCause(
        BYTES_MISSING,
        FailureClass.ANSWER,
        "DrChrono lists the document and does not serve its file; open it there, upload it again if it is not shown, "
        "then retry.",
        side=Side.DRCHRONO,
        passes=True,
    ),
    FailureCause(
        BYTES_CHANGED,
        FailureClass.ANSWER,
        "The file was another one at each reading; open it where it comes from, then retry.",
        passes=True,
    ),
    FailureCause(
        URL_REFUSED,
        FailureClass.ACCESS,
        "DrChrono names a place for the file that is not reached by https on the internet; nothing is read from there. "
        "Report it to DrChrono with the document's id.",
        side=Side.DRCHRONO,
    ),
    FailureCause("NO_ANSWER", FailureClass.ANSWER, _OTHER),
    *(FailureCause(name, FailureClass.ANSWER, _NO_ANSWER) for name in _UNREADABLE.split()),
)
CAUSES: Mapping[str, FailureCause] = {cause.name: cause for cause in (*vendor_errors.ROWS, *_ROWS)}
_GONE = {name for name, cause in CAUSES.items() if cause.group is FailureClass.GONE}
# side -> what a linked record fails with that is not there on that side, so that none there can refer to it
GONE_ON: Mapping[Side, frozenset[str]] = {
    Side.DRCHRONO: frozenset({GONE_IN_DRCHRONO}),
    Side.SALESFORCE: frozenset(_GONE - {GONE_IN_DRCHRONO} | {OTHER_LINK}),
}


def look_up(name: str) -> FailureCause:
    """Give the row of a cause; one that is not in the table has what its form says of it."""
    if name in CAUSES:
        return CAUSES[name]
    if name.startswith(OVERLAPS):
        visit = name.removeprefix(OVERLAPS)
        return FailureCause(
            name, FailureClass.CLASH, f"Visit {visit} is at that time in DrChrono; move one of the two."
        )
    if name.startswith("HTTP_5") or name.endswith(("Timeout", "Error")):
        return FailureCause(name, FailureClass.ANSWER, _NO_ANSWER)
    if (found := vendor_errors.of_its_kind(name)) is not None:
        return found
    return FailureCause(name, FailureClass.OTHER, _REFUSED if name.startswith("HTTP_4") else _OTHER)


def class_of(cause: str) -> FailureClass:
    """Give the sort of thing that a cause says is wrong."""
    return look_up(cause).group


def fix(cause: str) -> str:
    """Give what a person should do about a cause."""
    return look_up(cause).fix


def vendor_code(cause: str) -> str:
    """Give the vendor's own code; empty where the cause is one of ours."""
    return cause if cause.startswith("HTTP_") or vendor_errors.of_its_kind(cause) is not None else ""


def paused_by(side: str) -> str:
    """Give the name under which records wait for a side's credential."""
    return f"{side}_paused"


_NAMED: Mapping[type[SyncError], str] = {
    IdRefused: ID_REFUSED,
    ValueRefused: VALUE_NOT_STORED,
    Unexpected: UNEXPECTED,
    BatchFailed: EVERY_RECORD_FAILS,
}


def cause_of(error: SyncError) -> tuple[str, tuple[str, ...]]:
    """Give the stable name of an error and the field names it blames."""
    if type(error) in _NAMED:
        return _NAMED[type(error)], ()
    if isinstance(error, VendorError):
        return error.cause, error.fields
    if isinstance(error, DocumentError):
        return error.cause, (error.word,) if error.word else ()
    return type(error).__name__, ()
