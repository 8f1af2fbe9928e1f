"""What an org's components make of its objects: the fields that are there, and what a user may do with them.

A user sees a field only where a permission set that is assigned to them says so; what is required, and what everybody
has, follows the object. Permissions on an address are those of all its parts, and a Contact's name is one thing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from tests.standins.salesforce.metadata.components import Catalog, Component
from tests.standins.salesforce.metadata.xml_parts import Part, flag, number, parts, text
from tests.standins.salesforce.objects import OPEN, STANDARD
from tests.standins.salesforce.schema import SYSTEM_NAMES, Field, Kind

_KINDS = {
    "AutoNumber": ("string", 30),
    "Checkbox": ("boolean", 0),
    "Currency": ("double", 0),
    "Date": ("date", 0),
    "DateTime": ("datetime", 0),
    "Email": ("email", 80),
    "Html": ("textarea", 0),
    "LongTextArea": ("textarea", 0),
    "Lookup": ("reference", 18),
    "MasterDetail": ("reference", 18),
    "Number": ("double", 0),
    "Percent": ("double", 0),
    "Phone": ("phone", 40),
    "Picklist": ("picklist", 255),
    "Text": ("string", 0),
    "TextArea": ("textarea", 255),
    "Url": ("url", 255),
}
_LONG = {"Html", "LongTextArea"}
_ADDRESS = re.compile(r"(Mailing|Other|PersonMailing)(Street|City|State|StateCode|PostalCode|Country|CountryCode)")
_OF_THE_NAME = {"FirstName", "LastName", "MasterRecordId", "MiddleName", "Suffix"}


@dataclass(frozen=True)
class Access:
    """What permission sets allow together: per object and per field, in lower case."""

    objects: dict[str, frozenset[str]] = field(default_factory=dict)
    readable: frozenset[str] = frozenset()
    editable: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()  # custom permissions


EVERYTHING = frozenset({"allowRead", "allowCreate", "allowEdit", "allowDelete"})


def access_by(catalog: Catalog, sets: Iterable[str]) -> Access:
    """What the permission sets of these names allow together."""
    objects: dict[str, frozenset[str]] = {}
    readable, editable, permissions = set(), set(), set()
    for name in sets:
        one = catalog.get("PermissionSet", name)
        for given in parts(one.part, "objectPermissions") if one else ():
            allowed = frozenset(word for word in EVERYTHING if flag(given, word))
            kind = text(given, "object").lower()
            objects[kind] = objects.get(kind, frozenset()) | allowed
        for given in parts(one.part, "fieldPermissions") if one else ():
            place = text(given, "field").lower()
            readable.update([place] if flag(given, "readable") else [])
            editable.update([place] if flag(given, "editable") else [])
        for given in parts(one.part, "customPermissions") if one else ():
            permissions.update([text(given, "name").lower()] if flag(given, "enabled") else [])
    return Access(objects, frozenset(readable), frozenset(editable), frozenset(permissions))


@lru_cache(maxsize=64)
def custom_permissions(catalog: Catalog, sets: frozenset[str]) -> frozenset[str]:
    """The custom permissions that these permission sets give, in lower case."""
    return access_by(catalog, sets).permissions


@lru_cache(maxsize=64)
def kinds_of(catalog: Catalog, sets: frozenset[str], *, is_admin: bool = False) -> dict[str, Kind]:
    """The org's objects by name in lower case, as a user with these permission sets sees them.

    An administrator sees all objects, but of their fields no more than others do.
    """
    access = access_by(catalog, sorted(sets))
    kinds = {name: _standard(kind, catalog) for name, kind in STANDARD.items()}
    prefixes = (f"a{number:02d}" for number in range(1, 100))
    for one in catalog.of("CustomObject"):
        if one.name.endswith("__c"):
            kinds[one.name.lower()] = _own(one, catalog, next(prefixes))
    return {
        name: _open(kind, access, is_admin=is_admin) if name in OPEN else _limited(kind, access, is_admin=is_admin)
        for name, kind in kinds.items()
    }


def _standard(kind: Kind, catalog: Catalog) -> Kind:
    more = _fields(kind.name, catalog)
    return replace(kind, own=(*kind.own, *more)) if more else kind


def _own(one: Component, catalog: Catalog, prefix: str) -> Kind:
    named: Part = next(iter(parts(one.part, "nameField")), {})
    is_numbered = text(named, "type") == "AutoNumber"
    name = Field("Name", "string", 80, writable=not is_numbered, numbered=is_numbered, title=text(named, "label"))
    own = (name, *_fields(one.name, catalog))
    how, shown_as = ("numbered", text(named, "displayFormat")) if is_numbered else ("typed", "")
    return Kind(one.name, prefix, own, name_is=how, number_format=shown_as, title=text(one.part, "label"))


def _fields(kind: str, catalog: Catalog) -> tuple[Field, ...]:
    found = catalog.children("CustomField", kind)
    return tuple(_field(one) for one in found if one.name.endswith("__c"))


def _field(one: Component) -> Field:
    part, name = one.part, one.name.partition(".")[2]
    type_ = text(part, "type")
    kind, length = _KINDS[type_]
    more: dict[str, Any] = {}
    if kind == "reference":
        more = {"parent": text(part, "referenceTo"), "relationship": f"{name.removesuffix('c')}r"}
    if kind == "picklist":
        more = _options(part)
    if kind == "double":
        more = {"precision": number(part, "precision"), "scale": number(part, "scale")}
    return Field(
        name,
        kind,
        number(part, "length") or length,
        required=flag(part, "required") or type_ == "MasterDetail",
        external_id=flag(part, "externalId"),
        unique=flag(part, "unique"),
        case_sensitive=flag(part, "unique") and flag(part, "caseSensitive"),
        filterable=type_ not in _LONG,
        numbered=type_ == "AutoNumber",
        writable="formula" not in part and type_ != "AutoNumber",
        default=text(part, "defaultValue") == "true" if kind == "boolean" else None,
        title=text(part, "label"),
        **more,
    )


def _options(part: Part) -> dict[str, Any]:
    sets = parts(part, "valueSet")
    values = [value for one in parts(sets[0], "valueSetDefinition") for value in parts(one, "value")]
    active = [value for value in values if text(value, "isActive", "true") != "false"]
    return {
        "options": tuple(text(value, "fullName") for value in active),
        "labels": tuple(text(value, "label") for value in active),
        "restricted": flag(sets[0], "restricted"),
    }


def _open(kind: Kind, access: Access, *, is_admin: bool) -> Kind:
    # What was deployed to an object that everybody has is seen as any other field is.
    own = tuple(_seen(column, kind.name, access) if column.name.endswith("__c") else column for column in kind.own)
    kind = replace(kind, own=own) if own != kind.own else kind
    if is_admin and kind.name == "PermissionSetAssignment":
        return replace(kind, createable=True, deletable=True)
    return kind if is_admin or kind.name != "User" else replace(kind, updateable=False)


def _limited(kind: Kind, access: Access, *, is_admin: bool) -> Kind:
    allowed = EVERYTHING if is_admin else access.objects.get(kind.name.lower(), frozenset())
    own = tuple(_seen(column, kind.name, access) for column in kind.own)
    return replace(
        kind,
        own=own,
        hidden="allowRead" not in allowed,
        createable="allowCreate" in allowed,
        updateable="allowEdit" in allowed,
        deletable="allowDelete" in allowed,
    )


def _seen(column: Field, kind: str, access: Access) -> Field:
    if is_open(column):
        return column
    place = permission_name(kind, column.name).lower()
    may_edit = place in access.editable
    if place in access.readable and may_edit:
        return column
    return replace(column, hidden=place not in access.readable, createable=may_edit, updateable=may_edit)


def permission_name(kind: str, field_name: str) -> str:
    """What permission sets call the field: the parts of an address are one."""
    whole = _ADDRESS.sub(r"\g<1>Address", field_name)
    return f"{kind}.{whole}"


def is_open(column: Field) -> bool:
    """Whether everybody who sees the object sees the field, so that no permission names it."""
    return column.required or column.name == "Name" or column.name in SYSTEM_NAMES or column.name in _OF_THE_NAME
