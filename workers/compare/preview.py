"""Preview: what the records that a scan marked would become, told before anything of it is written.

Both sides are read as a worker would, from what was kept and one read of Salesforce for each 200, and `decide` is
asked; DrChrono is not called, its list counts as its word. What this comes to is the brake's to judge.

A dry run shows the same to a person: nothing is made due or written, on any side. What has a failure is counted as
that, linked or not, and is taken to fail again with what it failed with; the rest of a pair travels. A chart that is
new to us is matched with Salesforce's Contacts; where all charts were gone through, those that are new to us are
remembered by who they are, and Contacts that ask to be taken over are matched with them.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from ulid import ULID

from app.errors import IdRefused, SyncError, Unexpected, ValueRefused
from app.ports import SealedColumn
from app.runtime import Runtime
from app.store import links
from app.store.identity_index import known_people
from app.store.links import FailedLink
from app.store.work_queue import DeliveredBody, Due
from app.sync.brake import ChangeCount, brake, expected_plan, still_failing_plan
from app.sync.create import link_or_create
from app.sync.decide import decide
from app.sync.failure_causes import BUSY, GONE_IN_DRCHRONO, IS_TAKEN, NOBODY
from app.sync.identity import narrowed
from app.sync.mappings.table import Table
from app.sync.model import Absent, Base, Kind, Lane, Link, NothingNew, Seen, Side, Snapshot
from app.sync.plan import Create, Hold, LinkTo, Nothing, Plan, Wait
from app.vendors.drchrono import wire
from workers import read
from workers.batch import Batch, Observed, drchrono_of, read_only_batch
from workers.bisection import one_by_one
from workers.compare.checkpoint import DryRun, PreviewProgress
from workers.compare.listing import (
    changed_contacts,
    changed_rows,
    drchrono_pages,
    file_pages,
    of_linked_patients,
    record_unreadable_rows,
    salesforce_pages,
    unloaded,
)
from workers.match import CreateCandidate, candidate_of, match_contacts
from workers.read import reader_of
from workers.read_documents import with_placements

Show = Callable[[Due, Seen, Plan], None]


async def preview_batch(
    batch: Batch,
    prospect: ChangeCount,
    see: Show = lambda _due, _seen, _plan: None,
    expected: Callable[[Due, Plan], Plan] = lambda _due, plan: plan,
) -> None:
    """Count in `prospect` what looks at all of a pass would lead to, and show each.

    expected  gives what a plan comes to, of what is known of its record
    Raises  SyncError when Salesforce cannot be read, or a kept body cannot be opened
    """
    reader = await reader_of(batch)
    held = await read.read_salesforce(batch, reader)
    out = await read.left_out(batch, [one for one in held.values() if isinstance(one, Snapshot)])

    def look(due: Due) -> tuple[Seen, Plan] | SyncError:
        link = replace(due.link, own_writes=())
        salesforce = held.get(link.id, Absent.ABSENT)
        if isinstance(salesforce, SyncError):
            return salesforce
        bodies = read.delivered_snapshots(batch, reader, due)
        drchrono = replace(bodies[-1], confirmed=True) if bodies else _unheard(link)
        seen = Seen(drchrono, salesforce, excluded=out)
        return seen, expected_plan(batch.rules, link, seen, decide(batch.rules, link, seen, batch.leased.now))

    due = {one.link.id: one for one in batch.leased.due}
    for link_id, found in one_by_one(due, look).items():
        if isinstance(found, SyncError):
            _must_be_its_own(found)
            continue
        seen, plan = found[0], expected(due[link_id], found[1])
        prospect.add(batch.rules.table, seen, plan)
        see(due[link_id], seen, plan)


def _must_be_its_own(error: SyncError) -> None:
    """Pass over a record that cannot be looked at; it changes nothing, and becomes a failure when it is synced.

    Raises  SyncError, where it is not the record's own fault
    """
    if not isinstance(error, Unexpected | ValueRefused | IdRefused):
        raise error


def _unheard(link: Link) -> Absent | NothingNew:
    """Give what is known of a chart that nothing was kept of; one that a whole list did not show is taken for gone."""
    return NothingNew.UNHEARD if link.confirm_due_at is None else Absent.ABSENT


_AT_ONCE = 200


async def preview(
    runtime: Runtime,
    kind: Kind,
    since: datetime | None,
    lane: Lane,
    tell: PreviewProgress,
    into: DryRun | None = None,
) -> DryRun:
    """Say what comparing a kind would do, since a moment or (None) since ever.

    into    what it is counted into, with the limit that it has; with one, linked records are told by their charts alone
    Raises  SyncError
    """
    assert runtime.salesforce is not None
    known, found = runtime.settings, into or DryRun(kind)
    found.is_whole = since is None and found.limit is None
    seen: set[str] = set()
    async for due in _charts(runtime, found, since, lane):
        seen |= {one.link.id for one in due if one.link.salesforce_id}
        await _preview_due(runtime, found, due, lane)
        await tell(found)
    async for due in _contacts(runtime, found, since, lane):
        left = [one for one in due if one.link.id not in seen] if found.limit is None else []
        await _preview_due(runtime, found, left, lane)
        await tell(found)
    found.counts.linked, found.counts.excluded = len(found.pairs), found.counts.excluded + len(found.excluded)
    found.counts.dismissed = len(found.dismissed - found.revived)
    found.counts.there[Side.DRCHRONO] = found.read[Side.DRCHRONO] - found.counts.left_out
    if found.is_whole:
        table = runtime.mappings[kind]
        found.counts.there[Side.SALESFORCE] = await runtime.salesforce.on(lane).count(table.object)
    linked = await links.linked(runtime.database, kind)
    found.stops = brake(found.prospect, linked, known.brake_share, known.brake_deletes)
    return found


async def _met(
    runtime: Runtime, found: DryRun, side: Side, ids: Sequence[str]
) -> tuple[dict[str, Link], dict[str, FailedLink]]:
    """Give the links of a side's records that are weighed, and those that wait for a person; both are counted."""
    known = await links.links_to_compare(runtime.database, found.kind, ids, side, with_failing=True)
    failed = await links.failed_links(runtime.database, found.kind, ids, side)
    found.meet({id_: link for id_, link in known.items() if id_ not in failed}, failed)
    return known, failed


