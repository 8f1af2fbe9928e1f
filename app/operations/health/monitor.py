"""What each part of the service is doing, since when, and what to do about it. No vendor is called for a probe.

Every part is looked at every five seconds, whoever asks, so that a probe costs nothing and cannot be used to hurt. A
part that hangs is given four seconds and holds up no other. When the looking itself stops, the report says so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from time import monotonic

from app.errors import StoreUnavailable
from app.log import log
from app.operations.health import local, vendors
from app.operations.health.model import AWAY, SLOW_S, Look, Observation, Part, PartState
from app.periodic import Supervisor
from app.ports import Inbox
from app.runtime import Runtime
from app.sync.model import Side

_AT_ONCE = 3  # so that two which hang hold up no other; each takes a connection, and a new one costs more than most
Names = tuple[str, ...]  # of the parts that one look finds
_STOPPED = "this web has stopped to look at its parts: restart it"


class HealthMonitor:
    """Looks at every part, and remembers what it found.

    inbox   that of this process, through which the database is looked at
    clock   counts seconds, and never back
    slow_s  how long a look at one part may take
    jobs    runs the jobs of this process
    """

    def __init__(
        self,
        runtime: Runtime,
        inbox: Inbox,
        clock: Callable[[], float] = monotonic,
        slow_s: float = SLOW_S,
        jobs: Supervisor | None = None,
    ) -> None:
        self._inbox = inbox
        self._runtime, self._clock, self._slow_s = runtime, clock, slow_s
        self._parts: dict[str, Part] = {}
        self._looked_at = clock()
        self._looks = _looks(runtime, jobs or Supervisor())
        self._few = asyncio.Semaphore(_AT_ONCE)
        self._stopping = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether deliveries can be accepted: the database can be written and has its schema."""
        part = self._parts.get("database")
        return part is not None and part.state is PartState.OK and not self._is_old

    @property
    def status(self) -> str:
        """Whether deliveries are accepted and everything is well: ok, degraded or down."""
        if not self.is_ready:
            return "down"
        return "degraded" if {part.state for part in self._parts.values()} - {PartState.OK} else "ok"

    @property
    def parts(self) -> Mapping[str, Part]:
        """How every part is known to be; once the last look is too old, nothing is."""
        looked = datetime.now(UTC) - timedelta(seconds=self._clock() - self._looked_at)
        if not self._is_old:
            return {"watch": Part(PartState.OK, None, looked), **self._parts}
        old = dict.fromkeys(self._parts, Part(PartState.UNKNOWN, "nobody has looked lately", looked))
        return {"watch": Part(PartState.DOWN, _STOPPED, looked), **old}

    def report(self) -> dict[str, object]:
        """Give every part with its state, since when, its age and advice."""
        now = datetime.now(UTC)
        return {
            "status": self.status,
            "parts": {
                name: {
                    "state": part.state.value,
                    "since": part.since.isoformat(timespec="seconds"),
                    "age_s": round(max((now - part.since).total_seconds(), 0.0), 1),
                    "advice": part.advice,
                }
                for name, part in self.parts.items()
            },
        }

    async def watch(self) -> None:
        """Keep looking until it is stopped; the first look was made before."""
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(self._runtime.timings.probe_s):
                    await self._stopping.wait()
            except TimeoutError:
                await self.look()

    def stop(self) -> None:
        """Have the watch end after the look under way: one that is cut off would leave queries behind."""
        self._stopping.set()

    async def look(self) -> None:
        """Look at every part once, within two times the four seconds that a part is given."""
        run = self._runtime
        found = await self._all(
            {("database",): _one(local.database, run, self._inbox), ("redis",): _one(local.redis, run)}
        )
        database = found["database"]
        if database is not None and database.state is PartState.UNKNOWN:  # it took too long, so a delivery would too
            database = found["database"] = local.unwritable()
        if database is not None and database.state is PartState.OK:
            found |= await self._all(self._looks)
        else:
            found |= dict.fromkeys(chain.from_iterable(self._looks), AWAY)
        self._remember({name: one for name, one in found.items() if one is not None})

    async def side(self, side: Side) -> tuple[str, str | None]:
        """Look at one side's connection now: its state, and advice.

        Raises  StoreUnavailable
        """
        found = await vendors.connection(self._runtime, side)
        return found.state.value, found.advice

    @property
    def _is_old(self) -> bool:
        return self._clock() - self._looked_at > self._runtime.timings.probe_old_s

    async def _all(self, looks: Mapping[Names, Look]) -> dict[str, Observation | None]:
        """Give what each look finds; none is still looking after this, even where it is cut off."""
        async with asyncio.TaskGroup() as group:
            under_way = [group.create_task(self._found(names, look)) for names, look in looks.items()]
        return dict(chain.from_iterable(task.result() for task in under_way))

    async def _found(self, names: Names, look: Look) -> Sequence[tuple[str, Observation | None]]:
        """Give what a look finds, whatever becomes of it: the next part is looked at all the same."""
        try:
            async with asyncio.timeout(self._slow_s), self._few:
                return list(zip(names, await look(), strict=True))
        except StoreUnavailable:
            unseen = AWAY
        except TimeoutError:
            unseen = Observation(PartState.UNKNOWN, f"it took longer than {self._slow_s:g} s to look at it")
        except Exception as error:  # noqa: BLE001 - one part must not end the watch over all of them
            log.error("part.not_seen", cause=", ".join(names), error=type(error).__name__)
            unseen = Observation(PartState.UNKNOWN, f"it cannot be looked at ({type(error).__name__}): report that")
        return [(name, unseen) for name in names]

    def _remember(self, found: Mapping[str, Observation]) -> None:
        now, before = datetime.now(UTC), self._parts
        self._parts = {
            name: Part(one.state, one.advice, _since(one, before.get(name), now)) for name, one in found.items()
        }
        self._looked_at = self._clock()


def _looks(runtime: Runtime, jobs: Supervisor) -> dict[Names, Look]:
    """Give every part beside database and Redis, with the look at it; what shows in one reading is read once."""
    looks: dict[Names, Look] = {
        ("workers",): _one(local.workers, runtime),
        ("jobs",): _one(local.jobs, runtime, lambda: jobs.failing),
        ("backlog",): _one(local.backlog, runtime),
        ("reconciliation",): _one(local.reconciliation, runtime),
        ("lanes",): _one(local.lanes, runtime),
        ("notices",): _one(local.notices, runtime),
        ("backfill",): _one(local.first_load, runtime),
    }
    sides = [side for side in Side if side in runtime.settings.connected]
    for side in Side:
        looks[side.value, f"{side}_token"] = partial(vendors.connection_and_token, runtime, side)
    for side in sides:
        looks[f"{side}_budget",] = _one(vendors.quota_part, runtime, side)
    if sides:
        looks[tuple(f"{side}_feed" for side in sides)] = partial(vendors.feed_parts, runtime, sides)
    return looks


def _one(look: Callable[..., Awaitable[Observation | None]], *given: object) -> Look:
    """Give the look that finds one part."""

    async def found() -> Sequence[Observation | None]:
        return [await look(*given)]

    return found


def _since(found: Observation, before: Part | None, now: datetime) -> datetime:
    if before is not None and before.state is found.state:
        return before.since
    return found.since or now
