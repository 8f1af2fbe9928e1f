"""Outcomes that failed: links that did not end in agreement, and what is done about it.

One waits for a moment that is known, one is tried again later, one is left to a person, with the cause and the fields
as the side calls them where it is to be mended.
"""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from app.errors import IdRefused, LeaseLost, OutcomeUnknown, Rejected, SyncError
from app.ports import SealedColumn
from app.store.result import Effects, Failure, Result, Retry
from app.store.work_queue import Due
from app.sync.create import salesforce_names
from app.sync.dismissals import shown_by
from app.sync.failure_causes import (
    BUSY,
    CIRCUIT_OPEN,
    MISSING,
    NO_PARENT,
    NOTHING_TO_CREATE,
    UNANSWERED,
    UNSETTLED,
    WRITE_UNSETTLED,
    cause_of,
    look_up,
    paused_by,
)
from app.sync.mappings.table import Table
from app.sync.model import Absent, Lane, Link, Seen, Side, Snapshot
from app.sync.plan import Create, Exclude, Hold, Incomplete, Nothing, ReadyPlan, Wait, Write, refused_fields
from app.sync.retry import Fate, RetryDecision, after, after_refusal
from app.sync.trust import raise_seen_up_to
from app.sync.vendor_messages import values_of, without_values
from app.vendors.salesforce.wire import RecordRefused
from workers.batch import Batch, Observed, WriteAnswer, Written

_NO_QUESTIONS = (WRITE_UNSETTLED, NO_PARENT, BUSY, UNSETTLED)  # it waits, but not to ask DrChrono about one record
_ASK_AGAIN = timedelta(minutes=1)


def not_read(batch: Batch, due: Due, error: SyncError, seen: Seen | None = None) -> Result:
    """Give the result of a link whose sides could not be seen, or of which nothing could be matched.

    seen  what both sides hold of a document whose bytes may not travel: while they hold it, they are not read again
    """
    kept = Result(due, due.link, attempts=due.attempts)
    # refused whoever it is about: a permission, the mapping
    if isinstance(error, Rejected) and not isinstance(error, IdRefused) and error.side == Side.SALESFORCE:
        return replace(kept, retry=Retry(_ASK_AGAIN, Lane.RETRY, error.cause))
    return failed(batch, kept, error, seen)


def waiting(batch: Batch, read: Result, plan: Wait) -> Result:
    """Give the result of a look that waits, until when the plan says; one that waited too often is left to a person."""
    is_lost = plan.cause == UNSETTLED and bool(plan.settled.lost)
    if is_lost and read.attempts >= batch.runtime.settings.attempt_limit:
        side = Side.DRCHRONO if read.link.drchrono_id is None else Side.SALESFORCE  # of a document, an upload to it
        return _dead_letter(read, None, Failure(side, UNANSWERED))
    asks = plan.cause not in _NO_QUESTIONS
    return replace(
        read,
        link=replace(read.link, confirm_due_at=plan.until) if asks else read.link,
        retry=Retry(
            max(plan.until - batch.leased.now, timedelta(0)),
            Lane.LIVE if plan.awaits else Lane.CONFIRM,
            plan.cause,
        ),
        effects=Effects(plan.awaits),
    )


def failure_after(
    batch: Batch, observed: Observed, plan: ReadyPlan, answers: Mapping[Side, WriteAnswer]
) -> Failure | None:
    """Give what a person has to mend after a look, with what a side said of it; None where there is nothing."""
    failure = failure_of(plan, batch.rules.table, answers)
    for answer in answers.values():
        if failure and isinstance(answer, Written) and failure.cause == next(iter(answer.without.values()), None):
            seen = observed.seen if isinstance(observed.seen, Seen) else None
            return replace(failure, message=sealed_message(batch, observed.link, answer.message, seen))
    return failure


