"""Link + what was just seen -> what to do. Pure and total: nothing raises because of what the records hold.

First our own unsettled writes: one that shows over there has landed; one that does not may still land until the vendor
gives the request up. Where it may be repeated, it is not waited for, and remembered until then; else nothing is written
until then. Then whether the record is in the set that is synced; what is out of it stays as it is on both sides, and so
does what a person has dismissed. Then absence, which is never answered by writing. Then creation, and last the merge. A
create is only planned here: what it would meet over there is looked for after (`create.py`).

A record that refers to others comes after them (pure).

What is to be written to Salesforce names its parents by their DrChrono ids, so they have to be there first. While one
is on its way the record waits; one that can never come is left out where the record can do without it.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from app.sync.base import Rules
from app.sync.card_requests import is_unlinked
from app.sync.create import is_opted_in, plan_create
from app.sync.deletions import gone_in_drchrono, gone_in_salesforce, is_no_more
from app.sync.dismissals import MAY_NAME_ANOTHER, is_left_dismissed, with_dismissed_parents
from app.sync.documents import patient_without_record
from app.sync.failure_causes import (
    ASK,
    BUSY,
    NO_PARENT,
    NOT_AN_ID,
    NOT_SHOWN_ONCE,
    OTHER_KEY,
    PARENT_DISMISSED,
    WRITE_UNSETTLED,
)
from app.sync.field_writes import created, edited_in_salesforce, merge_of, must_be_asked
from app.sync.mappings.codecs import is_record_id
from app.sync.mappings.table import EXTERNAL_ID
from app.sync.model import (
    UPLOAD,
    Absent,
    Deleted,
    Exclusion,
    Link,
    NeedsConfirmation,
    NothingNew,
    Parent,
    RecordRef,
    Seen,
    Side,
    Snapshot,
)
from app.sync.pending_writes import LateLandings, has_landed, late_landings, may_land_again, with_landed
from app.sync.plan import (
    Create,
    Exclude,
    FindCreated,
    Follow,
    Hold,
    Incomplete,
    LinkTo,
    Nothing,
    Plan,
    SettledWrites,
    StayDismissed,
    Succeed,
    Wait,
    Write,
    planned_writes,
)

_LOOK_AGAIN = timedelta(seconds=30)  # should its parent's coming, or an earlier version's, not wake it


def decide(rules: Rules, link: Link, seen: Seen, now: datetime) -> Plan:
    """Say what is to be done with one link."""
    seen = with_dismissed_parents(rules.table, seen)
    if link.drchrono_id is None:
        return _lone(rules, link, seen, now)
    if isinstance(seen.drchrono, Snapshot) and seen.drchrono.skipped and link.salesforce_id is None:
        return Nothing(seen.drchrono.skipped)
    if any(write.call == UPLOAD and write.side is Side.SALESFORCE for write in link.own_writes):
        return FindCreated()
    if (again := _not_shown_yet(rules, link, seen, now)) is not None:
        return again
    landed = tuple(write.id for write in link.own_writes if has_landed(rules, link, write, seen))
    open_writes = [write for write in link.own_writes if write.id not in landed]
    if any(write.side is Side.DRCHRONO for write in open_writes) and not _is_answer(seen.drchrono):
        return replace(_asked(rules, link, now), settled=SettledWrites(landed))
    settling = [write for write in open_writes if write.settle_at > now]
    ends = [write.settle_at for write in settling if not write.is_repeatable]
    if ends:
        is_ours_to_ask = any(write.side is Side.DRCHRONO for write in open_writes)
        lost = tuple(write.id for write in open_writes if write.settle_at <= now)
        wait = Wait(ASK if is_ours_to_ask else WRITE_UNSETTLED, max(ends))
        return replace(wait, settled=SettledWrites(landed, lost))
    known = with_landed(link, landed)
    found = late_landings(rules, known, seen, now)
    plan = _asked(rules, link, now) if found.is_asked else _settled(rules, known, seen, now, found)
    over = () if isinstance(plan, Wait) else found.over
    lost = tuple(write.id for write in open_writes)
    return replace(plan, settled=SettledWrites(landed, lost, _late(link, landed, now), over))


def _late(link: Link, landed: Collection[str], now: datetime) -> tuple[str, ...]:
    """Give the writes that are not waited for and may land yet: what shows may be what another of them has done."""
    ours = (*link.own_writes, *link.late_writes)
    return tuple(
        write.id
        for write in link.own_writes
        if write.settle_at > now and write.is_repeatable
        if write.id not in landed or may_land_again(write, ours)
    )


def _not_shown_yet(rules: Rules, link: Link, seen: Seen, now: datetime) -> Wait | None:
    """Have DrChrono asked again, a while later, before its not showing a record counts; None where it has shown it."""
    if not isinstance(seen.drchrono, NeedsConfirmation):
        return None
    if seen.drchrono.reason == NOT_SHOWN_ONCE:
        return Wait(NOT_SHOWN_ONCE, now + rules.search_gap)
    is_asked_again = link.last_cause == NOT_SHOWN_ONCE and link.confirm_due_at is not None
    return Wait(NOT_SHOWN_ONCE, link.confirm_due_at or now) if is_asked_again else None


def _lone(rules: Rules, link: Link, seen: Seen, now: datetime) -> Plan:
    """Say what becomes of a record of Salesforce's that belongs to no link: nothing, a link, or a create.

    A create of ours comes first, whatever became of the record: what it made must not be lost. A merge of ours that may
    yet happen is waited for; it has, when the record is gone.
    """
    salesforce = seen.salesforce
    attempts = [write for write in link.own_writes if write.side is Side.DRCHRONO]
    for write in attempts:
        if write.made is not None:
            return LinkTo(write.made, settled=SettledWrites(landed=(write.id,)))
    if attempts:
        return FindCreated()
    merges = tuple(write.id for write in link.own_writes)
    if not isinstance(salesforce, Snapshot):
        return Nothing(settled=SettledWrites(landed=merges))
    if merges:
        until = max(write.settle_at for write in link.own_writes)
        return Wait(WRITE_UNSETTLED, max(until, now), settled=SettledWrites(lost=merges if until <= now else ()))
    if salesforce.file is not None and salesforce.file.waits:
        return Wait(BUSY, now + _LOOK_AGAIN)
    if salesforce.key is None and not is_opted_in(rules.table, salesforce):
        return Nothing()
    return _left_alone(rules, link, seen) or _wanted(rules, salesforce)


def _wanted(rules: Rules, salesforce: Snapshot) -> LinkTo | Create | Incomplete:
    """Say how a record of Salesforce's that names one of DrChrono's, or is to become one, gets there."""
    if salesforce.key is None:
        return plan_create(rules, salesforce)
    is_chart = is_record_id(salesforce.key)
    return LinkTo(salesforce.key) if is_chart else Incomplete(refused={EXTERNAL_ID: NOT_AN_ID})


def _asked(rules: Rules, link: Link, now: datetime) -> Wait:
    """Have DrChrono asked: at once, or, where it has yet to show what it took of us, once a read need not be stale."""
    when = now + rules.confirm_after if link.unconfirmed_fields else now
    return Wait(ASK, link.confirm_due_at or when)


def _is_answer(drchrono: Snapshot | Absent | NeedsConfirmation | NothingNew) -> bool:
    """Say whether DrChrono itself was asked and answered."""
    return isinstance(drchrono, Absent) or (isinstance(drchrono, Snapshot) and drchrono.confirmed)


def _settled(rules: Rules, link: Link, seen: Seen, now: datetime, late: LateLandings) -> Plan:
    """Say what is to be done when no write of ours is waited for, with the parents that are there."""
    alone = _left_alone(rules, link, seen)
    return with_parents(rules, _opted_in(rules, link, seen, now, late), seen, now) if alone is None else alone


def _left_alone(rules: Rules, link: Link, seen: Seen) -> Exclude | Follow | StayDismissed | None:
    """Say that nothing is written of a record that is out of the set, or dismissed; None where it is neither."""
    if (out := left_out(rules, link, seen)) is not None:
        return out
    return StayDismissed() if is_left_dismissed(rules, link, seen) else None


def left_out(rules: Rules, link: Link, seen: Seen) -> Exclude | Follow | None:
    """Say that nothing is written of a record that is out of the set that is synced; None where it is in it.

    Each side speaks for itself as it was just seen, else as it was when last looked at. A doubted body says nothing,
    and DrChrono is asked, unless Salesforce or a person keeps the record out whatever DrChrono holds. Nothing that is
    out is deleted, nor is a deletion of it carried over; the link of a Contact that was merged follows to the other.
    """
    drchrono, salesforce = seen.drchrono, seen.salesforce
    by = frozenset(out for out in Exclusion if _keeps_out(out, rules, link, seen))
    is_doubted = link.drchrono_id is not None and isinstance(drchrono, NeedsConfirmation)
    if not by or (is_doubted and not by & {Exclusion.SALESFORCE, Exclusion.PERSON}):
        return None
    master = salesforce.master if isinstance(salesforce, Deleted) else None
    if master is not None and master.key in (None, link.drchrono_id):
        return Follow(master)
    is_gone = isinstance(drchrono, Absent) or (isinstance(drchrono, Snapshot) and is_no_more(rules, drchrono))
    deleted_on = Side.DRCHRONO if is_gone else None
    if link.salesforce_id is not None and not isinstance(salesforce, Snapshot):
        deleted_on = Side.SALESFORCE
    told = {ref for ref in _left_out_parents(rules, seen) if ref in seen.excluded or ref.side is Side.SALESFORCE}
    return Exclude(by, deleted_on, tuple(sorted(told)))  # of the others nobody says when they are back


def _keeps_out(out: Exclusion, rules: Rules, link: Link, seen: Seen) -> bool:
    """Say whether a record is kept out by this."""
    was_out = out in link.excluded_by
    if out is Exclusion.PERSON:
        return is_unlinked(link, seen.card)
    if out is Exclusion.PARENT:
        return was_out if _speaker(seen) is None else bool(_left_out_parents(rules, seen))
    snapshot = seen.drchrono if out is Exclusion.DRCHRONO else seen.salesforce
    said = snapshot.is_included if isinstance(snapshot, Snapshot) else None
    return (was_out and rules.table.asks(Side(out.value))) if said is None else not said


def _speaker(seen: Seen) -> Snapshot | None:
    """Give the side that says what a record refers to: DrChrono where it was seen, else Salesforce."""
    return next((one for one in (seen.drchrono, seen.salesforce) if isinstance(one, Snapshot)), None)


def _left_out_parents(rules: Rules, seen: Seen) -> frozenset[RecordRef]:
    """Give the records that a record is nothing without and that are out, by our own links or by what Salesforce shows.

    What Salesforce shows of one counts only where DrChrono names no other.
    """
    snapshot, table = _speaker(seen), rules.table
    if snapshot is None:
        return frozenset()
    needed = {name for name in table.parents if table.rows[name].is_required}
    out = table.refs(snapshot, needed) & seen.excluded
    if not isinstance(seen.salesforce, Snapshot):
        return out
    shown = needed & seen.salesforce.excluded
    return out | (table.refs(seen.salesforce, shown) & table.refs(snapshot, shown))


def _opted_in(rules: Rules, link: Link, seen: Seen, now: datetime, late: LateLandings) -> Plan:
    """Say what is to be done were all its parents there."""
    drchrono, salesforce = seen.drchrono, seen.salesforce
    if isinstance(salesforce, Snapshot) and _names_another(link, salesforce):
        return Hold(OTHER_KEY)
    if isinstance(drchrono, NeedsConfirmation):
        return Wait(drchrono.reason, link.confirm_due_at or now + rules.confirm_after)
    if isinstance(drchrono, Absent) or (isinstance(drchrono, Snapshot) and is_no_more(rules, drchrono)):
        return gone_in_drchrono(rules, link, drchrono, salesforce)
    is_asked = isinstance(drchrono, Snapshot) and drchrono.confirmed
    if isinstance(salesforce, Snapshot):
        return _with_key(link, _both_there(rules, link, seen, salesforce, now, late), drchrono, salesforce)
    if link.salesforce_id is not None:
        gone = gone_in_salesforce(rules, link, drchrono, salesforce, is_asked=is_asked)
        return gone or _asked(rules, link, now)
    if isinstance(drchrono, NothingNew) or (seen.predecessor is not None and not is_asked):
        return _asked(rules, link, now)
    return Succeed(seen.predecessor) if seen.predecessor else created(rules, drchrono)


def _names_another(link: Link, salesforce: Snapshot) -> bool:
    """Say whether the record names another of DrChrono's than it is linked to.

    A visit may have changed its id, and a new version of a File has that of the version before.
    """
    return link.kind not in MAY_NAME_ANOTHER and salesforce.key not in (None, link.drchrono_id)


def _both_there(
    rules: Rules, link: Link, seen: Seen, salesforce: Snapshot, now: datetime, late: LateLandings
) -> Write | Nothing | Wait:
    """Say what two records that are there make of each other; what a person decided is weighed by DrChrono's word."""
    drchrono = seen.drchrono
    if not isinstance(drchrono, Snapshot):
        # what was heard while it waited for a person, or was left out, is used up, and was never agreed on
        is_used_up = link.is_failed or link.excluded_by or seen.decided
        edited = None if is_used_up else edited_in_salesforce(rules, link, salesforce)
        return edited or _asked(rules, link, now)
    plan = merge_of(rules, link, drchrono, salesforce, seen.decided, late)
    must_be = bool(seen.decided) or must_be_asked(rules.table, plan)
    return _asked(rules, link, now) if not drchrono.confirmed and must_be else plan


