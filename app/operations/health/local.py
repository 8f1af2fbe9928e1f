"""The parts that are here: database, Redis, workers, what waits, what is compared, the first load, and paused lanes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.errors import OTHER_INSTANCE, OtherInstance, StoreUnavailable
from app.log import log
from app.operations.backfill import may_load, states, summary
from app.operations.health.model import OK, Observation, PartState
from app.ports import FailingJob, Inbox
from app.runtime import Runtime
from app.store import heartbeats, queue_stats, schedules
from app.store import notices as notice_store
from app.store.heartbeats import Beating
from app.store.lanes import lane_states
from app.store.schema import is_behind
from app.sync.failure_causes import CAUSES, DRCHRONO_QUOTA_CAUSES, SALESFORCE_QUOTA_CAUSES, fix
from app.sync.model import Kind, Lane

_OLD_S = {
    (Lane.LIVE, Lane.RETRY, Lane.CONFIRM): 60.0,  # somebody waits for it
    (Lane.COMPARE, Lane.BACKFILL): timedelta(days=1).total_seconds(),  # a first load takes its hours
}
_REPAIRED = "what the vendors have given up on meanwhile is found by comparing, now"
_UNWRITABLE = "the database cannot be written: check that it runs, its disk and DATABASE_URL"
_FAILS_FOR = timedelta(hours=1)  # a vendor that is away for less is told of as that
_BY_POLL = "nothing is lost, changes are found by the poll, every 2 s"


async def database(runtime: Runtime, inbox: Inbox) -> Observation:
    """Look at the database as a delivery would, through the inbox, and write to it that the door is open."""
    try:
        if await is_behind(runtime.database):
            return Observation(PartState.DOWN, "run `chronobridge migrate`")
        await inbox.probe()
        # it writes a row each time: what changes no row writes nothing, and a full disk would go unseen
        dark = await heartbeats.beat_now(runtime.database, Beating.DOOR)
    except StoreUnavailable:
        return unwritable()
    if dark is not None:
        log.warning("door.was_closed", lag_s=round((dark.until - dark.since).total_seconds()), advice=_REPAIRED)
    return OK


def unwritable() -> Observation:
    """Say that the database cannot be written, or takes too long to be."""
    return Observation(PartState.DOWN, _UNWRITABLE)


async def redis(runtime: Runtime) -> Observation:
    """Look whether Redis answers."""
    if runtime.settings.redis_url is None:
        return Observation(PartState.DEGRADED, "REDIS_URL is empty: changes are found by the poll, every 2 s")
    return OK if await runtime.wakeup.is_up() else Observation(PartState.DEGRADED, f"Redis does not answer: {_BY_POLL}")


async def workers(runtime: Runtime) -> Observation:
    """Look when the last worker gave a sign of life."""
    if await heartbeats.alive(runtime.database):
        return OK
    advice = f"no worker has reported for {runtime.timings.alive.total_seconds():.0f} s: start `chronobridge work`"
    return Observation(PartState.DOWN, advice, await heartbeats.heard_at(runtime.database))


async def jobs(runtime: Runtime, ours: Callable[[], Mapping[str, FailingJob]]) -> Observation:
    """Look which jobs fail, here and in the workers; they are started again by themselves."""
    failing = [*ours().values(), *await heartbeats.failing_jobs(runtime.database)]
    if not failing:
        return OK
    names = ", ".join(f"{one.name} of {one.worker or 'this web'} ({one.error})" for one in failing)
    is_stray = any(one.error == OtherInstance.__name__ for one in failing)
    fix = (
        OTHER_INSTANCE
        if is_stray
        else "each is tried again by itself; its lines `job.failed` and `pass.failed` say where"
    )
    return Observation(PartState.DEGRADED, f"failing: {names}; {fix}", min(one.since for one in failing))


async def backlog(runtime: Runtime) -> Observation:
    """Look how long the oldest change has waited; a first load may take its time."""
    oldest = await queue_stats.oldest_due_s(runtime.database)
    for lanes, old_s in _OLD_S.items():
        if (oldest_s := max(oldest[lane] for lane in lanes)) > old_s:
            what = "change" if Lane.LIVE in lanes else "record of the reconciliation or the initial sync"
            advice = f"the oldest {what} has been pending for {oldest_s:.0f} s: look at workers and failures"
            return Observation(PartState.DEGRADED, advice, runtime.now() - timedelta(seconds=oldest_s - old_s))
    return OK


@dataclass(frozen=True, slots=True)
class FailingComparison:
    """A kind whose records could not be compared for long, since when, and the error of the last try."""

    kind: Kind
    since: datetime
    cause: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self.cause in (*DRCHRONO_QUOTA_CAUSES, *SALESFORCE_QUOTA_CAUSES):
            return "The quota of calls is spent; `chronobridge queue` says when there are more."
        if self.cause in CAUSES or self.cause.startswith("HTTP_"):
            return fix(self.cause)
        return "See what is said of both systems, and the log line `compare.failed`."


async def failing_comparisons(runtime: Runtime) -> list[FailingComparison]:
    """Give the kinds whose comparison has failed each time for an hour at least."""
    kinds = {schedules.comparison_of(kind): kind for kind in runtime.mappings}
    found = await schedules.failing_for(runtime.database, kinds, _FAILS_FOR)
    return [FailingComparison(kinds[one.name], one.since, one.cause) for one in found]


async def reconciliation(runtime: Runtime) -> Observation:
    """Look whether both sides are compared: by that alone is found what no event has told of."""
    failing = await failing_comparisons(runtime)
    if not failing:
        return OK
    says = " ".join(f"{one.kind}s are not compared ({one.cause}): {one.advice}" for one in failing)
    advice = f"{says} What no event tells of is not found meanwhile; it is tried again every minute"
    return Observation(PartState.DEGRADED, advice, min(one.since for one in failing))


async def first_load(runtime: Runtime) -> Observation | None:
    """Look what was there before both sides were connected and was not loaded yet: a note, for nothing is wrong.

    None where a side is not set up.
    """
    if not may_load(runtime):
        return None
    return Observation(advice=summary(await states(runtime)))


async def notices(runtime: Runtime) -> Observation | None:
    """Look whether every channel takes its notices; None where nobody is to be told of anything."""
    found = [
        (channel.name, await notice_store.backlog_of(runtime.database, channel.name)) for channel in runtime.channels
    ]
    behind = [(name, one) for name, one in found if one.since is not None]
    if not behind:
        return OK if found else None
    says = "; ".join(f"{name} did not get through: {one.reason}" for name, one in behind)
    given_up = sum(one.given_up for _, one in behind)
    what = f"{given_up} given up after a day" if given_up else "each is tried again for a day"
    advice = f"{says}; {what}; `chronobridge notify test` tries each channel"
    return Observation(PartState.DEGRADED, advice, min(one.since for _, one in behind if one.since is not None))


async def lanes(runtime: Runtime) -> Observation:
    """Look which lanes are paused."""
    paused = [one for one in await lane_states(runtime.database) if one.is_paused]
    if not paused:
        return OK
    if any(one.reason == OTHER_INSTANCE for one in paused):
        return Observation(PartState.DEGRADED, OTHER_INSTANCE, runtime.database.opened_at)
    names = ", ".join(one.lane for one in paused)
    return Observation(PartState.DEGRADED, f"paused: {names}; `chronobridge resume all` when that is right")
