"""Record names: who a record is of, as people call it: a patient by name, an appointment by its patient and its moment.

Salesforce is asked, by one call for each kind, so that a name is the one of this moment. What it does not have yet is
named by the last delivery of it, opened in memory. No name is stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Undecryptable
from app.operations import appointments, patients
from app.operations.clinic_time import clinic_time
from app.operations.vendor_reads import Unanswered
from app.ports import SealedColumn
from app.runtime import Runtime
from app.store import attention, doctor_zones, record_views
from app.store.record_views import RecordView
from app.sync.model import Fields, Kind, Side, Snapshot
from app.sync.snapshots import SideReader


@dataclass(frozen=True, slots=True)
class RecordName:
    """Who a record is of; None where nobody says."""

    name: str | None = None
    born: str | None = None


NOBODY = RecordName()


async def names_of(runtime: Runtime, rows: Sequence[Any]) -> tuple[dict[str, RecordName], Unanswered | None]:
    """Give who records are of by link, and why Salesforce named nobody.

    rows    what names each: `link_id`, `kind`, `drchrono_id`, `salesforce_id`
    Raises  StoreUnavailable
    """
    people = [row for row in rows if row.kind == Kind.PATIENT.value]
    visits = [row for row in rows if row.kind == Kind.APPOINTMENT.value]
    lone = await _delivered(runtime, Kind.APPOINTMENT, [row for row in visits if row.salesforce_id is None])
    contacts = await _contacts_of(runtime, lone)
    asked = {row.salesforce_id for row in people} | {*contacts.values()}
    named, why = await patients.named(runtime, sorted(id_ for id_ in asked if id_))
    booked, why_not = await appointments.of_ids(
        runtime, sorted(row.salesforce_id for row in visits if row.salesforce_id)
    )
    found = {
        row.link_id: RecordName(person.name, person.born)
        for row in people
        if (person := named.get(row.salesforce_id or "")) is not None
    }
    found |= {
        row.link_id: RecordName(_visit_name(runtime, visit.patient, visit.at))
        for row in visits
        if (visit := booked.get(row.salesforce_id or "")) is not None
    }
    for link_id, seen in lone.items():
        person = named.get(contacts.get(link_id, ""))
        at = _value(runtime, Kind.APPOINTMENT, seen.fields, "scheduled_time")
        found[link_id] = RecordName(_visit_name(runtime, None if person is None else person.name, at))
    new = await _delivered(runtime, Kind.PATIENT, [row for row in people if row.salesforce_id is None])
    return found | {link_id: _patient_name(runtime, seen) for link_id, seen in new.items()}, why or why_not


async def name_of(runtime: Runtime, one: RecordView) -> tuple[RecordName, Unanswered | None]:
    """Give who a record is of, and why Salesforce named nobody.

    Raises  StoreUnavailable
    """
    found, why = await names_of(runtime, [_Named(one.id, one.link.kind, one.link.drchrono_id, one.link.salesforce_id)])
    return found.get(one.id, NOBODY), why


@dataclass(frozen=True, slots=True)
class _Named:
    """A record as `names_of` takes it."""

    link_id: str
    kind: str
    drchrono_id: str | None
    salesforce_id: str | None


async def _contacts_of(runtime: Runtime, visits: Mapping[str, Snapshot]) -> dict[str, str]:
    """Give, by link of an appointment, the Contact of its patient, where that one is linked."""
    charts = {
        link_id: chart
        for link_id, seen in visits.items()
        if (chart := _value(runtime, Kind.APPOINTMENT, seen.fields, "patient")) is not None
    }
    known = await record_views.of(runtime.database, Kind.PATIENT, Side.DRCHRONO, {*charts.values()})
    linked = {link_id: known[chart].link.salesforce_id for link_id, chart in charts.items() if chart in known}
    return {link_id: contact for link_id, contact in linked.items() if contact is not None}


async def _delivered(runtime: Runtime, kind: Kind, rows: Sequence[Any]) -> dict[str, Snapshot]:
    """Give, by link, what the last delivery that is kept shows of records."""
    table = runtime.mappings.get(kind)
    by_id = {row.drchrono_id: row.link_id for row in rows if row.drchrono_id}
    if table is None or not by_id:
        return {}
    zones = await doctor_zones.all_zones(runtime.database) if table.zoned else {}
    reader = SideReader(table, runtime.settings.office_time_zones, zones)
    found: dict[str, Snapshot] = {}
    for body in await attention.latest_bodies(runtime.database, kind, by_id):
        try:
            raw = runtime.vault.open(body.body, SealedColumn.DELIVERY_BODY.of(body.id))
        except Undecryptable:
            continue
        found[by_id[body.record_id]] = reader.drchrono(body.record_id, raw, confirmed=False)
    return found


def _patient_name(runtime: Runtime, seen: Snapshot) -> RecordName:
    first, last, born = (
        _value(runtime, Kind.PATIENT, seen.fields, name) for name in ("first_name", "last_name", "date_of_birth")
    )
    return RecordName(" ".join(part for part in (first, last) if part) or None, born)


def _value(runtime: Runtime, kind: Kind, fields: Fields, name: str) -> str | None:
    row = runtime.mappings[kind].row_of(name)
    return None if row is None else fields.get(row.name)


def _visit_name(runtime: Runtime, patient: str | None, at: str | None) -> str | None:
    """Give an appointment's name: its patient and its moment, by the doctor's wall clock."""
    return ", ".join(part for part in (patient, at and _moment(runtime, at)) if part) or None


def _moment(runtime: Runtime, at: str) -> str:
    try:
        return clinic_time(runtime).day_and_wall_clock(at)
    except ValueError:
        return at
