"""To DrChrono: one record a call, and only the fields that changed.

A create there cannot be repeated. A visit that is in the way of a new one may be that very one, made by an attempt
whose answer never came: then it is the answer.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from app.errors import BatchFailed, OutcomeUnknown, Rejected, SyncError, Unauthorized, Unexpected
from app.sync.failure_causes import OVERLAPS, UNEXPECTED
from app.sync.identity import alike
from app.sync.mappings.table import Table
from app.sync.model import Side, Snapshot
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from app.vendors.salesforce.wire import RecordRefused, Saved
from workers.batch import Answered, Batch, PreparedWrite, Written
from workers.bisection import one_by_one, side_by_side
from workers.lease import Lease


async def patch(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Send each record its changed fields, and give what was answered of each, in their order."""

    async def one(write: PreparedWrite) -> Answered:
        assert write.id is not None
        if batch.drchrono is None:
            return Unauthorized(write.side.value, "PATCH", code="NOT_CONNECTED")
        table = batch.rules.table
        try:
            raw = table.write(Side.DRCHRONO, write.fields)[0]
            await batch.drchrono.update(table.path, write.id, raw, lease.must_outlast_a_write)
        except Rejected as error:
            return refused_record(table, error)
        except SyncError as error:
            return error
        return Saved(write.id, created=False)

    return await _each(writes, one)


async def post(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Create each record, and give what was answered of each, in their order, with what DrChrono showed."""

    async def one(write: PreparedWrite) -> Answered:
        table = batch.rules.table
        if batch.drchrono is None:
            return Unauthorized(write.side.value, "POST", code="NOT_CONNECTED")
        raw = {**write.beside, **table.write(Side.DRCHRONO, write.fields)[0]}
        try:
            made = await batch.drchrono.create(table.path, raw, lease.must_outlast_a_write)
        except Rejected as error:
            try:
                ours = await _our_first_attempt(batch, write, error)
            except SyncError as unseen:
                return unseen
            if ours is None:
                return refused_record(table, error)
            made = ours
        except SyncError as error:
            return error
        id_ = wire.record_id(made)
        shown = one_by_one({write.link.id: made}, lambda raw: SideReader(table).drchrono(id_, raw, wire.version(raw)))
        there = shown[write.link.id]  # it is there, also where nothing can be made of how it was shown
        there = Snapshot(id_, {}) if isinstance(there, SyncError) else there
        return Written(id_, True, write.fields, write.without, there, write.message)

    return await _each(writes, one)


async def _each(
    writes: Sequence[PreparedWrite], send: Callable[[PreparedWrite], Awaitable[Answered]]
) -> Sequence[Answered]:
    """Send writes side by side; one that nobody foresaw the end of may have happened."""
    answers = await side_by_side({write.link.id: write for write in writes}, send)
    unknown = OutcomeUnknown(Side.DRCHRONO.value, "PATCH or POST", code=UNEXPECTED)
    return [unknown if isinstance(one, Unexpected | BatchFailed) else one for one in answers.values()]


async def _our_first_attempt(batch: Batch, write: PreparedWrite, error: Rejected) -> dict[str, Any] | None:
    """Give the visit that is in the way of a new one, when it is that very one, made by an attempt nobody answered."""
    assert batch.drchrono is not None
    if not error.code.startswith(OVERLAPS):
        return None
    table = batch.rules.table
    record = await batch.drchrono.read(table.path, error.code.removeprefix(OVERLAPS))
    if record is None:
        return None
    snapshot = SideReader(table).drchrono(wire.record_id(record), record)
    return record if alike(table, write.fields, [snapshot]) else None


def refused_record(table: Table, error: Rejected) -> RecordRefused | Rejected:
    """Give what a record was refused for; a visit in the way is in the way of its time."""
    if error.code.startswith(OVERLAPS):
        times = [row.names[Side.DRCHRONO] for row in table.rows.values() if row.options.zone]
        return RecordRefused(error.code, tuple(times), message=error.message)
    return RecordRefused(error.cause, error.fields, message=error.message) if error.fields else error
