"""Write: journal *planned*, call, journal the answer; the records of a batch succeed and fail one by one.

DrChrono takes one record a call, and only the fields that changed. A create there cannot be repeated: what it sends is
kept, sealed, until it is known what became of it.

What Salesforce does not know yet is upserted by our external id, which is how creating stays idempotent; a linked
record is updated by its Id, which never brings a deleted one back. A refusal of a whole call is bisected until the
culprit stands alone. A record refused for the sake of named fields is sent again without them, as a write of its own,
so that one bad value does not hold up the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ulid import ULID

from app.errors import LeaseLost, OutcomeUnknown, Rejected, SyncError, Unauthorized
from app.store import journal
from app.store.conflicts import Conflict
from app.store.journal import Answer, Entry, State
from app.sync import decide
from app.sync.decide import reasons, stamps
from app.sync.first_contact import needed
from app.sync.mapping import EXTERNAL_ID, Table
from app.sync.matching import alike
from app.sync.records import Absent, Action, Doubt, Fields, Link, Plan, Seen, Side, Sight
from app.vendors.drchrono import wire
from app.vendors.drchrono.client import OVERLAPS
from app.vendors.salesforce.client import MOST_RECORDS
from app.vendors.salesforce.wire import RecordRefused, Saved
from workers.keeper import Lease
from workers.passes import Looked, Outcome, Pass, Written

_WRITES_IN_A_ROW = 8  # each of a row would need a GET or a search, should we die in it


@dataclass(frozen=True, slots=True)
class _Write:
    """One record's write; `id` is the record to write to, None to create it. `beside`: raw values no row has."""

    link: Link
    id: str | None
    entry: Entry
    fields: Fields
    without: Mapping[str, str]
    zone: str = ""
    beside: Mapping[str, Any] = field(default_factory=dict)

    @property
    def side(self) -> Side:
        """Where it goes."""
        return self.entry.side


Answered = Saved | Written | RecordRefused | SyncError
Send = Callable[[Pass, Lease, Sequence[_Write]], Awaitable[Sequence[Answered]]]


async def carry_out(
    work: Pass, lease: Lease, looked: Sequence[Looked], plans: Mapping[str, Plan]
) -> dict[str, dict[Side, Outcome]]:
    """Write what the plans say; link id -> side -> what became of it. Links without a write are left out."""
    planned = [write for one in looked for write in _planned(work, one, plans.get(one.link.id))]
    patches = [one for one in planned if one.side is Side.DRCHRONO and one.id is not None]
    posts = [one for one in planned if one.side is Side.DRCHRONO and one.id is None]
    creates = [one for one in planned if one.side is Side.SALESFORCE and one.id is None]
    deletes = [one for one in planned if one.entry.call == "delete"]
    updates = [
        one for one in planned if one.side is Side.SALESFORCE and one.id is not None and one.entry.call != "delete"
    ]
    salesforce = [
        _journalled(work, lease, send, writes[at : at + MOST_RECORDS])
        for send, writes in ((_create, creates), (_update, updates), (_delete, deletes))
        for at in range(0, len(writes), MOST_RECORDS)
    ]
    drchrono = [_in_rows(work, lease, send, writes) for send, writes in ((_patch, patches), (_post, posts))]
    patched, posted, *found = await asyncio.gather(*drchrono, *salesforce)
    outcomes: dict[str, dict[Side, Outcome]] = {}
    for side, answered in ((Side.DRCHRONO, patched | posted), *((Side.SALESFORCE, one) for one in found)):
        for link_id, outcome in answered.items():
            outcomes.setdefault(link_id, {})[side] = outcome
    return outcomes


async def _in_rows(work: Pass, lease: Lease, send: Send, writes: Sequence[_Write]) -> dict[str, Outcome]:
    """Write to DrChrono row after row, each planned only when its turn has come: it takes four calls a second."""
    outcomes: dict[str, Outcome] = {}
    for at in range(0, len(writes), _WRITES_IN_A_ROW):
        outcomes |= await _journalled(work, lease, send, writes[at : at + _WRITES_IN_A_ROW])
    return outcomes


async def without_rewrites(work: Pass, looked: Sequence[Looked], plans: Mapping[str, Plan]) -> dict[str, Plan]:
    """Give the plans without the fields that keep coming back to a value we wrote again and again."""
    links = {one.link.id: one.link for one in looked}
    updates = [link_id for link_id, plan in plans.items() if plan.action is Action.WRITE or plan.writes_key]
    lately = await journal.written_lately(work.run.database, updates)
    return {
        link_id: decide.without_rewrites(work.rules, links[link_id], plan, lately[link_id])
        if link_id in lately
        else plan
        for link_id, plan in plans.items()
    }


