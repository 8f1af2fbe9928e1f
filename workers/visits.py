"""What is particular about visits: whose clock their times are read by, and which of them are none of ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.store import zones
from app.sync.records import Kind, Side
from app.sync.zoned import zone_of
from workers.passes import Pass

BREAK, VIRTUAL = "break", "virtual"
_OCCURRENCE = re.compile(r"\d{4}-?\d\d-?\d\d_\w+", re.ASCII)  # an occurrence of a series that nobody has touched


@dataclass(frozen=True, slots=True)
class Clock:
    """The zones that visits are read in: the doctor's, unless the settings name one for the office."""

    work: Pass
    by_doctor: Mapping[str, str]

    def zone(self, side: Side, raw: Mapping[str, Any]) -> str:
        """Give the zone of a vendor's record, verbatim; empty when it has none or its doctor is not known."""
        by_office = self.work.run.settings.office_time_zones
        return zone_of(self.work.rules.table, side, raw, by_office, self.by_doctor)


async def clock_of(work: Pass) -> Clock:
    """Give the zones known now, where the kind has times that need them."""
    return Clock(work, await zones.all_zones(work.run.database) if work.rules.table.zoned else {})


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
