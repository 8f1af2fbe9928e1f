"""The patients: what each looks like now, what lists still show of it, and how lists are paged.

A record is never changed in place; an edit puts a new dict in its place, so whoever holds one holds a snapshot.
"""

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

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


class Page(NamedTuple):
    """One page, and the cursors of its neighbours (None at an end)."""

    records: list[Record]
    previous: str | None
    next: str | None


def page(ids: Sequence[int], seen: Callable[[int], Record | None], size: int, cursor: str | None) -> Page:
    """Gives the page a cursor names; `seen` answers None for a record that this list does not show."""
    place = _opened(cursor)
    at, backward = int(place.get("p", 0)), "r" in place

    def wanted() -> Iterator[Record]:
        where = range(bisect_left(ids, at) - 1, -1, -1) if backward else range(bisect_right(ids, at), len(ids))
        for index in where:
            record = seen(ids[index])
            if record is not None:
                yield record

    found = []
    for record in wanted():
        found.append(record)
        if len(found) > size:
            break
    more = len(found) > size
    found = found[:size][::-1] if backward else found[:size]
    if not found:
        return Page([], None, None)
    before = _sealed(p=found[0]["id"], r=1) if (more if backward else at) else None
    after = _sealed(p=found[-1]["id"]) if (backward or more) else None
    return Page(found, before, after)


def _sealed(**place: int) -> str:
    return urlsafe_b64encode(urlencode(place).encode()).decode().rstrip("=")


def _opened(cursor: str | None) -> dict[str, str]:
    """Raises ValueError for a cursor that is none of ours."""
    if not cursor:
        return {}
    text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    place = dict(parse_qsl(text, strict_parsing=True))
    int(place.get("p", "none"))
    return place
