"""Whether objects and fields may be as they are asked for: names, labels, what each type of field needs and may have.

The limits are the platform's documented ones. Assumed beyond: the words of refusals where no public report has them,
and that a field never changes between a lookup and anything else. Not judged: formulas, sharing, search layouts.
"""

import re
from collections import Counter
from collections.abc import Iterator

from tests.standins.salesforce.metadata.components import Catalog, Component
from tests.standins.salesforce.metadata.references import OTHER_OBJECTS
from tests.standins.salesforce.metadata.registry import TYPES
from tests.standins.salesforce.metadata.xml_parts import Part, flag, number, parts, text
from tests.standins.salesforce.objects import STANDARD

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
_NAME_RULE = (
    "The {what} can only contain underscores and alphanumeric characters. It must be unique, begin with a letter, "
    "not include spaces, not end with an underscore, and not contain two consecutive underscores"
)
_SUFFIX = re.compile(r"__(c|e|mdt)$")
_MOST_EXTERNAL_IDS = 25
# Which attributes a type of field must have and which it may: of those that only some types have.
_NEEDS = {
    "AutoNumber": ("displayFormat",),
    "Checkbox": ("defaultValue",),
    "Currency": ("precision", "scale"),
    "Html": ("length", "visibleLines"),
    "LongTextArea": ("length", "visibleLines"),
    "Lookup": ("referenceTo", "relationshipName"),
    "MasterDetail": ("referenceTo", "relationshipName"),
    "MultiselectPicklist": ("valueSet", "visibleLines"),
    "Number": ("precision", "scale"),
    "Percent": ("precision", "scale"),
    "Picklist": ("valueSet",),
    "Text": ("length",),
}
_TYPES = _NEEDS.keys() | {"Date", "DateTime", "Email", "Phone", "TextArea", "Time", "Url"}
_PARTICULAR = ("displayFormat", "length", "precision", "referenceTo", "relationshipName", "scale", "valueSet")
_PARTICULAR += ("visibleLines",)
_EXTERNAL, _UNIQUE = {"AutoNumber", "Email", "Number", "Text"}, {"AutoNumber", "Email", "Number", "Text"}
_NEVER_REQUIRED = {"AutoNumber", "Checkbox", "Html", "LongTextArea", "MultiselectPicklist"}
_OF_EVENTS = {"Checkbox", "Date", "DateTime", "LongTextArea", "Number", "Text"}
_LENGTHS = {"Text": (1, 255), "LongTextArea": (256, 131_072), "Html": (256, 131_072)}
_LONGEST = {"label": 40, "pluralLabel": 40, "inlineHelpText": 510, "description": 1000, "relationshipName": 40}
_LOOKUPS = {"Lookup", "MasterDetail"}


def problems_of(one: Component, catalog: Catalog, before: Catalog) -> Iterator[str]:
    """What is wrong with the component in the org as it would be; `before` is the org as it is."""
    yield from _names(one)
    if one.kind == "CustomObject":
        yield from _object(one, catalog)
    if one.kind == "CustomField":
        yield from _field(one, catalog, before)


def object_exists(catalog: Catalog, name: str) -> bool:
    """Whether there is such an object, the platform's own included."""
    return name.lower() in STANDARD or name.lower() in OTHER_OBJECTS or catalog.get("CustomObject", name) is not None


def _names(one: Component) -> Iterator[str]:
    kind = TYPES.get(one.kind)
    plain = _SUFFIX.sub("", one.name.rpartition(".")[2] if one.kind not in TYPES else one.name)
    longest = kind.longest_name if kind else 80
    if one.kind in {"CustomField", "CompactLayout", "ListView"}:
        longest = 40
    if one.kind == "Layout":
        return
    if one.kind in {"CustomTab", "Workflow"}:
        return  # they have the name of an object
    if one.kind in {"CustomMetadata", "QuickAction"}:
        plain = plain.rpartition(".")[2]
    if one.kind == "CustomField" and not one.name.endswith("__c"):
        parent, name = one.parent.lower(), one.name.partition(".")[2]
        if parent not in STANDARD or STANDARD[parent].field(name) is None:
            yield (
                "fullName must end with: __c" if parent not in STANDARD else "Could not resolve standard field's name."
            )
        return
    if not _NAME.fullmatch(plain):
        yield _NAME_RULE.format(what=f"{one.kind} API Name: {plain}")
    elif len(plain) > longest:
        yield f"{one.kind} API Name: data value too large: {plain} (max length={longest})"
    if one.kind in {"CustomField", "CustomObject"}:
        yield from _lengths(one.part)


def _lengths(part: Part) -> Iterator[str]:
    for name, longest in _LONGEST.items():
        if len(text(part, name)) > longest:
            yield f"{name}: data value too large: {text(part, name)} (max length={longest})"


def _object(one: Component, catalog: Catalog) -> Iterator[str]:
    if one.name.lower() in STANDARD:
        return
    if not _SUFFIX.search(one.name):
        yield f"Could not find standard object: {one.name}"
        return
    for name in ("label", "pluralLabel"):
        if not text(one.part, name):
            yield f"Must specify a non-empty {name} for the CustomObject"
    fields = catalog.children("CustomField", one.name)
    if one.name.endswith("__c"):
        yield from _own_object(one.part)
        external = [field.name for field in fields if flag(field.part, "externalId")]
        if len(external) > _MOST_EXTERNAL_IDS:
            yield f"Too many external ids: an object has at most {_MOST_EXTERNAL_IDS}"
    elif one.name.endswith("__e"):
        if text(one.part, "eventType") not in {"HighVolume", "StandardVolume"}:
            yield "Must specify 'eventType' for a platform event"
        for name in ("nameField", "sharingModel"):
            if name in one.part:
                yield f"Can not specify '{name}' for a platform event"


