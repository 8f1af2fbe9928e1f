"""The brake, a safety stop for mass changes: what a comparison would change, counted before it is written (pure).

It lets pass what a clinic does in days, and stops what only a mistake would ask for. It says nothing of records that
are new to us, on either side: those are matched and created one by one, whatever comes.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from app.sync.base import Rules
from app.sync.mappings.table import Direction, Table
from app.sync.model import Absent, Deleted, Fields, Kind, Lane, Link, NothingNew, Seen, Side, Snapshot
from app.sync.plan import (
    Delete,
    Exclude,
    Follow,
    Hold,
    Incomplete,
    Nothing,
    Plan,
    StayDismissed,
    Wait,
    Write,
    planned_writes,
    refused_fields,
)

_UNSEEN = "…"  # DrChrono's value, which only DrChrono can tell


MOST_UNASKED = 100  # so many records may change by one comparing without a word


@dataclass(slots=True)
class ChangeCount:
    """What would become of linked records.

    records  that would be written, on either side
    fields   (side, our name of the field) -> on how many records it would be written there
    blanks   the same -> on how many of these it would be emptied
    deletes  that would be deleted, marked as deleted or cancelled, or are not shown any more
    holds    cause -> how many would be left to a person
    """

    records: int = 0
    fields: Counter[tuple[Side, str]] = field(default_factory=Counter)
    blanks: Counter[tuple[Side, str]] = field(default_factory=Counter)
    deletes: int = 0
    holds: Counter[str] = field(default_factory=Counter)

    def add(self, table: Table, seen: Seen, plan: Plan) -> None:
        """Count what a look would lead to."""
        writes = {
            (side, name): value for side, fields in planned_writes(plan).items() for name, value in fields.items()
        }
        self.holds.update({plan.cause} if isinstance(plan, Hold) else set(refused_fields(plan).values()))
        self.deletes += _deletes(table, seen, plan)
        self.records += bool(writes) or isinstance(plan, Delete)
        self.fields.update(writes.keys())
        self.blanks.update(place for place, value in writes.items() if value is None)


def _deletes(table: Table, seen: Seen, plan: Plan) -> bool:
    """Say whether one side's deletion would be carried over to the other, or a record is not shown any more."""
    if isinstance(seen.salesforce, Deleted):
        return not isinstance(plan, Nothing | Incomplete | Exclude | Follow | StayDismissed)
    if Absent.ABSENT in (seen.drchrono, seen.salesforce):
        return not isinstance(plan, Nothing | Incomplete | Exclude | StayDismissed)
    marks = table.tombstone is not None and table.tombstone in planned_writes(plan).get(Side.SALESFORCE, {})
    return marks or isinstance(plan, Delete)


def expected_plan(rules: Rules, link: Link, seen: Seen, plan: Plan) -> Plan:
    """Give the plan that a look would end in, as if DrChrono held what was agreed on where it must be asked."""
    is_unheard = isinstance(seen.drchrono, NothingNew) and isinstance(seen.salesforce, Snapshot)
    if not isinstance(plan, Wait) or not is_unheard:
        return plan
    assert isinstance(seen.salesforce, Snapshot)
    edited = rules.changed(link, seen.salesforce.fields)
    two_way = {name for name in edited if rules.table.rows[name].direction is Direction.BOTH}
    to_drchrono = {name: seen.salesforce.fields[name] for name in two_way}
    writes: dict[Side, Fields] = {Side.DRCHRONO: to_drchrono, Side.SALESFORCE: dict.fromkeys(edited - two_way, _UNSEEN)}
    return Write(writes) if edited else plan


def still_failing_plan(table: Table, plan: Plan, side: str, fields: Collection[str], *, is_held: bool) -> Plan:
    """Give the plan that a look at a failing record would end in: what it failed with is taken to fail again.

    fields  those it failed with, as that side names them; a refusal that names none is of the whole record
    """
    blamed = {name for name in table.rows if fields and table.name_of(name, Side(side)) in fields}
    if not isinstance(plan, Write) or not (is_held or blamed):
        return Nothing()
    left = {to: {name: value for name, value in own.items() if name not in blamed} for to, own in plan.writes.items()}
    return Write({to: own for to, own in left.items() if own}) if any(left.values()) else Nothing()


def brake(prospect: ChangeCount, linked: int, share: float, deletes: int) -> str:
    """Say why a comparing must not go on without a person's word; empty where it may.

    linked   how many records of the kind are linked
    share    above which part of them it is too many (BRAKE_SHARE), 0 to 1
    deletes  how many deletions are let pass (BRAKE_DELETES)
    """
    if prospect.deletes > deletes:
        gone = f"{prospect.deletes:,} would be deleted or cancelled, or are not there any more"
        return f"{gone} (BRAKE_DELETES is {deletes})"
    emptied = [(count, place) for place, count in prospect.blanks.items() if count > MOST_UNASKED]
    if emptied:
        count, (side, name) = max(emptied)
        return f"{name} would be emptied on {count:,} records of {_NAMES[side]}"
    if prospect.records > max(MOST_UNASKED, share * linked):
        return f"{prospect.records:,} of {linked:,} would change (BRAKE_SHARE is {share:g})"
    return ""


_NAMES: Mapping[Side, str] = {Side.DRCHRONO: "DrChrono", Side.SALESFORCE: "Salesforce"}
_PAUSED = "the brake, comparing "


def reason_of(kind: Kind, why: str) -> str:
    """Give the reason with which the brake pauses a lane."""
    return f"{_PAUSED}{kind}s: {why}"


def why_paused(reason: str | None) -> str | None:
    """Give why the brake paused a lane, by the lane's reason; None where a person paused it, or nobody."""
    return reason.removeprefix(_PAUSED) if reason is not None and reason.startswith(_PAUSED) else None


def advice(lane: Lane) -> str:
    """Say what to do about a lane that the brake has paused."""
    command = "backfill" if lane is Lane.BACKFILL else "reconcile"
    return f"look with `chronobridge {command} --dry-run`; `chronobridge resume {lane}` lets it go on"
