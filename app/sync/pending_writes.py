"""Our own writes: what the journal keeps of one, whether it shows on the side it went to, and what it then means."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from app.sync.base import Rules
from app.sync.mappings.table import EXTERNAL_ID
from app.sync.model import Absent, Base, Deleted, Fields, Link, NothingNew, PendingWrite, Seen, Side, Snapshot
from app.sync.plan import Comparison


def write_stamps(
    rules: Rules, link: Link, fields: Fields, before: Snapshot | Absent | Deleted | NothingNew
) -> Mapping[str, tuple[str | None, str]]:
    """Give what the journal keeps of a write: field -> (stamp of what was there, stamp of what is written).

    What a side that was not heard holds is what the base says.
    """
    if isinstance(before, NothingNew):
        known = {name: link.base.stamps.get(name) for name in fields}
    else:
        held = before.fields if isinstance(before, Snapshot) else {}
        known = {name: rules.stamp(link, name, held[name]) if name in held else None for name in fields}
    return {name: (known[name], rules.stamp(link, name, value)) for name, value in fields.items()}


def write_reasons(rules: Rules, compared: Comparison, fields: Fields) -> Mapping[str, str]:
    """Give what the journal keeps of why a side's fields are written, where that is no plain edit."""
    owners = {name: f"conflict: {rules.table.rows[name].owner} owns it" for name in compared.conflicts}
    told = owners | dict.fromkeys(compared.put_backs, "put back: it travels one way")
    told |= dict.fromkeys(compared.decided, "a person decided")
    return {name: why for name, why in told.items() if name in fields}


def has_landed(rules: Rules, link: Link, write: PendingWrite, seen: Seen) -> bool:
    """Say whether a write of ours shows on the side it went to, by that side's own word."""
    snapshot = seen.drchrono if write.side is Side.DRCHRONO else seen.salesforce
    return isinstance(snapshot, Snapshot) and snapshot.confirmed and is_shown(rules, link, write, snapshot)


def is_shown(rules: Rules, link: Link, write: PendingWrite, snapshot: Snapshot) -> bool:
    """Say whether a write of ours shows in what its side has answered.

    One request writes one record whole or not at all, so it has when one field shows the new value and none the old
    one: a person may have changed the others since. Where nothing was known of what was there, a create, all of it
    must show: a person may have made that record, and what they left empty would count as emptied.
    """
    shown = [
        (
            old,
            rules.matches(link, name, old, snapshot.fields[name]),
            rules.matches(link, name, new, snapshot.fields[name]),
        )
        for name, (old, new) in write.stamps.items()
        if name in rules.table.rows and name in snapshot.fields
    ]
    if not shown:
        return EXTERNAL_ID in write.stamps and snapshot.key is not None and snapshot.key == link.drchrono_id
    if all(old is None for old, _, _ in shown):
        return all(is_new for _, _, is_new in shown)
    moved = [is_new for _, is_old, is_new in shown if bool(is_old) is not bool(is_new)]
    return any(moved) and all(moved)


def with_landed(link: Link, landed: Collection[str]) -> Link:
    """Give the link as it stands once its own writes are settled.

    What landed is part of the base: both sides held it, whatever came since. What was lost never was: the value it
    would have replaced, still there, is what a person put there.
    """
    if not link.own_writes:
        return link
    stamps = {name: new for write in link.own_writes if write.id in landed for name, (_, new) in write.stamps.items()}
    stamps.pop(EXTERNAL_ID, None)
    return replace(link, base=Base({**link.base.stamps, **stamps}), own_writes=())
