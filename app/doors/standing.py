"""How everything stands, put into the samples of a scrape: what is due, failed or held, calls, tokens, feeds, lanes."""

from app.errors import Undecryptable
from app.forecast import Forecast, forecast
from app.metrics import stands
from app.metrics.shown import Samples
from app.runtime import Runtime
from app.store import feeds, heartbeat, queue_state, scrape
from app.store.connections import Connections
from app.sync.failure_classes import class_of
from app.sync.records import Lane, Side


async def standing(run: Runtime, samples: Samples) -> None:
    """Put in how everything stands now.

    Raises  StoreUnavailable
    """
    samples.add(stands.WORKERS, await heartbeat.alive(run.database))
    await _waiting(run, samples)
    await _for_people(run, samples)
    _foretell(await forecast(run), samples)
    for side in sorted(run.settings.connected):
        await _token(run, side, samples)
    for side, feed in (await feeds.read(run.database)).items():
        samples.add(stands.FEED_SILENT, feed.silent_since is not None, side)
        samples.add(stands.FEED_FOUND, feed.found, side)
        if feed.heard_at is not None:
            samples.add(stands.FEED_HEARD, feed.heard_at.timestamp(), side)


async def _waiting(run: Runtime, samples: Samples) -> None:
    for one in await queue_state.due_counts(run.database):
        labels = (one.kind, one.lane, one.direction)
        samples.add(stands.DUE, one.count, *labels)
        samples.highest(stands.OLDEST_DUE, one.oldest_s, *labels)
    for kind, records in (await scrape.leased(run.database)).items():
        samples.add(stands.LEASES, records, kind)
    for lane in await queue_state.lane_states(run.database):
        samples.add(stands.LANE_PAUSED, lane["paused"], lane["lane"])


async def _for_people(run: Runtime, samples: Samples) -> None:
    for row in await scrape.failed(run.database):
        metric = stands.HELD if row.is_held else stands.FAILED
        samples.add(metric, row.records, row.side, row.kind, class_of(row.cause))
    for row in await queue_state.journal_counts(run.database):
        samples.add(stands.UNSETTLED, row.writes, row.side, row.state)


async def _token(run: Runtime, side: Side, samples: Samples) -> None:
    try:
        stored = await Connections(run.database, run.vault, side).read()
    except Undecryptable:
        return
    samples.add(stands.TOKEN_REFUSED, stored.refused_code is not None, side)
    if stored.token is None:
        return
    if stored.age_s is not None:
        samples.add(stands.TOKEN_AGE, stored.age_s, side)
    if stored.expires_in_s is not None:
        samples.add(stands.TOKEN_LEFT, stored.expires_in_s, side)


def _foretell(found: Forecast, samples: Samples) -> None:
    """Put in what the vendors still let us call; a side that is not connected has no numbers."""
    drchrono, salesforce = found.drchrono, found.salesforce
    for side, one in ((Side.DRCHRONO, drchrono), (Side.SALESFORCE, salesforce)):
        if one is not None:
            paused_s = 0.0 if one.paused_until is None else (one.paused_until - found.now).total_seconds()
            samples.add(stands.CALLS_PAUSED, paused_s, side)
    if salesforce is not None and salesforce.most:
        samples.add(stands.CALLS_LEFT, max(salesforce.most - salesforce.used, 0), Side.SALESFORCE)
        samples.add(stands.CALLS_LIMIT, salesforce.most, Side.SALESFORCE)
    if drchrono is None:
        return
    samples.add(stands.CALLS_LEFT, drchrono.calls_left, Side.DRCHRONO)
    samples.add(stands.CALLS_LIMIT, drchrono.calls_per_hour, Side.DRCHRONO)
    samples.add(stands.CAUGHT_UP, drchrono.caught_up_in_s)
    for lane in Lane:
        samples.add(stands.CALLS_THIS_HOUR, drchrono.made.get(lane, 0), lane)
        samples.add(stands.WAITING, drchrono.waiting.get(lane, 0), lane)
