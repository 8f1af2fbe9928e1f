"""Whether components may be in an org together: what each one is judged by, beside the fields and objects.

Judged against the org as it would be, as the platform does: the order in the zip does not matter. Not judged: Apex
beyond the names in it, the insides of Lightning components and pages, and what a flow computes. It is assumed that an
outbound message goes to an http or https address, that a permission set is not deleted while somebody has it, and that
no field is made unique over records that share a value.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from tests.standins.salesforce.metadata import judge_objects
from tests.standins.salesforce.metadata.components import Catalog, Component, Key
from tests.standins.salesforce.metadata.references import (
    holders_of,
    is_there,
    missing,
    permission_problem,
    references_of,
)
from tests.standins.salesforce.metadata.xml_parts import flag, parts, text

_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?")
_UNCONNECTED = (
    "field integrity exception: unknown (The flow can't run because nothing is connected to the Start element.)"
)
_LONGEST = {"PermissionSet": {"label": 80, "description": 255}, "ListView": {"label": 40}, "Flow": {"label": 255}}
_LONGEST |= {"CustomPermission": {"label": 80, "description": 255}, "CompactLayout": {"label": 40}}
_LONGEST |= {"WorkflowOutboundMessage": {"name": 80, "description": 255}, "CustomApplication": {"label": 40}}
_CALLED = {
    "ApexClass": "Apex class",
    "ApexTrigger": "Apex trigger",
    "CustomField": "custom field",
    "CustomObject": "custom object",
    "CustomPermission": "custom permission",
    "WorkflowOutboundMessage": "workflow action",
}


class Facts(Protocol):
    """What of the org beside its components a deploy is judged by."""

    def is_active_user(self, username: str) -> bool:
        """Whether somebody of this name may sign in."""

    def is_assigned(self, permission_set: str) -> bool:
        """Whether somebody has the permission set."""

    def has_duplicates(self, kind: str, field: str) -> bool:
        """Whether two records hold the same value in the field."""


def problems_of(one: Component, catalog: Catalog, before: Catalog, facts: Facts) -> Iterator[str]:
    """What is wrong with the component; `before` is the org as it is, `catalog` as it would be."""
    yield from judge_objects.problems_of(one, catalog, before)
    for name, longest in _LONGEST.get(one.kind, {}).items():
        if len(text(one.part, name)) > longest:
            yield f"{name}: data value too large: {text(one.part, name)} (max length={longest})"
    for reference in references_of(one, catalog):
        if not is_there(catalog, reference):
            yield missing(reference)
    if one.kind == "PermissionSet":
        yield from _permission_set(one, catalog)
    if one.kind == "WorkflowOutboundMessage":
        yield from _outbound_message(one, facts)
    if one.kind == "CustomField" and flag(one.part, "unique"):
        parent, _, name = one.name.partition(".")
        old = before.get("CustomField", one.name)
        if old is not None and not flag(old.part, "unique") and facts.has_duplicates(parent, name):
            yield f"Cannot make {name} unique: there are records with duplicate values"
    if one.kind == "Flow":
        yield from _flow(one)
    if one.kind == "Layout":
        yield from _layout(one, catalog)


def _permission_set(one: Component, catalog: Catalog) -> Iterator[str]:
    for given in parts(one.part, "fieldPermissions"):
        name = text(given, "field")
        if problem := permission_problem(catalog, name):
            yield problem
        if flag(given, "editable") and not flag(given, "readable"):
            yield f"Field {name}: a field that can be edited has to be readable"
        found = catalog.get("CustomField", name)
        if found is not None and flag(given, "editable") and "formula" in found.part:
            yield f"Field {name} is not editable"
    for given in parts(one.part, "objectPermissions"):
        yield from _object_permission(text(given, "object"), {name for name in given if flag(given, name)})


def _object_permission(kind: str, allowed: set[str]) -> Iterator[str]:
    needs = {"allowCreate": "allowRead", "allowEdit": "allowRead", "allowDelete": "allowEdit"}
    needs |= {"viewAllRecords": "allowRead", "modifyAllRecords": "allowDelete"}
    words = {"allowRead": "Read", "allowEdit": "Edit", "allowDelete": "Delete"}
    for word, needed in needs.items():
        if word in allowed and needed not in allowed:
            yield f"Permission {words.get(word, word)} {kind} depends on permission(s): {words[needed]} {kind}"


def _outbound_message(one: Component, facts: Facts) -> Iterator[str]:
    if not _ADDRESS.fullmatch(text(one.part, "endpointUrl")):
        yield f"Endpoint URL: invalid: {text(one.part, 'endpointUrl')}"
    user = text(one.part, "integrationUser")
    if not facts.is_active_user(user):
        yield f"In field: integrationUser - no User named {user} found"


def _layout(one: Component, catalog: Catalog) -> Iterator[str]:
    parent = one.name.partition("-")[0]
    found = catalog.get("CustomObject", parent)
    named = parts(found.part, "nameField") if found else []
    needed = ["Name"] if named and text(named[0], "type") == "Text" else []
    for field in catalog.children("CustomField", parent):
        if flag(field.part, "required") or text(field.part, "type") == "MasterDetail":
            needed.append(field.name.partition(".")[2])
    there = {reference.name.partition(".")[2] for reference in references_of(one, catalog)}
    for name in needed:
        if name not in there:
            yield f"Layout must contain an item for required layout field: {name}"


def _flow(one: Component) -> Iterator[str]:
    started = parts(one.part, "start")
    named = [text(node, "name") for found in one.part.values() for node in found if isinstance(node, dict)]
    names = {name for name in named if name}
    for target in _targets(one):
        if target not in names:
            yield f"The flow's element {target} is named by a connector and is not there"
    if text(one.part, "status") != "Active" or not started:
        return
    if "connector" not in started[0] and "scheduledPaths" not in started[0]:
        yield _UNCONNECTED
    words = text(started[0], "filterFormula")
    if "ISCHANGED(" in words.replace(" ", "").upper() and text(started[0], "recordTriggerType") != "Update":
        yield "filterFormula: the ISCHANGED function works only in flows that records being updated start"


def _targets(one: Component) -> Iterable[str]:
    for found in one.part.values():
        for node in found:
            if isinstance(node, dict):
                for inner in (*parts(node, "connector"), *parts(node, "defaultConnector")):
                    yield text(inner, "targetReference")


def deletion_problems(key: Key, left: Catalog, before: Catalog, facts: Facts) -> Iterator[str]:
    """Why the component cannot go; `left` is the org without it and all else that goes."""
    kind, name = key
    one = before.get(kind, name)
    if one is None:
        return
    if kind == "Workflow":
        yield "Cannot delete a workflow object; Workflow Rules and Actions must be deleted individually"
    if kind == "Flow" and text(one.part, "status") == "Active":
        yield "insufficient access rights on cross-reference id"
    if kind == "PermissionSet" and facts.is_assigned(one.name):
        yield "You can't delete this permission set because it's assigned to users"
    if holders := holders_of(left).get(one.key):
        told = ", ".join(f"{_CALLED.get(other.kind, other.kind).title()} - {other.name}" for other in holders)
        yield f"This {_CALLED.get(kind, kind)} is referenced elsewhere in salesforce.com. : {told}."
