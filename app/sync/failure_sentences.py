"""Failure sentences: what is wrong with a record, in one sentence for a person who works with it (pure).

Fields are named by their labels, which are the mapping's own words for them. What a person does about it is the fix in
`failure_causes.py`. Never a value.
"""

from collections.abc import Mapping, Sequence

from app.sync.failure_causes import (
    BIGTIFF,
    BYTES_CHANGED,
    BYTES_MISSING,
    DOCUMENT_TOO_LARGE,
    EMPTY_DOCUMENT,
    EXTENSION_DIFFERS,
    FILE_TYPE_BLOCKED,
    FILES_SPENT,
    GONE_IN_DRCHRONO,
    GONE_IN_SALESFORCE,
    HELD,
    ID_REFUSED,
    IS_TAKEN,
    MALWARE_FOUND,
    MISSING,
    NO_PARENT,
    NOBODY,
    NOT_AN_ID,
    NOT_SHOWN,
    NOTHING_TO_CREATE,
    ON_NO_PATIENT,
    OTHER_KEY,
    OTHER_LINK,
    OUT_OF_RANGE,
    OVERLAPS,
    PARENT_DISMISSED,
    PARENT_NOT_LINKED,
    POLYGLOT,
    REWRITTEN,
    SAME_CONTENT,
    SCANNER_AWAY,
    SCANNER_LIMIT,
    SEVERAL,
    SEVERAL_PATIENTS,
    TWIN_CODE,
    TYPE_REFUSED,
    UNANSWERED,
    UNSETTLED,
    URL_REFUSED,
    VALUE_NOT_STORED,
    class_of,
)
from app.sync.mappings.table import Table
from app.sync.model import FailureClass, Kind, Side

