"""State and Country/Territory Picklists, which new orgs have on: off here until an admin turns them on.

Beside the text of a state and of a country stands its code then, and each follows the other. The text takes a name of
the list, a state goes with its country, and the country comes first. What is written before stays as it is.
"""

import base64
from typing import Any

from tests.standins.salesforce.errors import RecordError
from tests.standins.salesforce.records import Row, Table
from tests.standins.salesforce.schema import Field

_COUNTRIES = (
    ("AF", "Afghanistan"),
    ("AT", "Austria"),
    ("AU", "Australia"),
    ("BE", "Belgium"),
    ("BR", "Brazil"),
    ("CA", "Canada"),
    ("CH", "Switzerland"),
    ("DE", "Germany"),
    ("MX", "Mexico"),
    ("US", "United States"),
)
# One code may stand for states of several countries. Territories and military addresses are not in the list at first.
_STATES = (
    ("AU", "NT", "Northern Territory"),
    ("AU", "WA", "Western Australia"),
    ("BR", "SC", "Santa Catarina"),
    ("CA", "NT", "Northwest Territories"),
    ("CA", "ON", "Ontario"),
    ("CA", "QC", "Quebec"),
    ("MX", "JA", "Jalisco"),
    ("US", "CA", "California"),
    ("US", "CT", "Connecticut"),
    ("US", "NJ", "New Jersey"),
    ("US", "NY", "New York"),
    ("US", "SC", "South Carolina"),
    ("US", "WA", "Washington"),
)
_DEFAULT = "US"  # of people at the screen; programs have to say it
_STATE = (
    "There's a problem with this state, even though it may appear correct. "
    "Please select a state from the list of valid states."
)
_COUNTRY = (
    "There's a problem with this country, even though it may appear correct. "
    "Please select a country/territory from the list of valid countries."
)
_NO_COUNTRY = "A country/territory must be specified before specifying a state value for field: {label}"
_UNKNOWN_THERE = "The existing country/territory doesn't recognize the state value for field: {label}"


def turn_on(table: Table) -> tuple[Field, ...]:
    """The fields of an object whose addresses have lists now."""
    own = list(table.kind.own)
    for prefix in _prefixes(table):
        country, state = f"{prefix}CountryCode", f"{prefix}StateCode"
        if table.kind.field(f"{prefix}Country") is None:
            own.append(Field(f"{prefix}Country", "string", 80))
        codes, names = zip(*_COUNTRIES, strict=True)
        own.append(Field(country, "picklist", 10, options=codes, labels=names, restricted=False))
        options, labels = tuple(code for _, code, _ in _STATES), tuple(name for *_, name in _STATES)
        bits = tuple(_bits(codes.index(there)) for there, *_ in _STATES)
        beside: dict[str, Any] = {"labels": labels, "valid_for": bits, "controller": country}
        own.append(Field(state, "picklist", 10, options=options, restricted=False, **beside))
    return tuple(own)


def _prefixes(table: Table) -> list[str]:
    return [column.name.removesuffix("State") for column in table.kind.own if column.name.endswith("State")]


def _bits(place: int) -> str:
    bits = bytearray(-(-len(_COUNTRIES) // 8))
    bits[place // 8] |= 0x80 >> place % 8
    return base64.b64encode(bytes(bits)).decode()


def check_addresses(table: Table, values: Row, row: Row | None, *, human: bool) -> None:
    """Judges the states and countries of a write, and has each text and its code follow the other."""
    for prefix in _prefixes(table):
        names = [f"{prefix}{one}" for one in ("State", "StateCode", "Country", "CountryCode")]
        if any(name in values for name in names) and table.kind.field(names[1]):
            _check(prefix, values, row or table.kind.blank, human=human)


def _check(prefix: str, values: Row, before: Row, *, human: bool) -> None:
    country = _country(prefix, values, before)
    if country is None and human:
        country = _DEFAULT
    given = next((name for name in (f"{prefix}StateCode", f"{prefix}State") if name in values), None)
    wanted = values[given] if given else before[f"{prefix}StateCode"]
    label = f"{prefix} State/Province" + (" Code" if given and given.endswith("Code") else "")
    if wanted is not None and country is None:
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", _NO_COUNTRY.format(label=label), [given or f"{prefix}State"])
    place = 2 if given and given.endswith("State") else 1
    known = [one for one in _STATES if str(one[place]).casefold() == str(wanted).casefold()]
    found = next((one for one in known if one[0] == country), None)
    if wanted is not None and found is None:
        says = _UNKNOWN_THERE.format(label=label) if known else f"{_STATE}: {label}"
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", says, [given or f"{prefix}StateCode"])
    values[f"{prefix}StateCode"], values[f"{prefix}State"] = (found[1], found[2]) if found else (None, None)
    values[f"{prefix}CountryCode"], values[f"{prefix}Country"] = country, dict(_COUNTRIES).get(country or "")


def _country(prefix: str, values: Row, before: Row) -> str | None:
    by_name = {name.casefold(): code for code, name in _COUNTRIES}
    for name in (f"{prefix}CountryCode", f"{prefix}Country"):
        if name in values:
            value = values[name]
            code = value if value in dict(_COUNTRIES) else by_name.get(str(value).casefold())
            is_wrong = code is None or (name.endswith("Code") and code != value)
            if value is not None and is_wrong:
                raise RecordError("FIELD_INTEGRITY_EXCEPTION", f"{_COUNTRY}: {prefix} Country", [name])
            return code
    return before[f"{prefix}CountryCode"]