async def _charts(runtime: Runtime, found: DryRun, since: datetime | None, lane: Lane) -> AsyncIterator[list[Due]]:
    """Give DrChrono's rows that tell of something, as if they had been delivered."""
    table, rules = runtime.mappings[found.kind], runtime.rules(found.kind)
    client = drchrono_of(runtime, found.kind, lane)
    assert client is not None
    async for page in drchrono_pages(client, table, since):
        rows = await of_linked_patients(runtime, page.rows) if found.kind is Kind.DOCUMENT else page.rows
        taken = found.take(Side.DRCHRONO, rows)
        record_unreadable_rows(runtime, found.kind, Side.DRCHRONO, page.unreadable)
        agreed, failed = await _met(runtime, found, Side.DRCHRONO, [wire.record_id(row) for row in taken])
        rows = [row for row in taken if wire.record_id(row) not in failed.keys() - agreed.keys()]
        news, known = changed_rows(rules, rows, agreed), agreed.keys()
        found.revived |= {agreed[id_].id for id_ in news.keys() & known}
        found.leave_out(rules, [row for row in rows if wire.record_id(row) not in news.keys() | known])
        versions = {id_: wire.version(row) for id_, row in news.items() if id_ not in agreed}
        left_alone = await _unloaded(runtime, found, lane, Side.DRCHRONO, versions)
        moved = [row for id_, row in news.items() if id_ not in left_alone]
        due = [_due_of_row(runtime, found.kind, lane, row, agreed) for row in moved]
        for at in range(0, len(due), _AT_ONCE):
            yield due[at : at + _AT_ONCE]
        if found.has_enough(Side.DRCHRONO):
            return


async def _unloaded(runtime: Runtime, found: DryRun, lane: Lane, side: Side, versions: Mapping[str, str]) -> set[str]:
    left_alone = await unloaded(runtime, found.kind, side, versions) if lane is Lane.COMPARE else set()
    found.counts.unloaded += len(left_alone)
    return left_alone


def _due_of_row(runtime: Runtime, kind: Kind, lane: Lane, row: dict[str, Any], agreed: Mapping[str, Link]) -> Due:
    record_id = wire.record_id(row)
    kept = runtime.mappings[kind].keep(row, "id", "updated_at", *wire.BESIDE)
    sealed = runtime.vault.seal(kept, SealedColumn.DELIVERY_BODY.of(""))
    body = DeliveredBody("", 0, sealed, wire.version(row), runtime.now())
    link = agreed.get(record_id) or Link(str(ULID()), kind, record_id, None, Base())
    return Due(link, 0, 0, 0, lane, (body,))


