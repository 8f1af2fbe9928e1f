"""Match: before a record is created, look whom it would meet over there; one is linked, several wait for a person.

Only one worker matches a person at a time, in either direction, from here to the record, so a Contact and a chart of
one person that come at the same moment end as one pair. Salesforce is asked once for a whole batch. DrChrono's lists
are some seconds old, so our own index is asked beside them, and what only the index knows is read before it is
believed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from app.errors import SyncError, Unauthorized, Unreadable
from app.store import matching as store
from app.store import zones
from app.sync import first_contact
from app.sync.first_contact import BUSY
from app.sync.matching import FINDERS, alike, fingerprints, narrowed, question, rows_of
from app.sync.records import Action, Fields, OwnWrite, Plan, Seen, Side, Sight
from app.vendors.drchrono import wire
from workers.look import contact
from workers.passes import Looked, Pass
from workers.visits import Clock

_AGAIN = timedelta(seconds=1.5)
_FIRST_YEAR, _LAST_YEAR = 1700, 4000  # of Salesforce's dates


@dataclass(frozen=True, slots=True)
class _Wish:
    """A record that is to be created on a side, or may have been (`attempt`), and who it is."""

    link_id: str
    plan: Plan
    side: Side
    who: Fields
    prints: tuple[str, ...]
    attempt: OwnWrite | None = None
    zone: str = ""


Judged = dict[str, Plan | SyncError]


async def matched(
    work: Pass, looked: Sequence[Looked], plans: Mapping[str, Plan]
) -> tuple[list[Looked], dict[str, Plan]]:
    """Give the looks and plans anew, each create and each search for one replaced by what was found of it."""
    judged: Judged = {}
    wishes = []
    for one in looked:
        plan = plans.get(one.link.id)
        if plan is None or plan.action not in (Action.CREATE, Action.FIND):
            continue
        try:
            wish = _wish(work, one, plan)
        except SyncError as error:
            judged[one.link.id] = error
            continue
        if wish.prints:
            wishes.append(wish)
        elif wish.side is Side.DRCHRONO:
            judged[wish.link_id] = Plan(Action.HOLD, cause=first_contact.NOBODY)
    if wishes:
        judged |= await _judged(work, wishes)
    plans = {**plans, **{link_id: plan for link_id, plan in judged.items() if isinstance(plan, Plan)}}
    failed = {link_id: error for link_id, error in judged.items() if isinstance(error, SyncError)}
    looked = [replace(one, seen=failed[one.link.id]) if one.link.id in failed else one for one in looked]
    return looked, {link_id: plan for link_id, plan in plans.items() if link_id not in failed}


def _wish(work: Pass, looked: Looked, plan: Plan) -> _Wish:
    seen, rules = looked.seen, work.rules
    assert isinstance(seen, Seen)
    attempt = next((write for write in looked.link.own_writes if write.side is Side.DRCHRONO), None)
    side = next(iter(plan.writes), Side.DRCHRONO)
    there = seen.salesforce if side is Side.DRCHRONO else seen.drchrono
    who: Fields = there.fields if isinstance(there, Sight) else {}
    if plan.action is Action.FIND and attempt is not None and attempt.sent is not None:
        who = work.run.vault.open(attempt.sent)  # as it was then: the Contact may have changed its name since
    prints = fingerprints(rules.keys, rules.table, who)
    zone = there.zone if isinstance(there, Sight) else ""
    return _Wish(looked.link.id, plan, side, who, prints, attempt if plan.action is Action.FIND else None, zone)


async def _judged(work: Pass, wishes: Sequence[_Wish]) -> Judged:
    """Judge those that may be matched now; of one person, charts go first, and whoever meets somebody goes alone."""
    ours = await store.take(work.run.database, work.taken.token, {wish.link_id: wish.prints[0] for wish in wishes})
    held = [wish for wish in wishes if wish.prints[0] in ours]
    charts = [wish for wish in held if wish.side is Side.SALESFORCE]
    contacts = {wish.prints[0]: wish for wish in reversed(held) if wish.side is Side.DRCHRONO}
    for wish in charts:
        contacts.pop(wish.prints[0], None)
    busy = Plan(Action.WAIT, cause=BUSY, until=work.taken.now + _AGAIN)
    judged: Judged = dict.fromkeys((wish.link_id for wish in wishes), busy)
    of_charts, of_contacts = await asyncio.gather(_met_contacts(work, charts, busy), _met_charts(work, contacts))
    return judged | of_charts | of_contacts


async def _met_contacts(work: Pass, wishes: Sequence[_Wish], busy: Plan) -> Judged:
    """Judge charts by the Contacts that name no chart; Salesforce's answer is never stale."""
    if not wishes:
        return {}
    table = work.rules.table
    try:
        contacts = await _contacts_born_with(work, wishes)
        found = {wish.link_id: alike(table, wish.who, contacts) for wish in wishes}
        ids = {one.id for those in found.values() for one in those}
        paired = await store.paired(work.run.database, table.kind, Side.SALESFORCE, ids)
    except SyncError as error:
        return dict.fromkeys((wish.link_id for wish in wishes), error)
    judged: Judged = {}
    met = set()
    for wish in wishes:
        free = narrowed(table, wish.who, [one for one in found[wish.link_id] if one.id not in paired])
        if free and wish.prints[0] in met:
            judged[wish.link_id] = busy
            continue
        met.add(wish.prints[0])
        judged[wish.link_id] = first_contact.met(wish.plan, Side.SALESFORCE, free, ())
    return judged


