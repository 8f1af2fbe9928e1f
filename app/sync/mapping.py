"""The mapping file as a checked table, and both sides' records read and written through it.

Everything that is wrong with a file is found at load and named by file, table and key. Nothing outside the table is
kept or written. Field values are compared only here, in one normal form per codec.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any

from app.errors import Misconfigured
from app.sync.codecs import CODECS, Codec, Options, Unfit
from app.sync.records import Fields, Kind, Side, Sight


class Direction(StrEnum):
    """Which way a field travels."""

    BOTH = "both"
    TO_SALESFORCE = "to_salesforce"


class OnConflict(StrEnum):
    """Who decides when both sides changed a field."""

    OWNER = "owner"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Row:
    """One field of one kind: its name on each side and its rules."""

    name: str
    names: Mapping[Side, str]
    codec: Codec
    options: Options
    direction: Direction
    owner: Side
    on_conflict: OnConflict
    is_identity: bool

    def equal(self, one: str | None, other: str | None) -> bool:
        """Say whether two tidy values mean the same."""
        return self.codec.normal(one) == self.codec.normal(other)


@dataclass(frozen=True, slots=True)
class Table:
    """The mapping of one kind."""

    kind: Kind
    path: str
    object: str
    external_id: str
    rows: Mapping[str, Row]
    constants: Mapping[str, Any] = field(default_factory=dict)

    def read(self, side: Side, record_id: str, raw: Mapping[str, Any], *, version: str, confirmed: bool) -> Sight:
        """Give the sight of a vendor's record; keys outside the table are passed over."""
        fields: dict[str, str | None] = {}
        unreadable: dict[str, str] = {}
        for row in self.rows.values():
            name = row.names[side]
            if name not in raw:
                continue
            try:
                fields[row.name] = row.codec.read(side, raw[name], row.options)
            except Unfit as why:
                unreadable[row.name] = str(why)
        key = str(raw.get(self.external_id) or "").strip() or None if side is Side.SALESFORCE else None
        return Sight(record_id, fields, version, confirmed, unreadable, key)

    def write(self, side: Side, fields: Fields) -> tuple[dict[str, Any], dict[str, str]]:
        """Give the vendor's names and values for these fields, and field -> why for those that cannot travel."""
        raw: dict[str, Any] = {}
        refused: dict[str, str] = {}
        for name, value in fields.items():
            row = self.rows[name]
            try:
                raw[row.names[side]] = row.codec.write(side, value, row.options)
            except Unfit as why:
                refused[name] = str(why)
        return raw, refused

    def keep(self, raw: Mapping[str, Any], *beside: str) -> dict[str, Any]:
        """Give what of a DrChrono record may be stored: the fields of the table, and the keys named beside them."""
        wanted = {row.names[Side.DRCHRONO] for row in self.rows.values()} | set(beside)
        return {name: value for name, value in raw.items() if name in wanted}


Mappings = Mapping[Kind, Table]


