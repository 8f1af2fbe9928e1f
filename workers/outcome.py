"""How one look ended, as the row that is to be saved: what the base becomes, what is finished, when to look again.

The base advances field by field, and only where both sides are known to hold the same; a field that was held or
refused keeps its old one.
"""

import random
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta

from app.errors import Gone, LeaseLost, OutcomeUnknown, Rejected, SyncError
from app.store.links import Due
from app.store.results import Failure, Result
from app.sync.base import Base
from app.sync.belief import raised_floor
from app.sync.decide import REWRITTEN, with_landed
from app.sync.first_contact import BUSY, MISSING, SEVERAL, UNANSWERED, UNSETTLED, salesforce_names
from app.sync.mapping import Table
from app.sync.matching import fingerprints
from app.sync.parents import NO_PARENT
from app.sync.records import Absent, Action, Deleted, Kind, Lane, Link, Plan, Seen, Side, Sight
from app.sync.retry import Fate, Verdict, after, after_refusal, cause_of, paused_by
from app.sync.rules import Rules
from app.vendors.drchrono.client import TWIN_CODE
from app.vendors.salesforce.wire import RecordRefused
from workers.passes import Looked, Outcome, Pass, Written
from workers.visits import BREAK, VIRTUAL

_ASK_AGAIN = timedelta(minutes=1)
_NO_QUESTIONS = ("write_unsettled", NO_PARENT, BUSY, UNSETTLED)  # it waits, but not to ask DrChrono about one record
_IN_DRCHRONO = ("gone_in_drchrono", SEVERAL[Side.DRCHRONO])  # where a person is to look
_HELD = ("held", REWRITTEN, TWIN_CODE)


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
        searched=plan.searched,
        series=(seen.drchrono.series or None) if isinstance(seen.drchrono, Sight) else None,
        person=_person(work.rules, due.link, seen),
    )
    if plan.action is Action.WAIT:
        return _waits(work, result, plan)
    result = replace(result, unsettled=due.link.unsettled - _shown(work, due.link, seen))
    if plan.action in (Action.LINK, Action.FOLLOW, Action.SUCCEED):
        return _joined(work, result, seen, plan)
    for side, outcome in outcomes.items():
        if isinstance(outcome, Written):
            result = _written(work, result, side, seen, outcome)
    if plan.action is Action.DELETE and isinstance(outcomes.get(Side.SALESFORCE), Written):
        tombstone = {work.rules.table.tombstone: "true"} if work.rules.table.tombstone else {}
        result = replace(result, base=work.rules.advanced(due.link, result.base, tombstone))
    if (failed := _unwritten(work, result, seen, plan, outcomes)) is not None:
        return failed
    done = _done(_read(result, seen), plan, work.rules.table, outcomes)
    is_lone = due.link.drchrono_id is None and plan.action is Action.NOTHING and done.failure is None
    is_nobodys = is_lone or plan.cause in (BREAK, VIRTUAL)
    return replace(
        done, is_nobodys=is_nobodys, awaits=plan.awaits, zone=_zone(work, seen), counts=_counts(work, looked, plan)
    )


def _unwritten(work: Pass, result: Result, seen: Seen, plan: Plan, outcomes: Mapping[Side, Outcome]) -> Result | None:
    """Give the result of a write that did not succeed; None where all did."""
    was_asked = isinstance(seen.drchrono, Sight) and seen.drchrono.confirmed
    for side, outcome in outcomes.items():
        if isinstance(outcome, Written):
            continue
        if side is Side.DRCHRONO and plan.action is Action.CREATE:
            return _not_created(work, result, outcome, seen)
        if isinstance(outcome, Gone) and not was_asked:  # it was there; DrChrono is asked before anybody is told so
            return replace(result, again_in=timedelta(0), confirm_at=work.taken.now, lane=Lane.CONFIRM)
        return _failed(work, result, outcome, seen, side)
    return None


