"""Snapshots: what a vendor's raw record shows, by whose clock its times are read, and which visits are none of ours."""

import re
from collections.abc import Mapping
from typing import Any

from app.sync.mappings.codecs import Unfit
from app.sync.mappings.table import Row, Table
from app.sync.model import Kind, Side

BREAK, VIRTUAL = "break", "virtual"


_OCCURRENCE = re.compile(r"\d{4}-?\d\d-?\d\d_\w+", re.ASCII)  # an occurrence of a series that nobody has touched


def skipped(kind: Kind, record_id: str, raw: Mapping[str, Any]) -> str:
    """Say why a record of DrChrono's is none of ours; empty when it is.

    Source  DrChrono fact sheet 5.5: breaks have no patient; an untouched occurrence has date_series as its id
    """
    if kind is not Kind.APPOINTMENT:
        return ""
    if raw.get("appt_is_break") is True:
        return BREAK
    return VIRTUAL if _OCCURRENCE.fullmatch(record_id) else ""


def place_in_series(kind: Kind, raw: Mapping[str, Any]) -> str:
    """Give the place of a visit in its series, which stays when its id does not; empty when it is in none."""
    place = raw.get("recurrence_instance_key")
    return place[:64] if kind is Kind.APPOINTMENT and isinstance(place, str) else ""


def zone_of(
    table: Table, side: Side, raw: Mapping[str, Any], by_office: Mapping[str, str], by_doctor: Mapping[str, str]
) -> str:
    """Give the zone of a vendor's record, verbatim; empty when it has none or its doctor is not known."""
    if table.zoned is None:
        return ""
    doctor, office = (_value(table.row_of(name), side, raw) for name in ("doctor", "office"))
    return by_office.get(office) or by_doctor.get(doctor, "")


def _value(row: Row | None, side: Side, raw: Mapping[str, Any]) -> str:
    try:
        return (row and row.codec.read(side, raw.get(row.names[side]), row.options)) or ""
    except Unfit:
        return ""