def _with_key(
    link: Link, plan: Write | Nothing | Wait, drchrono: Snapshot | NothingNew, salesforce: Snapshot
) -> Write | Nothing | Wait:
    """Have a Contact that does not say whose it is say so; by that it is found, whatever becomes of us.

    Where both have agreed before, that need not wait for DrChrono's word.
    """
    if salesforce.key == link.drchrono_id or (isinstance(plan, Wait) and isinstance(drchrono, Snapshot)):
        return plan
    write = Write({}, plan.compared, awaits=plan.awaits) if isinstance(plan, Nothing) else plan
    return replace(write, writes_key=True)


def with_parents(rules: Rules, plan: Plan, seen: Seen, now: datetime) -> Plan:
    """Give the plan as it can be carried out with the parents that are there."""
    if not isinstance(plan, Write | Create):
        return plan
    if isinstance(plan, Write) and (waits := _without_record(rules, plan, seen, now)) is not None:
        return waits
    fields = planned_writes(plan).get(Side.SALESFORCE, {})
    refs = {
        name: (kind, value) for name, kind in rules.table.parents.items() if (value := fields.get(name)) is not None
    }
    missing = {name: ref for name, ref in refs.items() if seen.parents.get(ref, Parent.LINKED) is not Parent.LINKED}
    if not missing:
        return whole(rules, plan)
    here = tuple(dict.fromkeys(RecordRef(Side.DRCHRONO, kind, id_) for kind, id_ in missing.values()))
    awaits = (*plan.awaits, *here)
    if any(seen.parents[ref] is Parent.COMING for ref in missing.values()):
        writes_key = isinstance(plan, Write) and plan.writes_key  # whose it is can be said before its parents are there
        return Wait(NO_PARENT, now + _LOOK_AGAIN, awaits, writes_key=writes_key)
    left = {name: value for name, value in fields.items() if name not in missing}
    is_out = {name for name, (kind, id_) in missing.items() if RecordRef(Side.DRCHRONO, kind, id_) in seen.excluded}
    refused = {
        name: PARENT_DISMISSED if RecordRef(Side.DRCHRONO, *ref) in seen.dismissed else NO_PARENT
        for name, ref in missing.items()
        if name not in is_out
    }
    if isinstance(plan, Create):
        return whole(rules, replace(plan, fields=left, refused={**plan.refused, **refused}, awaits=awaits))
    writes = {side: left if side is Side.SALESFORCE else wanted for side, wanted in plan.writes.items()}
    writes = {side: wanted for side, wanted in writes.items() if wanted}
    compared = replace(plan.compared, refused={**plan.compared.refused, **refused})
    return whole(rules, replace(plan, writes=writes, compared=compared, awaits=awaits))


