"""Read: what each side holds now of every leased link.

Salesforce is read in one call for the whole batch, which also searches for whoever may be new to it; where it refuses
that for the sake of one id, that one is found by halving. What DrChrono holds is what it has delivered, or its answer
(`read_drchrono.py`). What the records refer to, and the visit that one was under an earlier id, is told from our own
index.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any, TypeVar

from app.errors import IdRefused, Rejected, SyncError, Unavailable, Unreadable, ValueRefused, VendorError
from app.ports import SealedColumn
from app.store import dependencies, doctor_zones, link_claims, links
from app.store.resolutions import Resolution
from app.store.work_queue import Due
from app.sync.card_requests import about_the_link, as_named
from app.sync.documents import patient_without_record
from app.sync.field_writes import unlinked_parents
from app.sync.identity import alike_each
from app.sync.model import Absent, Deleted, FieldResolution, Kind, Link, RecordRef, Seen, Side, Snapshot
from app.sync.snapshots import SHORT_ID, SideReader
from app.sync.trust import trusted_snapshot
from workers.batch import Batch, ContactSearch, Observed
from workers.bisection import halved, may_be_a_records, one_by_one, side_by_side
from workers.bulk_jobs import settle_open_jobs
from workers.match_lease import Newcomer, lease_newcomers
from workers.missed_events import look_at_moved_records, record_missed_events
from workers.read_documents import with_placements
from workers.read_drchrono import Question, delivered_snapshot, question_of


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
    delivered = one_by_one(due, lambda one: delivered_snapshots(batch, reader, one))
    is_crowd = len(due) > batch.salesforce.patience.above  # it takes longer than a search counts: that goes by itself
    newcomers = {} if is_crowd else await lease_newcomers(batch, delivered)
    held: SalesforceSnapshots
    searches: Mapping[str, ContactSearch] = {}
    our_user = ""
    try:
        held, searches = await _read_and_search(batch, reader, newcomers)
        if any(one.link.late_writes for one in batch.leased.due):
            our_user = (await batch.salesforce.user_id())[:SHORT_ID]
    except VendorError as error:
        held = dict.fromkeys(due, error)

    def look(one: tuple[Due, tuple[Snapshot, ...]]) -> Observed:
        link_id = one[0].link.id
        salesforce = held.get(link_id, Absent.ABSENT)
        return _observed(batch, *one, salesforce, our_user, searches.get(link_id))

    async def ask(one: tuple[Observed, Question]) -> Observed:
        observed, question = one
        return await question(batch, reader, observed)

    opened = {id_: (due[id_], bodies) for id_, bodies in delivered.items() if not isinstance(bodies, SyncError)}
    unopened = {id_: error for id_, error in delivered.items() if isinstance(error, SyncError)}
    observed = _of_each(due, unopened | one_by_one(opened, look))
    asked = {one.link.id: (one, question) for one in observed if (question := question_of(batch, one)) is not None}
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


def delivered_snapshots(batch: Batch, reader: SideReader, due: Due) -> tuple[Snapshot, ...]:
    """Give what the bodies of a record's unfinished deliveries show, in the order they came.

    Raises  Undecryptable
    """
    return tuple(delivered_snapshot(batch, reader, due.link.drchrono_id or "", body) for body in due.bodies)


def _observed(
    batch: Batch,
    due: Due,
    bodies: tuple[Snapshot, ...],
    salesforce: Snapshot | Deleted | Absent | SyncError,
    our_user: str,
    searched: ContactSearch | None,
) -> Observed:
    link = due.link
    if isinstance(salesforce, SyncError):
        return Observed(due, salesforce, delivered=bodies)
    decided, card = resolutions_of(batch, due), about_the_link(due.requests)
    salesforce = as_named(link, salesforce, card)
    drchrono = trusted_snapshot(batch.rules, link, bodies, salesforce)
    seen = Seen(drchrono, salesforce, decided=decided, our_user=our_user, card=card)
    return Observed(due, seen, delivered=bodies, searched=searched)


T = TypeVar("T")
R = TypeVar("R")

_NOBODY = "-"  # no external id of anybody
_TOO_LONG = frozenset({"QUERY_TIMEOUT", "ReadTimeout", "TimeoutError"})


async def read_salesforce(batch: Batch, reader: SideReader) -> SalesforceSnapshots:
    """Give what Salesforce holds by link id, or why it does not say so of one; what it does not hold is left out.

    Raises  VendorError
    """
    due = {one.link.id: one.link for one in batch.leased.due}

    async def read(part: Mapping[str, Link]) -> Mapping[str, Snapshot | Deleted]:
        return (await _read_links(batch, reader, part))[0]

    return await _with_parents_named(batch, await ask_salesforce(batch, due, read))


async def _read_and_search(
    batch: Batch, reader: SideReader, newcomers: Mapping[str, Newcomer]
) -> tuple[SalesforceSnapshots, Mapping[str, ContactSearch]]:
    """Give what Salesforce holds, as `read_salesforce` does, and whom newcomers meet there, asked for in one question.

    A question that is refused, or takes too long, is put without the search, which goes by itself before a create: so
    it holds up nobody whom nothing is searched for.
    Raises  VendorError
    """
    if not newcomers:
        return await read_salesforce(batch, reader), {}
    due, at = {one.link.id: one.link for one in batch.leased.due}, monotonic()
    try:
        held, unnamed = await _read_links(batch, reader, due, newcomers.values())
        met = alike_each(batch.rules.table, {link_id: one.who for link_id, one in newcomers.items()}, unnamed)
    except Exception as error:
        is_too_long = isinstance(error, Unavailable) and error.code in _TOO_LONG
        if not is_too_long and not may_be_a_records(error, (Rejected, Unreadable, ValueRefused)):
            raise
        return await read_salesforce(batch, reader), {}
    searches = {link_id: ContactSearch(newcomers[link_id].who, tuple(those), at) for link_id, those in met.items()}
    return await _with_parents_named(batch, held), searches


async def _with_parents_named(batch: Batch, held: SalesforceSnapshots) -> SalesforceSnapshots:
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


async def _read_links(
    batch: Batch, reader: SideReader, links: Mapping[str, Link], newcomers: Collection[Newcomer] = ()
) -> tuple[dict[str, Snapshot | Deleted], list[Snapshot]]:
    """Give what Salesforce holds of links: of a linked record by its Id, else by our external id.

    Gives  beside it what names no chart, among which are those whom the newcomers may meet
    """
    table, due = batch.rules.table, links.values()
    by_id = {one.salesforce_id: one.id for one in due if one.salesforce_id}
    is_of_files = (
        table.kind is Kind.DOCUMENT
    )  # which by their ids alone are all found: others are met on their patient's
    lone = [] if is_of_files else [one for one in due if not one.salesforce_id and one.drchrono_id]
    by_key = {one.drchrono_id: one.id for one in lone if one.drchrono_id}
    held: dict[str, Snapshot | Deleted] = {}

    async def read(
        ids: Sequence[str], keys: Sequence[str] = (), newcomers: Collection[Newcomer] = ()
    ) -> list[Snapshot]:
        """Give what is held of records; of those that are due, what was read last counts."""
        field, values = next((one.field for one in newcomers), ""), {one.value for one in newcomers}
        found = await batch.salesforce.read(table.object, table.fields, table.external_id, ids, keys, (field, values))
        snapshots = [reader.salesforce(record) for record in found]
        for one in snapshots:
            known = by_id.get(one.id), by_key.get(one.key or "")  # two refs may turn out to be one thing
            held.update(dict.fromkeys(filter(None, known), one))
        return snapshots

    shown = await read(list(by_id), list(by_key), newcomers)
    if missing := [id_ for id_, link_id in by_id.items() if link_id not in held]:
        gone = await batch.salesforce.deleted(table.object, missing)
        winners = sorted({winner for winner in gone.values() if winner})
        masters = {one.id: one for one in await read(winners)} if winners else {}
        held |= {by_id[id_]: Deleted(masters.get(winner or "")) for id_, winner in gone.items()}
    if is_of_files:
        held = await with_placements(batch, links, held)
    return held, [one for one in shown if one.key is None]


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
    gone = {ref for _, one in sides if isinstance(one, Snapshot) if (ref := patient_without_record(table, one))}
    refs |= {(ref.kind, ref.id) for ref in gone}
    far = await dependencies.status_of(batch.runtime.database, refs) if refs else {}
    for ref in sorted(gone) if batch.leased.token else ():
        if (ref.kind, ref.id) not in far:  # it is not known of the patient yet
            await links.ask_about(batch.runtime.database, ref, batch.leased.lane)
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
    known = batch.runtime.settings
    return SideReader(batch.rules.table, known.office_time_zones, by_doctor, known.zone)


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
