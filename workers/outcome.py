"""Outcome: how one link's turn ended, as the row that is to be saved.

The base advances field by field, and only where both sides are known to hold the same; a field that was held or
refused keeps its old one. A turn that found out which record it is links it, and that one is read next. One that did
not end in agreement is in `outcome_failed.py`. What it means beyond its own record is here too: what is counted of it,
a doctor's zone, which resolutions of people are over, and the kinds it makes due.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta

from app.errors import Gone, Rejected, SyncError
from app.store.result import Result
from app.store.work_queue import Due
from app.sync.base import Rules
from app.sync.identity import fingerprints
from app.sync.model import (
    WHOLE_RECORD,
    Base,
    FieldResolution,
    Kind,
    Lane,
    Link,
    Seen,
    Side,
    Snapshot,
    WriteState,
)
from app.sync.pending_writes import with_landed
from app.sync.plan import (
    Comparison,
    Create,
    Delete,
    Follow,
    Incomplete,
    LinkTo,
    MergeContacts,
    Nothing,
    Plan,
    Succeed,
    Wait,
    Write,
    planned_writes,
    refused_fields,
)
from app.sync.resolutions import ResolutionEnd
from app.sync.snapshots import BREAK, VIRTUAL
from workers.batch import Batch, Observed, Outcome, Written
from workers.outcome_failed import failed, flags_of, left_to_person, not_created, used_up, waiting

_ASK_AGAIN = timedelta(minutes=1)


def outcome_of(
    batch: Batch, observed: Observed, plan: Plan | SyncError | None, outcomes: Mapping[Side, Outcome]
) -> Result:
    """Give what to save of one look; `outcomes`: what became of the writes to each side."""
    due, seen = observed.due, plan if isinstance(plan, SyncError) else observed.seen
    if isinstance(seen, Rejected) and seen.side == Side.SALESFORCE:  # the batch was refused: a permission, the mapping
        return replace(_kept(due), again_in=_ASK_AGAIN, lane=Lane.RETRY, last_error=seen.cause)
    if isinstance(seen, SyncError):
        return failed(batch, _kept(due), seen, None)
    assert plan is not None
    assert not isinstance(plan, SyncError)
    landed, compared = plan.settled.landed, _compared(plan)
    result = replace(
        _kept(due),
        base=batch.rules.advanced(due.link, with_landed(due.link, landed).base, compared.agreed),
        salesforce_id=due.link.salesforce_id or (seen.salesforce.id if isinstance(seen.salesforce, Snapshot) else None),
        settled=dict.fromkeys(landed, WriteState.CONFIRMED.value)
        | dict.fromkeys(plan.settled.lost, WriteState.REFUSED.value),
        searched=plan.searched if isinstance(plan, Wait) else (),
        series=(seen.drchrono.series or None) if isinstance(seen.drchrono, Snapshot) else None,
        identity_hash=_identity_hash(batch.rules, due.link, seen),
    )
    if isinstance(plan, Wait):
        return waiting(batch, result, plan)
    if due.link.unconfirmed_fields:
        result = replace(result, unconfirmed_fields=due.link.unconfirmed_fields - _shown(batch, due.link, seen))
    if isinstance(plan, LinkTo | Follow | Succeed):
        return replace(linked(batch, result, seen, plan), decided=finished_resolutions(seen, plan, {}))
    result = replace(result, decided=finished_resolutions(seen, plan, outcomes))
    for side, outcome in outcomes.items():
        if isinstance(outcome, Written):
            result = _written(batch, result, side, seen, outcome)
    if isinstance(plan, Delete) and isinstance(outcomes.get(Side.SALESFORCE), Written):
        tombstone = {batch.rules.table.tombstone: "true"} if batch.rules.table.tombstone else {}
        result = replace(result, base=batch.rules.advanced(due.link, result.base, tombstone))
    if (unwritten := _unwritten(batch, result, seen, plan, outcomes)) is not None:
        return unwritten
    done = left_to_person(used_up(result, seen), plan, batch.rules.table, outcomes)
    is_lone = due.link.drchrono_id is None and isinstance(plan, Nothing) and done.failure is None
    is_skipped = isinstance(plan, Nothing) and plan.cause in (BREAK, VIRTUAL)
    is_nobodys = is_lone or is_skipped or isinstance(plan, MergeContacts)
    return replace(
        done,
        is_nobodys=is_nobodys,
        awaits=plan.awaits if isinstance(plan, Nothing | Incomplete | Write | Create) else (),
        zone=doctor_zone(batch, seen),
        counts=counters_of(batch, observed, plan, outcomes),
    )


def _unwritten(batch: Batch, result: Result, seen: Seen, plan: Plan, outcomes: Mapping[Side, Outcome]) -> Result | None:
    """Give the result of a write that did not succeed; None where all did."""
    was_asked = isinstance(seen.drchrono, Snapshot) and seen.drchrono.confirmed
    for side, outcome in outcomes.items():
        if isinstance(outcome, Written):
            continue
        if side is Side.DRCHRONO and isinstance(plan, Create):
            return not_created(batch, result, outcome, seen)
        if isinstance(outcome, Gone) and not was_asked:  # it was there; DrChrono is asked before anybody is told so
            return replace(result, again_in=timedelta(0), confirm_due_at=batch.leased.now, lane=Lane.CONFIRM)
        return failed(batch, result, outcome, seen, side)
    return None


def _written(batch: Batch, result: Result, side: Side, seen: Seen, written: Written) -> Result:
    """Give the result with what a side has taken; DrChrono has yet to show it."""
    agreed = dict(written.fields)
    here = seen.salesforce if side is Side.DRCHRONO else seen.drchrono
    if written.created and isinstance(here, Snapshot):
        there = written.shown.fields if written.shown is not None else dict.fromkeys(here.fields)
        agreed |= {name: None for name, value in here.fields.items() if value is None and there.get(name) is None}
    base = batch.rules.advanced(result.due.link, result.base, agreed)
    if side is Side.SALESFORCE:
        return replace(result, base=base, salesforce_id=written.id)
    result = replace(result, base=base, unconfirmed_fields=result.unconfirmed_fields | written.fields.keys())
    if written.shown is None:
        return result
    return replace(result, drchrono_id=written.id, again_in=timedelta(0))  # the next look has the Contact name it


def _shown(batch: Batch, link: Link, seen: Seen) -> AbstractSet[str]:
    """Give the fields of our earlier writes that DrChrono has shown by now: any value, where it was asked itself."""
    if not isinstance(seen.drchrono, Snapshot):
        return frozenset()
    shown = seen.drchrono.fields.keys() & link.unconfirmed_fields
    return shown if seen.drchrono.confirmed else shown - batch.rules.changed(link, seen.drchrono.fields)


def _identity_hash(rules: Rules, link: Link, seen: Seen) -> str | None:
    """Give who it is, as our index knows people; DrChrono's word goes first, for it owns the name.

    Who a create was sent for stays until it is known what became of it.
    """
    if link.drchrono_id is None and any(write.side is Side.DRCHRONO for write in link.own_writes):
        return None
    snapshots = [snapshot for snapshot in (seen.drchrono, seen.salesforce) if isinstance(snapshot, Snapshot)]
    return next(
        (found[0] for snapshot in snapshots if (found := fingerprints(rules.keys, rules.table, snapshot.fields))), None
    )


def _compared(plan: Plan) -> Comparison:
    return plan.compared if isinstance(plan, Nothing | Write) else Comparison()


def _kept(due: Due) -> Result:
    """Give a result that changes nothing."""
    link = due.link
    return Result(
        due,
        base=link.base,
        drchrono_id=link.drchrono_id,
        salesforce_id=link.salesforce_id,
        seen_up_to=link.seen_up_to,
        is_read=False,
        confirm_due_at=link.confirm_due_at,
        attempts=due.attempts,
        unconfirmed_fields=link.unconfirmed_fields,
    )


def linked(batch: Batch, result: Result, seen: Seen, plan: LinkTo | Follow | Succeed) -> Result:
    """Give the result of a ref that turned out to be another record, or another's; that one is looked at next."""
    match plan:
        case Succeed():
            return replace(result, succeeds=plan.predecessor, again_in=timedelta(0))
        case Follow():
            return _follow_master(batch.rules, result, plan.master)
        case LinkTo():
            return _link_found(batch, result, seen, plan)


