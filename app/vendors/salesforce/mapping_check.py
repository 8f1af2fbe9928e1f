"""Does a mapping fit an object, as the org describes it to the integration user? Pure.

A field that the user may not see is not described at all, so *missing* and *not permitted* are one answer.

Source  REST API Developer Guide, sObject Describe
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from app.sync.mappings.misfits import Misfit
from app.sync.mappings.states import COUNTRIES
from app.sync.mappings.table import Row, Table
from app.sync.model import Kind, Side
from app.sync.sync_status import KINDS_WITH_STATUS, STATUS_FIELDS
from app.vendors.salesforce.org_description import (
    active_values,
    code_field,
    digits_of,
    fields_of,
    is_required,
    listed_states,
)

_TEXTS = frozenset({"string", "textarea", "picklist", "combobox", "email", "phone", "url", "encryptedstring"})
_TYPES = {
    "text": _TEXTS,
    "email": frozenset({"email", "string"}),
    "phone": frozenset({"phone", "string"}),
    "enum": frozenset({"picklist", "combobox", "string"}),
    "date": frozenset({"date"}),
    "number": frozenset({"double", "int", "currency", "percent"}),
    "flag": frozenset({"boolean"}),
    "state": frozenset({"string", "picklist"}),
    "reference": frozenset({"reference"}),
    "joined": _TEXTS,
    "local_time": frozenset({"datetime"}),
    "title": _TEXTS,
    "tags": _TEXTS,
}
_LONGEST_ID = 64
_CURRENCY = "CurrencyIsoCode"  # of records, where the org has several
_OF_PERSONS = frozenset({"FirstName", "LastName", "MiddleName", "Salutation", "Suffix"})  # of accounts, persons alone
_OF_A_FILE = frozenset({"VersionData", "PathOnClient", "Title"})  # what every upload has
DEPLOY, _RIGHTS = "run `chronobridge salesforce deploy`", "permission set, Field Permissions"


def find_misfits(
    table: Table, described: Mapping[str, Any], person_types: Mapping[str, str] | None = None
) -> list[Misfit]:
    """Give everything of a mapping that the object does not bear out, in the mapping's order.

    person_types  the ids of the record types of Person Accounts, with their names; None where that is not known
    """
    fields = fields_of(described)
    found = [*_object(table, described), *_external_id(table, fields)]
    for row in table.rows.values():
        found += [replace(one, row=row.name) for one in _field(table, row, fields)]
    if table.opt_in is not None and table.opt_in not in fields:
        found.append(Misfit(f"{table.object}.{table.opt_in}, the opt-in, is not there", _grant(table.opt_in)))
    found += [
        Misfit(f"{table.object}.{name}, filled by a constant, is not there", _grant_own(name))
        for name in table.constants
        if name not in fields
    ]
    return [*found, *_record_type(table, described, person_types), *_required(table, fields)]


def status_misfits(table: Table, described: Mapping[str, Any]) -> list[Misfit]:
    """Give what keeps an org that has fields for the sync status from showing it: all are written, or none is."""
    fields = fields_of(described)
    locked = sorted(name for name in STATUS_FIELDS if fields.get(name, {}).get("updateable") is not True)
    if table.kind not in KINDS_WITH_STATUS or not locked or not STATUS_FIELDS & fields.keys():
        return []
    says = f"{table.object} shows no sync status: {', '.join(locked)} may not be written by the integration user"
    fix = f"{DEPLOY}, or let the integration user edit them: {_RIGHTS}; or set SALESFORCE_STATUS_FIELDS=false"
    return [Misfit(says, fix, is_fatal=False)]


def object_missing(table: Table) -> Misfit:
    """Give what is said of an object that the org does not describe at all."""
    fix = f"{DEPLOY}, or let the integration user see it: permission set, Object Settings"
    return Misfit(f"{table.object} is not there for the integration user", fix)


def salesforce_type(field: Mapping[str, Any]) -> str:
    """Give of what type a described field is, and how much it takes, as a person says it."""
    kind, length = str(field.get("type")), field.get("length")
    if kind == "reference":
        return f"look-up of {' or '.join(str(one) for one in field.get('referenceTo') or ()) or 'records'}"
    if kind in ("picklist", "combobox"):
        count = len(active_values(field))
        word = "restricted picklist" if field.get("restrictedPicklist") is True else "picklist"
        return f"{word}, {count} value{'' if count == 1 else 's'}"
    word = _WORDS.get(kind, kind)
    if kind in _TEXTS and isinstance(length, int) and length > 0:
        return f"{word}, {length:,} characters"
    digits = digits_of(field)
    if digits is not None:
        behind = f" and {digits[1]} behind" if digits[1] else ""
        return f"{word}, {digits[0]} digits before the point{behind}"
    return word


_WORDS = {
    "string": "text",
    "textarea": "long text",
    "encryptedstring": "encrypted text",
    "double": "number",
    "int": "whole number",
    "boolean": "checkbox",
    "datetime": "date and time",
    "url": "address of a page",
}


def not_there(table: Table, name: str) -> Misfit:
    """Give what is said of a condition's field that the object, or the record it refers to, does not have."""
    says = f"{table.object}.{name}, which include asks for, is not there for the integration user"
    return Misfit(says, _grant_own(name))


