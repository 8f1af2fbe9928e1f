"""How one look ended, as the row that is to be saved: what the base becomes, what is finished, when to look again.

The base advances field by field, and only where both sides are known to hold the same; a field that was held or
refused keeps its old one.
"""

import random
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta

from app.errors import Gone, LeaseLost, Rejected, SyncError
from app.store.links import Due
from app.store.results import Failure, Result
from app.sync.belief import raised_floor
from app.sync.decide import REWRITTEN, with_landed
from app.sync.mapping import Table
from app.sync.records import Action, Lane, Link, Plan, Seen, Side, Sight
from app.sync.retry import Fate, Verdict, after, after_refusal, cause_of, paused_by
from app.vendors.salesforce.wire import RecordRefused
from workers.passes import Looked, Outcome, Pass, Written

_ASK_AGAIN = timedelta(minutes=1)


def ended(work: Pass, looked: Looked, plan: Plan | None, outcomes: Mapping[Side, Outcome]) -> Result:
    """Give what to save of one look; `outcomes`: what became of the writes to each side."""
    due, seen = looked.due, looked.seen
    if isinstance(seen, Rejected) and seen.side == Side.SALESFORCE:  # the batch was refused: a permission, the mapping
        return replace(_kept(due), again_in=_ASK_AGAIN, lane=Lane.RETRY, last_error=seen.cause)
    if isinstance(seen, SyncError):
        return _failed(work, _kept(due), seen, None)
    assert plan is not None
    result = replace(
        _kept(due),
        base=work.rules.advanced(due.link, with_landed(due.link, plan.landed).base, plan.agreed),
        salesforce_id=due.link.salesforce_id or (seen.salesforce.id if isinstance(seen.salesforce, Sight) else None),
        settled=dict.fromkeys(plan.landed, "confirmed") | dict.fromkeys(plan.lost, "refused"),
    )
    if plan.action is Action.WAIT:
        return _waits(work, result, plan)
    result = replace(result, unsettled=due.link.unsettled - _shown(work, due.link, seen))
    if plan.action is Action.LINK:
        assert isinstance(seen.salesforce, Sight)
        return replace(result, drchrono_id=seen.salesforce.key, again_in=timedelta(0))
    for side, outcome in outcomes.items():
        if isinstance(outcome, Written):
            result = _written(work, result, side, seen, outcome)
    was_asked = isinstance(seen.drchrono, Sight) and seen.drchrono.confirmed
    for side, outcome in outcomes.items():
        if isinstance(outcome, Gone) and not was_asked:  # it was there; DrChrono is asked before anybody is told so
            return replace(result, again_in=timedelta(0), confirm_at=work.taken.now, lane=Lane.CONFIRM)
        if isinstance(outcome, SyncError | RecordRefused):
            return _failed(work, result, outcome, seen, side)
    is_nobodys = due.link.drchrono_id is None
    return replace(_done(_read(result, seen), plan, work.rules.table, outcomes), is_nobodys=is_nobodys)


def _written(work: Pass, result: Result, side: Side, seen: Seen, written: Written) -> Result:
    """Give the result with what a side has taken; DrChrono has yet to show it."""
    agreed = dict(written.fields)
    if written.created and isinstance(seen.drchrono, Sight):
        agreed |= {name: None for name, value in seen.drchrono.fields.items() if value is None}
    result = replace(result, base=work.rules.advanced(result.due.link, result.base, agreed))
    if side is Side.DRCHRONO:
        return replace(result, unsettled=result.unsettled | written.fields.keys())
    return replace(result, salesforce_id=written.id)


def _kept(due: Due) -> Result:
    """Give a result that changes nothing."""
    link = due.link
    return Result(
        due,
        base=link.base,
        drchrono_id=link.drchrono_id,
        salesforce_id=link.salesforce_id,
        floor=link.floor,
        is_read=False,
        confirm_at=link.confirm_at,
        attempts=due.attempts,
        unsettled=link.unsettled,
    )


def _shown(work: Pass, link: Link, seen: Seen) -> AbstractSet[str]:
    """Give the fields of our earlier writes that DrChrono has shown by now: any value, where it was asked itself."""
    if not isinstance(seen.drchrono, Sight):
        return frozenset()
    shown = seen.drchrono.fields.keys() & link.unsettled
    return shown if seen.drchrono.confirmed else shown - work.rules.changed(link, seen.drchrono.fields)


def _read(result: Result, seen: Seen | None) -> Result:
    """Mark the deliveries as used up, and raise the floor to what was seen."""
    floor = result.floor
    if seen is not None and isinstance(seen.drchrono, Sight):
        floor = raised_floor(floor, seen.drchrono)
    return replace(result, is_read=True, floor=floor, confirm_at=None, attempts=0, last_error=None)


def _waits(work: Pass, result: Result, plan: Plan) -> Result:
    assert plan.until is not None
    return replace(
        result,
        again_in=max(plan.until - work.taken.now, timedelta(0)),
        confirm_at=result.confirm_at if plan.cause == "write_unsettled" else plan.until,
        lane=Lane.CONFIRM,
        last_error=plan.cause,
    )


def _done(result: Result, plan: Plan, table: Table, outcomes: Mapping[Side, Outcome]) -> Result:
    if plan.action is Action.HOLD:
        side = Side.DRCHRONO if plan.cause == "gone_in_drchrono" else Side.SALESFORCE
        return replace(result, failure=Failure(side, plan.cause, is_held=True), last_error=plan.cause)
    refused = dict(plan.refused)
    for outcome in outcomes.values():
        if isinstance(outcome, Written):
            refused |= outcome.without
    if plan.action is Action.CREATE and not outcomes and not refused:
        return replace(result, failure=Failure(Side.SALESFORCE, "nothing_to_create"), last_error="nothing_to_create")
    if not refused:
        return result
    cause = next(iter(refused.values()))
    rows = table.rows
    side = Side.DRCHRONO if Side.DRCHRONO in outcomes and Side.SALESFORCE not in outcomes else Side.SALESFORCE
    names = tuple(sorted(rows[name].names[side] for name, why in refused.items() if why == cause))
    return replace(result, failure=Failure(side, cause, names, is_held=cause in ("held", REWRITTEN)), last_error=cause)


def _failed(
    work: Pass, result: Result, error: SyncError | RecordRefused, seen: Seen | None, side: Side = Side.SALESFORCE
) -> Result:
    side = Side(getattr(error, "side", side))
    attempt, limit, jitter = result.attempts + 1, work.run.settings.attempt_limit, random.random()  # noqa: S311
    if isinstance(error, RecordRefused):
        cause, fields, verdict = error.code, error.fields, after_refusal(error.code, attempt, limit, jitter)
    else:
        (cause, fields), verdict = cause_of(error), after(error, attempt, limit, jitter)
    if isinstance(error, LeaseLost):  # its successor looks at once
        verdict = Verdict(Fate.RETRY)
    if verdict.fate is Fate.DEAD_LETTER:
        return replace(_read(result, seen), failure=Failure(side, cause, fields), last_error=cause)
    if verdict.fate is Fate.PAUSED:
        cause = paused_by(side)
    return replace(
        result,
        again_in=timedelta(seconds=verdict.in_s),
        lane=Lane.RETRY,
        attempts=attempt if verdict.spends else result.attempts,
        last_error=cause,
    )
