"""Random histories out of a seed: people, mail, faults and deaths, told against both stand-ins; then everything rests.

The same seed tells the same history: what may happen is in `hand.py`, what must be true at rest in `oracle.py`.
"""

import hashlib
import random
import traceback
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import structlog

from app.runtime import open_runtime
from app.store.database import Database
from app.store.migrate import migrate
from app.sync.mappings import file
from tests.build import mapping_with_documents
from tests.flow.clinic import settings_of
from tests.simulate import documents, oracle, rough, scanner
from tests.simulate.clock import AUTUMN, FIRST, Clock, drawn_from
from tests.simulate.database import Memory
from tests.simulate.hand import ACTIONS, DOCUMENTED, KEPT_DOCUMENTED, KINDER_DOCUMENTED, POOL, Mix, drawn, weights
from tests.simulate.odd import frees, makes_unkind, opens, show
from tests.simulate.post import EVENTS
from tests.simulate.postgresql import Served
from tests.simulate.processes import connects
from tests.simulate.vendors import AT_LAST, DRCHRONO, SALESFORCE, URLS, Trouble
from tests.simulate.world import NeverRestsError, World

_AUTUMN, _ON_POSTGRESQL = 0.1, 0.1  # of all histories
_SCANNED = 0.5  # of those with documents
_NEXT_LISTS = 2  # a file that was replaced waits for the next one where its text is edited, or a version is new
_DISMISSED = 0.8  # of what waits for a person once all is at rest, one after the other
_KEPT_FROM_US_MS = 90_000  # once nobody edits any more, those records that nobody may write to
REPLACED = replace(
    DOCUMENTED, calls=0.2, file_versioned=2.0, document_edited=1.5, documents_polled=2.0, document_deletes=0.5,
    document_replaced=2.0, scanner_fails=0.8, scanner_recovers=0.6,
)  # fmt: skip
# (seed, mix) of histories that failed once
KEPT = (
    *((seed, Mix()) for seed in (16, 39, 200, 272, 1618, 2111, 3090, 3231, 51552, 53032, 51906, 50531, 50781, 51234)),
    *((seed, Mix()) for seed in (54840, 54913, 146326428)),
    *((seed, Mix(contact_merged_away=1.0)) for seed in (17, 18)),
    *((seed, replace(rough.ROUGH, **rough.KINDER)) for seed in (62, 2090)),
    (278653058, REPLACED),
    *((seed, KEPT_DOCUMENTED) for seed in (30802757, 146326417, 136326650, 192722137)),
    *((seed, KINDER_DOCUMENTED) for seed in (2022007, 2022064, 5987423, 5987528, 11187857)),
)
# (seed, mix, why it fails) of those that fail still
BROKEN = ()


@dataclass
class Told:
    """What a history came to."""

    seed: int
    trace: list = field(default_factory=list)
    complaints: list = field(default_factory=list)
    steps: int = 0
    overtaken: int = 0
    edits: int = 0
    writes: int = 0
    seconds: float = 0.0
    is_rough: bool = False
    is_on_postgresql: bool = False
    has_documents: bool = False

    @property
    def sort(self):
        return (
            ", with documents" * self.has_documents
            + ", rough" * self.is_rough
            + ", on PostgreSQL" * self.is_on_postgresql
        )

    @property
    def hash(self):
        return hashlib.sha256("\n".join(self.trace).encode(errors="backslashreplace")).hexdigest()

    def __str__(self):
        """Give all of it as text that any terminal or file takes: people enter characters that none has."""
        told = "\n".join(
            [
                *self.trace,
                f"seed {self.seed}{self.sort}, after {self.steps} steps:",
                *(f"  WRONG: {one}" for one in self.complaints),
            ]
        )
        return told.encode(errors="backslashreplace").decode()