def failure_of(plan: ReadyPlan, table: Table, answers: Mapping[Side, WriteAnswer]) -> Failure | None:
    """Give what is held, missing or refused; None where nothing is."""
    if isinstance(plan, Hold):
        return Failure(look_up(plan.cause).side, plan.cause, is_held=True)
    if isinstance(plan, Incomplete) and plan.missing:
        return Failure(Side.SALESFORCE, MISSING, plan.missing)
    refused, flags = dict(refused_fields(plan)), flags_of(plan)
    for answer in answers.values():
        if isinstance(answer, Written):
            refused |= answer.without
    if isinstance(plan, Create) and not answers and not refused:
        return Failure(Side.SALESFORCE, NOTHING_TO_CREATE)
    if not refused and flags:
        names = tuple(sorted(table.rows[name].shown(Side.DRCHRONO) for name in flags))
        return Failure(Side.DRCHRONO, next(iter(flags.values())), names)
    if not refused:
        return None
    cause = next(iter(refused.values()))
    is_drchronos = Side.DRCHRONO in answers and Side.SALESFORCE not in answers and not isinstance(plan, Create)
    side = Side.DRCHRONO if is_drchronos else Side.SALESFORCE
    names = tuple(sorted(table.name_of(name, side) for name, why in refused.items() if why == cause))
    return Failure(side, cause, names, is_held=look_up(cause).is_held)


def sealed_message(batch: Batch, link: Link, message: str, seen: Seen | None) -> str | None:
    """Give, sealed, what a side says of a link, with what either side holds of it struck out; None for nothing said."""
    sides = () if seen is None else (seen.drchrono, seen.salesforce)
    values = values_of(*(one.fields for one in sides if isinstance(one, Snapshot)))
    text = without_values(message, values)
    return batch.runtime.vault.seal(text, SealedColumn.FAILURE_MESSAGE.of(link.id)) if text else None


def flags_of(plan: ReadyPlan) -> Mapping[str, str]:
    """Give field -> what a change of clocks did to it on its way, of what a plan writes."""
    match plan:
        case Nothing() | Write():
            return plan.compared.flags
        case Create() | Incomplete():
            return plan.flags
        case _:
            return {}


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
        message = sealed_message(batch, result.due.link, getattr(error, "message", ""), seen)
        return _dead_letter(result, seen, Failure(side, cause, fields, look_up(cause).is_held, message))
    if verdict.fate is Fate.PAUSED:
        cause = paused_by(side)
    spent = 0 if cause == CIRCUIT_OPEN else result.attempts  # what the vendor's own failing has cost is given back
    return replace(
        result,
        retry=Retry(timedelta(seconds=verdict.in_s), Lane.RETRY, cause),
        attempts=attempt if verdict.spends else spent,
    )


def not_created(batch: Batch, result: Result, error: SyncError | RecordRefused, seen: Seen) -> Result:
    """Give the result of a create in DrChrono that failed; one that may have happened is looked for, never given up."""
    if isinstance(error, OutcomeUnknown):
        retry = Retry(batch.rules.confirm_after, Lane.CONFIRM, error.cause[:64])
        return replace(result, retry=retry, attempts=result.attempts + 1)
    if isinstance(error, RecordRefused):  # whoever mends it does so in Salesforce
        error = replace(error, fields=salesforce_names(batch.rules.table, error.fields))
    return failed(batch, result, error, seen)


def _dead_letter(result: Result, seen: Seen | None, failure: Failure) -> Result:
    """Give the result of what is left to a person: it is tried no more, and what was read is used up."""
    return replace(result, link=taken_in(result, seen), is_read=True, attempts=0, retry=None, failure=failure)


def with_shown(batch: Batch, observed: Observed, result: Result, answers: Mapping[Side, WriteAnswer]) -> Result:
    """Give a result that fails, may be held as it is saved, or stays dismissed, with what both sides show by now."""
    before, now = observed.link, result.link
    is_claim = any(now.id_on(side) != before.id_on(side) for side in Side)
    if not isinstance(observed.seen, Seen) or not (result.failure or result.is_dismissed or is_claim):
        return result
    written = {side: one.fields for side, one in answers.items() if isinstance(one, Written)}
    return replace(result, shown=shown_by(batch.rules, before, observed.seen, written))


def taken_in(result: Result, seen: Seen | None, plan: ReadyPlan | None = None) -> Link:
    """Give the link once what was read is used up: `seen_up_to` is raised to it, and no question is promised.

    A record that was seen is in the set that is synced from now on, unless the plan says that it is out.
    """
    link = result.link
    if seen is not None:
        link = replace(link, excluded_by=plan.by if isinstance(plan, Exclude) else frozenset())
    floor = link.seen_up_to
    if seen is not None and isinstance(seen.drchrono, Snapshot):
        floor = raise_seen_up_to(floor, seen.drchrono)
    elif seen is not None and seen.drchrono is Absent.ABSENT:  # what was sent before it went says nothing any more
        floor = max([floor, *(body.version for body in result.due.bodies)])
    return replace(link, seen_up_to=floor, confirm_due_at=None)
