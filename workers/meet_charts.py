"""Whom a Contact meets in DrChrono: charts as it lists them, and those our own index knows.

DrChrono's lists are some seconds old, so what only the index knows is read before it is believed.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.errors import SyncError, Unauthorized, Unreadable
from app.store import matching as store
from app.sync import first_contact
from app.sync.first_contact import BUSY
from app.sync.matching import alike, narrowed, question
from app.sync.records import Action, Plan, Side, Sight
from app.vendors.drchrono import wire
from workers.from_salesforce import contact
from workers.passes import Pass
from workers.visits import clock_of
from workers.wishes import Judged, Wish


async def met_charts(work: Pass, wishes: Mapping[str, Wish]) -> Judged:
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
    return judged | await _merged(work, wishes.values(), judged)


def _after_a_twin(work: Pass, wish: Wish, known: Sequence[store.Known]) -> Plan | None:
    """Have a Contact wait while another of its name is not done with the chart it may have made."""
    twins = [one for one in known if one.person in wish.prints and one.drchrono_id is None]
    others = [one for one in twins if one.link_id != wish.link_id]
    if not others or wish.attempt is not None:
        return None
    if not any(one.is_due for one in others):  # it waits for a person, and so does this one
        return Plan(Action.HOLD, cause=first_contact.IS_TAKEN)
    return Plan(Action.WAIT, cause=BUSY, until=work.taken.now + work.rules.search_gap)


def _judge(work: Pass, wish: Wish, found: Sequence[Sight], taken: set[str]) -> Plan:
    charts = narrowed(work.rules.table, wish.who, found) if found else []
    if wish.attempt is not None:
        return first_contact.sought(work.rules, wish.attempt, charts, taken, work.taken.now)
    return first_contact.met(wish.plan, Side.DRCHRONO, charts, taken, wish.chosen)


async def _merged(work: Pass, wishes: Collection[Wish], judged: Judged) -> Judged:
    """Judge anew the Contacts whose chart has its own, of which a person has said that they are that one."""
    table = work.rules.table
    held = [
        (wish, wish.winner, plan)
        for wish in wishes
        if wish.winner and wish.attempt is None
        if isinstance(plan := judged[wish.link_id], Plan) and plan.cause == first_contact.IS_TAKEN
    ]
    if not held:
        return {}
    asked = sorted({winner for _, winner, _ in held})
    try:
        records = await work.salesforce.read(table.object, table.fields, table.external_id, asked, [])
        clock = await clock_of(work)
    except SyncError as error:
        return {wish.link_id: error for wish, _, _ in held}
    contacts = {str(one["Id"]): contact(work, clock, one) for one in records}
    return {
        wish.link_id: first_contact.merged(table, plan, wish.who, contacts.get(winner)) for wish, winner, plan in held
    }


async def _charts(
    work: Pass, wish: Wish, known: Sequence[store.Known], lists: dict[tuple[tuple[str, str], ...], Any]
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
    if work.drchrono is None:
        raise Unauthorized(Side.DRCHRONO.value, f"GET {table.path}", code="NOT_CONNECTED")
    return [_sight(work, record) for record in await work.drchrono.listed(table.path, asked)]


async def _read(work: Pass, record_id: str) -> list[Sight]:
    assert work.drchrono is not None
    record = await work.drchrono.read(work.rules.table.path, record_id)
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
    table = work.rules.table
    paired = await store.paired(work.run.database, table.kind, Side.DRCHRONO, charts)
    named = await work.salesforce.read(table.object, [], table.external_id, [], sorted(charts))
    return set(paired) | {str(one.get(table.external_id)) for one in named}
