"""`make soak MINUTES=30`: people, mischief of vendors and odd things at real processes, for long, on both databases.

Whatever a process holds must come to rest: once it is warm, neither the memory of web and worker nor their open files
and connections may grow, and neither may have been started anew. Exit 1 where one did.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import redis
from rich.console import Console
from rich.table import Table

from app.sync.mappings import file
from app.wakeup import QUEUE
from tests.harness.cluster import Town, town
from tests.harness.verify.mischief import Mischief
from tests.harness.verify.people import People
from tests.postgresql import running_postgresql, said

PEOPLE = 40
WARM = 0.4  # of the time; by then every path was taken and every cache is full
PAUSE_S, MISCHIEF_S, ODD_S, SAMPLE_S = 0.2, 10.0, 5.0, 2.0
# how much more the last quarter of what was measured may hold than the first: of bytes the larger of both
MORE_BYTES, MORE_SHARE, MORE_OPEN = 12 * 2**20, 0.08, 6
PAGES = ("/", "/patients", "/failures", "/held", "/api/v1/queue", "/api/v1/deliveries", "/healthz", "/metrics")


class Measured:
    """What each process held, sample by sample, since it was warm."""

    def __init__(self, here: Town) -> None:
        self._processes = {child.name: psutil.Process(child.process.pid) for child in (here.serve, here.work)}
        self.held: defaultdict[tuple[str, str], list[int]] = defaultdict(list)

    def sample(self) -> None:
        """Measure every process once."""
        for name, process in self._processes.items():
            self.held[name, "memory"].append(process.memory_info().rss)
            self.held[name, "open files"].append(process.num_fds())
            self.held[name, "threads"].append(process.num_threads())

    def grown(self) -> Iterator[tuple[str, str, float, float, bool]]:
        """Give process, measure, what it held at first and in the end, and whether that is too much more."""
        for (name, measure), held in self.held.items():
            quarter = max(len(held) // 4, 1)
            first, last = statistics.median(held[:quarter]), statistics.median(held[-quarter:])
            most = first + (max(MORE_BYTES, first * MORE_SHARE) if measure == "memory" else MORE_OPEN)
            yield name, measure, first, last, last > most


class Soak:
    """Everybody who does something at the service, each in their turn."""

    def __init__(self, here: Town, seed: int) -> None:
        self._here, self._rng = here, random.Random(seed)
        self._people = People(here, self._rng, file.load())
        self._mischief = Mischief(here, self._rng, self._people, Counter())
        self._due = dict.fromkeys((MISCHIEF_S, ODD_S), 0.0)

    def begins(self) -> None:
        """Let there be some patients and visits, and the vendors' pace be quick."""
        self._mischief.begins()
        for _ in range(PEOPLE):
            self._people.registers()
            self._people.books()

    def turn(self) -> None:
        """Let everybody do one thing; what fails for a fault that was ordered is done another time."""
        people = self._people
        for act in (people.edits_chart, people.edits_contact, people.edits_booked, people.edits_staff, self._looks):
            with suppress(httpx.HTTPError):
                act()
        if self._is_time(MISCHIEF_S):
            self._mischief.arrives()
            with suppress(httpx.HTTPError):
                self._rng.choice(self._mischief.deck)()
        if self._is_time(ODD_S):
            self._odd()

    def _is_time(self, every_s: float) -> bool:
        is_due = time.monotonic() > self._due[every_s]
        if is_due:
            self._due[every_s] = time.monotonic() + every_s
        return is_due

    def _looks(self) -> None:
        self._here.web.get(self._rng.choice(PAGES))

    def _odd(self) -> None:
        """Deliver what nobody can read, under right and wrong secrets, and leave something in the queue."""
        bodies = (b"{}", b"[]", b"\xff", b'{"object": {"id": null}}', b'{"object": {"id": "' + b"9" * 300 + b'"}}')
        for body in bodies:
            for secret in (self._here.webhook_secret, "wrong"):
                headers = {"x-drchrono-event": "PATIENT_MODIFY", "x-drchrono-signature": secret}
                self._here.web.post("/webhooks/drchrono", content=body, headers=headers)
        with suppress(redis.RedisError), redis.Redis.from_url(self._here.given["REDIS_URL"]) as client:
            client.zadd(QUEUE, {b"\xff\xfe": 1})


def soaked(here: Town, seconds: float, seed: int) -> Measured:
    """Give what was measured at a cluster that everybody worked at for so long."""
    soak, measured = Soak(here, seed), Measured(here)
    soak.begins()
    began, sampled_at = time.monotonic(), 0.0
    while (at_s := time.monotonic() - began) < seconds:
        soak.turn()
        if at_s > seconds * WARM and time.monotonic() - sampled_at > SAMPLE_S:
            measured.sample()
            sampled_at = time.monotonic()
        time.sleep(PAUSE_S)
    return measured


@contextmanager
def cluster(kind: str, folder: Path) -> Iterator[Town]:
    """Give a running cluster on a database of a kind."""
    with ExitStack() as stack:
        overrides = {}
        if kind == "postgresql":
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
            server = stack.enter_context(running_postgresql(place))
            said(server.url + "postgres", "CREATE DATABASE soak")
            overrides["DATABASE_URL"] = server.url + "soak"
        yield stack.enter_context(town(folder, overrides))


def main() -> int:
    """Soak clusters on both databases, and say what has grown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--seed", type=int, default=1)
    given, console, bad = parser.parse_args(), Console(), 0
    kinds = given.databases.split(",")
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name, cluster(kind, Path(name)) as here:
            before = here.serve.process.pid, here.work.process.pid
            measured = soaked(here, given.minutes * 60 / len(kinds), given.seed)
            lived = here.serve.is_running and here.work.is_running
            after = here.serve.process.pid, here.work.process.pid
        table = Table(f"{kind}, {given.minutes / len(kinds):g} min", "measure", "once warm", "in the end", "")
        for process, measure, first, last, is_bad in measured.grown():
            shown = [f"{value / 2**20:.1f} MiB" if measure == "memory" else f"{value:g}" for value in (first, last)]
            table.add_row(process, measure, *shown, "GROWS" if is_bad else "flat")
            bad += is_bad
        console.print(table)
        if not lived or before != after:
            console.print(f"{kind}: a process has ended", style="bold red")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
