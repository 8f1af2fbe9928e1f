"""When a delivered DrChrono body may be believed (pure).

The signature header is a shared secret, not a signature of the body; stamps have no zone and run backwards in autumn;
redeliveries carry the state of their first sending. So a body is a hint. It is believed when nothing speaks against
it; else it is neither believed nor dropped, and one GET, some seconds later, decides. Who somebody is, is asked at
once: only an answer that does not show the delivered state yet may be from before it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from app.sync.base import Rules
from app.sync.dismissals import is_as_shown
from app.sync.mappings.table import Table
from app.sync.model import Absent, Deleted, Exclusion, Link, NeedsConfirmation, NothingNew, Side, Snapshot

# A stamp's clock goes back one hour in autumn; a floor further above a confirmed look was never true.
_EXPLAINED_BY_AUTUMN = timedelta(hours=2)
IDENTITY_CHANGED = "identity_changed"
_HOUR = "2026-11-01T01"
_SUNDAY, _WEEK = 6, 7


def trusted_snapshot(
    rules: Rules, link: Link, bodies: Sequence[Snapshot], salesforce: Snapshot | Absent | Deleted
) -> Snapshot | NeedsConfirmation | NothingNew:
    """Give the state DrChrono may be believed to hold, or why a GET must decide.

    bodies  the bodies of the unfinished deliveries of this record, in the order they were received
    """
    if not bodies:
        is_asked = link.confirm_due_at is not None or link.drchrono_id is None
        is_known = bool(link.base.stamps) or link.is_dismissed
        return NothingNew.UNHEARD if is_known and not is_asked else NeedsConfirmation("nothing_delivered")
    if rules.table.is_one_way:  # no webhook tells of these: we asked for them ourselves
        return bodies[-1]
    *earlier, newest = _first_snapshots(bodies)
    is_dismissed = link.is_dismissed and is_as_shown(rules, link, Side.DRCHRONO, newest)
    changed = set() if is_dismissed else rules.news(link, newest)
    is_used_up = bool(link.is_failed or link.excluded_by)  # what was heard then was never agreed on
    was_out = Exclusion.DRCHRONO in link.excluded_by
    crosses = newest.is_included is was_out  # into the set that is synced, or out of it
    if newest.skipped:
        return newest if link.salesforce_id is None else NeedsConfirmation(f"says_{newest.skipped}")
    if newest.is_included is None:
        return NeedsConfirmation("condition_not_shown")
    tombstone = rules.table.tombstone
    if tombstone in changed and newest.fields.get(tombstone) is not None:
        reason = "says_deleted"
    elif link.unconfirmed_fields & changed:
        reason = "contradicts_our_write"
    elif not all(_is_after(newest.version, body.version) for body in earlier):
        reason = "deliveries_disagree"
    elif not changed and not crosses and not (is_used_up and newest.version < link.seen_up_to):
        reason = ""
    elif not _is_after(newest.version, link.seen_up_to):
        reason = "not_newer"
    elif newest.is_included is False:  # whoever it is, nothing is written
        reason = ""
    else:
        reason = _identity_doubt(rules.table, link, newest, changed, salesforce)
    return NeedsConfirmation(reason) if reason else newest


def shows_delivered(table: Table, answer: Snapshot, bodies: Sequence[Snapshot]) -> bool:
    """Say whether an answer of DrChrono's is surely not from before the newest delivery: it says the same, or later."""
    newest = bodies[-1]
    return not _differs(table, answer, newest) or _is_after(answer.version, newest.version)


def _is_after(version: str, other: str) -> bool:
    """Say whether a stamp is surely of a later moment than another: not within the hour that autumn tells twice."""
    hour = version[: len(_HOUR)]
    return version > other and not (hour == other[: len(_HOUR)] and _is_told_twice(hour))


def _is_told_twice(hour: str) -> bool:
    """Say whether the clocks go back within an hour: from one to two on November's first Sunday, wherever they do.

    Source  Energy Policy Act of 2005, section 110: DrChrono's servers and its clinics are in the United States
    """
    try:
        at = datetime.strptime(hour, "%Y-%m-%dT%H")  # noqa: DTZ007 - a stamp has no zone
    except ValueError:
        return False
    return (at.month, at.weekday(), at.hour) == (11, _SUNDAY, 1) and at.day <= _WEEK


def _first_snapshots(bodies: Sequence[Snapshot]) -> list[Snapshot]:
    """Leave out what says again what an earlier delivery said: a redelivery is no news."""
    distinct: list[Snapshot] = []
    for body in bodies:
        if all((body.version, body.fields) != (known.version, known.fields) for known in distinct):
            distinct.append(body)
    return distinct


def _identity_doubt(
    table: Table, link: Link, newest: Snapshot, changed: Collection[str], salesforce: Snapshot | Absent | Deleted
) -> str:
    """Say what speaks against a newer body: another identity, or a Contact it would be linked to that differs."""
    if link.salesforce_id is not None:
        return IDENTITY_CHANGED if any(table.rows[name].is_identity for name in changed) else ""
    is_ours = bool(link.own_writes or link.late_writes)
    is_foreign = isinstance(salesforce, Snapshot) and not is_ours and _differs(table, newest, salesforce)
    return "existing_contact" if is_foreign else ""


def _differs(table: Table, one: Snapshot, other: Snapshot) -> bool:
    return bool(table.differing(one, other))


def raise_seen_up_to(floor: str, snapshot: Snapshot) -> str:
    """Give the floor after a snapshot was taken in: the highest stamp seen.

    It stays up when a GET shows an earlier stamp, because a stale body from before the clock went back would pass a
    lowered one. Only a floor that no change of clocks explains is brought down.
    """
    if snapshot.version >= floor or not snapshot.confirmed or not snapshot.version:
        return max(floor, snapshot.version)
    try:
        gap = datetime.fromisoformat(floor) - datetime.fromisoformat(snapshot.version)
    except (ValueError, TypeError):
        return snapshot.version
    return snapshot.version if gap > _EXPLAINED_BY_AUTUMN else floor
