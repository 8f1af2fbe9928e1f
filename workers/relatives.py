"""Relatives: the records that one refers to, and the visit it was under an earlier id, told from our own index."""

from collections.abc import Sequence
from dataclasses import replace

from app.store import parents, series
from app.sync.records import Ref, Seen, Side, Sight
from workers.from_salesforce import Held
from workers.passes import Looked, Pass


async def with_linked_parents(work: Pass, held: Held) -> Held:
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


async def with_predecessors(work: Pass, looked: Sequence[Looked]) -> list[Looked]:
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


async def with_parents(work: Pass, looked: Sequence[Looked]) -> list[Looked]:
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
