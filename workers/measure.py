"""Measure: how long it took from a delivery's arrival until what it told of was on both sides and recorded."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from ulid import ULID

from app.metrics.counted import END_TO_END
from app.store.endings import Result
from app.sync.records import Side
from workers.passes import Pass


def measure(work: Pass, endings: Sequence[Result], saved: AbstractSet[str]) -> None:
    """Count every delivery that was used up; not those whose record failed, for of these nothing has arrived."""
    now = work.run.now()
    for ending in endings:
        if ending.due.link.id in saved and ending.is_read and ending.failure is None:
            for side, came_at in _came(ending):
                lasted_s = max((now - came_at).total_seconds(), 0.0)
                work.run.counts.observe(END_TO_END, lasted_s, side)


def _came(ending: Result) -> list[tuple[Side, datetime]]:
    """Give who delivered and when; the rows of a list that we asked for ourselves were delivered by nobody."""
    bodies = [(Side.DRCHRONO, one.received_at) for one in ending.due.bodies if not one.is_listed]
    return bodies + [(Side.SALESFORCE, ULID.from_str(id_).datetime) for id_, _ in ending.due.notices]
