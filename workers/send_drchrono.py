"""To DrChrono: one record a call, and only the fields that changed.

A create there cannot be repeated. A visit that is in the way of a new one may be that very one, made by an attempt
whose answer never came: then it is the answer.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from app.errors import Rejected, SyncError, Unauthorized
from app.sync.failure_causes import OVERLAPS
from app.sync.identity import alike
from app.sync.mappings.table import Table
from app.sync.model import Side
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from app.vendors.salesforce.wire import RecordRefused, Saved
from workers.batch import Answered, Batch, PreparedWrite, Written
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
            return _refused(table, error)
        except SyncError as error:
            return error
        return Saved(write.id, created=False)

    return await asyncio.gather(*(one(write) for write in writes))


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
                return _refused(table, error)
            made = ours
        except SyncError as error:
            return error
        id_ = wire.record_id(made)
        shown = SideReader(table).drchrono(id_, made, wire.version(made))
        return Written(id_, created=True, fields=write.fields, without=write.without, shown=shown)

    return await asyncio.gather(*(one(write) for write in writes))


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


def _refused(table: Table, error: Rejected) -> RecordRefused | Rejected:
    """Give what a record was refused for; a visit in the way is in the way of its time."""
    if error.code.startswith(OVERLAPS):
        times = [row.names[Side.DRCHRONO] for row in table.rows.values() if row.options.zone]
        return RecordRefused(error.code, tuple(times))
    return RecordRefused(error.cause, error.fields) if error.fields else error
