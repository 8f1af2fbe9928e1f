"""Unfinished: looks that did not end in agreement, and what is done about it.

One waits for a moment that is known, one is tried again later, one is left to a person, with the cause and the fields
as the side calls them where it is to be mended.
"""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from app.errors import LeaseLost, OutcomeUnknown, SyncError
from app.store.result import Failure, Result
from app.sync.create import BUSY, MISSING, SEVERAL, UNANSWERED, UNSETTLED, salesforce_names
from app.sync.decide import NO_PARENT, WRITE_UNSETTLED
from app.sync.deletions import GONE_IN_DRCHRONO
from app.sync.failure_causes import CIRCUIT_OPEN, cause_of, paused_by
from app.sync.loop_guard import REWRITTEN
from app.sync.mappings.table import Table
from app.sync.model import Absent, Lane, Seen, Side, Snapshot
from app.sync.plan import Create, Hold, Incomplete, Nothing, Plan, Wait, Write, refused_fields
from app.sync.retry import Fate, RetryDecision, after, after_refusal
from app.sync.trust import raise_seen_up_to
from app.vendors.drchrono.client import TWIN_CODE
from app.vendors.salesforce.wire import RecordRefused
from workers.batch import Batch, Outcome, Written

_NO_QUESTIONS = (WRITE_UNSETTLED, NO_PARENT, BUSY, UNSETTLED)  # it waits, but not to ask DrChrono about one record
_IN_DRCHRONO = (GONE_IN_DRCHRONO, SEVERAL[Side.DRCHRONO])  # where a person is to look
_HELD = ("held", REWRITTEN, TWIN_CODE)


def waiting(batch: Batch, result: Result, plan: Wait) -> Result:
    """Give the result of a look that waits, until when the plan says; one that waited too often is left to a person."""
    if plan.cause == UNSETTLED and plan.settled.lost and result.attempts >= batch.runtime.settings.attempt_limit:
        return replace(used_up(result, None), failure=Failure(Side.DRCHRONO, UNANSWERED), last_error=UNANSWERED)
    return replace(
        result,
        again_in=max(plan.until - batch.leased.now, timedelta(0)),
        confirm_due_at=result.confirm_due_at if plan.cause in _NO_QUESTIONS else plan.until,
        lane=Lane.LIVE if plan.awaits else Lane.CONFIRM,
        last_error=plan.cause,
        awaits=plan.awaits,
    )


def flags_of(plan: Plan) -> Mapping[str, str]:
    """Give field -> what a change of clocks did to it on its way, of what a plan writes."""
    match plan:
        case Nothing() | Write():
            return plan.compared.flags
        case Create() | Incomplete():
            return plan.flags
        case _:
            return {}


def left_to_person(result: Result, plan: Plan, table: Table, outcomes: Mapping[Side, Outcome]) -> Result:
    """Give the result with the failure a person has to mend: what is held, missing or refused; as it is without one."""
    if isinstance(plan, Hold):
        side = Side.DRCHRONO if plan.cause in _IN_DRCHRONO else Side.SALESFORCE
        return replace(result, failure=Failure(side, plan.cause, is_held=True), last_error=plan.cause)
    if isinstance(plan, Incomplete) and plan.missing:
        return replace(result, failure=Failure(Side.SALESFORCE, MISSING, plan.missing), last_error=MISSING)
    refused, flags = dict(refused_fields(plan)), flags_of(plan)
    for outcome in outcomes.values():
        if isinstance(outcome, Written):
            refused |= outcome.without
    if isinstance(plan, Create) and not outcomes and not refused:
        return replace(result, failure=Failure(Side.SALESFORCE, "nothing_to_create"), last_error="nothing_to_create")
    if not refused and flags:
        cause = next(iter(flags.values()))
        names = tuple(sorted(table.rows[name].shown(Side.DRCHRONO) for name in flags))
        return replace(result, failure=Failure(Side.DRCHRONO, cause, names), last_error=cause)
    if not refused:
        return result
    cause = next(iter(refused.values()))
    is_drchronos = Side.DRCHRONO in outcomes and Side.SALESFORCE not in outcomes and not isinstance(plan, Create)
    side = Side.DRCHRONO if is_drchronos else Side.SALESFORCE
    names = tuple(sorted(table.name_of(name, side) for name, why in refused.items() if why == cause))
    return replace(result, failure=Failure(side, cause, names, is_held=cause in _HELD), last_error=cause)


def failed(
    batch: Batch, result: Result, error: SyncError | RecordRefused, seen: Seen | None, side: Side = Side.SALESFORCE
) -> Result:
    """Give the result of a look or a write that failed: tried again later, or left to a person when that is no use.

    side  where the failure is, unless the error itself says so
    """
    side = Side(getattr(error, "side", side))
    attempt, limit, jitter = result.attempts + 1, batch.runtime.settings.attempt_limit, random.random()  # noqa: S311
    if isinstance(error, RecordRefused):
        cause, fields, verdict = error.code, error.fields, after_refusal(error.code, attempt, limit, jitter)
    else:
        (cause, fields), verdict = cause_of(error), after(error, attempt, limit, jitter)
    if isinstance(error, LeaseLost):  # its successor looks at once
        verdict = RetryDecision(Fate.RETRY)
    if verdict.fate is Fate.DEAD_LETTER:
        failure = Failure(side, cause, fields, is_held=cause in _HELD)
        return replace(used_up(result, seen), failure=failure, last_error=cause)
    if verdict.fate is Fate.PAUSED:
        cause = paused_by(side)
    spent = 0 if cause == CIRCUIT_OPEN else result.attempts  # what the vendor's own failing has cost is given back
    return replace(
        result,
        again_in=timedelta(seconds=verdict.in_s),
        lane=Lane.RETRY,
        attempts=attempt if verdict.spends else spent,
        last_error=cause,
    )


def not_created(batch: Batch, result: Result, error: SyncError | RecordRefused, seen: Seen) -> Result:
    """Give the result of a create in DrChrono that failed; one that may have happened is looked for, never given up."""
    if isinstance(error, OutcomeUnknown):
        again_in, attempts = batch.rules.confirm_after, result.attempts + 1
        return replace(result, again_in=again_in, lane=Lane.CONFIRM, attempts=attempts, last_error=error.cause[:64])
    if isinstance(error, RecordRefused):  # whoever mends it does so in Salesforce
        error = RecordRefused(error.code, salesforce_names(batch.rules.table, error.fields))
    return failed(batch, result, error, seen)


def used_up(result: Result, seen: Seen | None) -> Result:
    """Mark the deliveries as used up, and raise the floor to what was seen."""
    floor = result.seen_up_to
    if seen is not None and isinstance(seen.drchrono, Snapshot):
        floor = raise_seen_up_to(floor, seen.drchrono)
    elif seen is not None and seen.drchrono is Absent.ABSENT:  # what was sent before it went says nothing any more
        floor = max([floor, *(body.version for body in result.due.bodies)])
    return replace(result, is_read=True, seen_up_to=floor, confirm_due_at=None, attempts=0, last_error=None)