def _planned(work: Pass, looked: Looked, plan: Plan | None) -> Iterator[_Write]:
    if plan is None or not isinstance(looked.seen, Seen):
        return
    link, is_create = looked.link, plan.action is Action.CREATE
    if plan.action is Action.DELETE:
        assert isinstance(looked.seen.salesforce, Sight)
        replaced = dict(looked.seen.salesforce.fields)
        entry = Entry(link.id, Side.SALESFORCE, "delete", {}, work.run.vault.seal(replaced))
        yield _Write(link, looked.seen.salesforce.id, entry, {}, {})
    for side in Side:
        fields = plan.writes.get(side, {})
        writes_key = plan.writes_key and side is Side.SALESFORCE
        if not fields and not writes_key:
            continue
        before = looked.seen.drchrono if side is Side.DRCHRONO else looked.seen.salesforce
        if isinstance(before, Doubt):  # a record of Salesforce's alone: nobody has said anything of the chart to be
            before = Absent.ABSENT
        held = before.fields if isinstance(before, Sight) else {}
        replaced = {name: held[name] for name in fields if name in held}
        key = {EXTERNAL_ID: (None, work.rules.key_stamp(link, link.drchrono_id))} if writes_key else {}
        entry = Entry(
            link.id,
            side,
            "create" if is_create else "update",
            {**stamps(work.rules, link, fields, before), **key},
            work.run.vault.seal(replaced) if replaced else None,
            reasons(work.rules, plan, side),
            work.run.vault.seal(dict(fields)) if is_create and side is Side.DRCHRONO else None,
            _conflicts(work, looked.seen, plan, fields),
        )
        id_ = before.id if isinstance(before, Sight) else link.id_on(side)
        beside = {work.rules.table.external_id: link.drchrono_id} if writes_key else plan.extra
        yield _Write(link, id_, entry, fields, {}, plan.zone, beside)


def _conflicts(work: Pass, seen: Seen, plan: Plan, fields: Fields) -> tuple[Conflict, ...]:
    """Give the conflicts that a write decides, with what each side held."""
    drchrono, salesforce, table = seen.drchrono, seen.salesforce, work.rules.table
    if not isinstance(drchrono, Sight) or not isinstance(salesforce, Sight):
        return ()
    return tuple(
        Conflict(
            table.kind,
            name,
            f"{table.rows[name].owner} owns it",
            work.run.vault.seal({Side.DRCHRONO: drchrono.fields[name], Side.SALESFORCE: salesforce.fields[name]}),
        )
        for name in plan.conflicts
        if name in fields
    )


async def _patch(work: Pass, lease: Lease, batch: Sequence[_Write]) -> Sequence[Answered]:
    async def one(write: _Write) -> Answered:
        assert write.id is not None
        if work.run.drchrono is None:
            return Unauthorized(write.side.value, "PATCH", code="NOT_CONNECTED")
        table = work.rules.table
        try:
            raw = table.write(Side.DRCHRONO, write.fields)[0]
            await work.run.drchrono.update(table.path, write.id, raw, lease.must_outlast_a_write)
        except Rejected as error:
            return _refused(table, error)
        except SyncError as error:
            return error
        return Saved(write.id, created=False)

    return await asyncio.gather(*(one(write) for write in batch))


async def _post(work: Pass, lease: Lease, batch: Sequence[_Write]) -> Sequence[Answered]:
    async def one(write: _Write) -> Answered:
        table = work.rules.table
        if work.run.drchrono is None:
            return Unauthorized(write.side.value, "POST", code="NOT_CONNECTED")
        raw = {**write.beside, **table.write(Side.DRCHRONO, write.fields)[0]}
        try:
            made = await work.run.drchrono.create(table.path, raw, lease.must_outlast_a_write)
        except Rejected as error:
            try:
                ours = await _our_first_attempt(work, write, error)
            except SyncError as unseen:
                return unseen
            if ours is None:
                return _refused(table, error)
            made = ours
        except SyncError as error:
            return error
        id_ = wire.record_id(made)
        shown = table.read(Side.DRCHRONO, id_, made, version=wire.version(made), confirmed=True)
        return Written(id_, created=True, fields=write.fields, without=write.without, shown=shown)

    return await asyncio.gather(*(one(write) for write in batch))


async def _our_first_attempt(work: Pass, write: _Write, error: Rejected) -> dict[str, Any] | None:
    """Give the visit that is in the way of a new one, when it is that very one, made by an attempt nobody answered."""
    assert work.run.drchrono is not None
    if not error.code.startswith(OVERLAPS):
        return None
    table = work.rules.table
    record = await work.run.drchrono.read(table.path, error.code.removeprefix(OVERLAPS))
    if record is None:
        return None
    sight = table.read(Side.DRCHRONO, wire.record_id(record), record, version="", confirmed=True)
    return record if alike(table, write.fields, [sight]) else None


