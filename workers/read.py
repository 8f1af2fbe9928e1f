"""Read: what each side holds now of every leased link.

Salesforce is read in one call for the whole batch; where it refuses that for the sake of one id, that one is found by
halving. DrChrono's calls are scarce, so the newest delivered body counts as
a read while nothing contradicts it; in doubt one GET decides, some seconds later, but at once where it is about who
somebody is. What the records refer to, and the visit that one was under an earlier id, is told from our own index.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from app.errors import (
    IdRefused,
    Rejected,
    SyncError,
    Unauthorized,
    Unavailable,
    Undecryptable,
    Unreadable,
    ValueRefused,
    VendorError,
)
from app.log import log
from app.ports import SealedColumn
from app.store import dependencies, doctor_zones, link_claims
from app.store.resolutions import Resolution
from app.store.work_queue import DeliveredBody, Due
from app.sync.card_requests import about_the_link, as_named, asks_for_sync
from app.sync.deletions import is_said_twice
from app.sync.failure_causes import NOT_SHOWN_ONCE
from app.sync.field_writes import unlinked_parents
from app.sync.model import Absent, Deleted, FieldResolution, Link, NeedsConfirmation, RecordRef, Seen, Side, Snapshot
from app.sync.snapshots import SHORT_ID, SideReader
from app.sync.trust import IDENTITY_CHANGED, shows_delivered, trusted_snapshot
from app.vendors.drchrono import wire
from workers.batch import Batch, Observed
from workers.bisection import halved, one_by_one, side_by_side
from workers.bulk_jobs import settle_open_jobs
from workers.missed_events import look_at_moved_records, record_missed_events


async def read_both_sides(batch: Batch) -> list[Observed]:
    """Give for each link what both sides hold, or why that could not be seen.

    A change that no delivery told of has its feed doubted, before a save could hide it.
    """
    unread = [Observed(one, one.unread) for one in batch.leased.due if one.unread is not None]
    due = tuple(one for one in batch.leased.due if one.unread is None)
    batch, unseen = await settle_open_jobs(replace(batch, leased=replace(batch.leased, due=due)))
    observed = [*unread, *unseen, *(await _observe(batch) if batch.leased.due else ())]
    await record_missed_events(batch, observed)
    await look_at_moved_records(batch, observed)
    return observed


async def _observe(batch: Batch) -> list[Observed]:
    """Give for each link what both sides hold; what cannot be read of one is that one's failure alone.

    Whom a delivery tells of is known from now on, also where Salesforce does not answer.
    """
    reader, due = await reader_of(batch), {one.link.id: one for one in batch.leased.due}
    held: SalesforceSnapshots
    our_user = ""
    try:
        held = await read_salesforce(batch, reader)
        if any(one.link.late_writes for one in batch.leased.due):
            our_user = (await batch.salesforce.user_id())[:SHORT_ID]
    except VendorError as error:
        held = dict.fromkeys(due, error)

    def look(one: Due) -> Observed:
        return _observed(batch, reader, one, held.get(one.link.id, Absent.ABSENT), our_user)

    async def ask(one: tuple[Observed, _Question]) -> Observed:
        observed, question = one
        return await question(batch, reader, observed)

    observed = _of_each(due, one_by_one(due, look))
    asked = {one.link.id: (one, question) for one in observed if (question := _question(batch, one)) is not None}
    observed = _of_each(due, {one.link.id: one for one in observed} | await side_by_side(asked, ask))
    for find in (with_predecessors, with_parents):

        async def found(part: Mapping[str, Observed], find: Any = find) -> Mapping[str, Observed]:
            return {one.link.id: one for one in await find(batch, list(part.values()))}

        observed = _of_each(due, await halved({one.link.id: one for one in observed}, found))
    return observed


def _of_each(due: Mapping[str, Due], found: Mapping[str, Observed | SyncError]) -> list[Observed]:
    """Give what was observed of each link; of one that a step failed for, why."""
    return [
        Observed(one, seen) if isinstance(seen := found[link_id], SyncError) else seen for link_id, one in due.items()
    ]


SalesforceSnapshots = Mapping[str, Snapshot | Deleted | SyncError]


def _observed(
    batch: Batch,
    reader: SideReader,
    due: Due,
    salesforce: Snapshot | Deleted | Absent | SyncError,
    our_user: str,
) -> Observed:
    link = due.link
    bodies = [delivered_snapshot(batch, reader, link.drchrono_id or "", body) for body in due.bodies]
    if isinstance(salesforce, SyncError):
        return Observed(due, salesforce, delivered=tuple(bodies))
    decided, card = resolutions_of(batch, due), about_the_link(due.requests)
    salesforce = as_named(link, salesforce, card)
    drchrono = trusted_snapshot(batch.rules, link, bodies, salesforce)
    seen = Seen(drchrono, salesforce, decided=decided, our_user=our_user, card=card)
    return Observed(due, seen, delivered=tuple(bodies))


_Question = Callable[[Batch, SideReader, Observed], Awaitable[Observed]]


def _question(batch: Batch, observed: Observed) -> _Question | None:
    """Give how DrChrono is to be asked about a record now; None where it need not be."""
    if not isinstance(observed.seen, Seen):
        return None
    if _needs_confirmation(batch, observed):
        return _confirm
    if observed.seen.drchrono == NeedsConfirmation(IDENTITY_CHANGED) and observed.link.confirm_due_at is None:
        return _read_at_once
    return _read_back if _is_sampled(batch, observed) else None


def _needs_confirmation(batch: Batch, observed: Observed) -> bool:
    """Say whether somebody asks for a GET, or one was promised and its time has come; no delivery does instead."""
    promised = observed.link.confirm_due_at
    has_record = isinstance(observed.seen, Seen) and observed.link.drchrono_id is not None
    is_time = promised is not None and promised <= batch.leased.now
    return has_record and (is_time or asks_for_sync(observed.due.requests))


async def _confirm(batch: Batch, reader: SideReader, observed: Observed) -> Observed:
    """Ask DrChrono what it holds, as was promised; that it does not show a record is believed at the second time."""
    assert isinstance(observed.seen, Seen)
    asked: Snapshot | Absent | NeedsConfirmation
    asked = await ask_drchrono(batch, reader, observed.link.drchrono_id or "")
    if isinstance(asked, Absent) and not is_said_twice(batch.rules.table, observed.link, observed.delivered):
        asked = NeedsConfirmation(NOT_SHOWN_ONCE)
    return replace(observed, seen=replace(observed.seen, drchrono=asked))


async def _read_at_once(batch: Batch, reader: SideReader, observed: Observed) -> Observed:
    """Ask DrChrono who somebody is; an answer from before the delivery, or none, leaves that to a later one."""
    assert isinstance(observed.seen, Seen)
    try:
        asked = await ask_drchrono(batch, reader, observed.link.drchrono_id or "")
    except SyncError:
        return observed
    if isinstance(asked, Absent) or not shows_delivered(batch.rules.table, asked, observed.delivered):
        return observed
    return replace(observed, seen=replace(observed.seen, drchrono=asked))


def _is_sampled(batch: Batch, observed: Observed) -> bool:
    """Say whether a believed body is one of the few that are read back; whoever forges one cannot tell.

    A row of a list needs none of that: DrChrono itself has answered with it.
    """
    if observed.due.bodies and observed.due.bodies[-1].is_listed:
        return False
    snapshot = observed.seen.drchrono if isinstance(observed.seen, Seen) else None
    if not isinstance(snapshot, Snapshot) or snapshot.confirmed or snapshot.skipped or batch.rules.table.is_one_way:
        return False
    drawn = int(batch.runtime.keys.digest(b"sample", snapshot.id.encode(), snapshot.version.encode())[:8], 16)
    return drawn < batch.runtime.settings.confirm_share * 0x100000000


async def _read_back(batch: Batch, reader: SideReader, observed: Observed) -> Observed:
    """Read back what was believed; one that says something else at the same stamp was not DrChrono's.

    DrChrono may show a record as it was some seconds ago, so an older answer says nothing.
    """
    assert isinstance(observed.seen, Seen)
    believed = observed.seen.drchrono
    assert isinstance(believed, Snapshot)
    try:
        asked = await ask_drchrono(batch, reader, believed.id)
    except SyncError:
        return observed
    if not isinstance(asked, Snapshot) or asked.version < believed.version:
        return observed
    if asked.version == believed.version and batch.rules.table.differing(asked, believed):
        log.error(
            "delivery.contradicted",
            kind=observed.link.kind.value,
            record_id=believed.id,
            fields=sorted(batch.rules.table.differing(asked, believed)),
            advice="somebody else may know the webhook's secret: change it at DrChrono and here",
        )
        return replace(observed, seen=replace(observed.seen, drchrono=asked), is_contradicted=True)
    return replace(observed, seen=replace(observed.seen, drchrono=asked))


def delivered_snapshot(batch: Batch, reader: SideReader, record_id: str, body: DeliveredBody) -> Snapshot:
    """Give the snapshot of a record that a delivery carried.

    Raises  Undecryptable when its body is not kept any more, or its key is not known
    """
    if body.sealed is None:
        raise Undecryptable("the body of an unfinished delivery was dropped")
    raw: Mapping[str, Any] = batch.runtime.vault.open(body.sealed, SealedColumn.DELIVERY_BODY.of(body.delivery_id))
    return reader.drchrono(record_id, raw, body.version, confirmed=False)


async def ask_drchrono(batch: Batch, reader: SideReader, record_id: str) -> Snapshot | Absent:
    """Give what DrChrono answers that it holds.

    Raises  VendorError when it does not answer, or is not connected
    """
    if batch.drchrono is None:
        raise Unauthorized(Side.DRCHRONO.value, "GET", code="NOT_CONNECTED")
    record = await batch.drchrono.read(batch.rules.table.path, record_id)
    if record is None:
        return Absent.ABSENT
    return reader.drchrono(record_id, record, wire.version(record))


T = TypeVar("T")
R = TypeVar("R")

_NOBODY = "-"  # no external id of anybody


async def read_salesforce(batch: Batch, reader: SideReader) -> SalesforceSnapshots:
    """Give what Salesforce holds by link id, or why it does not say so of one; what it does not hold is left out.

    Raises  VendorError
    """
    due = {one.link.id: one.link for one in batch.leased.due}

    async def read(part: Mapping[str, Link]) -> dict[str, Snapshot | Deleted]:
        return await _read_links(batch, reader, part)

    held = await ask_salesforce(batch, due, read)
    linked = {id_: one for id_, one in held.items() if isinstance(one, Snapshot)}

    async def resolved(part: Mapping[str, Snapshot]) -> dict[str, Snapshot]:
        return await with_linked_parents(batch, part)

    return {**held, **await halved(linked, resolved)}


async def ask_salesforce(
    batch: Batch, records: Mapping[str, T], ask: Callable[[Mapping[str, T]], Awaitable[Mapping[str, R]]]
) -> dict[str, R | SyncError]:
    """Give what Salesforce answers to a question about many records, or why it does not of one.

    What it refuses to answer is asked about nobody. Where it answers that, somebody's id is to blame, and the question
    is halved until that one stands alone; else the question itself is refused, whoever it is about.

    Raises  VendorError; Rejected where every such question is refused
    """
    try:
        return await halved(records, ask)
    except (Rejected, Unreadable):
        await _ask_about_nobody(batch)
        found = await halved(records, ask, (ValueRefused, Rejected, Unreadable))
    return {
        id_: IdRefused(one.side, one.call, status=one.status, code=one.code) if isinstance(one, Rejected) else one
        for id_, one in found.items()
    }


async def _ask_about_nobody(batch: Batch) -> None:
    """Put the question that was not answered about nobody.

    Raises  Rejected, and whatever else says that it is refused whoever it is about
    """
    table = batch.rules.table
    try:
        await batch.salesforce.read(table.object, table.fields, table.external_id, [], [_NOBODY])
    except Unreadable as error:  # an answer that is none, to whatever is asked, is no word of Salesforce's
        raise Unavailable(error.side, error.call, status=error.status, code=error.code) from error


async def _read_links(batch: Batch, reader: SideReader, links: Mapping[str, Link]) -> dict[str, Snapshot | Deleted]:
    """Give what Salesforce holds of links: of a linked record by its Id, else by our external id."""
    table, due = batch.rules.table, links.values()
    names = table.fields
    by_id = {one.salesforce_id: one.id for one in due if one.salesforce_id}
    by_key = {one.drchrono_id: one.id for one in due if not one.salesforce_id and one.drchrono_id}
    held: dict[str, Snapshot | Deleted] = {}

    async def read(ids: Sequence[str], keys: Sequence[str]) -> dict[str, Snapshot]:
        """Give what is held of records; of those that are due, what was read last counts."""
        found = await batch.salesforce.read(table.object, names, table.external_id, ids, keys)
        snapshots = {record["Id"]: reader.salesforce(record) for record in found}
        for id_, one in snapshots.items():
            known = by_id.get(id_), by_key.get(one.key or "")  # two refs may turn out to be one thing
            held.update(dict.fromkeys(filter(None, known), one))
        return snapshots

    await read(list(by_id), list(by_key))
    if missing := [id_ for id_, link_id in by_id.items() if link_id not in held]:
        gone = await batch.salesforce.deleted(table.object, missing)
        winners = sorted({winner for winner in gone.values() if winner})
        masters = await read(winners, []) if winners else {}
        held |= {by_id[id_]: Deleted(masters.get(winner or "")) for id_, winner in gone.items()}
    return held


async def with_linked_parents(batch: Batch, held: Mapping[str, Snapshot]) -> dict[str, Snapshot]:
    """Give references to records that are linked, and do not say so in Salesforce yet, as what they are."""
    kinds = batch.rules.table.parents
    unlinked = {
        RecordRef(Side.SALESFORCE, kinds[name], id_)
        for snapshot in held.values()
        for name, id_ in snapshot.unlinked.items()
    }
    if not unlinked:
        return {**held}
    ids = await dependencies.drchrono_ids_of(batch.runtime.database, unlinked)

    def resolved(snapshot: Snapshot) -> Snapshot:
        known = {name: ids[kinds[name], id_] for name, id_ in snapshot.unlinked.items() if (kinds[name], id_) in ids}
        unreadable = {name: why for name, why in snapshot.unreadable.items() if name not in known}
        return replace(snapshot, fields={**snapshot.fields, **known}, unreadable=unreadable)

    return {link_id: resolved(one) for link_id, one in held.items()}


async def with_predecessors(batch: Batch, observed: Sequence[Observed]) -> list[Observed]:
    """Say with every visit nobody knows whether it is one we know under another id."""
    places = {
        one.link.id: one.seen.drchrono.series
        for one in observed
        if isinstance(one.seen, Seen) and isinstance(one.seen.drchrono, Snapshot) and one.seen.drchrono.series
        if one.link.salesforce_id is None
    }
    known = (
        await link_claims.known_series(batch.runtime.database, batch.rules.table.kind, set(places.values()))
        if places
        else {}
    )
    return [
        replace(one, seen=replace(one.seen, predecessor=known[places[one.link.id]]))
        if isinstance(one.seen, Seen) and places.get(one.link.id) in known
        else one
        for one in observed
    ]


async def with_parents(batch: Batch, observed: Sequence[Observed]) -> list[Observed]:
    """Say with every look how far the records are that it refers to, and which of them are left out."""
    table = batch.rules.table
    sides = [(one.seen.drchrono, one.seen.salesforce) for one in observed if isinstance(one.seen, Seen)]
    refs = {(ref.kind, ref.id) for one, _ in sides if isinstance(one, Snapshot) for ref in table.refs(one)}
    far = await dependencies.status_of(batch.runtime.database, refs) if refs else {}
    out = await left_out(batch, [one for both in sides for one in both if isinstance(one, Snapshot)])
    coming = {RecordRef(Side.DRCHRONO, *ref) for ref in far}
    coming |= {ref for _, one in sides if isinstance(one, Snapshot) for ref in unlinked_parents(table, one)}
    dismissed = await dependencies.dismissed_of(batch.runtime.database, coming)

    def told(seen: Seen) -> Seen:
        return replace(seen, parents=far, excluded=out, dismissed=dismissed)

    return [replace(one, seen=told(one.seen)) if isinstance(one.seen, Seen) else one for one in observed]


async def left_out(batch: Batch, snapshots: Sequence[Snapshot]) -> frozenset[RecordRef]:
    """Give, of the records that these refer to, those that are out of the set that is synced."""
    table = batch.rules.table
    if not table.parents or not any(one.include for one in batch.runtime.mappings.values()):
        return frozenset()
    named = {ref for one in snapshots for ref in table.refs(one)}
    return await dependencies.excluded_of(batch.runtime.database, named)


async def reader_of(batch: Batch) -> SideReader:
    """Give what reads this kind's records, with the zones of doctors as they are known now where times need them."""
    by_doctor = await doctor_zones.all_zones(batch.runtime.database) if batch.rules.table.zoned else {}
    return SideReader(batch.rules.table, batch.runtime.settings.office_time_zones, by_doctor)


def resolutions_of(batch: Batch, due: Due) -> dict[str, FieldResolution]:
    """Give field -> what a person decided of it; an old value that is not kept any more decides nothing.

    Raises  Undecryptable when the key of an old value is not known
    """
    return {one.field: _resolution(batch, one) for one in due.decided}


def _resolution(batch: Batch, one: Resolution) -> FieldResolution:
    expects = {Side(side): stamp for side, stamp in one.expects.items()}
    if one.conflict_id is None:
        return FieldResolution(one.id, one.side, expects, twin=one.twin)
    if one.kept is None:  # without stamps it counts nowhere: it ends as overtaken
        return FieldResolution(one.id, one.side, puts_back=True)
    kept: Mapping[str, str | None] = batch.runtime.vault.open(one.kept, SealedColumn.CONFLICT_KEPT.of(one.conflict_id))
    return FieldResolution(one.id, one.side, expects, puts_back=True, value=kept[one.side.value])