def _link_found(batch: Batch, result: Result, seen: Seen, plan: LinkTo) -> Result:
    """Give the result of a link to a record that is there; DrChrono is asked what it holds before anything is written.

    A Contact that names its chart has been looked at by that name; its chart's body may do.
    """
    link = result.due.link
    is_named = isinstance(seen.salesforce, Snapshot) and seen.salesforce.key == plan.link_to
    confirm_at = result.confirm_due_at if is_named else batch.leased.now
    result = replace(result, again_in=timedelta(0), confirm_due_at=confirm_at, counts=(f"linked_{link.kind}",))
    is_chart = link.drchrono_id is not None
    return replace(result, salesforce_id=plan.link_to) if is_chart else replace(result, drchrono_id=plan.link_to)


def _follow_master(rules: Rules, result: Result, master: Snapshot) -> Result:
    """Give a link the Contact that its own was merged into; that one is looked at next.

    Where the winner holds what was agreed on, that stays so, and an edit of DrChrono's that waits lands on it. In the
    rest the two meet for the first time: its owner decides, and an empty field is filled.
    """
    link, held = result.due.link, result.base.stamps
    shared = {name: stamp for name, stamp in held.items() if rules.matches(link, name, stamp, master.fields.get(name))}
    base = Base(shared)
    return replace(result, salesforce_id=master.id, base=base, again_in=timedelta(0))


