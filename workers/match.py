"""Match: before a record is created, search the other side for it; one match links, several wait for a person.

Only one worker matches a person at a time, in either direction, until the save, so a Contact and a chart of
one person that come at the same moment end as one pair. Salesforce is asked once for a whole batch: for most, when it
was read. DrChrono's lists are some seconds old, so our own index is asked beside them, and what only the index knows is
read before it is believed. A write that makes a linked record somebody else takes part: nobody is matched beside it.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

from app.errors import SyncError, Unauthorized, Unreadable, VendorError
from app.ports import SealedColumn
from app.store import identity_index as store
from app.sync import create, failure_causes
from app.sync.failure_causes import BUSY
from app.sync.identity import alike, alike_each, fingerprints, identity, narrowed, question, search_key
from app.sync.mappings.table import Table
from app.sync.model import WHOLE_RECORD, FieldResolution, Fields, Kind, Link, PendingWrite, Seen, Side, Snapshot
from app.sync.plan import Create, FindCreated, Hold, LinkTo, MergeContacts, Plan, ReadyPlan, Wait, Write
from app.sync.snapshots import SideReader
from app.vendors.drchrono import wire
from workers.batch import Batch, ContactSearch, Observed
from workers.bisection import one_by_one, side_by_side
from workers.match_documents import match_documents
from workers.match_lease import busy, lease_planned, renamed_to
from workers.outcome import identity_of
from workers.read import ask_salesforce, reader_of


@dataclass(frozen=True, slots=True)
class CreateCandidate:
    """A record that is to be created on a side, or may have been (`attempt`), and who it is.

    word      what a person says of it
    known_as  everybody that its side says it is
    searched  how Salesforce was searched for it when it was read
    """

    link: Link
    plan: Create | FindCreated
    side: Side
    who: Fields
    prints: tuple[str, ...]
    attempt: PendingWrite | None = None
    zone: str = ""
    word: FieldResolution | None = None
    known_as: frozenset[str] = frozenset()
    searched: ContactSearch | None = None

    @property
    def word_there(self) -> FieldResolution | None:
        """What a person says of whom it would meet: which one it is, or that a new one is right."""
        return self.word if self.word and self.word.side is self.side else None

    @property
    def winner(self) -> str | None:
        """Which one on its own side it is, by a person's word."""
        return self.word.twin if self.word and self.word.side is not self.side else None


@dataclass(frozen=True, slots=True)
class ChartsFound:
    """The charts that are who is wanted; `not_shown`: ids of those that were, and that DrChrono shows no more."""

    shown: Sequence[Snapshot]
    not_shown: Sequence[str]


_COUNTS_FOR_S = 3.0  # a Contact that somebody entered since is met by another search
_NO_ID = ""  # of a row whose id names nothing

Match = Create | LinkTo | MergeContacts | Hold | Wait
Matches = dict[str, Match | SyncError]


def candidate_of(batch: Batch, observed: Observed, plan: Create | FindCreated) -> CreateCandidate:
    """Give who is to be created, or was perhaps, by the plan of a look.

    Raises  Undecryptable when what an attempt sent cannot be opened
    """
    seen, rules = observed.seen, batch.rules
    assert isinstance(seen, Seen)
    attempt = next((write for write in observed.link.own_writes if write.side is Side.DRCHRONO), None)
    side = plan.side if isinstance(plan, Create) else Side.DRCHRONO
    there = seen.salesforce if side is Side.DRCHRONO else seen.drchrono
    who: Fields = there.fields if isinstance(there, Snapshot) else {}
    if isinstance(plan, FindCreated) and attempt is not None and attempt.sent is not None:
        # as it was then: the Contact may have changed its name since
        who = batch.runtime.vault.open(attempt.sent, SealedColumn.WRITE_SENT.of(attempt.id))
    prints = fingerprints(rules, who)
    zone = there.zone if isinstance(there, Snapshot) else ""
    attempt = attempt if isinstance(plan, FindCreated) else None
    word, known_as = seen.decided.get(WHOLE_RECORD), identity_of(rules, observed).all
    searched = observed.searched if side is Side.SALESFORCE and _counts(observed.searched, who) else None
    return CreateCandidate(observed.link, plan, side, who, prints, attempt, zone, word, known_as, searched)


def _counts(searched: ContactSearch | None, who: Fields) -> bool:
    """Say whether a search was for this very one, and just now."""
    return searched is not None and searched.who == who and monotonic() - searched.at < _COUNTS_FOR_S


