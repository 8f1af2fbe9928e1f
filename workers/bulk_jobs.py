"""Many writes to Salesforce by one of its jobs, in place of 200 a call; and what became of the jobs of dead workers.

A job writes nothing before it is closed, so it is filled first, its writes are journalled next, and closing it is the
write. From then on it goes on by itself for as long as Salesforce likes, also when we are dead: so its writes are not
settled by the clock. Whoever takes such a record next asks for the job, and calls it off where it is not over.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from app.errors import OutcomeUnknown, Rejected, SyncError, Unreadable
from app.store import journal
from app.store.work_queue import Due
from app.sync.failure_causes import look_up
from app.sync.mappings.codecs import is_record_id
from app.sync.model import BULKY, RefusalScope, Side
from app.vendors.salesforce import bulk_jobs
from app.vendors.salesforce.bulk_jobs import ABORTED, OVER, BulkJobs
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.wire import RecordRefused, Saved
from workers import send_salesforce
from workers.batch import Batch, Observed, PreparedWrite, WriteAnswer, Written
from workers.lease import Lease

KEPT = timedelta(days=7)  # Salesforce keeps no job for longer
NOT_COME_TO = "job_failed"  # the job ended before it came to the record: nothing was written
_IN_CALLS = frozenset({NOT_COME_TO, "DUPLICATES_DETECTED"})
_SIDE = Side.SALESFORCE.value
_UNTOLD, _CALLED_OFF = "NO_RESULT", "JOB_ABORTED"


@dataclass(frozen=True, slots=True)
class JobWrites:
    """The writes of one job, by their key in it, and its CSV. `is_create`: upserted by our external id."""

    writes: Mapping[str, PreparedWrite]
    uploaded: str
    is_create: bool


def split_jobs(
    batch: Batch, writes: Sequence[PreparedWrite], *, is_create: bool
) -> tuple[list[JobWrites], list[PreparedWrite]]:
    """Give the writes that go by jobs, and those that go in calls: all where they are too few, or of an urgent lane.

    Updates of one job change the same fields, creates name the same kinds of parents: no cell that counts is empty.
    """
    patience = batch.salesforce.patience
    if batch.leased.lane not in BULKY or len(writes) <= patience.above:
        return [], list(writes)
    groups: defaultdict[frozenset[str], list[tuple[PreparedWrite, dict[str, str]]]] = defaultdict(list)
    rest: list[PreparedWrite] = []
    for write in writes:
        cells = bulk_jobs.cells(_record(batch, write, is_create=is_create))
        if cells is None:
            rest.append(write)
            continue
        shape = frozenset(name for name in cells if "." in name) if is_create else frozenset(cells)
        groups[shape].append((write, cells))
    found: list[JobWrites] = []
    for group in groups.values():
        if len(group) <= patience.above:
            rest += [write for write, _ in group]
        else:
            found += _cut(group, _key(batch, is_create=is_create), is_create=is_create)
    return found, rest


def goes_in_calls(refused: RecordRefused) -> bool:
    """Say whether what a job refused may go in a call, which can pass an alert and be as small as need be."""
    return refused.code in _IN_CALLS or look_up(refused.code).scope is RefusalScope.CALL


async def open_job(batch: Batch, lot: JobWrites) -> str:
    """Have a job that holds the records of a lot and has written none of them; gives its id.

    Raises  Unavailable, Unauthorized, Rejected, Unreadable
    """
    table = batch.rules.table
    return await BulkJobs(batch.salesforce).begun(
        table.object, table.external_id if lot.is_create else None, lot.uploaded
    )


async def abort_job(batch: Batch, job: str) -> bool:
    """Call off a job that was never closed, and say whether it is; one that stays open does no harm."""
    try:
        await BulkJobs(batch.salesforce).abort(job)
    except SyncError:
        return False
    return True


async def run_job(batch: Batch, lease: Lease, lot: JobWrites, job: str) -> dict[str, WriteAnswer]:
    """Have a job write its records, and give by link what became of each."""
    try:
        lease.must_outlast_a_write()
        await BulkJobs(batch.salesforce).close(job)
    except OutcomeUnknown:
        pass  # the job itself says whether it was closed
    except Rejected:
        await abort_job(batch, job)
        return {write.link.id: RecordRefused(NOT_COME_TO) for write in lot.writes.values()}
    except SyncError as error:
        # an answer that says no is believed only where the job was called off: else it may be closed all the same
        told = error if await abort_job(batch, job) else OutcomeUnknown(_SIDE, "PATCH jobs/ingest", code=_CALLED_OFF)
        return {write.link.id: told for write in lot.writes.values()}
    return await _followed(batch, lot, job)


async def update_by_job(
    org: Salesforce, table: str, records: Sequence[Mapping[str, Any]]
) -> Mapping[str, Saved | RecordRefused]:
    """Have a job update records by the `id` each one carries, and give by it what became of those it came to.

    For what is not journalled: whoever dies on the way writes it again.
    Raises  Unavailable, OutcomeUnknown, Unauthorized, Rejected, Unreadable
    """
    jobs, patience = BulkJobs(org), org.patience
    named = ({("Id" if name == "id" else name): value for name, value in record.items()} for record in records)
    rows = [row for record in named if (row := bulk_jobs.cells(record)) is not None]
    job = await jobs.begun(table, None, bulk_jobs.written(rows))
    await jobs.close(job)
    until, waits, wait_s = monotonic() + patience.longest_s, iter(patience.looks_s), 0.0
    while monotonic() < until:
        wait_s = next(waits, wait_s)
        await asyncio.sleep(wait_s)
        if await jobs.state(job) in OVER:
            break
    await jobs.ended(job)
    return (await jobs.results(job, "Id", {name for record in records for name in record})).answered


async def settle_open_jobs(batch: Batch) -> tuple[Batch, list[Observed]]:
    """Give the pass with no write in it that is still in a job, and, with why, the links of which that was not found.

    What a job that was called off had under way may end a little later; of one that has ended all is written.
    """
    jobs: defaultdict[str, list[str]] = defaultdict(list)
    for due in batch.leased.due:
        for write in due.link.own_writes:
            if write.job:
                jobs[write.job].append(due.link.id)
    settled: dict[str, datetime] = {}
    failed: dict[str, SyncError] = {}
    for job, link_ids in jobs.items():
        try:
            is_called_off = await BulkJobs(batch.salesforce).ended(job) == ABORTED
        except SyncError as error:
            failed |= dict.fromkeys(link_ids, error)
            continue
        settle_in = batch.runtime.settings.salesforce_request_limit if is_called_off else timedelta(0)
        await journal.close_job(batch.runtime.database, link_ids, job, settle_in)
        settled[job] = batch.leased.now + settle_in
    if not jobs:
        return batch, []
    well = tuple(_settled(due, settled) for due in batch.leased.due if due.link.id not in failed)
    ill = [Observed(due, failed[due.link.id]) for due in batch.leased.due if due.link.id in failed]
    return replace(batch, leased=replace(batch.leased, due=well)), ill


def _settled(due: Due, settled: Mapping[str, datetime]) -> Due:
    own = tuple(
        replace(one, job="", settle_at=settled[one.job]) if one.job and one.job in settled else one
        for one in due.link.own_writes
    )
    return replace(due, link=replace(due.link, own_writes=own))


async def _followed(batch: Batch, lot: JobWrites, job: str) -> dict[str, WriteAnswer]:
    """Look at a job until it is over, calling it off when that takes too long, and give what it says of each record."""
    org, table = BulkJobs(batch.salesforce), batch.rules.table
    names = {table.external_id, *(row.shown(Side.SALESFORCE) for row in table.rows.values())}
    patience, waits = batch.salesforce.patience, iter(batch.salesforce.patience.looks_s)
    until, wait_s = monotonic() + patience.longest_s, 0.0
    while monotonic() < until:
        wait_s = next(waits, wait_s)
        await asyncio.sleep(wait_s)
        try:
            state = await org.state(job)
            if state == bulk_jobs.OPEN:  # it was never closed; nor will it be
                state = await org.ended(job)
            if state in OVER:
                found = await org.results(job, _key(batch, is_create=lot.is_create), names)
                return {write.link.id: _outcome(found, key, write, state) for key, write in lot.writes.items()}
        except (Rejected, Unreadable):
            break  # asking again would not help; looking at the records tells
        except SyncError:
            continue  # it goes on without us; later we may be let in again
    with suppress(SyncError):
        await org.ended(job)
    unknown = OutcomeUnknown(_SIDE, "PATCH jobs/ingest", code=_CALLED_OFF)
    return dict.fromkeys((write.link.id for write in lot.writes.values()), unknown)


def _outcome(found: bulk_jobs.Results, key: str, write: PreparedWrite, state: str) -> WriteAnswer:
    answered = found.answered.get(key)
    if isinstance(answered, Saved) and is_record_id(answered.id, Side.SALESFORCE):
        return Written(answered.id, answered.created, write.fields, write.without, message=write.message)
    if isinstance(answered, RecordRefused):
        return answered
    if state != ABORTED and key in found.unprocessed:
        return RecordRefused(NOT_COME_TO)
    code = _CALLED_OFF if state == ABORTED else _UNTOLD  # what was under way may still end
    return OutcomeUnknown(_SIDE, "PATCH jobs/ingest", code=code)


def _cut(group: Sequence[tuple[PreparedWrite, dict[str, str]]], key: str, *, is_create: bool) -> list[JobWrites]:
    """Give a group as lots that can be uploaded within a call's deadline."""
    uploaded = bulk_jobs.written([cells for _, cells in group])
    if len(uploaded.encode()) > bulk_jobs.MOST_BYTES and len(group) > 1:
        half = len(group) // 2
        return [lot for part in (group[:half], group[half:]) for lot in _cut(part, key, is_create=is_create)]
    return [JobWrites({cells[key]: write for write, cells in group}, uploaded, is_create)]


def _record(batch: Batch, write: PreparedWrite, *, is_create: bool) -> dict[str, object]:
    record = (send_salesforce.record_to_create if is_create else send_salesforce.record_to_update)(
        batch.rules.table, write
    )
    return record if is_create else {"Id": record.pop("id"), **record}


def _key(batch: Batch, *, is_create: bool) -> str:
    return batch.rules.table.external_id if is_create else "Id"
