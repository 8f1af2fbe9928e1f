"""The mapping as tables of rows, and both sides' records read and written through them.

Nothing outside a table is kept or written. Field values are compared only here, in one normal form per codec.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from app.sync.mappings import local_time, states
from app.sync.mappings.codecs import Codec, Options, Unfit, is_record_id
from app.sync.mappings.document_codecs import TITLE
from app.sync.mappings.include import Condition, is_included
from app.sync.mappings.local_time import LOCAL_TIME, UtcTime, WallTime
from app.sync.mappings.states import STATE
from app.sync.model import Fields, Kind, RecordRef, Side, Snapshot

ZONE = "doctor.timezone"  # not the record's own: its doctor's, or what the settings say of its office
# DrChrono's field that says that it deleted a record, and of a document that it was archived
_TOMBSTONES: Mapping[Kind, str] = {Kind.DOCUMENT: "archived"}
_DELETED = "deleted_flag"
# what is read of a version of a File beside the mapped fields; whose it is, its links say
_OF_A_FILE = (
    "ContentDocumentId",
    "VersionNumber",
    "Checksum",
    "ContentSize",
    "FileExtension",
    "FirstPublishLocationId",
    "CreatedDate",
)
_PLACE = 6  # characters that tell the few places apart that one row ever had
EXTERNAL_ID = "external id"  # of Salesforce's record, which is no row; no row of TOML reads so by accident


class Direction(StrEnum):
    """Which way a field travels."""

    BOTH = "both"
    TO_SALESFORCE = "to_salesforce"


class OnConflict(StrEnum):
    """Who decides when both sides changed a field."""

    OWNER = "owner"
    HOLD = "hold"


# Rows and tables have no slots: what follows from them is found once, for every record asks for it.
@dataclass(frozen=True)
class Row:
    """One field of one kind: its name on each side and its rules.

    behind     the object of Salesforce's that the kind it refers to is kept in, if it refers to one
    of_parent  that kind's conditions
    """

    name: str
    names: Mapping[Side, str]
    codec: Codec
    options: Options
    direction: Direction
    owner: Side
    on_conflict: OnConflict
    is_identity: bool
    is_required: bool = False
    behind: str = ""
    of_parent: tuple[Condition, ...] = ()

    def equal(self, one: str | None, other: str | None) -> bool:
        """Say whether two tidy values mean the same."""
        return self.codec.normal(one) == self.codec.normal(other)

    @cached_property
    def parent(self) -> Kind | None:
        """The kind it refers to, if it does."""
        return Kind(self.options.to) if self.options.to else None

    def shown(self, side: Side) -> str:
        """Give the field's name as people of that side know it; a relationship's is its look-up's."""
        name = self.names[side]
        if side is Side.DRCHRONO and self.codec is TITLE:
            return self.sources[0]  # which is the one that is written
        if side is Side.DRCHRONO or not self.options.to:
            return name
        return f"{name.removesuffix('__r')}__c" if name.endswith("__r") else f"{name}Id"

    @cached_property
    def place(self) -> str:
        """Which fields of both sides it joins and how they are compared, in short: what a base is only good for."""
        here, there = self.names[Side.DRCHRONO], self.names[Side.SALESFORCE].casefold()  # whose names ignore case
        return hashlib.sha256(f"{here}\x1f{there}\x1f{self.codec.name}".encode()).hexdigest()[:_PLACE]

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The fields of DrChrono it is read from."""
        name = self.names[Side.DRCHRONO]
        return tuple(name.split()) if self.codec.name == "joined" or self.codec is TITLE else (name,)

    def called(self, side: Side) -> tuple[str, ...]:
        """Give every name by which a side's refusal may blame the field: of a state those of its code and country too.

        With lists of states and countries Salesforce keeps a code beside each text, and some of its refusals only say
        that it is a state.
        """
        name = self.names[side]
        names = (name, self.shown(side))
        if side is Side.DRCHRONO:
            return names
        if self.codec is not STATE and not states.is_state(name):
            return (*names, f"{name}Code")
        return (*names, *states.companions(name), *self._listed)

    @cached_property
    def _listed(self) -> frozenset[str]:
        known = self.options.limits.states or {}
        return frozenset(name for fields in known.values() for name in fields)

    def respelled(self, value: str | None) -> str | None:
        """Give another way to write a value that Salesforce refused; None where there is none.

        A state that was sent by its two letters can be sent by its name, unless the org has said what its list holds.
        """
        if self.codec is not STATE or value is None or self.options.limits.states is not None:
            return None
        return states.respelled(value)

    @cached_property
    def selected(self) -> tuple[str, ...]:
        """What has to be selected of a Salesforce record to read it."""
        name = self.names[Side.SALESFORCE]
        if not self.options.to:
            return (name,)
        asked = (one.name for one in self.of_parent if one.side is Side.SALESFORCE)
        return tuple(f"{name}.{one}" for one in (self.options.key, "Id", *asked))


@dataclass(frozen=True)
class Table:
    """The mapping of one kind.

    shows_status  Salesforce's object has the fields that show people how a record is synced, and we may write them
    tags, types   of documents: which tags of DrChrono's one of them must bear to be shared, and what its file may be
    """

    kind: Kind
    path: str
    object: str
    external_id: str
    rows: Mapping[str, Row]
    constants: Mapping[str, Any] = field(default_factory=dict)
    opt_in: str | None = None
    include: tuple[Condition, ...] = ()
    shows_status: bool = False
    tags: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """What is read of Salesforce's object, beside its id, its stamp and the external id; nothing twice."""
        of_a_file = self.kind is Kind.DOCUMENT
        rows = (name for row in self.rows.values() if not (of_a_file and row.parent) for name in row.selected)
        asked = (
            *rows,
            *(_OF_A_FILE if of_a_file else ()),
            *([self.opt_in] if self.opt_in else []),
            *self._asked(Side.SALESFORCE),
        )
        names: dict[str, str] = {}
        for name in asked:
            names.setdefault(name.casefold(), name)
        beside = {"id", "systemmodstamp", self.external_id.casefold()}
        return tuple(name for key, name in names.items() if key not in beside)

    def asks(self, side: Side) -> bool:
        """Say whether a side's records are synced only on a condition."""
        return bool(self._asked(side))

    def _asked(self, side: Side) -> tuple[str, ...]:
        """Give the fields of a side that its conditions ask for."""
        return tuple(one.name for one in self.include if one.side is side)

    def row_of(self, name: str) -> Row | None:
        """Give the row of a field by DrChrono's name for it, its copies left aside; what we call the row says nothing.

        A copy travels one way, and stands below the row it is a copy of: the mapping file is refused otherwise.
        """
        return self._by_drchrono.get(name)

    @cached_property
    def _by_drchrono(self) -> Mapping[str, Row]:
        return {row.shown(Side.DRCHRONO): row for row in [*self.rows.values()][::-1]}  # of several the first

    def name_of(self, name: str, side: Side) -> str:
        """Give what a side calls a field of ours, the external id included."""
        return self.external_id if name == EXTERNAL_ID else self.rows[name].shown(side)

    @cached_property
    def is_one_way(self) -> bool:
        """Whether nothing of the kind ever travels to DrChrono."""
        return all(row.direction is Direction.TO_SALESFORCE for row in self.rows.values())

    @cached_property
    def tombstone(self) -> str | None:
        """The row that says in Salesforce that a record was deleted in DrChrono."""
        row = self.row_of(_TOMBSTONES.get(self.kind, _DELETED))
        return row.name if row else None

    @cached_property
    def zoned(self) -> str | None:
        """The row that carries the zone of the record's times."""
        row = self.row_of(ZONE)
        return row.name if row else None

    @cached_property
    def parents(self) -> Mapping[str, Kind]:
        """The rows that refer to other records, and the kinds they refer to."""
        return {row.name: row.parent for row in self.rows.values() if row.parent}

    def refs(self, snapshot: Snapshot, names: Collection[str] | None = None) -> frozenset[RecordRef]:
        """Give the records that a record refers to: by DrChrono's ids, or by Salesforce's where that knows no other.

        names  only by these fields; None: by any
        """
        kinds = {name: kind for name, kind in self.parents.items() if names is None or name in names}
        return frozenset(
            RecordRef(side, kind, value)
            for side, ids in ((Side.DRCHRONO, snapshot.fields), (Side.SALESFORCE, snapshot.unlinked))
            for name, kind in kinds.items()
            if (value := ids.get(name)) is not None
        )

    def read(
        self, side: Side, record_id: str, raw: Mapping[str, Any], *, version: str, confirmed: bool, zone: str = ""
    ) -> Snapshot:
        """Give the snapshot of a vendor's record; keys outside the table are passed over.

        zone  that of the record's doctor or office, verbatim; empty where it is not known
        """
        fields: dict[str, str | None] = {}
        unreadable: dict[str, str] = {}
        unlinked: dict[str, str] = {}
        excluded = set[str]()
        for row, name in self._places[side]:
            if name is not None:
                if name not in raw:
                    continue
                value = raw[name]
            elif self._is_given(row, side, raw, zone):
                value = self._raw_value(row, side, raw, zone)
            else:
                continue
            if row.of_parent and isinstance(value, dict) and not is_included(row.of_parent, side, value, is_whole=True):
                excluded.add(row.name)
            try:
                fields[row.name] = row.codec.read(side, value, row.options)
            except Unfit as why:
                unreadable[row.name] = str(why)
                if row.options.to and isinstance(value, dict) and is_record_id(value.get("Id"), Side.SALESFORCE):
                    unlinked[row.name] = value["Id"]
        key = str(raw.get(self.external_id) or "").strip() or None if side is Side.SALESFORCE else None
        is_opted_in = side is Side.SALESFORCE and (self.opt_in is None or raw.get(self.opt_in) is True)
        return Snapshot(
            record_id,
            fields,
            version,
            confirmed,
            unreadable,
            key,
            zone,
            unlinked,
            is_opted_in=is_opted_in,
            is_included=is_included(self.include, side, raw, is_whole=confirmed),
            excluded=frozenset(excluded),
        )

    @cached_property
    def _places(self) -> Mapping[Side, Sequence[tuple[Row, str | None]]]:
        """Each row with the one field of a side that it is read from; None where it takes more than that field."""
        here = [(row, row.sources[0] if len(row.sources) == 1 else None) for row in self.rows.values()]
        there = [(row, None if row.codec is LOCAL_TIME else row.names[Side.SALESFORCE]) for row in self.rows.values()]
        return {Side.DRCHRONO: [(row, None if name == ZONE else name) for row, name in here], Side.SALESFORCE: there}

    def _is_given(self, row: Row, side: Side, raw: Mapping[str, Any], zone: str) -> bool:
        if side is Side.DRCHRONO and row.sources == (ZONE,):
            return bool(zone)
        names = row.sources if side is Side.DRCHRONO else (row.names[side],)
        return any(name in raw for name in names)

    def _raw_value(self, row: Row, side: Side, raw: Mapping[str, Any], zone: str) -> Any:
        if side is Side.DRCHRONO:
            if row.sources == (ZONE,):
                return zone
            parts = tuple(raw.get(name) for name in row.sources)
            return parts if len(parts) > 1 else parts[0]
        value = raw[row.names[side]]
        if row.codec is LOCAL_TIME:
            beside = [self.rows[name].names[side] for name in (row.options.local, row.options.zone)]
            return UtcTime(value, raw.get(beside[0]), raw.get(beside[1]), zone)
        return value

    def write(self, side: Side, fields: Fields, zone: str = "") -> tuple[dict[str, Any], dict[str, str]]:
        """Give the vendor's names and values for these fields, and field -> why for those that cannot travel."""
        raw: dict[str, Any] = {}
        refused: dict[str, str] = {}
        for name, value in fields.items():
            row = self.rows[name]
            if side is Side.DRCHRONO and value is None and (row.is_required or row.parent):
                refused[name] = "cannot_be_empty"
                continue
            is_wall = row.codec is LOCAL_TIME and side is Side.SALESFORCE
            given: Any = WallTime(value, zone) if is_wall else value
            try:
                written = row.codec.write(side, given, row.options)
                place = row.shown(side) if value is None or side is Side.DRCHRONO else row.names[side]
                raw |= row.options.limits.taken(place, written) if side is Side.SALESFORCE else {place: written}
            except Unfit as why:
                refused[name] = str(why)
        return raw, refused

    def flags(self, fields: Fields, zone: str) -> dict[str, str]:
        """Give field -> what a change of clocks does to it on its way to Salesforce."""
        times = {name: value for name, value in fields.items() if self.rows[name].codec is LOCAL_TIME}
        return {name: str(found) for name, value in times.items() if (found := local_time.flag(value, zone))}

    def differing(self, one: Snapshot, other: Snapshot) -> set[str]:
        """Give the fields that two snapshots of a record do not agree on; the zone is not the record's own."""
        both = (one.fields.keys() & other.fields.keys()) - {self.zoned}
        return {name for name in both if not self.rows[name].equal(one.fields[name], other.fields[name])}

    def keep(self, raw: Mapping[str, Any], *beside: str) -> dict[str, Any]:
        """Give what of a DrChrono record may be stored: the fields the table names, and the keys named beside them."""
        wanted = self._kept.union(beside)
        return {name: value for name, value in raw.items() if name in wanted}

    @cached_property
    def _kept(self) -> frozenset[str]:
        return frozenset({name for row in self.rows.values() for name in row.sources} | {*self._asked(Side.DRCHRONO)})


Mappings = Mapping[Kind, Table]
