"""Metrics: the numbers of a scrape, read off the database.

They are the same whichever web answers, and however many processes run.
Scrapes that come together share one read. A read that took long is used again for several times as long, so that
nobody can have the database do nothing else. While it is away, a scrape still tells what the probes know.
"""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import product
from time import monotonic

from app.errors import StoreUnavailable, Undecryptable
from app.metrics import definitions
from app.metrics.definitions import Metric
from app.metrics.exposition import Samples, text
from app.operations.health.model import PartState
from app.operations.health.monitor import HealthMonitor
from app.operations.queue import Forecast, forecast
from app.runtime import Runtime
from app.store import counters, feeds, heartbeats, lanes, queue_stats
from app.store.vendor_tokens import VendorTokens
from app.sync.failure_causes import class_of
from app.sync.model import Lane, Side

_QUICK_S, _REST = 0.5, 5.0


_SLOW_S = 8.0


class MetricsReader:
    """Gives the numbers to whoever scrapes."""

    def __init__(self, runtime: Runtime, health: HealthMonitor) -> None:
        self._runtime, self._health = runtime, health
        self._looking: asyncio.Task[Samples] | None = None
        self._seen: tuple[Samples, float] | None = None

    async def scraped(self) -> bytes:
        """Give all of them as Prometheus reads them; of a database that is away, what does not rest on it."""
        try:
            return text(await self._shared())
        except (StoreUnavailable, TimeoutError):
            samples = Samples(definitions.OF_THE_PROBES)
            self._probes(samples)
            return text(samples)

    async def _shared(self) -> Samples:
        if self._seen is not None and monotonic() < self._seen[1]:
            return self._seen[0]
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="scrape")
        return await asyncio.shield(self._looking)

    async def _look(self) -> Samples:
        began, samples = monotonic(), Samples(definitions.ALL)
        async with asyncio.timeout(_SLOW_S):
            await self._runtime.counts.save(self._runtime.database)
            saved = await counters.everything(self._runtime.database)
            await read_standing(self._runtime, samples)
        for metric, labels, parts in counters.read_metrics(saved):
            samples.counted(metric, labels, parts)
        for metric, times, labels in counted_by_batches(saved):
            samples.add(metric, times, *labels)
        self._probes(samples)
        took = monotonic() - began
        self._seen = (samples, monotonic() + took * _REST) if took > _QUICK_S else None
        return samples

    def _probes(self, samples: Samples) -> None:
        samples.add(definitions.READY, self._health.is_ready)
        for name, part in self._health.parts.items():
            samples.add(definitions.PART_OK, part.state is PartState.OK, name)


def counted_by_batches(saved: Mapping[str, int]) -> Iterator[tuple[Metric, int, tuple[str, ...]]]:
    """Give what looks have counted: the metric, how often, and its labels; names nobody knows make none."""
    for tally in definitions.TALLIES:
        if (metric := tally.metric) is None or tally is definitions.SKIPPED_TALLY:
            continue
        for labels in product(*metric.labels.values()):
            if count := saved.get(tally.of(*labels)):
                yield metric, count, labels
    skipped = definitions.SKIPPED_TALLY.of("")
    for name, count in saved.items():
        if name.startswith(skipped):  # by a cause that may have no label of its own
            yield definitions.SKIPPED, count, definitions.SKIPPED.bounded([name.removeprefix(skipped)])


async def read_standing(runtime: Runtime, samples: Samples) -> None:
    """Put in how everything stands now.

    Raises  StoreUnavailable
    """
    samples.add(definitions.WORKERS, await heartbeats.alive(runtime.database))
    await _waiting(runtime, samples)
    await _for_people(runtime, samples)
    _foretell(await forecast(runtime), samples)
    for side in sorted(runtime.settings.connected):
        await _token(runtime, side, samples)
    for side, feed in (await feeds.read(runtime.database)).items():
        samples.add(definitions.FEED_SILENT, feed.silent_since is not None, side)
        samples.add(definitions.FEED_FOUND, feed.found, side)
        if feed.heard_at is not None:
            samples.add(definitions.FEED_HEARD, feed.heard_at.timestamp(), side)


async def _waiting(runtime: Runtime, samples: Samples) -> None:
    for one in await queue_stats.due_counts(runtime.database):
        labels = (one.kind, one.lane, one.direction)
        samples.add(definitions.DUE, one.count, *labels)
        samples.highest(definitions.OLDEST_DUE, one.oldest_s, *labels)
    for kind, records in (await queue_stats.leased_count(runtime.database)).items():
        samples.add(definitions.LEASES, records, kind)
    for lane in await lanes.lane_states(runtime.database):
        samples.add(definitions.LANE_PAUSED, lane.is_paused, lane.lane)


async def _for_people(runtime: Runtime, samples: Samples) -> None:
    for row in await queue_stats.failed_counts(runtime.database):
        metric = definitions.HELD if row.is_held else definitions.FAILED
        samples.add(metric, row.records, row.side, row.kind, class_of(row.cause))
    for kind, records in (await queue_stats.dismissed_counts(runtime.database)).items():
        samples.add(definitions.DISMISSED, records, kind)
    for kind, records in (await queue_stats.excluded_counts(runtime.database)).items():
        samples.add(definitions.EXCLUDED, records, kind)
    for row in await queue_stats.journal_counts(runtime.database):
        samples.add(definitions.UNSETTLED, row.writes, row.side, row.state)


async def _token(runtime: Runtime, side: Side, samples: Samples) -> None:
    try:
        stored = await VendorTokens(runtime.database, runtime.vault, side).read()
    except Undecryptable:
        return
    samples.add(definitions.TOKEN_REFUSED, stored.refused_code is not None, side)
    if stored.token is None:
        return
    if stored.age_s is not None:
        samples.add(definitions.TOKEN_AGE, stored.age_s, side)
    if stored.expires_in_s is not None:
        samples.add(definitions.TOKEN_LEFT, stored.expires_in_s, side)


def _foretell(found: Forecast, samples: Samples) -> None:
    """Put in what the vendors still let us call; a side that is not connected has no numbers."""
    drchrono, salesforce = found.drchrono, found.salesforce
    for side, one in ((Side.DRCHRONO, drchrono), (Side.SALESFORCE, salesforce)):
        if one is not None:
            paused_s = 0.0 if one.paused_until is None else (one.paused_until - found.now).total_seconds()
            samples.add(definitions.CALLS_PAUSED, paused_s, side)
    if salesforce is not None and salesforce.most:
        samples.add(definitions.CALLS_LEFT, max(salesforce.most - salesforce.used, 0), Side.SALESFORCE)
        samples.add(definitions.CALLS_LIMIT, salesforce.most, Side.SALESFORCE)
    if found.documents is not None:
        samples.add(definitions.DOCUMENT_CALLS_LEFT, found.documents.calls_left)
        samples.add(definitions.DOCUMENT_CALLS_LIMIT, found.documents.calls_per_hour)
    if drchrono is None:
        return
    samples.add(definitions.CALLS_LEFT, drchrono.calls_left, Side.DRCHRONO)
    samples.add(definitions.CALLS_LIMIT, drchrono.calls_per_hour, Side.DRCHRONO)
    samples.add(definitions.CAUGHT_UP, drchrono.caught_up_in_s)
    for lane in Lane:
        samples.add(definitions.CALLS_THIS_HOUR, drchrono.made.get(lane, 0), lane)
        samples.add(definitions.WAITING, drchrono.waiting.get(lane, 0), lane)
