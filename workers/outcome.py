"""Outcome: how one link's turn ended, as the row that is to be saved. Every kind of plan ends in one function here.

The base advances field by field, and only where both sides are known to hold the same; a field that was held or
refused keeps its old one. A turn that found out which record it is links it, and that one is read next. One that did
not end in agreement is in `outcome_failed.py`. What it means beyond its own record is here too: what is counted of it,
a doctor's zone, which resolutions of people are over, and the kinds it makes due.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from app.errors import DocumentRefused, Gone, SyncError
from app.metrics import definitions as tallies
from app.store.outcomes import save
from app.store.result import Effects, Identity, LinkChange, Result, Retry
from app.sync.base import Rules
from app.sync.failure_causes import WRITE_UNSETTLED
from app.sync.identity import fingerprints
from app.sync.model import WHOLE_RECORD, Base, FieldResolution, Kind, Lane, Link, Seen, Side, Snapshot
from app.sync.pending_writes import late_until, with_landed
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
from app.sync.resolutions import ResolutionEnd
from app.sync.snapshots import BREAK, NO_TIME, VIRTUAL
from app.vendors.salesforce.wire import RecordRefused
from workers.batch import Batch, Observed, WriteAnswer, Written
from workers.bisection import halved, one_by_one
from workers.outcome_documents import with_documents
from workers.outcome_failed import failed, failure_after, flags_of, not_created, not_read, taken_in, waiting, with_shown

_LONGEST_ZONE = 64  # no zone's name is half as long
EXCLUDED = "excluded"
Answers = Mapping[Side, WriteAnswer]  # what became of the writes to each side


def outcomes_of(
    batch: Batch,
    observed: Sequence[Observed],
    plans: Mapping[str, ReadyPlan | SyncError],
    answers: Mapping[str, Answers],
) -> list[Result]:
    """Give what to save of each look. What was written is in the journal, also where no outcome can be made of it."""

    def end(one: Observed) -> Result:
        return outcome_of(batch, one, plans.get(one.link.id), answers.get(one.link.id, {}))

    looks = {one.link.id: one for one in observed}
    return [
        not_read(batch, looks[link_id].due, result) if isinstance(result, SyncError) else result
        for link_id, result in one_by_one(looks, end).items()
    ]


async def save_each(batch: Batch, results: Sequence[Result]) -> tuple[list[Result], set[str]]:
    """Save how a batch ended; gives the results as they were saved, and the link ids that were.

    All in one transaction; where the database does not take one of them, its neighbors are saved without it, and it is
    saved as a failure. Who may be matched stays leased until the last of them is.

    Raises  StoreUnavailable
    """
    database, token = batch.runtime.database, batch.leased.token
    saved: set[str] = set()

    async def keep(part: Mapping[str, Result]) -> Mapping[str, bool]:
        done = await save(database, token, list(part.values()), is_last=len(part) == len(results))
        saved.update(done)
        return {link_id: link_id in done for link_id in part}

    whole = {result.due.link.id: result for result in results}
    kept = await halved(whole, keep)
    failed = {
        link_id: not_read(batch, whole[link_id].due, error)
        for link_id, error in kept.items()
        if isinstance(error, SyncError)
    }
    if failed:
        await halved(failed, keep)
        await save(database, token, ())
    return [failed.get(link_id, result) for link_id, result in whole.items()], saved


def outcome_of(batch: Batch, observed: Observed, plan: ReadyPlan | SyncError | None, answers: Answers) -> Result:
    """Give what to save of one look; `plan`: what was planned of it, or why nothing could be."""
    seen = plan if isinstance(plan, SyncError) else observed.seen
    if isinstance(seen, SyncError):
        both = observed.seen if isinstance(seen, DocumentRefused) and isinstance(observed.seen, Seen) else None
        result = replace(not_read(batch, observed.due, seen, both), identity=identity_of(batch.rules, observed))
    else:
        assert plan is not None
        assert not isinstance(plan, SyncError)
        result = _ended(batch, observed, _read(batch, observed, seen, plan, answers), seen, plan, answers)
    return with_documents(batch, observed, with_shown(batch, observed, result, answers), plan)


def _ended(batch: Batch, observed: Observed, read: Result, seen: Seen, plan: ReadyPlan, answers: Answers) -> Result:
    """Give the result of a look at both sides, by the kind of its plan."""
    match plan:
        case Wait():
            return waiting(batch, read, plan)
        case LinkTo():
            return _linked(batch, read, seen, plan)
        case Follow():
            return _followed(batch, read, plan)
        case Succeed():
            return replace(read, retry=Retry(), change=LinkChange(succeeds=plan.predecessor))
        case Nothing() | Exclude() | StayDismissed():
            return _left_alone(batch, observed, read, plan)
        case Incomplete() | Hold():
            return _done(batch, observed, read, plan, answers)
        case Write() | Create() | Delete() | MergeContacts():
            return _written(batch, observed, read, plan, answers)


def _read(batch: Batch, observed: Observed, seen: Seen, plan: ReadyPlan, answers: Answers) -> Result:
    """Give what every look that saw both sides says: what they agree on, who it is, what is known of our writes."""
    due, rules = observed.due, batch.rules
    contact_id = seen.salesforce.id if isinstance(seen.salesforce, Snapshot) else None
    shown = frozenset[str]() if isinstance(plan, Wait) else _shown(rules, due.link, seen)
    link = replace(
        due.link,
        salesforce_id=due.link.salesforce_id or contact_id,
        base=rules.advanced(due.link, with_landed(due.link, plan.settled.landed).base, _compared(plan).agreed),
        unconfirmed_fields=due.link.unconfirmed_fields - shown,
    )
    series = (seen.drchrono.series or None) if isinstance(seen.drchrono, Snapshot) else None
    return Result(
        due,
        link,
        attempts=due.attempts,
        identity=replace(identity_of(rules, observed), series=series),
        settled=plan.settled,
        searched=plan.searched if isinstance(plan, Wait) else (),
        resolutions=finished_resolutions(seen, plan, answers),
    )


def _done(
    batch: Batch,
    observed: Observed,
    read: Result,
    plan: Nothing | Incomplete | Exclude | Hold | StayDismissed | Write | Create | Delete | MergeContacts,
    answers: Answers,
    *,
    is_nobodys: bool = False,
) -> Result:
    """Give the result of a look after which nothing is left to do, unless a person has something to mend."""
    assert isinstance(observed.seen, Seen)
    awaits = plan.awaits if isinstance(plan, Nothing | Incomplete | Exclude | Write | Create) else ()
    failure = failure_after(batch, observed, plan, answers)
    given_up = None if failure else late_until(read.due.link, read.link, read.settled.late, batch.leased.now)
    return replace(
        read,
        link=taken_in(read, observed.seen, plan),
        retry=read.retry or (Retry(given_up - batch.leased.now, Lane.CONFIRM, WRITE_UNSETTLED) if given_up else None),
        is_read=True,
        attempts=0,
        failure=failure,
        is_dismissed=isinstance(plan, StayDismissed),
        conflicts=frozenset(_compared(plan).conflicts),
        change=LinkChange(is_nobodys=is_nobodys),
        effects=Effects(awaits, doctor_zone(batch, observed.seen), counters_of(batch, observed, plan, answers)),
    )


def _left_alone(batch: Batch, observed: Observed, read: Result, plan: Nothing | Exclude | StayDismissed) -> Result:
    """Give the result of a look that asks for nothing; what is none of ours, or out and gone, is not remembered."""
    is_gone = isinstance(plan, Exclude) and plan.deleted_on is not None
    is_none = isinstance(plan, Nothing) and (read.link.drchrono_id is None or plan.cause in (BREAK, VIRTUAL, NO_TIME))
    return _done(batch, observed, read, plan, {}, is_nobodys=is_gone or is_none)


def _written(
    batch: Batch,
    observed: Observed,
    read: Result,
    plan: Write | Create | Delete | MergeContacts,
    answers: Answers,
) -> Result:
    """Give the result of writes: what the sides have taken is agreed, and what they have not taken is tried again."""
    seen, rules = observed.seen, batch.rules
    assert isinstance(seen, Seen)
    link = read.link
    for side, answer in answers.items():
        if isinstance(answer, Written):
            link = _link_after(rules, link, side, seen, answer)
    if isinstance(plan, Delete) and isinstance(answers.get(Side.SALESFORCE), Written) and rules.table.tombstone:
        link = replace(link, base=rules.advanced(link, link.base, {rules.table.tombstone: "true"}))
    is_made = any(isinstance(one, Written) and one.shown is not None for one in answers.values())
    again = Retry() if is_made else None  # the next look has the Contact name its chart
    written = replace(read, link=link, retry=again)
    for side, answer in answers.items():
        if not isinstance(answer, Written):
            unwritten = replace(written, settled=replace(written.settled, over=()))  # they are weighed again
            return _unwritten(batch, unwritten, seen, plan, side, answer)
    return _done(batch, observed, written, plan, answers, is_nobodys=isinstance(plan, MergeContacts))


def _unwritten(
    batch: Batch,
    written: Result,
    seen: Seen,
    plan: Write | Create | Delete | MergeContacts,
    side: Side,
    error: SyncError | RecordRefused,
) -> Result:
    """Give the result of a write that a side has not taken, beside what the other one has."""
    if side is Side.DRCHRONO and isinstance(plan, Create):
        return not_created(batch, written, error, seen)
    was_asked = isinstance(seen.drchrono, Snapshot) and seen.drchrono.confirmed
    if isinstance(error, Gone) and not was_asked:  # it was there; DrChrono is asked before anybody is told so
        link = replace(written.link, confirm_due_at=batch.leased.now)
        return replace(written, link=link, retry=Retry(lane=Lane.CONFIRM))
    return failed(batch, written, error, seen, side)


def _link_after(rules: Rules, link: Link, side: Side, seen: Seen, written: Written) -> Link:
    """Give the link with what a side has taken; DrChrono has yet to show it."""
    agreed = dict(written.fields)
    here = seen.salesforce if side is Side.DRCHRONO else seen.drchrono
    if written.created and isinstance(here, Snapshot):
        there = written.shown.fields if written.shown is not None else dict.fromkeys(here.fields)
        agreed |= {name: None for name, value in here.fields.items() if value is None and there.get(name) is None}
    link = replace(link, base=rules.advanced(link, link.base, agreed))
    if side is Side.SALESFORCE:
        return replace(link, salesforce_id=written.id)
    link = replace(link, unconfirmed_fields=link.unconfirmed_fields | written.fields.keys())
    return link if written.shown is None else replace(link, drchrono_id=written.id)


def _linked(batch: Batch, read: Result, seen: Seen, plan: LinkTo) -> Result:
    """Give the result of a link to a record that is there; DrChrono is asked what it holds before anything is written.

    A Contact that names its chart has been looked at by that name; its chart's body may do.
    """
    link = read.link
    is_named = isinstance(seen.salesforce, Snapshot) and seen.salesforce.key == plan.link_to
    link = replace(link, confirm_due_at=link.confirm_due_at if is_named else batch.leased.now)
    is_chart = link.drchrono_id is not None
    link = replace(link, salesforce_id=plan.link_to) if is_chart else replace(link, drchrono_id=plan.link_to)
    return replace(read, link=link, retry=Retry(), effects=Effects(counts=(tallies.LINKED_TALLY.of(link.kind),)))


def _followed(batch: Batch, read: Result, plan: Follow) -> Result:
    """Give a link the Contact that its own was merged into; that one is looked at next.

    Where the winner holds what was agreed on, that stays so, and an edit of DrChrono's that waits lands on it. In the
    rest the two meet for the first time: its owner decides, and an empty field is filled.
    """
    link, fields = read.link, plan.master.fields
    shared = {
        name: stamp
        for name, stamp in link.base.stamps.items()
        if batch.rules.matches(link, name, stamp, fields.get(name))
    }
    return replace(read, link=replace(link, salesforce_id=plan.master.id, base=Base(shared)), retry=Retry())


def _shown(rules: Rules, link: Link, seen: Seen) -> AbstractSet[str]:
    """Give the fields of our earlier writes that DrChrono has shown by now: any value, where it was asked itself."""
    if not isinstance(seen.drchrono, Snapshot) or not link.unconfirmed_fields:
        return frozenset()
    shown = seen.drchrono.fields.keys() & link.unconfirmed_fields
    return shown if seen.drchrono.confirmed else shown - rules.changed(link, seen.drchrono.fields)


def identity_of(rules: Rules, observed: Observed) -> Identity:
    """Give who it is, as our index knows people, and who else was said of it; DrChrono's word goes first.

    Who a create was sent for stays until it is known what became of it.
    """
    link, seen = observed.link, observed.seen
    others = _fingerprints(rules, observed.delivered)
    if link.drchrono_id is None and any(write.side is Side.DRCHRONO for write in link.own_writes):
        return Identity(others=others)
    sides = (seen.drchrono, seen.salesforce) if isinstance(seen, Seen) else ()
    found = [person for one in sides if isinstance(one, Snapshot) for person in _fingerprints(rules, [one])]
    return Identity(found[0] if found else None, others=others)


def _fingerprints(rules: Rules, snapshots: Sequence[Snapshot]) -> frozenset[str]:
    return frozenset(found[0] for one in snapshots if (found := fingerprints(rules, one.fields)))


def _compared(plan: ReadyPlan) -> Comparison:
    return plan.compared if isinstance(plan, Nothing | Write) else Comparison()


def finished_resolutions(seen: Seen, plan: ReadyPlan, answers: Answers) -> dict[str, str]:
    """Give the decisions that are over by a look: id -> how; one whose write has not succeeded stays open."""
    ended: dict[str, str] = {}
    compared = _compared(plan)
    for name, decision in seen.decided.items():
        if name == WHOLE_RECORD:
            how = _identity_resolution(plan, decision, answers)
        elif name in compared.overtaken:
            how = ResolutionEnd.OVERTAKEN
        else:
            how = ResolutionEnd.DONE if name in compared.decided and _is_carried_out(name, plan, answers) else None
        if how is not None:
            ended[decision.id] = how.value
    return ended


def _identity_resolution(plan: ReadyPlan, decision: FieldResolution, answers: Answers) -> ResolutionEnd | None:
    """Say how a word on which record it is ended: while nothing could be matched or merged it stays open."""
    if isinstance(plan, MergeContacts):
        return ResolutionEnd.DONE if isinstance(answers.get(Side.SALESFORCE), Written) else None
    if isinstance(plan, Wait):
        return None
    if decision.twin is None:  # that a new one is right
        is_made = isinstance(answers.get(Side.DRCHRONO), Written) or bool(plan.settled.landed)
        still = None if isinstance(plan, Create) else ResolutionEnd.OVERTAKEN
        return ResolutionEnd.DONE if is_made else still
    is_linked = isinstance(plan, LinkTo) and plan.link_to == decision.twin
    is_merged = decision.side is Side.SALESFORCE and bool(plan.settled.landed)
    return ResolutionEnd.DONE if is_linked or is_merged else ResolutionEnd.OVERTAKEN


def _is_carried_out(name: str, plan: ReadyPlan, answers: Answers) -> bool:
    if name in refused_fields(plan):
        return False
    sides = [side for side in Side if name in planned_writes(plan).get(side, {})]
    written = [answers.get(side) for side in sides]
    return all(isinstance(one, Written) and name in one.fields for one in written)


def counters_of(batch: Batch, observed: Observed, plan: ReadyPlan, answers: Answers) -> tuple[str, ...]:
    """Give what is counted of a look whose writes, if any, have succeeded: the names of tallies."""
    kind, compared, before = batch.rules.table.kind, _compared(plan), observed.link.conflicts
    taken = {name for one in answers.values() if isinstance(one, Written) for name in one.fields}
    return (
        *([tallies.SKIPPED_TALLY.of(plan.cause)] if isinstance(plan, Nothing) and plan.cause else []),
        *([tallies.SKIPPED_TALLY.of(EXCLUDED)] if isinstance(plan, Exclude) else []),
        *([tallies.CONTRADICTED_TALLY.of()] if observed.is_contradicted else []),
        *_write_tallies(kind, plan, answers),
        *_landed_tallies(observed, plan),
        *(tallies.APPLIED_TALLY.of(side, kind) for side, answer in answers.items() if isinstance(answer, Written)),
        *(tallies.PUT_BACK_TALLY.of(kind) for name in compared.put_backs if name in taken),
        *(tallies.CONFLICT_TALLY.of(kind) for name in compared.conflicts if name not in before),
        *(tallies.LATE_TALLY.of(side, kind) for side, names in compared.late.items() for _ in names),
        *(tallies.ODD_HOUR_TALLY.of(flag, kind) for flag in flags_of(plan).values()),
    )


def _write_tallies(kind: Kind, plan: ReadyPlan, answers: Answers) -> list[str]:
    """Say what the writes did: made a record, met one that bore our key, or changed one."""
    written = {side: answer for side, answer in answers.items() if isinstance(answer, Written)}
    if not written:
        return []
    if not isinstance(plan, Create):
        return [(tallies.MERGED_TALLY if isinstance(plan, MergeContacts) else tallies.UPDATED_TALLY).of(kind)]
    linked = tallies.LINKED_TALLY.of(kind)
    return [tallies.CREATED_TALLY.of(side, kind) if answer.created else linked for side, answer in written.items()]


def _landed_tallies(observed: Observed, plan: ReadyPlan) -> list[str]:
    """Say what an earlier create has made whose answer never came: its record was found now."""
    link = observed.link
    ours = (write for write in link.own_writes if write.side is Side.SALESFORCE and write.id in plan.settled.landed)
    return [tallies.CREATED_TALLY.of(write.side, link.kind) for write in ours if link.salesforce_id is None]


def doctor_zone(batch: Batch, seen: Seen) -> str:
    """Give a doctor's zone, where DrChrono has shown the doctor."""
    row = batch.rules.table.row_of("timezone")
    if batch.rules.table.kind is not Kind.DOCTOR or row is None or not isinstance(seen.drchrono, Snapshot):
        return ""
    return (seen.drchrono.fields.get(row.name) or "")[:_LONGEST_ZONE]


def kinds_to_wake(batch: Batch, results: Sequence[Result]) -> set[Kind]:
    """Give the kinds of which something is due because of how looks ended."""
    awaited = {ref.kind for one in results for ref in one.effects.awaits}
    has_come = any(one.has_come for one in results)
    mine = batch.rules.table.kind
    children = {kind for kind, table in batch.runtime.mappings.items() if mine in table.parents.values()}
    return awaited | ({mine} if awaited else set()) | (children if has_come else set())
