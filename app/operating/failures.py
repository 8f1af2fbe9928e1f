"""What waits for a person: grouped by cause with the fix in words; tried again or let go, a few or all of them."""

from dataclasses import dataclass

from app.log import log
from app.runtime import Runtime
from app.store import failing, queue_state
from app.store.audit import Act, Action, By
from app.store.failing import Group
from app.sync.records import Side
from app.sync.retry import fix

FEW = 5


@dataclass(frozen=True, slots=True)
class Cause:
    """Failures of one cause. `sample`: (side, id) of one of its records, to look at; None where it has no id."""

    cause: str
    side: str
    kind: str
    fields: tuple[str, ...]
    count: int
    is_held: bool
    link_id: str
    sample: tuple[str, str] | None
    fix: str


async def causes(run: Runtime) -> list[Cause]:
    """Give failures and holds by cause, the largest group first.

    Raises  StoreUnavailable
    """
    rows = await queue_state.failure_groups(run.database)
    refs = await queue_state.refs_of(run.database, [row.sample for row in rows])
    return [
        Cause(
            row.cause,
            row.side,
            row.kind,
            tuple(row.fields.split(",")) if row.fields else (),
            row.records,
            row.is_held,
            row.sample,
            _shown(refs.get(row.sample, (None, None))),
            fix(row.cause),
        )
        for row in rows
    ]


def _shown(ids: tuple[str | None, str | None]) -> tuple[str, str] | None:
    drchrono_id, salesforce_id = ids
    if drchrono_id is not None:
        return Side.DRCHRONO.value, drchrono_id
    return (Side.SALESFORCE.value, salesforce_id) if salesforce_id is not None else None


async def try_again(run: Runtime, group: Group, limit: int | None, by: By) -> int:
    """Have failures of a group tried again, at most so many, and ring; gives how many.

    Raises  StoreUnavailable
    """
    number = await failing.count(run.database, group)
    number = number if limit is None else min(number, limit)
    done = await failing.try_again(run.database, group, limit, Act(by, Action.RETRY, named(group), number))
    log.warning("failures.retried", cause=group.cause, kind=group.kind, side=group.side, records=done)
    run.bell.ring(run.mappings)
    return done


async def let_go(run: Runtime, group: Group, by: By) -> int:
    """Forget the failures of a group; their records are left alone until the next edit. Gives how many.

    Raises  StoreUnavailable
    """
    number = await failing.count(run.database, group)
    done = await failing.let_go(run.database, group, Act(by, Action.DISCARD, named(group), number))
    log.warning("failures.discarded", cause=group.cause, kind=group.kind, side=group.side, records=done)
    return done


def named(group: Group) -> str:
    """Give a group's name, for people and for the audit."""
    parts = (group.cause or "every cause", group.side and f"at {group.side}", group.kind and f"{group.kind}s")
    return ", ".join(part for part in parts if part)
