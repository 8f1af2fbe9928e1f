"""Foresight: what the records that a scan pointed out would become, told before anything of it is written.

Both sides are looked at as a worker would, from what was kept and one read of Salesforce for each 200, and `decide` is
asked; DrChrono is not called, its list counts as its word. What this comes to is the brake's to judge.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.log import log
from app.runtime import Runtime
from app.store import links, queue_state, scans
from app.store.due import Due, Taken
from app.store.scans import Scan
from app.sync.brake import MOST_UNASKED, ChangeCount, advice, brake, expected_plan
from app.sync.decide import decide
from app.sync.records import Absent, Kind, Lane, Link, Plan, Seen, Unheard
from workers import from_drchrono, from_salesforce
from workers.course import Asked
from workers.passes import Pass
from workers.visits import clock_of

See = Callable[[Due, Seen, Plan], None]


def onlooker(run: Runtime, kind: Kind, lane: Lane, due: Sequence[Due] = ()) -> Pass:
    """Give a pass over records that nobody has leased: it may look, and writes nothing."""
    return Pass(run, run.rules(kind), Taken(kind, lane, "", run.now(), tuple(due)))


async def held_back(run: Runtime, asked: Asked, scan: Scan) -> str:
    """Pause the lane when what waits to be let go is too much to go on with unasked; gives why, empty when it is not.

    Raises  SyncError when Salesforce cannot be read; then nothing is let go
    """
    known = run.settings
    if await scans.waiting(run.database, scan.name) <= min(MOST_UNASKED, known.brake_deletes):
        return ""
    prospect = ChangeCount()
    async for due in scans.batches(run.database, asked.kind, scan.name):
        await foresee(onlooker(run, asked.kind, asked.lane, due), prospect)
    linked = await links.linked(run.database, asked.kind)
    why = brake(prospect, linked, known.brake_share, known.brake_deletes)
    if why:
        reason = f"the brake, comparing {asked.kind}s: {why}"
        await queue_state.set_paused(run.database, [asked.lane], reason)
        log.error("brake.pulled", kind=asked.kind.value, lane=asked.lane.value, cause=why, advice=advice(asked.lane))
    return why


async def foresee(work: Pass, prospect: ChangeCount, see: See = lambda _due, _seen, _plan: None) -> None:
    """Count in `prospect` what looks at all of a pass would lead to, and show each.

    Raises  SyncError when Salesforce cannot be read, or a kept body cannot be opened
    """
    clock = await clock_of(work)
    held = await from_salesforce.read(work, clock)
    for due in work.taken.due:
        link = replace(due.link, own_writes=())
        bodies = [from_drchrono.delivered(work, clock, link.drchrono_id or "", body) for body in due.bodies]
        drchrono = replace(bodies[-1], confirmed=True) if bodies else _unheard(link)
        seen = Seen(drchrono, held.get(link.id, Absent.ABSENT))
        plan = expected_plan(work.rules, link, seen, decide(work.rules, link, seen, work.taken.now))
        prospect.add(work.rules.table, seen, plan)
        see(due, seen, plan)


def _unheard(link: Link) -> Absent | Unheard:
    """Give what is known of a chart that nothing was kept of; one that a whole list did not show is taken for gone."""
    return Unheard.UNHEARD if link.confirm_at is None else Absent.ABSENT
