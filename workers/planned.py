"""Planned: what the plans ask of each side, as writes that can be journalled and sent.

A field that keeps coming back to a value we wrote again and again is not written any more. What a write replaces, and
what a create in DrChrono sends, is kept sealed.
"""

from collections.abc import Iterator, Mapping, Sequence

from app.store import journal
from app.store.conflicts import Conflict
from app.store.journal import Entry
from app.sync import rewrites
from app.sync.mapping import EXTERNAL_ID
from app.sync.own_writes import reasons, stamps
from app.sync.records import Absent, Action, Deleted, Doubt, Fields, Link, Plan, Seen, Side, Sight
from workers.passes import Looked, Pass, Write


async def without_rewrites(work: Pass, looked: Sequence[Looked], plans: Mapping[str, Plan]) -> dict[str, Plan]:
    """Give the plans without the fields that keep coming back to a value we wrote again and again."""
    links = {one.link.id: one.link for one in looked}
    updates = [link_id for link_id, plan in plans.items() if plan.action is Action.WRITE or plan.writes_key]
    lately = await journal.written_lately(work.run.database, updates)
    return {
        link_id: rewrites.without_rewrites(work.rules, links[link_id], plan, lately[link_id])
        if link_id in lately
        else plan
        for link_id, plan in plans.items()
    }


def planned_writes(work: Pass, looked: Looked, plan: Plan | None) -> Iterator[Write]:
    """Give the writes of one plan, at most one to a side; none where nothing was seen or nothing is planned."""
    if plan is None or not isinstance(looked.seen, Seen):
        return
    link, is_create = looked.link, plan.action is Action.CREATE
    if plan.action in (Action.DELETE, Action.MERGE):
        yield _going(work, link, looked.seen.salesforce, plan)
        return
    for side in Side:
        fields = plan.writes.get(side, {})
        writes_key = plan.writes_key and side is Side.SALESFORCE
        if not fields and not writes_key:
            continue
        before = looked.seen.drchrono if side is Side.DRCHRONO else looked.seen.salesforce
        if isinstance(before, Doubt):  # a record of Salesforce's alone: nobody has said anything of the chart to be
            before = Absent.ABSENT
        held = before.fields if isinstance(before, Sight) else {}
        replaced = {name: held[name] for name in fields if name in held}
        key = {EXTERNAL_ID: (None, work.rules.key_stamp(link, link.drchrono_id))} if writes_key else {}
        entry = Entry(
            link.id,
            side,
            "create" if is_create else "update",
            {**stamps(work.rules, link, fields, before), **key},
            work.run.vault.seal(replaced) if replaced else None,
            reasons(work.rules, plan, side),
            work.run.vault.seal(dict(fields)) if is_create and side is Side.DRCHRONO else None,
            _conflicts(work, looked.seen, plan, fields),
        )
        id_ = before.id if isinstance(before, Sight) else link.id_on(side)
        beside = {work.rules.table.external_id: link.drchrono_id} if writes_key else plan.extra
        yield Write(link, id_, entry, fields, {}, plan.zone, beside)


def _going(work: Pass, link: Link, salesforce: Sight | Absent | Deleted, plan: Plan) -> Write:
    """Give the write by which a record of Salesforce's goes: deleted, or merged into another; what it held is kept."""
    assert isinstance(salesforce, Sight)
    entry = Entry(link.id, Side.SALESFORCE, plan.action.value, {}, work.run.vault.seal(dict(salesforce.fields)))
    filled = work.rules.table.write(Side.SALESFORCE, plan.writes.get(Side.SALESFORCE, {}))[0]
    beside = {"Id": plan.twin, **filled} if plan.action is Action.MERGE else {}
    return Write(link, salesforce.id, entry, {}, {}, beside=beside)


def _conflicts(work: Pass, seen: Seen, plan: Plan, fields: Fields) -> tuple[Conflict, ...]:
    """Give the conflicts that a write decides, with what each side held."""
    drchrono, salesforce, table = seen.drchrono, seen.salesforce, work.rules.table
    if not isinstance(drchrono, Sight) or not isinstance(salesforce, Sight):
        return ()
    return tuple(
        Conflict(
            table.kind,
            name,
            f"{table.rows[name].owner} owns it",
            work.run.vault.seal({Side.DRCHRONO: drchrono.fields[name], Side.SALESFORCE: salesforce.fields[name]}),
        )
        for name in plan.conflicts
        if name in fields
    )
