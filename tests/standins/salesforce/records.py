"""Where the records of one object lie: by id, by every indexed field, and in the order they last moved.

Rows are plain dicts in the API's own form. Nothing here judges a value; `writing.py` does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.standins.salesforce.ids import canonical, mint
from tests.standins.salesforce.schema import Field, Kind

Row = dict[str, Any]
_PERSON = frozenset({"FirstName", "LastName", "Birthdate"})


@dataclass(slots=True)
class Grave:
    """A deleted record: when, and which lookups to it were emptied, so that undelete can fill them again."""

    row: Row
    at: str
    emptied: list[tuple["Table", str, str]] = field(default_factory=list)
    taken: list[tuple["Table", str]] = field(default_factory=list)  # what went with it, and comes back with it
    is_purged: bool = False


def key_of(column: Field, value: Any) -> Any:
    """The form in which two values of a field are compared."""
    return value if column.exact or value is None else str(value).lower()


class Table:
    """All records of one object, deleted ones included."""

    def __init__(self, kind: Kind) -> None:
        self.rows: dict[str, Row] = {}
        self.graves: dict[str, Grave] = {}
        self.minted = 0
        # A dict keeps insertion order, and time only goes forward: re-inserting on every change keeps this sorted.
        self._moved: dict[str, Row] = {}
        self.reshape(kind)

    def reshape(self, kind: Kind) -> None:
        """The object is this one now: its rows have every field, and what they held in one they still hold."""
        self.kind = kind
        self._columns = [column for column in kind.own if column.indexed]
        self._indexed = frozenset(column.name for column in self._columns)
        self._watched = self._indexed | (_PERSON if kind.name_is == "joined" else frozenset())
        self._indexes: dict[str, dict[Any, dict[str, Row]]] = {column.name: {} for column in self._columns}
        self._people: dict[tuple[str, str, str], dict[str, Row]] = {}
        for row in self.rows.values():
            for name in row.keys() - kind.blank.keys():
                del row[name]
            row.update({name: value for name, value in kind.blank.items() if name not in row})
            if not row["IsDeleted"]:
                self._index(row)

    def blank(self) -> Row:
        """A new row with its id and nothing else; not stored yet."""
        self.minted += 1
        row = dict(self.kind.blank)
        row["Id"] = mint(self.kind.prefix, self.minted)
        return row

    def get(self, record_id: Any) -> Row | None:
        """The record, deleted or not."""
        return self.rows.get(record_id) or self.rows.get(canonical(record_id) or "")

    def live(self) -> Iterator[Row]:
        return (row for row in self.rows.values() if not row["IsDeleted"])

    def has_index(self, name: str) -> bool:
        return name in self._indexed

    def find(self, column: Field, value: Any) -> list[Row]:
        """The live records that hold this value in an indexed field."""
        return list(self._indexes[column.name].get(key_of(column, value), {}).values())

    def find_all(self, column: Field, keys: Iterable[Any]) -> list[Row]:
        index = self._indexes[column.name]
        return [row for key in keys for row in index.get(key, {}).values()]

    def moved_since(self, bound: str) -> list[Row]:
        """The records whose SystemModstamp is not before the bound, without looking at the others."""
        found = []
        for row in reversed(self._moved.values()):
            if row["SystemModstamp"] < bound:
                break
            found.append(row)
        return found

    def add(self, row: Row) -> None:
        self.rows[row["Id"]] = row
        self._index(row)
        self.touch(row)

    def change(self, row: Row, values: Row) -> None:
        """Gives the row these values; its indexes follow."""
        if not any(name in self._watched and row[name] != value for name, value in values.items()):
            row.update(values)
        else:
            self._unindex(row)
            row.update(values)
            self._index(row)

    def touch(self, row: Row) -> None:
        """Notes that the row's SystemModstamp is the newest of all."""
        self._moved.pop(row["Id"], None)
        self._moved[row["Id"]] = row

    def bury(self, row: Row, at: str) -> Grave:
        self._unindex(row)
        row["IsDeleted"] = True
        self.graves[row["Id"]] = grave = Grave(row, at)
        return grave

    def raise_up(self, row: Row) -> Grave:
        row["IsDeleted"] = False
        self._index(row)
        return self.graves.pop(row["Id"])

    def purge(self) -> None:
        """Deleted records leave the recycle bin: no query finds them; the list of the deleted tells of them."""
        for record_id, grave in self.graves.items():
            grave.is_purged = True
            self.rows.pop(record_id, None)
            self._moved.pop(record_id, None)

    def forget(self, row: Row) -> None:
        """The record was never there."""
        self._unindex(row)
        del self.rows[row["Id"]]
        self._moved.pop(row["Id"], None)

    def same_person(self, row: Row) -> list[Row]:
        """The other live records with this name and birth date."""
        person = self._person(row)
        found = self._people.get(person, {}) if person else {}
        return [other for record_id, other in found.items() if record_id != row.get("Id")]

    def _person(self, row: Row) -> tuple[str, str, str] | None:
        if self.kind.name_is != "joined" or not row["Birthdate"]:
            return None
        return ((row["FirstName"] or "").lower(), (row["LastName"] or "").lower(), row["Birthdate"])

    def _index(self, row: Row) -> None:
        record_id = row["Id"]
        for column in self._columns:
            value = row[column.name]
            if value is not None:
                self._indexes[column.name].setdefault(key_of(column, value), {})[record_id] = row
        if person := self._person(row):
            self._people.setdefault(person, {})[record_id] = row

    def _unindex(self, row: Row) -> None:
        record_id = row["Id"]
        for column in self._columns:
            index, key = self._indexes[column.name], key_of(column, row[column.name])
            _forget(index, key, record_id)
        if person := self._person(row):
            _forget(self._people, person, record_id)


def _forget(index: dict[Any, dict[str, Row]], key: Any, record_id: str) -> None:
    holders = index.get(key)
    if holders is not None:
        holders.pop(record_id, None)
        if not holders:
            del index[key]
