"""Who may do what in the org: the service's own user, staff, and viewers. Pure.

Field permissions name neither what the platform always shows (a record's name, ids, the owner, record types) nor a part
of an address alone: those have none. A person account's fields have those of the contact behind it. Of a file only
custom fields are named, and no right to files at all: who may see and edit a file follows the record that it is on.

Source  Metadata API Developer Guide, PermissionSet; Salesforce Help, Considerations for Using Person Accounts
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from app.sync.model import Kind
from app.vendors.salesforce.metadata.fields import FILE, OrgField, OrgObject
from app.vendors.salesforce.metadata.messages import INTEGRATION
from app.vendors.salesforce.metadata.objects import EVENT
from app.vendors.salesforce.metadata.xml import Element, document

STAFF, VIEWER = "DrChrono_Staff", "DrChrono_Viewer"
APP = "DrChrono"
_ADDRESS = re.compile(
    r"(?P<which>\w*?)(?:Street|City|State|PostalCode|Country|StateCode|CountryCode|Latitude|Longitude|GeocodeAccuracy)"
)
_ADDRESSES = frozenset({"Mailing", "Other", "Billing", "Shipping", "PersonMailing", "PersonOther"})
_ALWAYS_SHOWN = frozenset(
    {
        *("id", "name", "firstname", "lastname", "middlename", "salutation", "suffix", "ownerid", "recordtypeid"),
        *("currencyisocode", "ispersonaccount", "createddate", "createdbyid", "lastmodifieddate", "lastmodifiedbyid"),
        *("systemmodstamp", "isdeleted"),
    }
)
_REQUIRED = frozenset({"Lead.Company", "Lead.Status"})
_CREDENTIALS = "UserExternalCredential"  # without reading it, nobody's callout finds its token
_Rights: TypeAlias = frozenset[str]  # beside to read: Create, Edit, Delete
_READ: _Rights = frozenset()
_DEPENDS: Mapping[str, Mapping[str, _Rights]] = {  # an object's rights give these of another: Salesforce demands them
    "Contact": {"Account": _READ},
    "Account": {"Contact": frozenset({"Create", "Edit", "Delete"})},
}


def permission_files(
    objects: Sequence[OrgObject], card_classes: Iterable[str], principals: Iterable[str]
) -> Iterator[tuple[str, bytes]]:
    """Give the three permission sets, and the custom permissions that two of them hold.

    card_classes  the Apex classes that the card asks
    principals    by whom the service's own user calls the service
    """
    classes = [{"apexClass": name, "enabled": True} for name in sorted(card_classes)]
    own = [one for one in objects if one.is_custom]
    tabs = [{"tab": one.name, "visibility": "Visible"} for one in sorted(own, key=lambda one: one.name)]
    app: Element = {"application": APP, "visible": True}
    principal_accesses = [{"enabled": True, "externalCredentialPrincipal": name} for name in sorted(principals)]
    beside: dict[str, _Rights] = {EVENT: frozenset({"Create"})}
    if principal_accesses:
        beside[_CREDENTIALS] = _READ
    integration: Element = {
        "customPermissions": {"enabled": True, "name": INTEGRATION},
        "description": "For the user that Chronobridge works as: reads and writes what the mapping names.",
        "externalCredentialPrincipalAccesses": principal_accesses,
        "fieldPermissions": _fields(objects, lambda field: field.is_written),
        "hasActivationRequired": False,
        "label": "DrChrono Integration",
        "objectPermissions": _objects(objects, _of_integration, beside),
        "userPermissions": {"enabled": True, "name": "ApiEnabled"},
    }
    staff: Element = {
        "applicationVisibilities": app,
        "classAccesses": classes,
        "customPermissions": {"enabled": True, "name": STAFF},
        "description": "For people who work with patients and appointments: edits what travels to DrChrono.",
        "fieldPermissions": _fields(objects, lambda field: field.is_edited),
        "hasActivationRequired": False,
        "label": "DrChrono Staff",
        "objectPermissions": _objects(objects, _of_staff, {}),
        "tabSettings": tabs,
    }
    viewer: Element = {
        "applicationVisibilities": app,
        "classAccesses": classes,
        "description": "For people who look only.",
        "fieldPermissions": _fields(objects, lambda _field: False),
        "hasActivationRequired": False,
        "label": "DrChrono Viewer",
        "objectPermissions": _objects(objects, lambda _one: _READ, {}),
        "tabSettings": tabs,
    }
    for name, made in ((INTEGRATION, integration), (STAFF, staff), (VIEWER, viewer)):
        yield f"force-app/main/permissionsets/{name}.permissionset-meta.xml", document("PermissionSet", made)
    for name, says in _CUSTOM.items():
        made = {"description": says, "isLicensed": False, "label": name.replace("_", " ")}
        path = f"force-app/main/customPermissions/{name}.customPermission-meta.xml"
        yield path, document("CustomPermission", made)


_CUSTOM = {
    INTEGRATION: "Whoever holds it is the user of Chronobridge: what they edit is not told to it again.",
    STAFF: "Whoever holds it may ask for a synchronization, and link and unlink records.",
}


def _of_integration(one: OrgObject) -> _Rights:
    """Give the rights of the service's user: it deletes visits, where the settings say so, and merges patients."""
    return frozenset({"Create", "Edit"} if one.is_one_way else {"Create", "Edit", "Delete"})


def _of_staff(one: OrgObject) -> _Rights:
    if one.is_one_way:
        return _READ
    is_of_patients = any(table.kind is Kind.PATIENT for table in one.tables)
    return frozenset({"Create", "Edit"} if is_of_patients else {"Create", "Edit", "Delete"})


def _objects(
    objects: Sequence[OrgObject], rights_of: Callable[[OrgObject], _Rights], beside: Mapping[str, _Rights]
) -> list[Element]:
    rights = dict(beside)
    for one in objects:
        if one.is_file:
            continue
        given = rights_of(one) if one.tables else _READ
        rights[one.name] = rights.get(one.name, _READ) | given
        for other, most in _DEPENDS.get(one.name, {}).items():
            rights[other] = rights.get(other, _READ) | (given & most)
    return [
        {
            "allowCreate": "Create" in given,
            "allowDelete": "Delete" in given,
            "allowEdit": "Edit" in given,
            "allowRead": True,
            "modifyAllRecords": False,
            "object": name,
            "viewAllRecords": False,
        }
        for name, given in sorted(rights.items())
    ]


def _fields(objects: Sequence[OrgObject], is_editable: Callable[[OrgField], bool]) -> list[Element]:
    editable: dict[str, bool] = {}
    for one in objects:
        for field in one.fields:
            name = permission_name(one.name, field.name)
            if name is not None:
                editable[name] = editable.get(name, False) or is_editable(field)
    return [{"editable": may, "field": name, "readable": True} for name, may in sorted(editable.items())]


def permission_name(object_name: str, field: str) -> str | None:
    """Give the name by which permission to a field is given; None where everybody has it who sees the record."""
    if field.casefold() in _ALWAYS_SHOWN or f"{object_name}.{field}" in _REQUIRED:
        return None
    if field.endswith("__pc"):  # a person's, which is a field of the contact
        return f"Contact.{field.removesuffix('__pc')}__c"
    if field.endswith("__c"):
        return f"{object_name}.{field}"
    if object_name == FILE:
        return None
    if (part := _ADDRESS.fullmatch(field)) and part["which"] in _ADDRESSES:
        field = f"{part['which']}Address"
    if object_name == "Account" and field.startswith("Person"):
        return f"Contact.{field.removeprefix('Person')}"
    return f"{object_name}.{field}"
