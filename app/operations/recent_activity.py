"""Recent activity: the last things that happened, whoever did them; ids and counts, never a name of a patient.

Writes of one sort that follow one another are one thing, so a burst leaves room for what people did.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.ports import Action
from app.runtime import Runtime
from app.store import activity, audit
from app.store.record_history import Happened
from app.sync.model import Kind, RecordRef, Side

_ON_THE_PAGE, _LOOKED_AT = 10, 60
_QUIET = {Action.LIST, Action.SEARCH, Action.SHOW, Action.PREVIEW, Action.ANCHOR, Action.CHECKPOINT}


@dataclass(frozen=True, slots=True)
class RecentWrite:
    """A side has taken a change of a record, the last of `times` of this sort in a row."""

    at: datetime
    side: Side
    call: str
    record: RecordRef
    times: int = 1


@dataclass(frozen=True, slots=True)
class RecentFailure:
    """A record began to fail, or to need a review."""

    at: datetime
    record: RecordRef
    cause: str
    is_held: bool


@dataclass(frozen=True, slots=True)
class RecentAct:
    """Somebody did something; `about`: to what, `records`: how many it touched."""

    at: datetime
    who: str
    action: Action
    about: str
    records: int


RecentEvent = RecentWrite | RecentFailure | RecentAct


async def recent_activity(runtime: Runtime) -> Sequence[RecentEvent]:
    """Give the last ten things that happened, newest first.

    Raises  StoreUnavailable
    """
    writes = [_write(row) for row in await activity.latest_writes(runtime.database, _LOOKED_AT)]
    failures = [_failure(row) for row in await activity.latest_failures(runtime.database, _ON_THE_PAGE)]
    acts = [_act(row) for row in await audit.latest_of(runtime.database, {*Action} - _QUIET, _ON_THE_PAGE)]
    found: list[RecentEvent] = []
    every: list[RecentEvent] = [*writes, *failures, *acts]
    for one in sorted(every, key=lambda one: one.at, reverse=True):
        last = found[-1] if found else None
        if isinstance(one, RecentWrite) and isinstance(last, RecentWrite) and _sort_of(one) == _sort_of(last):
            found[-1] = replace(last, times=last.times + 1)
        else:
            found.append(one)
    return found[:_ON_THE_PAGE]


def _sort_of(one: RecentWrite) -> tuple[Side, str, Kind]:
    return one.side, one.call, one.record.kind


def _write(row: Any) -> RecentWrite:
    return RecentWrite(row.at, Side(row.side), row.call, _ref(row))


def _failure(row: Any) -> RecentFailure:
    return RecentFailure(row.at, _ref(row), row.cause, row.what == Happened.HELD)


def _ref(row: Any) -> RecordRef:
    side = Side.DRCHRONO if row.drchrono_id else Side.SALESFORCE
    return RecordRef(side, Kind(row.kind), row.drchrono_id or row.salesforce_id or "")


def _act(row: Any) -> RecentAct:
    return RecentAct(row.at, row.name or row.role, Action(row.action), row.about, row.records)