async def match_before_create(
    batch: Batch, observed: Sequence[Observed], plans: Mapping[str, Plan | SyncError]
) -> dict[str, ReadyPlan | SyncError]:
    """Give the plans, each create and each search for one replaced by what was found of it, or why nothing could be."""
    if batch.rules.table.kind is Kind.DOCUMENT:
        return await match_documents(batch, observed, plans)
    judged: dict[str, ReadyPlan | SyncError] = {}
    candidates = []
    looks = {one.link.id: one for one in observed}
    creates = {
        link_id: (looks[link_id], plan) for link_id, plan in plans.items() if isinstance(plan, Create | FindCreated)
    }
    for link_id, candidate in one_by_one(creates, lambda one: candidate_of(batch, *one)).items():
        if isinstance(candidate, SyncError):
            judged[link_id] = candidate
        elif candidate.prints:
            candidates.append(candidate)
        elif candidate.side is Side.DRCHRONO:
            judged[link_id] = Hold(failure_causes.NOBODY)
    writes = {link_id: (looks[link_id], plan) for link_id, plan in plans.items() if isinstance(plan, Write)}
    persons = one_by_one(writes, lambda one: renamed_to(batch, *one))
    judged |= {link_id: error for link_id, error in persons.items() if isinstance(error, SyncError)}
    renamed = {link_id: person for link_id, person in persons.items() if isinstance(person, str)}
    if candidates or renamed:
        ours = {one.prints[0] for one in candidates if one.searched}
        left = {one.link.id: one.prints[0] for one in candidates if not one.searched}
        has_contacts = any(one.side is Side.DRCHRONO for one in candidates)
        ours |= await lease_planned(batch, observed, left, renamed, notes_charts=has_contacts)
        late = {link_id: writes[link_id][1] for link_id, person in renamed.items() if person not in ours}
        judged |= {link_id: replace(busy(batch), settled=plan.settled) for link_id, plan in late.items()}
        judged |= await _match(batch, candidates, ours, renamed.values())
    return {link_id: plan for link_id, plan in plans.items() if not isinstance(plan, FindCreated)} | judged


async def _match(
    batch: Batch, candidates: Sequence[CreateCandidate], ours: Collection[str], renamed: Collection[str]
) -> Matches:
    """Judge those that may be matched now; of one person, charts go first, and whoever meets somebody goes alone.

    ours     the persons that may be
    renamed  those that this pass makes of linked records: no chart is made beside one
    """
    held = [candidate for candidate in candidates if candidate.prints[0] in ours]
    charts = [candidate for candidate in held if candidate.side is Side.SALESFORCE]
    contacts = {candidate.prints[0]: candidate for candidate in reversed(held) if candidate.side is Side.DRCHRONO}
    expected = await _expected(batch, charts)
    first = [candidate.prints[0] for candidate in charts if candidate.link.id not in expected]
    for person in (*first, *renamed):
        contacts.pop(person, None)
    later = busy(batch)
    judged: Matches = dict.fromkeys((candidate.link.id for candidate in candidates), later)
    of_charts, of_contacts = await asyncio.gather(
        match_contacts(batch, charts, later, expected), match_charts(batch, contacts)
    )
    met = {plan.link_to for plan in of_contacts.values() if isinstance(plan, LinkTo)}  # as DrChrono shows it now
    return judged | of_charts | of_contacts | {one.link.id: later for one in charts if one.link.drchrono_id in met}


async def match_charts(batch: Batch, candidates: Mapping[str, CreateCandidate]) -> Matches:
    """Judge Contacts, and creates that were not answered, by the charts there are."""
    judged: Matches = {}
    if not candidates:
        return judged
    prints = [one for candidate in candidates.values() for one in candidate.prints]
    known = await store.known_people(batch.runtime.database, batch.rules.table.kind, prints)
    judged |= {
        candidate.link.id: plan for candidate in candidates.values() if (plan := _after_a_twin(batch, candidate, known))
    }
    left = {one.link.id: one for one in candidates.values() if one.link.id not in judged}
    lists: dict[tuple[tuple[str, str], ...], asyncio.Task[list[Snapshot]]] = {}
    found = await side_by_side(left, lambda one: _charts(batch, one, known, lists))
    met = {link_id: those for link_id, those in found.items() if not isinstance(those, SyncError)}

    async def taken_of(part: Mapping[str, ChartsFound]) -> dict[str, set[str]]:
        return dict.fromkeys(part, await _taken(batch, {one.id for those in part.values() for one in those.shown}))

    try:
        taken = await ask_salesforce(batch, met, taken_of)
    except VendorError as error:
        return judged | dict.fromkeys(left, error)

    def judge(one: CreateCandidate) -> Match | SyncError:
        those = found[one.link.id]
        if isinstance(those, SyncError):
            return those
        others = taken[one.link.id]
        return others if isinstance(others, SyncError) else _judge(batch, one, those, others)

    judged |= one_by_one(left, judge)
    return judged | await _merged(batch, left.values(), judged)


