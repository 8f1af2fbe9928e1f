"""Which changes of files the package's triggers tell of, and by which of their versions.

A file is of interest once a version of it is ticked or names its document at DrChrono. What the integration user does
is not told, nor is a link that goes with its file, nor one that a merge moves, nor an edit of anything but the title
and what was deployed.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from tests.standins.salesforce.files import DOCUMENT, LINK, VERSION, latest_of, versions_of
from tests.standins.salesforce.metadata.components import Catalog
from tests.standins.salesforce.org import Org
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.rules import Call

TICK, KEY = "Send_To_DrChrono__c", "DrChrono_Document_Id__c"
PERMISSION = "drchrono_integration"
_TRIGGER = re.compile(r"\btrigger\s+\w+\s+on\s+(\w+)\s*\(([^)]*)\)")
_PATIENTS = re.compile(r"\bPATIENTS\s*=\s*(\w+)\.SObjectType")
_CALLED = "DrChronoDocuments."
_OPERATIONS = {
    (LINK, "created"): "after insert", (LINK, "deleted"): "before delete",
    (VERSION, "created"): "after insert", (VERSION, "updated"): "after update",
    (DOCUMENT, "updated"): "after update", (DOCUMENT, "deleted"): "before delete",
    (DOCUMENT, "undeleted"): "after undelete",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that is told: what happened, and to which version."""

    action: str
    version: Row


@lru_cache(maxsize=64)
def _triggers(catalog: Catalog) -> frozenset[tuple[str, str]]:
    """The objects and the operations on which the package's triggers for files run."""
    found = set()
    for one in catalog.of("ApexTrigger"):
        code = b"".join(content for _, content in one.files).decode()
        on = _TRIGGER.search(code)
        if on is not None and _CALLED in code:
            found |= {(on[1], operation.strip().lower()) for operation in on[2].split(",")}
    return frozenset(found)


@lru_cache(maxsize=64)
def _patients(catalog: Catalog) -> str:
    """The object whose records are patients, as the package's class has it."""
    code = b"".join(content for one in catalog.of("ApexClass") for _, content in one.files).decode()
    found = _PATIENTS.search(code)
    return found[1] if found else "Contact"


def told_of(call: Call, table: Table, row: Row, op: str, changed: list[str]) -> list[Told]:
    """What the package tells of a change that was just made; nothing where it has no trigger for it."""
    org, name = call.org, table.kind.name
    operation = _OPERATIONS.get((name, op))
    if operation is None or (name, operation) not in _triggers(org.catalog):
        return []
    is_edit = op != "updated" or any(one == "Title" or one.endswith("__c") for one in changed)
    if not is_edit or PERMISSION in org.permissions_of(call.user):
        return []
    if name == VERSION:
        was = {**row, **(call.before or {})}
        is_known = row["VersionNumber"] != "1" and _is_known(org, row["ContentDocumentId"])
        return [Told("changed", row)] if _is_of_interest(row) or _is_of_interest(was) or is_known else []
    if name == LINK:
        is_patient = row["LinkedEntityId"] in org.tables[_patients(org.catalog).lower()].rows
        return _latest(org, row["ContentDocumentId"]) if is_patient else []
    if op == "updated":
        return _latest(org, row["Id"])
    if op == "undeleted":
        versions = versions_of(org, row["Id"])
    else:
        versions = [other.rows[one] for other, one in table.graves[row["Id"]].taken if other.kind.name == VERSION]
    return [Told(op, one) for one in versions] if any(map(_is_of_interest, versions)) else []


def _latest(org: Org, document_id: str) -> list[Told]:
    """A file of interest by the version that people see."""
    latest = latest_of(org, document_id)
    return [Told("changed", latest)] if latest is not None and _is_known(org, document_id) else []


def _is_of_interest(version: Row) -> bool:
    return bool(version.get(TICK) or version.get(KEY))


def _is_known(org: Org, document_id: str) -> bool:
    return any(map(_is_of_interest, versions_of(org, document_id)))
