"""What the org is like, as it describes itself: what each mapped field takes, its list of states, its time zone.

What the org says goes before what the mapping assumes, so that a value it would refuse is left out by name and the
rest of its record travels. A description is kept cut down to what is read of it here; of what an org has not said
nothing is assumed.

Source  REST API Developer Guide, sObject Describe; State and Country/Territory Picklists: the state's code depends on
        the country's, and `validFor` has a bit for each value of the controlling picklist
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from app.errors import Rejected
from app.sync.mappings.codecs import FieldLimits
from app.sync.mappings.states import COUNTRIES, STATE, code_of, companions, folded
from app.sync.mappings.table import Mappings, Row, Table
from app.sync.model import Kind, Side
from app.sync.sync_status import STATUS_FIELDS
from app.vendors.salesforce.client import Salesforce

ORGANIZATION = "Organization"  # the org's own row among its objects
Described = Mapping[str, Any]
_TEXTS = frozenset({"string", "textarea", "picklist", "combobox", "email", "phone", "url", "encryptedstring"})
_READ_OF_A_FIELD = (
    *("name", "type", "length", "precision", "scale", "digits"),
    *("nillable", "createable", "updateable", "defaultedOnCreate", "restrictedPicklist", "picklistValues"),
    *("referenceTo", "relationshipName", "externalId", "unique", "caseSensitive"),
)
_READ_OF_AN_OBJECT = ("createable", "updateable")
_SAY_WHAT_IT_IS = frozenset({"IsPersonAccount", "CurrencyIsoCode"})
_ASKED = "asked"  # of a kept description: the fields that were looked for in it
_READ_OF_A_VALUE = ("value", "label", "active", "validFor")


class OrgMappings(Mapping[Kind, Table]):
    """The mapping as its file has it, made as narrow as the org is once that has said so."""

    def __init__(self, declared: Mappings) -> None:
        self._declared, self._fitted = declared, dict(declared)

    def __getitem__(self, kind: Kind) -> Table:
        return self._fitted[kind]

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._fitted)

    def __len__(self) -> int:
        return len(self._fitted)

    def fit(self, described: Mapping[str, Described]) -> None:
        """Take what the org says of its objects, by their names; of one it says nothing of, the file's word holds."""
        self._fitted = {kind: fitted(table, described.get(table.object)) for kind, table in self._declared.items()}


async def describe_org(client: Salesforce, mappings: Mappings) -> dict[str, dict[str, Any]]:
    """Ask the org what it is like, and give what is read of that, by object: those of the mapping, and the org itself.

    An object that the integration user does not see is left out; so is what an org does not say of itself.
    Raises  Unavailable, Unauthorized, Rejected, Unreadable
    """
    found: dict[str, dict[str, Any]] = {}
    for table in mappings.values():
        if (described := await client.describe(table.object)) is not None:
            found[table.object] = cut_down(table, described)
    with suppress(Rejected):
        found[ORGANIZATION] = dict(await client.organization())
    return found


def cut_down(table: Table, described: Described) -> dict[str, Any]:
    """Give of an object's description what is read of it for a mapping, to be kept."""
    wanted = _wanted(table)
    fields = [
        _cut(field, _READ_OF_A_FIELD)
        for name, field in fields_of(described).items()
        if name in wanted or is_required(field)
    ]
    for field in fields:
        if "picklistValues" in field:
            field["picklistValues"] = [_cut(one, _READ_OF_A_VALUE) for one in _values(field)]
    return {**_cut(described, _READ_OF_AN_OBJECT), "fields": fields, _ASKED: sorted(wanted)}


def speaks_of(described: Described | None, table: Table) -> bool:
    """Say whether a kept description was asked for all that a mapping names; one may have changed since the other."""
    return described is not None and _wanted(table) <= {*described.get(_ASKED, ())}


def _wanted(table: Table) -> set[str]:
    wanted = {*STATUS_FIELDS, *_SAY_WHAT_IT_IS, *table.constants, table.external_id}
    if table.opt_in is not None:
        wanted.add(table.opt_in)
    for row in table.rows.values():
        wanted.add(row.shown(Side.SALESFORCE))
        if row.codec is STATE:
            wanted |= {*companions(row.names[Side.SALESFORCE])}
    return wanted


def _cut(whole: Described, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: whole[name] for name in names if name in whole}


def fields_of(described: Described) -> dict[str, Described]:
    """Give the fields of a described object by their names."""
    return {str(field.get("name")): field for field in described.get("fields") or () if isinstance(field, dict)}


def fitted(table: Table, described: Described | None) -> Table:
    """Give a table whose rows know what the org takes in their fields."""
    if described is None:
        return table
    fields = fields_of(described)
    shows_status = all(fields.get(name, {}).get("updateable") is True for name in STATUS_FIELDS)
    rows = {name: _fitted(table, row, fields) for name, row in table.rows.items()}
    return replace(table, rows=rows, shows_status=shows_status)


