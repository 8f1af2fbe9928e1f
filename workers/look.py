"""Look: what each side of every taken link holds now.

Salesforce is read in one call for the whole batch. DrChrono's calls are scarce, so the newest delivered body counts as
a look while nothing contradicts it; in doubt one GET decides, some seconds later.
"""

import asyncio
from dataclasses import replace

from app.errors import SyncError
from app.log import log
from app.store.due import Due
from app.sync.belief import believe
from app.sync.records import Absent, Seen, Sight
from workers import from_drchrono, from_salesforce
from workers.decided import with_values
from workers.from_salesforce import Held
from workers.ingest import without_jobs
from workers.passes import Looked, Pass
from workers.relatives import with_linked_parents, with_parents, with_predecessors
from workers.visits import Clock, clock_of


async def look(work: Pass) -> list[Looked]:
    """Give for each link what both sides hold, or why that could not be seen."""
    work, unseen = await without_jobs(work)
    return [*unseen, *(await _seen(work) if work.taken.due else ())]


async def _seen(work: Pass) -> list[Looked]:
    clock = await clock_of(work)
    try:
        held: Held = await from_salesforce.read(work, clock)
    except SyncError as error:
        return [Looked(due, error) for due in work.taken.due]
    held = await with_linked_parents(work, held)
    looked = [_looked(work, clock, due, held) for due in work.taken.due]
    asked = [_confirmed(work, clock, one) for one in looked if _is_to_be_asked(work, one)]
    asked += [
        _sampled(work, clock, one) for one in looked if not _is_to_be_asked(work, one) and _is_a_sample(work, one)
    ]
    answers = {one.link.id: one for one in await asyncio.gather(*asked)}
    looked = await with_predecessors(work, [answers.get(one.link.id, one) for one in looked])
    return await with_parents(work, looked)


def _looked(work: Pass, clock: Clock, due: Due, held: Held) -> Looked:
    link = due.link
    salesforce = held.get(link.id, Absent.ABSENT)
    try:
        bodies = [from_drchrono.delivered(work, clock, link.drchrono_id or "", body) for body in due.bodies]
        decided = with_values(work, due)
    except SyncError as error:
        return Looked(due, error)
    return Looked(due, Seen(believe(work.rules, link, bodies, salesforce), salesforce, decided=decided))


def _is_to_be_asked(work: Pass, looked: Looked) -> bool:
    """Say whether a GET was promised and its time has come; what was delivered meanwhile does not do in its place."""
    promised = looked.link.confirm_at
    has_record = isinstance(looked.seen, Seen) and looked.link.drchrono_id is not None
    return has_record and promised is not None and promised <= work.taken.now


async def _confirmed(work: Pass, clock: Clock, looked: Looked) -> Looked:
    """Ask DrChrono what it holds, as was promised."""
    assert isinstance(looked.seen, Seen)
    try:
        asked = await from_drchrono.asked(work, clock, looked.link.drchrono_id or "")
        return replace(looked, seen=replace(looked.seen, drchrono=asked))
    except SyncError as error:
        return replace(looked, seen=error)


def _is_a_sample(work: Pass, looked: Looked) -> bool:
    """Say whether a believed body is one of the few that are read back; whoever forges one cannot tell.

    A row of a list needs none of that: DrChrono itself has answered with it.
    """
    if looked.due.bodies and looked.due.bodies[-1].is_listed:
        return False
    sight = looked.seen.drchrono if isinstance(looked.seen, Seen) else None
    if not isinstance(sight, Sight) or sight.confirmed or sight.skipped or work.rules.table.is_one_way:
        return False
    drawn = int(work.run.keys.digest(b"sample", sight.id.encode(), sight.version.encode())[:8], 16)
    return drawn < work.run.settings.confirm_share * 0x100000000


async def _sampled(work: Pass, clock: Clock, looked: Looked) -> Looked:
    """Read back what was believed; one that says something else at the same stamp was not DrChrono's.

    DrChrono may show a record as it was some seconds ago, so an older answer says nothing.
    """
    assert isinstance(looked.seen, Seen)
    believed = looked.seen.drchrono
    assert isinstance(believed, Sight)
    try:
        asked = await from_drchrono.asked(work, clock, believed.id)
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
