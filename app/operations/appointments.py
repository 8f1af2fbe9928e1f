"""Visits: the appointments of a day as Salesforce holds them now, and how each stands.

A visit's day is its doctor's: the wall clock Salesforce keeps beside the instant, or that instant read by the zone. So
the one query asks for every instant that is of this day somewhere the clinic works, and those of another day there
are left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from app.operations.vendor_reads import FAILS, NOT_CONNECTED, Unanswered, salesforce_of, unanswered
from app.runtime import Runtime
from app.store import doctor_zones, record_views
from app.store.record_views import RecordView
from app.sync.mappings.local_time import known_zone
from app.sync.mappings.table import Row, Table
from app.sync.model import Kind, RecordRef, Side
from app.sync.snapshots import SideReader
from app.vendors.salesforce import search
from app.vendors.salesforce.search import Columns

_MOST = 2_000
_FIRST, _LAST = date(1700, 1, 2), date(4000, 12, 30)  # Salesforce knows no day before or after
_DAY = timedelta(days=1)
_EAST, _WEST = timedelta(hours=14), timedelta(hours=-12)  # how far zones lie from UTC
_LEEWAY = timedelta(hours=2)  # a change of clocks, and a visit that was moved over midnight
_SHOWN = ("scheduled_time", "doctor.timezone", "duration", "status", "deleted_flag", "patient", "doctor", "office")
CLOSED = "outside_office_hours"


@dataclass(frozen=True, slots=True)
class Visit:
    """One appointment. `at`: its doctor's wall clock, None where it cannot be read. `odd`: what is odd about it."""

    known: RecordView | None
    drchrono_id: str | None
    salesforce_id: str
    at: str | None
    zone: str
    minutes: str | None
    patient: str | None
    doctor: str | None
    status: str | None
    is_deleted: bool
    odd: tuple[str, ...] = ()

    @property
    def ref(self) -> RecordRef:
        """One name for the record."""
        side = Side.DRCHRONO if self.drchrono_id else Side.SALESFORCE
        return RecordRef(side, Kind.APPOINTMENT, self.drchrono_id or self.salesforce_id)


@dataclass(frozen=True, slots=True)
class Day:
    """The visits of a day in their order. `is_cut`: there are more; `silence`: why Salesforce said nothing."""

    day: date
    items: Sequence[Visit]
    is_cut: bool = False
    silence: Unanswered | None = None


def about(day: Day) -> str:
    """Name a day for the audit."""
    return f"appointments of {day.day.isoformat()}"


def ids(day: Day) -> tuple[str, ...]:
    """Give the ids of the appointments of a day, for the audit."""
    return tuple(one.ref.id for one in day.items)


def odd_of_all(day: Day) -> str:
    """Give what is odd about every appointment of a day, to be said once; empty where nothing is, or there is one."""
    shared = set.intersection(*(set(one.odd) for one in day.items)) if len(day.items) > 1 else set()
    return min(shared, default="")


def today(runtime: Runtime) -> date:
    """Give the day it is at the clinic."""
    return runtime.now().astimezone(runtime.settings.zone).date()


async def of_day(runtime: Runtime, day: date) -> Day:
    """Give the visits of a day.

    Raises  StoreUnavailable
    """
    client, table = salesforce_of(runtime), runtime.mappings.get(Kind.APPOINTMENT)
    start = table.row_of("scheduled_time") if table else None
    if table is None or start is None or not _FIRST <= day <= _LAST:
        return Day(day, ())
    if client is None:
        return Day(day, (), silence=Unanswered(Side.SALESFORCE, NOT_CONNECTED))
    by_doctor = await doctor_zones.all_zones(runtime.database)
    begin, end = _span(day, {*by_doctor.values(), *runtime.settings.office_time_zones.values()}, runtime)
    within, name = search.starts_between(table, begin, end)
    try:
        records = await client.select(table.object, _names(runtime, table), within, [name, "Id"], _MOST)
    except FAILS as error:
        return Day(day, (), silence=unanswered(Side.SALESFORCE, error))
    ids = [str(record["Id"]) for record in records]
    linked = await record_views.of(runtime.database, Kind.APPOINTMENT, Side.SALESFORCE, ids)
    visits = [_visit(runtime, table, one, linked.get(str(one["Id"])), by_doctor) for one in records]
    of_it = [visit for visit in visits if visit.at is None or visit.at.startswith(day.isoformat())]
    return Day(day, sorted(of_it, key=lambda one: (one.at or "", one.salesforce_id)), len(records) == _MOST)


