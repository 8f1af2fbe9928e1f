"""Record names: who a record is of, as people call it.

A patient is called by name, an appointment by its patient and its moment, a document by its patient and its title.
Salesforce is asked, by one call for each kind, so that a name is the one of this moment. What it does not have yet is
named by the last delivery of it, opened in memory. No name is stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.operations import appointments, documents, patients
from app.operations.clinic_time import clinic_time
from app.operations.deliveries import last_bodies
from app.operations.documents import DocumentFacts
from app.operations.vendor_reads import Unanswered
from app.runtime import Runtime
from app.store import doctor_zones, record_views
from app.store.record_views import RecordView
from app.sync.model import Fields, Kind, Side, Snapshot
from app.sync.snapshots import SideReader


@dataclass(frozen=True, slots=True)
class RecordName:
    """Who a record is of; None where nobody says. `document`: of a document, what else is known of it."""

    name: str | None = None
    born: str | None = None
    document: DocumentFacts | None = None


NOBODY = RecordName()


async def names_of(runtime: Runtime, rows: Sequence[Any]) -> tuple[dict[str, RecordName], Unanswered | None]:
    """Give who records are of by link, and why Salesforce named nobody.

    rows    what names each: `link_id`, `kind`, `drchrono_id`, `salesforce_id`
    Raises  StoreUnavailable
    """
    people = [row for row in rows if row.kind == Kind.PATIENT.value]
    visits = [row for row in rows if row.kind == Kind.APPOINTMENT.value]
    lone = await _delivered(runtime, Kind.APPOINTMENT, [row for row in visits if row.salesforce_id is None])
    filed, why_not_filed = await documents.facts_of(runtime, [row for row in rows if row.kind == Kind.DOCUMENT.value])
    charts = _charts(runtime, lone) | {id_: one.patient_id for id_, one in filed.items() if one.patient_id}
    contacts = await _contacts_of(runtime, charts)
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
    for link_id, one in filed.items():
        owner = named.get(contacts.get(link_id, ""))
        found[link_id] = RecordName(_document_name(None if owner is None else owner.name, one), document=one)
    new = await _delivered(runtime, Kind.PATIENT, [row for row in people if row.salesforce_id is None])
    found |= {link_id: _patient_name(runtime, seen) for link_id, seen in new.items()}
    return found, why or why_not or why_not_filed


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


def _charts(runtime: Runtime, visits: Mapping[str, Snapshot]) -> dict[str, str]:
    """Give, by link of an appointment, its patient's id in DrChrono."""
    return {
        link_id: chart
        for link_id, seen in visits.items()
        if (chart := _value(runtime, Kind.APPOINTMENT, seen.fields, "patient")) is not None
    }


async def _contacts_of(runtime: Runtime, charts: Mapping[str, str]) -> dict[str, str]:
    """Give, by link of what is a patient's, that one's Contact, where the patient is linked.

    charts  the patient's id in DrChrono, by the same link
    """
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
    bodies = await last_bodies(runtime, kind, by_id)
    return {by_id[id_]: reader.drchrono(id_, raw, confirmed=False) for id_, raw in bodies.items()}


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


def _document_name(patient: str | None, one: DocumentFacts) -> str | None:
    """Give a document's name: its patient and its title."""
    return ", ".join(part for part in (patient, one.title) if part) or None


def _moment(runtime: Runtime, at: str) -> str:
    try:
        return clinic_time(runtime).day_and_wall_clock(at)
    except ValueError:
        return at
