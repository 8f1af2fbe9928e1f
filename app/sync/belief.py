"""When a delivered DrChrono body may be believed (pure).

The signature header is a shared secret, not a signature of the body; stamps have no zone and run backwards in autumn;
redeliveries carry the state of their first sending. So a body is a hint. It is believed when nothing speaks against
it; else it is neither believed nor dropped, and one GET, some seconds later, decides.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from app.sync.base import HashKeys
from app.sync.mapping import Table
from app.sync.merge import moved
from app.sync.records import Absent, Doubt, Link, Sight

# A stamp's clock goes back one hour in autumn; a floor further above a confirmed look was never true.
_EXPLAINED_BY_AUTUMN = timedelta(hours=2)


def believe(
    table: Table, keys: HashKeys, link: Link, bodies: Sequence[Sight], salesforce: Sight | Absent
) -> Sight | Doubt:
    """Give the state DrChrono may be believed to hold, or why a GET must decide.

    bodies  the bodies of the unfinished deliveries of this record, in the order they were received
    """
    if not bodies:
        return Doubt("nothing_delivered")
    first_sights: list[Sight] = []
    for body in bodies:
        if all((body.version, body.fields) != (known.version, known.fields) for known in first_sights):
            first_sights.append(body)
    *earlier, newest = first_sights
    if any(body.version >= newest.version for body in earlier):
        return Doubt("deliveries_disagree")
    changed = {name for name, value in newest.fields.items() if moved(table.rows[name], keys, link, value) is not False}
    if not changed and not (link.is_failed and newest.version < link.floor):
        return newest
    if not newest.version or newest.version <= link.floor:
        return Doubt("not_newer")
    if link.salesforce_id is None:
        if isinstance(salesforce, Sight) and not link.own_writes and _differs(table, newest, salesforce):
            return Doubt("existing_contact")
    elif any(table.rows[name].is_identity for name in changed):
        return Doubt("identity_changed")
    return newest


def _differs(table: Table, one: Sight, other: Sight) -> bool:
    return any(
        name in other.fields and not table.rows[name].equal(value, other.fields[name])
        for name, value in one.fields.items()
    )


def raised_floor(floor: str, sight: Sight) -> str:
    """Give the floor after a sight was taken in: the highest stamp seen.

    It stays up when a GET shows an earlier stamp, because a stale body from before the clock went back would pass a
    lowered one. Only a floor that no change of clocks explains is brought down.
    """
    if sight.version >= floor or not sight.confirmed:
        return max(floor, sight.version)
    try:
        gap = datetime.fromisoformat(floor) - datetime.fromisoformat(sight.version)
    except (ValueError, TypeError):
        return sight.version
    return sight.version if gap > _EXPLAINED_BY_AUTUMN else floor
