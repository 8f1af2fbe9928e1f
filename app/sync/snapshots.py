"""Snapshots: what a vendor's raw record shows, by whose clock its times are read, and which visits are none of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from app.sync.document_file import FileFacts
from app.sync.mappings.codecs import Unfit, is_record_id, tidy
from app.sync.mappings.table import Row, Table
from app.sync.model import Kind, Side, Snapshot

SHORT_ID = 15  # of the characters of a Salesforce Id the first that name the record; the other three check them
BREAK, VIRTUAL, NO_TIME = "break", "virtual", "no_time"
_OCCURRENCE = re.compile(r"\d{4}-?\d\d-?\d\d_\w+", re.ASCII)  # an occurrence of a series that nobody has touched
_STAMP = re.compile(r"[0-9T:.Z+-]{1,32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SideReader:
    """Reads the raw records of one kind, as either side gives them, into snapshots.

    The times of a visit are read in the zone of its doctor, unless the settings name one for its office; without the
    zones of doctors (`by_doctor`) a time is read as far as it can be without. A File without a date of its own is of
    the day on which it was uploaded, by the clinic's clock.
    """

    table: Table
    by_office: Mapping[str, str] = field(default_factory=dict)
    by_doctor: Mapping[str, str] = field(default_factory=dict)
    clinic: tzinfo = UTC

    def drchrono(
        self, record_id: str, raw: Mapping[str, Any], version: str = "", *, confirmed: bool = True
    ) -> Snapshot:
        """Give the snapshot of a record of DrChrono's, which says why it is none of ours and its place in a series.

        version    the record's own stamp; empty where it does not matter
        confirmed  DrChrono itself has answered so; False of a delivered body
        """
        kind, zone = self.table.kind, self.zone(Side.DRCHRONO, raw)
        read = self.table.read(Side.DRCHRONO, record_id, raw, version=version, confirmed=confirmed, zone=zone)
        why, place = skipped(kind, record_id, raw), _place_in_series(kind, raw)
        return replace(read, skipped=why, series=place) if why or place else read

    def salesforce(self, raw: Mapping[str, Any], *, or_zone: str = "") -> Snapshot:
        """Give the snapshot of a record of Salesforce's; `or_zone`: the zone of one whose doctor's is not known."""
        zone, stamp = self.zone(Side.SALESFORCE, raw) or or_zone, str(raw.get("SystemModstamp") or "")
        stamp = stamp if _STAMP.fullmatch(stamp) else ""
        read = self.table.read(Side.SALESFORCE, str(raw["Id"]), raw, version=stamp, confirmed=True, zone=zone)
        read = replace(read, changed_by=str(raw.get("LastModifiedById") or "")[:SHORT_ID])
        return self._of_a_file(read, file_facts(raw)) if self.table.kind is Kind.DOCUMENT else read

    def _of_a_file(self, version: Snapshot, file: FileFacts) -> Snapshot:
        row = self.table.row_of("date")
        is_undated = row is not None and row.name in version.fields and version.fields[row.name] is None
        if row is None or not is_undated or not file.created_at:
            return replace(version, file=file)
        try:
            day = datetime.fromisoformat(file.created_at).astimezone(self.clinic).date().isoformat()
        except (ValueError, OverflowError):
            return replace(version, file=file)
        return replace(version, fields={**version.fields, row.name: day}, file=file)

    def zone(self, side: Side, raw: Mapping[str, Any]) -> str:
        """Give the zone of a record, verbatim; empty when it has none or its doctor is not known."""
        if self.table.zoned is None:
            return ""
        doctor, office = (_value(self.table.row_of(name), side, raw) for name in ("doctor", "office"))
        return self.by_office.get(office) or self.by_doctor.get(doctor, "")


def file_facts(raw: Mapping[str, Any]) -> FileFacts:
    """Give what a version's own record says of its file; whose it is, its links say (`placed`)."""
    id_, number, size = (raw.get(name) for name in ("ContentDocumentId", "VersionNumber", "ContentSize"))
    first, created = raw.get("FirstPublishLocationId"), str(raw.get("CreatedDate") or "")
    return FileFacts(
        str(id_) if is_record_id(id_, Side.SALESFORCE) else "",
        int(str(number)) if str(number).isdecimal() else 1,
        str(raw.get("Checksum") or "").casefold(),
        size if isinstance(size, int) else 0,
        str(raw.get("FileExtension") or "").casefold(),
        str(first) if is_record_id(first, Side.SALESFORCE) else None,
        created_at=created if _STAMP.fullmatch(created) else "",
    )


def skipped(kind: Kind, record_id: str, raw: Mapping[str, Any]) -> str:
    """Say why a record of DrChrono's is none of ours; empty when it is.

    A block of the calendar has no patient, whatever its flag says; a patient that cannot be read is one all the same.

    Source  DrChrono fact sheet 5.5: breaks have no patient; an untouched occurrence has date_series as its id
    """
    if kind is not Kind.APPOINTMENT:
        return ""
    if _says(raw, "appt_is_break") in ("true", "1") or _says(raw, "patient") in ("", "0"):
        return BREAK
    if not _says(raw, "scheduled_time"):
        return NO_TIME
    return VIRTUAL if _OCCURRENCE.fullmatch(record_id) else ""


def _says(raw: Mapping[str, Any], name: str) -> str:
    """Give what a value says in small letters, empty where nothing is said, `unreadable` for what is no text."""
    value = raw.get(name)
    try:
        return (tidy(str(value) if isinstance(value, bool) else value) or "").casefold()
    except Unfit:
        return "unreadable"


def _place_in_series(kind: Kind, raw: Mapping[str, Any]) -> str:
    """Give the place of a visit in its series, which stays when its id does not; empty when it is in none.

    What is no key is no place: cut or mended it could be another visit's.
    """
    place = raw.get("recurrence_instance_key")
    return str(place).strip() if kind is Kind.APPOINTMENT and is_record_id(place) else ""


def _value(row: Row | None, side: Side, raw: Mapping[str, Any]) -> str:
    try:
        return (row and row.codec.read(side, raw.get(row.names[side]), row.options)) or ""
    except Unfit:
        return ""
