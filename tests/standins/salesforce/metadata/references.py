"""What a component names, so that a deploy finds what is missing and a deletion finds who still needs it.

A name with a place it stands in, `field` or `referenceTo`, is refused in the platform's words when it names nothing.
Deleting a field takes it out of permission sets, layouts, list views and compact layouts by itself, and an object out
of permission sets and tabs; everything else that names a thing keeps it from being deleted. Apex is read for whole
words that are names of the package's own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from tests.standins.salesforce.metadata.components import Catalog, Component, Key
from tests.standins.salesforce.metadata.shape import is_open, permission_name
from tests.standins.salesforce.metadata.xml_parts import Part, flag, parts, text, texts
from tests.standins.salesforce.objects import STANDARD

# Fields that every object has and no schema here lists; in forms that only list views and layouts use, too.
_EVERYWHERE = frozenset(
    {
        "id", "name", "ownerid", "createdbyid", "createddate", "lastmodifiedbyid", "lastmodifieddate",
        "systemmodstamp", "isdeleted", "recordtypeid", "currencyisocode", "lastvieweddate", "lastreferenceddate",
        "lastactivitydate", "recordtype", "owner", "createdby", "lastmodifiedby",
    }
)  # fmt: skip
# Objects that every org has and no schema here describes, as far as packages like this one name them.
OTHER_OBJECTS = frozenset(
    {
        "campaign", "case", "contentdocument", "contentdocumentlink", "contentversion", "event", "externalcredential",
        "lead", "opportunity", "task", "userexternalcredential",
    }
)  # fmt: skip
_OF_EVENTS = frozenset({"replayid", "eventuuid", "createddate", "createdbyid"})
_OF_CONTACTS = frozenset(
    {
        "accountid", "assistantname", "assistantphone", "department", "description", "donotcall", "fax", "firstname",
        "lastname", "hasoptedoutofemail", "hasoptedoutoffax", "leadsource", "mailingaddress", "mailingcountry",
        "middlename", "otheraddress", "otherphone", "phone", "reportstoid", "salutation", "suffix", "title",
        "photourl", "account",
    }
)  # fmt: skip
_OF_ACCOUNTS = frozenset(
    {
        "accountnumber", "accountsource", "annualrevenue", "billingaddress", "description", "fax", "industry",
        "ispersonaccount", "numberofemployees", "ownership", "parentid", "phone", "rating", "shippingaddress", "sic",
        "site", "tickersymbol", "type", "website", "firstname", "lastname", "middlename", "salutation", "suffix",
        "personcontactid",
    }
)  # fmt: skip
_CODE_WORD = re.compile(r"\b\w+__[ce]\b")
_IMPORTED = re.compile(r"""['"]@salesforce/(apex|customPermission|schema)/([\w.]+)['"]""")
_RECORD_PATH = re.compile(r"\$Record(?:__Prior)?\.([\w.]+)")
_PERMISSION_PATH = re.compile(r"\$Permission\.(\w+)")


@dataclass(frozen=True, slots=True)
class Reference:
    """One name: what it names, where it stands, and whether it outlives a deletion of what it names."""

    kind: str
    name: str
    place: str
    holds: bool = True


