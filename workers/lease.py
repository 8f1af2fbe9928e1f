"""Keeps a lease alive while its work goes on, and says whether enough of it is left to start a write.

A batch of links and a scan are both held by a lease, renewed several times in its length. What is lost is not fought
for: the next save under it is refused, and so it is told. A batch of which a row cannot be read is leased all the same,
and that record given with why.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic

from app.errors import LeaseLost, StoreUnavailable, SyncError
from app.log import log
from app.runtime import Runtime
from app.store import scans, work_queue
from app.store.database import Database
from app.store.scans import Scan
from app.store.work_queue import Due, LeasedBatch
from app.sync.model import Kind, Lane
from workers.batch import Batch
from workers.bisection import halved


@dataclass(frozen=True, slots=True)
class LeasedScan:
    """A scan that is ours until its lease ends."""

    runtime: Runtime
    scan: Scan


class Lease:
    """The right to work on what was taken, until a moment that is counted from before it was asked for.

    call_s  how long a call may take: a write starts only where so much of the lease is left
    """

    def __init__(self, token: str, length: timedelta, call_s: float) -> None:
        self.token, self._length_s, self._call_s = token, length.total_seconds(), call_s
        self.renewed(monotonic())

    def renewed(self, asked_at: float) -> None:
        """Count the lease anew from when its renewal was asked for."""
        self._until = asked_at + self._length_s

    def must_outlast_a_write(self) -> None:
        """Let a write start only when it must end before the lease does.

        Raises  LeaseLost
        """
        if self._until - monotonic() < self._call_s:
            raise LeaseLost("too little of the lease is left to start a write")


@dataclass(frozen=True, slots=True)
class _Renewal:
    """How a lease is renewed: how often, by what, and what is logged when the database is away.

    renew  renews it for its full length, and says whether it was still ours
    """

    lease: Lease
    every_s: float
    renew: Callable[[], Awaitable[bool]]
    missed: str


async def lease_each(database: Database, kind: Kind, lanes: Sequence[Lane], limit: int = 200) -> LeasedBatch | None:
    """Lease what is due of a kind where one of the rows cannot be read: that record is given with why, in their midst.

    Raises  StoreUnavailable
    """
    if (leased := await work_queue.lease_unread(database, kind, lanes, limit)) is None:
        return None

    async def read(part: Mapping[str, Due]) -> dict[str, Due]:
        return await work_queue.read_leased(database, leased, list(part))

    bare = {one.link.id: one for one in leased.due}
    found = await halved(bare, read)
    due = (replace(bare[id_], unread=one) if isinstance(one, SyncError) else one for id_, one in found.items())
    return replace(leased, due=tuple(due))


@asynccontextmanager
async def renewing(held: Batch | LeasedScan) -> AsyncIterator[Lease]:
    """Renew the lease of a batch or a scan until the block ends, however long a vendor takes."""
    renewal = _of_batch(held) if isinstance(held, Batch) else _of_scan(held)
    task = asyncio.create_task(_renew(renewal))
    try:
        yield renewal.lease
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def _renew(renewal: _Renewal) -> None:
    while True:
        await asyncio.sleep(renewal.every_s)
        asked_at = monotonic()
        try:
            if not await renewal.renew():
                return
        except StoreUnavailable:
            log.warning(renewal.missed)
        else:
            renewal.lease.renewed(asked_at)


def _of_batch(batch: Batch) -> _Renewal:
    database, timings = batch.runtime.database, batch.runtime.timings

    async def renew() -> bool:
        return await work_queue.renew_lease(database, batch.leased.token)

    lease = Lease(batch.leased.token, timings.lease, timings.call_s)
    return _Renewal(lease, timings.lease.total_seconds() / 4, renew, "lease.not_renewed")


def _of_scan(held: LeasedScan) -> _Renewal:
    database, timings = held.runtime.database, held.runtime.timings

    async def renew() -> bool:
        try:
            await scans.renew(database, held.scan)
        except LeaseLost:
            return False
        return True

    lease = Lease(held.scan.owner, timings.scan_held, timings.call_s)
    return _Renewal(lease, timings.scan_held.total_seconds() / 3, renew, "scan.not_held")