def _after_a_twin(batch: Batch, candidate: CreateCandidate, known: Sequence[store.IndexedPerson]) -> Hold | Wait | None:
    """Have a Contact wait while another of its name is not done with the chart it may have made."""
    twins = [one for one in known if one.person in candidate.prints and one.drchrono_id is None]
    others = [one for one in twins if one.link_id != candidate.link.id]
    if not others or candidate.attempt is not None:
        return None
    if not any(one.is_due for one in others):  # it waits for a person, and so does this one
        return Hold(failure_causes.IS_TAKEN)
    return Wait(BUSY, batch.leased.now + batch.rules.search_gap)


def _judge(batch: Batch, candidate: CreateCandidate, found: ChartsFound, taken: set[str]) -> Match:
    charts = narrowed(batch.rules.table, candidate.who, found.shown) if found.shown else []
    if isinstance(candidate.plan, Create):
        return create.link_or_create(candidate.plan, charts, taken, found.not_shown, candidate.word_there)
    assert candidate.attempt is not None
    return create.recheck_unanswered_create(
        batch.rules, candidate.link, candidate.attempt, charts, taken, batch.leased.now
    )


async def _merged(batch: Batch, candidates: Collection[CreateCandidate], judged: Matches) -> Matches:
    """Judge anew the Contacts whose chart has its own, of which a person has said that they are that one."""
    table = batch.rules.table
    held = [
        (candidate, candidate.winner, plan)
        for candidate in candidates
        if candidate.winner and candidate.attempt is None
        if isinstance(plan := judged[candidate.link.id], Hold) and plan.cause == failure_causes.IS_TAKEN
    ]
    if not held:
        return {}
    asked = sorted({winner for _, winner, _ in held})
    try:
        records = await batch.salesforce.read(table.object, table.fields, table.external_id, asked, [])
        reader = await reader_of(batch)
    except VendorError as error:
        return {candidate.link.id: error for candidate, _, _ in held}
    contacts = {one["Id"]: one for one in records}

    def merge(one: tuple[CreateCandidate, str, Hold]) -> Match:
        candidate, winner, plan = one
        there = reader.salesforce(contacts[winner]) if winner in contacts else None
        return create.plan_merge(table, plan, candidate.who, there)

    return one_by_one({one[0].link.id: one for one in held}, merge)


async def _charts(
    batch: Batch,
    candidate: CreateCandidate,
    known: Sequence[store.IndexedPerson],
    lists: dict[tuple[tuple[str, str], ...], Any],
) -> ChartsFound | SyncError:
    """Give the charts that are who is to be created: as listed, and those our index knows, as they are now.

    Of a kind that is deleted over there, one that is gone is over; any other may only be hidden.
    """
    table = batch.rules.table
    asked = question(table, candidate.who)
    key = tuple(sorted(asked.items()))
    if key not in lists:
        lists[key] = asyncio.ensure_future(_listed(batch, asked))
    try:
        found = alike(table, candidate.who, await lists[key])
        _must_be_charts(table, candidate.who, await lists[key])
        listed = {one.id for one in found}
        unlisted = {one.drchrono_id for one in known if one.person in candidate.prints and one.drchrono_id} - listed
        read = {id_: await _read_chart(batch, id_) for id_ in sorted(filter(None, unlisted))}
    except SyncError as error:
        return error
    found += alike(table, candidate.who, [one for one in read.values() if one is not None])
    gone = [id_ for id_, one in read.items() if one is None]
    return ChartsFound(found, gone if table.tombstone is None else [])


async def _listed(batch: Batch, asked: Mapping[str, str]) -> list[Snapshot]:
    table = batch.rules.table
    if batch.drchrono is None:
        raise Unauthorized(Side.DRCHRONO.value, f"GET {table.path}", code="NOT_CONNECTED")
    return [_chart_snapshot(batch, record) for record in await batch.drchrono.listed(table.path, asked)]


async def _read_chart(batch: Batch, record_id: str) -> Snapshot | None:
    assert batch.drchrono is not None
    record = await batch.drchrono.read(batch.rules.table.path, record_id)
    return None if record is None else _chart_snapshot(batch, record)


def _chart_snapshot(batch: Batch, record: Mapping[str, Any]) -> Snapshot:
    id_ = wire.record_id(record) if wire.readable([record]) else _NO_ID
    return SideReader(batch.rules.table).drchrono(id_, record, wire.version(record))


