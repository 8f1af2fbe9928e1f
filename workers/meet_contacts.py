"""Whom a chart meets in Salesforce: Contacts that name no chart, asked for once for a whole batch."""

from collections.abc import Sequence
from datetime import date, datetime

from app.errors import SyncError
from app.store import matching as store
from app.sync import first_contact
from app.sync.matching import FINDERS, alike, narrowed, rows_of
from app.sync.records import Plan, Side, Sight
from workers.from_salesforce import contact
from workers.passes import Pass
from workers.visits import clock_of
from workers.wishes import Judged, Wish

_FIRST_YEAR, _LAST_YEAR = 1700, 4000  # of Salesforce's dates


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
        judged[wish.link_id] = first_contact.met(wish.plan, Side.SALESFORCE, free, ())
    return judged


async def _contacts_born_with(work: Pass, wishes: Sequence[Wish]) -> list[Sight]:
    table = work.rules.table
    (row,) = rows_of(table, [FINDERS[table.kind].key]).values()
    name = row.names[Side.SALESFORCE]
    written = [table.write(Side.SALESFORCE, {row.name: wish.who[row.name]}, wish.zone)[0] for wish in wishes]
    values = {_literal(raw[name]) for raw in written if name in raw}
    values = {one for one in values if _FIRST_YEAR <= one.year <= _LAST_YEAR}  # one odd day would refuse the batch
    if not values:
        return []
    records = await work.salesforce.unnamed(table.object, table.fields, table.external_id, name, values)
    clock = await clock_of(work)
    return [contact(work, clock, one) for one in records]


def _literal(value: str) -> date | datetime:
    """Give a day or an instant as SOQL wants it: unquoted."""
    return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