def _fitted(table: Table, row: Row, fields: Mapping[str, Described]) -> Row:
    field = fields.get(row.shown(Side.SALESFORCE))
    return row if field is None else replace(row, options=replace(row.options, limits=_limits(table, row, fields)))


def _limits(table: Table, row: Row, fields: Mapping[str, Described]) -> FieldLimits:
    field = fields[row.shown(Side.SALESFORCE)]
    kind, is_strict = field.get("type"), field.get("restrictedPicklist") is True
    states = listed_states(table, row, fields) if row.codec is STATE else None
    return FieldLimits(
        length=_count(field, "length") if kind in _TEXTS else None,
        values=active_values(field) if kind == "picklist" and is_strict and states is None else None,
        digits=digits_of(field),
        is_required=is_required(field),
        states=None if states is None else states[0],
        state_names={} if states is None else states[1],
    )


def is_required(field: Described) -> bool:
    """Say whether a field must be given a value: it is never empty, and nothing fills it."""
    is_given = field.get("nillable") is False and field.get("createable") is True
    return is_given and field.get("defaultedOnCreate") is not True


def active_values(field: Described) -> frozenset[str]:
    """Give the values of a picklist that may be chosen."""
    return frozenset(str(one.get("value")) for one in _values(field) if one.get("active") is not False)


def _values(field: Described) -> list[Described]:
    return [one for one in field.get("picklistValues") or () if isinstance(one, dict)]


def _count(field: Described, name: str) -> int | None:
    count = field.get(name)
    return count if isinstance(count, int) and count > 0 else None


def digits_of(field: Described) -> tuple[int, int] | None:
    """Give how many digits a number has before the point, and behind it; None where the field does not say."""
    if field.get("type") == "int":
        whole = _count(field, "digits")
        return None if whole is None else (whole, 0)
    precision, scale = _count(field, "precision"), field.get("scale")
    if field.get("type") not in ("double", "currency", "percent") or precision is None or not isinstance(scale, int):
        return None
    return max(precision - scale, 0), scale


States = tuple[dict[str | None, dict[str, str | None]], dict[str, str]]


def code_field(row: Row, fields: Mapping[str, Described]) -> str | None:
    """Give the field that has a state's code where the org has lists of states; None where it has none."""
    name = companions(row.names[Side.SALESFORCE])[0]
    return name if fields.get(name, {}).get("type") == "picklist" else None


def listed_states(table: Table, row: Row, fields: Mapping[str, Described]) -> States | None:
    """Give what to write of each state, and the states by the names the org has for them; None without a list.

    By its code, for the text beside it may be another word than the one shown; with its country, without which the org
    takes no state: the mapping's constant, or the one that the state is in. A picklist of the org's own that holds
    letters or names is such a list, too.
    """
    code_name = code_field(row, fields)
    if code_name is None:
        name = row.names[Side.SALESFORCE]
        field = fields.get(name, {})
        if field.get("type") != "picklist" or field.get("restrictedPicklist") is not True:
            return None
        own: States = ({None: {name: None}}, {})
        own[0].update({code: {name: value} for value in sorted(active_values(field)) if (code := code_of(value))})
        return own
    states: dict[str | None, dict[str, str | None]] = {None: {code_name: None}}
    names: dict[str, str] = {}
    for country, beside, place in _countries(table, row, fields):
        for one in _values(fields[code_name]):
            code, label = str(one.get("value")), str(one.get("label"))
            letters = code if code in COUNTRIES[country] else code_of(label) or ""
            if letters in COUNTRIES[country] and one.get("active") is not False and _is_of(one, place, letters):
                states[letters] = {code_name: code, **beside}
                names[folded(label)] = letters
    return states, names


def _countries(
    table: Table, row: Row, fields: Mapping[str, Described]
) -> Iterator[tuple[str, dict[str, str | None], int | None]]:
    """Give each country whose states we know: its code, what to write of it, and its place in the org's list."""
    name = companions(row.names[Side.SALESFORCE])[1]
    in_words = name.replace("CountryCode", "Country")
    constants = {one: table.constants[one] for one in (name, in_words) if one in table.constants}
    is_mapped = any(other.names[Side.SALESFORCE] in (name, in_words) for other in table.rows.values())
    listed = _values(fields.get(name, {}))
    if not listed:
        yield from ((country, dict(constants), None) for country in COUNTRIES)
        return
    for place, one in enumerate(listed):
        code = str(one.get("value"))
        is_meant = all(str(value) in (code, str(one.get("label"))) for value in constants.values())
        if code in COUNTRIES and one.get("active") is not False and is_meant:
            yield code, {} if is_mapped else dict(constants) or {name: code}, place


def _is_of(state: Described, place: int | None, letters: str) -> bool:
    """Say whether a state is one of the country at a place of the list; where the org does not say, by its name."""
    try:
        bits = base64.b64decode(str(state["validFor"]), validate=True)
    except (KeyError, ValueError, binascii.Error):
        return code_of(str(state.get("label"))) == letters
    return place is None or (place // 8 < len(bits) and bool(bits[place // 8] & (0x80 >> place % 8)))
