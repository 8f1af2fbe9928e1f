"""Others: what one look means beyond its own record: what is counted of it, a doctor's zone, what it makes due."""

from collections.abc import Mapping, Sequence

from app.store.endings import Result
from app.sync.records import Action, Kind, Plan, Seen, Side, Sight
from workers.passes import Looked, Outcome, Pass, Written


def counts(work: Pass, looked: Looked, plan: Plan, outcomes: Mapping[Side, Outcome]) -> tuple[str, ...]:
    """Give what is counted of a look whose writes, if any, have succeeded, by name."""
    kind = work.rules.table.kind
    skipped = [f"skipped_{plan.cause}"] if plan.action is Action.NOTHING and plan.cause else []
    return (
        *skipped,
        *(["contradicted_delivery"] if looked.is_contradicted else []),
        *(f"{done}_{kind}" for done in (*_done(plan, outcomes), *_landed(looked, plan), *_taken(outcomes))),
        *(f"put_back_{kind}" for _ in plan.put_backs),
        *(f"conflict_{kind}" for _ in plan.conflicts),
        *(f"{flag}_{kind}" for flag in plan.flags.values()),
    )


def _done(plan: Plan, outcomes: Mapping[Side, Outcome]) -> list[str]:
    """Say what the writes did: made a record, met one that bore our key, or changed one."""
    written = {side: outcome for side, outcome in outcomes.items() if isinstance(outcome, Written)}
    if not written:
        return []
    if plan.action is not Action.CREATE:
        return ["merged" if plan.action is Action.MERGE else "updated"]
    return [f"created_{side}" if outcome.created else "linked" for side, outcome in written.items()]


def _landed(looked: Looked, plan: Plan) -> list[str]:
    """Say what an earlier create has made whose answer never came: its record was found now."""
    link = looked.link
    ours = (write for write in link.own_writes if write.side is Side.SALESFORCE and write.id in plan.landed)
    return [f"created_{write.side}" for write in ours if link.salesforce_id is None]


def _taken(outcomes: Mapping[Side, Outcome]) -> list[str]:
    return [f"applied_{side}" for side, outcome in outcomes.items() if isinstance(outcome, Written)]


def zone_of(work: Pass, seen: Seen) -> str:
    """Give a doctor's zone, where DrChrono has shown the doctor."""
    row = work.rules.table.row_of("timezone")
    if work.rules.table.kind is not Kind.DOCTOR or row is None or not isinstance(seen.drchrono, Sight):
        return ""
    return seen.drchrono.fields.get(row.name) or ""


def stirred(work: Pass, endings: Sequence[Result]) -> set[Kind]:
    """Give the kinds of which something is due because of how looks ended."""
    awaited = {ref.kind for one in endings for ref in one.awaits}
    has_come = any(one.has_come for one in endings)
    mine = work.rules.table.kind
    children = {kind for kind, table in work.run.mappings.items() if mine in table.parents.values()}
    return awaited | ({mine} if awaited else set()) | (children if has_come else set())
