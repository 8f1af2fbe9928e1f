"""Look: what each side of every taken link holds now.

Salesforce is read in one call for the whole batch. DrChrono's calls are scarce, so the newest delivered body counts as
a look while nothing contradicts it; in doubt one GET decides, some seconds later.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.errors import SyncError, Unauthorized, Undecryptable
from app.store.links import Body, Due
from app.sync.belief import believe
from app.sync.records import Absent, Seen, Side, Sight
from app.vendors.drchrono import wire
from workers.passes import Looked, Pass


async def look(work: Pass) -> list[Looked]:
    """Give for each link what both sides hold, or why that could not be seen."""
    try:
        contacts = await _read_salesforce(work)
    except SyncError as error:
        return [Looked(due, error) for due in work.taken.due]
    looked = [_looked(work, due, contacts) for due in work.taken.due]
    asked = [_confirmed(work, one) for one in looked if _is_to_be_asked(work, one)]
    answers = {one.link.id: one for one in await asyncio.gather(*asked)}
    return [answers.get(one.link.id, one) for one in looked]


async def _read_salesforce(work: Pass) -> dict[str, Sight]:
    """Give the live Contacts by link id: of a linked one by its Id, else by our external id."""
    assert work.run.salesforce is not None
    table, due = work.rules.table, work.taken.due
    by_id = {one.link.salesforce_id: one.link.id for one in due if one.link.salesforce_id}
    by_key = {one.link.drchrono_id: one.link.id for one in due if not one.link.salesforce_id and one.link.drchrono_id}
    names = [row.names[Side.SALESFORCE] for row in table.rows.values()]
    found = await work.run.salesforce.read(table.object, names, table.external_id, list(by_id), list(by_key))
    sights = {}
    for record in found:
        stamp = str(record.get("SystemModstamp") or "")
        sight = table.read(Side.SALESFORCE, record["Id"], record, version=stamp, confirmed=True)
        for link_id in (by_id.get(record["Id"]), by_key.get(sight.key or "")):  # two refs may turn out to be one thing
            if link_id is not None:
                sights[link_id] = sight
    return sights


def _looked(work: Pass, due: Due, contacts: Mapping[str, Sight]) -> Looked:
    link = due.link
    salesforce = contacts.get(link.id, Absent.ABSENT)
    try:
        bodies = [_sight(work, link.drchrono_id or "", body) for body in due.bodies]
    except SyncError as error:
        return Looked(due, error)
    return Looked(due, Seen(believe(work.rules, link, bodies, salesforce), salesforce))


async def _confirmed(work: Pass, looked: Looked) -> Looked:
    """Ask DrChrono what it holds, as was promised."""
    assert isinstance(looked.seen, Seen)
    try:
        asked = await _asked(work, looked.link.drchrono_id or "")
        return replace(looked, seen=replace(looked.seen, drchrono=asked))
    except SyncError as error:
        return replace(looked, seen=error)


def _is_to_be_asked(work: Pass, looked: Looked) -> bool:
    """Say whether a GET was promised and its time has come; what was delivered meanwhile does not do in its place."""
    promised = looked.link.confirm_at
    has_record = isinstance(looked.seen, Seen) and looked.link.drchrono_id is not None
    return has_record and promised is not None and promised <= work.taken.now


def _sight(work: Pass, record_id: str, body: Body) -> Sight:
    if body.sealed is None:
        raise Undecryptable("the body of an unfinished delivery was dropped")
    raw: Mapping[str, Any] = work.run.vault.open(body.sealed)
    return work.rules.table.read(Side.DRCHRONO, record_id, raw, version=body.version, confirmed=False)


async def _asked(work: Pass, record_id: str) -> Sight | Absent:
    if work.run.drchrono is None:
        raise Unauthorized(Side.DRCHRONO.value, "GET", code="NOT_CONNECTED")
    table = work.rules.table
    record = await work.run.drchrono.read(table.path, record_id)
    if record is None:
        return Absent.ABSENT
    return table.read(Side.DRCHRONO, record_id, record, version=wire.version(record), confirmed=True)
