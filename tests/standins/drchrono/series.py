"""Recurring appointments: the days of a series, and what an occurrence nobody has touched looks like.

A series is a base record, the visit of its first day, and one virtual occurrence for every later day. A virtual one
says what the base says now, except for its status: both are inferred, as is the date format of `date_ID`.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from tests.standins.drchrono.remembered import Record

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DEFAULT_WEEKS = 12


def is_virtual(appointment_id: str) -> bool:
    return "_" in appointment_id


def is_base(record: Record) -> bool:
    return record["recurring_appointment"] and record["base_recurring_appointment"] is None


def instance_key(base_id: str, day: date) -> str:
    return f"{base_id}_{day:%Y%m%d}"


def recurrence(scheduled_time: str, given: dict[str, Any]) -> Record:
    """Gives the recurrence fields of a base record: weekly on its own weekday for twelve weeks, unless told.

    Raises ValueError for a weekday there is not, or an interval below a week.
    """
    start = date.fromisoformat(scheduled_time[:10])
    days = given.get("recurring_days") or [WEEKDAYS[start.weekday()]]
    end = date.fromisoformat(given.get("recur_end_date") or (start + timedelta(weeks=DEFAULT_WEEKS)).isoformat())
    every = int(given.get("recurs_every") or 1)
    if every < 1 or not set(days) <= set(WEEKDAYS):
        raise ValueError(f"recurs_every: 1 or more weeks; recurring_days: of {', '.join(WEEKDAYS)}")
    return {
        "recurring_appointment": True,
        "recur_start_date": start.isoformat(),
        "recur_end_date": end.isoformat(),
        "recurring_days": list(days),
        "recurs_every": every,
    }


def later_days(base: Record) -> Iterator[date]:
    """Gives the days of a series after its first."""
    start, end = (date.fromisoformat(base[name]) for name in ("recur_start_date", "recur_end_date"))
    monday = start - timedelta(days=start.weekday())
    for ahead in range(1, (end - start).days + 1):
        day = start + timedelta(days=ahead)
        if WEEKDAYS[day.weekday()] in base["recurring_days"] and (day - monday).days // 7 % base["recurs_every"] == 0:
            yield day


def occurrence(base: Record, day: date) -> Record:
    """Gives the virtual occurrence of one day."""
    return {
        **base,
        "id": f"{day}_{base['id']}",
        "scheduled_time": f"{day}T{base['scheduled_time'][11:]}",
        "status": "",
        "custom_status": "",
        "base_recurring_appointment": base["id"],
        "recurrence_instance_key": instance_key(base["id"], day),
    }
