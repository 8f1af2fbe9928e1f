"""Write: journal *planned*, call, journal the answer; the records of a batch succeed and fail one by one.

A record refused for the sake of named fields is sent again without them, as a write of its own, so that one bad value
does not hold up the others. What is to be written is made in `write_plan.py`; how each side takes it is in
`send_drchrono.py`, `send_salesforce.py` and, of documents, `send_documents.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from app.errors import (
    LeaseLost,
    OutcomeUnknown,
    Rejected,
    StoreUnavailable,
    SyncError,
    Unreadable,
    ValueRefused,
    VendorError,
)
from app.log import log
from app.store import journal
from app.store.journal import Answer
from app.sync.create import needed
from app.sync.failure_causes import UNEXPECTED
from app.sync.model import UPLOAD, Kind, Side, WriteState
from app.sync.plan import ReadyPlan, planned_writes
from app.sync.vendor_messages import values_of, without_values
from app.vendors.salesforce.call_sizes import MOST_RECORDS
from app.vendors.salesforce.wire import RecordRefused, Saved
from workers import bulk_jobs, send_documents, send_drchrono, send_salesforce
from workers.batch import Answered, Batch, Observed, PreparedWrite, WriteAnswer, Written
from workers.bisection import halved, one_by_one
from workers.bulk_jobs import JobWrites
from workers.lease import Lease
from workers.write_plan import prepare_writes, sendable

_WRITES_IN_A_ROW = 8  # each of a row would need a GET or a search, should we die in it


Send = Callable[[Batch, Lease, Sequence[PreparedWrite]], Awaitable[Sequence[Answered]]]


@dataclass(frozen=True, slots=True)
class Senders:
    """How each call of a kind is made, at DrChrono and in Salesforce."""

    patch: Send
    post: Send
    create: Send
    update: Send
    delete: Send
    merge: Send = send_salesforce.merge


_OF_ROWS = Senders(
    send_drchrono.patch, send_drchrono.post, send_salesforce.create, send_salesforce.update, send_salesforce.delete
)
_OF_DOCUMENTS = Senders(
    send_documents.patch, send_documents.post, send_documents.create, send_documents.update, send_documents.delete
)


async def execute(
    batch: Batch, lease: Lease, observed: Sequence[Observed], plans: Mapping[str, ReadyPlan | SyncError]
) -> dict[str, dict[Side, WriteAnswer]]:
    """Write what the plans say; link id -> side -> what became of it. Links without a write are left out."""
    looks = {one.link.id: one for one in observed}

    def prepare(one: Observed) -> list[PreparedWrite]:
        return [sendable(batch.rules.table, write) for write in prepare_writes(batch, one, plans.get(one.link.id))]

    prepared = one_by_one(looks, prepare)
    planned = [write for writes in prepared.values() if not isinstance(writes, SyncError) for write in writes]
    patches = [one for one in planned if one.side is Side.DRCHRONO and one.id is not None]
    patches, late = patches[:MOST_RECORDS], patches[MOST_RECORDS:]  # no record is held for so long
    posts = [one for one in planned if one.side is Side.DRCHRONO and one.id is None]
    creates = [one for one in planned if one.side is Side.SALESFORCE and one.id is None]
    there = [one for one in planned if one.side is Side.SALESFORCE and one.id is not None]
    deletes = [one for one in there if one.entry.call == "delete"]
    merges = [one for one in there if one.entry.call == "merge"]
    updates = [one for one in there if one.entry.call not in ("delete", "merge")]
    is_of_documents = batch.rules.table.kind is Kind.DOCUMENT  # which no job takes
    send = _OF_DOCUMENTS if is_of_documents else _OF_ROWS
    made: list[JobWrites] = []
    changed: list[JobWrites] = []
    if not is_of_documents:
        made, creates = bulk_jobs.split_jobs(batch, creates, is_create=True)
        changed, updates = bulk_jobs.split_jobs(batch, updates, is_create=False)
    salesforce = [
        *(_by_job(batch, lease, send_salesforce.create, lot) for lot in made),
        *(_by_job(batch, lease, send_salesforce.update, lot) for lot in changed),
        _in_calls(batch, lease, send.create, creates),
        _in_calls(batch, lease, send.update, updates),
        _in_calls(batch, lease, send.delete, deletes),
        _in_calls(batch, lease, send.merge, merges),
    ]
    drchrono = [_in_rows(batch, lease, one, writes) for one, writes in ((send.patch, patches), (send.post, posts))]
    patched, posted, *found = await asyncio.gather(*drchrono, *salesforce)
    patched |= dict.fromkeys((one.link.id for one in late), LeaseLost("too many for one pass"))
    outcomes: dict[str, dict[Side, WriteAnswer]] = {
        link_id: {_side_of(plans[link_id]): error}
        for link_id, error in prepared.items()
        if isinstance(error, SyncError)
    }
    for side, answered in ((Side.DRCHRONO, patched | posted), *((Side.SALESFORCE, one) for one in found)):
        for link_id, outcome in answered.items():
            outcomes.setdefault(link_id, {})[side] = outcome
    return outcomes


def _side_of(plan: ReadyPlan | SyncError) -> Side:
    """Give the side that a plan whose writes could not be made would have written to."""
    sides = () if isinstance(plan, SyncError) else planned_writes(plan)
    return next(iter(sides), Side.SALESFORCE)


async def _in_rows(batch: Batch, lease: Lease, send: Send, writes: Sequence[PreparedWrite]) -> dict[str, WriteAnswer]:
    """Write to DrChrono row after row, each planned only when its turn has come: it takes four calls a second."""
    outcomes: dict[str, WriteAnswer] = {}
    for at in range(0, len(writes), _WRITES_IN_A_ROW):
        outcomes |= await _journalled(batch, lease, send, writes[at : at + _WRITES_IN_A_ROW])
    return outcomes


async def _in_calls(batch: Batch, lease: Lease, send: Send, writes: Sequence[PreparedWrite]) -> dict[str, WriteAnswer]:
    """Write to Salesforce, 200 records a call; or as many as the org's own code lets through."""
    parts = [writes[at : at + MOST_RECORDS] for at in range(0, len(writes), MOST_RECORDS)]
    found = await asyncio.gather(*(_journalled(batch, lease, send, part) for part in parts))
    return {link_id: outcome for one in found for link_id, outcome in one.items()}