def _person(rules: Rules, link: Link, seen: Seen) -> str | None:
    """Give who it is, as our index knows people; DrChrono's word goes first, for it owns the name.

    Who a create was sent for stays until it is known what became of it.
    """
    if link.drchrono_id is None and any(write.side is Side.DRCHRONO for write in link.own_writes):
        return None
    sights = [sight for sight in (seen.drchrono, seen.salesforce) if isinstance(sight, Sight)]
    return next((found[0] for sight in sights if (found := fingerprints(rules.keys, rules.table, sight.fields))), None)


def _joined(work: Pass, result: Result, seen: Seen, plan: Plan) -> Result:
    """Give the result of a ref that turned out to be another record, or another's; that one is looked at next."""
    if plan.action is Action.SUCCEED:
        return replace(result, succeeds=plan.twin, again_in=timedelta(0))
    return (
        _follows(work.rules, result, seen.salesforce)
        if plan.action is Action.FOLLOW
        else _linked(work, result, seen, plan)
    )


def _linked(work: Pass, result: Result, seen: Seen, plan: Plan) -> Result:
    """Give the result of a link to a record that is there; DrChrono is asked what it holds before anything is written.

    A Contact that names its chart has been looked at by that name; its chart's body may do.
    """
    link = result.due.link
    is_named = isinstance(seen.salesforce, Sight) and seen.salesforce.key == plan.twin
    confirm_at = result.confirm_at if is_named else work.taken.now
    result = replace(result, again_in=timedelta(0), confirm_at=confirm_at)
    is_chart = link.drchrono_id is not None
    return replace(result, salesforce_id=plan.twin) if is_chart else replace(result, drchrono_id=plan.twin)


def _not_created(work: Pass, result: Result, error: SyncError | RecordRefused, seen: Seen) -> Result:
    """Give the result of a create in DrChrono that failed; one that may have happened is looked for, never given up."""
    if isinstance(error, OutcomeUnknown):
        again_in, attempts = work.rules.confirm_after, result.attempts + 1
        return replace(result, again_in=again_in, lane=Lane.CONFIRM, attempts=attempts, last_error=error.cause[:64])
    if isinstance(error, RecordRefused):  # whoever mends it does so in Salesforce
        error = RecordRefused(error.code, salesforce_names(work.rules.table, error.fields))
    return _failed(work, result, error, seen)


def _follows(rules: Rules, result: Result, salesforce: Sight | Absent | Deleted) -> Result:
    """Give a link the Contact that its own was merged into; that one is looked at next.

    Where the winner holds what was agreed on, that stays so, and an edit of DrChrono's that waits lands on it. In the
    rest the two meet for the first time: its owner decides, and an empty field is filled.
    """
    assert isinstance(salesforce, Deleted)
    assert salesforce.master is not None
    master = salesforce.master
    link, held = result.due.link, result.base.stamps
    shared = {name: stamp for name, stamp in held.items() if rules.matches(link, name, stamp, master.fields.get(name))}
    base = Base(shared)
    return replace(result, salesforce_id=master.id, base=base, again_in=timedelta(0))


def _zone(work: Pass, seen: Seen) -> str:
    """Give a doctor's zone, where DrChrono has shown the doctor."""
    row = next((row for row in work.rules.table.rows.values() if row.names[Side.DRCHRONO] == "timezone"), None)
    if work.rules.table.kind is not Kind.DOCTOR or row is None or not isinstance(seen.drchrono, Sight):
        return ""
    return seen.drchrono.fields.get(row.name) or ""


def _counts(work: Pass, looked: Looked, plan: Plan) -> tuple[str, ...]:
    """Give what is counted of a look, by name."""
    kind = work.rules.table.kind
    skipped = [f"skipped_{plan.cause}"] if plan.action is Action.NOTHING and plan.cause else []
    return (
        *skipped,
        *(["contradicted_delivery"] if looked.is_contradicted else []),
        *(f"put_back_{kind}" for _ in plan.put_backs),
        *(f"conflict_{kind}" for _ in plan.conflicts),
        *(f"{flag}_{kind}" for flag in plan.flags.values()),
    )


