"""Link + what was just seen -> what to do. Pure and total: nothing raises because of what the records hold.

First our own unsettled writes: one that shows over there has landed; one that does not may still land until the vendor
gives the request up, so until then nothing else is written. Then absence, which is never answered by writing. Then
creation, and last the merge.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from app.sync.base import HashKeys
from app.sync.mapping import Table
from app.sync.merge import merge
from app.sync.records import Absent, Action, Doubt, Fields, Link, OwnWrite, Plan, Seen, Side, Sight


def decide(table: Table, keys: HashKeys, link: Link, seen: Seen, *, now: datetime, confirm_after: timedelta) -> Plan:
    """Say what is to be done with one link."""
    landed = tuple(write.id for write in link.own_writes if has_landed(table, keys, link, write, seen.salesforce))
    open_writes = [write for write in link.own_writes if write.id not in landed]
    lost = tuple(write.id for write in open_writes if write.settle_at <= now)
    settling = [write.settle_at for write in open_writes if write.settle_at > now]
    if settling:
        return Plan(Action.WAIT, cause="write_unsettled", until=max(settling), landed=landed, lost=lost)
    drchrono, salesforce = seen.drchrono, seen.salesforce
    if isinstance(drchrono, Doubt):
        until = link.confirm_at or now + confirm_after
        return Plan(Action.WAIT, cause=drchrono.reason, until=until, landed=landed, lost=lost)
    if isinstance(drchrono, Absent):
        return Plan(Action.HOLD, cause="gone_in_drchrono", landed=landed, lost=lost)
    if isinstance(salesforce, Absent):
        if link.salesforce_id is not None:
            return Plan(Action.HOLD, cause="gone_in_salesforce", landed=landed, lost=lost)
        filled = {name: value for name, value in drchrono.fields.items() if value is not None}
        fields, refused = _fit(table, Side.SALESFORCE, filled)
        refused |= drchrono.unreadable
        return Plan(Action.CREATE, writes={Side.SALESFORCE: fields}, refused=refused, landed=landed, lost=lost)
    return _merged(table, keys, link, drchrono, salesforce, landed, lost)


def has_landed(table: Table, keys: HashKeys, link: Link, write: OwnWrite, salesforce: Sight | Absent) -> bool:
    """Say whether a write of ours shows on the other side.

    One request writes one record whole or not at all, so one field that shows the new value (and not the old one) is
    enough: a person may have changed the others since.
    """
    if isinstance(salesforce, Absent):
        return False
    for name, (old, new) in write.stamps.items():
        row = table.rows.get(name)
        if row is None or name not in salesforce.fields:
            continue
        value = salesforce.fields[name]
        if row.matches(keys, link.id, new, value) and not row.matches(keys, link.id, old, value):
            return True
    return False


def _merged(
    table: Table,
    keys: HashKeys,
    link: Link,
    drchrono: Sight,
    salesforce: Sight,
    landed: tuple[str, ...],
    lost: tuple[str, ...],
) -> Plan:
    merged = merge(table, keys, link, drchrono.fields, salesforce.fields)
    writes: dict[Side, Fields] = {}
    refused: dict[str, str] = {**salesforce.unreadable, **drchrono.unreadable, **dict.fromkeys(merged.held, "held")}
    for side, fields in merged.to.items():
        fit, unfit = _fit(table, side, fields)
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
        landed=landed,
        lost=lost,
    )


def _fit(table: Table, side: Side, fields: Fields) -> tuple[dict[str, str | None], dict[str, str]]:
    """Part the fields that can travel to a side from those that cannot, with why."""
    _, refused = table.write(side, fields)
    return {name: value for name, value in fields.items() if name not in refused}, refused


def stamps(
    table: Table, keys: HashKeys, link: Link, fields: Fields, salesforce: Sight | Absent
) -> Mapping[str, tuple[str | None, str]]:
    """Give what the journal keeps of a write: field -> (stamp of what was there, stamp of what is written)."""
    before = salesforce.fields if isinstance(salesforce, Sight) else {}
    return {
        name: (
            table.rows[name].stamp(keys, link.id, before[name]) if name in before else None,
            table.rows[name].stamp(keys, link.id, value),
        )
        for name, value in fields.items()
    }
