"""The loop guard: an automation over there undoes what we write, we write it again, like ping-pong; here it ends."""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from app.sync.base import Rules
from app.sync.failure_causes import REWRITTEN
from app.sync.mappings.table import EXTERNAL_ID
from app.sync.model import Fields, Link, Side
from app.sync.plan import Nothing, Wait, Write

_RETURNS = 3  # in ten minutes: the same value written so often is no person's edit


def without_looping_fields(
    rules: Rules, link: Link, plan: Write | Wait, written: Collection[tuple[Side, str, str]]
) -> Write | Wait | Nothing:
    """Give the plan without the fields that some automation keeps rewriting; those wait for a person's word.

    written  (side, field, stamp of what was written) of each of our writes to the link in the last ten minutes
    """
    counts = Counter(written)
    key = (Side.SALESFORCE, EXTERNAL_ID, rules.key_stamp(link, link.drchrono_id))
    writes_key = plan.writes_key and counts[key] < _RETURNS
    rewritten_key = {EXTERNAL_ID: REWRITTEN} if writes_key != plan.writes_key else {}
    if isinstance(plan, Wait):
        return (
            replace(plan, writes_key=writes_key, refused={**plan.refused, **rewritten_key}) if rewritten_key else plan
        )
    writes: dict[Side, Fields] = {}
    rewritten: dict[str, str] = {}
    for side, fields in plan.writes.items():
        back = {
            name
            for name, value in fields.items()
            if name not in plan.compared.decided and counts[side, name, rules.stamp(link, name, value)] >= _RETURNS
        }
        rewritten |= dict.fromkeys(sorted(back), REWRITTEN)
        writes[side] = {name: value for name, value in fields.items() if name not in back}
    rewritten |= rewritten_key
    if not rewritten:
        return plan
    compared = replace(plan.compared, refused={**plan.compared.refused, **rewritten})
    left = {side: fields for side, fields in writes.items() if fields}
    if left or writes_key:
        return replace(plan, writes=left, writes_key=writes_key, compared=compared)
    return Nothing(compared=compared, awaits=plan.awaits, settled=plan.settled)
