"""Candidates: whom a held record met (several, or one that has its pair), read now for a person to tell them apart.

One call reads the record itself, one those it could be; the same search and the same comparison as a worker makes. Of a
chart that has its pair, one more reads that: the Contact which the held one can be merged into. What our own index
knows of the person, and DrChrono does not show any more, is named beside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.operations import records, resolve
from app.operations.vendor_reads import FAILS, NOT_CONNECTED, Unanswered, drchrono_of, salesforce_of, unanswered
from app.ports import Act, Action, By
from app.runtime import Runtime
from app.store import audit, identity_index
from app.store.record_views import RecordView
from app.sync.create import filled_by_merge
from app.sync.identity import alike, fingerprints, identity, narrowed, question, search_key
from app.sync.mappings.table import Table
from app.sync.model import Absent, RecordRef, Side, Snapshot


@dataclass(frozen=True, slots=True)
class Line:
    """One field of the record and of each candidate, in order.

    same    whether each says what the record does
    merged  what each would hold, were the record merged into it
    """

    name: str
    own: str | None
    theirs: tuple[str | None, ...]
    same: tuple[bool, ...]
    merged: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """A record with what its system calls the person, as just read; empty where it says nothing."""

    ref: RecordRef
    name: str
    born: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """Whom a record could be, or what the one it met is the pair of; or (`silence`) why that is not known now.

    people     the record and each of them, with their names: whoever is signed in sees those
    not_shown  charts that were this one's when last heard of, and are not among those that are shown
    """

    at: datetime
    own: RecordRef
    refs: tuple[RecordRef, ...] = ()
    people: tuple[NamedRecord, ...] = ()
    lines: tuple[Line, ...] = ()
    not_shown: tuple[RecordRef, ...] = ()
    silence: Unanswered | None = None
    is_gone: bool = False


async def of(runtime: Runtime, one: RecordView, by: By | None = None) -> Candidates:
    """Read a record and those it could be; whoever may see the values is noted before anything is shown.

    Raises  StoreUnavailable
    """
    side = resolve.met(one)
    assert side is not None
    kind, at = one.link.kind, runtime.now()
    none = Candidates(at, RecordRef(side.other, kind, one.link.id_on(side.other) or ""))
    own = await records.read_side(runtime, one, side.other)
    if isinstance(own, Unanswered):
        return replace(none, silence=own)
    if own is None or isinstance(own, Absent):
        return replace(none, is_gone=True)
    found = await _alike(runtime, one, own, side)
    if isinstance(found, Unanswered):
        return replace(none, silence=found)
    pairs = await _pairs(runtime, one, found) if resolve.is_taken(one) else []
    if isinstance(pairs, Unanswered):
        return replace(none, silence=pairs)
    if by is not None:
        await audit.record(
            runtime.database, Act(by, Action.REVEAL, f"{records.about(one)} and {len(found) + len(pairs)} alike")
        )
    refs = (
        *(RecordRef(side, kind, each.id) for each in found),
        *(RecordRef(side.other, kind, each.id) for each in pairs),
    )
    table, all_found = runtime.mappings[kind], [*found, *pairs]
    people = tuple(_person(table, ref, each) for ref, each in zip((none.own, *refs), (own, *all_found), strict=True))
    not_shown = await _not_shown(runtime, one, own, found)
    return replace(none, refs=refs, people=people, lines=_lines(table, own, all_found), not_shown=not_shown)


async def _alike(runtime: Runtime, one: RecordView, own: Snapshot, side: Side) -> list[Snapshot] | Unanswered:
    table = runtime.mappings[one.link.kind]
    if identity(table, own.fields) is None:
        return []
    try:
        raws = await (_charts(runtime, table, own) if side is Side.DRCHRONO else _contacts(runtime, table, own))
        if raws is None:
            return Unanswered(side, NOT_CONNECTED)
        snapshots = [await records.snapshot(runtime, table.kind, side, raw) for raw in raws]
    except FAILS as error:
        return unanswered(side, error)
    found = alike(table, own.fields, snapshots)
    if side is Side.SALESFORCE:  # a Contact that has its chart is no candidate, though it may not name it yet
        paired = await identity_index.already_paired(runtime.database, table.kind, side, {each.id for each in found})
        found = [each for each in found if each.id not in paired]
    return narrowed(table, own.fields, found) if found else []


async def _not_shown(
    runtime: Runtime, one: RecordView, own: Snapshot, found: Sequence[Snapshot]
) -> tuple[RecordRef, ...]:
    """Give the charts that our index knows as the person, where the record waits because none of them is shown."""
    if not resolve.may_be_new(one):
        return ()
    prints = fingerprints(runtime.rules(one.link.kind), own.fields)
    known = await identity_index.known_people(runtime.database, one.link.kind, prints)
    ids = {each.drchrono_id for each in known if each.drchrono_id} - {each.id for each in found}
    return tuple(RecordRef(Side.DRCHRONO, one.link.kind, id_) for id_ in sorted(ids))


async def _pairs(runtime: Runtime, one: RecordView, charts: Sequence[Snapshot]) -> list[Snapshot] | Unanswered:
    """Give the Contacts that name these charts, but for the held one."""
    table, client = runtime.mappings[one.link.kind], salesforce_of(runtime)
    if client is None:
        return Unanswered(Side.SALESFORCE, NOT_CONNECTED)
    keys = sorted(each.id for each in charts)
    try:
        raws = await client.read(table.object, table.fields, table.external_id, [], keys) if keys else []
        snapshots = [await records.snapshot(runtime, table.kind, Side.SALESFORCE, raw) for raw in raws]
    except FAILS as error:
        return unanswered(Side.SALESFORCE, error)
    return [each for each in snapshots if each.id != one.link.salesforce_id]


async def _contacts(runtime: Runtime, table: Table, own: Snapshot) -> Sequence[Mapping[str, Any]] | None:
    client, (name, day) = salesforce_of(runtime), search_key(table, own.fields, own.zone)
    if client is None or day is None:
        return None if client is None else []
    return await client.read(table.object, table.fields, table.external_id, [], [], (name, {day}))


async def _charts(runtime: Runtime, table: Table, own: Snapshot) -> Sequence[Mapping[str, Any]] | None:
    client = drchrono_of(runtime)
    return None if client is None else await client.listed(table.path, question(table, own.fields))


def _person(table: Table, ref: RecordRef, seen: Snapshot) -> NamedRecord:
    first, last, born = (
        (seen.fields.get(row.name) or "") if (row := table.row_of(name)) else ""
        for name in ("first_name", "last_name", "date_of_birth")
    )
    return NamedRecord(ref, f"{first} {last}".strip(), born)


def _lines(table: Table, own: Snapshot, found: Sequence[Snapshot]) -> tuple[Line, ...]:
    filled = [filled_by_merge(table, own.fields, each.fields) for each in found]
    return tuple(
        Line(
            name,
            own.fields.get(name),
            tuple(each.fields.get(name) for each in found),
            tuple(row.equal(own.fields.get(name), each.fields.get(name)) for each in found),
            tuple(takes.get(name, each.fields.get(name)) for each, takes in zip(found, filled, strict=True)),
        )
        for name, row in table.rows.items()
        if any(each.fields.get(name) is not None for each in (own, *found))
    )
