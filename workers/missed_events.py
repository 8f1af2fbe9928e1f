"""Untold: changes that a side made and no delivery told of, met by whoever looks at its records for another reason.

A compare that points such a change out, or a pass that takes it up, would leave nothing to be seen for a look into the
feed. So both have the feed doubted for it first, in office hours. Records that are new to us, that we are writing to,
or that DrChrono has yet to show as we wrote them prove nothing.

Of what a merge in Salesforce gave another parent no delivery ever tells: those records are looked at with the merge.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from app.errors import VendorError
from app.log import log
from app.runtime import Runtime
from app.store import feeds, links
from app.store.work_queue import Due
from app.sync.feed_health import UnannouncedChange
from app.sync.mappings.table import Table
from app.sync.model import Deleted, Kind, Lane, Link, Seen, Side, Snapshot
from workers.batch import Batch, Observed
from workers.bisection import halved, one_by_one

_BY_ITSELF = (Lane.LIVE, Lane.RETRY, Lane.CONFIRM)  # what a compare or a first load made due it has weighed itself


def has_feed(table: Table) -> bool:
    """Say whether both sides tell of a kind's changes; of documents DrChrono never does, and Salesforce by triggers."""
    return not table.is_one_way and table.kind is not Kind.DOCUMENT


async def missed(runtime: Runtime, kind: Kind, side: Side, versions: Mapping[str, str]) -> set[str]:
    """Give, of records that say news, the changes nobody has told of: known ones are due, or wait for a person."""
    known = await links.already_known(runtime.database, kind, list(versions), side)
    return {str(UnannouncedChange(kind, id_, version)) for id_, version in versions.items() if id_ not in known}


async def record_missed_rows(runtime: Runtime, kind: Kind, side: Side, versions: Mapping[str, str]) -> None:
    """Have the feed of a side doubted for what a compare is shown of linked records."""
    if versions and runtime.settings.hours.is_open(runtime.now()):
        await feeds.shown(runtime.database, side, await missed(runtime, kind, side, versions))


async def record_missed_events(batch: Batch, observed: Sequence[Observed]) -> None:
    """Have the feeds doubted for what a pass has seen on a side that did not tell of it."""
    if not has_feed(batch.rules.table) or not batch.runtime.settings.hours.is_open(batch.leased.now):
        return
    for side in Side:
        seen = one_by_one({one.link.id: one for one in observed}, partial(_change, batch, side))
        changed = {str(one): one for one in seen.values() if isinstance(one, UnannouncedChange)}
        await halved(changed, partial(_take_up, batch, side))


async def _take_up(batch: Batch, side: Side, changes: Mapping[str, UnannouncedChange]) -> Mapping[str, bool]:
    may_begin = batch.leased.lane in _BY_ITSELF
    await feeds.taken_up(batch.runtime.database, side, set(changes), may_begin=may_begin)
    return dict.fromkeys(changes, True)


def _change(batch: Batch, side: Side, observed: Observed) -> UnannouncedChange | None:
    """Give the change of a record that its side shows and has not told of; None where it shows none."""
    link = observed.link
    if not isinstance(observed.seen, Seen) or not _is_settled(link) or _is_told(observed.due, side):
        return None
    snapshot = observed.seen.drchrono if side is Side.DRCHRONO else observed.seen.salesforce
    if not isinstance(snapshot, Snapshot) or snapshot.skipped:
        return None
    is_news = bool(batch.rules.news(link, snapshot))
    return UnannouncedChange(link.kind, snapshot.id, snapshot.version) if is_news else None


def _is_settled(link: Link) -> bool:
    is_waiting = link.own_writes or link.late_writes or link.unconfirmed_fields
    return link.is_pair and not (link.is_failed or link.excluded_by or is_waiting)


def _is_told(due: Due, side: Side) -> bool:
    return bool(due.notices) if side is Side.SALESFORCE else any(not body.is_listed for body in due.bodies)


async def look_at_moved_records(batch: Batch, observed: Sequence[Observed]) -> None:
    """Make due the records that now refer to the winners of merges; where Salesforce does not say, comparing does.

    Raises  StoreUnavailable
    """
    winners = sorted({winner for one in observed if (winner := _winner(one)) is not None})
    for kind, table in batch.runtime.mappings.items() if winners else ():
        if kind is Kind.DOCUMENT:  # it is whose it was, and moves with its patient's link
            continue
        for name in [name for name, parent in table.parents.items() if parent is batch.leased.kind]:
            condition = f"{table.rows[name].shown(Side.SALESFORCE)} IN {{}}"
            try:
                ids = await batch.salesforce.where(table.object, condition, winners)
            except VendorError as error:
                log.info("merge.moved_unknown", kind=kind.value, error=type(error).__name__, cause=str(error))
                continue
            await links.mark_seen(batch.runtime.database, kind, ids, [], Lane.LIVE)


def _winner(observed: Observed) -> str | None:
    """Give the record that a deleted one was merged into; None where it was not."""
    held = observed.seen.salesforce if isinstance(observed.seen, Seen) else None
    return held.master.id if isinstance(held, Deleted) and held.master is not None else None
