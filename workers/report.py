"""Report: one wide log line per link at the end of its batch, and how long its deliveries took.

Ids, field names and numbers, never a value.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from ulid import ULID

from app.errors import SyncError
from app.log import log
from app.metrics.definitions import END_TO_END
from app.store.result import Result
from app.sync.mappings.table import EXTERNAL_ID
from app.sync.model import Side
from app.sync.pending_writes import came_back
from app.sync.plan import (
    Comparison,
    Create,
    Delete,
    Exclude,
    Follow,
    Hold,
    Incomplete,
    LinkTo,
    MergeContacts,
    Nothing,
    ReadyPlan,
    StayDismissed,
    Succeed,
    Wait,
    Write,
    planned_writes,
    refused_fields,
)
from workers.batch import Batch

PLAN_WORDS: Mapping[type[ReadyPlan], str] = {
    Nothing: "nothing",
    Incomplete: "nothing",
    Write: "write",
    Create: "create",
    Exclude: "exclude",
    Delete: "delete",
    LinkTo: "link",
    Succeed: "succeed",
    Follow: "follow",
    MergeContacts: "merge",
    Wait: "wait",
    Hold: "hold",
    StayDismissed: "stay_dismissed",
}  # what the log calls each kind of plan
_UNCHANGED = (Nothing, Incomplete, StayDismissed)


def report_batch(
    batch: Batch, plans: Mapping[str, ReadyPlan | SyncError], results: Sequence[Result], saved: AbstractSet[str]
) -> None:
    """Log how every look of a batch ended, one line each, and count how long its deliveries took."""
    for result in results:
        _log_outcome(batch, result, plans.get(result.due.link.id), is_saved=result.due.link.id in saved)
    _record_latency(batch, results, saved)


def _log_outcome(batch: Batch, result: Result, plan: ReadyPlan | SyncError | None, *, is_saved: bool) -> None:
    line = _line(batch, result) | _plan_fields(plan)
    compared = plan.compared if isinstance(plan, Write | Nothing) else Comparison()
    if is_saved and came_back(compared):
        sides = [side.value for side, names in compared.late.items() if names]
        fields = sorted(came_back(compared))
        log.warning("write.landed_late", **_line(batch, result), side=",".join(sides), fields=fields)
    if not is_saved:
        log.warning("lease.lost", **line)
    elif result.failure is not None:
        line |= {"cause": result.failure.cause, "fields": result.failure.fields}
        log.warning("record.held" if result.failure.is_held else "record.failed", **line)
    elif result.retry is not None:
        wait = round(result.retry.again_in / timedelta(seconds=1), 1)
        log.info("record.waits", **line, cause=result.retry.cause, retry_in_s=wait)
    else:
        if result.due.bodies:
            line["lag_s"] = round((batch.runtime.now() - result.due.bodies[0].received_at).total_seconds(), 3)
        if isinstance(plan, Exclude):
            gone = {"deleted_on": plan.deleted_on.value} if plan.deleted_on else {}
            log.info("record.excluded", **line, excluded_by=[one.value for one in sorted(plan.by)], **gone)
            return
        log.info("record.unchanged" if isinstance(plan, _UNCHANGED) else "record.synced", **line)


def _line(batch: Batch, result: Result) -> dict[str, Any]:
    link, bodies = result.due.link, result.due.bodies
    return {
        "kind": link.kind.value,
        "link_id": link.id,
        "record_id": link.drchrono_id or link.salesforce_id,
        "delivery_id": bodies[-1].delivery_id if bodies else None,
        "attempt": result.due.attempts + 1,
        "duration_ms": round((monotonic() - batch.started) * 1000),
    }


def _plan_fields(plan: ReadyPlan | SyncError | None) -> dict[str, Any]:
    if plan is None or isinstance(plan, SyncError):
        return {"plan": "none"}
    writes = planned_writes(plan)
    compared = plan.compared if isinstance(plan, Write | Nothing) else Comparison()
    names_chart = isinstance(plan, Write | Wait) and plan.writes_key
    names = {
        "changed": sorted(writes.get(Side.SALESFORCE, {})) + ([EXTERNAL_ID] if names_chart else []),
        "patched": sorted(writes.get(Side.DRCHRONO, {})),
        "conflicts": compared.conflicts,
        "put_backs": compared.put_backs,
        "refused": sorted(refused_fields(plan)),
    }
    return {"plan": PLAN_WORDS[type(plan)]} | {name: fields for name, fields in names.items() if fields}


def _record_latency(batch: Batch, results: Sequence[Result], saved: AbstractSet[str]) -> None:
    """Count every delivery that was used up; not those whose record failed, for of these nothing has arrived."""
    now = batch.runtime.now()
    for result in results:
        if result.due.link.id in saved and result.is_read and result.failure is None:
            for side, came_at in _arrivals(result):
                lasted_s = max((now - came_at).total_seconds(), 0.0)
                batch.runtime.counts.observe(END_TO_END, lasted_s, side)


def _arrivals(result: Result) -> list[tuple[Side, datetime]]:
    """Give who delivered and when; the rows of a list that we asked for ourselves were delivered by nobody."""
    bodies = [(Side.DRCHRONO, one.received_at) for one in result.due.bodies if not one.is_listed]
    return bodies + [(Side.SALESFORCE, ULID.from_str(id_).datetime) for id_, _ in result.due.notices]
