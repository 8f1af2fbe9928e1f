"""Joined: a look that ended with knowing which record it is; that one is looked at next, and nothing is written yet."""

from dataclasses import replace
from datetime import timedelta

from app.store.endings import Result
from app.sync.base import Base
from app.sync.records import Absent, Action, Deleted, Plan, Seen, Sight
from app.sync.rules import Rules
from workers.passes import Pass


def joined(work: Pass, result: Result, seen: Seen, plan: Plan) -> Result:
    """Give the result of a ref that turned out to be another record, or another's; that one is looked at next."""
    if plan.action is Action.SUCCEED:
        return replace(result, succeeds=plan.twin, again_in=timedelta(0))
    return (
        _follows(work.rules, result, seen.salesforce)
        if plan.action is Action.FOLLOW
        else _linked(work, result, seen, plan)
    )


def _linked(work: Pass, result: Result, seen: Seen, plan: Plan) -> Result:
    """Give the result of a link to a record that is there; DrChrono is asked what it holds before anything is written.

    A Contact that names its chart has been looked at by that name; its chart's body may do.
    """
    link = result.due.link
    is_named = isinstance(seen.salesforce, Sight) and seen.salesforce.key == plan.twin
    confirm_at = result.confirm_at if is_named else work.taken.now
    result = replace(result, again_in=timedelta(0), confirm_at=confirm_at, counts=(f"linked_{link.kind}",))
    is_chart = link.drchrono_id is not None
    return replace(result, salesforce_id=plan.twin) if is_chart else replace(result, drchrono_id=plan.twin)


def _follows(rules: Rules, result: Result, salesforce: Sight | Absent | Deleted) -> Result:
    """Give a link the Contact that its own was merged into; that one is looked at next.

    Where the winner holds what was agreed on, that stays so, and an edit of DrChrono's that waits lands on it. In the
    rest the two meet for the first time: its owner decides, and an empty field is filled.
    """
    assert isinstance(salesforce, Deleted)
    assert salesforce.master is not None
    master = salesforce.master
    link, held = result.due.link, result.base.stamps
    shared = {name: stamp for name, stamp in held.items() if rules.matches(link, name, stamp, master.fields.get(name))}
    base = Base(shared)
    return replace(result, salesforce_id=master.id, base=base, again_in=timedelta(0))
