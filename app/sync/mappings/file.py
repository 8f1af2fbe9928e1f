"""The mapping file, read and checked: everything that is wrong with it is found here, named by file, table and key."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.errors import Misconfigured
from app.sync.mappings import include
from app.sync.mappings.codecs import CODECS, Codec, Options
from app.sync.mappings.document_codecs import TAGS, TITLE, tags_of
from app.sync.mappings.include import Condition
from app.sync.mappings.local_time import LOCAL_TIME
from app.sync.mappings.states import STATE
from app.sync.mappings.table import Direction, Mappings, OnConflict, Row, Table
from app.sync.model import Kind, Side

_ALL_CODECS = {**CODECS, **{codec.name: codec for codec in (LOCAL_TIME, STATE, TITLE, TAGS)}}
TYPES = ("pdf", "png", "jpeg", "tiff")  # of files that travel
_OF_DOCUMENTS = frozenset({"tags", "types"})


PRESETS = ("default", "person-accounts", "wide")  # mappings that come with the service
_EXTENDS = "extends"


def is_preset(path: Path) -> bool:
    """Say whether a mapping is named that comes with the service."""
    return str(path) in PRESETS


def load(path: Path | None = None) -> Mappings:
    """Give the checked tables of a mapping file, of one that comes with the service by its name, or of its default.

    Raises  Misconfigured, naming file, table and key
    """
    if path is None or is_preset(path):
        return _shipped(path or Path(PRESETS[0]))
    return _checked(str(path), path)


@cache
def _shipped(preset: Path) -> Mappings:
    """Give a mapping that comes with the service, read once: it is the same for as long as the process lives."""
    return _checked(f"the shipped {preset}.toml", preset)


def _checked(name: str, path: Path) -> Mappings:
    document = _extended(name, _read(name, path))
    tables = {_kind(name, key): _table(name, _kind(name, key), table) for key, table in document.items()}
    return MappingProxyType({kind: _joined(name, table, tables) for kind, table in tables.items()})


def _read(name: str, path: Path) -> dict[str, Any]:
    place = resources.files("app.sync.mappings") / f"{path}.toml" if is_preset(path) else path
    try:
        document = tomllib.loads(place.read_text())
    except OSError as error:
        raise Misconfigured(f"MAPPING_FILE: {name} cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"MAPPING_FILE: {name} is not TOML: {error}") from None
    if not document:
        raise Misconfigured(f"MAPPING_FILE: {name} maps nothing; expected a table such as [patient]")
    return document


def _extended(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Give a mapping with what it takes over of the one it extends: the tables, rows and keys it does not name."""
    own = {key: table for key, table in document.items() if key != _EXTENDS}
    if _EXTENDS not in document:
        return own
    extends = document[_EXTENDS]
    if extends not in PRESETS:
        says = f"key {_EXTENDS}: {extends} is no mapping that comes with the service; expected one of"
        raise Misconfigured(f"MAPPING_FILE: {name}, {says} {', '.join(PRESETS)}")
    return _laid_over(_extended(name, _read(name, Path(extends))), own)


