"""The numbers of a scrape, read off the database: the same whichever web answers, and however many processes there are.

Scrapes that come together share one look. A look that took long is used again for several times as long, so that
nobody can have the database do nothing else. While it is away, a scrape still tells what the probes know.
"""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import product
from time import monotonic

from app.doors.health.watch import Health
from app.doors.health.words import State
from app.doors.standing import standing
from app.errors import StoreUnavailable
from app.metrics import counted, counts, stands
from app.metrics.metric import OTHER, Metric
from app.metrics.shown import Samples, text
from app.runtime import Runtime
from app.store import tallies

_QUICK_S, _REST = 0.5, 5.0
_SLOW_S = 8.0
# metric -> the name its labels make among the counts that people are shown too
_NAMES: Mapping[Metric, str] = {
    counted.APPLIED: "applied_{}_{}",
    counted.CREATED: "created_{}_{}",
    counted.LINKED: "linked_{}",
    counted.CONFLICTS: "conflict_{}",
    counted.PUT_BACKS: "put_back_{}",
    counted.ODD_HOURS: "{}_{}",
    counted.CONTRADICTED: "contradicted_delivery",
}
_SKIPPED = "skipped_"


class Numbers:
    """Gives the numbers to whoever scrapes."""

    def __init__(self, run: Runtime, health: Health) -> None:
        self._run, self._health = run, health
        self._looking: asyncio.Task[Samples] | None = None
        self._seen: tuple[Samples, float] | None = None

    async def scraped(self) -> bytes:
        """Give all of them as Prometheus reads them; of a database that is away, what does not rest on it."""
        try:
            return text(await self._shared())
        except (StoreUnavailable, TimeoutError):
            samples = Samples(stands.OF_THE_PROBES)
            self._probes(samples)
            return text(samples)

    async def _shared(self) -> Samples:
        if self._seen is not None and monotonic() < self._seen[1]:
            return self._seen[0]
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="scrape")
        return await asyncio.shield(self._looking)

    async def _look(self) -> Samples:
        began, samples = monotonic(), Samples(stands.ALL)
        async with asyncio.timeout(_SLOW_S):
            await self._run.counts.save(self._run.database)
            saved = await tallies.everything(self._run.database)
            await standing(self._run, samples)
        for metric, labels, parts in counts.read(saved):
            samples.counted(metric, labels, parts)
        for metric, times, labels in looked(saved):
            samples.add(metric, times, *labels)
        self._probes(samples)
        took = monotonic() - began
        self._seen = (samples, monotonic() + took * _REST) if took > _QUICK_S else None
        return samples

    def _probes(self, samples: Samples) -> None:
        samples.add(stands.READY, self._health.is_ready)
        for name, part in self._health.parts.items():
            samples.add(stands.PART_OK, part.state is State.OK, name)


def looked(saved: Mapping[str, int]) -> Iterator[tuple[Metric, int, tuple[str, ...]]]:
    """Give what looks have counted: the metric, how often, and its labels; names nobody knows make none."""
    for metric, name in _NAMES.items():
        for labels in product(*metric.labels.values()):
            if count := saved.get(name.format(*labels)):
                yield metric, count, labels
    for name, count in saved.items():
        if name.startswith(_SKIPPED):
            cause = name.removeprefix(_SKIPPED)
            yield counted.SKIPPED, count, (cause if cause in counted.SKIPPED.labels["cause"] else OTHER,)