async def of_ids(runtime: Runtime, ids: Sequence[str]) -> tuple[dict[str, Visit], Unanswered | None]:
    """Give these visits by Salesforce's Id as it holds them now, by one call, or why it said nothing.

    Raises  StoreUnavailable
    """
    client, table = salesforce_of(runtime), runtime.mappings.get(Kind.APPOINTMENT)
    if table is None or not ids:
        return {}, None
    if client is None:
        return {}, Unanswered(Side.SALESFORCE, NOT_CONNECTED)
    try:
        records = await client.read(table.object, _names(runtime, table), table.external_id, ids, [])
    except FAILS as error:
        return {}, unanswered(Side.SALESFORCE, error)
    by_doctor = await doctor_zones.all_zones(runtime.database)
    return {str(one["Id"]): _visit(runtime, table, one, None, by_doctor) for one in records}, None


def _span(day: date, names: Iterable[str], runtime: Runtime) -> tuple[datetime, datetime]:
    """Give the first and the last instant that may be of a day, by the zones in use; by all there are, if none is."""
    found = [zone for name in names if (zone := known_zone(name)) is not None]
    noon = datetime.combine(day, time(12), UTC)
    offsets = [noon.astimezone(zone).utcoffset() or timedelta(0) for zone in (*found, runtime.settings.zone)]
    east, west = (max(offsets) + _LEEWAY, min(offsets) - _LEEWAY) if found else (_EAST, _WEST)
    midnight = datetime.combine(day, time(0), UTC)
    return midnight - east, midnight + _DAY - west


def _names(runtime: Runtime, table: Table) -> list[str]:
    """Give what is selected: no reason for a visit and no note, and the names of who meets."""
    rows = [row for row in table.rows.values() if set(row.sources) & set(_SHOWN)]
    names = [table.external_id, *(name for row in rows for name in row.selected)]
    for field, columns in _people(runtime, table):
        names += [f"{field.names[Side.SALESFORCE]}.{column}" for column in columns]
    return names


def _people(runtime: Runtime, table: Table) -> list[tuple[Row, tuple[str, ...]]]:
    """Give the rows that refer to people, and what Salesforce calls their names."""
    found = []
    for field, kind in (("patient", Kind.PATIENT), ("doctor", Kind.DOCTOR)):
        row, people = table.row_of(field), runtime.mappings.get(kind)
        if row is not None and people is not None:
            columns = Columns.of(people)
            found.append((row, tuple(name for name in (columns.first, columns.last) if name)))
    return found


def _visit(
    runtime: Runtime, table: Table, record: Mapping[str, Any], one: RecordView | None, by_doctor: Mapping[str, str]
) -> Visit:
    reader = SideReader(table, runtime.settings.office_time_zones, by_doctor)
    row = table.rows.get(table.zoned or "")
    beside = str(record.get(row.names[Side.SALESFORCE]) or "") if row else ""
    snapshot = reader.salesforce(record, or_zone=beside if known_zone(beside) else runtime.settings.zone.key)
    values = {name: snapshot.fields.get(row.name) for name in _SHOWN if (row := table.row_of(name)) is not None}
    names = {row.name: _name(record.get(row.names[Side.SALESFORCE]), parts) for row, parts in _people(runtime, table)}
    flags = table.flags(snapshot.fields, snapshot.zone).values()
    at = values.get("scheduled_time")
    return Visit(
        one,
        one.link.drchrono_id if one else snapshot.key,
        snapshot.id,
        at,
        snapshot.zone,
        values.get("duration"),
        names.get("patient"),
        names.get("doctor"),
        values.get("status"),
        values.get("deleted_flag") is not None,
        (*flags, *([CLOSED] if _is_closed(runtime, at, snapshot.zone) else [])),
    )


def _name(parent: Any, parts: Sequence[str]) -> str | None:
    given = parent if isinstance(parent, dict) else {}
    return " ".join(str(given[part]) for part in parts if given.get(part)) or None


def _is_closed(runtime: Runtime, at: str | None, zone: str) -> bool:
    """Say whether a visit begins while the clinic is closed; one that keeps no hours never is."""
    hours, here = runtime.settings.hours, known_zone(zone)
    if at is None or here is None or not hours.spans:
        return False
    return not hours.is_open(datetime.fromisoformat(at).replace(tzinfo=here))
