"""Taking the package out of the org: what would go, what it holds, and the deletion itself.

Nothing is deleted that the package does not name, and only what is there. What is in an object goes with the object.
Flows are made inactive first, since an active one cannot be deleted, and nobody keeps a permission set that goes.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from defusedxml.ElementTree import fromstring

from app.errors import Rejected, Unreadable
from app.vendors.salesforce import org_setup
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.metadata import client as metadata
from app.vendors.salesforce.metadata.archive import Package, destruction
from app.vendors.salesforce.metadata.xml import tag

Members = Mapping[str, tuple[str, ...]]
Deploy = Callable[[bytes], Awaitable[bool]]

_INSIDE = ("CompactLayout", "CustomField", "FieldSet", "Index", "ListView", "RecordType", "ValidationRule", "WebLink")
_UNCOUNTABLE = frozenset({"EncryptedText", "Html", "LongTextArea"})  # no condition takes them
_FLOW, _SETS = "Flow", "PermissionSet"


@dataclass(frozen=True, slots=True)
class HeldData:
    """How many records an object has, or hold something in a field; None where the org does not say."""

    name: str
    is_field: bool
    records: int | None


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes, by type, and what of it holds data."""

    members: Members
    held: tuple[HeldData, ...]


async def removal_of(org: Salesforce, service: Salesforce, package: Package) -> Removal:
    """Give what would be deleted of a package, and what that holds.

    service  the org for the service's user, who sees every field of the package, as an administrator need not

    Raises  Unavailable, Unauthorized, Rejected, Unreadable
    """
    known = await metadata.names_there(org, package.members, package.version)
    there = {type_: tuple(name for name in names if name in known[type_]) for type_, names in package.members.items()}
    objects = there.get("CustomObject", ())
    left = {
        type_: tuple(name for name in names if not _goes_with(type_, name, objects)) for type_, names in there.items()
    }
    members = {type_: names for type_, names in left.items() if names}
    held = [
        HeldData(name, is_field=False, records=await _count(service, name)) for name in objects if name.endswith("__c")
    ]
    types = _field_types(package)
    for name in members.get("CustomField", ()):
        table, _, field = name.partition(".")
        held.append(HeldData(name, is_field=True, records=await _count(service, table, field, types.get(name, ""))))
    return Removal(members, tuple(held))


def _goes_with(type_: str, name: str, objects: tuple[str, ...]) -> bool:
    """Say whether a component is deleted with an object, whose only layout cannot go before it."""
    is_inside = type_ in _INSIDE and name.partition(".")[0] in objects
    is_layout = type_ == "Layout" and name.partition("-")[0] in objects
    return is_inside or is_layout


def _field_types(package: Package) -> dict[str, str]:
    found: dict[str, str] = {}
    for path, text in package.files.items():
        if path.startswith("objects/"):
            name = path.removeprefix("objects/").removesuffix(".object")
            for field in fromstring(text).iter(tag("fields")):
                found[f"{name}.{field.findtext(tag('fullName'))}"] = field.findtext(tag("type")) or ""
    return found


async def _count(org: Salesforce, table: str, field: str = "", type_: str = "") -> int | None:
    if type_ in _UNCOUNTABLE:
        return None
    condition = f"{field} = true" if type_ == "Checkbox" else f"{field} != null" if field else ""
    try:
        return await org.count(table, condition)
    except (Rejected, Unreadable):
        return None


async def remove(org: Salesforce, package: Package, removal: Removal, deploy: Deploy) -> list[str] | None:
    """Delete what a removal names.

    deploy  sends a zip to the org and says whether it was taken
    Gives   the flows that are still active, which keep all of it from being deleted; None where the org refused
    Raises  Unavailable, OutcomeUnknown, Unauthorized, Rejected, Unreadable
    """
    members = dict(removal.members)
    if flows := members.get(_FLOW, ()):
        if not await deploy(_drafts(package, flows).zipped()):
            return None
        if await _still_active(org, flows):
            await org_setup.deactivate_flows(org, flows)
        if active := await _still_active(org, flows):
            return active
        members[_FLOW] = tuple(await org_setup.flow_versions(org, flows) or flows)
    await org_setup.unassign(org, members.get(_SETS, ()))
    return [] if await deploy(destruction(members, package.version)) else None


async def _still_active(org: Salesforce, names: tuple[str, ...]) -> list[str]:
    inactive = await org_setup.inactive_flows(org, names)
    return [] if inactive is None else sorted(set(names) - set(inactive))


def _drafts(package: Package, flows: tuple[str, ...]) -> Package:
    files = {path: text for path, text in package.files.items() if path in {f"flows/{name}.flow" for name in flows}}
    return Package(files, {_FLOW: flows}, package.version).with_flows_as_drafts()
