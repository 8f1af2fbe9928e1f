"""The mapping as people see it: per kind a row a field, what either side says of it, and what does not fit, in words.

The rules of what fits are in `app/sync/mappings/misfits.py` and `app/vendors/salesforce/mapping_check.py`; here they
are asked, of what the org says now or of what it last said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from app.errors import Rejected
from app.runtime import Runtime
from app.store import conflicts, failures, journal, org_descriptions
from app.sync.mappings.codecs import FieldLimits
from app.sync.mappings.misfits import Misfit, drchrono_misfits, drchrono_type
from app.sync.mappings.table import Direction, Mappings, OnConflict, Row, Table
from app.sync.model import Kind, Side
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.mapping_check import (
    find_misfits,
    is_of_persons,
    not_there,
    object_missing,
    objects_behind,
    salesforce_type,
)
from app.vendors.salesforce.org_description import fields_of, speaks_of

_OF_PERSONS = "SobjectType = 'Account' AND IsActive = true AND IsPersonType = true"
_MOST_TYPES = 200
_LATELY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class OrgAnswer:
    """What the org says of a mapped object: its description, None where it shows no such object, and what misfits."""

    described: Mapping[str, Any] | None
    misfits: tuple[Misfit, ...]


@dataclass(frozen=True, slots=True)
class FieldRefusals:
    """How many records wait because of a field, as a side names it."""

    side: Side
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class FieldActivity:
    """What came of a field in the last seven days: writes by the side written to, refusals that wait, conflicts."""

    writes: Mapping[Side, int] = field(default_factory=dict)
    refusals: tuple[FieldRefusals, ...] = ()
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class MappedField:
    """One row of the mapping.

    names    what each side calls the field
    types    of what type it is on each side, in words; empty where that side has not said
    misfits  what of it a side does not bear out
    activity what came of it lately, where that was asked for
    """

    name: str
    names: Mapping[Side, str]
    types: Mapping[Side, str]
    codec: str
    direction: Direction
    owner: Side
    on_conflict: OnConflict
    is_required: bool
    is_identity: bool
    misfits: tuple[Misfit, ...]
    activity: FieldActivity = FieldActivity()

    @property
    def is_two_way(self) -> bool:
        """Whether an edit made in Salesforce travels."""
        return self.direction is Direction.BOTH

    @property
    def is_red(self) -> bool:
        """Whether records would be refused for it."""
        return any(misfit.is_fatal for misfit in self.misfits)


@dataclass(frozen=True, slots=True)
class MappedKind:
    """The mapping of one kind.

    is_described  the org has said what its object is like, and was asked for all that the mapping names
    misfits       what does not fit and is no single field's
    """

    kind: Kind
    object: str
    external_id: str
    is_described: bool
    fields: tuple[MappedField, ...]
    misfits: tuple[Misfit, ...]

    @property
    def all_misfits(self) -> tuple[Misfit, ...]:
        """Everything that does not fit, the kind's own first."""
        return (*self.misfits, *(misfit for field in self.fields for misfit in field.misfits))

    @property
    def is_red(self) -> bool:
        """Whether records would be refused for something."""
        return any(misfit.is_fatal for misfit in self.all_misfits)


class FieldChange(StrEnum):
    """How a row of another mapping is to the one in use."""

    ADDED = "added"
    OTHER_FIELDS = "joins other fields"
    OTHER_RULES = "other rules"
    DROPPED = "dropped"


def changes(used: Table | None, wanted: Table | None) -> dict[str, FieldChange]:
    """Give the rows that differ between the mapping in use and another one: our name of the field -> how.

    What is added or joins other fields than before has never agreed on anything: it meets as at a first match.
    """
    before, after = (table.rows if table else {} for table in (used, wanted))
    found = {name: FieldChange.DROPPED for name in before if name not in after}
    for name, row in after.items():
        if name not in before:
            found[name] = FieldChange.ADDED
        elif row.place != before[name].place:
            found[name] = FieldChange.OTHER_FIELDS
        elif _unfitted(row) != _unfitted(before[name]):
            found[name] = FieldChange.OTHER_RULES
    return found


