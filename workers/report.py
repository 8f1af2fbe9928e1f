"""Report: one wide log line per link at the end of its batch, and how long its deliveries took.

Ids, field names and numbers, never a value.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from ulid import ULID

from app.log import log
from app.metrics.definitions import END_TO_END
from app.store.result import Result
from app.sync.mappings.table import EXTERNAL_ID
from app.sync.model import Plan, PlanKind, Side
from workers.batch import Batch


def log_outcome(batch: Batch, result: Result, plan: Plan | None, *, is_saved: bool) -> None:
    """Log how one look ended."""
    line = _line(batch, result) | (_plan_fields(plan) if plan else {"plan": "none"})
    if not is_saved:
        log.warning("lease.lost", **line)
    elif result.failure is not None:
        line |= {"cause": result.failure.cause, "fields": result.failure.fields}
        log.warning("record.held" if result.failure.is_held else "record.failed", **line)
    elif result.again_in is not None:
        wait = round(result.again_in / timedelta(seconds=1), 1)
        log.info("record.waits", **line, cause=result.last_error, retry_in_s=wait)
    else:
        if result.due.bodies:
            line["lag_s"] = round((batch.runtime.now() - result.due.bodies[0].received_at).total_seconds(), 3)
        log.info("record.unchanged" if plan and plan.action is PlanKind.NOTHING else "record.synced", **line)


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


def _plan_fields(plan: Plan) -> dict[str, Any]:
    names = {
        "changed": sorted(plan.writes.get(Side.SALESFORCE, {})) + ([EXTERNAL_ID] if plan.writes_key else []),
        "patched": sorted(plan.writes.get(Side.DRCHRONO, {})),
        "conflicts": plan.conflicts,
        "put_backs": plan.put_backs,
        "refused": sorted(plan.refused),
    }
    return {"plan": plan.action.value} | {name: fields for name, fields in names.items() if fields}


def record_latency(batch: Batch, endings: Sequence[Result], saved: AbstractSet[str]) -> None:
    """Count every delivery that was used up; not those whose record failed, for of these nothing has arrived."""
    now = batch.runtime.now()
    for ending in endings:
        if ending.due.link.id in saved and ending.is_read and ending.failure is None:
            for side, came_at in _arrivals(ending):
                lasted_s = max((now - came_at).total_seconds(), 0.0)
                batch.runtime.counts.observe(END_TO_END, lasted_s, side)


def _arrivals(ending: Result) -> list[tuple[Side, datetime]]:
    """Give who delivered and when; the rows of a list that we asked for ourselves were delivered by nobody."""
    bodies = [(Side.DRCHRONO, one.received_at) for one in ending.due.bodies if not one.is_listed]
    return bodies + [(Side.SALESFORCE, ULID.from_str(id_).datetime) for id_, _ in ending.due.notices]
