"""Our own writes: what the journal keeps of one, whether it shows on the side it went to, and what it then means.

One that was not answered, and does not show, may be sent again at once where it names its record: twice is once. The
first may land all the same, until its vendor has given it up, and over something newer. In Salesforce the record then
bears the hand of our own user: that is no edit, and what was agreed goes back. Where the hand is another's by now, and
in DrChrono, which names nobody, it cannot be told from a person's edit: it counts as a conflict, so that the field's
rule decides and both values are kept. (Pure.)
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.sync.base import Rules
from app.sync.mappings.table import EXTERNAL_ID
from app.sync.model import UPLOAD, Absent, Base, Deleted, Fields, Link, NothingNew, PendingWrite, Seen, Side, Snapshot
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
    told |= {name: "put back: an earlier write landed late" for name in came_back(compared) if name not in told}
    return {name: why for name, why in told.items() if name in fields}


def open_upload(link: Link, side: Side) -> PendingWrite:
    """Give the upload to a side of which it is not known whether it has happened; there is one."""
    return next(one for one in link.own_writes if one.call == UPLOAD and one.side is side)


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


@dataclass(frozen=True, slots=True)
class LateLandings:
    """What late writes of ours have come to, as both sides show it.

    ours      fields that show in Salesforce, by our own user's hand, what was written late: no edit
    doubtful  fields that show it on a side where it may be a person's edit: a conflict
    is_asked  DrChrono has to be asked first
    over      ids of those that the vendor has given up, and that nothing more is to be seen of
    """

    ours: Mapping[str, str] = field(default_factory=dict)
    doubtful: Mapping[Side, tuple[str, ...]] = field(default_factory=dict)
    is_asked: bool = False
    over: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The fields that may be somebody's edit."""
        return frozenset(name for names in self.doubtful.values() for name in names)

    @property
    def shown(self) -> Mapping[Side, tuple[str, ...]]:
        """Side -> the fields that show there what was written late."""
        return {**self.doubtful, Side.SALESFORCE: tuple(self.ours)} if self.ours else self.doubtful


def late_landings(rules: Rules, link: Link, seen: Seen, now: datetime) -> LateLandings:
    """Say which of the late writes show on the side they went to, where both sides have agreed on something else.

    link  as it stands once its own writes are settled
    """
    drchrono, salesforce = seen.drchrono, seen.salesforce
    is_ours = isinstance(salesforce, Snapshot) and salesforce.changed_by == seen.our_user != ""
    ours: dict[str, str] = {}
    doubtful: dict[Side, dict[str, None]] = {}
    for write in link.late_writes:
        names = _shown_over(rules, link, write, drchrono if write.side is Side.DRCHRONO else salesforce)
        if write.side is Side.SALESFORCE and is_ours:
            ours |= {name: write.stamps[name][1] for name in names}
        elif names:
            doubtful.setdefault(write.side, {}).update(dict.fromkeys(names))
    has_answered = isinstance(drchrono, Absent) or (isinstance(drchrono, Snapshot) and drchrono.confirmed)
    ended = [write for write in link.late_writes if write.settle_at <= now]
    unseen = [one for one in ended if one.side is Side.DRCHRONO and not has_answered and _is_overtaken(link, one)]
    is_unclear = isinstance(drchrono, NothingNew) and bool(ours or doubtful)
    return LateLandings(
        ours,
        {side: tuple(names) for side, names in doubtful.items()},
        is_asked=is_unclear or (bool(unseen) and isinstance(drchrono, NothingNew | Snapshot)),
        over=tuple(one.id for one in ended if one not in unseen),
    )


def _shown_over(rules: Rules, link: Link, write: PendingWrite, held: object) -> list[str]:
    """Give the fields in which a side holds what a write carried, though something else is agreed."""
    fields = held.fields if isinstance(held, Snapshot) else {}
    return [
        name
        for name, (_, new) in write.stamps.items()
        if name in rules.table.rows and name in fields and rules.moved(link, name, fields[name])
        if rules.matches(link, name, new, fields[name])
    ]


def late_until(link: Link, agreed: Link, late: Collection[str], now: datetime) -> datetime | None:
    """Give when the vendors have given up all that would change something, landing late; None where nothing would.

    link, agreed  as it was leased, and with what is agreed by now
    late          ids of the writes that were waited for, and are not any more
    """
    may_land = [*link.late_writes, *(write for write in link.own_writes if write.id in late)]
    return max((one.settle_at for one in may_land if one.settle_at > now and _is_overtaken(agreed, one)), default=None)


def _is_overtaken(link: Link, write: PendingWrite) -> bool:
    """Say whether a write carries what is not agreed any more, or not yet: it would change something, landing now."""
    stamps = link.base.stamps
    return any(stamps.get(name) != new for name, (_, new) in write.stamps.items() if name != EXTERNAL_ID)


def may_land_again(write: PendingWrite, others: Sequence[PendingWrite]) -> bool:
    """Say whether what shows of a write may be the doing of another that carried the same: then it may land yet."""
    return any(
        other.id != write.id and other.side is write.side and other.stamps.get(name, (None, None))[1] == new
        for other in others
        for name, (_, new) in write.stamps.items()
    )


def came_back(compared: Comparison) -> frozenset[str]:
    """Give the fields that show, on either side, what an earlier write of ours carried."""
    return frozenset(name for names in compared.late.values() for name in names)
