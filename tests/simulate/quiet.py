"""A clinic's days out of a seed: people edit on both sides as they do, and the service listens for a feed that stops.

Edits come at random (Poisson), fewer over lunch, none at night; our own writes come back as deliveries; most deliveries
take seconds, some minutes. A feed may break at a moment: from then on nothing of its side arrives. What is measured:
alarms while nothing was broken, and how long it took until a broken feed was found.

    python -m tests.simulate.quiet [--days 30] [--seeds 3] [--breaks 20] [--first 1]    `make simulate-silence`
"""

import argparse
import asyncio
import random
import statistics
import sys
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import structlog

from app.runtime import Runtime, open_runtime
from app.store import feeds, heartbeats, schedules
from app.store.database import Database
from app.store.heartbeats import Beating
from app.store.migrate import migrate
from app.sync.model import Side
from tests.flow.clinic import settings_of
from tests.simulate.clock import drawn_from
from tests.simulate.history import Stage
from tests.simulate.post import EVENTS, Post
from tests.simulate.processes import connects
from tests.simulate.vendors import DRCHRONO, SALESFORCE, URLS
from tests.simulate.world import World
from workers.compare.reconcile import compare_when_due
from workers.feed_monitor import check_feed

ZONE = ZoneInfo("America/New_York")
HOURS = "Mon-Fri 08:00-18:00 America/New_York"
FIRST = datetime(2026, 1, 12, 12, 59, tzinfo=UTC)  # a Monday, a minute before the clinic opens
TICK_MS = 30_000
# ticks: how often a worker looks into the feeds; whether it is time to compare, and what is due again
_LOOKS_EVERY, _COMPARES_EVERY = 2, 6
# edits an hour, by the hour of the day: of DrChrono, of Salesforce
BUSY, LUNCH = (8.0, 3.0), (0.7, 0.3)
_SLOW, _VERY_SLOW = 0.05, 0.005  # shares of deliveries that take minutes
_PATIENTS = 12


class Late(Post):
    """The mail, each letter with the moment it arrives; of a side that is broken none does.

    lost_at  when a person first edited something of which the broken side did not tell
    """

    def __init__(self, rng, clock):
        super().__init__(rng)
        self.clock, self.broken, self.under_way = clock, None, []
        self.is_by_a_person, self.lost_at = False, None

    def drchrono(self, event, record):
        super().drchrono(event, record)
        self._goes(DRCHRONO)

    def salesforce(self, kind, row, op):
        super().salesforce(kind, row, op)
        self._goes(SALESFORCE)

    def _goes(self, side):
        letter, chance = self.bag.pop(), self._rng.random()
        takes_s = self._rng.expovariate(1 / 10)
        if chance < _VERY_SLOW:
            takes_s = self._rng.uniform(540, 900)
        elif chance < _SLOW:
            takes_s = self._rng.uniform(60, 540)
        if side == self.broken:
            if self.is_by_a_person and self.lost_at is None:
                self.lost_at = self.clock.now()
        else:
            self.under_way.append((self.clock.ms + int(takes_s * 1000), letter))

    def arrived(self):
        due = [letter for at, letter in self.under_way if at <= self.clock.ms]
        self.under_way = [one for one in self.under_way if one[0] > self.clock.ms]
        return due


@dataclass
class Told:
    """What some days came to; `is_lost`: a broken side kept a person's edit to itself."""

    alarms: list = field(default_factory=list)
    edits: int = 0
    found: int = 0
    is_lost: bool = False
    after_break: timedelta | None = None
    after_loss: timedelta | None = None


def _timed(run, clock):
    """The same runtime, its clock the days' own."""

    class Timed(Runtime):
        __slots__ = ()

        def now(self):
            return clock.now()

    return Timed(**{one.name: getattr(run, one.name) for one in fields(Runtime) if one.init})


