"""Link + what was just seen -> what to do. Pure and total: nothing raises because of what the records hold.

First our own unsettled writes: one that shows over there has landed; one that does not may still land until the vendor
gives the request up, so until then nothing else is written. Then absence, which is never answered by writing. Then
creation, and last the merge.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from app.sync.base import Base
from app.sync.mapping import Table
from app.sync.merge import merge
from app.sync.records import Absent, Action, Doubt, Fields, Link, OwnWrite, Plan, Seen, Side, Sight
from app.sync.rules import Rules


def decide(rules: Rules, link: Link, seen: Seen, now: datetime) -> Plan:
    """Say what is to be done with one link."""
    landed = tuple(write.id for write in link.own_writes if has_landed(rules, link, write, seen.salesforce))
    open_writes = [write for write in link.own_writes if write.id not in landed]
    settling = [write.settle_at for write in open_writes if write.settle_at > now]
    if settling:
        plan = Plan(Action.WAIT, cause="write_unsettled", until=max(settling))
    else:
        plan = _settled(rules, with_landed(link, landed), seen, now)
    return replace(plan, landed=landed, lost=tuple(write.id for write in open_writes if write.settle_at <= now))


def has_landed(rules: Rules, link: Link, write: OwnWrite, salesforce: Sight | Absent) -> bool:
    """Say whether a write of ours shows on the other side.

    One request writes one record whole or not at all, so one field that shows the new value (and not the old one) is
    enough: a person may have changed the others since.
    """
    if isinstance(salesforce, Absent):
        return False
    return any(
        rules.matches(link, name, new, salesforce.fields[name])
        and not rules.matches(link, name, old, salesforce.fields[name])
        for name, (old, new) in write.stamps.items()
        if name in rules.table.rows and name in salesforce.fields
    )


def with_landed(link: Link, landed: Collection[str]) -> Link:
    """Give the link as it stands once its own writes are settled.

    What landed is part of the base: both sides held it, whatever came since. What was lost never was: the value it
    would have replaced, still there, is what a person put there.
    """
    stamps = {name: new for write in link.own_writes if write.id in landed for name, (_, new) in write.stamps.items()}
    return replace(link, base=Base({**link.base.stamps, **stamps}), own_writes=())


def _settled(rules: Rules, link: Link, seen: Seen, now: datetime) -> Plan:
    """Say what is to be done when no write of ours is in the air."""
    drchrono, salesforce = seen.drchrono, seen.salesforce
    if isinstance(drchrono, Doubt):
        return Plan(Action.WAIT, cause=drchrono.reason, until=link.confirm_at or now + rules.confirm_after)
    if isinstance(drchrono, Absent):
        return Plan(Action.HOLD, cause="gone_in_drchrono")
    if isinstance(salesforce, Absent):
        if link.salesforce_id is not None:
            return Plan(Action.HOLD, cause="gone_in_salesforce")
        filled = {name: value for name, value in drchrono.fields.items() if value is not None}
        fields, refused = _fit(rules.table, Side.SALESFORCE, filled)
        return Plan(Action.CREATE, writes={Side.SALESFORCE: fields}, refused={**refused, **drchrono.unreadable})
    return _merged(rules, link, drchrono, salesforce)


def _merged(rules: Rules, link: Link, drchrono: Sight, salesforce: Sight) -> Plan:
    merged = merge(rules, link, drchrono.fields, salesforce.fields)
    writes: dict[Side, Fields] = {}
    refused: dict[str, str] = {**salesforce.unreadable, **drchrono.unreadable, **dict.fromkeys(merged.held, "held")}
    for side, fields in merged.to.items():
        fit, unfit = _fit(rules.table, side, fields)
        refused |= unfit
        if fit:
            writes[side] = fit
    return Plan(
        Action.WRITE if writes else Action.NOTHING,
        writes=writes,
        agreed=merged.agreed,
        conflicts=merged.conflicts,
        put_backs=merged.put_backs,
        refused=refused,
    )


def _fit(table: Table, side: Side, fields: Fields) -> tuple[dict[str, str | None], dict[str, str]]:
    """Part the fields that can travel to a side from those that cannot, with why."""
    _, refused = table.write(side, fields)
    return {name: value for name, value in fields.items() if name not in refused}, refused


def stamps(
    rules: Rules, link: Link, fields: Fields, salesforce: Sight | Absent
) -> Mapping[str, tuple[str | None, str]]:
    """Give what the journal keeps of a write: field -> (stamp of what was there, stamp of what is written)."""
    before = salesforce.fields if isinstance(salesforce, Sight) else {}
    return {
        name: (rules.stamp(link, name, before[name]) if name in before else None, rules.stamp(link, name, value))
        for name, value in fields.items()
    }