async def _contacts(runtime: Runtime, found: DryRun, since: datetime | None, lane: Lane) -> AsyncIterator[list[Due]]:
    """Give the linked records of Salesforce's that tell of something; those that are new to us are counted."""
    assert runtime.salesforce is not None
    kind, batch = found.kind, read_only_batch(runtime, found.kind, lane)
    table, rules = runtime.mappings[kind], runtime.rules(kind)
    client = runtime.salesforce.on(lane)
    is_by_patient = since is None and kind is Kind.DOCUMENT
    pages = file_pages(runtime, client, table, "") if is_by_patient else salesforce_pages(client, table, since, "")
    async for page in pages:
        taken = found.take(Side.SALESFORCE, page.rows)
        reader = await reader_of(batch)
        record_unreadable_rows(runtime, kind, Side.SALESFORCE, page.unreadable)
        agreed, failed = await _met(runtime, found, Side.SALESFORCE, [str(row["Id"]) for row in taken])
        news = changed_contacts(rules, reader, taken, agreed)
        gone = {str(row["Id"]) for row in taken if row.get("IsDeleted")}
        pairs = {id_: link for id_, link in agreed.items() if link.is_pair}
        found.revived |= {agreed[id_].id for id_ in agreed.keys() & (news.keys() | gone)}
        versions = {id_: news[id_] for id_ in news.keys() - pairs.keys() - failed.keys() - gone}
        left_alone = await _unloaded(runtime, found, lane, Side.SALESFORCE, versions)
        rows = {str(row["Id"]): row for row in taken}
        quiet = rows.keys() - news.keys() - agreed.keys() - failed.keys() - gone
        found.counts.excluded += sum(reader.salesforce(rows[id_]).is_included is False for id_ in quiet)
        seen = one_by_one({id_: rows[id_] for id_ in versions.keys() - left_alone}, reader.salesforce)
        lone = [one for one in seen.values() if isinstance(one, Snapshot)]
        for at in range(0, len(lone), _AT_ONCE):
            await _preview_wanted(batch, found, lone[at : at + _AT_ONCE])
        due = [Due(link, 0, 0, 0, lane) for id_, link in pairs.items() if id_ in gone | news.keys()]
        for at in range(0, len(due), _AT_ONCE):
            yield due[at : at + _AT_ONCE]
        if found.has_enough(Side.SALESFORCE):
            return


async def _preview_due(runtime: Runtime, found: DryRun, due: Sequence[Due], lane: Lane) -> None:
    if linked := [one for one in due if one.link.salesforce_id]:
        await preview_batch(
            read_only_batch(runtime, found.kind, lane, linked),
            found.prospect,
            found.see,
            partial(_expected, runtime.mappings[found.kind], found),
        )
    if lone := [one for one in due if not one.link.salesforce_id]:
        await _preview_matches(read_only_batch(runtime, found.kind, lane, lone), found)


def _expected(table: Table, found: DryRun, due: Due, plan: Plan) -> Plan:
    """Give what a plan comes to: a record that fails is taken to fail again, but for rows that the mapping changes."""
    if (failed := found.failing.get(due.link.id)) is None:
        return plan
    fields = set(failed.fields) - {
        table.name_of(name, Side(failed.side)) for name in found.changed if name in table.rows
    }
    return still_failing_plan(table, plan, failed.side, fields, is_held=failed.is_held)


async def _preview_matches(batch: Batch, found: DryRun) -> None:
    """Say of charts that are new to us whom they would meet in Salesforce: who names them, or is called as they are."""
    reader, table = await reader_of(batch), batch.rules.table
    held = await read.read_salesforce(batch, reader)

    def look(one: Due) -> tuple[Observed, Plan]:
        chart = read.delivered_snapshots(batch, reader, one)[-1]
        named = held.get(one.link.id, Absent.ABSENT)
        if isinstance(named, SyncError):
            raise named
        seen = Seen(replace(chart, confirmed=True), named)
        return Observed(one, seen), decide(batch.rules, one.link, seen, batch.leased.now)

    candidates = []
    for looked in one_by_one({one.link.id: one for one in batch.leased.due}, look).values():
        if isinstance(looked, SyncError):
            _must_be_its_own(looked)
            continue
        observed, plan = looked
        assert isinstance(observed.seen, Seen)
        candidate = candidate_of(batch, observed, plan) if isinstance(plan, Create) else None
        if isinstance(observed.seen.salesforce, Snapshot) and not isinstance(plan, Hold):
            found.counts.matched += 1
            found.people.met.add(observed.seen.salesforce.id)
        elif candidate is not None and candidate.prints:
            candidates.append(candidate)
            assert isinstance(observed.seen.drchrono, Snapshot)
            found.people.add(table, candidate.prints[0], observed.seen.drchrono)
        elif candidate is not None:
            found.counts.created[Side.SALESFORCE] += 1
        else:
            found.counts.left_out += isinstance(plan, Nothing)
            found.miss(table, plan)
    await _match(batch, found, candidates)


