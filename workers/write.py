"""Write: journal *planned*, call, journal the answer; the records of a batch succeed and fail one by one.

What Salesforce does not know yet is upserted by our external id, which is how creating stays idempotent; a linked
record is updated by its Id, which never brings a deleted one back. A refusal of a whole call is bisected until the
culprit stands alone. A record refused for the sake of named fields is sent once more without them, so that one bad
value does not hold up the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.errors import LeaseLost, OutcomeUnknown, Rejected, SyncError
from app.runtime import Runtime
from app.store import journal
from app.store.journal import Answer, Entry, State
from app.sync.decide import stamps
from app.sync.mapping import Table
from app.sync.records import Action, Fields, Link, Plan, Seen, Side, Sight
from app.vendors.salesforce.client import MOST_RECORDS
from app.vendors.salesforce.wire import RecordRefused, Saved
from workers.keeper import Lease
from workers.look import Looked


@dataclass(frozen=True, slots=True)
class Written:
    """A record took the fields; those in `without` it refused, for that reason."""

    id: str
    created: bool
    fields: Fields
    without: Mapping[str, str]


Outcome = Written | RecordRefused | SyncError


@dataclass(frozen=True, slots=True)
class _Write:
    link: Link
    entry: Entry
    fields: Fields
    without: Mapping[str, str]


Send = Callable[[Sequence[_Write]], Awaitable[Sequence[Saved | RecordRefused]]]


async def carry_out(
    run: Runtime, table: Table, lease: Lease, looked: Sequence[Looked], plans: Mapping[str, Plan]
) -> dict[str, Outcome]:
    """Write what the plans say into Salesforce; link id -> what became of it. Links without a write are left out."""
    creates, updates = [], []
    for due, seen in looked:
        plan = plans.get(due.link.id)
        fields = plan.writes.get(Side.SALESFORCE) if plan else None
        if plan is None or not fields or not isinstance(seen, Seen):
            continue
        is_create = plan.action is Action.CREATE
        write = _planned(run, table, due.link, seen, fields, "create" if is_create else "update")
        (creates if is_create else updates).append(write)

    async def create(batch: Sequence[_Write]) -> Sequence[Saved | RecordRefused]:
        assert run.salesforce is not None
        return await run.salesforce.upsert(
            table.object,
            table.external_id,
            [{table.external_id: one.link.drchrono_id, **table.constants, **_raw(table, one.fields)} for one in batch],
        )

    async def update(batch: Sequence[_Write]) -> Sequence[Saved | RecordRefused]:
        assert run.salesforce is not None
        by_link = {due.link.id: seen for due, seen in looked}
        return await run.salesforce.update(
            table.object,
            [{"id": _salesforce_id(one.link, by_link[one.link.id]), **_raw(table, one.fields)} for one in batch],
        )

    batches = [
        (send, writes[at : at + MOST_RECORDS])
        for send, writes in ((create, creates), (update, updates))
        for at in range(0, len(writes), MOST_RECORDS)
    ]
    answered = await asyncio.gather(*(_journalled(run, table, lease, send, batch) for send, batch in batches))
    return {link_id: outcome for outcomes in answered for link_id, outcome in outcomes.items()}


def _planned(run: Runtime, table: Table, link: Link, seen: Seen, fields: Fields, call: str) -> _Write:
    before = seen.salesforce.fields if isinstance(seen.salesforce, Sight) else {}
    replaced = {name: before[name] for name in fields if name in before}
    entry = Entry(
        link.id,
        Side.SALESFORCE,
        call,
        stamps(table, run.keys, link, fields, seen.salesforce),
        run.vault.seal(replaced) if replaced else None,
    )
    return _Write(link, entry, fields, {})


def _raw(table: Table, fields: Fields) -> dict[str, Any]:
    return table.write(Side.SALESFORCE, fields)[0]


def _salesforce_id(link: Link, seen: Any) -> str:
    """Give the Id to write to: the linked one, or that of the record just found by our external id."""
    return link.salesforce_id or str(seen.salesforce.id)


async def _journalled(
    run: Runtime, table: Table, lease: Lease, send: Send, batch: Sequence[_Write]
) -> dict[str, Outcome]:
    limit = run.settings.salesforce_request_limit
    ours = await journal.plan(run.database, lease.token, [write.entry for write in batch], limit)
    writes = [write for write in batch if write.link.id in ours]
    outcomes: dict[str, Outcome] = {
        write.link.id: LeaseLost("the lease ran out before its write could start")
        for write in batch
        if write.link.id not in ours
    }
    outcomes |= await _sent(lease, send, writes)
    again = [kept for write in writes if (kept := _without_refused(table, write, outcomes[write.link.id]))]
    if again:
        outcomes |= await _sent(lease, send, again)
    await journal.answer(run.database, [_answer(write, outcomes[write.link.id]) for write in writes])
    return outcomes


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


_NAMES_WHAT_LACKS = frozenset({"REQUIRED_FIELD_MISSING"})


def _without_refused(table: Table, write: _Write, outcome: Outcome) -> _Write | None:
    """Give the write without the fields it was refused for; None when it was not, or nothing would be left."""
    if not isinstance(outcome, RecordRefused) or outcome.code in _NAMES_WHAT_LACKS:
        return None
    names = {row.names[Side.SALESFORCE]: row.name for row in table.rows.values()}
    refused = {names[field]: outcome.code for field in outcome.fields if names.get(field) in write.fields}
    kept = {name: value for name, value in write.fields.items() if name not in refused}
    return replace(write, fields=kept, without=refused) if refused and kept else None


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
