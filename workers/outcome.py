"""How one look ended, as the row that is to be saved: what the base becomes, what is finished, when to look again.

The base advances field by field, and only where both sides are known to hold the same; a field that was held or
refused keeps its old one.
"""

import random
from dataclasses import replace
from datetime import datetime, timedelta

from app.errors import LeaseLost, Rejected, SyncError
from app.runtime import Runtime
from app.store.links import Due, Failure, Result
from app.sync.belief import raised_floor
from app.sync.mapping import Table
from app.sync.records import Action, Lane, Plan, Seen, Side, Sight
from app.sync.retry import Fate, Verdict, after, after_refusal, cause_of
from app.vendors.salesforce.wire import RecordRefused
from workers.write import Outcome, Written

_ASK_AGAIN = timedelta(minutes=1)


def ended(
    run: Runtime,
    table: Table,
    due: Due,
    seen: Seen | SyncError,
    plan: Plan | None,
    outcome: Outcome | None,
    *,
    now: datetime,
) -> Result:
    """Give what to save of one look."""
    if isinstance(seen, SyncError):
        return _after_error(run, due, seen)
    assert plan is not None
    settled = dict.fromkeys(plan.landed, "confirmed") | dict.fromkeys(plan.lost, "refused")
    kept = Result(
        due,
        base=table.base(run.keys, due.link.id, due.link.base, plan.agreed),
        salesforce_id=_salesforce_id(due, seen),
        floor=due.link.floor,
        is_read=False,
        confirm_at=due.link.confirm_at,
        attempts=due.attempts,
        settled=settled,
    )
    if plan.action is Action.WAIT:
        return _waits(now, kept, plan)
    if isinstance(outcome, SyncError | RecordRefused):
        return _after_failure(run, kept, outcome, seen)
    read = _read(kept, seen)
    if plan.action is Action.HOLD:
        side = Side.DRCHRONO if plan.cause == "gone_in_drchrono" else Side.SALESFORCE
        return replace(read, failure=Failure(side, plan.cause, is_held=True), last_error=plan.cause)
    refused = dict(plan.refused)
    if isinstance(outcome, Written):
        agreed = dict(outcome.fields)
        if outcome.created and isinstance(seen.drchrono, Sight):
            agreed |= {name: None for name, value in seen.drchrono.fields.items() if value is None}
        base = table.base(run.keys, due.link.id, read.base, agreed)
        read = replace(read, base=base, salesforce_id=outcome.id)
        refused |= outcome.without
    if refused:
        cause = next(iter(refused.values()))
        names = tuple(sorted(name for name, why in refused.items() if why == cause))
        failure = Failure(Side.SALESFORCE, cause, names, is_held=cause == "held")
        return replace(read, failure=failure, last_error=cause)
    return read


def _salesforce_id(due: Due, seen: Seen) -> str | None:
    """Give the link's Contact: the linked one, or the one that bears our external id."""
    return due.link.salesforce_id or (seen.salesforce.id if isinstance(seen.salesforce, Sight) else None)


def _read(result: Result, seen: Seen) -> Result:
    """Mark the deliveries as used up and raise the floor to what was seen."""
    floor = raised_floor(result.floor, seen.drchrono) if isinstance(seen.drchrono, Sight) else result.floor
    return replace(result, is_read=True, floor=floor, confirm_at=None, attempts=0, last_error=None)


def _waits(now: datetime, result: Result, plan: Plan) -> Result:
    assert plan.until is not None
    is_doubt = plan.cause != "write_unsettled"
    return replace(
        result,
        again_in=max(plan.until - now, timedelta(0)),
        confirm_at=plan.until if is_doubt else result.confirm_at,
        lane=Lane.CONFIRM,
        last_error=plan.cause,
    )


def _after_error(run: Runtime, due: Due, error: SyncError) -> Result:
    link = due.link
    kept = Result(
        due,
        base=link.base,
        salesforce_id=link.salesforce_id,
        floor=link.floor,
        is_read=False,
        confirm_at=link.confirm_at,
        attempts=due.attempts,
    )
    if isinstance(error, Rejected):  # a refused question is about the mapping or a permission, not about this record
        return replace(kept, again_in=_ASK_AGAIN, lane=Lane.RETRY, last_error=error.cause)
    return _after_failure(run, kept, error, None)


def _after_failure(run: Runtime, result: Result, error: SyncError | RecordRefused, seen: Seen | None) -> Result:
    attempt, limit, jitter = result.attempts + 1, run.settings.attempt_limit, random.random()  # noqa: S311
    if isinstance(error, RecordRefused):
        cause, fields = error.code, error.fields
        verdict = after_refusal(error.code, attempt, limit, jitter)
    else:
        (cause, fields), verdict = cause_of(error), after(error, attempt, limit, jitter)
    if isinstance(error, LeaseLost):
        verdict = Verdict(Fate.RETRY)
    if verdict.fate is Fate.DEAD_LETTER:
        side = Side(getattr(error, "side", Side.SALESFORCE))
        read = _read(result, seen) if seen else replace(result, is_read=True, attempts=0, confirm_at=None)
        return replace(read, failure=Failure(side, cause, fields), last_error=cause)
    return replace(
        result,
        again_in=timedelta(seconds=verdict.in_s),
        lane=Lane.RETRY,
        attempts=attempt if verdict.spends else result.attempts,
        last_error=cause,
    )