def is_same(used: Table | None, wanted: Table | None) -> bool:
    """Say whether another mapping has a kind as the one in use has it, its conditions and constants too."""
    if used is None or wanted is None:
        return used is wanted
    before, after = (
        replace(one, rows={name: _unfitted(row) for name, row in one.rows.items()}, shows_status=False)
        for one in (used, wanted)
    )
    return before == after


def _unfitted(row: Row) -> Row:
    """Give a row as its file has it, without what the org says."""
    return replace(row, options=replace(row.options, limits=FieldLimits()))


def mapped_kinds(runtime: Runtime) -> list[Kind]:
    """Give the kinds that the mapping has, in the order people are shown them."""
    return [kind for kind in Kind if kind in runtime.mappings]


async def ask_org(client: Salesforce, table: Table) -> OrgAnswer:
    """Ask the org what a mapped object is like, and say what of the mapping does not fit it.

    Raises  VendorError
    """
    described = await client.describe(table.object)
    if described is None:
        return OrgAnswer(None, (object_missing(table),))
    persons = await _person_types(client, table, described)
    asked = [one for one in table.include if one.side is Side.SALESFORCE]
    conditions = [not_there(table, one.name) for one in asked if not await _is_there(client, described, one.path)]
    return OrgAnswer(described, (*find_misfits(table, described, persons), *conditions))


async def ask_org_of_all(client: Salesforce, mappings: Mappings) -> dict[Kind, OrgAnswer]:
    """Ask the org of every kind's object.

    Raises  VendorError
    """
    return {kind: await ask_org(client, table) for kind, table in mappings.items()}


async def last_answers(runtime: Runtime, mappings: Mappings) -> dict[Kind, OrgAnswer]:
    """Give what the org last said of every kind's object; of one it was not asked about, nothing.

    Raises  StoreUnavailable
    """
    kept = await org_descriptions.read(runtime.database)
    found = {kind: kept[table.object] for kind, table in mappings.items() if speaks_of(kept.get(table.object), table)}
    return {kind: OrgAnswer(said, tuple(find_misfits(mappings[kind], said))) for kind, said in found.items()}


async def _is_there(client: Salesforce, described: Mapping[str, Any], path: Sequence[str]) -> bool:
    """Say whether a condition's field is there, behind whatever relationship."""
    name, *behind = path
    if not behind:
        return name.casefold() in {one.casefold() for one in fields_of(described)}
    objects = objects_behind(described, name)
    if len(objects) != 1:  # of several kinds of records nobody can say which it is
        return bool(objects)
    next_one = await client.describe(objects[0])
    return next_one is not None and await _is_there(client, next_one, behind)


async def _person_types(client: Salesforce, table: Table, described: Mapping[str, Any]) -> dict[str, str] | None:
    """Give the record types of Person Accounts with their names, where that concerns us and the org says."""
    if not is_of_persons(table, fields_of(described)):
        return None
    try:
        found = await client.select("RecordType", ["Name"], _OF_PERSONS, ["Name"], _MOST_TYPES)
    except Rejected:
        return None
    return {str(one["Id"]): str(one.get("Name")) for one in found}


def judged(mappings: Mappings, answers: Mapping[Kind, OrgAnswer]) -> list[MappedKind]:
    """Give the mapping kind by kind, with what either side says of it; without the org's answer, DrChrono's part."""
    return [_kind(table, answers.get(kind)) for kind, table in mappings.items()]


