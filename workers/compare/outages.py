"""Outages: what is compared at once because something was away, and from when on; each worker's heartbeats.

An outage of a minute or more, of the door, the workers or a side, owes each kind one comparison that begins after its
end; that it was made is read off the kind's watermark, so a comparison that was killed is made again by whoever is
left. It goes through exactly what may have been missed: all that changed since the last comparison, which is never
less than what a vendor has given up on meanwhile. Only a patient who vanished from DrChrono is told by no list of
changes and no webhook; so after an outage longer than DrChrono's patience patients are gone through whole.

What it costs, whatever the length: of DrChrono a call for every 250 records of a kind changed since, two days more
because its `since` knows days only, and one at least, so four where nothing has changed; for patients gone through
whole three to five calls per 1,000 instead, nine where none of them is inactive (`listing.py`). Of Salesforce three
calls a kind, and one more for every 2,000 records changed; after 14 days, when it has forgotten what was deleted, four,
and one for every 2,000 there are. However often something goes out, a kind is compared for it once in ten minutes at
most.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.errors import OtherInstance, Undecryptable
from app.log import log
from app.ports import FailingJob
from app.runtime import Runtime, ledger_of
from app.store import fence, heartbeats, scans, schedules
from app.store.heartbeats import Beating, Outage
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Kind, Side
from app.vendors.rate_limit import policy
from workers.compare.listing import EVER

INSTANCE = "instance"  # the name under which a worker says that it may not act


AT_MOST_EVERY = timedelta(minutes=10)


NEVER_COMPARED = timedelta(days=2)


PATIENCE = timedelta(hours=7)  # DrChrono's last redelivery; what comes later than that comes never


_CLOCK = "the database's clock; what waited for an hour to come twice is due now: see that its host keeps time"
_STILL = timedelta(minutes=2)  # a scan saved that lately is somebody's who is at it


@dataclass(frozen=True, slots=True)
class DueComparison:
    """A compare of a kind that is ours to make now.

    name   of the schedule that says so
    since  from when on, EVER: all there is; None: since the last compare
    """

    name: str
    since: datetime | None = None


def every_of(runtime: Runtime, kind: Kind) -> timedelta:
    """Give how often a kind is compared; documents oftener, for nothing tells of them."""
    known = runtime.settings
    return known.document_poll_every if kind is Kind.DOCUMENT else known.reconcile_every


def _none() -> Mapping[str, FailingJob]:
    return {}


async def beat(runtime: Runtime, worker_id: str, failing: Callable[[], Mapping[str, FailingJob]] = _none) -> None:
    """Record the heartbeat of this worker, with its jobs that fail, and of every side that can be called.

    What that showed is logged. That the database belongs to another installation is named as a job that fails.

    Raises  StoreUnavailable
    """
    well = [Beating(side.value) for side in sorted(runtime.settings.connected) if await is_callable(runtime, side)]
    fails = dict(failing())
    if not await fence.is_ours(runtime.database):
        fails[INSTANCE] = FailingJob(INSTANCE, OtherInstance.__name__, runtime.database.opened_at)
    found = await heartbeats.beat(runtime.database, worker_id, well, fails)
    if found.turned_back:
        back_ms = found.turned_back // timedelta(milliseconds=1)
        log.warning("clock.turned_back", duration_ms=back_ms, advice=_CLOCK)
    for dark in found.over:
        log.warning("dark.over", **log_fields(dark))


def log_fields(dark: Outage) -> dict[str, str | float]:
    """Give what a log line says of a darkness."""
    lag_s = round((dark.until - dark.since).total_seconds())
    return {"cause": dark.name, "lag_s": lag_s, "advice": "what changed meanwhile is found by comparing, now"}


async def is_callable(runtime: Runtime, side: Side) -> bool:
    """Say whether a side can be called as far as we know: connected, its credential not refused, and not out."""
    try:
        stored = await VendorTokens(runtime.database, runtime.vault, side).read()
    except Undecryptable:
        return False
    if stored.refused_code is not None or (stored.token is None and side is Side.DRCHRONO):
        return False
    return not policy.breaker_open((await ledger_of(runtime.settings, runtime.database, side).read()).failures)


async def due_comparison(runtime: Runtime, kind: Kind, dark: Sequence[Outage]) -> DueComparison | None:
    """Give the compare of a kind that is due and that nobody else has begun, None where there is none."""
    mark = await schedules.watermark(runtime.database, schedules.comparison_of(kind))
    owed = [one for one in dark if mark is None or one.until > mark]
    if not owed or await scans.is_under_way(runtime.database, schedules.comparison_of(kind), _STILL):
        is_ours = await schedules.try_claim(runtime.database, schedules.comparison_of(kind), every_of(runtime, kind))
        return DueComparison(schedules.comparison_of(kind)) if is_ours else None
    name = f"dark_{kind}"
    if not await schedules.try_claim(runtime.database, name, AT_MOST_EVERY):
        return None
    await schedules.again_in(runtime.database, schedules.comparison_of(kind), every_of(runtime, kind))
    return DueComparison(name, _since(kind, owed, mark, runtime.now()))


def _since(kind: Kind, owed: Sequence[Outage], mark: datetime | None, now: datetime) -> datetime | None:
    if kind is Kind.PATIENT and any(one.until - one.since > PATIENCE for one in owed):
        return EVER
    return None if mark is not None else min(now - NEVER_COMPARED, *(one.since for one in owed))


async def forget_compared(runtime: Runtime) -> None:
    """Forget every darkness after which all kinds were compared."""
    marks = [await schedules.watermark(runtime.database, schedules.comparison_of(kind)) for kind in runtime.mappings]
    known = [mark for mark in marks if mark is not None]
    if len(known) == len(marks):
        await heartbeats.forget_outages(runtime.database, min(known))
