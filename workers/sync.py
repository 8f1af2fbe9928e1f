"""START HERE: the whole life of one change, from due to agreed.

Take what is due; then one batch down the page: read both sides (whoever is new to Salesforce is leased for matching
first), decide (pure), stop loops, match what would be created, write, save, and report. Each step is one call into one
module. A record that a step fails for holds up no other: from there on it is an error in place of a plan, and ends as a
failure (`bisection.py`). A crash at any line loses nothing: what was taken is leased and comes back, what was planned
is looked at before anything else, and what is saved is saved whole.
"""

from collections.abc import Mapping, Sequence

from app.errors import SyncError
from app.runtime import Runtime
from app.store import journal, work_queue
from app.sync.decide import decide
from app.sync.loop_guard import without_looping_fields
from app.sync.model import Kind, Lane, Seen
from app.sync.plan import Plan, Wait, Write
from workers.batch import Batch, Observed
from workers.bisection import halved, may_be_a_records, one_by_one
from workers.lease import lease_each, renewing
from workers.match import match_before_create
from workers.outcome import kinds_to_wake, outcomes_of, save_each
from workers.read import read_both_sides
from workers.report import report_batch
from workers.write import execute

_RECORDS, _DOCUMENTS = 200, 10  # at once; of documents the bytes of each may have to be moved


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
    is_of_documents = kind is Kind.DOCUMENT
    crowd = None if is_of_documents or not may_be_crowd else work_queue.BulkThreshold(patience.above, patience.most)
    limit = _DOCUMENTS if is_of_documents else _RECORDS
    try:
        taken = await work_queue.lease_batch(runtime.database, kind, lanes, limit, crowd)
    except Exception as error:
        if not may_be_a_records(error):
            raise
        taken = await lease_each(runtime.database, kind, lanes, limit)
    return Batch(runtime, runtime.rules(kind), taken) if taken else None


async def sync(batch: Batch) -> set[Kind]:
    """Bring both sides of what was taken to agree, as far as they let us; every outcome is saved and logged.

    Gives   the kinds of which something is due because of it: parents that are awaited, and those who waited

    Raises  StoreUnavailable when the database is away: the leases run out, and the records come back
    """
    async with renewing(batch) as lease:
        observed = await read_both_sides(batch)
        plans = decide_all(batch, observed)
        plans = await stop_loops(batch, observed, plans)
        ready = await match_before_create(batch, observed, plans)
        answers = await execute(batch, lease, observed, ready)
        results, saved = await save_each(batch, outcomes_of(batch, observed, ready, answers))
    report_batch(batch, ready, results, saved)
    return kinds_to_wake(batch, results)


Plans = Mapping[str, Plan | SyncError]  # link id -> what is to be done with it, or why that could not be said


def decide_all(batch: Batch, observed: Sequence[Observed]) -> Plans:
    """Give what is to be done with each link; one whose sides could not be seen has no plan."""
    seen = {one.link.id: (one.link, one.seen) for one in observed if isinstance(one.seen, Seen)}
    return one_by_one(seen, lambda one: decide(batch.rules, *one, batch.leased.now))


async def stop_loops(batch: Batch, observed: Sequence[Observed], plans: Plans) -> Plans:
    """Give the plans without the fields that keep coming back to a value we wrote again and again."""
    links = {one.link.id: one.link for one in observed}
    updates = {link_id: plan for link_id, plan in plans.items() if isinstance(plan, Write | Wait) and _updates(plan)}

    async def guard(part: Mapping[str, Write | Wait]) -> Plans:
        lately = await journal.written_lately(batch.runtime.database, list(part))
        return {
            link_id: without_looping_fields(batch.rules, links[link_id], part[link_id], written)
            for link_id, written in lately.items()
        }

    return {**plans, **await halved(updates, guard)}


def _updates(plan: Write | Wait) -> bool:
    """Say whether a plan changes a record: one that waits may have a Contact name its chart meanwhile."""
    return isinstance(plan, Write) or plan.writes_key
