"""The patients: who was created with what, and what only a verbose answer says of them."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.standins.drchrono.clock import Clock
from tests.standins.drchrono.remembered import Record, Remembered
from tests.standins.drchrono.shapes import BLANK_PATIENT, FIRST_PATIENT_ID, VERBOSE_PATIENT


class Patients(Remembered):
    """Every patient of the practices, by id, in the order they came."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.ids: list[int] = []
        self._custom: dict[int, list[Record]] = {}
        self._charts: Counter[str] = Counter()

    def add(self, fields: Record) -> Record:
        patient_id = self.ids[-1] + 1 if self.ids else FIRST_PATIENT_ID
        now = self._clock.stamp()
        chart_id = fields.get("chart_id") or self._chart_id(fields)
        self.ids.append(patient_id)
        own = {"id": patient_id, "chart_id": chart_id, "created_at": now, "updated_at": now}
        return self._put({**BLANK_PATIENT, **fields, **own})

    def change(self, patient_id: int, fields: Record) -> Record:
        return self._put({**self.records[patient_id], **fields, "updated_at": self._clock.stamp()})

    def replace(self, patient_id: int, fields: Record) -> Record:
        old = self.records[patient_id]
        kept = {name: old[name] for name in ("id", "chart_id", "created_at")}
        return self._put({**BLANK_PATIENT, **kept, **fields, "updated_at": self._clock.stamp()})

    def verbose(self, record: Record) -> Record:
        return {**record, **VERBOSE_PATIENT, "custom_demographics": self._custom.get(record["id"], [])}

    def twins(self, fields: Record) -> bool:
        """Says whether someone with the same name, birth date and gender is there already."""

        def who(record: Mapping[str, Any]) -> tuple[Any, ...]:
            names = (str(record.get(name, "")).casefold() for name in ("first_name", "last_name"))
            return (*names, record.get("date_of_birth"), record.get("gender"))

        return who(fields) in map(who, self.records.values())

    def _put(self, record: Record) -> Record:
        if "custom_demographics" in record:
            now = self._clock.stamp()
            values = record.pop("custom_demographics")
            self._custom[record["id"]] = [{**value, "updated_at": now} for value in values]
        return self._keep(record)

    def _chart_id(self, fields: Record) -> str:
        halves = (
            "".join(filter(str.isascii, filter(str.isalpha, fields.get(name, ""))))[:2].ljust(2, "X")
            for name in ("first_name", "last_name")
        )
        letters = "".join(halves).upper()
        self._charts[letters] += 1
        return f"{letters}{self._charts[letters]:06d}"