def references_of(one: Component, catalog: Catalog) -> Iterator[Reference]:
    """Everything that the component names."""
    match one.kind:
        case "CustomField":
            if "referenceTo" in one.part:
                yield Reference("CustomObject", text(one.part, "referenceTo"), "referenceTo")
            for name in re.findall(r"\b\w+__c\b", text(one.part, "formula")):
                yield Reference("CustomField", f"{one.parent}.{name}", "formula")
        case "PermissionSet":
            yield from _of_permissions(one.part)
        case "WorkflowOutboundMessage":
            for name in texts(one.part, "fields"):
                yield Reference("CustomField", f"{one.parent}.{name}", "fields")
        case "Workflow":
            yield Reference("CustomObject", one.name, "fullName")
        case "Layout":
            yield from _of_layout(one)
        case "CompactLayout" | "FieldSet" | "ListView":
            yield from _of_list(one)
        case "Flow":
            yield from _of_flow(one)
        case "CustomTab":
            if flag(one.part, "customObject"):
                yield Reference("CustomObject", one.name, "fullName", holds=False)
        case "CustomApplication":
            for name in texts(one.part, "tabs"):
                if name.endswith("__c") or catalog.get("CustomTab", name):
                    yield Reference("CustomTab", name, "tab")
        case "ApexClass" | "ApexTrigger":
            yield from _of_code(one, catalog)
        case "LightningComponentBundle":
            yield from _of_bundle(one)
        case "FlexiPage":
            for name in dict.fromkeys(re.findall(r"\bc:(\w+)", " ".join(_all_texts(one.part)))):
                yield Reference("LightningComponentBundle", name, "componentName")
        case "ReportType":
            yield Reference("CustomObject", text(one.part, "baseObject"), "baseObject")
        case "PlatformEventSubscriberConfig":
            yield Reference("ApexTrigger", text(one.part, "platformEventConsumer"), "platformEventConsumer")


def is_there(catalog: Catalog, reference: Reference) -> bool:
    """Whether the org has what is named, the platform's own included."""
    if reference.kind == "CustomObject":
        lower = reference.name.lower()
        return lower in STANDARD or lower in OTHER_OBJECTS or catalog.get("CustomObject", reference.name) is not None
    if reference.kind != "CustomField":
        return catalog.get(reference.kind, reference.name) is not None
    parent, _, name = reference.name.partition(".")
    if name.lower().endswith("__c"):
        return catalog.get("CustomField", f"{parent}.{name}") is not None
    return _is_standard(parent.lower(), name.lower())


def _is_standard(parent: str, name: str) -> bool:
    if parent.endswith("__e"):
        return name in _OF_EVENTS
    if name in _EVERYWHERE or (parent == "contact" and name in _OF_CONTACTS):
        return True
    if parent == "account" and (name in _OF_ACCOUNTS or name.startswith("person")):
        return True
    return parent in STANDARD and STANDARD[parent].field(name) is not None


def required_or_open(catalog: Catalog, name: str) -> bool:
    """Whether a field needs no permission and takes none."""
    parent, _, column = name.partition(".")
    found = catalog.get("CustomField", name)
    if found is not None:
        return flag(found.part, "required") or text(found.part, "type") == "MasterDetail"
    known = STANDARD[parent.lower()].field(column) if parent.lower() in STANDARD else None
    return column.lower() == "name" or (known is not None and is_open(known))


def missing(reference: Reference) -> str:
    """The platform's words for a name that names nothing."""
    return f"In field: {reference.place} - no {reference.kind} named {reference.name} found"


def _of_permissions(part: Part) -> Iterator[Reference]:
    for given in parts(part, "objectPermissions"):
        yield Reference("CustomObject", text(given, "object"), "object", holds=False)
    for given in parts(part, "fieldPermissions"):
        yield Reference("CustomField", text(given, "field"), "field", holds=False)
    for element, inner, kind in (
        ("customPermissions", "name", "CustomPermission"),
        ("classAccesses", "apexClass", "ApexClass"),
        ("flowAccesses", "flow", "Flow"),
        ("applicationVisibilities", "application", "CustomApplication"),
    ):
        for given in parts(part, element):
            yield Reference(kind, text(given, inner), inner, holds=False)
    for given in parts(part, "tabSettings"):
        if text(given, "tab").endswith("__c"):
            yield Reference("CustomTab", text(given, "tab"), "tab", holds=False)
    for given in parts(part, "externalCredentialPrincipalAccesses"):
        credential = text(given, "externalCredentialPrincipal").rpartition("-")[0]
        yield Reference("ExternalCredential", credential, "externalCredentialPrincipal", holds=False)


def _of_layout(one: Component) -> Iterator[Reference]:
    parent = one.name.partition("-")[0]
    yield Reference("CustomObject", parent, "fullName", holds=False)
    for section in parts(one.part, "layoutSections"):
        for column in parts(section, "layoutColumns"):
            for item in parts(column, "layoutItems"):
                if "field" in item:
                    yield Reference("CustomField", f"{parent}.{text(item, 'field')}", "field", holds=False)


