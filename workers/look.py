"""Look: what each side of every taken link holds now.

Salesforce is read in one call for the whole batch. DrChrono's calls are scarce, so the newest delivered body counts as
a look while nothing contradicts it; in doubt one GET decides, some seconds later.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.errors import SyncError, Unauthorized, Undecryptable
from app.log import log
from app.store import parents, series, zones
from app.store.links import Body, Due
from app.sync.belief import believe
from app.sync.records import Absent, Deleted, Ref, Seen, Side, Sight
from app.vendors.drchrono import wire
from workers.passes import Looked, Pass
from workers.visits import Clock, place_in_series, skipped

Held = Mapping[str, Sight | Deleted]


async def look(work: Pass) -> list[Looked]:
    """Give for each link what both sides hold, or why that could not be seen."""
    clock = Clock(work, await zones.all_zones(work.run.database) if work.rules.table.zoned else {})
    try:
        held: Held = await _read_salesforce(work, clock)
    except SyncError as error:
        return [Looked(due, error) for due in work.taken.due]
    held = await _with_linked_parents(work, held)
    looked = [_looked(work, clock, due, held) for due in work.taken.due]
    asked = [_confirmed(work, clock, one) for one in looked if _is_to_be_asked(work, one)]
    asked += [
        _sampled(work, clock, one) for one in looked if not _is_to_be_asked(work, one) and _is_a_sample(work, one)
    ]
    answers = {one.link.id: one for one in await asyncio.gather(*asked)}
    looked = await _with_predecessors(work, [answers.get(one.link.id, one) for one in looked])
    return await _with_parents(work, looked)


async def _read_salesforce(work: Pass, clock: Clock) -> dict[str, Sight | Deleted]:
    """Give what Salesforce holds by link id: of a linked record by its Id, else by our external id."""
    assert work.run.salesforce is not None
    table, due = work.rules.table, work.taken.due
    names = table.fields
    by_id = {one.link.salesforce_id: one.link.id for one in due if one.link.salesforce_id}
    by_key = {one.link.drchrono_id: one.link.id for one in due if not one.link.salesforce_id and one.link.drchrono_id}
    found = await work.run.salesforce.read(table.object, names, table.external_id, list(by_id), list(by_key))
    held: dict[str, Sight | Deleted] = {}
    for record in found:
        sight = contact(work, clock, record)
        for link_id in (by_id.get(record["Id"]), by_key.get(sight.key or "")):  # two refs may turn out to be one thing
            if link_id is not None:
                held[link_id] = sight
    if missing := [id_ for id_, link_id in by_id.items() if link_id not in held]:
        gone = await work.run.salesforce.deleted(table.object, missing)
        winners = sorted({winner for winner in gone.values() if winner})
        found = await work.run.salesforce.read(table.object, names, table.external_id, winners, []) if winners else []
        sights = {record["Id"]: contact(work, clock, record) for record in found}
        held |= {by_id[id_]: Deleted(sights.get(winner or "")) for id_, winner in gone.items()}
    return held


def contact(work: Pass, clock: Clock, record: Mapping[str, Any]) -> Sight:
    """Give the sight of a record of Salesforce's as it was read."""
    stamp, zone = str(record.get("SystemModstamp") or ""), clock.zone(Side.SALESFORCE, record)
    return work.rules.table.read(Side.SALESFORCE, record["Id"], record, version=stamp, confirmed=True, zone=zone)


def _looked(work: Pass, clock: Clock, due: Due, held: Held) -> Looked:
    link = due.link
    salesforce = held.get(link.id, Absent.ABSENT)
    try:
        bodies = [_sight(work, clock, link.drchrono_id or "", body) for body in due.bodies]
    except SyncError as error:
        return Looked(due, error)
    return Looked(due, Seen(believe(work.rules, link, bodies, salesforce), salesforce))


async def _confirmed(work: Pass, clock: Clock, looked: Looked) -> Looked:
    """Ask DrChrono what it holds, as was promised."""
    assert isinstance(looked.seen, Seen)
    try:
        asked = await _asked(work, clock, looked.link.drchrono_id or "")
        return replace(looked, seen=replace(looked.seen, drchrono=asked))
    except SyncError as error:
        return replace(looked, seen=error)


async def _sampled(work: Pass, clock: Clock, looked: Looked) -> Looked:
    """Read back what was believed; one that says something else at the same stamp was not DrChrono's.

    DrChrono may show a record as it was some seconds ago, so an older answer says nothing.
    """
    assert isinstance(looked.seen, Seen)
    believed = looked.seen.drchrono
    assert isinstance(believed, Sight)
    try:
        asked = await _asked(work, clock, believed.id)
    except SyncError:
        return looked
    if not isinstance(asked, Sight) or asked.version < believed.version:
        return looked
    if asked.version == believed.version and work.rules.table.differing(asked, believed):
        log.error(
            "delivery.contradicted",
            kind=looked.link.kind.value,
            record_id=believed.id,
            fields=sorted(work.rules.table.differing(asked, believed)),
            advice="somebody else may know the webhook's secret: change it at DrChrono and here",
        )
        return replace(looked, seen=replace(looked.seen, drchrono=asked), is_contradicted=True)
    return replace(looked, seen=replace(looked.seen, drchrono=asked))


