"""Dismissals: a record that a person has dismissed stays as it is until a value of it changes on either side. Pure.

With every failure is kept what each side showed by then, what we wrote in that look included: field -> stamp, as a base
keeps it, so that no value lies there. While a dismissed record shows the same, nothing is planned for it. A field of
which nothing is known (a row of the mapping that was added since, a key that is gone) says nothing; where nothing is
known of a whole side, it counts as changed, so that no edit is passed over.
"""

from collections.abc import Mapping
from dataclasses import replace

from app.sync.base import Rules
from app.sync.failure_causes import PARENT_DISMISSED
from app.sync.mappings.table import EXTERNAL_ID, Table
from app.sync.model import (
    Absent,
    Deleted,
    Fields,
    Kind,
    Link,
    NeedsConfirmation,
    NothingNew,
    RecordRef,
    Seen,
    Side,
    Snapshot,
)

Shown = Mapping[str, Mapping[str, str]]  # side -> field -> stamp
MAY_NAME_ANOTHER = frozenset({Kind.APPOINTMENT, Kind.DOCUMENT})  # whose Salesforce record may: that is no mistake
_RECORD = ""  # in place of a field's name: what became of a record that its side does not hold
_ABSENT, _DELETED, _MERGED = "absent", "deleted", "merged"
_UNREADABLE = "!"  # no stamp begins so

SideSeen = Snapshot | Absent | Deleted | NeedsConfirmation | NothingNew


def shown_by(rules: Rules, link: Link, seen: Seen, written: Mapping[Side, Fields]) -> Shown:
    """Give what both sides show at the end of a look: what was seen there, and what they have taken of us since.

    Of a side that was not read it is what the side showed before, or what was agreed on.
    """
    sides: Mapping[Side, SideSeen] = {Side.DRCHRONO: seen.drchrono, Side.SALESFORCE: seen.salesforce}
    shown: dict[str, Mapping[str, str]] = {}
    for side, held in sides.items():
        stamps = _stamps(rules, link, side, held)
        if fields := written.get(side):
            taken = {name: rules.stamp(link, name, value) for name, value in fields.items()}
            stamps = {name: stamp for name, stamp in stamps.items() if name != _RECORD} | taken
        shown[side.value] = stamps
    return shown


def is_left_dismissed(rules: Rules, link: Link, seen: Seen) -> bool:
    """Say whether a record was dismissed and shows what it did then; a person's newer word goes before."""
    if not link.is_dismissed or seen.decided or seen.card is not None:
        return False
    return is_as_shown(rules, link, Side.SALESFORCE, seen.salesforce) and (
        link.drchrono_id is None or is_as_shown(rules, link, Side.DRCHRONO, seen.drchrono)
    )


def is_as_shown(rules: Rules, link: Link, side: Side, held: SideSeen) -> bool:
    """Say whether a side of a failed record shows what it did when the record failed, as far as can be told."""
    then = link.shown.get(side, {})
    match held:
        case NothingNew():
            return bool(then)
        case NeedsConfirmation():
            return False
        case Absent() | Deleted():
            return then.get(_RECORD) == _stamps(rules, link, side, held)[_RECORD]
        case Snapshot():
            return _RECORD not in then and _is_same(rules, link, then, held)


def was_gone(shown: Shown, side: Side) -> bool:
    """Say whether a side did not hold the record, or not show it, when it failed."""
    return _RECORD in shown.get(side, {})


def with_dismissed_parents(table: Table, seen: Seen) -> Seen:
    """Say of references of Salesforce's that DrChrono does not know which are to records that were dismissed."""
    held = seen.salesforce
    if not seen.dismissed or not isinstance(held, Snapshot):
        return seen
    named = {
        name: PARENT_DISMISSED
        for name, id_ in held.unlinked.items()
        if name in held.unreadable and RecordRef(Side.SALESFORCE, table.parents[name], id_) in seen.dismissed
    }
    return replace(seen, salesforce=replace(held, unreadable={**held.unreadable, **named}))


def _is_same(rules: Rules, link: Link, then: Mapping[str, str], held: Snapshot) -> bool:
    if not _is_same_key(rules, link, then.get(EXTERNAL_ID), held.key):
        return False
    known = [
        same
        for name, value in held.fields.items()
        if name != rules.table.zoned and (same := _is_same_value(rules, link, name, then.get(name), value)) is not None
    ]
    known += [then[name] == _odd(held, name) for name in held.unreadable if name in then]
    return bool(known) and all(known)


def _is_same_value(rules: Rules, link: Link, name: str, stamp: str | None, value: str | None) -> bool | None:
    """Say whether a field shows what it did; None where that cannot be told."""
    if stamp is not None and stamp.startswith(_UNREADABLE):
        return False
    return rules.matches(link, name, stamp, value)


def _is_same_key(rules: Rules, link: Link, stamp: str | None, key: str | None) -> bool:
    """Say whether a record names the same record as then; that it names its own, or none, is no news."""
    if stamp is None or not _names_another(link, key):
        return stamp is None and not _names_another(link, key)
    return rules.keys.matches(stamp, link.id, EXTERNAL_ID, 1, key) is not False


def _names_another(link: Link, key: str | None) -> bool:
    """Say whether a record names another of DrChrono's than its own, of the kinds where that says something."""
    return link.kind not in MAY_NAME_ANOTHER and key not in (None, link.drchrono_id)


def _stamps(rules: Rules, link: Link, side: Side, held: SideSeen) -> dict[str, str]:
    match held:
        case Snapshot():
            stamps = {name: rules.stamp(link, name, value) for name, value in held.fields.items()}
            stamps |= {name: _odd(held, name) for name in held.unreadable}
            if _names_another(link, held.key):
                stamps[EXTERNAL_ID] = rules.key_stamp(link, held.key)
            return stamps
        case Absent():
            return {_RECORD: _ABSENT}
        case Deleted():
            return {_RECORD: _DELETED if held.master is None else _MERGED}
        case NothingNew() | NeedsConfirmation():
            before = {} if side is Side.SALESFORCE else link.base.stamps
            return {**before, **link.shown.get(side, {})}


def _odd(held: Snapshot, name: str) -> str:
    """Give what is kept of a value that has no counterpart: which record it refers to, or why it has none."""
    return f"{_UNREADABLE}{held.unlinked.get(name) or held.unreadable[name]}"
