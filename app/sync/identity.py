"""Is this the same one? Who a record is, how the other side is searched for it, and what several candidates come to.

A kind without a finder is never created in DrChrono: DrChrono keeps no key of ours, so what cannot be found again
could be created twice. Names are compared by us, in one normal form; a vendor's own filter only makes a list shorter.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from app.sync.base import Rules
from app.sync.deletions import is_cancelled
from app.sync.mappings.table import Row, Table
from app.sync.model import Fields, Kind, Side, Snapshot


@dataclass(frozen=True, slots=True)
class Finder:
    """What says who a record is, as DrChrono names it.

    names     compared in their normal form
    exact     compared as they are
    key       the one of them that Salesforce is searched by
    asks      field -> the filter of DrChrono's list it is asked by; `beside` goes with the question
    narrowing codecs of the fields that tell several candidates apart
    """

    names: tuple[str, ...]
    exact: tuple[str, ...]
    key: str
    asks: Mapping[str, str]
    beside: Mapping[str, str]
    narrowing: frozenset[str]

    @property
    def needs(self) -> tuple[str, ...]:
        """All that must be there to tell who it is."""
        return self.names + self.exact


_DAY = "date"
FINDERS: Mapping[Kind, Finder] = {
    Kind.PATIENT: Finder(
        names=("first_name", "last_name"),
        exact=("date_of_birth",),
        key="date_of_birth",
        asks={"date_of_birth": "date_of_birth"},
        beside={"show_inactive": "true"},
        narrowing=frozenset({"email", "phone"}),
    ),
    Kind.APPOINTMENT: Finder(
        names=(),
        exact=("scheduled_time", "doctor", "patient"),
        key="scheduled_time",
        asks={"scheduled_time": _DAY, "doctor": "doctor", "patient": "patient"},
        beside={},
        narrowing=frozenset(),
    ),
}


def normal(text: str) -> str:
    """Give a name without case, accents, punctuation and spaces; letters that look alike to a person are alike."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(letter for letter in plain if letter.isalnum())


def rows_of(table: Table, names: Sequence[str]) -> dict[str, Row]:
    """Give the rows that carry these fields of DrChrono's, by its names; one that is not mapped is left out."""
    return {name: row for name in names if (row := table.row_of(name)) is not None}


def says_who(table: Table) -> set[str]:
    """Give our names of the fields that say who a record of a kind is."""
    finder = FINDERS.get(table.kind)
    return {row.name for row in rows_of(table, finder.needs if finder else ()).values()}


def identity(table: Table, fields: Fields) -> tuple[str, ...] | None:
    """Give who a record is; None where it does not say so, or its kind is not searched for."""
    finder = FINDERS.get(table.kind)
    if finder is None:
        return None
    told = []
    for name in finder.needs:
        row = table.row_of(name)
        value = (row and fields.get(row.name)) or ""
        told.append(normal(value) if name in finder.names else value)
    return tuple(told) if all(told) else None


def fingerprints(rules: Rules, fields: Fields) -> tuple[str, ...]:
    """Give the keyed hashes of who a record is, the newest key's first; none where it does not say so."""
    told = identity(rules.table, fields)
    if told is None:
        return ()
    if told not in rules.people:
        parts = (part.encode() for part in told)
        rules.people[told] = rules.keys.digests(b"person", rules.table.kind.value.encode(), *parts)
    return rules.people[told]


def question(table: Table, fields: Fields) -> dict[str, str]:
    """Give what DrChrono's list is asked for, to find a record."""
    finder = FINDERS[table.kind]
    asked = {finder.asks[name]: fields[row.name] or "" for name, row in rows_of(table, list(finder.asks)).items()}
    if _DAY in asked:
        asked[_DAY] = asked[_DAY].partition("T")[0]
    return {**asked, **finder.beside}


def search_key(table: Table, who: Fields, zone: str = "") -> tuple[str, date | datetime | None]:
    """Give Salesforce's field that a record is searched by, and the day or instant; None where it takes no such one."""
    (row,) = rows_of(table, [FINDERS[table.kind].key]).values()
    name = row.names[Side.SALESFORCE]
    raw = table.write(Side.SALESFORCE, {row.name: who[row.name]}, zone)[0].get(name)
    if not isinstance(raw, str):
        return name, None
    return name, datetime.fromisoformat(raw) if "T" in raw else date.fromisoformat(raw)


def alike(table: Table, wanted: Fields, candidates: Iterable[Snapshot]) -> list[Snapshot]:
    """Give the candidates that are who is wanted, each once; a visit that was called off is not the one wanted now."""
    told = identity(table, wanted)
    is_off = is_cancelled(table, wanted)
    met = {one.id: one for one in candidates if told and identity(table, one.fields) == told}
    return [one for one in met.values() if is_off or not is_cancelled(table, one.fields)]


def alike_each(table: Table, wanted: Mapping[str, Fields], candidates: Iterable[Snapshot]) -> dict[str, list[Snapshot]]:
    """Give for each of those that are wanted the candidates that are it, as `alike` does."""
    by_identity = defaultdict[tuple[str, ...] | None, list[Snapshot]](list)
    for one in candidates:
        by_identity[identity(table, one.fields)].append(one)
    return {id_: alike(table, who, by_identity.get(identity(table, who), ())) for id_, who in wanted.items()}


def narrowed(table: Table, wanted: Fields, found: Sequence[Snapshot]) -> list[Snapshot]:
    """Give of several those that share an e-mail or a phone with who is wanted, if any do; one alone needs neither.

    One that is out of the set that is synced is met only where none is in it.
    """
    found = [one for one in found if one.is_included is not False] or found
    if len(found) == 1:
        return list(found)
    narrowing = FINDERS[table.kind].narrowing
    close = [one for one in found if any(_shares(table, codec, wanted, one.fields) for codec in narrowing)]
    return close or list(found)


def _shares(table: Table, codec: str, one: Fields, other: Fields) -> bool:
    rows = [row for row in table.rows.values() if row.codec.name == codec]
    ours, theirs = (
        {row.codec.normal(value) for row in rows if (value := fields.get(row.name)) is not None}
        for fields in (one, other)
    )
    return bool(ours & theirs)
