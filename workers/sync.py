"""START HERE: the whole life of one change, from due to agreed.

Take what is due, look at both sides, decide (pure), write, record. A crash at any line loses nothing: what was taken
is leased and comes back, what was planned is looked at before anything else, and what is recorded is recorded whole.
"""

from collections.abc import Sequence
from datetime import timedelta
from time import monotonic

from app.log import log
from app.runtime import Runtime
from app.store import links
from app.store.links import Due, Result, Taken
from app.sync.decide import decide
from app.sync.mapping import Table
from app.sync.records import Action, Kind, Plan, Seen, Side
from workers.keeper import keeping
from workers.look import Looked, look
from workers.outcome import ended
from workers.write import Outcome, carry_out


async def take(run: Runtime, kind: Kind) -> Taken:
    """Lease what is due of a kind; nothing while the side it must be compared with is not connected."""
    if run.salesforce is None or kind not in run.mappings:
        return Taken(kind, "")
    return await links.take(run.database, kind)


async def sync(run: Runtime, taken: Taken) -> None:
    """Bring both sides of what was taken to agree, as far as they let us; every outcome is recorded and logged.

    Raises  StoreUnavailable when the database is away: the leases run out, and the records come back
    """
    table, started = run.mappings[taken.kind], monotonic()
    async with keeping(run, taken) as lease:
        looked = await look(run, table, taken)
        plans = {due.link.id: _plan(run, table, taken, due, seen) for due, seen in looked if isinstance(seen, Seen)}
        outcomes = await carry_out(run, table, lease, looked, plans)
        await record(run, table, taken, looked, plans, outcomes, started)


def _plan(run: Runtime, table: Table, taken: Taken, due: Due, seen: Seen) -> Plan:
    return decide(table, run.keys, due.link, seen, now=taken.now, confirm_after=run.settings.confirm_after)


async def record(
    run: Runtime,
    table: Table,
    taken: Taken,
    looked: Sequence[Looked],
    plans: dict[str, Plan],
    outcomes: dict[str, Outcome],
    started: float,
) -> None:
    """Save how every look ended, in one transaction, and say it in one line each."""
    results = [
        ended(run, table, due, seen, plans.get(due.link.id), outcomes.get(due.link.id), now=taken.now)
        for due, seen in looked
    ]
    saved = {result.due.link.id for result in await links.record(run.database, taken.token, results)}
    for result in results:
        _say(run, result, plans.get(result.due.link.id), is_saved=result.due.link.id in saved, started=started)


def _say(run: Runtime, result: Result, plan: Plan | None, *, is_saved: bool, started: float) -> None:
    link, bodies = result.due.link, result.due.bodies
    is_done = is_saved and result.failure is None and result.again_in is None
    line = {
        "kind": link.kind.value,
        "link_id": link.id,
        "record_id": link.drchrono_id or link.salesforce_id,
        "delivery_id": bodies[-1].delivery_id if bodies else None,
        "plan": plan.action.value if plan else "none",
        "attempt": result.due.attempts + 1,
        "duration_ms": round((monotonic() - started) * 1000),
    }
    if plan and plan.writes:
        line["changed"] = sorted(plan.writes.get(Side.SALESFORCE, {}))
        if waiting := sorted(plan.writes.get(Side.DRCHRONO, {})):
            line["waiting"] = waiting
        if plan.conflicts:
            line["conflicts"] = plan.conflicts
        if plan.put_backs:
            line["put_backs"] = plan.put_backs
    if is_done and bodies:
        line["lag_s"] = round((run.now() - bodies[0].received_at).total_seconds(), 3)
    if result.again_in is not None:
        line |= {"cause": result.last_error, "retry_in_s": round(result.again_in / timedelta(seconds=1), 1)}
    if result.failure is not None:
        line |= {"cause": result.failure.cause, "fields": result.failure.fields}
    if not is_saved:
        log.warning("lease.lost", **line)
    elif result.failure is not None:
        log.warning("record.held" if result.failure.is_held else "record.failed", **line)
    elif result.again_in is not None:
        log.info("record.waits", **line)
    else:
        log.info("record.unchanged" if plan and plan.action is Action.NOTHING else "record.synced", **line)
