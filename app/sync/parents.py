"""A record that refers to others comes after them (pure).

What is to be written to Salesforce names its parents by their DrChrono ids, so they have to be there first. While one
is on its way the record waits; one that can never come is left out where the record can do without it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from app.sync.records import Action, Parent, Plan, Ref, Seen, Side
from app.sync.rules import Rules

NO_PARENT = "parent_missing"
_LOOK_AGAIN = timedelta(seconds=30)  # should its parent's coming not wake it


def with_parents(rules: Rules, plan: Plan, seen: Seen, now: datetime) -> Plan:
    """Give the plan as it can be carried out with the parents that are there."""
    fields = plan.writes.get(Side.SALESFORCE, {})
    refs = {
        name: (kind, value) for name, kind in rules.table.parents.items() if (value := fields.get(name)) is not None
    }
    missing = {name: ref for name, ref in refs.items() if seen.parents.get(ref, Parent.LINKED) is not Parent.LINKED}
    if not missing:
        return whole(rules, plan)
    awaits = tuple(dict.fromkeys(Ref(Side.DRCHRONO, kind, id_) for kind, id_ in missing.values()))
    if any(seen.parents[ref] is Parent.COMING for ref in missing.values()):
        waits = Plan(Action.WAIT, cause=NO_PARENT, until=now + _LOOK_AGAIN, awaits=awaits)
        return replace(waits, writes_key=plan.writes_key)  # whose it is can be said before its parents are there
    refused: Mapping[str, str] = {**plan.refused, **dict.fromkeys(missing, NO_PARENT)}
    left = {name: value for name, value in fields.items() if name not in missing}
    writes = {side: left if side is Side.SALESFORCE else wanted for side, wanted in plan.writes.items()}
    writes = {side: wanted for side, wanted in writes.items() if wanted}
    return whole(rules, replace(plan, writes=writes, refused=refused, awaits=awaits))


def whole(rules: Rules, plan: Plan) -> Plan:
    """Give the plan without a create that would lack what it is nothing without: a parent, or its time."""
    lacks = any(
        (row := rules.table.rows[name]).is_required and (row.parent or row.options.zone) for name in plan.refused
    )
    if plan.action is Action.CREATE and lacks:
        return replace(plan, action=Action.NOTHING, writes={})
    if plan.action is Action.WRITE and not plan.writes and not plan.writes_key:
        return replace(plan, action=Action.NOTHING)
    return plan
