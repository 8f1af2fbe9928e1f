"""Hours of DrChrono's quota shared by four workers that are killed now and then: what is promised of it, measured.

    python -m tests.simulate.budget [--hours 1000] [--first 1]      what `make simulate-budget` runs

Each load of calls is lived through in stretches of 25 hours, over all cores. In the last one somebody else uses the
application too, so that DrChrono refuses calls we could not know to be too many.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.store.database import Database
from app.store.migrate import migrate
from app.sync.model import Lane
from app.vendors.rate_limit.policy import HOUR_S
from tests.simulate.clock import Clock
from tests.simulate.database import at_once
from tests.simulate.office import ALLOWED, WORKERS, Practice, Shelf, Thing, Worker
from tests.simulate.running import lived

STRETCH_HOURS = 25
_LIVES_S, _REBORN_S = 1200.0, 5.0
_SKEW_S = 5.0
_ADDED_EVERY_S, _BURST_CALLS, _CONFIRMED = 1800.0, (20, 45, 120), 0.2
_USED, _LIVE_S, _HELD_S = 0.95, 5.0, 30.0  # what is promised


@dataclass(frozen=True, slots=True)
class Load:
    """What there is to call for. `edits`: live ones an hour, in turn, three hours each.

    backlog  so many a first load has; half an hour after its end there is another one
    others   calls an hour that somebody else makes with the same application
    """

    name: str
    edits: tuple[int, ...]
    backlog: int = 0
    others: int = 0
    ails: float = 0.005


LOADS = {
    one.name: one
    for one in (
        Load("a first load, edits that fit", (120,), backlog=1200),
        Load("edits that do not fit", (700, 100)),
        Load("somebody else calls too", (120,), backlog=1200, others=60),
    )
}
FITS, OVER, OTHERS = LOADS.values()


@dataclass(slots=True)
class Told:
    """What came of some hours: sums, and every single wait, error and share of an hour."""

    hours: int = 0
    calls: int = 0
    refused: int = 0
    too_soon: int = 0
    deaths: int = 0
    uses: list = field(default_factory=list)
    live_s: list = field(default_factory=list)
    held_s: list = field(default_factory=list)
    tries: list = field(default_factory=list)
    forecasts: list = field(default_factory=list)

    def joins(self, other):
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def errors_s(self):
        """By how much forecasts were wrong, of those that were about more than a minute."""
        return [abs(came_s - told_s) for told_s, came_s in self.forecasts if max(told_s, came_s) > 60]


@dataclass(slots=True, eq=False)
class Forecast:
    made_s: float
    in_s: float
    left: int


class Office:
    """Everything that happens in a stretch of hours; `tell` hears of it."""

    def __init__(self, url, clock, rng, load):
        self.url, self.clock, self.rng, self.load, self.told = url, clock, rng, load, Told()
        self.shelf = Shelf(lambda: clock.ms / 1000)
        self.practice = Practice(clock, rng, rng.uniform(-_SKEW_S, _SKEW_S), load.ails)
        self.workers, self.idle = {}, set()
        self.held_s = self.told.held_s

    def done(self, thing):
        """A worker has made a thing's call."""
        now_s = self.clock.ms / 1000
        self.shelf.end(thing)
        if not self.shelf.open:
            self.idle.add(self.practice.hour())
        self.told.tries.append(thing.refused)
        if thing.first is Lane.LIVE:
            self.told.live_s.append(now_s - thing.came_s)
        for forecast in thing.awaited_by:
            forecast.left -= 1
            if not forecast.left:
                self.told.forecasts.append((forecast.in_s, now_s - forecast.made_s))

    def comes(self, lane, in_s=0.0):
        self.shelf.put(Thing(lane, self.clock.ms / 1000 + in_s, lane), in_s)

    async def lives(self, hours):
        """Live through so many hours; gives what came of them."""
        self.idle.add(self.practice.hour())
        tasks = [self._edits(), self._compares(), self._adds(), self._forecasts(), self._others()]
        tasks += [self._employs(place) for place in range(WORKERS)]
        running = [asyncio.create_task(one) for one in tasks]
        end = asyncio.create_task(asyncio.sleep(hours * HOUR_S))
        await asyncio.wait([end, *running], return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            task.cancel()
        ended = await asyncio.gather(*running, return_exceptions=True)
        failed = [one for one in ended if not isinstance(one, asyncio.CancelledError)]
        assert not failed, failed
        for worker in self.workers.values():
            await worker.dies()
        return self._sums(hours)

    def _sums(self, hours):
        made, last = self.practice.made, self.practice.hour()
        self.told.hours, self.told.calls = hours, sum(made.values())
        self.told.refused, self.told.too_soon = sum(self.practice.refused.values()), self.practice.asked_too_soon
        busy = [hour for hour in made if hour != last and hour not in self.idle]
        self.told.uses = [made[hour] / ALLOWED.per_hour for hour in busy]
        return self.told

    async def _employs(self, place):
        while True:
            self.workers[place] = Worker(self.url, self.clock, self.rng, self.shelf, self.practice, self)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.rng.expovariate(1 / _LIVES_S)):
                    await self.workers[place].ended()
            await self.workers.pop(place).dies()
            self.told.deaths += 1
            await asyncio.sleep(_REBORN_S)

    async def _edits(self):
        while True:
            rates = self.load.edits
            rate = rates[int(self.clock.ms / 1000 // (3 * HOUR_S)) % len(rates)]
            await asyncio.sleep(self.rng.expovariate(rate / HOUR_S))
            self.comes(Lane.LIVE)
            if self.rng.random() < _CONFIRMED:
                self.comes(Lane.CONFIRM, 15.0)

    async def _compares(self):
        while True:
            await asyncio.sleep(self.rng.expovariate(1 / HOUR_S))
            for _ in range(self.rng.choice(_BURST_CALLS)):
                self.comes(Lane.COMPARE)

    async def _adds(self):
        while True:
            if not any(thing.first is Lane.BACKFILL for thing in self.shelf.open):
                for _ in range(self.load.backlog):
                    self.comes(Lane.BACKFILL)
            await asyncio.sleep(_ADDED_EVERY_S)

    async def _others(self):
        while True:
            await asyncio.sleep(self.rng.expovariate(self.load.others / HOUR_S) if self.load.others else HOUR_S)
            if self.load.others:
                self.practice.quota.wait_s(ALLOWED.per_hour, HOUR_S, burst_rule=True)

    async def _forecasts(self):
        while True:
            await asyncio.sleep(self.rng.uniform(0.5, 1.5) * HOUR_S)
            if not self.workers or not self.shelf.open:
                continue
            things = list(self.shelf.open)
            budget = next(iter(self.workers.values())).budget
            in_s = (await budget.stands(self.shelf.by_lane())).caught_up_in_s
            forecast = Forecast(self.clock.ms / 1000, in_s, len(things))
            for thing in things:
                thing.awaited_by.append(forecast)


def stretch(name, seed, hours=STRETCH_HOURS):
    """Live through some hours of a load, in this process; gives what came of them."""
    clock, rng, memory = Clock(), random.Random(f"{name} {seed}"), Path("/dev/shm")
    random.seed(f"{name} {seed} jitter")

    async def live(url):
        async with at_once(Database(url), clock).opened() as database:
            await migrate(database)
            return await Office(url, clock, rng, LOADS[name]).lives(hours)

    with TemporaryDirectory(prefix="hours-", dir=memory if memory.is_dir() else None) as folder:
        return lived(clock, live(f"sqlite+aiosqlite:///{folder}/hours.db"))


def share_of(values, share):
    """Give the value below which so large a share of them lies."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else float("nan")


def complaints(load, told):
    """Say what of the promises did not hold."""
    wrong = []
    if not load.others and told.refused:
        wrong.append(f"{told.refused} calls were refused as too many")
    if load.others and not told.refused:
        wrong.append("somebody else called, and nothing was ever refused")
    if told.too_soon:
        wrong.append(f"{told.too_soon} calls were made before a refusal's wait was over")
    if not load.others and told.uses and statistics.mean(told.uses) < _USED:
        wrong.append(f"only {statistics.mean(told.uses):.1%} of the hours that had work was used")
    if load.backlog and not load.others and share_of(told.live_s, 0.95) > _LIVE_S:
        wrong.append(f"live edits waited {share_of(told.live_s, 0.95):.1f} s (p95)")
    if max(told.held_s) > _HELD_S:
        wrong.append(f"a worker was held for {max(told.held_s):.1f} s by a call that had to wait")
    return wrong


def shown(console, found):
    table = Table("", *found)
    rows = {
        "hours, workers killed": lambda one: f"{one.hours:,}, {one.deaths:,}",
        "calls made": lambda one: f"{one.calls:,}",
        "refused by DrChrono (429)": lambda one: f"{one.refused:,}",
        "calls before a 429's wait was over": lambda one: f"{one.too_soon:,}",
        "use of hours with work: mean, least": lambda one: (
            f"{statistics.mean(one.uses):.1%}, {min(one.uses):.1%}" if one.uses else "none"
        ),
        "live edit, from due to called: median, p95": lambda one: _pair(one.live_s, "s", 0.95),
        "a worker held by a call: p95, most": lambda one: (
            f"{share_of(one.held_s, 0.95):.2f} s, {max(one.held_s):.1f} s"
        ),
        "tries that had to wait, of a call: mean, most": lambda one: (
            f"{statistics.mean(one.tries):.2f}, {max(one.tries)}"
        ),
        "forecast wrong by: median, p95": lambda one: _pair([s / 60 for s in one.errors_s()], "min", 0.95),
        "and of what it foretold: median, p95": lambda one: _relative(one.forecasts),
    }
    for name, row in rows.items():
        table.add_row(name, *(row(one) for one in found.values()))
    console.print(table)


def _pair(values, unit, share):
    return f"{share_of(values, 0.5):.1f} {unit}, {share_of(values, share):.1f} {unit}" if values else "none"


def _relative(forecasts):
    shares = [abs(came_s - told_s) / came_s for told_s, came_s in forecasts if came_s > 60]
    return f"{share_of(shares, 0.5):.0%}, {share_of(shares, 0.95):.0%}" if shares else "none"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1)
    given, console, began = parser.parse_args(), Console(width=140), monotonic()
    stretches = max(given.hours // STRETCH_HOURS // 2, 1)
    asked = [(load.name, seed) for seed in range(given.first, given.first + stretches) for load in (FITS, OVER)]
    asked += [(OTHERS.name, seed) for seed in range(given.first, given.first + max(stretches // 4, 1))]
    found = {name: Told() for name in LOADS}
    words = TextColumn("{task.completed:.0f} of {task.total:.0f} stretches of 25 hours")
    with (
        Progress(BarColumn(), words, TimeRemainingColumn(), console=console) as progress,
        ProcessPoolExecutor(os.cpu_count()) as pool,
    ):
        task = progress.add_task("", total=len(asked))
        coming = {pool.submit(stretch, *one): one[0] for one in asked}
        for done in as_completed(coming):
            found[coming[done]].joins(done.result())
            progress.advance(task)
    shown(console, found)
    wrong = [f"{name}: {line}" for name, told in found.items() for line in complaints(LOADS[name], told)]
    console.print("\n".join(wrong) or "every promise held", style="bold")
    console.print(f"{sum(one.hours for one in found.values()):,} hours in {monotonic() - began:.0f} s")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