def objects_behind(described: Mapping[str, Any], relationship: str) -> tuple[str, ...]:
    """Give the objects that a relationship leads to; none where there is none of that name."""
    wanted = relationship.casefold()
    fields = (one for one in fields_of(described).values() if str(one.get("relationshipName")).casefold() == wanted)
    return tuple(str(name) for field in fields for name in field.get("referenceTo") or ())


def _object(table: Table, described: Mapping[str, Any]) -> Iterator[Misfit]:
    for ability, word in (("createable", "Create"), ("updateable", "Edit")):
        if described.get(ability) is False:
            says = f"the integration user may not {word.lower()} {table.object}"
            yield Misfit(says, f"{DEPLOY}, or permission set, Object Settings, {table.object}: {word}")


def _external_id(table: Table, fields: Mapping[str, Any]) -> Iterator[Misfit]:
    name = f"{table.object}.{table.external_id}"
    field = fields.get(table.external_id)
    if field is None:
        yield Misfit(f"{name}, the external id, is not there", _grant(table.external_id))
        return
    edit = f"Object Manager, {table.object}, {table.external_id}, Edit:"
    if field.get("externalId") is not True:
        yield Misfit(f"{name} is no external id", f"{edit} tick External ID")
    if table.kind is Kind.DOCUMENT:  # a new version may have its predecessor's id: unique would refuse a user's upload
        if field.get("unique") is True:
            says = f"{name} is unique, so Salesforce refuses new versions of a File that has one"
            yield Misfit(says, f"{edit} untick Unique")
    elif field.get("unique") is not True:
        yield Misfit(f"{name} is not unique", f"{edit} tick Unique, case sensitive")
    elif field.get("caseSensitive") is False:
        yield Misfit(f"{name} is unique without regard to case", f"{edit} choose case sensitive", is_fatal=False)
    if field.get("type") != "string" or int(field.get("length") or 0) < _LONGEST_ID:
        says = f"{name} is {field.get('type')}({field.get('length')}); ids need Text({_LONGEST_ID})"
        yield Misfit(says, f"make it Text({_LONGEST_ID})")
    if field.get("createable") is False or field.get("updateable") is False:  # into a record that is there as well
        yield Misfit(f"{name} may not be written by the integration user", _grant(table.external_id))


