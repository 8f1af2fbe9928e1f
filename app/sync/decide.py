"""Link + what was just seen -> what to do. Pure and total: nothing raises because of what the records hold.

First our own unsettled writes: one that shows over there has landed; one that does not may still land until the vendor
gives the request up, so until then nothing else is written. Then absence, which is never answered by writing. Then
creation, and last the merge. A create is only wished for here: what it would meet over there is looked for after
(`first_contact.py`).
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from app.sync.absence import gone_in_drchrono, gone_in_salesforce, is_deleted
from app.sync.base import Base
from app.sync.first_contact import OTHER_KEY, is_wanted, wished
from app.sync.mapping import EXTERNAL_ID, Direction, OnConflict, Row, Table
from app.sync.merge import merge
from app.sync.parents import with_parents
from app.sync.records import Absent, Action, Deleted, Doubt, Fields, Link, OwnWrite, Plan, Seen, Side, Sight, Unheard
from app.sync.rules import Rules

ASK = "ask_drchrono"  # DrChrono's own word is needed, now
REWRITTEN = "rewritten"
_RETURNS = 3  # in ten minutes: the same value written so often is no person's edit


def decide(rules: Rules, link: Link, seen: Seen, now: datetime) -> Plan:
    """Say what is to be done with one link."""
    if link.drchrono_id is None:
        return _lone(rules, link, seen.salesforce)
    if isinstance(seen.drchrono, Sight) and seen.drchrono.skipped:
        return Plan(Action.NOTHING, cause=seen.drchrono.skipped)
    landed = tuple(write.id for write in link.own_writes if has_landed(rules, link, write, seen))
    open_writes = [write for write in link.own_writes if write.id not in landed]
    if any(write.side is Side.DRCHRONO for write in open_writes) and not _is_answer(seen.drchrono):
        return replace(_asked(rules, link, now), landed=landed)
    settling = [write.settle_at for write in open_writes if write.settle_at > now]
    if settling:
        is_ours_to_ask = any(write.side is Side.DRCHRONO for write in open_writes)
        plan = Plan(Action.WAIT, cause=ASK if is_ours_to_ask else "write_unsettled", until=max(settling))
    else:
        plan = with_parents(rules, _settled(rules, with_landed(link, landed), seen, now), seen, now)
    return replace(plan, landed=landed, lost=tuple(write.id for write in open_writes if write.settle_at <= now))


def _lone(rules: Rules, link: Link, salesforce: Sight | Absent | Deleted) -> Plan:
    """Say what a record of Salesforce's that belongs to no link is to us: nothing, one that names its own, a wish.

    A create of ours comes first, whatever became of the record: what it made must not be lost.
    """
    attempts = [write for write in link.own_writes if write.side is Side.DRCHRONO]
    made = next((write for write in attempts if write.made is not None), None)
    if made is not None:
        return Plan(Action.LINK, twin=made.made, landed=(made.id,))
    if attempts:
        return Plan(Action.FIND)
    if not isinstance(salesforce, Sight):
        return Plan(Action.NOTHING)
    if salesforce.key is not None:
        return Plan(Action.LINK, twin=salesforce.key)
    return wished(rules, salesforce) if is_wanted(rules.table, salesforce) else Plan(Action.NOTHING)


def _asked(rules: Rules, link: Link, now: datetime) -> Plan:
    """Have DrChrono asked: at once, or, where it has yet to show what it took of us, once a read need not be stale."""
    when = now + rules.confirm_after if link.unsettled else now
    return Plan(Action.WAIT, cause=ASK, until=link.confirm_at or when)


def _is_answer(drchrono: Sight | Absent | Doubt | Unheard) -> bool:
    """Say whether DrChrono itself was asked and answered."""
    return isinstance(drchrono, Absent) or (isinstance(drchrono, Sight) and drchrono.confirmed)


def has_landed(rules: Rules, link: Link, write: OwnWrite, seen: Seen) -> bool:
    """Say whether a write of ours shows on the side it went to.

    One request writes one record whole or not at all, so one field that shows the new value (and not the old one) is
    enough: a person may have changed the others since.
    """
    sight = seen.drchrono if write.side is Side.DRCHRONO else seen.salesforce
    if not isinstance(sight, Sight) or not sight.confirmed:
        return False
    if EXTERNAL_ID in write.stamps and sight.key is not None and sight.key == link.drchrono_id:
        return True
    return any(
        rules.matches(link, name, new, sight.fields[name]) and not rules.matches(link, name, old, sight.fields[name])
        for name, (old, new) in write.stamps.items()
        if name in rules.table.rows and name in sight.fields
    )


def with_landed(link: Link, landed: Collection[str]) -> Link:
    """Give the link as it stands once its own writes are settled.

    What landed is part of the base: both sides held it, whatever came since. What was lost never was: the value it
    would have replaced, still there, is what a person put there.
    """
    stamps = {name: new for write in link.own_writes if write.id in landed for name, (_, new) in write.stamps.items()}
    stamps.pop(EXTERNAL_ID, None)
    return replace(link, base=Base({**link.base.stamps, **stamps}), own_writes=())


def _settled(rules: Rules, link: Link, seen: Seen, now: datetime) -> Plan:
    """Say what is to be done when no write of ours is in the air."""
    drchrono, salesforce = seen.drchrono, seen.salesforce
    is_named_so = isinstance(salesforce, Sight) and salesforce.key in (None, link.drchrono_id)
    if isinstance(salesforce, Sight) and not is_named_so and rules.table.zoned is None:  # a visit may change its id
        return Plan(Action.HOLD, cause=OTHER_KEY)
    if isinstance(drchrono, Doubt):
        return Plan(Action.WAIT, cause=drchrono.reason, until=link.confirm_at or now + rules.confirm_after)
    is_asked = isinstance(drchrono, Sight) and drchrono.confirmed
    if isinstance(drchrono, Absent) or (isinstance(drchrono, Sight) and is_asked and is_deleted(rules, drchrono)):
        return gone_in_drchrono(rules, link, salesforce)
    if isinstance(salesforce, Sight):
        return _with_key(link, _both_there(rules, link, drchrono, salesforce, now), drchrono, salesforce)
    if link.salesforce_id is not None:
        gone = gone_in_salesforce(rules, link, drchrono, salesforce, is_asked=is_asked)
        return gone or _asked(rules, link, now)
    if isinstance(drchrono, Unheard) or (seen.predecessor is not None and not is_asked):
        return _asked(rules, link, now)
    return Plan(Action.SUCCEED, twin=seen.predecessor) if seen.predecessor else _created(rules, drchrono)


def _both_there(rules: Rules, link: Link, drchrono: Sight | Unheard, salesforce: Sight, now: datetime) -> Plan:
    """Say what two records that are there make of each other."""
    if isinstance(drchrono, Unheard):
        # what was heard while it waited for a person is used up, and was never agreed on
        return _asked(rules, link, now) if link.is_failed else _from_salesforce(rules, link, salesforce, now)
    plan = _merged(rules, link, drchrono, salesforce)
    return _asked(rules, link, now) if not drchrono.confirmed and _must_be_asked(rules.table, plan) else plan


def _with_key(link: Link, plan: Plan, drchrono: Sight | Unheard, salesforce: Sight) -> Plan:
    """Have a Contact that does not say whose it is say so; by that it is found, whatever becomes of us.

    Where both have agreed before, that need not wait for DrChrono's word.
    """
    waits = plan.action is Action.WAIT
    if salesforce.key == link.drchrono_id or (waits and isinstance(drchrono, Sight)):
        return plan
    return replace(plan, action=plan.action if waits else Action.WRITE, writes_key=True)


def _created(rules: Rules, drchrono: Sight) -> Plan:
    """Say how a record that Salesforce does not hold comes to be there."""
    filled = {name: value for name, value in drchrono.fields.items() if value is not None}
    fields, refused = _fit(rules.table, Side.SALESFORCE, filled, drchrono.zone)
    return Plan(
        Action.CREATE,
        writes={Side.SALESFORCE: fields},
        refused={**refused, **drchrono.unreadable},
        flags=rules.table.flags(fields, drchrono.zone),
        zone=drchrono.zone,
    )


def _from_salesforce(rules: Rules, link: Link, salesforce: Sight, now: datetime) -> Plan:
    """Say what an edit in Salesforce asks for, when DrChrono has said nothing since both last agreed.

    Fields that Salesforce owns may be written at once; any other needs DrChrono's own word first.
    """
    fields = {name: value for name, value in salesforce.fields.items() if name != rules.table.zoned}
    moved = {name: rules.moved(link, name, value) for name, value in fields.items()}
    edits = {name: salesforce.fields[name] for name, is_moved in moved.items() if is_moved}
    if None in moved.values() or not all(_may_win(rules.table.rows[name]) for name in edits):
        return _asked(rules, link, now)
    to_drchrono, refused = _fit(rules.table, Side.DRCHRONO, edits)
    to_salesforce, unfit = _fit(rules.table, Side.SALESFORCE, _rezoned(rules, salesforce), salesforce.zone)
    writes = {side: fit for side, fit in ((Side.DRCHRONO, to_drchrono), (Side.SALESFORCE, to_salesforce)) if fit}
    return Plan(
        Action.WRITE if writes else Action.NOTHING,
        writes=writes,
        refused={**salesforce.unreadable, **refused, **unfit},
        flags=rules.table.flags(to_salesforce, salesforce.zone),
        zone=salesforce.zone,
    )


def _rezoned(rules: Rules, salesforce: Sight) -> dict[str, str | None]:
    """Give the times as they are to be written anew because the zone they are read in is another one now."""
    zoned = rules.table.zoned
    if zoned is None or not salesforce.zone or salesforce.fields.get(zoned) == salesforce.zone:
        return {}
    times = {row.name for row in rules.table.rows.values() if row.options.zone == zoned}
    return {zoned: salesforce.zone} | {name: salesforce.fields[name] for name in times if name in salesforce.fields}


def _may_win(row: Row) -> bool:
    """Say whether Salesforce's value of a field wins whatever DrChrono holds."""
    is_two_way = row.direction is Direction.BOTH and row.on_conflict is OnConflict.OWNER
    return is_two_way and row.owner is Side.SALESFORCE


