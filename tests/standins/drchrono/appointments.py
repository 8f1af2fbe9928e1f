"""The appointments and breaks: booked, moved, deleted softly, and made out of a virtual occurrence when touched.

An id is a string: a number, or `date_ID` for an occurrence of a series that nobody has touched yet.
"""

from bisect import bisect_left, insort
from datetime import date, datetime, timedelta
from typing import NamedTuple

from tests.standins.drchrono.appointment_shapes import BLANK_APPOINTMENT, FIRST_APPOINTMENT_ID, VERBOSE_APPOINTMENT
from tests.standins.drchrono.clock import Clock
from tests.standins.drchrono.remembered import Record, Remembered
from tests.standins.drchrono.series import instance_key, is_base, is_virtual, later_days, occurrence

# Which appointments leave their time free is inferred; that a break does not is too.
FREE = ("Cancelled", "No Show")


class Span(NamedTuple):
    """Some of a doctor's time; the ends are naive ISO text, and the last is not part of it."""

    doctor: int
    begins: str
    ends: str


def taken(record: Record) -> Span | None:
    """Gives the time an appointment takes; that it is its doctor's, in whatever room, is inferred."""
    if record["deleted_flag"] or record["status"] in FREE:
        return None
    ends = datetime.fromisoformat(record["scheduled_time"]) + timedelta(minutes=record["duration"])
    return Span(record["doctor"], record["scheduled_time"], ends.isoformat(timespec="seconds"))


def event_of(old: Record, new: Record) -> str:
    """Gives the event of a change; that a virtual occurrence raises the one of a new appointment is inferred."""
    return "APPOINTMENT_MODIFY" if old["id"] == new["id"] else "APPOINTMENT_CREATE"


class Appointments(Remembered):
    """Every appointment of the practices, by id; `keys` names them in the order of their scheduled times."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.keys: list[str] = []
        self.consistent_recurrence_id = True
        self._last_id = FIRST_APPOINTMENT_ID - 1
        self._longest = timedelta()
        self._custom: dict[str, list[Record]] = {}
        self._transitions: dict[str, list[Record]] = {}

    def add(self, fields: Record, created_by: str) -> Record:
        own = {"id": self._next_id(), "created_by": created_by, "created_at": self._clock.stamp()}
        return self._put({**BLANK_APPOINTMENT, **fields, **own, "updated_at": own["created_at"]})

    def add_series(self, fields: Record, created_by: str) -> list[Record]:
        """Gives the base record, then the virtual occurrences."""
        base = self.add(fields, created_by)
        key = instance_key(base["id"], date.fromisoformat(base["recur_start_date"]))
        base = self._put({**base, "recurrence_instance_key": key})
        return [base, *(self._put(occurrence(base, day)) for day in later_days(base))]

    def change(self, appointment_id: str, fields: Record) -> Record:
        """Gives the record as it is now, under an id of its own when it was a virtual one before."""
        old, now = self.records[appointment_id], self._clock.stamp()
        new = {**old, **fields, "updated_at": now}
        if is_virtual(appointment_id):
            self.remove(appointment_id)
            new["id"] = self._next_id()
        if new["status"] != old["status"]:
            step = {"appointment": new["id"], "from_status": old["status"], "to_status": new["status"], "datetime": now}
            self._transitions.setdefault(new["id"], []).append(step)
        return self._put(new)

    def delete(self, appointment_id: str) -> Record:
        """Marks it as deleted, which hides it and ends its series: the series is inferred."""
        return self.change(appointment_id, {"deleted_flag": True})

    def vanish(self, appointment_id: str) -> None:
        for virtual_id in self._occurrences(appointment_id):
            self.remove(virtual_id)
        self.remove(appointment_id)

    def renumber(self, appointment_id: str) -> Record:
        """Gives the record under a new id, in its old place of the series: what a split does is inferred."""
        old = self.records[appointment_id]
        self.remove(appointment_id)
        return self._put({**old, "id": self._next_id(), "updated_at": self._clock.stamp()})

    def as_listed(self, record_id: str) -> Record | None:
        record = super().as_listed(record_id)
        return record and self.shown(record)

    def shown(self, record: Record) -> Record:
        """Gives the record as every answer and every delivery has it."""
        return record if self.consistent_recurrence_id else {**record, "recurrence_instance_key": None}

    def verbose(self, record: Record) -> Record:
        return {
            **record,
            **VERBOSE_APPOINTMENT,
            "extended_updated_at": record["updated_at"],
            "custom_fields": self._custom.get(record["id"], []),
            "status_transitions": self._transitions.get(record["id"], []),
        }

    def in_the_way_of(self, wanted: Record) -> str | None:
        """Gives the id of the first that takes some of the same time."""
        span = taken(wanted)
        if span is None:
            return None
        earliest = (datetime.fromisoformat(span.begins) - self._longest).isoformat(timespec="seconds")
        for key in self.keys[bisect_left(self.keys, earliest) : bisect_left(self.keys, span.ends)]:
            other = self.records.get(id_in(key))
            if other is None or other["id"] == wanted["id"] or other["doctor"] != span.doctor:
                continue
            theirs = taken(other)
            if theirs and theirs.ends > span.begins:
                return other["id"]
        return None

    def _put(self, record: Record) -> Record:
        appointment_id = record["id"]
        if "custom_fields" in record:
            now, values = self._clock.stamp(), record.pop("custom_fields")
            self._custom[appointment_id] = [{**value, "created_at": now, "updated_at": now} for value in values]
        old = self.records.get(appointment_id)
        if old is None or _key(old) != _key(record):
            if old is not None:
                self.keys.remove(_key(old))
            insort(self.keys, _key(record))
        self._longest = max(self._longest, timedelta(minutes=record["duration"]))
        self._keep(record)
        for virtual_id in self._occurrences(appointment_id):
            if record["deleted_flag"]:
                self.remove(virtual_id)
            else:
                self._put(occurrence(record, date.fromisoformat(virtual_id[:10])))
        return record

    def _occurrences(self, appointment_id: str) -> list[str]:
        record = self.records[appointment_id]
        return [other for other in self.records if other.endswith(f"_{appointment_id}")] if is_base(record) else []

    def _next_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)


def _key(record: Record) -> str:
    return f"{record['scheduled_time']} {record['id']}"


def id_in(key: str) -> str:
    return key.partition(" ")[2]
