"""The service's own falls: web, worker and Valkey killed, stopped and started again, Redis wiped, the disk full.

What is up and what is down is written down as it changes, so that the probes can be judged by it.
"""

import contextlib
import random
import resource
import time
from collections import Counter
from collections.abc import Callable

import redis

from app.cli.supervise import Child
from tests.harness.cluster import Town
from tests.harness.verify.faults import Fault
from tests.harness.verify.people import People
from tests.harness.verify.seen import Spell

_TOLD_S = 33.0  # a little more than the half minute within which the probes must tell
_CAN_BE_FILLED = hasattr(resource, "prlimit")


class Falls:
    """What falls; `counts` is told how often."""

    def __init__(self, here: Town, rng: random.Random, people: People, counts: Counter[str]) -> None:
        self._here, self._rng, self._people, self._counts = here, rng, people, counts
        self._spells: list[Spell] = []
        self._dark_until = 0.0
        for what in ("web", "worker", "redis", "database"):
            self._now(what, is_up=True)

    @property
    def deck(self) -> list[Callable[[], None]]:
        """Give every fall, once each."""
        deck = [
            self.kills_worker, self.kills_web, self.stops_worker, self.stops_web, self.flushes_redis, self.kills_redis,
        ]  # fmt: skip
        return [*deck, self.fills_disk] if _CAN_BE_FILLED else deck

    def spells(self) -> tuple[Spell, ...]:
        """Give when what was up, and when it was down."""
        return tuple(self._spells)

    def kills_worker(self) -> None:
        """Kill -9 the worker and start another."""
        self._counts[Fault.WORKER_KILLED] += 1
        self._fells("worker", self._here.work.kill)
        self.starts_worker()

    def stops_worker(self) -> None:
        """Ask the worker to stop, and start another."""
        self.rests_worker()
        self.starts_worker()

    def rests_worker(self) -> None:
        """Ask the worker to stop, so that what changes meanwhile waits for the next one."""
        self._counts[Fault.WORKER_STOPPED] += 1
        self._fells("worker", lambda: _stopped(self._here.work))

    def starts_worker(self) -> None:
        """Start a worker."""
        self._here.work.start()
        self._now("worker", is_up=True)

    def kills_web(self) -> None:
        """Kill -9 the web and start another."""
        self._counts[Fault.WEB_KILLED] += 1
        self._fells("web", self._here.serve.kill)
        self._starts_web()

    def stops_web(self) -> None:
        """Ask the web to stop, and start another."""
        self._counts[Fault.WEB_STOPPED] += 1
        self._fells("web", lambda: _stopped(self._here.serve))
        self._starts_web()

    def _starts_web(self) -> None:
        """Start the web; it was down when it was last asked in vain, and from then on it may answer any moment."""
        self._here.serve.start()
        asked_in_vain = time.time()

        def accepts() -> bool:
            nonlocal asked_in_vain
            asked = time.time()
            if self._here.accepts():
                return True
            asked_in_vain = asked
            return False

        self._here.wait_until(accepts, "the web to be back")
        self._ends("web", asked_in_vain)
        self._now("web", is_up=True)

    def flushes_redis(self) -> None:
        """Have Redis forget everything."""
        self._counts[Fault.REDIS_FLUSHED] += 1
        with redis.Redis.from_url(self._here.given["REDIS_URL"]) as client:
            client.flushall()

    def kills_redis(self) -> None:
        """Kill -9 the Valkey for a moment."""
        self._counts[Fault.REDIS_KILLED] += 1
        self._fells("redis", self._here.valkey.kill)
        time.sleep(self._rng.uniform(0.5, 2.0))
        self.starts_redis()

    def starts_redis(self) -> None:
        """Start the Valkey again."""
        self._here.valkey.start()
        self._now("redis", is_up=True)

    def fills_disk(self) -> None:
        """Let the web write nothing until /readyz has told, or half a minute is over, while people go on editing."""
        assert self._here.serve.process is not None
        pid, unlimited = self._here.serve.process.pid, resource.RLIM_INFINITY
        self._counts[Fault.DISK_FULL] += 1
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited))
        self._now("database", is_up=False)
        deadline = time.monotonic() + _TOLD_S
        while time.monotonic() < deadline and self._here.accepts():
            self._people.edits_chart()
            self._people.edits_contact()
            time.sleep(0.25)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        self._now("database", is_up=True)

    def goes_dark(self) -> None:
        """Kill worker and Valkey together; `is_told_dark` says when the probes have said so."""
        self._counts[Fault.WORKER_KILLED] += 1
        self._counts[Fault.REDIS_KILLED] += 1
        self._fells("worker", self._here.work.kill)
        self._fells("redis", self._here.valkey.kill)
        self._dark_until = time.monotonic() + _TOLD_S

    def is_told_dark(self) -> bool:
        """Say whether /healthz tells of both, or has had the time it may take."""
        parts = self._here.web.get("/healthz").json()["parts"]
        is_told = all(parts[name]["state"] != "ok" for name in ("workers", "redis"))
        return is_told or time.monotonic() > self._dark_until

    def _fells(self, what: str, deed: Callable[[], None]) -> None:
        """Fell something; while it falls it is neither up nor down, for who stops well still answers."""
        self._ends(what)
        deed()
        self._now(what, is_up=False)

    def _now(self, what: str, *, is_up: bool) -> None:
        self._ends(what)
        self._spells.append(Spell(what, is_up, time.time()))

    def _ends(self, what: str, at: float | None = None) -> None:
        for index, one in enumerate(self._spells):
            if one.what == what and one.until is None:
                self._spells[index] = Spell(what, one.is_up, one.since, time.time() if at is None else at)


def _stopped(child: Child) -> None:
    child.ask_to_stop()
    with contextlib.suppress(RuntimeError):
        child.wait(time.monotonic() + 20)