def _own_object(part: Part) -> Iterator[str]:
    for name in ("sharingModel", "deploymentStatus"):
        if not text(part, name):
            yield f"Must specify '{name}' for a CustomObject"
    named = parts(part, "nameField")
    if not named:
        yield "Must specify a nameField of type Text or AutoNumber"
        return
    kind = text(named[0], "type")
    if kind not in {"Text", "AutoNumber"} or not text(named[0], "label"):
        yield "Must specify a nameField of type Text or AutoNumber, with a label"
    if kind == "AutoNumber" and not text(named[0], "displayFormat"):
        yield "Must specify 'displayFormat' for a CustomField of type AutoNumber"


def _field(one: Component, catalog: Catalog, before: Catalog) -> Iterator[str]:
    part, name = one.part, one.name.partition(".")[2]
    if not object_exists(catalog, one.parent):
        yield f"Entity Enumeration Or ID: bad value for restricted picklist field: {one.parent}"
        return
    if not name.endswith("__c"):
        return  # of a standard field only its help and the like change
    kind = text(part, "type")
    if not text(part, "label"):
        yield "Must specify a non-empty label for the CustomField"
    if kind not in _TYPES:
        yield f"A CustomField of type {kind or '(none)'} can not be made here"
        return
    formula = "formula" in part
    for needed in () if formula else _NEEDS.get(kind, ()):
        if needed not in part:
            yield f"Must specify '{needed}' for a CustomField of type {kind}"
    for extra in _PARTICULAR:
        if extra in part and extra not in _NEEDS.get(kind, ()):
            yield f"Can not specify '{extra}' for a CustomField of type {kind}"
    if formula and (flag(part, "required") or flag(part, "externalId") or flag(part, "unique")):
        yield "A formula field can be neither required nor unique nor an external ID"
    yield from _sizes(part, kind)
    yield from _keys(one, kind)
    if one.parent.endswith("__e") and kind not in _OF_EVENTS:
        yield f"A platform event can not have a CustomField of type {kind}"
    if kind in _LOOKUPS:
        yield from _lookup(one, catalog)
    if kind in {"Picklist", "MultiselectPicklist"}:
        yield from _values(part)
    old = before.get("CustomField", one.name)
    if old is not None and (text(old.part, "type") in _LOOKUPS) != (kind in _LOOKUPS):
        yield f"Cannot change the type of the field from {text(old.part, 'type')} to {kind}"


def _sizes(part: Part, kind: str) -> Iterator[str]:
    if kind in _LENGTHS and "length" in part:
        least, most = _LENGTHS[kind]
        if not least <= number(part, "length") <= most:
            yield f"Length: must be between {least} and {most} for a CustomField of type {kind}"
    if "precision" in part and "scale" in part and not 0 <= number(part, "scale") <= number(part, "precision") <= 18:
        yield "Precision and scale: at most 18 digits, those after the decimal point included"


def _keys(one: Component, kind: str) -> Iterator[str]:
    part = one.part
    if flag(part, "externalId") and (kind not in _EXTERNAL or one.parent.endswith("__e")):
        yield f"A CustomField of type {kind} can not be an external ID here"
    if flag(part, "unique") and kind not in _UNIQUE:
        yield f"A CustomField of type {kind} can not be unique"
    if flag(part, "required") and kind in _NEVER_REQUIRED:
        yield f"Can not specify 'required' for a CustomField of type {kind}"


def _lookup(one: Component, catalog: Catalog) -> Iterator[str]:
    parent, relationship = text(one.part, "referenceTo"), text(one.part, "relationshipName")
    if not object_exists(catalog, parent):
        yield f"In field: referenceTo - no CustomObject named {parent} found"
    if flag(one.part, "required") and text(one.part, "deleteConstraint") == "SetNull":
        yield "A required lookup can not have a deleteConstraint of SetNull"
    if relationship and not _NAME.fullmatch(relationship):
        yield _NAME_RULE.format(what=f"Child Relationship Name: {relationship}")
    same = Counter(
        (text(other.part, "referenceTo").lower(), text(other.part, "relationshipName").lower())
        for other in catalog.of("CustomField")
        if "relationshipName" in other.part
    )
    if relationship and same[parent.lower(), relationship.lower()] > 1:
        yield f"There is already a Child Relationship named {relationship} on {parent}."


def _values(part: Part) -> Iterator[str]:
    sets = parts(part, "valueSet")
    if not sets or not (parts(sets[0], "valueSetDefinition") or text(sets[0], "valueSetName")):
        yield "Must specify either a valueSetDefinition or a valueSetName for a picklist"
        return
    values = [text(value, "fullName") for one in parts(sets[0], "valueSetDefinition") for value in parts(one, "value")]
    for value, times in Counter(value.lower() for value in values).items():
        if times > 1:
            yield f"Duplicate picklist value: {value}"
    for value in values:
        if not value or len(value) > 255:
            yield f"Picklist value: data value too large: {value} (max length=255)"