def _must_be_charts(table: Table, who: Fields, listed: Sequence[Snapshot]) -> None:
    """Let nobody be created where a row without a usable id may be their chart: a second one would be made.

    Raises  Unreadable
    """
    wanted = (None, identity(table, who))
    if any(one.id == _NO_ID and identity(table, one.fields) in wanted for one in listed):
        raise Unreadable(Side.DRCHRONO.value, f"GET {table.path}", code="NO_ID")


async def _taken(batch: Batch, charts: set[str]) -> set[str]:
    """Give the charts that have their Contact: by a link of ours, or because a Contact names them."""
    if not charts:
        return set()
    table = batch.rules.table
    paired = await store.already_paired(batch.runtime.database, table.kind, Side.DRCHRONO, charts)
    named = await batch.salesforce.read(table.object, [], table.external_id, [], sorted(charts))
    return set(paired) | {str(one.get(table.external_id)) for one in named}


async def match_contacts(
    batch: Batch, candidates: Sequence[CreateCandidate], later: Wait, expected: Collection[str] = ()
) -> Matches:
    """Judge charts by the Contacts that name no chart; Salesforce's answer is never stale.

    One that is `expected` by a Contact that is called otherwise now waits for that one's search.
    """
    if not candidates:
        return {}
    table = batch.rules.table
    asked = {candidate.link.id: candidate for candidate in candidates}
    found = await _free_contacts(batch, asked)
    met = set()

    def judge(candidate: CreateCandidate) -> Match | SyncError:
        those = found[candidate.link.id]
        if isinstance(those, SyncError):
            return those
        free = narrowed(table, candidate.who, those)
        if not free and candidate.link.id in expected:
            return Wait(BUSY, batch.leased.now + batch.rules.search_gap)
        if free and candidate.prints[0] in met:
            return later
        met.add(candidate.prints[0])
        assert isinstance(candidate.plan, Create)
        return create.link_or_create(candidate.plan, free, (), word=candidate.word_there)

    return one_by_one(asked, judge)


async def _expected(batch: Batch, candidates: Sequence[CreateCandidate]) -> set[str]:
    """Give the link ids of charts that a create of ours, whose outcome is not known yet, may have made for a Contact.

    Such a chart belongs to that Contact, also where either of them goes by another name since.
    """
    database, kind = batch.runtime.database, batch.rules.table.kind
    former = await store.identities_of(database, [candidate.link.id for candidate in candidates])
    names = {one.link.id: {*one.prints, *one.known_as, *former.get(one.link.id, ())} for one in candidates}
    sent_for = await store.sent_for(database, kind, sorted({person for some in names.values() for person in some}))
    return {link_id for link_id, some in names.items() if some & sent_for}


async def _free_contacts(
    batch: Batch, candidates: Mapping[str, CreateCandidate]
) -> dict[str, list[Snapshot] | SyncError]:
    """Give the Contacts that are who is to be created, and name no chart and are in no pair."""
    found: dict[str, Sequence[Snapshot] | SyncError] = {
        link_id: one.searched.met for link_id, one in candidates.items() if one.searched
    }
    left = {link_id: one for link_id, one in candidates.items() if not one.searched}
    try:
        found |= await ask_salesforce(batch, left, partial(_unnamed, batch)) if left else {}
    except VendorError as error:
        found |= dict.fromkeys(left, error)
    ids = {one.id for those in found.values() if not isinstance(those, SyncError) for one in those}
    paired = await store.already_paired(batch.runtime.database, batch.rules.table.kind, Side.SALESFORCE, ids)
    return {
        link_id: those if isinstance(those, SyncError) else [one for one in those if one.id not in paired]
        for link_id, those in found.items()
    }


async def _unnamed(batch: Batch, candidates: Mapping[str, CreateCandidate]) -> dict[str, list[Snapshot]]:
    """Give, of the Contacts that name no chart, those that are who is to be created."""
    table, reader = batch.rules.table, await reader_of(batch)
    keys = {link_id: search_key(table, one.who, one.zone) for link_id, one in candidates.items()}
    values = {day for _, day in keys.values() if day is not None}
    if not values:
        return {link_id: [] for link_id in candidates}
    (name,) = {name for name, _ in keys.values()}
    records = await batch.salesforce.read(table.object, table.fields, table.external_id, [], [], (name, values))
    contacts = [reader.salesforce(one) for one in records]
    return alike_each(table, {link_id: one.who for link_id, one in candidates.items()}, contacts)