def finished_resolutions(seen: Seen, plan: Plan, outcomes: Mapping[Side, Outcome]) -> dict[str, str]:
    """Give the decisions that are over by a look: id -> how; one whose write has not succeeded stays open."""
    ended: dict[str, str] = {}
    for name, decision in seen.decided.items():
        if name == WHOLE_RECORD:
            how = _identity_resolution(plan, decision, outcomes)
        elif name in _compared(plan).overtaken:
            how = ResolutionEnd.OVERTAKEN
        else:
            how = (
                ResolutionEnd.DONE
                if name in _compared(plan).decided and _is_carried_out(name, plan, outcomes)
                else None
            )
        if how is not None:
            ended[decision.id] = how.value
    return ended


def _identity_resolution(
    plan: Plan, decision: FieldResolution, outcomes: Mapping[Side, Outcome]
) -> ResolutionEnd | None:
    """Say how a word on which record it is ended: while nothing could be matched or merged it stays open."""
    if isinstance(plan, MergeContacts):
        return ResolutionEnd.DONE if isinstance(outcomes.get(Side.SALESFORCE), Written) else None
    if isinstance(plan, Wait):
        return None
    is_linked = isinstance(plan, LinkTo) and plan.link_to == decision.twin
    is_merged = decision.side is Side.SALESFORCE and bool(plan.settled.landed)
    return ResolutionEnd.DONE if is_linked or is_merged else ResolutionEnd.OVERTAKEN


def _is_carried_out(name: str, plan: Plan, outcomes: Mapping[Side, Outcome]) -> bool:
    if name in refused_fields(plan):
        return False
    sides = [side for side in Side if name in planned_writes(plan).get(side, {})]
    written = [outcomes.get(side) for side in sides]
    return all(isinstance(one, Written) and name in one.fields for one in written)


def counters_of(batch: Batch, observed: Observed, plan: Plan, outcomes: Mapping[Side, Outcome]) -> tuple[str, ...]:
    """Give what is counted of a look whose writes, if any, have succeeded, by name."""
    kind = batch.rules.table.kind
    skipped = [f"skipped_{plan.cause}"] if isinstance(plan, Nothing) and plan.cause else []
    return (
        *skipped,
        *(["contradicted_delivery"] if observed.is_contradicted else []),
        *(
            f"{done}_{kind}"
            for done in (
                *_written_counters(plan, outcomes),
                *_landed_counters(observed, plan),
                *_applied_counters(outcomes),
            )
        ),
        *(f"put_back_{kind}" for _ in _compared(plan).put_backs),
        *(f"conflict_{kind}" for _ in _compared(plan).conflicts),
        *(f"{flag}_{kind}" for flag in flags_of(plan).values()),
    )


def _written_counters(plan: Plan, outcomes: Mapping[Side, Outcome]) -> list[str]:
    """Say what the writes did: made a record, met one that bore our key, or changed one."""
    written = {side: outcome for side, outcome in outcomes.items() if isinstance(outcome, Written)}
    if not written:
        return []
    if not isinstance(plan, Create):
        return ["merged" if isinstance(plan, MergeContacts) else "updated"]
    return [f"created_{side}" if outcome.created else "linked" for side, outcome in written.items()]


def _landed_counters(observed: Observed, plan: Plan) -> list[str]:
    """Say what an earlier create has made whose answer never came: its record was found now."""
    link = observed.link
    ours = (write for write in link.own_writes if write.side is Side.SALESFORCE and write.id in plan.settled.landed)
    return [f"created_{write.side}" for write in ours if link.salesforce_id is None]


def _applied_counters(outcomes: Mapping[Side, Outcome]) -> list[str]:
    return [f"applied_{side}" for side, outcome in outcomes.items() if isinstance(outcome, Written)]


def doctor_zone(batch: Batch, seen: Seen) -> str:
    """Give a doctor's zone, where DrChrono has shown the doctor."""
    row = batch.rules.table.row_of("timezone")
    if batch.rules.table.kind is not Kind.DOCTOR or row is None or not isinstance(seen.drchrono, Snapshot):
        return ""
    return seen.drchrono.fields.get(row.name) or ""


def kinds_to_wake(batch: Batch, endings: Sequence[Result]) -> set[Kind]:
    """Give the kinds of which something is due because of how looks ended."""
    awaited = {ref.kind for one in endings for ref in one.awaits}
    has_come = any(one.has_come for one in endings)
    mine = batch.rules.table.kind
    children = {kind for kind, table in batch.runtime.mappings.items() if mine in table.parents.values()}
    return awaited | ({mine} if awaited else set()) | (children if has_come else set())
