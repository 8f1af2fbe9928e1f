"""What is to be done when one side does not hold a record any more (pure).

Absence is never answered by creating, nor believed of DrChrono before it was said twice. A visit that DrChrono deleted
is marked in Salesforce, or deleted there; one that Salesforce deleted is cancelled in DrChrono, unless it has taken
place or was touched there meanwhile. Everything else waits for a person: patients are never deleted, and a record we
may not see any more is not a deleted one.

A document is archived and never deleted: in DrChrono by its own way to delete, in Salesforce it is marked, or taken off
its patient's record with the last of its File's versions; that a person took it off there counts as deleted.
"""

from collections.abc import Mapping, Sequence

from app.sync.base import Rules
from app.sync.failure_causes import GONE_IN_DRCHRONO, GONE_IN_SALESFORCE, NEVER_HERE, NOT_SHOWN_ONCE, OTHER_LINK
from app.sync.mappings.table import Table
from app.sync.model import Absent, Deleted, Fields, Kind, Link, NothingNew, Side, Snapshot
from app.sync.plan import Comparison, Delete, Follow, Hold, Nothing, Plan, Write

_STATUS = "status"  # DrChrono's name
_CANCELLED = "Cancelled"
# how DrChrono is told that Salesforce deleted a record: its field, and what that then holds
_CALLED_OFF: Mapping[Kind, tuple[str, str]] = {
    Kind.APPOINTMENT: (_STATUS, _CANCELLED),
    Kind.DOCUMENT: ("archived", "true"),
}
_TOOK_PLACE = frozenset(
    {"Arrived", "Checked In", "Checked In Online", "In Room", "In Session", "Complete", "No Show"}
)  # of DrChrono's own statuses


def is_deleted(rules: Rules, snapshot: Snapshot) -> bool:
    """Say whether DrChrono itself says that it deleted the record."""
    tombstone = rules.table.tombstone
    return tombstone is not None and snapshot.fields.get(tombstone) is not None


def is_marked(rules: Rules, link: Link) -> bool:
    """Say whether both sides have agreed that the record is deleted."""
    name = rules.table.tombstone
    return name is not None and rules.matches(link, name, link.base.stamps.get(name), "true") is True


def is_cancelled(table: Table, fields: Fields) -> bool:
    """Say whether a visit was called off."""
    status = table.row_of(_STATUS)
    return status is not None and fields.get(status.name) == _CANCELLED


def is_no_more(rules: Rules, drchrono: Snapshot) -> bool:
    """Say whether DrChrono, when it was asked, said that it deleted the record, or showed what is no visit."""
    return drchrono.confirmed and (bool(drchrono.skipped) or is_deleted(rules, drchrono))


def is_said_twice(table: Table, link: Link, delivered: Sequence[Snapshot]) -> bool:
    """Say whether it is not the first that we hear of it, when DrChrono answers that it does not show a record.

    One such answer may be of the moment: a deploy, a copy of theirs that lags, a right that is missing for a minute. It
    was said before by such an answer, which is a while ago by now, or by a delivery or a list's row that says deleted.

    delivered  what its unfinished deliveries show
    """
    if link.last_cause == NOT_SHOWN_ONCE:
        return True
    return table.tombstone is not None and any(one.fields.get(table.tombstone) is not None for one in delivered)


def gone_in_drchrono(
    rules: Rules, link: Link, drchrono: Snapshot | Absent, salesforce: Snapshot | Absent | Deleted
) -> Plan:
    """Say what becomes of a record that DrChrono has deleted or does not show.

    A visit that became a block of the calendar, or lost its time, is marked and never deleted: it may be one again. A
    document is marked while another version of its File is one that lives: a File goes with all its versions.
    """
    tombstone = rules.table.tombstone
    is_hidden = rules.table.kind is Kind.DOCUMENT and isinstance(drchrono, Absent)  # what is archived is shown so
    if tombstone is None or is_hidden:
        return Hold(GONE_IN_DRCHRONO) if link.salesforce_id is not None or tombstone is None else Nothing(NEVER_HERE)
    if link.salesforce_id is None:
        return Nothing(NEVER_HERE)
    if not isinstance(salesforce, Snapshot):
        return Nothing()
    is_kept = isinstance(drchrono, Snapshot) and bool(drchrono.skipped)
    is_kept = is_kept or (salesforce.file is not None and salesforce.file.others_live)
    if rules.deletes and not is_kept:
        return Delete()
    if salesforce.fields.get(tombstone) is not None:
        return Nothing(compared=Comparison(agreed={tombstone: salesforce.fields[tombstone]}))
    return Write({Side.SALESFORCE: {tombstone: "true"}})


def gone_in_salesforce(
    rules: Rules, link: Link, drchrono: Snapshot | NothingNew, salesforce: Absent | Deleted, *, is_asked: bool
) -> Plan | None:
    """Say what becomes of a linked record that Salesforce does not hold; None when DrChrono has to be asked first.

    is_asked  whether DrChrono's snapshot is its own answer
    """
    if isinstance(salesforce, Deleted) and salesforce.master is not None:
        names_another = salesforce.master.key not in (None, link.drchrono_id)
        return Hold(OTHER_LINK) if names_another else Follow(salesforce.master)
    field, value = _CALLED_OFF.get(rules.table.kind, (_STATUS, _CANCELLED))
    row = rules.table.row_of(field)
    if isinstance(salesforce, Absent) or row is None or not rules.cancels:
        return Hold(GONE_IN_SALESFORCE)
    return _called_off(rules, link, drchrono, {row.name: value}, is_asked=is_asked)


def _called_off(
    rules: Rules, link: Link, drchrono: Snapshot | NothingNew, told: Fields, *, is_asked: bool
) -> Nothing | Write | Hold | None:
    """Say how a visit that was deleted in Salesforce comes to be cancelled in DrChrono, or a document archived.

    told  what we call the field that says so, and what it then holds
    """
    ((name, value),) = told.items()
    if isinstance(drchrono, NothingNew):
        was_told = rules.matches(link, name, link.base.stamps.get(name), value) is True
        return Nothing() if was_told else None
    shown = drchrono.fields.get(name)
    if is_deleted(rules, drchrono) or shown == value:
        return Nothing(compared=Comparison(agreed={name: shown}))
    if not is_asked:
        return None
    if _is_touched(rules, link, drchrono) or shown in _TOOK_PLACE:
        return Hold(GONE_IN_SALESFORCE)
    return Write({Side.DRCHRONO: told})


def _is_touched(rules: Rules, link: Link, drchrono: Snapshot) -> bool:
    """Say whether a record of DrChrono's is not what both sides agreed on.

    A document that our own upload made has fields that nothing was agreed on yet, such as the tag that shares it.
    """
    news = rules.news(link, drchrono)
    if rules.table.kind is Kind.DOCUMENT and link.base.stamps:
        news &= link.base.stamps.keys()
    return bool(news)
