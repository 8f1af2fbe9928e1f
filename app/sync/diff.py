"""Diff: both sides of one record field by field, for a person to see: what differs, and who moved (pure).

A value is masked so that a person knows its shape, and not what it says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.sync.base import Rules
from app.sync.mappings.table import Direction
from app.sync.model import Absent, Link, Side, Snapshot

BothSnapshots = Mapping[Side, Snapshot | Absent | None]


class Agreement(StrEnum):
    """How the two values of a field are to each other."""

    EQUAL = "equal"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FieldDiff:
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


def compare_fields(rules: Rules, link: Link, snapshots: BothSnapshots) -> tuple[FieldDiff, ...]:
    """Give every field of the mapping, in its order, as far as the sides were read."""
    read = {side: snapshot for side, snapshot in snapshots.items() if isinstance(snapshot, Snapshot)}
    found = []
    for name, row in rules.table.rows.items():
        values = {side: snapshot.fields[name] for side, snapshot in read.items() if name in snapshot.fields}
        moved = tuple(side for side, value in values.items() if rules.moved(link, name, value))
        agreement = Agreement.UNKNOWN
        if len(values) == len(Side):
            is_equal = row.equal(values[Side.DRCHRONO], values[Side.SALESFORCE])
            agreement = Agreement.EQUAL if is_equal else Agreement.DIFFERS
        unreadable = {side: snapshot.unreadable[name] for side, snapshot in read.items() if name in snapshot.unreadable}
        names = {side: row.shown(side) for side in Side}
        is_one_way = row.direction is Direction.TO_SALESFORCE
        found.append(FieldDiff(name, names, values, unreadable, agreement, moved, row.owner, is_one_way))
    return tuple(found)


_LONGEST = 12


def masked(value: str | None) -> str:
    """Give a value with its letters and digits hidden, the first of a longer one shown; emptiness in words.

    A date or a phone keeps its punctuation, a long text is cut.
    """
    if value is None:
        return "(empty)"
    shown = "".join("•" if one.isalnum() else one for one in value.replace("\n", " "))
    first = value[0] if len(value) > 3 and value[0].isalpha() else shown[:1]  # noqa: PLR2004 - of three, one says much
    hidden = first + shown[1:]
    return hidden if len(hidden) <= _LONGEST else f"{hidden[: _LONGEST - 1]}…"


MASK = "•••"
