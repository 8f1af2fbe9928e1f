"""What a record must satisfy to be written: required fields, unique ids, injected refusals, the duplicate rule.

Each check raises `RecordError`. A person at the screen is not bothered by injected refusals nor by the state of the
org, and clicks duplicate warnings away.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.standins.salesforce.errors import RecordError
from tests.standins.salesforce.org import HUMAN, Org
from tests.standins.salesforce.records import Row, Table, key_of


@dataclass(slots=True)
class Call:
    """Who writes, when, and what other records of the same call already laid claim to."""

    org: Org
    human: bool = False
    allow_save: bool = False
    stamp: str = ""
    claims: set[tuple[str, str, Any]] = field(default_factory=set)
    rewritten: Row = field(default_factory=dict)  # what was sent of the record just stored and a trigger has rewritten
    before: Row | None = None  # what the changed fields of the record just stored held; None: it is new

    def __post_init__(self) -> None:
        self.stamp = self.org.stamp()

    @property
    def user(self) -> str:
        return HUMAN if self.human else self.org.user


def check_object(table: Table, row: Row | None) -> None:
    # Which code stands for a missing object permission is recalled, not read.
    kind = table.kind
    if row is None and not kind.createable:
        raise RecordError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {kind.name}")
    if row is not None and not kind.updateable:
        raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", status=403)


def check_deletion(org: Org, table: Table, row: Row) -> None:
    """Whether the record may be deleted by whoever calls."""
    if not table.kind.deletable:
        raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", status=403)
    check_org(org, row)


def check_org(org: Org, row: Row | None) -> None:
    """Whether the org takes a write now, and whether this record may be written at all; `row`: None for a new one."""
    known = org.settings
    if known.read_only:
        message = "Updates can't be made during maintenance. Try again when maintenance is complete."
        raise RecordError("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", message)
    if row is None and known.storage_full:
        raise RecordError("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
    if row is not None and row["Id"] in known.under_approval:
        raise RecordError("ENTITY_IS_LOCKED", "entity is locked for editing")
    if row is not None and row["Id"] in known.owner_left:
        message = f"operation performed with inactive user [{HUMAN}] as owner of contact"
        raise RecordError("INACTIVE_OWNER_OR_USER", message)


_REWRITES = {"upper": str.upper, "digits": lambda text: "".join(filter(str.isdigit, text))}


def rewritten(org: Org, table: Table, values: Row) -> Row:
    """Those of the values that the org's own trigger stores otherwise, whoever sends them, as it stores them."""
    found = {}
    for place, how in org.settings.rewrites.items():
        kind, _, name = place.partition(".")
        if kind == table.kind.name and isinstance(values.get(name), str):
            found[name] = _REWRITES[how](values[name])
    return {name: value for name, value in found.items() if value != values[name]}


_RUNS = "acme.{kind}Trigger: execution of BeforeInsert\n\ncaused by: {why}"


def check_transaction(org: Org, kind: str, records: Sequence[Row]) -> None:
    """Whether the org's own code copes with what is written in one transaction: where it does not, none is."""
    known = org.settings
    why = ""
    if known.most_in_transaction and len(records) > known.most_in_transaction:
        why = "System.LimitException: Too many SOQL queries: 101"
    elif known.trigger_fails_on and any(one.get("LastName") == known.trigger_fails_on for one in records):
        why = "System.NullPointerException: Attempt to de-reference a null object"
    if why:
        raise RecordError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", _RUNS.format(kind=kind, why=why))


def check_required(table: Table, values: Row, row: Row | None, *, filled: tuple[str, ...] = ()) -> None:
    missing = [
        column.name
        for column in table.kind.required
        if column.name not in filled
        and values.get(column.name) is None
        and (column.name in values or (row is None and not column.filled_in))
    ]
    if missing:
        raise RecordError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)


def check_validation(org: Org, table: Table, values: Row, row: Row | None) -> None:
    """Whether the record, as it would be stored, satisfies the org's own rules, which bind people as well."""
    for rule in org.settings.validation_rules:
        if rule["object"] != table.kind.name or not rule.get("active", True):
            continue
        value = {**(row or {}), **values}.get(rule["field"])
        if value is not None and not re.fullmatch(rule["like"], str(value)):
            raise RecordError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule["message"], [rule["field"]])


def check_unique(call: Call, table: Table, values: Row, row: Row | None) -> None:
    for column in table.kind.unique:
        value = values.get(column.name)
        if value is None:
            continue
        others = [other["Id"] for other in table.find(column, value) if other is not row]
        if not others and (table.kind.name, column.name, key_of(column, value)) in call.claims:
            others = ["<unknown>"]
        if others:
            message = f"duplicate value found: {column.name} duplicates value on record with id: {others[0]}"
            raise RecordError("DUPLICATE_VALUE", message)


def check_assignment(org: Org, table: Table, values: Row) -> None:
    """A permission set is assigned to a user once."""
    if table.kind.name != "PermissionSetAssignment":
        return
    pair = values.get("AssigneeId"), values.get("PermissionSetId")
    if any((row["AssigneeId"], row["PermissionSetId"]) == pair for row in table.live()):
        message = f"Duplicate PermissionSetAssignment. Assignee: {pair[0]}; Permission Set: {pair[1]}"
        raise RecordError("DUPLICATE_VALUE", message)


def check_faults(org: Org, table: Table, values: Row, row: Row | None) -> None:
    if not org.record_faults:
        return
    keys = tuple(column.name for column in table.kind.own if column.external_id)
    for fault in org.record_faults:
        if fault.fits(table.kind.name, values, keys) or (row and fault.fits(table.kind.name, row, keys)):
            fault.next -= 1
            if fault.next <= 0:
                org.record_faults.remove(fault)
            raise RecordError(fault.statusCode, fault.message, fault.fields)


def check_duplicates(call: Call, table: Table, values: Row, row: Row | None) -> None:
    rule = call.org.settings.duplicate_rule
    if rule == "off" or table.kind.name != "Contact" or (rule == "alert" and call.allow_save):
        return
    before = row or table.kind.blank
    if all(values.get(name, before[name]) == before[name] for name in ("FirstName", "LastName", "Birthdate")):
        return
    found = table.same_person({**before, **values})
    if found:
        extra = {"duplicateResult": _duplicate_result(found, allow_save=rule == "alert")}
        raise RecordError("DUPLICATES_DETECTED", "Use one of these records?", None, extra=extra)


def _duplicate_result(found: list[Row], *, allow_save: bool) -> dict[str, Any]:
    records = [
        {
            "additionalInformation": [],
            "fieldDiffs": [],
            "matchConfidence": 90.0,
            "record": {
                "attributes": {"type": "Contact", "url": f"/services/data/v67.0/sobjects/Contact/{row['Id']}"},
                "Id": row["Id"],
            },
        }
        for row in found
    ]
    match = {
        "entityType": "Contact",
        "errors": [],
        "matchEngine": "FuzzyMatchEngine",
        "matchRecords": records,
        "rule": "Standard_Contact_Match_Rule_v1_1",
        "size": len(records),
        "success": True,
    }
    return {
        "allowSave": allow_save,
        "duplicateRule": "Standard_Contact_Duplicate_Rule",
        "duplicateRuleEntityType": "Contact",
        "errorMessage": "Use one of these records?",
        "matchResults": [match],
    }
