"""Whom a chart meets in Salesforce: Contacts that name no chart, asked for once for a whole batch."""

from collections.abc import Sequence

from app.errors import SyncError
from app.store import matching as store
from app.sync import first_contact
from app.sync.matching import alike, narrowed, search_key
from app.sync.records import Plan, Side, Sight
from workers.from_salesforce import contact
from workers.passes import Pass
from workers.visits import clock_of
from workers.wishes import Judged, Wish


async def met_contacts(work: Pass, wishes: Sequence[Wish], busy: Plan) -> Judged:
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
        judged[wish.link_id] = first_contact.met(wish.plan, Side.SALESFORCE, free, (), wish.chosen)
    return judged


async def _contacts_born_with(work: Pass, wishes: Sequence[Wish]) -> list[Sight]:
    table = work.rules.table
    keys = [search_key(table, wish.who, wish.zone) for wish in wishes]
    values = {day for _, day in keys if day is not None}
    if not values:
        return []
    records = await work.salesforce.unnamed(table.object, table.fields, table.external_id, keys[0][0], values)
    clock = await clock_of(work)
    return [contact(work, clock, one) for one in records]
