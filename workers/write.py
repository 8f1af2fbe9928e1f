"""Write: journal *planned*, call, journal the answer; the records of a batch succeed and fail one by one.

What Salesforce does not know yet is upserted by our external id, which is how creating stays idempotent; a linked
record is updated by its Id, which never brings a deleted one back. A refusal of a whole call is bisected until the
culprit stands alone. A record refused for the sake of named fields is sent again without them, as a write of its own,
so that one bad value does not hold up the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from app.errors import LeaseLost, OutcomeUnknown, Rejected, SyncError
from app.store import journal
from app.store.journal import Answer, Entry, State
from app.sync.decide import stamps
from app.sync.mapping import Table
from app.sync.records import Action, Fields, Link, Plan, Seen, Side, Sight
from app.vendors.salesforce.client import MOST_RECORDS
from app.vendors.salesforce.wire import RecordRefused, Saved
from workers.keeper import Lease
from workers.passes import Looked, Outcome, Pass, Written


@dataclass(frozen=True, slots=True)
class _Write:
    """One record's write; `id` is the Salesforce Id to write to, None to create."""

    link: Link
    id: str | None
    entry: Entry
    fields: Fields
    without: Mapping[str, str]


Send = Callable[[Sequence[_Write]], Awaitable[Sequence[Saved | RecordRefused]]]


async def carry_out(
    work: Pass, lease: Lease, looked: Sequence[Looked], plans: Mapping[str, Plan]
) -> dict[str, Outcome]:
    """Write what the plans say into Salesforce; link id -> what became of it. Links without a write are left out."""
    planned = [write for one in looked if (write := _planned(work, one, plans.get(one.link.id)))]
    creates, updates = [one for one in planned if one.id is None], [one for one in planned if one.id is not None]
    batches = [
        (partial(send, work), writes[at : at + MOST_RECORDS])
        for send, writes in ((_create, creates), (_update, updates))
        for at in range(0, len(writes), MOST_RECORDS)
    ]
    answered = await asyncio.gather(*(_journalled(work, lease, send, batch) for send, batch in batches))
    return {link_id: outcome for outcomes in answered for link_id, outcome in outcomes.items()}


def _planned(work: Pass, looked: Looked, plan: Plan | None) -> _Write | None:
    fields = plan.writes.get(Side.SALESFORCE) if plan else None
    if plan is None or not fields or not isinstance(looked.seen, Seen):
        return None
    link, salesforce = looked.link, looked.seen.salesforce
    before = salesforce.fields if isinstance(salesforce, Sight) else {}
    replaced = {name: before[name] for name in fields if name in before}
    entry = Entry(
        link.id,
        Side.SALESFORCE,
        "create" if plan.action is Action.CREATE else "update",
        stamps(work.rules, link, fields, salesforce),
        work.run.vault.seal(replaced) if replaced else None,
    )
    return _Write(link, salesforce.id if isinstance(salesforce, Sight) else None, entry, fields, {})


async def _create(work: Pass, batch: Sequence[_Write]) -> Sequence[Saved | RecordRefused]:
    assert work.run.salesforce is not None
    table = work.rules.table
    records = [
        {table.external_id: write.link.drchrono_id, **table.constants, **_raw(table, write.fields)} for write in batch
    ]
    return await work.run.salesforce.upsert(table.object, table.external_id, records)


async def _update(work: Pass, batch: Sequence[_Write]) -> Sequence[Saved | RecordRefused]:
    assert work.run.salesforce is not None
    table = work.rules.table
    return await work.run.salesforce.update(
        table.object, [{"id": write.id, **_raw(table, write.fields)} for write in batch]
    )


def _raw(table: Table, fields: Fields) -> dict[str, Any]:
    return table.write(Side.SALESFORCE, fields)[0]


async def _journalled(work: Pass, lease: Lease, send: Send, batch: Sequence[_Write]) -> dict[str, Outcome]:
    database, limit = work.run.database, work.run.settings.salesforce_request_limit
    ours = await journal.plan(database, lease.token, [write.entry for write in batch], limit)
    lost = LeaseLost("the lease ran out before its write could start")
    outcomes: dict[str, Outcome] = {write.link.id: lost for write in batch if write.link.id not in ours}
    writes = [write for write in batch if write.link.id in ours]
    outcomes |= await _sent(lease, send, writes)
    await journal.answer(database, [_answer(write, outcomes[write.link.id]) for write in writes])
    again = [kept for write in writes if (kept := _without_refused(work.rules.table, write, outcomes[write.link.id]))]
    return outcomes | (await _journalled(work, lease, send, again) if again else {})


async def _sent(lease: Lease, send: Send, batch: Sequence[_Write]) -> dict[str, Outcome]:
    if not batch:
        return {}
    try:
        lease.must_outlast_a_write()
        results = await send(batch)
    except Rejected as error:
        if len(batch) == 1:
            return {batch[0].link.id: error}
        half = len(batch) // 2
        return {**await _sent(lease, send, batch[:half]), **await _sent(lease, send, batch[half:])}
    except SyncError as error:
        return dict.fromkeys((write.link.id for write in batch), error)
    return {
        write.link.id: result
        if isinstance(result, RecordRefused)
        else Written(result.id, result.created, write.fields, write.without)
        for write, result in zip(batch, results, strict=True)
    }


def _without_refused(table: Table, write: _Write, outcome: Outcome) -> _Write | None:
    """Give the write without the fields it was refused for; None when it was not, or nothing would be left.

    A required field is named because it lacks, so leaving it out would not help.
    """
    if not isinstance(outcome, RecordRefused) or outcome.code == "REQUIRED_FIELD_MISSING":
        return None
    names = {row.names[Side.SALESFORCE]: row.name for row in table.rows.values()}
    refused = {names[field]: outcome.code for field in outcome.fields if names.get(field) in write.fields}
    kept = {name: value for name, value in write.fields.items() if name not in refused}
    if not refused or not kept:
        return None
    stamps = {name: pair for name, pair in write.entry.stamps.items() if name in kept}
    entry = Entry(write.link.id, write.entry.side, write.entry.call, stamps, write.entry.replaced)
    return replace(write, entry=entry, fields=kept, without={**write.without, **refused})


def _answer(write: _Write, outcome: Outcome) -> Answer:
    match outcome:
        case Written():
            return Answer(write.entry.id, State.CONFIRMED)
        case RecordRefused():
            return Answer(write.entry.id, State.REFUSED, outcome.code)
        case OutcomeUnknown():
            return Answer(write.entry.id, State.UNKNOWN, outcome.cause)
        case _:
            return Answer(write.entry.id, State.REFUSED, type(outcome).__name__)
