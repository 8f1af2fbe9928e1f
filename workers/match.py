"""Match: before a record is created, search the other side for it; one match links, several wait for a person.

Only one worker matches a person at a time, in either direction, from here to the save, so a Contact and a chart of
one person that come at the same moment end as one pair. Salesforce is asked once for a whole batch. DrChrono's lists
are some seconds old, so our own index is asked beside them, and what only the index knows is read before it is
believed.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from app.errors import SyncError, Unauthorized, Unreadable
from app.store import identity_index as store
from app.sync import create
from app.sync.create import BUSY
from app.sync.identity import alike, fingerprints, narrowed, question, search_key
from app.sync.model import WHOLE_RECORD, Action, FieldResolution, Fields, PendingWrite, Plan, Seen, Side, Snapshot
from app.vendors.drchrono import wire
from workers.batch import Batch, Observed
from workers.read import salesforce_snapshot, visit_zones


@dataclass(frozen=True, slots=True)
class CreateCandidate:
    """A record that is to be created on a side, or may have been (`attempt`), and who it is; `word`: a person's."""

    link_id: str
    plan: Plan
    side: Side
    who: Fields
    prints: tuple[str, ...]
    attempt: PendingWrite | None = None
    zone: str = ""
    word: FieldResolution | None = None

    @property
    def chosen(self) -> str | None:
        """Which of several over there it is, by a person's word."""
        return self.word.twin if self.word and self.word.side is self.side else None

    @property
    def winner(self) -> str | None:
        """Which one on its own side it is, by a person's word."""
        return self.word.twin if self.word and self.word.side is not self.side else None


Matches = dict[str, Plan | SyncError]


def candidate_of(work: Batch, looked: Observed, plan: Plan) -> CreateCandidate:
    """Give who is to be created, or was perhaps, by the plan of a look.

    Raises  Undecryptable when what an attempt sent cannot be opened
    """
    seen, rules = looked.seen, work.rules
    assert isinstance(seen, Seen)
    attempt = next((write for write in looked.link.own_writes if write.side is Side.DRCHRONO), None)
    side = next(iter(plan.writes), Side.DRCHRONO)
    there = seen.salesforce if side is Side.DRCHRONO else seen.drchrono
    who: Fields = there.fields if isinstance(there, Snapshot) else {}
    if plan.action is Action.FIND and attempt is not None and attempt.sent is not None:
        who = work.run.vault.open(attempt.sent)  # as it was then: the Contact may have changed its name since
    prints = fingerprints(rules.keys, rules.table, who)
    zone = there.zone if isinstance(there, Snapshot) else ""
    attempt = attempt if plan.action is Action.FIND else None
    return CreateCandidate(looked.link.id, plan, side, who, prints, attempt, zone, seen.decided.get(WHOLE_RECORD))


_AGAIN = timedelta(seconds=1.5)


async def match_before_create(
    work: Batch, looked: Sequence[Observed], plans: Mapping[str, Plan]
) -> tuple[list[Observed], dict[str, Plan]]:
    """Give the looks and plans anew, each create and each search for one replaced by what was found of it."""
    judged: Matches = {}
    wishes = []
    for one in looked:
        plan = plans.get(one.link.id)
        if plan is None or plan.action not in (Action.CREATE, Action.FIND):
            continue
        try:
            wish = candidate_of(work, one, plan)
        except SyncError as error:
            judged[one.link.id] = error
            continue
        if wish.prints:
            wishes.append(wish)
        elif wish.side is Side.DRCHRONO:
            judged[wish.link_id] = Plan(Action.HOLD, cause=create.NOBODY)
    if wishes:
        judged |= await _match(work, wishes)
    plans = {**plans, **{link_id: plan for link_id, plan in judged.items() if isinstance(plan, Plan)}}
    failed = {link_id: error for link_id, error in judged.items() if isinstance(error, SyncError)}
    looked = [replace(one, seen=failed[one.link.id]) if one.link.id in failed else one for one in looked]
    return looked, {link_id: plan for link_id, plan in plans.items() if link_id not in failed}


