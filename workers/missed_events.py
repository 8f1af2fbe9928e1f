"""Untold: changes that a side made and no delivery told of, met by whoever looks at its records for another reason.

A compare that points such a change out, or a pass that takes it up, would leave nothing to be seen for a look into the
feed. So both have the feed doubted for it first, in office hours. Records that are new to us, that we are writing to,
or that DrChrono has yet to show as we wrote them prove nothing.
"""

from collections.abc import Mapping, Sequence

from app.runtime import Runtime
from app.store import feeds, links
from app.store.work_queue import Due
from app.sync.feed_health import UnannouncedChange
from app.sync.model import Kind, Lane, Link, Seen, Side, Snapshot
from workers.batch import Batch, Observed

_BY_ITSELF = (Lane.LIVE, Lane.RETRY, Lane.CONFIRM)  # what a compare or a first load made due it has weighed itself


async def missed(run: Runtime, kind: Kind, side: Side, versions: Mapping[str, str]) -> set[str]:
    """Give, of records that say news, the changes nobody has told of: known ones are due, or wait for a person."""
    known = await links.already_known(run.database, kind, list(versions), side)
    return {str(UnannouncedChange(kind, id_, version)) for id_, version in versions.items() if id_ not in known}


async def record_missed_rows(run: Runtime, kind: Kind, side: Side, versions: Mapping[str, str]) -> None:
    """Have the feed of a side doubted for what a compare is shown of linked records."""
    if versions and run.settings.hours.is_open(run.now()):
        await feeds.shown(run.database, side, await missed(run, kind, side, versions))


async def record_missed_events(work: Batch, looked: Sequence[Observed]) -> None:
    """Have the feeds doubted for what a pass has seen on a side that did not tell of it."""
    if work.rules.table.is_one_way or not work.run.settings.hours.is_open(work.taken.now):
        return
    for side in Side:
        found = {str(change) for one in looked if (change := _change(work, one, side))}
        await feeds.taken_up(work.run.database, side, found, may_begin=work.taken.lane in _BY_ITSELF)


def _change(work: Batch, looked: Observed, side: Side) -> UnannouncedChange | None:
    """Give the change of a record that its side shows and has not told of; None where it shows none."""
    link = looked.link
    if not isinstance(looked.seen, Seen) or not _is_settled(link) or _is_told(looked.due, side):
        return None
    sight = looked.seen.drchrono if side is Side.DRCHRONO else looked.seen.salesforce
    if not isinstance(sight, Snapshot) or sight.skipped:
        return None
    changed = work.rules.changed(link, sight.fields) - {work.rules.table.zoned}
    return UnannouncedChange(link.kind, sight.id, sight.version) if changed else None


def _is_settled(link: Link) -> bool:
    is_pair = link.drchrono_id is not None and link.salesforce_id is not None
    return is_pair and not (link.is_failed or link.own_writes or link.unsettled)


def _is_told(due: Due, side: Side) -> bool:
    return bool(due.notices) if side is Side.SALESFORCE else any(not body.is_listed for body in due.bodies)