def _must_be_asked(table: Table, plan: Plan) -> bool:
    """Say whether a delivered body alone may not carry a plan: it could overwrite what its side does not own."""
    to_drchrono = plan.writes.get(Side.DRCHRONO, {})
    wins = [name for name in plan.conflicts if name in plan.writes.get(Side.SALESFORCE, {})]
    return bool(wins) or not all(_may_win(table.rows[name]) for name in to_drchrono)


def _merged(rules: Rules, link: Link, drchrono: Sight, salesforce: Sight) -> Plan:
    merged = merge(rules, link, drchrono.fields, salesforce.fields)
    writes: dict[Side, Fields] = {}
    refused: dict[str, str] = {**salesforce.unreadable, **drchrono.unreadable, **dict.fromkeys(merged.held, "held")}
    for side, fields in merged.to.items():
        fit, unfit = _fit(rules.table, side, fields, drchrono.zone)
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
        flags=rules.table.flags(writes.get(Side.SALESFORCE, {}), drchrono.zone),
        zone=drchrono.zone,
    )


def _fit(table: Table, side: Side, fields: Fields, zone: str = "") -> tuple[dict[str, str | None], dict[str, str]]:
    """Part the fields that can travel to a side from those that cannot, with why."""
    _, refused = table.write(side, fields, zone)
    return {name: value for name, value in fields.items() if name not in refused}, refused


