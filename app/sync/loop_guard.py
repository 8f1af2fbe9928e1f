"""Rewrites: some automation over there undoes what we write, we write it again, and so without end; here it ends."""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from app.sync.base import Rules
from app.sync.mappings.table import EXTERNAL_ID
from app.sync.model import Fields, Link, Plan, PlanKind, Side

REWRITTEN = "rewritten"
_RETURNS = 3  # in ten minutes: the same value written so often is no person's edit


def without_looping_fields(rules: Rules, link: Link, plan: Plan, written: Collection[tuple[Side, str, str]]) -> Plan:
    """Give the plan without the fields that some automation keeps rewriting; those wait for a person's word.

    written  (side, field, stamp of what was written) of each of our writes to the link in the last ten minutes
    """
    counts = Counter(written)
    writes: dict[Side, Fields] = {}
    rewritten: dict[str, str] = {}
    for side, fields in plan.writes.items():
        back = {
            name
            for name, value in fields.items()
            if name not in plan.decided and counts[side, name, rules.stamp(link, name, value)] >= _RETURNS
        }
        rewritten |= dict.fromkeys(sorted(back), REWRITTEN)
        writes[side] = {name: value for name, value in fields.items() if name not in back}
    key = (Side.SALESFORCE, EXTERNAL_ID, rules.key_stamp(link, link.drchrono_id))
    writes_key = plan.writes_key and counts[key] < _RETURNS
    if writes_key != plan.writes_key:
        rewritten[EXTERNAL_ID] = REWRITTEN
    if not rewritten:
        return plan
    left = {side: fields for side, fields in writes.items() if fields}
    action = plan.action if left or writes_key or plan.action is PlanKind.WAIT else PlanKind.NOTHING
    return replace(plan, action=action, writes=left, writes_key=writes_key, refused={**plan.refused, **rewritten})