async def _by_job(batch: Batch, lease: Lease, send: Send, lot: JobWrites) -> dict[str, WriteAnswer]:
    """Write a lot by one job of Salesforce's; what a job does not do for it goes in calls."""
    database, writes = batch.runtime.database, list(lot.writes.values())
    try:
        job = await bulk_jobs.open_job(batch, lot)
    except (Rejected, Unreadable):  # jobs are not for us in this org, or not for this object
        return await _in_calls(batch, lease, send, writes)
    except SyncError as error:
        return dict.fromkeys((write.link.id for write in writes), error)
    try:
        ours = await journal.plan(database, lease.token, [write.entry for write in writes], bulk_jobs.KEPT, job)
    except ValueRefused:  # one of them; in calls it is found by halving
        await bulk_jobs.abort_job(batch, job)
        return await _in_calls(batch, lease, send, writes)
    if len(ours) == len(writes):
        outcomes = await _followed(bulk_jobs.run_job(batch, lease, lot, job), writes)
        outcomes = await send_salesforce.of_the_org(batch, outcomes)
    else:
        await bulk_jobs.abort_job(batch, job)
        outcomes = dict.fromkeys((write.link.id for write in writes), LeaseLost("the lease ran out before its job"))
    await _journal_answers(batch, [write for write in writes if write.link.id in ours], outcomes)
    again = [kept for write in writes if (kept := _for_calls(batch, write, outcomes[write.link.id]))]
    return outcomes | await _in_calls(batch, lease, send, again)


def _for_calls(batch: Batch, write: PreparedWrite, outcome: WriteAnswer) -> PreparedWrite | None:
    """Give what is left to be written of a record in a call, after a job; None where nothing is."""
    if isinstance(outcome, RecordRefused) and bulk_jobs.goes_in_calls(outcome):
        return replace(write, entry=journal.again(write.entry, batch.runtime.vault))
    return _without_refused(batch, write, outcome)


async def _journalled(
    batch: Batch, lease: Lease, send: Send, planned: Sequence[PreparedWrite]
) -> dict[str, WriteAnswer]:
    """Write records of one side: journal them as planned, send them, journal what was answered.

    What cannot be journalled of a record is that record's failure, and nothing of it was sent.
    """
    database, known = batch.runtime.database, batch.runtime.settings
    is_drchrono = planned[0].side is Side.DRCHRONO
    limit = known.drchrono_request_limit if is_drchrono else known.salesforce_request_limit
    if planned[0].entry.call == UPLOAD:
        limit += timedelta(seconds=batch.runtime.timings.transfer_s)

    async def plan(part: Mapping[str, PreparedWrite]) -> dict[str, bool]:
        ours = await journal.plan(database, lease.token, [write.entry for write in part.values()], limit)
        return {link_id: link_id in ours for link_id in part}

    journalled = await halved({write.link.id: write for write in planned}, plan)
    lost = LeaseLost("the lease ran out before its write could start")
    outcomes: dict[str, WriteAnswer] = {
        link_id: found if isinstance(found, SyncError) else lost
        for link_id, found in journalled.items()
        if found is not True
    }
    writes = [write for write in planned if write.link.id not in outcomes]
    outcomes |= await _sent(batch, lease, send, writes)
    await _journal_answers(batch, writes, outcomes)
    again = [kept for write in writes if (kept := _without_refused(batch, write, outcomes[write.link.id]))]
    return outcomes | (await _journalled(batch, lease, send, again) if again else {})