NAMES = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}
_CLASH = "Another appointment is at that time in DrChrono."
# {names}: the labels; {a_names}: each with its article; {kind}: what it is; {side}: where it failed
_OF_CAUSES: Mapping[str, str] = {
    "cannot_be_empty": "DrChrono needs {a_names}.",
    MISSING: "DrChrono needs {a_names}.",
    "required_by_salesforce": "Salesforce needs {a_names}.",
    "too_long": "The value of {names} is too long for Salesforce.",
    "unknown_state": "The value of {names} is not a state that DrChrono knows.",
    "state_not_listed": "The value of {names} is not in Salesforce's list of states.",
    "not_in_picklist": "The value of {names} is not in Salesforce's picklist.",
    "number_out_of_range": "The number in {names} has too many digits for Salesforce.",
    "too_many_decimals": "The number in {names} has too many decimal places for Salesforce.",
    "unknown_value": "The mapping does not know the value of {names}.",
    "not_a_date": "The value of {names} is not a date.",
    "not_a_number": "The value of {names} is not a number.",
    "not_a_flag": "The value of {names} is neither yes nor no.",
    "not_a_local_time": "The value of {names} is not a time that can be read.",
    "not_an_instant": "The value of {names} is not a time that can be read.",
    "not_text": "The value of {names} is not text.",
    NOT_AN_ID: "The value of {names} does not name a record.",
    OUT_OF_RANGE: "Salesforce does not accept the date in {names}.",
    "unknown_time_zone": "The time zone of the doctor is not known.",
    "repeated_hour": "The time of the appointment exists twice, because the clocks go back.",
    "missing_hour": "The time of the appointment does not exist, because the clocks go forward.",
    VALUE_NOT_STORED: "A part of this {kind} cannot be stored.",
    NOBODY: "The name has no letters in it.",
    NOTHING_TO_CREATE: "This {kind} is empty in DrChrono.",
    OTHER_LINK: "This record and another one are matched with the same record.",
    SEVERAL[Side.DRCHRONO]: "Several patients in DrChrono have this name and birth date.",
    SEVERAL[Side.SALESFORCE]: "Several Contacts in Salesforce have this name and birth date.",
    IS_TAKEN: "The patient with this name and birth date is linked to another Contact.",
    NOT_SHOWN: "DrChrono no longer shows the patient who had this name and birth date.",
    OTHER_KEY: "The Contact names another chart than the one it is linked to.",
    TWIN_CODE: "DrChrono takes this patient for one that it already has.",
    ID_REFUSED: "Salesforce rejects every request about this record.",
    "OTHER_RECORD": "DrChrono answered with another record.",
    NO_PARENT: "A record that this {kind} refers to is missing.",
    PARENT_DISMISSED: "A record that this {kind} refers to was dismissed.",
    PARENT_NOT_LINKED: "This {kind} refers to a record that DrChrono does not know.",
    GONE_IN_SALESFORCE: "The record was deleted in Salesforce, or is no longer shared.",
    GONE_IN_DRCHRONO: "The record was deleted, merged or hidden in DrChrono.",
    HELD: "Both systems changed {names}.",
    REWRITTEN: "An automation keeps rewriting {names}.",
    UNSETTLED: "{side} did not confirm whether it created this {kind}.",
    UNANSWERED: "{side} did not answer when this {kind} was to be created.",
    "UNKNOWN": "Salesforce rejected this {kind} without a reason.",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule in Salesforce rejects this {kind}{of_names}.",
    "HTTP_400": "DrChrono does not accept {names}.",
    "HTTP_403": "{side} denies access to this {kind}.",
    TYPE_REFUSED: "The file of this {kind} is of a type that does not travel.",
    POLYGLOT: "The file of this {kind} is of two types at once.",
    BIGTIFF: "The file of this {kind} is a BigTIFF, which does not travel.",
    EXTENSION_DIFFERS: "The extension of this {kind}'s file says another type than its content.",
    EMPTY_DOCUMENT: "The file of this {kind} is empty.",
    DOCUMENT_TOO_LARGE: "The file of this {kind} is too large.",
    MALWARE_FOUND: "The scanner found something in the file of this {kind}{of_names}.",
    SCANNER_AWAY: "The scanner did not say whether the file of this {kind} is clean.",
    SCANNER_LIMIT: "The file of this {kind} is larger than the scanner takes.",
    FILES_SPENT: "Salesforce takes no more files today.",
    FILE_TYPE_BLOCKED: "Salesforce does not accept the file of this {kind}, because its type is blocked there.",
    BYTES_MISSING: "DrChrono does not serve the file of this {kind} yet.",
    BYTES_CHANGED: "The file of this {kind} changed while it was read.",
    URL_REFUSED: "DrChrono keeps the file of this {kind} at an address that may not be read.",
}
_OF_DOCUMENTS: Mapping[str, str] = {  # what is said of one in other words: in Salesforce it is a version of a File
    GONE_IN_DRCHRONO: "DrChrono no longer shows this document.",
    GONE_IN_SALESFORCE: "The File of this document was deleted in Salesforce, or is no longer shared.",
    NO_PARENT: "The patient of this document is not linked.",
    PARENT_DISMISSED: "The patient of this document was dismissed.",
    PARENT_NOT_LINKED: "The File of this document is on somebody whom DrChrono does not know.",
    ON_NO_PATIENT: "The File of this document is on no patient in Salesforce.",
    SEVERAL_PATIENTS: "The File of this document is on several patients in Salesforce.",
    SAME_CONTENT: "The File of this document has the same content as another document of the patient in DrChrono.",
    ID_REFUSED: "Salesforce rejects every request about the File of this document.",
    OTHER_LINK: "This document and another one are matched with the same File.",
    "OTHER_RECORD": "DrChrono answered with another document.",
    "not_tags": "DrChrono gave the tags of this document in a form that cannot be read.",
    "tag_with_comma": "A tag of this document in DrChrono has a comma in it.",
    FILES_SPENT: "Salesforce takes no more Files today, so this document waits.",
}
_OF_CLASSES: Mapping[FailureClass, str] = {
    FailureClass.VALUE: "{side} does not accept {names}.",
    FailureClass.MISSING: "{side} needs {a_names}.",
    FailureClass.RULE: "A rule or an automation in {side} rejects this {kind}{of_names}.",
    FailureClass.ACCESS: "The connected user lacks a permission in {side} for this {kind}{of_names}.",
    FailureClass.IDENTITY: "{side} takes this {kind} for another record.",
    FailureClass.PARENT: "A record that this {kind} refers to is missing.",
    FailureClass.GONE: "This {kind} is gone in {side}.",
    FailureClass.CONFLICT: "Both systems changed {names}.",
    FailureClass.CLASH: _CLASH,
    FailureClass.ANSWER: "{side} did not answer, or not so that it could be read.",
    FailureClass.INTERNAL: "This {kind} met an error of this service.",
    FailureClass.ORG: "{side} accepts no changes at the moment.",
    FailureClass.OTHER: "{side} rejected this {kind}{of_names}.",
}


def labels(table: Table | None, side: Side, fields: Sequence[str]) -> tuple[str, ...]:
    """Give what people call fields that a side names; one that the mapping does not have keeps its name."""
    known = {} if table is None else {name: row.name for row in table.rows.values() for name in row.called(side)}
    return tuple(dict.fromkeys(known[name].replace("_", " ") if name in known else name for name in fields))


def sentence(cause: str, side: Side, kind: Kind, fields: Sequence[str] = ()) -> str:
    """Give what is wrong with a record.

    side    where it failed
    fields  those the cause is about, by their labels
    """
    if cause.startswith(OVERLAPS):
        return _CLASH
    own = _OF_DOCUMENTS.get(cause) if kind is Kind.DOCUMENT else None
    text = own or _OF_CAUSES.get(cause) or _OF_CLASSES[class_of(cause)]
    names = _listed([f"the {name}" if _is_word(name) else name for name in fields])
    a_names = _listed([_with_article(name) for name in fields])
    return text.format(
        names=names or f"a value of this {kind.value}",
        a_names=a_names or "a value that is missing",
        of_names=f" ({', '.join(fields)})" if fields else "",
        kind=kind.value,
        side=NAMES[side],
    )


def _is_word(name: str) -> bool:
    """Say whether a name is a label of ours, and no name that a vendor gives to a field or an automation."""
    return name.islower() and "_" not in name


def _with_article(name: str) -> str:
    if not _is_word(name):
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _listed(names: Sequence[str]) -> str:
    """Give names as a sentence lists them."""
    return " and ".join([part for part in (", ".join(names[:-1]), names[-1]) if part]) if names else ""
