"""Misfits: what of a mapping a side does not bear out, field by field; and those of DrChrono's side. Pure.

DrChrono describes its fields in its documentation alone, so it is judged by that: what it does not document is a
warning, what it documents otherwise is an error. Salesforce describes itself, and is judged by that in
`app/vendors/salesforce/mapping_check.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.sync.mappings.drchrono_fields import (
    CHOICES,
    DATES,
    FLAGS,
    LISTED,
    LISTS,
    LISTS_AS_TEXT,
    NEEDED,
    NUMBERS,
    READ_ONLY,
    TIMES,
)
from app.sync.mappings.table import ZONE, Direction, Row, Table
from app.sync.model import Kind, Side

_TEXT, _NUMBER, _FLAG, _DATE, _TIME, _LIST = "text", "number", "yes or no", "date", "date and time", "list"
_TEXTS = frozenset({"text", "email", "phone", "state", "joined", "enum"})
_READS = {  # codec -> the types of DrChrono's it reads every value of
    **dict.fromkeys(_TEXTS, frozenset({_TEXT, _NUMBER, _DATE, _TIME})),
    "date": frozenset({_DATE}),
    "number": frozenset({_NUMBER}),
    "flag": frozenset({_FLAG}),
    "reference": frozenset({_NUMBER}),
    "local_time": frozenset({_TIME}),
    "title": frozenset({_TEXT, _DATE}),
    "tags": frozenset({_LIST}),
}
_ARTICLES = {Kind.APPOINTMENT: "an", Kind.OFFICE: "an"}
_MAYBE = frozenset({"number", "flag", "reference"})  # of texts, those that are such a value


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that does not fit; `is_fatal` when records would be refused for it.

    row  our name of the field it is about; empty where it is about the kind
    """

    says: str
    fix: str
    is_fatal: bool = True
    row: str = ""


def drchrono_type(kind: Kind, row: Row) -> str:
    """Give of what type a row's field is in DrChrono, as it documents it; empty where it does not."""
    if row.sources == (ZONE,):
        return "name of a time zone"
    found = {_type(kind, name) for name in row.sources}
    said = found.pop() if len(found) == 1 else _TEXT
    if row.parent and said == _NUMBER:
        return f"id of {_ARTICLES.get(row.parent, 'a')} {row.parent.value}"
    choices = CHOICES.get((kind, row.sources[0]))
    return f"one of {', '.join(choices)}" if choices else said


def drchrono_misfits(table: Table) -> list[Misfit]:
    """Give everything of a mapping that DrChrono's documentation does not bear out, in the mapping's order."""
    return [*(one for row in table.rows.values() for one in _of_row(table.kind, row)), *_needed(table)]


def _type(kind: Kind, name: str) -> str:
    if name in LISTS or name in LISTS_AS_TEXT:
        return _LIST
    if name in TIMES or name in DATES:
        return _TIME if name in TIMES else _DATE
    if name not in LISTED[kind]:
        return ""
    return _FLAG if name in FLAGS else _NUMBER if name in NUMBERS else _TEXT


def _of_row(kind: Kind, row: Row) -> Iterator[Misfit]:
    if row.sources == (ZONE,):
        return
    for name in row.sources:
        found = _type(kind, name)
        if not found:
            says = f"DrChrono documents no {name} of a {kind}; where its lists do not show it, nothing is read of it"
            yield Misfit(says, "correct the name, or leave the row out", is_fatal=False, row=row.name)
        elif found not in _READS[row.codec.name]:
            is_sure = found != _TEXT or row.codec.name not in _MAYBE
            says = f"DrChrono's {name} is {_a(found)}, which codec {row.codec.name} does not read"
            says = says if is_sure else f"DrChrono's {name} is {_a(found)}, of which codec {row.codec.name} reads some"
            yield Misfit(says, "map another field, or give the row another codec", is_fatal=is_sure, row=row.name)
    if row.direction is Direction.BOTH and (fixed := [name for name in row.sources if name in READ_ONLY[kind]]):
        says = f"DrChrono lets nobody write {' and '.join(fixed)}; an edit made in Salesforce would be refused"
        yield Misfit(says, 'give the row direction = "to_salesforce"', row=row.name)
    yield from _references(row)
    yield from _choices(kind, row)


def _references(row: Row) -> Iterator[Misfit]:
    name = row.names[Side.DRCHRONO]
    if row.parent and name in set(Kind) and name != row.parent.value:
        yield Misfit(f"DrChrono's {name} is no {row.parent.value}", f'give the row to = "{name}"', row=row.name)


def _choices(kind: Kind, row: Row) -> Iterator[Misfit]:
    choices = CHOICES.get((kind, row.names[Side.DRCHRONO]))
    if choices is None or not row.options.values:
        return
    name = row.names[Side.DRCHRONO]
    if unknown := [value for value in row.options.values if value and value not in choices]:
        says = f"DrChrono's {name} has no value {', '.join(unknown)}; it is one of {', '.join(choices)}"
        yield Misfit(says, "correct the row's values", row=row.name)
    if unmapped := [value for value in choices if value not in row.options.values]:
        says = f"DrChrono's {name} may be {', '.join(unmapped)}, and the row has no value for it; it is left out then"
        yield Misfit(says, "add it to the row's values", is_fatal=False, row=row.name)


def _needed(table: Table) -> Iterator[Misfit]:
    """Tell what DrChrono makes no record without, and nothing carries there."""
    makes_records = table.opt_in is not None or any(row.is_required for row in table.rows.values())
    if table.is_one_way or not makes_records:
        return
    carried = {name for row in table.rows.values() if row.direction is Direction.BOTH for name in row.sources}
    for name in NEEDED.get(table.kind, ()):
        if name not in carried:
            has_default = (table.kind, name) == (Kind.PATIENT, "doctor")
            says = f"DrChrono makes no {table.kind} without {name}, and no row carries it there"
            fix = "map it, or set DRCHRONO_DEFAULT_DOCTOR" if has_default else "map it, with required = true"
            yield Misfit(says, fix, is_fatal=not has_default)


def _a(kind: str) -> str:
    return {_FLAG: "yes or no", _TEXT: "text"}.get(kind, f"a {kind}")