def stirred(work: Pass, endings: Sequence[Result]) -> set[Kind]:
    """Give the kinds of which something is due because of how looks ended."""
    awaited = {ref.kind for one in endings for ref in one.awaits}
    has_come = any(one.has_come for one in endings)
    mine = work.rules.table.kind
    children = {kind for kind, table in work.run.mappings.items() if mine in table.parents.values()}
    return awaited | ({mine} if awaited else set()) | (children if has_come else set())


def _written(work: Pass, result: Result, side: Side, seen: Seen, written: Written) -> Result:
    """Give the result with what a side has taken; DrChrono has yet to show it."""
    agreed = dict(written.fields)
    here = seen.salesforce if side is Side.DRCHRONO else seen.drchrono
    if written.created and isinstance(here, Sight):
        there = written.shown.fields if written.shown is not None else dict.fromkeys(here.fields)
        agreed |= {name: None for name, value in here.fields.items() if value is None and there.get(name) is None}
    result = replace(result, base=work.rules.advanced(result.due.link, result.base, agreed))
    if written.shown is not None:
        result = replace(result, drchrono_id=written.id, again_in=timedelta(0))  # the next look has the Contact name it
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
    elif seen is not None and seen.drchrono is Absent.ABSENT:  # what was sent before it went says nothing any more
        floor = max([floor, *(body.version for body in result.due.bodies)])
    return replace(result, is_read=True, floor=floor, confirm_at=None, attempts=0, last_error=None)


def _waits(work: Pass, result: Result, plan: Plan) -> Result:
    assert plan.until is not None
    if plan.cause == UNSETTLED and plan.lost and result.attempts >= work.run.settings.attempt_limit:
        return replace(_read(result, None), failure=Failure(Side.DRCHRONO, UNANSWERED), last_error=UNANSWERED)
    return replace(
        result,
        again_in=max(plan.until - work.taken.now, timedelta(0)),
        confirm_at=result.confirm_at if plan.cause in _NO_QUESTIONS else plan.until,
        lane=Lane.LIVE if plan.awaits else Lane.CONFIRM,
        last_error=plan.cause,
        awaits=plan.awaits,
    )


def _done(result: Result, plan: Plan, table: Table, outcomes: Mapping[Side, Outcome]) -> Result:
    if plan.action is Action.HOLD:
        side = Side.DRCHRONO if plan.cause in _IN_DRCHRONO else Side.SALESFORCE
        return replace(result, failure=Failure(side, plan.cause, is_held=True), last_error=plan.cause)
    if plan.missing:
        return replace(result, failure=Failure(Side.SALESFORCE, MISSING, plan.missing), last_error=MISSING)
    refused = dict(plan.refused)
    for outcome in outcomes.values():
        if isinstance(outcome, Written):
            refused |= outcome.without
    if plan.action is Action.CREATE and not outcomes and not refused:
        return replace(result, failure=Failure(Side.SALESFORCE, "nothing_to_create"), last_error="nothing_to_create")
    if not refused and plan.flags:
        cause = next(iter(plan.flags.values()))
        names = tuple(sorted(table.rows[name].shown(Side.DRCHRONO) for name in plan.flags))
        return replace(result, failure=Failure(Side.DRCHRONO, cause, names))
    if not refused:
        return result
    cause = next(iter(refused.values()))
    is_drchronos = Side.DRCHRONO in outcomes and Side.SALESFORCE not in outcomes and plan.action is not Action.CREATE
    side = Side.DRCHRONO if is_drchronos else Side.SALESFORCE
    names = tuple(sorted(table.name_of(name, side) for name, why in refused.items() if why == cause))
    return replace(result, failure=Failure(side, cause, names, is_held=cause in _HELD), last_error=cause)


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
        failure = Failure(side, cause, fields, is_held=cause in _HELD)
        return replace(_read(result, seen), failure=failure, last_error=cause)
    if verdict.fate is Fate.PAUSED:
        cause = paused_by(side)
    return replace(
        result,
        again_in=timedelta(seconds=verdict.in_s),
        lane=Lane.RETRY,
        attempts=attempt if verdict.spends else result.attempts,
        last_error=cause,
    )
