"""To Salesforce: many records a call, each answered for itself.

What Salesforce does not know yet is upserted by our external id, which is how creating stays idempotent; a linked
record is updated by its Id, which never brings a deleted one back. A call that is refused as a whole, or whose records
all fell alike of something that may be the call's, is sent again in smaller ones.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from app.errors import Rejected, StoreUnavailable, SyncError, Unauthorized, Unavailable
from app.store import links
from app.sync.failure_causes import SALESFORCE_QUOTA_CAUSES, look_up
from app.sync.mappings.table import Table
from app.sync.model import RefusalScope, Side
from app.sync.vendor_errors import is_about_size, refuses_only_new
from app.vendors.rate_limit.salesforce import SPENT_S
from app.vendors.salesforce import soap_merge
from app.vendors.salesforce.call_sizes import CallSizes
from app.vendors.salesforce.soap_merge import MergePair
from app.vendors.salesforce.wire import RecordRefused, Saved
from workers.batch import Answered, Batch, PreparedWrite, WriteAnswer, Written
from workers.lease import Lease

_SEVERAL = 3  # records that fell alone: of fewer it may be chance that nothing goes through
Called = Callable[[Sequence[PreparedWrite]], Awaitable[dict[str, WriteAnswer]]]


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


async def in_smaller_calls(batch: Batch, call: Called, writes: Sequence[PreparedWrite]) -> dict[str, WriteAnswer]:
    """Give what became of each write, sent in calls of the size that the org lets through, smaller where it must be.

    `bisection.py` narrows a step that raises and has done nothing; here each record is answered for itself, and each
    call costs one of the day's. So where records fall alone too, and nothing goes through, the rest is not tried: what
    the larger call said of it is true.
    """
    what = f"{batch.rules.table.object} {writes[0].entry.call}"
    narrowing = _Narrowing(batch, call, batch.salesforce.sizes, what)
    found: dict[str, WriteAnswer] = {}
    while len(found) < len(writes):
        found |= await narrowing.answers(writes[len(found) :][: narrowing.size])
    return found


async def of_the_org(batch: Batch, told: dict[str, WriteAnswer]) -> dict[str, WriteAnswer]:
    """Give what became of writes, where what the org's state refused, or our credential, is no record's refusal.

    Where the org took another record of the same call, a refusal that names its state is that record's after all.
    """
    refused = {id_: one for id_, one in told.items() if isinstance(one, RecordRefused)}
    written = [one for one in told.values() if isinstance(one, Written)]
    org = batch.salesforce.budget
    found = dict(told)
    errors: dict[str, SyncError] = {}
    for link_id, one in refused.items():
        scope = look_up(one.code).scope
        took = [other for other in written if other.created or not refuses_only_new(one.code)]
        if scope in (RefusalScope.RECORD, RefusalScope.CALL) or (scope is RefusalScope.ORG and took):
            continue
        if one.code not in errors:
            errors[one.code] = await _away(batch, one.code, scope)
        found[link_id] = errors[one.code]
    if written and not errors and (was := await org.took(is_new=any(one.created for one in written))):
        with suppress(StoreUnavailable):  # each of them has its own time, too
            await links.release(batch.runtime.database, was)
    return found


async def _away(batch: Batch, cause: str, scope: RefusalScope) -> SyncError:
    """Give the error of a side that refuses for its own state's sake, and keep that it does."""
    call = f"{batch.rules.table.object} write"
    if scope is RefusalScope.CONNECTION:
        return Unauthorized(Side.SALESFORCE.value, call, code=cause)
    budget = batch.salesforce.budget
    if cause in SALESFORCE_QUOTA_CAUSES:
        await budget.refused(SPENT_S)
        return Unavailable(Side.SALESFORCE.value, call, code=cause, retry_in_s=SPENT_S)
    return Unavailable(Side.SALESFORCE.value, call, code=cause, retry_in_s=await budget.refuses(cause))


@dataclass(slots=True)
class _Narrowing:
    """Calls that get smaller while their records fall alike; where many calls are under way, one finds out for all.

    fell_alone  how many records did with nobody beside
    """

    batch: Batch
    call: Called
    sizes: CallSizes
    what: str
    fell_alone: int = 0
    has_gone_through: bool = False
    has_turn: bool = False

    @property
    def size(self) -> int:
        return self.sizes.of(self.what)

    async def answers(self, writes: Sequence[PreparedWrite]) -> dict[str, WriteAnswer]:
        """Give what became of writes, sent as one call and then, those that may have fallen of its size, as smaller."""
        told = await of_the_org(self.batch, await self.call(writes))
        is_any_written = any(isinstance(one, Written) for one in told.values())
        if is_any_written:
            self.has_gone_through = True
            self.sizes.went_through(self.what)
        for refusal, fallen in _fallen(writes, told).items():
            if len(writes) == 1:
                self.fell_alone += 1
            elif is_about_size(refusal[0]) or not is_any_written:
                told |= await self._again(fallen, (len(writes) + 1) // 2, refusal)
        return told

    async def _again(
        self, writes: Sequence[PreparedWrite], most: int, refusal: tuple[str, Hashable]
    ) -> dict[str, WriteAnswer]:
        """Give what became of writes that fell alike, in calls of so many at most; nothing of what was not tried."""
        if not self.has_turn:
            async with self.sizes.turn(self.what):
                self.has_turn = True
                try:
                    return await self._again(_spread(writes), most, refusal)
                finally:
                    self.has_turn = False
        found: dict[str, WriteAnswer] = {}
        while left := writes[len(found) :]:
            if self.sizes.is_useless(self.what, refusal):
                return found
            if self.fell_alone >= _SEVERAL and not self.has_gone_through:
                self.sizes.give_up(self.what, refusal)
                return found
            found |= await self.answers(left[: min(most, self.size)])
        if is_about_size(refusal[0]) and refusal not in _fallen(writes, found):
            self.sizes.learn(self.what, most)
        return found


def _spread(writes: Sequence[PreparedWrite]) -> list[PreparedWrite]:
    """Give writes in an order in which the first few are far from each other: what came together may fail together."""
    bits = len(writes).bit_length()
    return [writes[at] for at in sorted(range(len(writes)), key=lambda at: f"{at:0{bits}b}"[::-1])]


def _fallen(
    writes: Sequence[PreparedWrite], told: Mapping[str, WriteAnswer]
) -> dict[tuple[str, Hashable], list[PreparedWrite]]:
    """Give, by cause and words, the writes that fell of what may be their call's fault: its size, or one of them."""
    found: dict[tuple[str, Hashable], list[PreparedWrite]] = {}
    for write in writes:
        match told[write.link.id]:
            case Rejected() as error:
                found.setdefault((error.cause, None), []).append(write)
            case RecordRefused() as refused if look_up(refused.code).scope is RefusalScope.CALL:
                found.setdefault((refused.code, refused.likeness), []).append(write)
            case _:
                pass
    return found


def record_to_create(table: Table, write: PreparedWrite) -> dict[str, Any]:
    """Give the record that a create upserts."""
    return {table.external_id: write.link.drchrono_id, **table.constants, **_raw(table, write)}


def record_to_update(table: Table, write: PreparedWrite) -> dict[str, Any]:
    """Give what an update changes of a record, with the `id` of it."""
    return {"id": write.id, **write.beside, **_raw(table, write)}


def _raw(table: Table, write: PreparedWrite) -> dict[str, Any]:
    return table.write(Side.SALESFORCE, write.fields, write.zone)[0]
