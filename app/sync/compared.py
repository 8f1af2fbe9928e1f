"""Compared: both sides of one record field by field, for a person to see: what differs, and who moved (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.sync.mapping import Direction
from app.sync.records import Absent, Link, Side, Sight
from app.sync.rules import Rules

Sights = Mapping[Side, Sight | Absent | None]


class Agreement(StrEnum):
    """How the two values of a field are to each other."""

    EQUAL = "equal"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Compared:
    """One field on both sides.

    names       what each side calls it
    values      what each side that was read holds; None is empty
    unreadable  side -> why its value has no counterpart
    moved       the sides whose value is another one than both last agreed on
    is_one_way  an edit in Salesforce is put back
    """

    name: str
    names: Mapping[Side, str]
    values: Mapping[Side, str | None]
    unreadable: Mapping[Side, str]
    agreement: Agreement
    moved: tuple[Side, ...]
    owner: Side
    is_one_way: bool


def compared(rules: Rules, link: Link, sights: Sights) -> tuple[Compared, ...]:
    """Give every field of the mapping, in its order, as far as the sides were read."""
    read = {side: sight for side, sight in sights.items() if isinstance(sight, Sight)}
    found = []
    for name, row in rules.table.rows.items():
        values = {side: sight.fields[name] for side, sight in read.items() if name in sight.fields}
        moved = tuple(side for side, value in values.items() if rules.moved(link, name, value))
        agreement = Agreement.UNKNOWN
        if len(values) == len(Side):
            is_equal = row.equal(values[Side.DRCHRONO], values[Side.SALESFORCE])
            agreement = Agreement.EQUAL if is_equal else Agreement.DIFFERS
        unreadable = {side: sight.unreadable[name] for side, sight in read.items() if name in sight.unreadable}
        names = {side: row.shown(side) for side in Side}
        is_one_way = row.direction is Direction.TO_SALESFORCE
        found.append(Compared(name, names, values, unreadable, agreement, moved, row.owner, is_one_way))
    return tuple(found)
