"""Records: what we know of one, its history, both sides of it read on demand, and looking at it again.

A page of a record opens without a call. Reading both sides is one call to each, made because a person asked; values
are for whoever may act, each time noted, and stay masked for everybody else.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import datetime, timedelta
from typing import Any

from app.operations.documents import DocumentFacts, with_patient
from app.operations.history import Came, came
from app.operations.vendor_reads import FAILS, NOT_CONNECTED, Unanswered, drchrono_of, salesforce_of, unanswered
from app.ports import Act, Action, By
from app.runtime import Runtime
from app.store import audit, doctor_zones, documents, links, record_views
from app.sync.diff import MASK, FieldDiff, compare_fields
from app.sync.failure_sentences import labels, sentence
from app.sync.mappings.table import Table
from app.sync.model import Absent, Kind, Lane, RecordRef, Side, Snapshot
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from app.vendors.salesforce.wire import long_id

RecordView = record_views.RecordView
_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """One field on both sides, and how its value came to be there; `came` is None where we never wrote it.

    stamps  side -> a keyed hash of what it held, by which a decision can tell whether it still does
    """

    seen: FieldDiff
    came: Came | None
    stamps: Mapping[Side, str] = dataclass_field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BothSides:
    """Both sides of a record as just read.

    fields   in the mapping's order, those that a failure is about first
    answers  side -> how it answered: `read`, `absent`, `not_linked`; or why it said nothing
    """

    at: datetime
    fields: Sequence[Field]
    answers: Mapping[Side, str | Unanswered]

    @property
    def common(self) -> Came | None:
        """How more of the fields came than in any other way, where several did."""
        ways = Counter(field.came for field in self.fields if field.came is not None)
        return next((most for most, fields in ways.most_common(1) if fields > 1), None)


async def find(runtime: Runtime, ref: RecordRef) -> RecordView | None:
    """Give a record by either side's id, Salesforce's in 15 characters or in 18; None when nobody has heard of it.

    Raises  StoreUnavailable
    """
    if ref.kind not in runtime.mappings or not _ID.fullmatch(ref.id):
        return None
    if ref.side is Side.SALESFORCE:
        ref = RecordRef(ref.side, ref.kind, long_id(ref.id) or ref.id)
    return await record_views.find(runtime.database, ref)


async def unread(runtime: Runtime, one: RecordView) -> BothSides:
    """Give what is known of a record's fields without a call: which there are, and how each came to be as it is.

    Raises  StoreUnavailable
    """
    return await _compared(runtime, one, {})


async def read(runtime: Runtime, one: RecordView) -> BothSides:
    """Read both sides of a record, by one call to each, and give what differs, every value masked.

    Raises  StoreUnavailable
    """
    both = await _read(runtime, one)
    return replace(both, fields=[replace(field, seen=_masked(field.seen)) for field in both.fields])


async def reveal(runtime: Runtime, one: RecordView, by: By) -> BothSides:
    """Read both sides for a person who wants to see the values, and note that before anything is shown.

    Raises  StoreUnavailable: it could not be noted, so nothing is shown
    """
    both = await _read(runtime, one)
    await audit.record(runtime.database, Act(by, Action.REVEAL, about(one)))
    return both


async def look(runtime: Runtime, one: RecordView, by: By) -> None:
    """Let a record be looked at again, ahead of all but live edits, DrChrono being asked; noted in the same commit.

    Raises  StoreUnavailable
    """
    await links.have_looked_at(runtime.database, one.id, Lane.LIVE, Act(by, Action.LOOK, about(one)))
    runtime.wakeup.notify([one.link.kind])
    await want_documents(runtime, one, often=timedelta(0))


async def want_documents(runtime: Runtime, one: RecordView, *, often: timedelta = documents.OFTEN) -> None:
    """Have DrChrono asked soon for the documents of a patient whose record a person has opened.

    often  not where they were asked for within so long

    Raises  StoreUnavailable
    """
    is_shared = Kind.DOCUMENT in runtime.mappings and one.link.kind is Kind.PATIENT
    if is_shared and one.link.is_pair and one.link.drchrono_id is not None:
        await documents.want_opened(runtime.database, one.link.drchrono_id, often)


def about(one: RecordView) -> str:
    """Name a record for the audit: by kind and id, never by a value."""
    return f"{one.link.kind.value} {one.ref.id}"


def vendor_pages(
    runtime: Runtime, kind: Kind, ids: Mapping[Side, str | None], document: DocumentFacts | None = None
) -> dict[Side, str]:
    """Give the addresses at which people see a record in each system; none where it is not there.

    Where its page in DrChrono is, public code of others has been seen to say; Salesforce takes an id behind My Domain.
    A document is seen in its patient's chart, and as the File that it is a version of.
    """
    known = runtime.settings
    if kind is Kind.DOCUMENT:
        chart = document.patient_id if document and ids.get(Side.DRCHRONO) else None
        ids, kind = {Side.DRCHRONO: chart, Side.SALESFORCE: _file(document, ids.get(Side.SALESFORCE))}, Kind.PATIENT
    folder = runtime.mappings[kind].path.rpartition("/")[2]
    homes = {Side.DRCHRONO: f"{known.drchrono_base_url}/{folder}", Side.SALESFORCE: known.salesforce_login_url}
    return {side: f"{home}/{id_}" for side, home in homes.items() if home and (id_ := ids.get(side))}


def _file(document: DocumentFacts | None, version_id: str | None) -> str | None:
    return version_id and document.file_id if document and document.file_id else version_id


async def _read(runtime: Runtime, one: RecordView) -> BothSides:
    salesforce, drchrono = await asyncio.gather(_salesforce(runtime, one), _drchrono(runtime, one))
    return await _compared(runtime, one, {Side.DRCHRONO: drchrono, Side.SALESFORCE: salesforce})


async def _compared(
    runtime: Runtime, one: RecordView, found: Mapping[Side, Snapshot | Absent | Unanswered | None]
) -> BothSides:
    snapshots = {side: seen for side, seen in found.items() if isinstance(seen, Snapshot | Absent)}
    origins, rules = await came(runtime, one), runtime.rules(one.link.kind)
    fields = [
        Field(
            each,
            origins.get(each.name),
            {side: rules.stamp(one.link, each.name, value) for side, value in each.values.items()},
        )
        for each in compare_fields(rules, one.link, snapshots)
    ]
    fields.sort(key=lambda each: not _is_failing(rules.table, one, each.seen))
    return BothSides(runtime.now(), fields, {side: _answer(seen) for side, seen in found.items()})


def wrong_with(runtime: Runtime, one: RecordView) -> str:
    """Give what is wrong with a record, in one sentence; empty where nothing is."""
    if not one.cause or one.side is None:
        return ""
    table = runtime.mappings.get(one.link.kind)
    return sentence(one.cause, one.side, one.link.kind, labels(table, one.side, one.fields))


def _is_failing(table: Table, one: RecordView, seen: FieldDiff) -> bool:
    """Say whether a failure of the record is about a field: those come first."""
    row = table.rows[seen.name]
    return any(name in one.fields for side in Side for name in row.called(side))


def _masked(seen: FieldDiff) -> FieldDiff:
    hidden = {side: None if value is None else MASK for side, value in seen.values.items()}
    return replace(seen, values=hidden)


async def read_side(runtime: Runtime, one: RecordView, side: Side) -> Snapshot | Absent | Unanswered | None:
    """Read a record on one side, by one call; None where it is not known there.

    Raises  StoreUnavailable
    """
    return await (_drchrono(runtime, one) if side is Side.DRCHRONO else _salesforce(runtime, one))


async def _salesforce(runtime: Runtime, one: RecordView) -> Snapshot | Absent | Unanswered | None:
    client, table, link = salesforce_of(runtime), runtime.mappings[one.link.kind], one.link
    if link.salesforce_id is None:
        return None
    if client is None:
        return Unanswered(Side.SALESFORCE, NOT_CONNECTED)
    try:
        found = await client.read(table.object, table.fields, table.external_id, [link.salesforce_id], [])
        if not found:
            return Absent.ABSENT
        seen = await snapshot(runtime, link.kind, Side.SALESFORCE, found[0])
        return await with_patient(runtime, seen) if link.kind is Kind.DOCUMENT else seen
    except FAILS as error:
        return unanswered(Side.SALESFORCE, error)


async def _drchrono(runtime: Runtime, one: RecordView) -> Snapshot | Absent | Unanswered | None:
    client, table, link = drchrono_of(runtime), runtime.mappings[one.link.kind], one.link
    if link.drchrono_id is None:
        return None
    if client is None:
        return Unanswered(Side.DRCHRONO, NOT_CONNECTED)
    try:
        found = await client.read(table.path, link.drchrono_id)
    except FAILS as error:
        return unanswered(Side.DRCHRONO, error)
    return await snapshot(runtime, link.kind, Side.DRCHRONO, found) if found is not None else Absent.ABSENT


async def snapshot(runtime: Runtime, kind: Kind, side: Side, raw: Mapping[str, Any]) -> Snapshot:
    """Give a record as a side has just answered it."""
    table = runtime.mappings[kind]
    by_doctor = await doctor_zones.all_zones(runtime.database) if table.zoned else {}
    reader = SideReader(table, runtime.settings.office_time_zones, by_doctor, runtime.settings.zone)
    return reader.salesforce(raw) if side is Side.SALESFORCE else reader.drchrono(wire.record_id(raw), raw)


def _answer(seen: Snapshot | Absent | Unanswered | None) -> str | Unanswered:
    if isinstance(seen, Unanswered):
        return seen
    if seen is None:
        return "not_linked"
    return "absent" if isinstance(seen, Absent) else "read"
