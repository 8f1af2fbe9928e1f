"""To Salesforce: many records a call, each answered for itself.

What Salesforce does not know yet is upserted by our external id, which is how creating stays idempotent; a linked
record is updated by its Id, which never brings a deleted one back.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.sync.mappings.table import Table
from app.sync.model import Side
from app.vendors.salesforce import soap_merge
from app.vendors.salesforce.soap_merge import MergePair
from app.vendors.salesforce.wire import Saved
from workers.batch import Answered, Batch, PreparedWrite
from workers.lease import Lease


async def create(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Upsert each record by our external id, and give what was answered of each, in their order."""
    lease.must_outlast_a_write()
    table = batch.rules.table
    return await batch.salesforce.upsert(
        table.object, table.external_id, [record_to_create(table, write) for write in writes]
    )


async def update(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Update each record by its Id, and give what was answered of each, in their order."""
    lease.must_outlast_a_write()
    table = batch.rules.table
    return await batch.salesforce.update(table.object, [record_to_update(table, write) for write in writes])


async def delete(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Delete each record by its Id, and give what was answered of each, in their order."""
    lease.must_outlast_a_write()
    return await batch.salesforce.delete([write.id or "" for write in writes])


async def merge(batch: Batch, lease: Lease, writes: Sequence[PreparedWrite]) -> Sequence[Answered]:
    """Merge each record into the one that stays, and give what was answered of each, in their order."""
    lease.must_outlast_a_write()
    asked = [MergePair(write.id or "", write.beside) for write in writes]
    answers = await soap_merge.merge(batch.salesforce, batch.rules.table.object, asked)
    return [
        replace(answer, id=write.id or "") if isinstance(answer, Saved) else answer
        for write, answer in zip(writes, answers, strict=True)
    ]


def record_to_create(table: Table, write: PreparedWrite) -> dict[str, Any]:
    """Give the record that a create upserts."""
    return {table.external_id: write.link.drchrono_id, **table.constants, **_raw(table, write)}


def record_to_update(table: Table, write: PreparedWrite) -> dict[str, Any]:
    """Give what an update changes of a record, with the `id` of it."""
    return {"id": write.id, **write.beside, **_raw(table, write)}


def _raw(table: Table, write: PreparedWrite) -> dict[str, Any]:
    return table.write(Side.SALESFORCE, write.fields, write.zone)[0]
