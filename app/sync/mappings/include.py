"""Include: who is synced at all, as conditions on fields of either side; what one of them leaves out stays out.

A condition compares what a side's own record holds, as the vendor writes it: the case of letters and the margins of a
text do not matter, a checkbox is true or false, nothing is the empty text. Of a list each value counts.
It is asked of its side alone, and only where that side was seen.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

from app.errors import Misconfigured
from app.sync.mappings.document_codecs import listed_tags
from app.sync.mappings.drchrono_fields import CHOICES, FLAGS, LISTED, LISTS_AS_TEXT, NUMBERS
from app.sync.model import Kind, Side


@dataclass(frozen=True)
class Condition:
    """One condition: a field of a side holds one of these values, or (`is_not`) none of them.

    name    the field as its side names it; of a record that Salesforce's refers to, behind the relationship's name
    values  in the form they are compared in
    """

    side: Side
    name: str
    values: frozenset[str]
    is_not: bool = False

    @cached_property
    def path(self) -> tuple[str, ...]:
        """The names that lead to the value, the last one the field's."""
        return tuple(self.name.split(".")) if self.side is Side.SALESFORCE else (self.name,)

    def holds(self, raw: Mapping[str, Any], *, is_whole: bool) -> bool | None:
        """Say whether it holds of a raw record; None where that does not show the field.

        is_whole  the record is all the side has to say, so what it does not show is empty
        """
        value: Any = raw
        for name in self.path:
            found = _named(value, name) if isinstance(value, Mapping) else ()
            if not found and isinstance(value, Mapping) and not is_whole:
                return None
            value = found[0] if found else None
        if self.side is Side.DRCHRONO and self.name in LISTS_AS_TEXT:
            value = listed_tags(value)
        return bool(_said(value) & self.values) is not self.is_not


def _named(raw: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    """Give the value under a name, in a tuple; Salesforce's names ignore the case of letters."""
    if name in raw:
        return (raw[name],)
    return tuple(value for key, value in raw.items() if key.casefold() == name.casefold())


def is_included(conditions: Iterable[Condition], side: Side, raw: Mapping[str, Any], *, is_whole: bool) -> bool | None:
    """Say whether all conditions on a side hold of its raw record; None where what it shows does not tell."""
    held = [one.holds(raw, is_whole=is_whole) for one in conditions if one.side is side]
    return False if False in held else None if None in held else True


def _said(value: Any) -> frozenset[str]:
    """Give what a value says, in the form it is compared in; of a list each, and `` of one that has none."""
    if isinstance(value, list):
        return frozenset().union(*(_said(one) for one in value)) if value else frozenset({""})
    if value is None:
        return frozenset({""})
    if isinstance(value, bool):
        return frozenset({str(value).casefold()})
    if isinstance(value, str | int | float):
        is_whole = isinstance(value, float) and value.is_integer()
        return frozenset({str(int(value) if is_whole else value).strip().casefold()})
    return frozenset()


_KEYS = {"drchrono", "salesforce", "is", "is_not"}
_FORM = 'expected { drchrono = "patient_status", is = ["A"] }'


def parse(kind: Kind, raw: Any, wrong: Callable[[str, str], Misconfigured]) -> tuple[Condition, ...]:
    """Give the conditions that a kind's table of the mapping file says.

    wrong   gives the error of a key and what is wrong with it
    Raises  Misconfigured
    """
    if not isinstance(raw, list):
        raise wrong("include", f"must be a list of conditions; {_FORM}")
    return tuple(_condition(kind, f"include[{at}]", one, wrong) for at, one in enumerate(raw))


def _condition(kind: Kind, place: str, raw: Any, wrong: Callable[[str, str], Misconfigured]) -> Condition:
    if not isinstance(raw, Mapping):
        raise wrong(place, f"is no condition; {_FORM}")
    if unknown := sorted(set(raw) - _KEYS):
        raise wrong(f"{place}.{unknown[0]}", f"is unknown; expected {', '.join(sorted(_KEYS))}")
    sides = [side for side in Side if side.value in raw]
    if len(sides) != 1:
        raise wrong(place, f"names {'two sides' if sides else 'no field'}, and must name one field of one; {_FORM}")
    ways = [way for way in ("is", "is_not") if way in raw]
    if len(ways) != 1:
        raise wrong(place, f"says {'both is and is_not' if ways else 'neither is nor is_not'}; {_FORM}")
    (side,), (way,) = sides, ways
    name = _field(kind, side, raw[side.value], lambda what: wrong(f"{place}.{side}", what))
    values = _values(raw[way], lambda what: wrong(f"{place}.{way}", what))
    if side is Side.DRCHRONO and (holds := _never_held(kind, name, values)):
        raise wrong(f"{place}.{way}", f"{name} {holds}, or is empty")
    return Condition(side, name, values, way == "is_not")


def _never_held(kind: Kind, name: str, values: frozenset[str]) -> str:
    """Say what a field of DrChrono's holds, where one of these values is never in it."""
    asked, choices = values - {""}, CHOICES.get((kind, name), ())
    if name in FLAGS and not asked <= {"true", "false"}:
        return "is true or false"
    if name in NUMBERS and not all(one.isdecimal() for one in asked):
        return "holds numbers"
    if choices and not asked <= {one.casefold() for one in choices}:
        return f"is one of {', '.join(choices)}"
    return ""


def _field(kind: Kind, side: Side, name: Any, wrong: Callable[[str], Misconfigured]) -> str:
    if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
        raise wrong("must be the name of a field")
    if side is Side.DRCHRONO and name not in LISTED[kind]:
        raise wrong(f"{name} is no field that DrChrono's lists show; expected one of {', '.join(sorted(LISTED[kind]))}")
    return name


def _values(raw: Any, wrong: Callable[[str], Misconfigured]) -> frozenset[str]:
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
        raise wrong('must be a list of one value or more: ["A"]')
    if not all(isinstance(one, str | int | float) and (isinstance(one, str) or isfinite(one)) for one in raw):
        raise wrong("takes texts, numbers, true and false")
    return frozenset().union(*(_said(one) for one in raw))