def _field(table: Table, row: Row, fields: Mapping[str, Any]) -> Iterator[Misfit]:
    short = row.shown(Side.SALESFORCE)
    name, field = f"{table.object}.{short}", fields.get(short)
    if field is None:
        yield Misfit(f"{name} is not there for the integration user", _grant(short))
        return
    kind = field.get("type")
    if row.codec.name in _TYPES and kind not in _TYPES[row.codec.name]:
        wanted = " or ".join(sorted(_TYPES[row.codec.name]))
        yield Misfit(f"{name} is of type {kind}, codec {row.codec.name} needs {wanted}", "map another field, or codec")
    if field.get("createable") is False or (field.get("updateable") is False and not _is_placed_once(table, row)):
        yield Misfit(f"{name} may not be written by the integration user", _grant(short))
    if row.parent and field.get("relationshipName") != row.names[Side.SALESFORCE]:
        says = f"{name} is not behind the relationship {row.names[Side.SALESFORCE]}"
        yield Misfit(says, f"map {field.get('relationshipName')}, as Salesforce's describe names it")
    behind = [str(one) for one in field.get("referenceTo") or ()]
    if row.parent and behind and row.behind.casefold() not in {one.casefold() for one in behind}:
        says = f"{name} looks up {' or '.join(behind)}, and each {row.parent} is a record of {row.behind}"
        yield Misfit(says, f"map a look-up of {row.behind}, or make one")
    if kind == "currency" and _CURRENCY in fields and _CURRENCY not in _filled(table):
        says = f"{name} is money in an org of several currencies, and nothing says which a new record's is"
        yield Misfit(says, f'[{table.kind.value}.constants] {_CURRENCY} = "USD"', is_fatal=False)
    yield from _sizes(name, row, field)
    yield from _values(table, name, row, fields)


def _is_placed_once(table: Table, row: Row) -> bool:
    """Say whether a field says where a File is first put: no File is moved by it, which its links do."""
    return table.kind is Kind.DOCUMENT and row.parent is not None


def _sizes(name: str, row: Row, field: Mapping[str, Any]) -> Iterator[Misfit]:
    length, most = field.get("length"), row.options.max_length
    if most is not None and isinstance(length, int) and 0 < length < most:
        says = f"{name} takes {length} characters, the mapping lets {most} pass; a longer value is left out"
        yield Misfit(says, f"lengthen the field, or set max_length = {length} in the mapping")
    scale, decimals = field.get("scale"), row.options.decimals
    if decimals is not None and isinstance(scale, int) and scale < decimals:
        says = f"{name} takes {scale} decimals, the mapping lets {decimals} pass; a value with more is left out"
        yield Misfit(says, f"give the field more decimals, or set decimals = {scale} in the mapping")


def _values(table: Table, name: str, row: Row, fields: Mapping[str, Any]) -> Iterator[Misfit]:
    field = fields[row.shown(Side.SALESFORCE)]
    if code_field(row, fields) is not None:
        yield from _states(table, name, row, fields)
        return
    if field.get("type") != "picklist":
        return
    active, is_strict = active_values(field), field.get("restrictedPicklist") is True
    if missing := [value for value in row.options.values.values() if value and value not in active]:
        says = f"{name} has no picklist value {', '.join(missing)}"
        yield Misfit(says, "add it to the picklist, or map it to another one", is_fatal=is_strict)
    elif is_strict and not row.options.values:
        says = f"{name} is a restricted picklist, codec {row.codec.name} sends any text; what is not in it is left out"
        yield Misfit(says, "give the row codec enum with values, or lift the restriction", is_fatal=False)


def _states(table: Table, name: str, row: Row, fields: Mapping[str, Any]) -> Iterator[Misfit]:
    """Tell what of an org's list of states does not fit a row."""
    if row.codec.name != "state":
        says = f"{name} takes the states of the org's list, codec {row.codec.name} sends any text"
        yield Misfit(says, 'give the row codec = "state"')
        return
    listed = listed_states(table, row, fields)
    states = set() if listed is None else listed[0].keys()
    missing = sorted(COUNTRIES["US"].keys() - states)
    setup = "Setup, State and Country/Territory Picklists, United States"
    if len(missing) == len(COUNTRIES["US"]):
        yield Misfit(f"{name}: the org's list has no state of the United States", f"{setup}: make it active, add them")
    elif missing:
        says = f"{name}: the org's list has no {', '.join(missing)}; such a state is left out"
        yield Misfit(says, f"{setup}: add what your patients need", is_fatal=False)