_WHOLE = {"include", "values"}  # replaced, not laid over


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Give one table laid over another, its tables laid over those of the other; one that is false leaves that out."""
    both: dict[str, Any] = {**below, **above}
    for key in above.keys() & {name for name, value in below.items() if isinstance(value, dict)}:
        if above[key] is False:
            del both[key]
        elif isinstance(above[key], dict) and key not in _WHOLE:
            both[key] = _laid_over(below[key], above[key])
    return both


def _joined(file: str, table: Table, tables: Mappings) -> Table:
    """Give a table whose references know how their parents are named in Salesforce and who of them is synced.

    Its times find their zone.
    """
    rows = dict(table.rows)
    for row in table.rows.values():
        if row.parent is not None:
            if row.parent not in tables:
                raise _wrong(file, table.kind, f"fields.{row.name}.to", f"kind {row.parent} is not mapped")
            parent = tables[row.parent]
            options = replace(row.options, key=parent.external_id)
            rows[row.name] = replace(row, options=options, behind=parent.object, of_parent=parent.include)
        for key in ("local", "zone"):
            beside = getattr(row.options, key)
            if row.codec is LOCAL_TIME and beside not in rows:
                raise _wrong(file, table.kind, f"fields.{row.name}.{key}", "must name another row of the table")
    return replace(table, rows=rows)


_MOST_DECIMALS = 15  # a number of Salesforce's has 18 digits; more than these are not exact
_OPTIONS = {"max_length", "decimals", "values", "to", "local", "zone"}


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
    known = {"drchrono", "object", "external_id", "opt_in", "direction", "include", "fields", "constants"}
    known |= _OF_DOCUMENTS if kind is Kind.DOCUMENT else set()
    if unknown := sorted(set(table) - known):
        raise _wrong(file, kind, unknown[0], f"is unknown; expected {', '.join(sorted(known))}")
    for key in ("drchrono", "object", "external_id"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise _wrong(file, kind, key, 'is missing; expected a name, for example external_id = "DrChrono_Id__c"')
    opt_in = table.get("opt_in")
    if opt_in is not None and (not isinstance(opt_in, str) or not opt_in):
        raise _wrong(file, kind, "opt_in", 'must be the name of a checkbox: "Sync_To_DrChrono__c"')
    fields = table.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise _wrong(file, kind, "fields", "is missing; expected one row per field")
    beside = {"direction": table["direction"]} if "direction" in table else {}
    rows = {name: _row(file, kind, name, raw, beside) for name, raw in fields.items()}
    taken = _places(file, kind, table, rows)
    constants = table.get("constants", {})
    if not isinstance(constants, dict):
        raise _wrong(file, kind, "constants", 'must be a table: { AccountId = "001…" }')
    for name, value in constants.items():
        if (first := taken.get((Side.SALESFORCE, name.lower()))) is not None:
            raise _wrong(file, kind, f"constants.{name}", f"is mapped already by {first}")
        if not isinstance(value, str | int | float) or (isinstance(value, float) and not isfinite(value)):
            raise _wrong(file, kind, f"constants.{name}", "must be a text, a number, true or false")
    conditions = include.parse(kind, table.get("include", []), lambda key, what: _wrong(file, kind, key, what))
    found = Table(kind, table["drchrono"], table["object"], table["external_id"], rows, constants, opt_in, conditions)
    return _of_documents(file, found, table) if kind is Kind.DOCUMENT else found


def _of_documents(file: str, found: Table, table: Mapping[str, Any]) -> Table:
    """Give the table of documents with what it lets through: those with one of these tags, of these types.

    Raises  Misconfigured
    """
    tags, types = (_texts(file, found.kind, table, key, ()) for key in ("tags", "types"))
    if odd := [tag for tag in tags if tags_of(tag) != [tag] or ";" in tag]:
        raise _wrong(file, found.kind, "tags", f"{odd[0]} has a comma, a semicolon or a margin, which no tag has")
    if odd := sorted(set(types) - set(TYPES)):
        raise _wrong(file, found.kind, "types", f"{odd[0]} is unknown; expected {', '.join(TYPES)}")
    patient = found.row_of("patient")
    if patient is None or patient.parent is not Kind.PATIENT:
        what = 'must map DrChrono\'s patient with codec = "reference", to = "patient": a document is nobody\'s without'
        raise _wrong(file, found.kind, "fields", what)
    if found.row_of("archived") is None:
        raise _wrong(file, found.kind, "fields", "must map DrChrono's archived: else nobody sees that one was")
    shared = (Condition(Side.DRCHRONO, "metatags", frozenset(tag.casefold() for tag in tags)),) if tags else ()
    return replace(found, tags=tags, types=types or TYPES, include=(*found.include, *shared))


def _texts(file: str, kind: Kind, table: Mapping[str, Any], key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    given = table.get(key, default)
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) and one for one in given):
        raise _wrong(file, kind, key, 'must be a list of texts, for example ["Share with CRM"]')
    return tuple(given)


def _places(file: str, kind: Kind, table: Mapping[str, Any], rows: Mapping[str, Row]) -> dict[tuple[Side, str], str]:
    """Give what each field of both sides is mapped by; two rows may not have one place."""
    taken = {(Side.SALESFORCE, table["external_id"].lower()): "external_id"}  # Salesforce's names ignore case
    if table.get("opt_in"):
        taken.setdefault((Side.SALESFORCE, table["opt_in"].lower()), "opt_in")
    for row in rows.values():
        for side, name in row.names.items():
            place = (side, name.lower() if side is Side.SALESFORCE else name)
            is_copy = side is Side.DRCHRONO and row.direction is Direction.TO_SALESFORCE  # may go to several places
            if place in taken and not is_copy:
                what = f"{side} field {name} is mapped already by {taken[place]}"
                raise _wrong(file, kind, f"fields.{row.name}", what)
            taken.setdefault(place, row.name)
    return taken


def _row(file: str, kind: Kind, name: str, raw: Any, beside: Mapping[str, Any]) -> Row:
    def wrong(key: str, what: str) -> Misconfigured:
        return _wrong(file, kind, f"fields.{name}{f'.{key}' if key else ''}", what)

    if not isinstance(raw, dict):
        raise wrong("", "must be a row: { drchrono = …, salesforce = …, codec = … }")
    known = {"drchrono", "salesforce", "codec", "direction", "owner", "on_conflict", "identity", "required"} | _OPTIONS
    raw = {**beside, **raw}
    if unknown := sorted(set(raw) - known):
        raise wrong(unknown[0], f"is unknown; expected {', '.join(sorted(known))}")
    for key in ("drchrono", "salesforce", "codec"):
        if not isinstance(raw.get(key), str) or not raw[key]:
            raise wrong(key, "is missing; expected a name")
    codec = _codec(wrong, raw)
    for key in ("identity", "required"):
        if not isinstance(raw.get(key, False), bool):
            raise wrong(key, "must be true or false")
    direction = _choice(wrong, raw, "direction", Direction, Direction.BOTH)
    if direction is Direction.BOTH and "owner" not in raw:
        raise wrong("owner", 'is missing; expected "drchrono" or "salesforce"')
    owner = _choice(wrong, raw, "owner", Side, Side.DRCHRONO)
    if direction is Direction.TO_SALESFORCE and owner is not Side.DRCHRONO:
        raise wrong("owner", "a field that only goes to Salesforce is DrChrono's")
    if direction is Direction.TO_SALESFORCE and raw.get("required", False):
        raise wrong("required", "DrChrono is never sent a field that only goes to Salesforce")
    return Row(
        name=name,
        names={Side.DRCHRONO: raw["drchrono"], Side.SALESFORCE: raw["salesforce"]},
        codec=codec,
        options=Options(**{key: raw[key] for key in _OPTIONS & raw.keys()}),
        direction=direction,
        owner=owner,
        on_conflict=_choice(wrong, raw, "on_conflict", OnConflict, OnConflict.OWNER),
        is_identity=raw.get("identity", False),
        is_required=raw.get("required", False),
    )


def _codec(wrong: Any, raw: Mapping[str, Any]) -> Codec:
    codec = _ALL_CODECS.get(raw["codec"])
    if codec is None:
        raise wrong("codec", f"{raw['codec']} is unknown; expected one of {', '.join(_ALL_CODECS)}")
    for key in sorted(_OPTIONS):
        if key in raw and key not in codec.options:
            raise wrong(key, f"does not go with codec {codec.name}")
        if key in ("to", "local", "zone") and key in codec.options and not isinstance(raw.get(key), str):
            raise wrong(key, "is missing; expected a name")
    if "to" in codec.options:
        _choice(wrong, raw, "to", Kind, None)
    length = raw.get("max_length", 1)
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise wrong("max_length", "must be a number of characters, 1 or more")
    decimals = raw.get("decimals", 0)
    if isinstance(decimals, bool) or not isinstance(decimals, int) or not 0 <= decimals <= _MOST_DECIMALS:
        raise wrong("decimals", f"must be a number of digits behind the point, 0 to {_MOST_DECIMALS}")
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