def load(path: Path | None = None) -> Mappings:
    """Give the checked tables of a mapping file, or of the shipped one.

    Raises  Misconfigured, naming file, table and key
    """
    name = str(path) if path else "the shipped default.toml"
    try:
        text = path.read_text() if path else (resources.files("app.sync") / "mappings" / "default.toml").read_text()
        document = tomllib.loads(text)
    except OSError as error:
        raise Misconfigured(f"MAPPING_FILE: {name} cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"MAPPING_FILE: {name} is not TOML: {error}") from None
    if not document:
        raise Misconfigured(f"MAPPING_FILE: {name} maps nothing; expected a table such as [patient]")
    return {_kind(name, key): _table(name, _kind(name, key), table) for key, table in document.items()}


def _kind(file: str, key: str) -> Kind:
    try:
        return Kind(key)
    except ValueError:
        raise _wrong(file, key, "", f"is no kind; expected one of {', '.join(Kind)}") from None


def _wrong(file: str, table: str, key: str, what: str) -> Misconfigured:
    return Misconfigured(f"MAPPING_FILE: {file}, table [{table}]{f', key {key}' if key else ''}: {what}")


def _table(file: str, kind: Kind, table: Any) -> Table:
    if not isinstance(table, dict):
        raise _wrong(file, kind, "", "must be a table")
    known = {"drchrono", "object", "external_id", "fields", "constants"}
    if unknown := sorted(set(table) - known):
        raise _wrong(file, kind, unknown[0], f"is unknown; expected {', '.join(sorted(known))}")
    for key in ("drchrono", "object", "external_id"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise _wrong(file, kind, key, 'is missing; expected a name, for example external_id = "DrChrono_Id__c"')
    fields = table.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise _wrong(file, kind, "fields", "is missing; expected one row per field")
    rows = {name: _row(file, kind, name, raw) for name, raw in fields.items()}
    taken = {(Side.SALESFORCE, table["external_id"].lower()): "external_id"}  # Salesforce's names ignore case
    for row in rows.values():
        for side, name in row.names.items():
            place = (side, name.lower() if side is Side.SALESFORCE else name)
            is_copy = side is Side.DRCHRONO and row.direction is Direction.TO_SALESFORCE  # may go to several places
            if place in taken and not is_copy:
                what = f"{side} field {name} is mapped already by {taken[place]}"
                raise _wrong(file, kind, f"fields.{row.name}", what)
            taken.setdefault(place, row.name)
    constants = table.get("constants", {})
    if not isinstance(constants, dict):
        raise _wrong(file, kind, "constants", 'must be a table: { AccountId = "001…" }')
    for name in constants:
        if (first := taken.get((Side.SALESFORCE, name.lower()))) is not None:
            raise _wrong(file, kind, f"constants.{name}", f"is mapped already by {first}")
    return Table(kind, table["drchrono"], table["object"], table["external_id"], rows, constants)


def _row(file: str, kind: Kind, name: str, raw: Any) -> Row:
    def wrong(key: str, what: str) -> Misconfigured:
        return _wrong(file, kind, f"fields.{name}{f'.{key}' if key else ''}", what)

    if not isinstance(raw, dict):
        raise wrong("", "must be a row: { drchrono = …, salesforce = …, codec = … }")
    known = {"drchrono", "salesforce", "codec", "direction", "owner", "on_conflict", "identity", "max_length", "values"}
    if unknown := sorted(set(raw) - known):
        raise wrong(unknown[0], f"is unknown; expected {', '.join(sorted(known))}")
    for key in ("drchrono", "salesforce", "codec"):
        if not isinstance(raw.get(key), str) or not raw[key]:
            raise wrong(key, "is missing; expected a name")
    codec = _codec(wrong, raw)
    if not isinstance(raw.get("identity", False), bool):
        raise wrong("identity", "must be true or false")
    direction = _choice(wrong, raw, "direction", Direction, Direction.BOTH)
    if direction is Direction.BOTH and "owner" not in raw:
        raise wrong("owner", 'is missing; expected "drchrono" or "salesforce"')
    owner = _choice(wrong, raw, "owner", Side, Side.DRCHRONO)
    if direction is Direction.TO_SALESFORCE and owner is not Side.DRCHRONO:
        raise wrong("owner", "a field that only goes to Salesforce is DrChrono's")
    return Row(
        name=name,
        names={Side.DRCHRONO: raw["drchrono"], Side.SALESFORCE: raw["salesforce"]},
        codec=codec,
        options=Options(max_length=raw.get("max_length"), values=raw.get("values", {})),
        direction=direction,
        owner=owner,
        on_conflict=_choice(wrong, raw, "on_conflict", OnConflict, OnConflict.OWNER),
        is_identity=raw.get("identity", False),
    )


def _codec(wrong: Any, raw: Mapping[str, Any]) -> Codec:
    codec = CODECS.get(raw["codec"])
    if codec is None:
        raise wrong("codec", f"{raw['codec']} is unknown; expected one of {', '.join(CODECS)}")
    for key in ("max_length", "values"):
        if key in raw and key not in codec.options:
            raise wrong(key, f"does not go with codec {codec.name}")
    length = raw.get("max_length", 1)
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise wrong("max_length", "must be a number of characters, 1 or more")
    values = raw.get("values", {})
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise wrong("values", 'must be a table of texts: { "DrChrono\'s value" = "Salesforce\'s" }')
    if "values" in codec.options and not values:
        raise wrong("values", 'is missing; expected { "DrChrono\'s value" = "Salesforce\'s" }')
    if len(set(values.values())) != len(values):
        raise wrong("values", "two values become the same one, so the way back is lost")
    return codec


def _choice(wrong: Any, raw: Mapping[str, Any], key: str, choices: Any, default: Any) -> Any:
    value = raw.get(key, default)
    try:
        return choices(value)
    except ValueError:
        raise wrong(key, f"{value} is unknown; expected one of {', '.join(choices)}") from None