def _without_record(rules: Rules, plan: Write, seen: Seen, now: datetime) -> Wait | Write | Nothing | None:
    """Have a File wait with its patient, whose record has gone, unless it moves to another; None where it need not."""
    gone = patient_without_record(rules.table, seen.salesforce) if isinstance(seen.salesforce, Snapshot) else None
    fields, row = plan.writes.get(Side.SALESFORCE, {}), rules.table.row_of("patient")
    if gone is None or row is None or row.name in fields or not (fields or plan.writes_key):
        return None
    if seen.parents.get((gone.kind, gone.id)) is not Parent.NEVER:
        return Wait(NO_PARENT, now + _LOOK_AGAIN, (gone,))
    compared = replace(plan.compared, refused={**plan.compared.refused, row.name: NO_PARENT})
    writes = {side: {} if side is Side.SALESFORCE else wanted for side, wanted in plan.writes.items()}
    left = replace(plan, writes=writes, compared=compared, writes_key=False, awaits=(*plan.awaits, gone))
    return left if any(writes.values()) else Nothing(compared=compared, awaits=left.awaits)


def whole(rules: Rules, plan: Write | Create) -> Write | Create | Nothing | Incomplete:
    """Give the plan without a create that would lack what it is nothing without: a parent, or its time."""
    if isinstance(plan, Write):
        is_empty = not plan.writes and not plan.writes_key
        return Nothing(compared=plan.compared, awaits=plan.awaits) if is_empty else plan
    lacks = any(
        (row := rules.table.rows[name]).is_required and (row.parent or row.options.zone) for name in plan.refused
    )
    return Incomplete(refused=plan.refused, flags=plan.flags, awaits=plan.awaits) if lacks else plan