def _refused(table: Table, error: Rejected) -> RecordRefused | Rejected:
    """Give what a record was refused for; a visit in the way is in the way of its time."""
    if error.code.startswith(OVERLAPS):
        times = [row.names[Side.DRCHRONO] for row in table.rows.values() if row.options.zone]
        return RecordRefused(error.code, tuple(times))
    return RecordRefused(error.cause, error.fields) if error.fields else error


async def _create(work: Pass, lease: Lease, batch: Sequence[_Write]) -> Sequence[Answered]:
    lease.must_outlast_a_write()
    assert work.run.salesforce is not None
    table = work.rules.table
    records = [{table.external_id: write.link.drchrono_id, **table.constants, **_raw(table, write)} for write in batch]
    return await work.run.salesforce.upsert(table.object, table.external_id, records)


async def _update(work: Pass, lease: Lease, batch: Sequence[_Write]) -> Sequence[Answered]:
    lease.must_outlast_a_write()
    assert work.run.salesforce is not None
    table = work.rules.table
    return await work.run.salesforce.update(
        table.object, [{"id": write.id, **write.beside, **_raw(table, write)} for write in batch]
    )


async def _delete(work: Pass, lease: Lease, batch: Sequence[_Write]) -> Sequence[Answered]:
    lease.must_outlast_a_write()
    assert work.run.salesforce is not None
    return await work.run.salesforce.delete([write.id or "" for write in batch])


def _raw(table: Table, write: _Write) -> dict[str, Any]:
    return table.write(Side.SALESFORCE, write.fields, write.zone)[0]


async def _journalled(work: Pass, lease: Lease, send: Send, batch: Sequence[_Write]) -> dict[str, Outcome]:
    database, known = work.run.database, work.run.settings
    is_drchrono = batch[0].side is Side.DRCHRONO
    limit = known.drchrono_request_limit if is_drchrono else known.salesforce_request_limit
    ours = await journal.plan(database, lease.token, [write.entry for write in batch], limit)
    lost = LeaseLost("the lease ran out before its write could start")
    outcomes: dict[str, Outcome] = {write.link.id: lost for write in batch if write.link.id not in ours}
    writes = [write for write in batch if write.link.id in ours]
    outcomes |= await _sent(work, lease, send, writes)
    await journal.answer(database, [_answer(write, outcomes[write.link.id]) for write in writes])
    again = [kept for write in writes if (kept := _without_refused(work.rules.table, write, outcomes[write.link.id]))]
    return outcomes | (await _journalled(work, lease, send, again) if again else {})


async def _sent(work: Pass, lease: Lease, send: Send, batch: Sequence[_Write]) -> dict[str, Outcome]:
    if not batch:
        return {}
    try:
        results = await send(work, lease, batch)
    except Rejected as error:
        if len(batch) == 1:
            return {batch[0].link.id: error}
        half = len(batch) // 2
        parts = [await _sent(work, lease, send, part) for part in (batch[:half], batch[half:])]
        return parts[0] | parts[1]
    except SyncError as error:
        return dict.fromkeys((write.link.id for write in batch), error)
    return {
        write.link.id: Written(result.id, result.created, write.fields, write.without)
        if isinstance(result, Saved)
        else result
        for write, result in zip(batch, results, strict=True)
    }


def _without_refused(table: Table, write: _Write, outcome: Outcome) -> _Write | None:
    """Give the write without the fields it was refused for; None when it was not, or nothing would be left.

    A required field is named because it lacks, so leaving it out would not help.
    """
    if not isinstance(outcome, RecordRefused) or outcome.code == "REQUIRED_FIELD_MISSING":
        return None
    rows = [row for row in table.rows.values() if row.name in write.fields]
    names = {name: row.name for row in rows for name in (row.names[write.side], row.shown(write.side))}
    refused = {names[field]: outcome.code for field in outcome.fields if field in names}
    kept = {name: value for name, value in write.fields.items() if name not in refused}
    is_needed = write.entry.sent is not None and bool(needed(table) & refused.keys())
    if not refused or not kept or is_needed:
        return None
    stamps = {name: pair for name, pair in write.entry.stamps.items() if name not in refused}
    why = {name: reason for name, reason in write.entry.why.items() if name in kept}
    known = write.entry
    decided = tuple(replace(one, id=str(ULID())) for one in known.conflicts if one.field in kept)
    entry = Entry(write.link.id, write.side, known.call, stamps, known.replaced, why, known.sent, decided)
    return replace(write, entry=entry, fields=kept, without={**write.without, **refused})


def _answer(write: _Write, outcome: Outcome) -> Answer:
    match outcome:
        case Written():
            made = outcome.id if write.entry.sent is not None else None
            return Answer(write.entry.id, State.CONFIRMED, record_id=made)
        case RecordRefused():
            return Answer(write.entry.id, State.REFUSED, outcome.code)
        case OutcomeUnknown():
            return Answer(write.entry.id, State.UNKNOWN, outcome.cause)
        case _:
            return Answer(write.entry.id, State.REFUSED, type(outcome).__name__)
