"""`make soak MINUTES=30`: people, mischief of vendors and odd things at real processes, for long, on both databases.

Whatever a process holds must come to rest: once it is warm, neither the memory of web and worker nor their open files,
connections and threads may grow, and neither may have been started anew. Exit 1 where one did.

What is open is counted by what it is, because pools and clients come and go: of each sort the fewest at the end may be
no more than the most before. So a single file that is left open every now and then is seen, and a pool at its height
is not mistaken for one. Three things grow by themselves, up to a height that is known: SQLite keeps the descriptor of a
connection that was closed, for the next, as long as another connection holds a lock (the most that were ever open at
once); each pool of threads has one thread more whenever more work meets than ever did (SQLite's connections, asyncio's
executor, Salesforce's calls); and a pool of calls has one connection more in the same way. The connections of whoever
asks the web are theirs; those that they have closed and the web has not are counted.
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis
from rich.console import Console
from rich.table import Table

from app.settings.fields import Settings
from app.store.database import MOST_OPEN
from app.sync.mappings import file
from app.wakeup import QUEUE
from tests.harness.cluster import Town, town
from tests.harness.verify.mischief import Mischief
from tests.harness.verify.people import People
from tests.postgresql import running_postgresql, said

PEOPLE = 40
WARM = 0.4  # of the time; by then every path was taken and every cache is full
PAUSE_S, MISCHIEF_S, ODD_S, SAMPLE_S = 0.2, 10.0, 5.0, 2.0
# how much more memory the last quarter of what was measured may hold than the first: the larger of both
MORE_BYTES, MORE_SHARE = 12 * 2**20, 0.08
MOST_CALLS = 20  # connections to a vendor or Valkey: httpx keeps no more, and so many calls hardly meet
# the database and its log for each connection, the inbox's own and housekeeping's beside the pool's; one shared memory
MOST_OF_SQLITES = 2 * (MOST_OPEN + 2) + 1
# those connections, Salesforce's calls at once, asyncio's executor, and what each process begins with
SALESFORCE_CALLS = Settings.model_fields["salesforce_calls_at_once"].default
MOST_THREADS = MOST_OPEN + 2 + SALESFORCE_CALLS + ((os.cpu_count() or 1) + 4) + 4
MEMORY, THREADS, FILES, SQLITE, LEFT = "memory", "threads", "other files", "SQLite's files", "left by clients"
PAGES = ("/", "/patients", "/failures", "/held", "/api/v1/queue", "/api/v1/deliveries", "/healthz", "/metrics")


class Measured:
    """What each process held, sort by sort and sample by sample, since it was warm."""

    def __init__(self, here: Town) -> None:
        self._processes = {child.name: psutil.Process(child.process.pid) for child in (here.serve, here.work)}
        self._peers = {here.ports[name]: f"connections to {name}" for name in ("valkey", "drchrono", "salesforce")}
        self._web, self._database = here.ports["web"], here.settings().database_url.partition(":///")[2]
        self.samples: dict[str, list[Counter[str]]] = {name: [] for name in self._processes}

    def sample(self) -> None:
        """Measure every process once."""
        for name, process in self._processes.items():
            connections, files = process.net_connections("inet"), process.open_files()
            held = Counter(sort for one in connections if (sort := self._sort(one)) is not None)
            held[SQLITE] = sum(one.path.startswith(self._database) for one in files)
            held[FILES] = process.num_fds() - len(connections) - held[SQLITE]
            held[MEMORY], held[THREADS] = process.memory_info().rss, process.num_threads()
            self.samples[name].append(held)

    def _sort(self, connection: Any) -> str | None:
        """Give what a connection is; None for one of a client that is there."""
        if connection.laddr.port == self._web:
            is_left = connection.status not in (psutil.CONN_ESTABLISHED, psutil.CONN_LISTEN)
            return LEFT if is_left else None
        peer = connection.raddr.port if connection.raddr else 0
        return self._peers.get(peer, "connections to the database")

    def grown(self) -> Iterator[tuple[str, str, str, str, bool]]:
        """Give process, sort, what it held before and in the last quarter, and whether that is more than it may be."""
        for name, samples in self.samples.items():
            quarter = max(len(samples) // 4, 1)
            for sort in sorted({sort for held in samples for sort in held}):
                held = [one[sort] for one in samples]
                if sort == MEMORY:
                    first, last = statistics.median(held[:quarter]), statistics.median(held[-quarter:])
                    shown = [f"{value / 2**20:.1f} MiB" for value in (first, last)]
                    yield name, sort, *shown, last > first + max(MORE_BYTES, first * MORE_SHARE)
                    continue
                before, end = held[:-quarter] or held, held[-quarter:]
                most = max(before)
                if sort == SQLITE:
                    most = max(most, MOST_OF_SQLITES)
                elif sort == THREADS:
                    most = max(most, MOST_THREADS)
                elif sort in self._peers.values():
                    most = max(most, MOST_CALLS)
                yield name, sort, *(f"{min(part)} to {max(part)}" for part in (before, end)), min(end) > most


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


def soaked(here: Town, seconds: float, seed: int, pause_s: float) -> Measured:
    """Give what was measured at a cluster that everybody worked at for so long, resting a while after each turn."""
    soak, measured = Soak(here, seed), Measured(here)
    soak.begins()
    began, sampled_at = time.monotonic(), 0.0
    while (at_s := time.monotonic() - began) < seconds:
        soak.turn()
        if at_s > seconds * WARM and time.monotonic() - sampled_at > SAMPLE_S:
            measured.sample()
            sampled_at = time.monotonic()
        time.sleep(pause_s)
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
    parser.add_argument("--pause", type=float, default=PAUSE_S, help="seconds between two turns of everybody")
    given, console, bad = parser.parse_args(), Console(), 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the cluster is stopped
    kinds = given.databases.split(",")
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name, cluster(kind, Path(name)) as here:
            measured = soaked(here, given.minutes * 60 / len(kinds), given.seed, given.pause)
            ended = [
                f"{kind}: {child.name} has ended ({child.process.returncode}): {child.log.read_text()[-2_000:]}"
                for child in (here.serve, here.work)
                if not child.is_running
            ]
        table = Table(f"{kind}, {given.minutes / len(kinds):g} min", "what", "once warm", "in the end", "")
        for process, sort, before, end, is_bad in measured.grown():
            table.add_row(process, sort, before, end, "GROWS" if is_bad else "flat")
            bad += is_bad
        console.print(table)
        for text in ended:
            console.print(text, style="bold red", markup=False)
        bad += len(ended)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