def _record_type(
    table: Table, described: Mapping[str, Any], person_types: Mapping[str, str] | None
) -> Iterator[Misfit]:
    """Tell what is wrong with the record type that new records get: they are persons or companies by it."""
    if "recordTypeInfos" not in described:  # a description as it is kept says nothing of them
        return
    listed = [one for one in described.get("recordTypeInfos") or () if isinstance(one, dict)]
    ours = {_short(one.get("recordTypeId")): one for one in listed if one.get("available") is not False}
    constant = f"[{table.kind.value}.constants] RecordTypeId"
    chosen = _short(table.constants.get("RecordTypeId", ""))
    if chosen and listed and chosen not in ours:
        names = ", ".join(f"{one.get('name')} {one.get('recordTypeId')}" for one in ours.values())
        says = f"{table.object} has no record type {table.constants['RecordTypeId']} for the integration user"
        yield Misfit(says, f"{constant} = one of: {names}; or assign it, permission set, Object Settings, Record Types")
        return
    if not is_of_persons(table, fields_of(described)):
        return
    known = {_short(one): name for one, name in (person_types or {}).items()}
    default = next((key for key, one in ours.items() if one.get("defaultRecordTypeMapping") is True), "")
    choices = ", ".join(f'"{one}" ({name})' for one, name in (person_types or {}).items())
    fix = f"{constant} = {choices or 'the id of a person record type, as its address in Setup shows it'}"
    if chosen and person_types is not None and chosen not in known:
        yield Misfit(
            f"{table.object}: RecordTypeId {table.constants['RecordTypeId']} makes companies, not persons", fix
        )
    elif not chosen and "RecordTypeId" not in _filled(table) and default not in known:
        yield Misfit(f"{table.object}: nothing says RecordTypeId, so new records may become companies", fix)


def is_of_persons(table: Table, fields: Mapping[str, Any]) -> bool:
    """Say whether a mapping means Person Accounts: accounts with a person's fields, in an org that has such."""
    filled = _filled(table)
    has_a_persons = any(name in _OF_PERSONS or name.startswith("Person") or name.endswith("__pc") for name in filled)
    is_account = table.object.casefold() == "account"
    return is_account and has_a_persons and ("IsPersonAccount" in fields or "RecordTypeId" in filled)


def _short(record_type: Any) -> str:
    return str(record_type)[:15]


def _filled(table: Table) -> set[str]:
    return {row.shown(Side.SALESFORCE) for row in table.rows.values()} | set(table.constants) | {table.external_id}


def _required(table: Table, fields: Mapping[str, Any]) -> Iterator[Misfit]:
    filled, is_of_people = _filled(table), is_of_persons(table, fields)
    if is_of_people and "Name" in filled:
        says = f"{table.object}.Name is refused of a person account: Salesforce makes it of the person's names"
        yield Misfit(says, "map FirstName and LastName, and leave Name out")
    if is_of_people and "LastName" not in filled:
        yield Misfit(f"{table.object}.LastName is required of a person account, and nothing fills it", "map it")
    filled |= _OF_A_FILE if table.kind is Kind.DOCUMENT else set()
    for name, field in fields.items():
        if is_required(field) and name not in filled and not (is_of_people and name == "Name"):
            says = f"{table.object}.{name} is required, and nothing fills it"
            yield Misfit(says, f"map it, or give it a value: [{table.kind.value}.constants] {name} = …")


def _grant(name: str) -> str:
    return f"{DEPLOY}, or create {name} and let the integration user read and edit it: {_RIGHTS}"


def _grant_own(name: str) -> str:
    """Give the fix for a field that is none of the package's: what it is made of nobody but the org knows."""
    return f"create {name}, or let the integration user read and edit it: {_RIGHTS}"