class Days:
    """One clinic, a worker and a web, and its days."""

    def __init__(self, stage, seed):
        stage.clock.starts(FIRST)
        self.world, self.told = World(stage, seed, [], stage.without_documents), Told()
        self.clock, self.rng = stage.clock, random.Random(f"{seed} days")
        self.world.post = Late(random.Random(f"{seed} mail"), self.clock)
        self.world.turns.is_open = True
        self.visits, self.count = [], 0

    async def begins(self):
        worker = self.world.hires()
        await connects(worker, self.world.vendors)
        self.runtime, self.worker = _timed(worker.runtime, self.clock), worker
        worker.runtime = self.runtime
        for number in range(_PATIENTS):
            made = self.world.person(
                DRCHRONO, "POST", "patients", first_name=f"P{number}", last_name="Fixture", date_of_birth="1990-01-02"
            )
            visit = {"patient": made["id"], "doctor": 310001, "office": 410001, "exam_room": 1, "duration": 30}
            at = f"2026-06-{number + 1:02}T10:00:00"
            self.visits.append(self.world.person(DRCHRONO, "POST", "appointments", **visit, scheduled_time=at)["id"])
        await self.ticks(20)

    async def ticks(self, count=1):
        """Time passes; what arrives is worked off, and the jobs of a worker do what is due."""
        for _ in range(count):
            self.world.passes(TICK_MS)
            arrived = self.world.post.arrived()
            for letter in arrived:
                assert await self.world.delivers(letter) == 200
            await self.worker.database.transact(lambda connection: heartbeats.beat_of(connection, Beating.DOOR))
            self.count += 1
            for side in Side if self.count % _LOOKS_EVERY == 0 else ():
                await check_feed(self.runtime, side)
            if self.count % _COMPARES_EVERY == 0:
                await compare_when_due(self.runtime, self.world.web.app.state.inbox, lambda _kinds: None)
            while (arrived or self.count % _COMPARES_EVERY == 0) and await self.world.works(self.worker):
                pass
            self.world.trace.clear()

    async def sleeps_until(self, moment):
        """Nobody edits at night; the door stays open."""
        self.world.passes((moment - self.clock.now()) // timedelta(milliseconds=1))
        await schedules.raise_watermark(self.worker.database, f"sign_{Beating.DOOR}", self.clock.now())

    def edits(self):
        """What people do in one tick, by the hour of the day."""
        rates = LUNCH if self.clock.now().astimezone(ZONE).hour == 12 else BUSY
        for side, rate in zip((DRCHRONO, SALESFORCE), rates, strict=True):
            if self.rng.random() < rate * TICK_MS / 3_600_000:
                self.told.edits += 1
                self.world.post.is_by_a_person = True
                (self._in_drchrono if side == DRCHRONO else self._in_salesforce)()
                self.world.post.is_by_a_person = False

    def _in_drchrono(self):
        word = f"{self.rng.getrandbits(32):08x}"
        if self.rng.random() < 0.7:
            visit = self.rng.choice(self.visits)
            self.world.person(DRCHRONO, "PATCH", f"appointments/{visit}", duration=self.rng.randrange(5, 120))
        else:
            chart = self.rng.choice(sorted(self.world.charts))
            self.world.person(DRCHRONO, "PATCH", f"patients/{chart}", city=word)

    def _in_salesforce(self):
        word = f"{self.rng.getrandbits(32):08x}"
        contact = self.rng.choice(sorted(self.world.contacts))
        self.world.person(SALESFORCE, "PATCH", f"records/Contact/{contact}", Email=f"{word}@example.com")

    async def silent(self):
        return {side: feed for side, feed in (await feeds.read(self.worker.database)).items() if feed.silent_since}

    async def works_a_day(self, broken=None, breaks_at=None):
        """From opening to closing, or until a broken feed was found."""
        now = self.clock.now().astimezone(ZONE)
        closes = now.replace(hour=18, minute=0, second=0)
        while self.clock.now() < closes:
            self.edits()
            if breaks_at is not None and self.clock.now() >= breaks_at:
                self.world.post.broken = broken
            await self.ticks()
            found = await self.silent()
            if found and self.world.post.broken is None:
                self.told.alarms.append((self.clock.now(), sorted(found)))
                return
            if self.world.post.broken in found:
                self.told.after_break = self.clock.now() - breaks_at
                self.told.after_loss = self.clock.now() - self.world.post.lost_at
                self.told.found = found[self.world.post.broken].found
                return

    async def to_the_next_morning(self):
        """Until a minute before the clinic opens again."""
        day = self.clock.now().astimezone(ZONE) + timedelta(days=1)
        while day.weekday() > 4:
            day += timedelta(days=1)
        await self.sleeps_until(day.replace(hour=7, minute=59, second=0).astimezone(UTC))


async def lived(seed, days=1, broken=None, break_hour=None):
    """Give what some days came to; with a side that breaks so many hours after the first opening."""
    with TemporaryDirectory(prefix="quiet-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        folder = Path(name)
        async with Database(f"sqlite+aiosqlite:///{folder}/migrated.db").opened() as database:
            await migrate(database)
        known = settings_of(
            Database(f"sqlite+aiosqlite:///{folder}/history.db"), URLS[DRCHRONO], URLS[SALESFORCE], None,
            salesforce_event_tokens=EVENTS, confirm_after="PT5S", drchrono_calls_per_second=100_000,
            drchrono_calls_per_hour=100_000, attempt_limit=50, office_hours=HOURS,
        )  # fmt: skip
        async with open_runtime(known) as template:
            it = Days(Stage(folder / "migrated.db", template), seed)
            with drawn_from(seed, it.clock), structlog.testing.capture_logs() as it.world.lines:
                try:
                    await it.begins()
                    breaks_at = None if broken is None else it.clock.now() + timedelta(hours=break_hour)
                    for number in range(days):
                        await it.works_a_day(broken, breaks_at)
                        if it.told.after_break is not None or number + 1 == days:
                            break
                        await it.to_the_next_morning()
                    it.told.is_lost = it.world.post.lost_at is not None
                finally:
                    await it.world.ends()
                    it.world.stage.ends()
            return it.told


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--breaks", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    given = parser.parse_args()
    alarms = 0
    for seed in range(given.first, given.first + given.seeds):
        told = asyncio.run(lived(seed, given.days * 5 // 7))
        alarms += len(told.alarms)
        print(f"seed {seed}: {given.days} days, {told.edits} edits, {len(told.alarms)} false alarms {told.alarms}")
    return int(not all_found(range(given.first, given.first + given.breaks)) or alarms > given.seeds)


def all_found(seeds):
    """Break a feed for every seed, and say of each how soon that was found; one that kept no edit to itself cannot."""
    told_nothing, late, minutes = 0, 0, []
    for seed in seeds:
        side, break_hour = broken_of(seed)
        told = asyncio.run(lived(seed, 2, side, break_hour))
        if told.after_loss is not None:
            minutes.append(told.after_loss.total_seconds() / 60)
            print(f"seed {seed}: {side}, found {minutes[-1]:.1f} min after the first change it did not tell of")
        elif told.alarms:
            late += 1
            print(f"seed {seed}: {side}, a false alarm before it broke {told.alarms}")
        elif told.is_lost:
            late += 1
            print(f"seed {seed}: {side} broken and not found in two days")
        else:
            told_nothing += 1
            print(f"seed {seed}: {side} broken, and nobody edited anything it could have told of")
    if minutes:
        middle, longest = statistics.median(minutes), max(minutes)
        print(f"of {len(minutes)}: median {middle:.1f} min, longest {longest:.1f} min; {late} not found")
    if told_nothing:
        print(f"{told_nothing} more had nothing to tell")
    return late == 0


def broken_of(seed):
    """Give which side breaks, and how many hours after the first opening."""
    return (DRCHRONO, SALESFORCE)[seed % 2], random.Random(seed).uniform(0.2, 9.0)


if __name__ == "__main__":
    sys.exit(main())
