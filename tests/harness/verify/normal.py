"""What a stand-in holds, as records in the normal form of the mapping, so that both sides can be compared."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.sync.mappings import file
from app.sync.mappings.table import Direction, Mappings, Row, Table
from app.sync.model import Fields, Kind, Side
from tests.harness.verify.seen import Record

Raw = dict[str, Any]
OBJECTS = {table.object: kind for kind, table in file.load().items()}
_WHO = {Kind.PATIENT: "date_of_birth", Kind.APPOINTMENT: "duration"}  # nobody in a history ever edits these


def owners(mappings: Mappings) -> dict[Kind, dict[str, Side | None]]:
    """Give the side whose value wins, field by field; None for what goes to Salesforce only.

    What goes there only, but is read from what also comes back (a visit's wall clock), is nobody's own, and left out.
    """

    def owner(row: Row) -> Side | None:
        return row.owner if row.direction is Direction.BOTH else None

    known = {}
    for kind, table in mappings.items():
        shared = {row.sources for row in table.rows.values() if row.direction is Direction.BOTH}
        rows = {name: row for name, row in table.rows.items() if owner(row) or row.sources not in shared}
        known[kind] = {name: owner(row) for name, row in rows.items()}
    return known


def one_way(table: Table) -> set[str]:
    """Give Salesforce's names of the fields that only DrChrono may say."""
    return {row.shown(Side.SALESFORCE) for row in table.rows.values() if row.direction is not Direction.BOTH}


@dataclass(frozen=True, slots=True)
class World:
    """Everything both stand-ins hold, raw, by kind and id.

    parents  Salesforce's records of every kind by Id, as look-ups lead to them
    """

    mappings: Mappings
    drchrono: Mapping[Kind, Mapping[str, Raw]]
    salesforce: Mapping[Kind, Mapping[str, Raw]]
    parents: dict[str, Raw] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for held in self.salesforce.values():
            self.parents.update(held)

    def records(self) -> Iterator[Record]:
        """Give every record of both sides."""
        for kind, table in self.mappings.items():
            for key, raw in self.drchrono[kind].items():
                fields = self.fields(Side.DRCHRONO, kind, key, raw)
                is_deleted = bool(raw.get("deleted_flag"))
                yield Record(Side.DRCHRONO, kind, key, key, _who(kind, fields), fields, is_deleted)
            for record_id, raw in self.salesforce[kind].items():
                fields = self.fields(Side.SALESFORCE, kind, record_id, raw)
                is_wanted = bool(raw[table.external_id] or table.opt_in is None or raw[table.opt_in])
                who, is_deleted = _who(kind, fields), fields.get("deleted") is not None
                found = Record(
                    Side.SALESFORCE, kind, record_id, raw[table.external_id], who, fields, is_deleted, is_wanted
                )
                yield found

    def fields(self, side: Side, kind: Kind, record_id: str, raw: Raw) -> Fields:
        """Give the fields of a record, or of an edit of one, in their normal form."""
        table = self.mappings[kind]
        whole = raw if side is Side.DRCHRONO else raw | dict(self._relationships(table, raw))
        zone = self._zone(side, kind, record_id)
        snapshot = table.read(side, record_id, whole, version="", confirmed=True, zone=zone)
        known = {name: table.rows[name].codec.normal(value) for name, value in snapshot.fields.items()}
        return known | dict.fromkeys(snapshot.unreadable, "unreadable")

    def _relationships(self, table: Table, raw: Raw) -> Iterable[tuple[str, Raw | None]]:
        for row in table.rows.values():
            lookup = row.shown(Side.SALESFORCE)
            if row.options.to and lookup in raw:
                yield row.names[Side.SALESFORCE], self.parents.get(raw[lookup] or "")

    def _zone(self, side: Side, kind: Kind, record_id: str) -> str:
        """Give the zone of a visit: that of its doctor as DrChrono has it."""
        if self.mappings[kind].zoned is None:
            return ""
        if side is Side.DRCHRONO:
            doctor = self.drchrono[kind].get(record_id, {}).get("doctor")
        else:
            there = self.salesforce[kind].get(record_id, {}).get("Doctor__c")
            doctor = self.parents.get(there or "", {}).get("DrChrono_Id__c")
        return str(self.drchrono[Kind.DOCTOR].get(str(doctor), {}).get("timezone", ""))


def _who(kind: Kind, fields: Fields) -> str:
    return fields.get(_WHO.get(kind, "")) or ""
