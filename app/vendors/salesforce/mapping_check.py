"""Does a mapping fit an object, as the org describes it to the integration user? Pure.

A field that the user may not see is not described at all, so *missing* and *not permitted* are one answer.

Source  REST API Developer Guide, sObject Describe
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.sync.mappings.table import Row, Table
from app.sync.model import Side

_TEXTS = frozenset({"string", "textarea", "picklist", "combobox", "email", "phone", "url", "encryptedstring"})
_TYPES = {
    "text": _TEXTS,
    "email": frozenset({"email", "string"}),
    "phone": frozenset({"phone", "string"}),
    "enum": frozenset({"picklist", "combobox", "string"}),
    "date": frozenset({"date"}),
    "number": frozenset({"double", "int", "currency", "percent"}),
    "flag": frozenset({"boolean"}),
    "reference": frozenset({"reference"}),
    "joined": _TEXTS,
    "local_time": frozenset({"datetime"}),
}
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that does not fit; `is_fatal` when records would be refused for it."""

    says: str
    fix: str
    is_fatal: bool = True


def find_misfits(table: Table, described: Mapping[str, Any]) -> list[Misfit]:
    """Give everything of a mapping that the object does not bear out, in the mapping's order."""
    fields = {str(field.get("name")): field for field in described["fields"] if isinstance(field, dict)}
    found = [*_object(table, described), *_external_id(table, fields)]
    for row in table.rows.values():
        found += _field(table, row, fields)
    if table.opt_in is not None and table.opt_in not in fields:
        found.append(Misfit(f"{table.object}.{table.opt_in}, the opt-in, is not there", _grant(table.opt_in)))
    found += [
        Misfit(f"{table.object}.{name}, filled by a constant, is not there", _grant(name))
        for name in table.constants
        if name not in fields
    ]
    return [*found, *_required(table, fields)]


def _object(table: Table, described: Mapping[str, Any]) -> Iterator[Misfit]:
    for ability, word in (("createable", "Create"), ("updateable", "Edit")):
        if described.get(ability) is False:
            says = f"the integration user may not {word.lower()} {table.object}"
            yield Misfit(says, f"permission set, Object Settings, {table.object}: {word}")


def _external_id(table: Table, fields: Mapping[str, Any]) -> Iterator[Misfit]:
    name = f"{table.object}.{table.external_id}"
    field = fields.get(table.external_id)
    if field is None:
        yield Misfit(f"{name}, the external id, is not there", _grant(table.external_id))
        return
    edit = f"Object Manager, {table.object}, {table.external_id}, Edit:"
    if field.get("externalId") is not True:
        yield Misfit(f"{name} is no external id", f"{edit} tick External ID")
    if field.get("unique") is not True:
        yield Misfit(f"{name} is not unique", f"{edit} tick Unique, case sensitive")
    elif field.get("caseSensitive") is False:
        yield Misfit(f"{name} is unique without regard to case", f"{edit} choose case sensitive", is_fatal=False)
    if field.get("type") != "string" or int(field.get("length") or 0) < _LONGEST_ID:
        says = f"{name} is {field.get('type')}({field.get('length')}); ids need Text({_LONGEST_ID})"
        yield Misfit(says, f"make it Text({_LONGEST_ID})")
    if field.get("createable") is False:
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
    if field.get("createable") is False or field.get("updateable") is False:
        yield Misfit(f"{name} may not be written by the integration user", _grant(short))
    if row.parent and field.get("relationshipName") != row.names[Side.SALESFORCE]:
        says = f"{name} is not behind the relationship {row.names[Side.SALESFORCE]}"
        yield Misfit(says, f"map {field.get('relationshipName')}, as Salesforce's describe names it")
    length, most = field.get("length"), row.options.max_length
    if most is not None and isinstance(length, int) and 0 < length < most:
        says = f"{name} takes {length} characters, the mapping lets {most} pass"
        yield Misfit(says, f"lengthen the field, or set max_length = {length} in the mapping")
    yield from _values(name, row, field)


def _values(name: str, row: Row, field: Mapping[str, Any]) -> Iterator[Misfit]:
    if field.get("type") != "picklist":
        return
    listed = [value for value in field.get("picklistValues") or () if isinstance(value, dict)]
    active = {value.get("value") for value in listed if value.get("active") is not False}
    is_strict = field.get("restrictedPicklist") is True
    if missing := [value for value in row.options.values.values() if value not in active]:
        says = f"{name} has no picklist value {', '.join(missing)}"
        yield Misfit(says, "add it to the picklist, or map it to another one", is_fatal=is_strict)
    elif is_strict and not row.options.values:
        says = f"{name} is a restricted picklist, codec {row.codec.name} sends any text"
        yield Misfit(says, "give the row codec enum with values, or lift the restriction", is_fatal=False)


def _required(table: Table, fields: Mapping[str, Any]) -> Iterator[Misfit]:
    filled = {row.shown(Side.SALESFORCE) for row in table.rows.values()} | set(table.constants) | {table.external_id}
    for name, field in fields.items():
        is_required = field.get("nillable") is False and field.get("createable") is True
        if is_required and field.get("defaultedOnCreate") is not True and name not in filled:
            says = f"{table.object}.{name} is required, and nothing fills it"
            yield Misfit(says, f"map it, or give it a value: [{table.kind.value}.constants] {name} = …")


def _grant(name: str) -> str:
    return f"create {name}, or let the integration user read and edit it: permission set, Field Permissions"