def _of_list(one: Component) -> Iterator[Reference]:
    names = texts(one.part, "columns") + texts(one.part, "fields")
    names += [text(given, "field") for given in parts(one.part, "filters")]
    names += [text(given, "field") for given in parts(one.part, "displayedFields")]
    for name in names:
        # Columns of standard fields have names of their own, in capitals.
        if name.endswith("__c") or one.kind != "ListView":
            yield Reference("CustomField", f"{one.parent}.{name}", "field", holds=False)


def _of_flow(one: Component) -> Iterator[Reference]:
    started = parts(one.part, "start")
    kind = text(started[0], "object") if started else ""
    if kind:
        yield Reference("CustomObject", kind, "object")
    for element in ("recordLookups", "recordUpdates", "recordCreates", "recordDeletes"):
        for given in parts(one.part, element):
            target = text(given, "object")
            if target:
                yield Reference("CustomObject", target, "object")
                yield from _named_fields(given, target)
    if started and kind:
        yield from _named_fields(started[0], kind)
    words = " ".join(_all_texts(one.part))
    for path in dict.fromkeys(_RECORD_PATH.findall(words)):
        if kind and "." not in path:
            yield Reference("CustomField", f"{kind}.{path}", "$Record")
    for name in dict.fromkeys(_PERMISSION_PATH.findall(words)):
        yield Reference("CustomPermission", name, "$Permission")
    for action in parts(one.part, "actionCalls"):
        if text(action, "actionType") == "outboundMessage":
            yield Reference("WorkflowOutboundMessage", text(action, "actionName"), "actionName")
        if text(action, "actionType") == "apex":
            yield Reference("ApexClass", text(action, "actionName"), "actionName")


def _named_fields(given: Part, kind: str) -> Iterator[Reference]:
    for element in ("filters", "inputAssignments"):
        for one in parts(given, element):
            yield Reference("CustomField", f"{kind}.{text(one, 'field')}", "field")


def _all_texts(part: Part) -> Iterator[str]:
    for found in part.values():
        for one in found:
            if isinstance(one, dict):
                yield from _all_texts(one)
            else:
                yield str(one)


def _of_bundle(one: Component) -> Iterator[Reference]:
    code = b"\n".join(content for path, content in one.files if path.endswith(".js")).decode("utf-8", "replace")
    for where, name in dict.fromkeys(_IMPORTED.findall(code)):
        if where == "apex":
            yield Reference("ApexClass", name.partition(".")[0], "apex")
        elif where == "customPermission":
            yield Reference("CustomPermission", name, "customPermission")
        elif "." in name:
            yield Reference("CustomField", name, "schema")


def _of_code(one: Component, catalog: Catalog) -> Iterator[Reference]:
    code = b"\n".join(content for _, content in one.files).decode("utf-8", "replace")
    words = set(re.findall(r"\w+", code))
    for other in (*catalog.of("CustomObject"), *catalog.of("ApexClass")):
        if other.name in words and other.key != one.key:
            yield Reference(*other.key, "code")
    for field in catalog.of("CustomField"):
        if field.name.partition(".")[2] in words and field.parent in words:
            yield Reference(*field.key, "code")


@lru_cache(maxsize=8)
def holders_of(catalog: Catalog) -> dict[Key, list[Component]]:
    """The components that keep one from being deleted, by its type and name."""
    found: dict[Key, list[Component]] = {}
    for one in catalog.components.values():
        for key in {(named.kind, named.name) for named in references_of(one, catalog) if named.holds}:
            found.setdefault(key, []).append(one)
    return found


def permission_problem(catalog: Catalog, name: str) -> str:
    """Why a permission set may not name the field; empty when it may."""
    if required_or_open(catalog, name):
        return f"You cannot deploy to a required field: {name}"
    parent, _, column = name.partition(".")
    if permission_name(parent, column) != name:
        return f"In field: field - no CustomField named {name} found"
    return ""