def _kind(table: Table, answer: OrgAnswer | None) -> MappedKind:
    found = [*drchrono_misfits(table), *(answer.misfits if answer else ())]
    described = fields_of(answer.described) if answer and answer.described is not None else {}
    fields = []
    for row in table.rows.values():
        said = described.get(row.shown(Side.SALESFORCE))
        types = {Side.DRCHRONO: drchrono_type(table.kind, row), Side.SALESFORCE: salesforce_type(said) if said else ""}
        names = {side: row.shown(side) for side in Side}
        theirs = tuple(one for one in found if one.row == row.name)
        fields.append(
            MappedField(
                row.name,
                names,
                types,
                row.codec.name,
                row.direction,
                row.owner,
                row.on_conflict,
                row.is_required,
                row.is_identity,
                theirs,
            )
        )
    own = tuple(one for one in found if not one.row)
    return MappedKind(table.kind, table.object, table.external_id, answer is not None, tuple(fields), own)


async def mapping_in_use(runtime: Runtime) -> list[MappedKind]:
    """Give the mapping in use, with what the org last said of it and what came of it lately; no vendor is asked.

    Raises  StoreUnavailable
    """
    kinds = judged(runtime.mappings, await last_answers(runtime, runtime.mappings))
    activity = await _activity(runtime)
    return [
        replace(kind, fields=tuple(replace(one, activity=activity[kind.kind, one.name]) for one in kind.fields))
        for kind in kinds
    ]


async def _activity(runtime: Runtime) -> dict[tuple[Kind, str], FieldActivity]:
    """Give what came of every mapped field in the last seven days; a refusal names it as its side does."""
    writes = await journal.writes_by_field(runtime.database, _LATELY)
    refusals = await failures.by_field(runtime.database, _LATELY)
    settled = await conflicts.by_field(runtime.database, _LATELY)

    def of(kind: Kind, row: Row) -> FieldActivity:
        written = {side: writes.get((kind, side, row.name), 0) for side in Side}
        called = ((side, name) for side in Side for name in sorted({*row.called(side), *_sources(row, side)}))
        refused = (FieldRefusals(side, name, refusals[kind, side, name]) for side, name in called)
        return FieldActivity(written, tuple(one for one in refused if one.count), settled.get((kind, row.name), 0))

    return {(kind, row.name): of(kind, row) for kind, table in runtime.mappings.items() for row in table.rows.values()}


def _sources(row: Row, side: Side) -> tuple[str, ...]:
    return row.sources if side is Side.DRCHRONO else ()


def mapping_as_json(kinds: Sequence[MappedKind]) -> dict[str, Any]:
    """Give all of it for a script."""
    return {"ok": not any(kind.is_red for kind in kinds), "kinds": [_kind_as_json(kind) for kind in kinds]}


def _kind_as_json(kind: MappedKind) -> dict[str, Any]:
    return {
        "kind": kind.kind.value,
        "object": kind.object,
        "external_id": kind.external_id,
        "described": kind.is_described,
        "problems": [_misfit_as_json(one) for one in kind.misfits],
        "fields": [_field_as_json(field) for field in kind.fields],
    }


def _field_as_json(one: MappedField) -> dict[str, Any]:
    return {
        "field": one.name,
        "names": {side.value: one.names[side] for side in Side},
        "types": {side.value: one.types[side] or None for side in Side},
        "codec": one.codec,
        "direction": one.direction.value,
        "owner": one.owner.value,
        "on_conflict": one.on_conflict.value,
        "required": one.is_required,
        "identity": one.is_identity,
        "problems": [_misfit_as_json(misfit) for misfit in one.misfits],
        "last_week": {
            "writes": {side.value: one.activity.writes.get(side, 0) for side in Side},
            "refusals": [
                {"side": each.side, "field": each.name, "count": each.count} for each in one.activity.refusals
            ],
            "conflicts": one.activity.conflicts,
        },
    }


def _misfit_as_json(misfit: Misfit) -> dict[str, Any]:
    return {"red": misfit.is_fatal, "says": misfit.says, "fix": misfit.fix}
