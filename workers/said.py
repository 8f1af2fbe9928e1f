"""One wide line per look, at its end, named in the past tense; ids, field names and numbers, never a value."""

from datetime import timedelta
from time import monotonic
from typing import Any

from app.log import log
from app.store.endings import Result
from app.sync.mapping import EXTERNAL_ID
from app.sync.records import Action, Plan, Side
from workers.passes import Pass


def say(work: Pass, result: Result, plan: Plan | None, *, is_saved: bool) -> None:
    """Log how one look ended."""
    line = _line(work, result) | (_planned(plan) if plan else {"plan": "none"})
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
            line["lag_s"] = round((work.run.now() - result.due.bodies[0].received_at).total_seconds(), 3)
        log.info("record.unchanged" if plan and plan.action is Action.NOTHING else "record.synced", **line)


def _line(work: Pass, result: Result) -> dict[str, Any]:
    link, bodies = result.due.link, result.due.bodies
    return {
        "kind": link.kind.value,
        "link_id": link.id,
        "record_id": link.drchrono_id or link.salesforce_id,
        "delivery_id": bodies[-1].delivery_id if bodies else None,
        "attempt": result.due.attempts + 1,
        "duration_ms": round((monotonic() - work.started) * 1000),
    }


def _planned(plan: Plan) -> dict[str, Any]:
    names = {
        "changed": sorted(plan.writes.get(Side.SALESFORCE, {})) + ([EXTERNAL_ID] if plan.writes_key else []),
        "patched": sorted(plan.writes.get(Side.DRCHRONO, {})),
        "conflicts": plan.conflicts,
        "put_backs": plan.put_backs,
        "refused": sorted(plan.refused),
    }
    return {"plan": plan.action.value} | {name: fields for name, fields in names.items() if fields}