def without_rewrites(rules: Rules, link: Link, plan: Plan, written: Collection[tuple[Side, str, str]]) -> Plan:
    """Give the plan without the fields that some automation keeps rewriting; those wait for a person.

    written  (side, field, stamp of what was written) of each of our writes to the link in the last ten minutes
    """
    counts = Counter(written)
    writes: dict[Side, Fields] = {}
    rewritten: dict[str, str] = {}
    for side, fields in plan.writes.items():
        back = {
            name for name, value in fields.items() if counts[side, name, rules.stamp(link, name, value)] >= _RETURNS
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
    action = plan.action if left or writes_key or plan.action is Action.WAIT else Action.NOTHING
    return replace(plan, action=action, writes=left, writes_key=writes_key, refused={**plan.refused, **rewritten})


def reasons(rules: Rules, plan: Plan, side: Side) -> Mapping[str, str]:
    """Give what the journal keeps of why a side's fields are written, where that is no plain edit."""
    owners = {name: f"conflict: {rules.table.rows[name].owner} owns it" for name in plan.conflicts}
    told = owners | dict.fromkeys(plan.put_backs, "put back: it travels one way")
    return {name: why for name, why in told.items() if name in plan.writes.get(side, {})}


def stamps(
    rules: Rules, link: Link, fields: Fields, before: Sight | Absent | Deleted | Unheard
) -> Mapping[str, tuple[str | None, str]]:
    """Give what the journal keeps of a write: field -> (stamp of what was there, stamp of what is written).

    What a side that was not heard holds is what the base says.
    """
    if isinstance(before, Unheard):
        known = {name: link.base.stamps.get(name) for name in fields}
    else:
        held = before.fields if isinstance(before, Sight) else {}
        known = {name: rules.stamp(link, name, held[name]) if name in held else None for name in fields}
    return {name: (known[name], rules.stamp(link, name, value)) for name, value in fields.items()}