async def _match(work: Batch, wishes: Sequence[CreateCandidate]) -> Matches:
    """Judge those that may be matched now; of one person, charts go first, and whoever meets somebody goes alone."""
    ours = await store.lease_people(
        work.run.database, work.taken.token, {wish.link_id: wish.prints[0] for wish in wishes}
    )
    held = [wish for wish in wishes if wish.prints[0] in ours]
    charts = [wish for wish in held if wish.side is Side.SALESFORCE]
    contacts = {wish.prints[0]: wish for wish in reversed(held) if wish.side is Side.DRCHRONO}
    for wish in charts:
        contacts.pop(wish.prints[0], None)
    busy = Plan(Action.WAIT, cause=BUSY, until=work.taken.now + _AGAIN)
    judged: Matches = dict.fromkeys((wish.link_id for wish in wishes), busy)
    of_charts, of_contacts = await asyncio.gather(match_contacts(work, charts, busy), match_charts(work, contacts))
    return judged | of_charts | of_contacts


async def match_charts(work: Batch, wishes: Mapping[str, CreateCandidate]) -> Matches:
    """Judge Contacts, and creates that were not answered, by the charts there are."""
    judged: Matches = {}
    if not wishes:
        return judged
    prints = [one for wish in wishes.values() for one in wish.prints]
    known = await store.known_people(work.run.database, work.rules.table.kind, prints)
    judged |= {wish.link_id: plan for wish in wishes.values() if (plan := _after_a_twin(work, wish, known))}
    wishes = {person: wish for person, wish in wishes.items() if wish.link_id not in judged}
    lists: dict[tuple[tuple[str, str], ...], asyncio.Task[list[Snapshot]]] = {}
    found = dict(
        zip(wishes, await asyncio.gather(*(_charts(work, one, known, lists) for one in wishes.values())), strict=True)
    )
    try:
        taken = await _taken(work, {one.id for those in found.values() if isinstance(those, list) for one in those})
    except SyncError as error:
        return judged | {wish.link_id: error for wish in wishes.values()}
    for person, wish in wishes.items():
        those = found[person]
        judged[wish.link_id] = those if isinstance(those, SyncError) else _judge(work, wish, those, taken)
    return judged | await _merged(work, wishes.values(), judged)


def _after_a_twin(work: Batch, wish: CreateCandidate, known: Sequence[store.IndexedPerson]) -> Plan | None:
    """Have a Contact wait while another of its name is not done with the chart it may have made."""
    twins = [one for one in known if one.person in wish.prints and one.drchrono_id is None]
    others = [one for one in twins if one.link_id != wish.link_id]
    if not others or wish.attempt is not None:
        return None
    if not any(one.is_due for one in others):  # it waits for a person, and so does this one
        return Plan(Action.HOLD, cause=create.IS_TAKEN)
    return Plan(Action.WAIT, cause=BUSY, until=work.taken.now + work.rules.search_gap)


def _judge(work: Batch, wish: CreateCandidate, found: Sequence[Snapshot], taken: set[str]) -> Plan:
    charts = narrowed(work.rules.table, wish.who, found) if found else []
    if wish.attempt is not None:
        return create.recheck_unanswered_create(work.rules, wish.attempt, charts, taken, work.taken.now)
    return create.link_or_create(wish.plan, Side.DRCHRONO, charts, taken, wish.chosen)


async def _merged(work: Batch, wishes: Collection[CreateCandidate], judged: Matches) -> Matches:
    """Judge anew the Contacts whose chart has its own, of which a person has said that they are that one."""
    table = work.rules.table
    held = [
        (wish, wish.winner, plan)
        for wish in wishes
        if wish.winner and wish.attempt is None
        if isinstance(plan := judged[wish.link_id], Plan) and plan.cause == create.IS_TAKEN
    ]
    if not held:
        return {}
    asked = sorted({winner for _, winner, _ in held})
    try:
        records = await work.salesforce.read(table.object, table.fields, table.external_id, asked, [])
        clock = await visit_zones(work)
    except SyncError as error:
        return {wish.link_id: error for wish, _, _ in held}
    contacts = {str(one["Id"]): salesforce_snapshot(work, clock, one) for one in records}
    return {wish.link_id: create.plan_merge(table, plan, wish.who, contacts.get(winner)) for wish, winner, plan in held}


