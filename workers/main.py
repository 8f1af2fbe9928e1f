"""Every job and every schedule of a worker, on one screen.

    listen     rings from Redis, restarted with a growing wait when Redis is away
    sweep      what Redis forgot, every 2 s
    heartbeat  that this worker lives, every 4 s
    reconcile  what only a list tells of, every RECONCILE_EVERY; visits whose doctor has moved to another zone
    signs      that this worker lives and which side can be called, every 5 s; after a darkness it is compared at once
    feeds      whether a vendor has stopped calling, every 15 s; it is asked only where its feed is quiet for too long
    house      what is finished and old goes, and its room is given back, every hour
    limits     what Salesforce has left of its day, at the start and while it has nothing left
    counts     what this worker has counted is saved, every 5 s
    recover    once: whether a token refresh that was cut off has lost the practice's tokens

The first two end in the drain, which works off what is due. SIGTERM lets the passes under way end.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from redis.exceptions import RedisError
from ulid import ULID

from app.errors import StoreUnavailable
from app.log import log
from app.operations import connections
from app.runtime import Runtime, open_runtime, settle_memory
from app.settings import env_file
from app.settings.fields import Settings
from app.store import heartbeats
from app.timings import Timings
from app.wakeup import checked, listener
from workers.compare.outages import send_heartbeats
from workers.compare.reconcile import reconcile_for_ever
from workers.dispatcher import Dispatcher, poll_due
from workers.feed_monitor import monitor_feeds
from workers.housekeeping import housekeeping
from workers.vendor_limits import poll_salesforce_limits

_GRACE_S = 20.0
_CLOCK = "the database's clock; what waited for an hour to come twice is due now: see that its host keeps time"


def __getattr__(name: str) -> dict[str, Any]:
    """Give what `arq workers.main.WorkerSettings --check` asks for; the settings are read only when it does."""
    if name != "WorkerSettings":
        raise AttributeError(name)
    return checked(env_file.load().redis_url)


async def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with open_runtime(settings) as runtime:
        drain, worker_id = Dispatcher(runtime), str(ULID())
        jobs = [
            asyncio.create_task(poll_due(runtime, drain.wake), name="sweep"),
            asyncio.create_task(_beating(runtime, worker_id), name="heartbeat"),
            asyncio.create_task(reconcile_for_ever(runtime, drain.notify), name="reconcile"),
            asyncio.create_task(send_heartbeats(runtime), name="signs"),
            asyncio.create_task(monitor_feeds(runtime), name="feeds"),
            asyncio.create_task(housekeeping(runtime), name="house"),
            asyncio.create_task(poll_salesforce_limits(runtime), name="limits"),
            asyncio.create_task(runtime.counts.saving(runtime.database), name="counts"),
        ]
        if settings.redis_url:
            jobs.append(
                asyncio.create_task(_listening(settings.redis_url, drain.notify, runtime.timings), name="listen")
            )
        recovery = asyncio.create_task(connections.recover(runtime), name="recover")
        settle_memory()
        log.info("worker.started", worker_id=worker_id, pid=os.getpid(), sides=sorted(settings.connected))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([stopped, *jobs], return_when=asyncio.FIRST_COMPLETED)
        for job in (recovery, *jobs):
            job.cancel()
        ended = await asyncio.gather(*jobs, return_exceptions=True)
        try:
            async with asyncio.timeout(_GRACE_S):
                await drain.stop()
        except TimeoutError:
            log.warning("worker.hurried", advice="a pass did not end in time; its leases run out by themselves")
        await _leave(runtime, worker_id)
        log.info("worker.stopped", worker_id=worker_id)
        for error in ended:
            if isinstance(error, Exception):
                raise error


async def _listening(url: str, notify: Callable[[Iterable[str]], None], timings: Timings) -> None:
    wait = 0.5
    while True:
        worker = listener(url, notify, timings)
        started = asyncio.get_running_loop().time()
        try:
            await worker.main()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("redis.away", error=type(error).__name__, retry_in_s=wait, advice="the sweep works meanwhile")
        finally:
            await _closed(worker)
        if asyncio.get_running_loop().time() - started > timings.redis_wait_s:
            wait = 0.5
        await asyncio.sleep(wait)
        wait = min(wait * 2, timings.redis_wait_s)


async def _closed(worker: object) -> None:
    pool = getattr(worker, "_pool", None)
    if pool is not None:
        try:
            await pool.aclose(close_connection_pool=True)
        except (RedisError, OSError):
            log.info("redis.closed")


async def _beating(runtime: Runtime, worker_id: str) -> None:
    while True:
        try:
            if back := await heartbeats.beat(runtime.database, worker_id):
                log.warning("clock.turned_back", duration_ms=back // timedelta(milliseconds=1), advice=_CLOCK)
        except StoreUnavailable:
            log.warning("heartbeat.missed")
        await asyncio.sleep(runtime.timings.beat_s)


async def _leave(runtime: Runtime, worker_id: str) -> None:
    try:
        await runtime.counts.save(runtime.database)
        await heartbeats.leave(runtime.database, worker_id)
    except StoreUnavailable:
        log.warning("heartbeat.missed")