async def _match(batch: Batch, found: DryRun, candidates: Sequence[CreateCandidate]) -> None:
    """Count whom charts that nobody names would meet in Salesforce."""
    namesake = Wait(BUSY, batch.leased.now)  # of two charts of one person, the second waits for the first
    judged = await match_contacts(batch, candidates, namesake)
    persons = {one.link.id: one.prints[0] for one in candidates}
    for link_id, verdict in judged.items():
        match verdict:
            case SyncError():
                _must_be_its_own(verdict)
                continue
            case Create():
                found.counts.created[Side.SALESFORCE] += 1
                continue
            case LinkTo():
                found.counts.matched += 1
                found.people.met.add(verdict.link_to)
            case Wait():
                found.counts.decide[IS_TAKEN] += 1
            case _:
                found.miss(batch.rules.table, verdict)
        found.people.done.add(persons[link_id])


async def _preview_wanted(batch: Batch, found: DryRun, lone: Sequence[Snapshot]) -> None:
    """Say what becomes of Salesforce's records that name a chart or ask to be taken over, and that are new to us."""
    table, people, counts = batch.rules.table, found.people, found.counts
    held = await read.with_linked_parents(batch, {one.id: one for one in lone if one.id not in people.met})
    links_of = {id_: Link(str(ULID()), found.kind, None, id_, Base()) for id_ in held}
    if found.kind is Kind.DOCUMENT:
        ours = {link.id: link for link in links_of.values()}
        placed = await with_placements(batch, ours, {links_of[id_].id: one for id_, one in held.items()})
        held = {id_: one for id_, link in links_of.items() if isinstance(one := placed[link.id], Snapshot)}

    def look(one: Snapshot) -> tuple[Plan, CreateCandidate | None]:
        observed = Observed(Due(links_of[one.id], 0, 0, 0, batch.leased.lane), Seen(Absent.ABSENT, one))
        assert isinstance(observed.seen, Seen)
        plan = decide(batch.rules, observed.link, observed.seen, batch.leased.now)
        return plan, candidate_of(batch, observed, plan) if isinstance(plan, Create) else None

    candidates = []
    for looked in one_by_one(held, look).values():
        if isinstance(looked, SyncError):
            _must_be_its_own(looked)
            continue
        plan, candidate = looked
        if isinstance(plan, LinkTo) and found.is_whole:  # all charts were shown, and this one was not among them
            counts.decide[GONE_IN_DRCHRONO] += 1
        elif isinstance(plan, LinkTo):
            counts.matched += 1
        elif candidate is None:
            found.miss(table, plan)
        elif found.kind is Kind.DOCUMENT:  # whether its bytes are there already, only reading them tells
            counts.created[Side.DRCHRONO] += 1
        elif not candidate.prints:
            counts.decide[NOBODY] += 1
        elif not found.is_whole:
            counts.asking += 1
        else:
            candidates.append(candidate)
    known = await known_people(batch.runtime.database, found.kind, [one.prints[0] for one in candidates])
    paired = {one.person for one in known if one.drchrono_id and one.salesforce_id}
    for candidate in candidates:
        _preview_create(table, found, candidate, paired)


def _preview_create(table: Table, found: DryRun, candidate: CreateCandidate, paired: Collection[str | None]) -> None:
    """Count what becomes of a record that asks to be taken over, by the charts that were gone through."""
    person, counts, people = candidate.prints[0], found.counts, found.people
    charts = people.charts.get(person, [])
    if person in paired or (person in people.done and not charts):
        counts.decide[IS_TAKEN] += 1
        return
    if person in people.done:
        return  # it was counted with its chart
    assert isinstance(candidate.plan, Create)
    plan = link_or_create(candidate.plan, narrowed(table, candidate.who, charts) if charts else [], ())
    match plan:
        case Create():
            counts.created[Side.DRCHRONO] += 1
        case LinkTo():  # its chart met nobody in Salesforce, and was counted as one to be made there
            counts.created[Side.SALESFORCE] -= 1
            counts.matched += 1
        case _:
            found.miss(table, plan)
    people.done.add(person)