async def _charts(
    work: Batch,
    wish: CreateCandidate,
    known: Sequence[store.IndexedPerson],
    lists: dict[tuple[tuple[str, str], ...], Any],
) -> list[Snapshot] | SyncError:
    """Give the charts that are who is wished for: as listed, and those our index knows, as they are now."""
    table = work.rules.table
    asked = question(table, wish.who)
    key = tuple(sorted(asked.items()))
    if key not in lists:
        lists[key] = asyncio.ensure_future(_listed(work, asked))
    try:
        found = alike(table, wish.who, await lists[key])
        listed = {one.id for one in found}
        unlisted = {one.drchrono_id for one in known if one.person in wish.prints} - listed
        found += alike(
            table, wish.who, [sight for id_ in sorted(filter(None, unlisted)) for sight in await _read_chart(work, id_)]
        )
    except SyncError as error:
        return error
    return found


async def _listed(work: Batch, asked: Mapping[str, str]) -> list[Snapshot]:
    table = work.rules.table
    if work.drchrono is None:
        raise Unauthorized(Side.DRCHRONO.value, f"GET {table.path}", code="NOT_CONNECTED")
    return [_chart_snapshot(work, record) for record in await work.drchrono.listed(table.path, asked)]


async def _read_chart(work: Batch, record_id: str) -> list[Snapshot]:
    assert work.drchrono is not None
    record = await work.drchrono.read(work.rules.table.path, record_id)
    return [] if record is None else [_chart_snapshot(work, record)]


def _chart_snapshot(work: Batch, record: Mapping[str, Any]) -> Snapshot:
    try:
        id_ = wire.record_id(record)
    except ValueError:  # passing over it could make a second chart
        raise Unreadable(Side.DRCHRONO.value, f"GET {work.rules.table.path}", code="NO_ID") from None
    return work.rules.table.read(Side.DRCHRONO, id_, record, version=wire.version(record), confirmed=True)


async def _taken(work: Batch, charts: set[str]) -> set[str]:
    """Give the charts that have their Contact: by a link of ours, or because a Contact names them."""
    if not charts:
        return set()
    table = work.rules.table
    paired = await store.already_paired(work.run.database, table.kind, Side.DRCHRONO, charts)
    named = await work.salesforce.read(table.object, [], table.external_id, [], sorted(charts))
    return set(paired) | {str(one.get(table.external_id)) for one in named}


async def match_contacts(work: Batch, wishes: Sequence[CreateCandidate], busy: Plan) -> Matches:
    """Judge charts by the Contacts that name no chart; Salesforce's answer is never stale."""
    if not wishes:
        return {}
    table = work.rules.table
    try:
        contacts = await _contacts_born_with(work, wishes)
        found = {wish.link_id: alike(table, wish.who, contacts) for wish in wishes}
        ids = {one.id for those in found.values() for one in those}
        paired = await store.already_paired(work.run.database, table.kind, Side.SALESFORCE, ids)
    except SyncError as error:
        return dict.fromkeys((wish.link_id for wish in wishes), error)
    judged: Matches = {}
    met = set()
    for wish in wishes:
        free = narrowed(table, wish.who, [one for one in found[wish.link_id] if one.id not in paired])
        if free and wish.prints[0] in met:
            judged[wish.link_id] = busy
            continue
        met.add(wish.prints[0])
        judged[wish.link_id] = create.link_or_create(wish.plan, Side.SALESFORCE, free, (), wish.chosen)
    return judged


async def _contacts_born_with(work: Batch, wishes: Sequence[CreateCandidate]) -> list[Snapshot]:
    table = work.rules.table
    keys = [search_key(table, wish.who, wish.zone) for wish in wishes]
    values = {day for _, day in keys if day is not None}
    if not values:
        return []
    records = await work.salesforce.unnamed(table.object, table.fields, table.external_id, keys[0][0], values)
    clock = await visit_zones(work)
    return [salesforce_snapshot(work, clock, one) for one in records]
