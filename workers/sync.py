"""START HERE: the whole life of one change, from due to agreed.

Take what is due, look at both sides, decide (pure), match what would be created, write, record. A crash at any line
loses nothing: what was taken is leased and comes back, what was planned is looked at before anything else, and what is
recorded is recorded whole.
"""

from collections.abc import Mapping, Sequence

from app.errors import SyncError
from app.runtime import Runtime
from app.store import work_queue
from app.store.outcomes import save
from app.sync.decide import decide
from app.sync.model import Kind, Lane, Seen, Side
from app.sync.plan import Plan
from workers import missed_events
from workers.batch import Batch, Observed, Outcome
from workers.lease import renewing
from workers.match import match_before_create
from workers.outcome import kinds_to_wake, outcome_of
from workers.read import read_both_sides
from workers.report import log_outcome, record_latency
from workers.write import execute, stop_loops


async def take(
    runtime: Runtime, kind: Kind, lanes: Sequence[Lane] = tuple(Lane), *, may_be_crowd: bool = True
) -> Batch | None:
    """Lease what is due of a kind, of the most urgent of these lanes; a crowd of creates at once, if it may be.

    None when nothing is, or Salesforce is not connected or may not be called now: no look goes without it.
    """
    if runtime.salesforce is None or kind not in runtime.mappings:
        return None
    lanes = [lane for lane in lanes if await runtime.salesforce.budget.wait(lane) is None]
    patience = runtime.salesforce.patience
    crowd = work_queue.BulkThreshold(patience.above, patience.most) if may_be_crowd else None
    taken = await work_queue.lease_batch(runtime.database, kind, lanes, crowd=crowd)
    return Batch(runtime, runtime.rules(kind), taken) if taken else None


async def sync(batch: Batch) -> set[Kind]:
    """Bring both sides of what was taken to agree, as far as they let us; every outcome is recorded and logged.

    Gives   the kinds of which something is due because of it: parents that are awaited, and those who waited

    Raises  StoreUnavailable when the database is away: the leases run out, and the records come back
    """
    async with renewing(batch) as lease:
        looked = await read_both_sides(batch)
        await missed_events.record_missed_events(batch, looked)
        plans = {
            one.link.id: decide(batch.rules, one.link, one.seen, batch.leased.now)
            for one in looked
            if isinstance(one.seen, Seen)
        }
        plans = await stop_loops(batch, looked, plans)
        matched = await match_before_create(batch, looked, plans)
        outcomes = await execute(batch, lease, looked, matched)
        return await record(batch, looked, matched, outcomes)


async def record(
    batch: Batch,
    observed: Sequence[Observed],
    plans: Mapping[str, Plan | SyncError],
    outcomes: Mapping[str, Mapping[Side, Outcome]],
) -> set[Kind]:
    """Save how every look ended, in one transaction, and say it in one line each; gives the kinds it makes due."""
    endings = [outcome_of(batch, one, plans.get(one.link.id), outcomes.get(one.link.id, {})) for one in observed]
    saved = await save(batch.runtime.database, batch.leased.token, endings)
    for ending in endings:
        log_outcome(batch, ending, plans.get(ending.due.link.id), is_saved=ending.due.link.id in saved)
    record_latency(batch, endings, saved)
    return kinds_to_wake(batch, endings)
