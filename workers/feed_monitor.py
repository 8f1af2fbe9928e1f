"""Silence: look into a feed every so often, and say so when it has stopped.

A look costs a DrChrono call for every 250 visits changed since yesterday, four at most, and as many for patients where
no visit tells anything; of Salesforce one query a kind. That is at most two calls of each in FEED_QUIET where little
has changed, in office hours; while a feed is silent two in ten minutes and a compare for what they show: below a tenth
of DrChrono's hour. All of it counts in the lane of comparing; while that is paused nobody looks. What somebody else
takes up meanwhile is no longer there to be looked at: `missed_events.py` tells it.
"""

from collections.abc import Mapping
from datetime import timedelta

from app.errors import SyncError
from app.log import log
from app.runtime import Runtime
from app.store import feeds, heartbeats, lanes, links, schedules
from app.store.heartbeats import Beating
from app.sync import feed_health
from app.sync.feed_health import Feed
from app.sync.model import Kind, Lane, Side
from app.vendors.drchrono import wire
from workers.batch import read_only_batch
from workers.compare.listing import (
    changed_contacts,
    changed_rows,
    drchrono_pages,
    record_unreadable_rows,
    salesforce_pages,
    unloaded,
)
from workers.compare.outages import is_callable
from workers.missed_events import missed
from workers.read import reader_of

LOOK_EVERY_S = 15.0
BUSIEST_FIRST = (Kind.APPOINTMENT, Kind.PATIENT)  # a clinic's visits change more often; other kinds have no webhooks
_MOST_PAGES = 4
_AFTER_A_FAILURE = timedelta(minutes=1)
_TODAY = timedelta(days=1)  # `drchrono_pages` begins two days earlier: with yesterday, which is today in some zone


async def check_feeds(runtime: Runtime) -> None:
    """Check the feed of every side that is connected.

    Raises  StoreUnavailable
    """
    for side in sorted(runtime.settings.connected):
        await check_feed(runtime, side)


async def check_feed(runtime: Runtime, side: Side) -> None:
    """Take in what a side has delivered, and look at the side itself where that is due; once for all workers."""
    name = f"feed_{side}"
    if not await schedules.try_claim(runtime.database, name, timedelta(seconds=LOOK_EVERY_S)):
        return
    before, feed, now = await feeds.hear(runtime.database, side)
    if before.silent_since is not None and feed.silent_since is None:
        log.warning("feed.speaks_again", side=side.value, records=before.found)
    is_due = feed_health.is_due(feed, runtime.settings.hours, runtime.settings.feed_quiet, now)
    if not is_due or not await _may_look(runtime, feed):
        return
    try:
        shown = await _missed(runtime, feed)
    except SyncError as error:
        await schedules.again_in(runtime.database, name, _AFTER_A_FAILURE)
        log.info("feed.not_looked_into", side=side.value, error=type(error).__name__, cause=str(error))
        return
    verdict = feed_health.judge(feed, shown)
    await feeds.judged(runtime.database, side, verdict)
    if verdict.new:
        log.warning("feed.silent", side=side.value, records=feed.found + verdict.new, advice=ADVICE)


ADVICE = "see that it is still set up at the vendor: `chronobridge check`; until it delivers it is compared"


async def _may_look(runtime: Runtime, feed: Feed) -> bool:
    """Say whether what the side shows would tell of its feed: our own door is open, and comparing is not paused.

    What changed while something was dark is compared first: no doubt begins with that.
    """
    if runtime.drchrono is None or runtime.salesforce is None or await lanes.is_paused(runtime.database, Lane.COMPARE):
        return False
    if not feed.doubted and feed.silent_since is None and await heartbeats.open_outages(runtime.database):
        return False
    return await heartbeats.is_beating(runtime.database, Beating.DOOR) and await is_callable(runtime, feed.side)


async def _missed(runtime: Runtime, feed: Feed) -> set[str]:
    """Give the changes a side shows that nobody has told of; at the first look the busiest kind with any is enough.

    Raises  SyncError
    """
    found: set[str] = set()
    for kind in BUSIEST_FIRST:
        if kind in runtime.mappings and (not found or feed.doubted or feed.silent_since):
            found |= await (_missed_in_drchrono if feed.side is Side.DRCHRONO else _missed_in_salesforce)(
                runtime, kind, feed
            )
    return found


async def _missed_in_drchrono(runtime: Runtime, kind: Kind, _feed: Feed) -> set[str]:
    assert runtime.drchrono is not None
    rules, told, pages = runtime.rules(kind), dict[str, str](), 0
    async for page in drchrono_pages(runtime.drchrono.on(Lane.COMPARE), runtime.mappings[kind], runtime.now() + _TODAY):
        record_unreadable_rows(runtime, kind, Side.DRCHRONO, page.unreadable)
        agreed = await links.links_to_compare(runtime.database, kind, [wire.record_id(row) for row in page.rows])
        told |= {id_: wire.version(row) for id_, row in changed_rows(rules, page.rows, agreed).items()}
        pages += 1
        if pages == _MOST_PAGES:
            break
    return await missed(runtime, kind, Side.DRCHRONO, await _loaded(runtime, kind, Side.DRCHRONO, told))


async def _missed_in_salesforce(runtime: Runtime, kind: Kind, feed: Feed) -> set[str]:
    """One page: what changed since the feed was last heard or looked into, or little before that.

    Those that were deleted are left aside: they show for ever.
    """
    assert runtime.salesforce is not None
    assert feed.heard_at is not None
    since = min(feed.heard_at, feed.asked_at or feed.heard_at) - feed_health.UNDER_WAY
    rules, told = runtime.rules(kind), dict[str, str]()
    batch = read_only_batch(runtime, kind, Lane.COMPARE)
    reader = await reader_of(batch)
    async for page in salesforce_pages(runtime.salesforce.on(Lane.COMPARE), runtime.mappings[kind], since, ""):
        record_unreadable_rows(runtime, kind, Side.SALESFORCE, page.unreadable)
        ids = [row["Id"] for row in page.rows if not row.get("IsDeleted")]
        agreed = await links.links_to_compare(runtime.database, kind, ids, Side.SALESFORCE)
        told |= changed_contacts(rules, reader, page.rows, agreed)
        break
    return await missed(runtime, kind, Side.SALESFORCE, await _loaded(runtime, kind, Side.SALESFORCE, told))


async def _loaded(runtime: Runtime, kind: Kind, side: Side, told: Mapping[str, str]) -> dict[str, str]:
    """Give what is not left alone until its kind was loaded: nobody was to tell of what was there before."""
    left_alone = await unloaded(runtime, kind, side, told)
    return {id_: version for id_, version in told.items() if id_ not in left_alone}