async def _journal_answers(batch: Batch, writes: Sequence[PreparedWrite], outcomes: Mapping[str, WriteAnswer]) -> None:
    """Journal what was answered; a write whose answer cannot be journalled stays open there, and is looked for."""

    async def answer(part: Mapping[str, PreparedWrite]) -> dict[str, bool]:
        await journal.answer(batch.runtime.database, [_answer(one, outcomes[id_]) for id_, one in part.items()])
        return dict.fromkeys(part, True)

    await halved({write.link.id: write for write in writes}, answer)


async def _sent(batch: Batch, lease: Lease, send: Send, writes: Sequence[PreparedWrite]) -> dict[str, WriteAnswer]:
    async def call(part: Sequence[PreparedWrite]) -> dict[str, WriteAnswer]:
        return await _called(batch, lease, send, part)

    if not writes or writes[0].side is Side.DRCHRONO:
        return await call(writes)
    if batch.rules.table.kind is Kind.DOCUMENT:  # one by one as it is: a smaller call says nothing more
        return await send_salesforce.of_the_org(batch, await call(writes))
    return await send_salesforce.in_smaller_calls(batch, call, writes)


async def _called(batch: Batch, lease: Lease, send: Send, writes: Sequence[PreparedWrite]) -> dict[str, WriteAnswer]:
    """Send writes at once; what the whole call is refused for is told of each."""
    if not writes:
        return {}
    try:
        results = await send(batch, lease, writes)
    except SyncError as error:
        if isinstance(error, VendorError):  # what is said of a call may quote any of its records
            error.message = without_values(error.message, values_of(*(write.fields for write in writes)))
        return {write.link.id: _outcome(write, error) for write in writes}
    except Exception:  # noqa: BLE001 - it was on its way: whatever it is, every one of them may have been written
        return _all_unknown(writes)
    return {write.link.id: _outcome(write, result) for write, result in zip(writes, results, strict=True)}


def _outcome(write: PreparedWrite, answered: Answered) -> WriteAnswer:
    """Give what became of a write; a database that went away in mid-call says nothing of what the vendor has done."""
    if isinstance(answered, Saved):
        return Written(answered.id, answered.created, write.fields, write.without, message=write.message)
    if isinstance(answered, StoreUnavailable):
        return OutcomeUnknown(write.side.value, write.entry.call, code=UNEXPECTED)
    return answered


async def _followed(job: Awaitable[dict[str, WriteAnswer]], writes: Sequence[PreparedWrite]) -> dict[str, WriteAnswer]:
    """Give what a job says of its writes; where that cannot be followed any more, they are looked for."""
    try:
        return await job
    except SyncError:
        raise
    except Exception:  # noqa: BLE001 - the job goes on without us
        return _all_unknown(writes)


def _all_unknown(writes: Sequence[PreparedWrite]) -> dict[str, WriteAnswer]:
    """Give writes that nobody knows the outcome of, and log the error that is being handled."""
    log.exception("write.unexpected", side=writes[0].side.value, records=len(writes))
    unknown = OutcomeUnknown(writes[0].side.value, writes[0].entry.call, code=UNEXPECTED)
    return dict.fromkeys((write.link.id for write in writes), unknown)


def _without_refused(batch: Batch, write: PreparedWrite, outcome: WriteAnswer) -> PreparedWrite | None:
    """Give the write without the fields it was refused for; None when it was not, or nothing would be left.

    What can be written in another way is sent so first. A required field is named because it lacks, so leaving it out
    would not help.
    """
    if not isinstance(outcome, RecordRefused) or outcome.code == "REQUIRED_FIELD_MISSING":
        return None
    table, blamed = batch.rules.table, set(outcome.fields)
    rows = [row for row in table.rows.values() if row.name in write.fields and blamed & {*row.called(write.side)}]
    is_ours = write.side is Side.SALESFORCE
    anew = {row.name: again for row in rows if is_ours and (again := row.respelled(write.fields[row.name]))}
    refused = {row.name: outcome.code for row in rows if row.name not in anew}
    kept = {name: anew.get(name, value) for name, value in write.fields.items() if name not in refused}
    is_needed = write.entry.sent is not None and bool(needed(table) & refused.keys())
    if not rows or not kept or is_needed:
        return None
    stamps = {name: pair for name, pair in write.entry.stamps.items() if name not in refused}
    why = {name: reason for name, reason in write.entry.why.items() if name in kept}
    decided = tuple(one for one in write.entry.conflicts if one.field in kept)
    less = replace(write.entry, stamps=stamps, why=why, conflicts=decided)
    entry = journal.again(less, batch.runtime.vault)
    message = write.message or outcome.message
    return replace(write, entry=entry, fields=kept, without={**write.without, **refused}, message=message)


def _answer(write: PreparedWrite, outcome: WriteAnswer) -> Answer:
    match outcome:
        case Written():
            made = outcome.id if write.entry.sent is not None else None
            return Answer(write.entry.id, WriteState.CONFIRMED, record_id=made)
        case RecordRefused():
            return Answer(write.entry.id, WriteState.REFUSED, outcome.code)
        case OutcomeUnknown():
            return Answer(write.entry.id, WriteState.UNKNOWN, outcome.cause)
        case _:
            return Answer(write.entry.id, WriteState.REFUSED, type(outcome).__name__)