async def _contacts_born_with(work: Pass, wishes: Sequence[_Wish]) -> list[Sight]:
    assert work.run.salesforce is not None
    table = work.rules.table
    (row,) = rows_of(table, [FINDERS[table.kind].key]).values()
    name = row.names[Side.SALESFORCE]
    written = [table.write(Side.SALESFORCE, {row.name: wish.who[row.name]}, wish.zone)[0] for wish in wishes]
    values = {_literal(raw[name]) for raw in written if name in raw}
    values = {one for one in values if _FIRST_YEAR <= one.year <= _LAST_YEAR}  # one odd day would refuse the batch
    if not values:
        return []
    records = await work.run.salesforce.unnamed(table.object, table.fields, table.external_id, name, values)
    clock = Clock(work, await zones.all_zones(work.run.database) if table.zoned else {})
    return [contact(work, clock, one) for one in records]


def _literal(value: str) -> date | datetime:
    """Give a day or an instant as SOQL wants it: unquoted."""
    return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)


async def _met_charts(work: Pass, wishes: Mapping[str, _Wish]) -> Judged:
    """Judge Contacts, and creates that were not answered, by the charts there are."""
    judged: Judged = {}
    if not wishes:
        return judged
    prints = [one for wish in wishes.values() for one in wish.prints]
    known = await store.known(work.run.database, work.rules.table.kind, prints)
    judged |= {wish.link_id: plan for wish in wishes.values() if (plan := _after_a_twin(work, wish, known))}
    wishes = {person: wish for person, wish in wishes.items() if wish.link_id not in judged}
    lists: dict[tuple[tuple[str, str], ...], asyncio.Task[list[Sight]]] = {}
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
    return judged


def _after_a_twin(work: Pass, wish: _Wish, known: Sequence[store.Known]) -> Plan | None:
    """Have a Contact wait while another of its name is not done with the chart it may have made."""
    twins = [one for one in known if one.person in wish.prints and one.drchrono_id is None]
    others = [one for one in twins if one.link_id != wish.link_id]
    if not others or wish.attempt is not None:
        return None
    if not any(one.is_due for one in others):  # it waits for a person, and so does this one
        return Plan(Action.HOLD, cause=first_contact.IS_TAKEN)
    return Plan(Action.WAIT, cause=BUSY, until=work.taken.now + work.rules.search_gap)


def _judge(work: Pass, wish: _Wish, found: Sequence[Sight], taken: set[str]) -> Plan:
    charts = narrowed(work.rules.table, wish.who, found) if found else []
    if wish.attempt is not None:
        return first_contact.sought(work.rules, wish.attempt, charts, taken, work.taken.now)
    return first_contact.met(wish.plan, Side.DRCHRONO, charts, taken)


async def _charts(
    work: Pass, wish: _Wish, known: Sequence[store.Known], lists: dict[tuple[tuple[str, str], ...], Any]
) -> list[Sight] | SyncError:
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
            table, wish.who, [sight for id_ in sorted(filter(None, unlisted)) for sight in await _read(work, id_)]
        )
    except SyncError as error:
        return error
    return found


async def _listed(work: Pass, asked: Mapping[str, str]) -> list[Sight]:
    table = work.rules.table
    if work.run.drchrono is None:
        raise Unauthorized(Side.DRCHRONO.value, f"GET {table.path}", code="NOT_CONNECTED")
    return [_sight(work, record) for record in await work.run.drchrono.listed(table.path, asked)]


async def _read(work: Pass, record_id: str) -> list[Sight]:
    assert work.run.drchrono is not None
    record = await work.run.drchrono.read(work.rules.table.path, record_id)
    return [] if record is None else [_sight(work, record)]


def _sight(work: Pass, record: Mapping[str, Any]) -> Sight:
    try:
        id_ = wire.record_id(record)
    except ValueError:  # passing over it could make a second chart
        raise Unreadable(Side.DRCHRONO.value, f"GET {work.rules.table.path}", code="NO_ID") from None
    return work.rules.table.read(Side.DRCHRONO, id_, record, version=wire.version(record), confirmed=True)


async def _taken(work: Pass, charts: set[str]) -> set[str]:
    """Give the charts that have their Contact: by a link of ours, or because a Contact names them."""
    if not charts:
        return set()
    assert work.run.salesforce is not None
    table = work.rules.table
    paired = await store.paired(work.run.database, table.kind, Side.DRCHRONO, charts)
    named = await work.run.salesforce.read(table.object, [], table.external_id, [], sorted(charts))
    return set(paired) | {str(one.get(table.external_id)) for one in named}
