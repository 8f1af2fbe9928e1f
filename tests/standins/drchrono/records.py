"""The patients: what each looks like now, and what lists still show of it.

A record is never changed in place; an edit puts a new dict in its place, so whoever holds one holds a snapshot.
"""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.standins.drchrono.clock import Clock
from tests.standins.drchrono.shapes import BLANK_PATIENT, FIRST_PATIENT_ID, VERBOSE_PATIENT

Record = dict[str, Any]


class Patients:
    """Every patient of the practice, by id, in the order they came."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.records: dict[int, Record] = {}
        self.ids: list[int] = []
        self.list_stale_s = 0.0
        self._custom: dict[int, list[Record]] = {}
        self._past: dict[int, list[tuple[float, Record | None]]] = {}
        self._charts: Counter[str] = Counter()

    def add(self, fields: Record) -> Record:
        patient_id = self.ids[-1] + 1 if self.ids else FIRST_PATIENT_ID
        now = self._clock.stamp()
        chart_id = fields.get("chart_id") or self._chart_id(fields)
        self.ids.append(patient_id)
        own = {"id": patient_id, "chart_id": chart_id, "created_at": now, "updated_at": now}
        return self._put(patient_id, {**BLANK_PATIENT, **fields, **own})

    def change(self, patient_id: int, fields: Record) -> Record:
        return self._put(patient_id, {**self.records[patient_id], **fields, "updated_at": self._clock.stamp()})

    def replace(self, patient_id: int, fields: Record) -> Record:
        old = self.records[patient_id]
        kept = {name: old[name] for name in ("id", "chart_id", "created_at")}
        return self._put(patient_id, {**BLANK_PATIENT, **kept, **fields, "updated_at": self._clock.stamp()})

    def remove(self, patient_id: int) -> None:
        self._remember(patient_id)
        del self.records[patient_id]

    def verbose(self, record: Record) -> Record:
        return {**record, **VERBOSE_PATIENT, "custom_demographics": self._custom.get(record["id"], [])}

    def as_listed(self, patient_id: int) -> Record | None:
        """Gives the record as a list shows it: some seconds old, when so set."""
        if self.list_stale_s and (past := self._past.get(patient_id)):
            horizon = time.monotonic() - self.list_stale_s
            for changed_at, before in past:
                if changed_at > horizon:
                    return before
        return self.records.get(patient_id)

    def twins(self, fields: Record) -> bool:
        """Says whether someone with the same name, birth date and gender is there already."""

        def who(record: Mapping[str, Any]) -> tuple[Any, ...]:
            names = (str(record.get(name, "")).casefold() for name in ("first_name", "last_name"))
            return (*names, record.get("date_of_birth"), record.get("gender"))

        return who(fields) in map(who, self.records.values())

    def _put(self, patient_id: int, record: Record) -> Record:
        if "custom_demographics" in record:
            now = self._clock.stamp()
            values = record.pop("custom_demographics")
            self._custom[patient_id] = [{**value, "updated_at": now} for value in values]
        self._remember(patient_id)
        self.records[patient_id] = record
        return record

    def _remember(self, patient_id: int) -> None:
        if self.list_stale_s:
            now = time.monotonic()
            past = self._past.setdefault(patient_id, [])
            past[:] = [entry for entry in past if entry[0] > now - self.list_stale_s]
            past.append((now, self.records.get(patient_id)))

    def _chart_id(self, fields: Record) -> str:
        halves = (
            "".join(filter(str.isascii, filter(str.isalpha, fields.get(name, ""))))[:2].ljust(2, "X")
            for name in ("first_name", "last_name")
        )
        letters = "".join(halves).upper()
        self._charts[letters] += 1
        return f"{letters}{self._charts[letters]:06d}"
