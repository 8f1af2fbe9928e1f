"""Every regular task of a worker on one screen: `schedule_of`; and how a worker starts and ends.

    listen     wake-ups from Redis, restarted with a growing wait when Redis is away
    recover    once: whether a token refresh that was cut off has lost the practice's tokens

Wake-ups and the poll end in the dispatcher, which works off what is due. All of it runs under one supervisor: what
fails is started again, and named by the heartbeat. SIGTERM lets the batches under way end. `chronobridge work` starts
a worker, and so does `arq workers.main.WorkerSettings`.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

import click
from ulid import ULID

from app.compat import settle_memory, share_heap
from app.errors import Misconfigured, StoreUnavailable
from app.log import configure, log
from app.operations import connections
from app.periodic import Missed, Supervisor, Task
from app.ports import Inbox
from app.runtime import Runtime, open_runtime
from app.settings import env_file
from app.settings.fields import Settings
from app.store import heartbeats
from app.store.counters import SAVED_EVERY_S
from app.sync.mappings import file
from app.timings import of_this_process
from app.wakeup import listen, worker_settings
from workers.compare import outages
from workers.compare.reconcile import backfill_when_asked, own_inbox, reconcile_when_due
from workers.dispatcher import POLL_EVERY_S, Dispatcher
from workers.document_poll import LOOK_EVERY_S as DOCUMENTS_EVERY_S
from workers.document_poll import poll_documents_when_due
from workers.feed_monitor import LOOK_EVERY_S, check_feeds
from workers.housekeeping import keep_house_when_due
from workers.notices import LOOK_EVERY_S as NOTICES_EVERY_S
from workers.notices import tell_when_due, verify_audit_when_due
from workers.sync_status import LOOK_EVERY_S as STATUS_EVERY_S
from workers.sync_status import write_statuses_when_due
from workers.vendor_limits import OrgWatch, ask_limits_when_due

_GRACE_S = 20.0


class Periodic(NamedTuple):
    """One regular task: what it does, how many seconds lie between two runs, and what is logged of a missed one."""

    name: str
    every_s: float
    task: Task
    missed: Missed | None = None


def schedule_of(
    runtime: Runtime, dispatcher: Dispatcher, inbox: Inbox, worker_id: str, jobs: Supervisor
) -> tuple[Periodic, ...]:
    """Give every regular task of a worker.

    poll       what Redis forgot, and sooner where something falls due sooner
    heartbeat  that this worker lives, and which side can be called; after an outage it is compared at once
    reconcile  what only a list tells of, every RECONCILE_EVERY; visits whose doctor has moved to another zone
    backfill   from when on each kind is synced; what a person asked for: counting and loading what was there before
    feeds      whether a vendor has stopped calling; it is asked only where its feed is quiet for too long
    house      what is finished and old goes, and its room is given back, once an hour
    limits     what Salesforce has left of its day, at the start and while it has nothing left
    org        what Salesforce's objects take, at the start and once a day; what another worker was told
    notices    what people are to be told of, by e-mail or webhook
    audit      whether it is whole, once a day, where people want to be told
    status     what Salesforce's records show people of how they are synced
    counts     what this worker has counted is saved; what could not be is kept for the next time
    """
    beat = partial(outages.beat, runtime, worker_id, lambda: jobs.failing)
    compare = partial(reconcile_when_due, runtime, inbox, dispatcher.notify)
    load = partial(backfill_when_asked, runtime, inbox, dispatcher.notify)
    ask = partial(poll_documents_when_due, runtime, inbox, dispatcher.notify)
    feeds, house, limits = (partial(one, runtime) for one in (check_feeds, keep_house_when_due, ask_limits_when_due))
    status, tell, verify = (
        partial(one, runtime) for one in (write_statuses_when_due, tell_when_due, verify_audit_when_due)
    )
    save = partial(runtime.counts.save, runtime.database)
    away, told_later = "database.away", "when the database is back, it is compared what was missed"
    return (
        Periodic("poll", POLL_EVERY_S, dispatcher.poll, Missed(away, "work goes on by itself when it is back")),
        Periodic("heartbeat", runtime.timings.beat_s, beat, Missed("heartbeat.missed", told_later)),
        Periodic("reconcile", 2, compare, Missed(away, "it is compared when it is back")),
        Periodic("backfill", 2, load, Missed(away, "it goes on when it is back")),
        Periodic("feeds", LOOK_EVERY_S, feeds, Missed("feeds.not_looked_into", "they are when the database is back")),
        Periodic("house", 60, house, Missed("house.not_kept", "it is gone on with in an hour")),
        Periodic("limits", 5, limits, Missed(away, "the limits are asked for when it is back")),
        Periodic("org", 60, OrgWatch(runtime).look, Missed(away, "the org is asked what it is like when it is back")),
        Periodic("documents", DOCUMENTS_EVERY_S, ask, Missed(away, "they are listed when the database is back")),
        Periodic("status", STATUS_EVERY_S, status, Missed(away, "it is shown when the database is back")),
        Periodic("notices", NOTICES_EVERY_S, tell, Missed(away, "people are told when the database is back")),
        Periodic("audit", 60, verify, Missed(away, "the audit is followed when it is back")),
        Periodic("counts", SAVED_EVERY_S, save),
    )


def __getattr__(name: str) -> dict[str, Any]:
    """Give what `arq workers.main.WorkerSettings` asks for; the settings are read only when it does."""
    if name != "WorkerSettings":
        raise AttributeError(name)
    try:
        known = env_file.load()
        file.load(known.mapping_file)
        return arqs_worker(known)
    except Misconfigured as error:
        for line in (*str(error).splitlines(), *env_file.near_misses()):
            print(f"chronobridge: {line}", file=sys.stderr)  # noqa: T201 - arq would show it below a traceback
        sys.exit(2)


def arqs_worker(settings: Settings) -> dict[str, Any]:
    """Give the settings of a whole worker of ours for arq's own command line, its `--check` and `--burst`.

    arq handles the signals; everything else is that of `work`, and goes on whatever becomes of Redis. A burst ends when
    arq finds its queue empty: what is due by then is worked off first.

    Raises  Misconfigured without a Redis
    """
    at_work, dispatchers = AsyncExitStack(), list[Dispatcher]()
    asked = click.get_current_context(silent=True)  # arq tells its worker of a burst, and nobody else
    is_burst = asked is not None and bool(asked.params.get("burst"))

    def notify(kinds: Iterable[str]) -> None:
        dispatchers[0].notify(kinds)

    async def begin(ctx: dict[Any, Any]) -> None:
        os.umask(0o077)
        share_heap()
        arqs_log = logging.getLogger("arq")  # what it warns of is a line of ours, through the guard
        arqs_log.handlers.clear()
        arqs_log.setLevel(logging.WARNING)
        configure(form=settings.log_format)
        ctx["burst"] = asyncio.current_task()
        dispatchers.append(await at_work.enter_async_context(working(settings, listens=not is_burst)))
        if not is_burst:
            await asyncio.Event().wait()  # until a signal: arq's own loop would end with its Redis, ours listens again

    async def end(ctx: dict[Any, Any]) -> None:
        burst = ctx.get("burst")
        if burst is not None and burst.done() and not burst.cancelled() and burst.exception() is None:
            await dispatchers[0].finish()  # nobody stopped it: its queue is empty
        await at_work.aclose()

    return worker_settings(settings.redis_url, notify, begin, end, of_this_process(), settings.ca_bundle)


async def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with working(settings, listens=True):
        await stop.wait()


@asynccontextmanager
async def working(settings: Settings, *, listens: bool = False) -> AsyncIterator[Dispatcher]:
    """Work for the length of the block; at its end the batches under way end first, within the grace time.

    listens  Redis is listened to here as well, where there is one
    """
    async with open_runtime(settings) as runtime:
        jobs, worker_id = Supervisor(), str(ULID())
        dispatcher = Dispatcher(runtime, jobs)
        async with own_inbox(runtime, dispatcher.notify) as inbox:
            for one in schedule_of(runtime, dispatcher, inbox, worker_id, jobs):
                jobs.every(one.name, one.every_s, one.task, one.missed)
            if listens and settings.redis_url:
                jobs.start(
                    "listen",
                    partial(listen, settings.redis_url, dispatcher.notify, runtime.timings, settings.ca_bundle),
                )
            jobs.start("recover", partial(connections.recover, runtime))
            settle_memory()
            log.info("worker.started", worker_id=worker_id, pid=os.getpid(), sides=sorted(settings.connected))
            try:
                yield dispatcher
            finally:
                await jobs.stop()
        try:
            async with asyncio.timeout(_GRACE_S):
                await dispatcher.stop()
        except TimeoutError:
            log.warning("worker.hurried", advice="a pass did not end in time; its leases run out by themselves")
        await _leave(runtime, worker_id)
        log.info("worker.stopped", worker_id=worker_id)


async def _leave(runtime: Runtime, worker_id: str) -> None:
    try:
        await runtime.counts.save(runtime.database)
        await heartbeats.leave(runtime.database, worker_id)
    except StoreUnavailable:
        log.warning("heartbeat.missed")