class Stage:
    """Where histories are told, one after the other, in one process: a migrated database and a runtime to copy.

    server  where a PostgreSQL is, with a database `migrated`; without one every history is told on SQLite
    is_on   says by the seed which history is told on PostgreSQL
    """

    def __init__(self, migrated, template, server=None, is_on=None):
        self.template, self.clock = template, Clock()
        self.without_documents = replace(template, mappings=file.load())
        self.sqlite = self.memory = Memory(template.settings, migrated, self.clock)
        self.postgresql = server and Served(server, template.settings.identity, self.clock)
        self._is_on = is_on

    async def tells(self, seed, mix=None):
        """Tell one history."""
        mix = mix or Mix()
        started, told = perf_counter(), Told(seed, is_rough=mix.is_rough, has_documents=mix.has_documents)
        told.is_on_postgresql = self.postgresql is not None and self._is_on(seed)
        self.memory = self.postgresql if told.is_on_postgresql else self.sqlite
        world = self.world(seed, mix)
        makes_unkind(world, seed, mix.unkind)
        told.trace = world.trace
        with drawn_from(seed, world.clock), structlog.testing.capture_logs() as world.lines:
            try:
                await _lived(world, drawn(world.rng, mix))
                told.complaints = await (rough if mix.is_rough else oracle).complaints(world)
            except NeverRestsError as error:
                told.complaints = [str(error)]
            except Exception as error:
                if not mix.is_rough:
                    raise
                told.complaints = [f"something ends a pass: {''.join(traceback.format_exception(error)[-4:])}"]
            finally:
                await world.ends()
        told.steps, told.overtaken = mix.steps, len(world.ledger.overtaken)
        told.edits, told.writes = sum(world.ledger.edits.values()), sum(world.ledger.writes.values())
        told.seconds = perf_counter() - started
        return told

    def world(self, seed, mix):
        """Give the world of a seed before anything has happened in it."""
        self.clock.ms = 0
        self.clock.starts(AUTUMN if random.Random(f"{seed} season").random() < _AUTUMN else FIRST)
        self.memory.starts_anew()
        return World(self, seed, [], self._template(seed, mix) if mix.has_documents else self.without_documents)

    def _template(self, seed, mix):
        """Give the runtime to copy where there are documents, with what this clinic has set otherwise."""
        otherwise = {}
        if random.Random(f"{seed} deletes").random() < mix.document_deletes:
            otherwise["on_drchrono_delete"] = "delete"
        if mix.scanner_fails and (drawn := random.Random(f"{seed} scanner")).random() < _SCANNED:
            otherwise["document_scanner"] = drawn.choice(scanner.URLS)
        return replace(self.template, settings=self.template.settings.model_copy(update=otherwise))

    def ends(self):
        self.sqlite.ends()
        if self.postgresql is not None:
            self.postgresql.ends()

    async def shortest(self, seed, mix=None):
        """Tell a history that fails up to where it first does, or whole where that cannot be told earlier."""
        mix = mix or Mix()
        for steps in (*range(0, mix.steps, 4), mix.steps):
            told = await self.tells(seed, replace(mix, steps=steps))
            if told.complaints:
                break
        return told


def is_on_postgresql(seed):
    """Say whether the history of a seed is told on PostgreSQL."""
    return random.Random(f"{seed} database").random() < _ON_POSTGRESQL


async def _lived(world, mix):
    """Live through a history, and bring it to rest."""
    world.hot = sorted(world.rng.sample(sorted(POOL), world.rng.choice((1, 2, 4, len(POOL)))))
    world.tells(f"{mix} {world.hot}")
    for _ in range(2):
        world.hires()
    if world.has_documents:
        documents.begins(world)
        scanner.begins(world)
    await connects(world.workers[0], world.vendors)
    for _ in range(mix.people):
        await ACTIONS["chart_created"](world, mix)
    if world.rng.random() < 0.7:
        await world.settles()
    longest = {"longest_ms": AT_LAST} if mix.is_rough else {}
    pages = mix.pages or mix.document_pages
    world.turns.is_open, world.vendors.trouble = False, Trouble(mix.calls, pages, mix.odd_rows, **longest)
    names, shares = list(ACTIONS), weights(mix)
    for _ in range(mix.steps):
        world.steps += 1
        world.passes(world.rng.choice((1, 5, 300)))
        name = world.rng.choices(names, shares)[0]
        if await ACTIONS[name](world, mix):
            world.tells(name)
    world.tells("nobody edits any more")
    for chart in list(world.hidden):
        show(world, chart)
    opens(world)
    documents.opens(world)
    scanner.opens(world)
    world.frees_at_ms = world.clock.ms + _KEPT_FROM_US_MS
    await world.settles()
    frees(world)
    if world.post.is_lost or mix.is_rough or world.has_documents:
        await world.compares()
    if world.has_documents:
        for _ in range(_NEXT_LISTS if world.shelf.replaced else 0):
            await world.compares()
        await documents.settles(world)
    if mix.failure_dismissed:
        while world.rng.random() < _DISMISSED and await ACTIONS["failure_dismissed"](world, mix):
            world.tells("failure_dismissed")
        world.written_by_then = Counter(world.ledger.writes)
        await world.compares()


@asynccontextmanager
async def stage(server=None, is_on=is_on_postgresql):
    """Give a stage; see `Stage`."""
    with TemporaryDirectory(prefix="history-") as folder:
        database = Database(f"sqlite+aiosqlite:///{folder}/migrated.db")
        async with database.opened():
            await migrate(database)
        known = settings_of(
            database, URLS[DRCHRONO], URLS[SALESFORCE], None,
            mapping_file=mapping_with_documents(Path(folder) / "mapping.toml"), document_call_share=1,
            salesforce_event_tokens=EVENTS, confirm_after="PT5S", drchrono_calls_per_second=100_000,
            drchrono_calls_per_hour=100_000, attempt_limit=50,
        )  # fmt: skip
        async with open_runtime(known) as template:
            one = Stage(database.path, template, server, is_on)
            try:
                yield one
            finally:
                one.ends()
