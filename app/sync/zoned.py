"""Whose clock a record's times are read by: its doctor's, unless the settings name a zone for its office (pure)."""

from collections.abc import Mapping
from typing import Any

from app.sync.codec import Unfit
from app.sync.mapping import Row, Table
from app.sync.records import Side


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
