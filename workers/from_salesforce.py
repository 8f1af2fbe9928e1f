"""From Salesforce: what it holds of every taken link, read in one call for the whole batch."""

from collections.abc import Mapping
from typing import Any

from app.sync.records import Deleted, Side, Sight
from workers.passes import Pass
from workers.visits import Clock

Held = Mapping[str, Sight | Deleted]


async def read(work: Pass, clock: Clock) -> dict[str, Sight | Deleted]:
    """Give what Salesforce holds by link id: of a linked record by its Id, else by our external id."""
    table, due = work.rules.table, work.taken.due
    names = table.fields
    by_id = {one.link.salesforce_id: one.link.id for one in due if one.link.salesforce_id}
    by_key = {one.link.drchrono_id: one.link.id for one in due if not one.link.salesforce_id and one.link.drchrono_id}
    found = await work.salesforce.read(table.object, names, table.external_id, list(by_id), list(by_key))
    held: dict[str, Sight | Deleted] = {}
    for record in found:
        sight = contact(work, clock, record)
        for link_id in (by_id.get(record["Id"]), by_key.get(sight.key or "")):  # two refs may turn out to be one thing
            if link_id is not None:
                held[link_id] = sight
    if missing := [id_ for id_, link_id in by_id.items() if link_id not in held]:
        gone = await work.salesforce.deleted(table.object, missing)
        winners = sorted({winner for winner in gone.values() if winner})
        found = await work.salesforce.read(table.object, names, table.external_id, winners, []) if winners else []
        sights = {record["Id"]: contact(work, clock, record) for record in found}
        held |= {by_id[id_]: Deleted(sights.get(winner or "")) for id_, winner in gone.items()}
    return held


def contact(work: Pass, clock: Clock, record: Mapping[str, Any]) -> Sight:
    """Give the sight of a record of Salesforce's as it was read."""
    stamp, zone = str(record.get("SystemModstamp") or ""), clock.zone(Side.SALESFORCE, record)
    return work.rules.table.read(Side.SALESFORCE, record["Id"], record, version=stamp, confirmed=True, zone=zone)
