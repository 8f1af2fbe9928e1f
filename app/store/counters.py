"""What is counted across processes and restarts, and what a process has counted and not saved yet.

The database adds up the counts of all processes, so a scrape of any web tells what every process has counted, workers
too, which answer no HTTP; a restart loses nothing, and a process that was killed loses what it counted in its last five
seconds. While the database is away it is kept here. What is saved is as bounded as the labels are. Names of several
parts are for Prometheus; people are shown the others: what was skipped, put back, decided by a rule.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from threading import Lock

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import StoreUnavailable
from app.metrics.definitions import BY_PROCESSES, END_TO_END, SUM, VENDOR_CALLS, Metric
from app.store import activity
from app.store.database import Database, DialectInsert, Insert
from app.store.tables import tallies
from app.sync.model import Side

JOINT = "|"  # between the parts of a name that is no person's
_LONGEST = 64


def _added(insert: Insert) -> sa.Executable:
    more = {"count": tallies.c["count"] + insert.excluded["count"]}
    return insert.on_conflict_do_update(index_elements=[tallies.c.name], set_=more)


_ADDED = DialectInsert(tallies, _added)


async def add(connection: AsyncConnection, counts: Mapping[str, int]) -> None:
    """Add to the counts, each by its name; in the order of the names, so that two writers lock in the same order."""
    rows = [{"name": name[:_LONGEST], "count": count} for name, count in sorted(counts.items())]
    if rows:
        await connection.execute(_ADDED.on(connection), rows)


async def read(database: Database) -> dict[str, int]:
    """Give every count for people by its name."""
    return {
        name: times
        for name, times in (await everything(database)).items()
        if JOINT not in name and name not in _BY_NAME
    }


async def everything(database: Database) -> dict[str, int]:
    """Give every count by its name, those of processes too."""
    rows = await database.read(sa.select(tallies.c.name, tallies.c["count"].label("times")).order_by(tallies.c.name))
    return {row.name: row.times for row in rows}


SAVED_EVERY_S = 5.0
_MILLI = 1000  # a sum is kept as whole thousandths
_TOO_MANY, _CLASS, _HIGHEST_CLASS = 429, 100, 5
_BY_NAME = {metric.name: metric for metric in BY_PROCESSES}
Labels = tuple[str, ...]


class ProcessCounters:
    """What this process has counted. Any thread may count."""

    def __init__(self) -> None:
        self._lock, self._new = Lock(), Counter[str]()

    def add(self, metric: Metric, *labels: str) -> None:
        """Count one more."""
        self._count(JOINT.join((metric.name, *metric.bounded(labels))))

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Count a value into its bucket."""
        name = JOINT.join((metric.name, *metric.bounded(labels)))
        self._count(f"{name}{JOINT}{bisect_left(metric.buckets, value)}")
        self._count(f"{name}{JOINT}{SUM}", round(value * _MILLI))

    def called(self, side: Side, status: int | None) -> None:
        """Count a request made of a vendor; `status`: of its answer, None when none came."""
        self.add(VENDOR_CALLS, side.value, _class(status))

    async def save(self, database: Database) -> None:
        """Add what is new to what the database has.

        Raises  StoreUnavailable; then it is kept for the next time
        """
        with self._lock:
            new, self._new = self._new, Counter[str]()
        if not new:
            return

        async def work(connection: AsyncConnection) -> None:
            await add(connection, new)
            await activity.add_latency(connection, _latencies(new))

        try:
            await database.transact(work)
        except StoreUnavailable:
            with self._lock:
                self._new.update(new)
            raise

    def _count(self, name: str, times: int = 1) -> None:
        with self._lock:
            self._new[name] += times


def _latencies(new: Mapping[str, int]) -> dict[tuple[str, str], int]:
    """Give (side, bucket) -> how many deliveries took so long, of what was counted."""
    found = {}
    for name, count in new.items():
        metric, *rest = name.split(JOINT)
        if metric == END_TO_END.name and rest[0] in set(Side) and rest[1] != SUM:
            found[rest[0], rest[1]] = count
    return found


def _class(status: int | None) -> str:
    if status is None:
        return "none"
    return "429" if status == _TOO_MANY else f"{min(status // _CLASS, _HIGHEST_CLASS)}xx"


def read_metrics(saved: Mapping[str, int]) -> Iterator[tuple[Metric, Labels, dict[str, int]]]:
    """Give every metric with its labels, and its counts: by bucket and `sum`, or all of them under an empty name."""
    found: dict[tuple[str, Labels], dict[str, int]] = {}
    for name, count in saved.items():
        first, *rest = name.split(JOINT)
        metric = _BY_NAME.get(first)
        if metric is None or len(rest) != len(metric.labels) + bool(metric.buckets):
            continue  # of a version that counted something else
        part = rest.pop() if metric.buckets else ""
        found.setdefault((first, metric.bounded(rest)), {})[part] = count
    for (name, labels), parts in found.items():
        yield _BY_NAME[name], labels, parts
