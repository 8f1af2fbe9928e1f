"""The records of one kind: what each looks like now, and what lists still show of it.

A record is never changed in place; an edit puts a new dict in its place, so whoever holds one holds a snapshot.
"""

import time
from typing import Any

from tests.standins.drchrono.clock import Clock

Record = dict[str, Any]


class Remembered:
    """Records by id, and for as long as lists are stale what was there before each change."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.elapsed_s = time.monotonic
        self.records: dict[Any, Record] = {}
        self.list_stale_s = 0.0
        self._past: dict[Any, list[tuple[float, Record | None]]] = {}

    def as_listed(self, record_id: Any) -> Record | None:
        """Gives the record as a list shows it: some seconds old, when so set."""
        if self.list_stale_s and (past := self._past.get(record_id)):
            horizon = self.elapsed_s() - self.list_stale_s
            for changed_at, before in past:
                if changed_at > horizon:
                    return before
        return self.records.get(record_id)

    def remove(self, record_id: Any) -> None:
        self._remember(record_id)
        del self.records[record_id]

    def _keep(self, record: Record) -> Record:
        self._remember(record["id"])
        self.records[record["id"]] = record
        return record

    def _remember(self, record_id: Any) -> None:
        if self.list_stale_s:
            now = self.elapsed_s()
            past = self._past.setdefault(record_id, [])
            past[:] = [entry for entry in past if entry[0] > now - self.list_stale_s]
            past.append((now, self.records.get(record_id)))
