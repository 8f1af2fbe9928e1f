"""Compare: have everything looked at that has changed on either side, every so often and when asked to.

What was missed by webhook or message is found by what each side says has changed since; doctors and offices raise no
webhooks, so DrChrono's list of them is all we hear of them. After something was away it is done at once (`outages.py`).
A doctor who has moved to another zone has the visits to come looked at again.

A first load is a compare since ever, and a person's word: until a kind was loaded, comparing it works from the moment
on that both sides were connected. What a person asked for in the console or by the API, the workers see to.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from app.errors import LeaseLost, StoreUnavailable, SyncError
from app.log import log
from app.operations.backfill import keep_counts, kinds_to_load
from app.ports import Inbox
from app.runtime import Runtime, open_inbox
from app.store import backfills, doctor_zones, heartbeats, lanes, scans, schedules
from app.store.backfills import Backfill
from app.sync.failure_causes import UNEXPECTED, cause_of
from app.sync.mappings.table import Table
from app.sync.model import Kind, Lane, Side
from app.vendors.salesforce import search
from workers.compare import outages
from workers.compare.checkpoint import Checkpoint, DryRun, ScanRequest
from workers.compare.listing import EVER, newest_stamps
from workers.compare.outages import NEVER_COMPARED
from workers.compare.preview import preview
from workers.compare.scan import ScanProgress, no_progress, scan
from workers.lease import LeasedScan, renewing

Notify = Callable[[Iterable[str]], None]

ORDER = (Kind.DOCTOR, Kind.OFFICE, Kind.PATIENT, Kind.APPOINTMENT, Kind.DOCUMENT)  # parents first
_AFTER_A_FAILURE = timedelta(minutes=1)


@asynccontextmanager
async def own_inbox(runtime: Runtime, notify: Notify) -> AsyncIterator[Inbox]:
    """Give the inbox for what comparing finds; each of its commits is notified of, and it is closed at the end."""
    inbox = open_inbox(runtime, lambda group: notify({event.kind for one in group for event in one.events}))
    try:
        yield inbox
    finally:
        await inbox.close()


async def reconcile_when_due(runtime: Runtime, inbox: Inbox, notify: Notify) -> None:
    """Compare what is due, and have the visits looked at whose doctor has moved to another zone.

    Raises  StoreUnavailable
    """
    await compare_when_due(runtime, inbox, notify)
    await apply_zones(runtime, notify)


async def compare_when_due(runtime: Runtime, inbox: Inbox, notify: Notify) -> None:
    """Compare every kind, once every RECONCILE_EVERY for all workers together, unless the lane is paused.

    What is owed because something was away is compared at once.
    """
    if runtime.drchrono is None or runtime.salesforce is None:
        return
    kinds = {schedules.comparison_of(kind): kind for kind in ORDER if kind in runtime.mappings}
    owed = await heartbeats.open_outages(runtime.database)
    due = kinds.keys() if owed else await schedules.which_are_due(runtime.database, kinds)
    if not due or await lanes.is_paused(runtime.database, Lane.COMPARE):
        return
    for kind in [kind for name, kind in kinds.items() if name in due]:
        turn = await outages.due_comparison(runtime, kind, owed)
        if turn is None:
            continue
        try:
            await compare(runtime, inbox, kind, turn.since)
            await schedules.worked(runtime.database, schedules.comparison_of(kind))
            notify([kind.value])
        except SyncError as error:
            await schedules.again_in(runtime.database, turn.name, _AFTER_A_FAILURE)
            await schedules.failed(runtime.database, schedules.comparison_of(kind), cause_of(error)[0])
            log.warning("compare.failed", kind=kind.value, error=type(error).__name__, cause=str(error))
        except Exception:
            await schedules.again_in(runtime.database, turn.name, _AFTER_A_FAILURE)
            await schedules.failed(runtime.database, schedules.comparison_of(kind), UNEXPECTED)
            raise
    if owed:
        await outages.forget_compared(runtime)


async def compared_up_to(runtime: Runtime, kind: Kind) -> datetime:
    """Give up to when a kind was compared; two days ago where it never was."""
    return await schedules.watermark(runtime.database, schedules.comparison_of(kind)) or runtime.now() - NEVER_COMPARED


async def compare(
    runtime: Runtime,
    inbox: Inbox,
    kind: Kind,
    since: datetime | None = None,
    lane: Lane = Lane.COMPARE,
    tell: ScanProgress = no_progress,
) -> Checkpoint:
    """Point out every record of a kind that either side says has changed, or hold all of them back by the brake.

    since   from then on, EVER: all there is; None: since the last compare, or of two days when there was none
    Raises  SyncError; the next compare goes on where this one stood
    """
    name = schedules.comparison_of(kind)
    if lane is Lane.COMPARE:
        await record_connection(runtime, kind)
    begin = since or await compared_up_to(runtime, kind)
    checkpoint = await scan(runtime, inbox, ScanRequest(kind, lane, None if begin == EVER else begin), tell)
    await schedules.raise_watermark(runtime.database, name, datetime.fromisoformat(checkpoint.began))
    if lane is Lane.BACKFILL and begin == EVER:
        await backfills.loaded(runtime.database, kind)
    log.info("compare.done", kind=kind.value, records=sum(checkpoint.found.values()))
    return checkpoint


async def record_connection(runtime: Runtime, kind: Kind) -> None:
    """Remember that a kind is synced from now on, once: what was last changed by now waits until it is loaded.

    Raises  SyncError where a side is not connected, or does not answer
    """
    table = runtime.mappings[kind]
    if table.is_one_way:
        return
    if not (await backfills.of_kind(runtime.database, kind)).is_known:
        newest = await newest_stamps(runtime, table)
        await backfills.connect(runtime.database, kind, newest, schedules.comparison_of(kind))
        log.info("kind.connected", kind=kind.value)


async def backfill_when_asked(runtime: Runtime, inbox: Inbox, notify: Notify) -> None:
    """Make the previews and the first loads that a person asked for, parents first, once for all workers together.

    From when on a kind is synced is recorded first, as soon as both sides are connected. What keeps a preview or a load
    from going on is kept for the person, and it is tried again a minute later.

    Raises  StoreUnavailable
    """
    if runtime.drchrono is None or runtime.salesforce is None:
        return
    known = await backfills.read(runtime.database)
    unconnected = [kind for kind in kinds_to_load(runtime) if not known.get(kind, Backfill(kind)).is_known]
    if unconnected and await outages.is_callable(runtime, Side.DRCHRONO):
        await _record_connections(runtime, unconnected)
    for kind in [kind for kind in ORDER if kind in runtime.mappings and kind in known and known[kind].is_asked]:
        if not await schedules.try_claim(runtime.database, f"backfill_{kind}", timedelta(0)):
            continue
        try:
            if known[kind].preview_asked_at is not None:
                await _preview_asked(runtime, kind)
            if known[kind].load_asked_at is not None and not known[kind].is_loaded:
                await compare(runtime, inbox, kind, EVER, Lane.BACKFILL)
                notify([kind.value])
        except (LeaseLost, StoreUnavailable) as error:  # another process is at it, or nothing can be kept of it
            log.info("backfill.waits", kind=kind.value, error=type(error).__name__)
        except SyncError as error:
            await schedules.again_in(runtime.database, f"backfill_{kind}", _AFTER_A_FAILURE)
            await backfills.note_problem(runtime.database, kind, f"it waits: {error}; it is tried again each minute")
            log.warning("backfill.failed", kind=kind.value, error=type(error).__name__, cause=str(error))


async def _record_connections(runtime: Runtime, kinds: Sequence[Kind]) -> None:
    for kind in kinds:
        name = f"connect_{kind}"
        if not await schedules.try_claim(runtime.database, name, timedelta(0)):
            continue
        try:
            await record_connection(runtime, kind)
        except SyncError as error:
            await schedules.again_in(runtime.database, name, _AFTER_A_FAILURE)
            log.warning("kind.not_connected", kind=kind.value, error=type(error).__name__, cause=str(error))


async def _preview_asked(runtime: Runtime, kind: Kind) -> None:
    """Count what a first load of a kind would do, and keep the numbers.

    Raises  SyncError, LeaseLost while another process does it
    """
    scan, _ = await scans.acquire(runtime.database, f"preview_{kind}")

    async def tell(found: DryRun) -> None:
        progress = {side.value: count for side, count in found.read.items()}
        await backfills.note_progress(runtime.database, kind, progress)

    try:
        async with renewing(LeasedScan(runtime, scan)):
            found = await preview(runtime, kind, None, Lane.BACKFILL, tell)
            await keep_counts(runtime, kind, found.counts)
            await scans.end(runtime.database, scan)
    finally:
        await scans.leave(runtime.database, scan)


async def _to_come(runtime: Runtime, table: Table, doctor_id: str) -> list[str]:
    """Give the visits of a doctor that Salesforce holds and that are still to come."""
    assert runtime.salesforce is not None
    return await runtime.salesforce.where(table.object, search.to_come(table, doctor_id, runtime.now()))


async def apply_zones(runtime: Runtime, notify: Notify) -> None:
    """Have the visits to come of doctors whose zone has changed looked at again."""
    if runtime.salesforce is None:
        return
    for table in [one for one in runtime.mappings.values() if one.zoned is not None]:
        for change in await doctor_zones.changes(runtime.database):
            try:
                ids = await _to_come(runtime, table, change.doctor_id)
            except SyncError as error:
                log.warning("zone.not_applied", kind=table.kind.value, error=type(error).__name__, cause=str(error))
                return
            await doctor_zones.apply_change(runtime.database, table.kind, change, ids)
            notify([table.kind.value])
            log.info("zone.applied", kind=table.kind.value, records=len(ids))