def _is_a_sample(work: Pass, looked: Looked) -> bool:
    """Say whether a believed body is one of the few that are read back; whoever forges one cannot tell."""
    sight = looked.seen.drchrono if isinstance(looked.seen, Seen) else None
    if not isinstance(sight, Sight) or sight.confirmed or sight.skipped or work.rules.table.is_one_way:
        return False
    drawn = int(work.run.keys.digest(b"sample", sight.id.encode(), sight.version.encode())[:8], 16)
    return drawn < work.run.settings.confirm_share * 0x100000000


def _is_to_be_asked(work: Pass, looked: Looked) -> bool:
    """Say whether a GET was promised and its time has come; what was delivered meanwhile does not do in its place."""
    promised = looked.link.confirm_at
    has_record = isinstance(looked.seen, Seen) and looked.link.drchrono_id is not None
    return has_record and promised is not None and promised <= work.taken.now


def _sight(work: Pass, clock: Clock, record_id: str, body: Body) -> Sight:
    if body.sealed is None:
        raise Undecryptable("the body of an unfinished delivery was dropped")
    raw: Mapping[str, Any] = work.run.vault.open(body.sealed)
    return _read(work, clock, record_id, raw, body.version, confirmed=False)


def _read(work: Pass, clock: Clock, record_id: str, raw: Mapping[str, Any], version: str, *, confirmed: bool) -> Sight:
    zone = clock.zone(Side.DRCHRONO, raw)
    sight = work.rules.table.read(Side.DRCHRONO, record_id, raw, version=version, confirmed=confirmed, zone=zone)
    kind = work.rules.table.kind
    return replace(sight, skipped=skipped(kind, record_id, raw), series=place_in_series(kind, raw))


async def _asked(work: Pass, clock: Clock, record_id: str) -> Sight | Absent:
    if work.run.drchrono is None:
        raise Unauthorized(Side.DRCHRONO.value, "GET", code="NOT_CONNECTED")
    record = await work.run.drchrono.read(work.rules.table.path, record_id)
    if record is None:
        return Absent.ABSENT
    return _read(work, clock, record_id, record, wire.version(record), confirmed=True)


async def _with_predecessors(work: Pass, looked: Sequence[Looked]) -> list[Looked]:
    """Say with every visit nobody knows whether it is one we know under another id."""
    places = {
        one.link.id: one.seen.drchrono.series
        for one in looked
        if isinstance(one.seen, Seen) and isinstance(one.seen.drchrono, Sight) and one.seen.drchrono.series
        if one.link.salesforce_id is None
    }
    known = await series.known(work.run.database, work.rules.table.kind, set(places.values())) if places else {}
    return [
        replace(one, seen=replace(one.seen, predecessor=known[places[one.link.id]]))
        if isinstance(one.seen, Seen) and places.get(one.link.id) in known
        else one
        for one in looked
    ]


async def _with_linked_parents(work: Pass, held: Held) -> Held:
    """Give references to records that are linked, and do not say so in Salesforce yet, as what they are."""
    kinds = work.rules.table.parents
    unlinked = {
        Ref(Side.SALESFORCE, kinds[name], id_)
        for sight in held.values()
        if isinstance(sight, Sight)
        for name, id_ in sight.unlinked.items()
    }
    if not unlinked:
        return held
    ids = await parents.drchrono_ids(work.run.database, unlinked)

    def resolved(sight: Sight) -> Sight:
        known = {name: ids[kinds[name], id_] for name, id_ in sight.unlinked.items() if (kinds[name], id_) in ids}
        unreadable = {name: why for name, why in sight.unreadable.items() if name not in known}
        return replace(sight, fields={**sight.fields, **known}, unreadable=unreadable)

    return {link_id: resolved(one) if isinstance(one, Sight) else one for link_id, one in held.items()}


async def _with_parents(work: Pass, looked: Sequence[Looked]) -> list[Looked]:
    """Say with every look how far the records are that DrChrono's refers to."""
    kinds = work.rules.table.parents
    refs = {
        (kind, value)
        for one in looked
        if isinstance(one.seen, Seen)
        for sight in (one.seen.drchrono,)
        if isinstance(sight, Sight)
        for name, kind in kinds.items()
        if (value := sight.fields.get(name)) is not None
    }
    far = await parents.how_far(work.run.database, refs) if refs else {}
    if not far:
        return list(looked)
    return [replace(one, seen=replace(one.seen, parents=far)) if isinstance(one.seen, Seen) else one for one in looked]
