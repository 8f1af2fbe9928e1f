"""How one look ended, as the row that is to be saved: what the base becomes, what is finished, when to look again.

The base advances field by field, and only where both sides are known to hold the same; a field that was held or
refused keeps its old one. A look that found out which record it is ends in `joined.py`, one that did not end in
agreement in `unfinished.py`.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta

from app.errors import Gone, Rejected, SyncError
from app.store.due import Due
from app.store.endings import Result
from app.store.states import State
from app.sync.matching import fingerprints
from app.sync.own_writes import with_landed
from app.sync.records import Action, Lane, Link, Plan, Seen, Side, Sight
from app.sync.rules import Rules
from workers.decided import ended_by
from workers.joined import joined
from workers.others import counts, zone_of
from workers.passes import Looked, Outcome, Pass, Written
from workers.unfinished import failed, left_to_a_person, not_created, used_up, waits
from workers.visits import BREAK, VIRTUAL

_ASK_AGAIN = timedelta(minutes=1)


def ended(work: Pass, looked: Looked, plan: Plan | None, outcomes: Mapping[Side, Outcome]) -> Result:
    """Give what to save of one look; `outcomes`: what became of the writes to each side."""
    due, seen = looked.due, looked.seen
    if isinstance(seen, Rejected) and seen.side == Side.SALESFORCE:  # the batch was refused: a permission, the mapping
        return replace(_kept(due), again_in=_ASK_AGAIN, lane=Lane.RETRY, last_error=seen.cause)
    if isinstance(seen, SyncError):
        return failed(work, _kept(due), seen, None)
    assert plan is not None
    result = replace(
        _kept(due),
        base=work.rules.advanced(due.link, with_landed(due.link, plan.landed).base, plan.agreed),
        salesforce_id=due.link.salesforce_id or (seen.salesforce.id if isinstance(seen.salesforce, Sight) else None),
        settled=dict.fromkeys(plan.landed, State.CONFIRMED.value) | dict.fromkeys(plan.lost, State.REFUSED.value),
        searched=plan.searched,
        series=(seen.drchrono.series or None) if isinstance(seen.drchrono, Sight) else None,
        person=_person(work.rules, due.link, seen),
    )
    if plan.action is Action.WAIT:
        return waits(work, result, plan)
    if due.link.unsettled:
        result = replace(result, unsettled=due.link.unsettled - _shown(work, due.link, seen))
    if plan.action in (Action.LINK, Action.FOLLOW, Action.SUCCEED):
        return replace(joined(work, result, seen, plan), decided=ended_by(seen, plan, {}))
    result = replace(result, decided=ended_by(seen, plan, outcomes))
    for side, outcome in outcomes.items():
        if isinstance(outcome, Written):
            result = _written(work, result, side, seen, outcome)
    if plan.action is Action.DELETE and isinstance(outcomes.get(Side.SALESFORCE), Written):
        tombstone = {work.rules.table.tombstone: "true"} if work.rules.table.tombstone else {}
        result = replace(result, base=work.rules.advanced(due.link, result.base, tombstone))
    if (unwritten := _unwritten(work, result, seen, plan, outcomes)) is not None:
        return unwritten
    done = left_to_a_person(used_up(result, seen), plan, work.rules.table, outcomes)
    is_lone = due.link.drchrono_id is None and plan.action is Action.NOTHING and done.failure is None
    is_nobodys = is_lone or plan.action is Action.MERGE or plan.cause in (BREAK, VIRTUAL)
    return replace(
        done,
        is_nobodys=is_nobodys,
        awaits=plan.awaits,
        zone=zone_of(work, seen),
        counts=counts(work, looked, plan, outcomes),
    )


def _unwritten(work: Pass, result: Result, seen: Seen, plan: Plan, outcomes: Mapping[Side, Outcome]) -> Result | None:
    """Give the result of a write that did not succeed; None where all did."""
    was_asked = isinstance(seen.drchrono, Sight) and seen.drchrono.confirmed
    for side, outcome in outcomes.items():
        if isinstance(outcome, Written):
            continue
        if side is Side.DRCHRONO and plan.action is Action.CREATE:
            return not_created(work, result, outcome, seen)
        if isinstance(outcome, Gone) and not was_asked:  # it was there; DrChrono is asked before anybody is told so
            return replace(result, again_in=timedelta(0), confirm_at=work.taken.now, lane=Lane.CONFIRM)
        return failed(work, result, outcome, seen, side)
    return None


def _written(work: Pass, result: Result, side: Side, seen: Seen, written: Written) -> Result:
    """Give the result with what a side has taken; DrChrono has yet to show it."""
    agreed = dict(written.fields)
    here = seen.salesforce if side is Side.DRCHRONO else seen.drchrono
    if written.created and isinstance(here, Sight):
        there = written.shown.fields if written.shown is not None else dict.fromkeys(here.fields)
        agreed |= {name: None for name, value in here.fields.items() if value is None and there.get(name) is None}
    base = work.rules.advanced(result.due.link, result.base, agreed)
    if side is Side.SALESFORCE:
        return replace(result, base=base, salesforce_id=written.id)
    result = replace(result, base=base, unsettled=result.unsettled | written.fields.keys())
    if written.shown is None:
        return result
    return replace(result, drchrono_id=written.id, again_in=timedelta(0))  # the next look has the Contact name it


def _shown(work: Pass, link: Link, seen: Seen) -> AbstractSet[str]:
    """Give the fields of our earlier writes that DrChrono has shown by now: any value, where it was asked itself."""
    if not isinstance(seen.drchrono, Sight):
        return frozenset()
    shown = seen.drchrono.fields.keys() & link.unsettled
    return shown if seen.drchrono.confirmed else shown - work.rules.changed(link, seen.drchrono.fields)


def _person(rules: Rules, link: Link, seen: Seen) -> str | None:
    """Give who it is, as our index knows people; DrChrono's word goes first, for it owns the name.

    Who a create was sent for stays until it is known what became of it.
    """
    if link.drchrono_id is None and any(write.side is Side.DRCHRONO for write in link.own_writes):
        return None
    sights = [sight for sight in (seen.drchrono, seen.salesforce) if isinstance(sight, Sight)]
    return next((found[0] for sight in sights if (found := fingerprints(rules.keys, rules.table, sight.fields))), None)


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
