"""Keeps a lease alive while its work goes on, and says whether enough of it is left to start a write."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic

from app.errors import LeaseLost, StoreUnavailable
from app.log import log
from app.runtime import Runtime
from app.store import work_queue
from app.timings import Timings
from workers.batch import Batch

_RENEWALS = 4  # in one lease


class Lease:
    """The right to work on what was taken, until a moment that is counted from before it was asked for."""

    def __init__(self, token: str, timings: Timings) -> None:
        self.token, self._timings = token, timings
        self.renewed(monotonic())

    def renewed(self, asked_at: float) -> None:
        """Count the lease anew from when its renewal was asked for."""
        self._until = asked_at + self._timings.lease.total_seconds()

    def must_outlast_a_write(self) -> None:
        """Let a write start only when it must end before the lease does.

        Raises  LeaseLost
        """
        if self._until - monotonic() < self._timings.call_s:
            raise LeaseLost("too little of the lease is left to start a write")


@asynccontextmanager
async def renewing(batch: Batch) -> AsyncIterator[Lease]:
    """Renew the lease of what was taken until the block ends."""
    lease = Lease(batch.leased.token, batch.runtime.timings)
    task = asyncio.create_task(_renew(batch.runtime, lease))
    try:
        yield lease
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _renew(runtime: Runtime, lease: Lease) -> None:
    while True:
        await asyncio.sleep(runtime.timings.lease.total_seconds() / _RENEWALS)
        asked_at = monotonic()
        try:
            if not await work_queue.renew_lease(runtime.database, lease.token):
                return
        except StoreUnavailable:
            log.warning("lease.not_renewed")
        else:
            lease.renewed(asked_at)
