"""One world out of one seed: both vendors, the mail between, one database, a web and two workers, in one thread.

It does what a history asks for, writes down what happened, and knows how to bring everything to rest.
"""

import json
import random
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.store import work_queue as store_links
from app.store.tables import allowances, links, metadata
from app.sync.model import Kind
from app.timings import REAL
from tests.simulate.documents import Shelf, letters
from tests.simulate.fields import KEYS, is_visit
from tests.simulate.ledger import HUMAN, Ledger
from tests.simulate.odd import frees
from tests.simulate.post import CHARTS, Post
from tests.simulate.processes import Web, Worker
from tests.simulate.turns import Turns
from tests.simulate.vendors import DRCHRONO, SALESFORCE, URLS, Trouble, Vendors, answered
from workers.compare.reconcile import ORDER, compare

_JSON = [(b"content-type", b"application/json")]
_MOST_LOOKS = 1000
BOOKED = "drchrono_appointment__c"
_LEASES = sa.select(links.c.lease_until).where(links.c.due_at.is_not(None))
_ALL_OF = {table: sa.select(table) for table in metadata.sorted_tables}
_SAID = ("record_id", "plan", "changed", "patched", "conflicts", "put_backs", "refused", "cause", "code", "error")


class NeverRestsError(AssertionError):
    """Something is due again and again."""


class World:
    """What a history is told with."""

    def __init__(self, stage, seed, lines, template):
        self.stage, self.lines, self.clock, self.turns = stage, lines, stage.clock, Turns()
        self.template, self.has_documents = template, Kind.DOCUMENT in template.mappings
        self.deletes = template.settings.on_drchrono_delete == "delete"
        self.shelf, self.scanner = Shelf(), None
        self.rng = random.Random(f"{seed}")
        self.trace, self.steps, self.workers, self.dead = [], 0, [], []
        self.vanished, self.named, self.hot, self.days = set(), set(), (), {}
        self.odd, self.hidden, self.frees_at_ms, self.written_by_then = set(), {}, None, None
        self.vendors, self.post = Vendors(self.clock, self.rng, self.tells), Post(self.rng)
        self.web = Web(self.template, stage.memory.lends(), stage.memory.inbox())
        self.ledger = Ledger(lambda kind: self.template.rules(Kind(kind)), self.partner, self.key_of)
        self.ledger.vanished = self.vanished
        self.vendors.practice.dispatcher.raise_event = self._drchrono_changed
        self.vendors.org.listeners.append(self._salesforce_changed)

    def tells(self, line):
        """Write down what happened, after what the service itself had to say."""
        said, self.lines[:] = list(self.lines), []
        for one in said:
            words = {name: one[name] for name in _SAID if one.get(name)}
            self.trace.append(f"        {one['event']} {words}")
        self.trace.append(f"{self.steps:3} {self.clock.ms / 1000:9.3f}s {line}")

    def step(self):
        return self.steps

    # what there is

    @property
    def charts(self):
        return self.vendors.practice.patients.records

    @property
    def contacts(self):
        return {row["Id"]: row for row in self.vendors.org.tables["contact"].live()}

    @property
    def gone(self):
        return [row for row in self.vendors.org.tables["contact"].rows.values() if row["IsDeleted"]]

    @property
    def visits(self):
        """DrChrono's, those it deleted left out."""
        return {id_: one for id_, one in self.vendors.practice.appointments.records.items() if not one["deleted_flag"]}

    @property
    def documents(self):
        return self.vendors.practice.documents.records

    @property
    def kinds(self):
        """Those that are synced, parents first."""
        return [kind for kind in ORDER if kind in self.template.mappings]

    @property
    def booked(self):
        """Salesforce's visits."""
        return {row["Id"]: row for row in self.vendors.org.tables[BOOKED].live()}

    def key_of(self, table, id_):
        """The DrChrono id that a Salesforce record bears."""
        row = self.vendors.org.tables[table].rows.get(id_)
        return row and row[KEYS[table]]

    def partner(self, side, id_):
        """The record that is the same thing on the other side, by the external id that Salesforce's bears."""
        table = BOOKED if is_visit(side, id_) else "contact"
        if side == SALESFORCE:
            key = self.key_of(table, id_)
            return int(key) if key and key.isdecimal() and table == "contact" else key
        rows = self.vendors.org.tables[table].live()
        return next((row["Id"] for row in rows if row[KEYS[table]] == str(id_)), None)

    def _drchrono_changed(self, event, record):
        by = self.vendors.author or HUMAN
        changed = self.ledger.sees(self.steps, DRCHRONO, record["id"], record, by, self.vendors.is_late)
        self._tells_change(DRCHRONO, record["id"], changed)
        self.post.drchrono(event, dict(record))

    def _salesforce_changed(self, call, table, row, op, _changed):
        name = table.kind.name.lower()
        if name not in KEYS:
            letters(self, call, table, row, op)
            return
        self.ledger.comes(name, row[KEYS[name]])
        if name in ("contact", BOOKED):
            by = HUMAN if call.human else self.vendors.author
            late, sent = self.vendors.is_late, call.rewritten
            changed = self.ledger.sees(self.steps, SALESFORCE, row["Id"], row, by, late, sent)
            self._tells_change(SALESFORCE, row["Id"][9:15], changed)
            if op == "deleted" and name == BOOKED and by is HUMAN:  # it is to be cancelled in DrChrono
                self.ledger.deletes(SALESFORCE, row["Id"])
        self.post.salesforce(table.kind.name, dict(row), op)

    def _tells_change(self, side, id_, changed):
        by = self.vendors.author.worker.name if self.vendors.author else HUMAN
        held = self.ledger.changes[len(self.ledger.changes) - len(changed) :]
        self.tells(f"    {by} -> {side} {id_}: " + ", ".join(f"{one.name}={one.after!r}" for one in held))

    # what people do

    def person(self, side, method, path, **fields):
        """Somebody does something at a vendor's control door; gives what the door answered, None if it refused."""
        url, body = f"{URLS[side]}/_control/{path}", json.dumps(fields).encode()
        status, _, content = answered(self.vendors.apps[side], method, url, _JSON, body)
        return json.loads(content or b"{}") if status < 300 else None

    # what the service does

    def hires(self):
        """A worker's process is started."""
        number = len(self.workers) + len(self.dead)
        here = (self.template, self.stage.memory.lends(), self.vendors, self.turns, self.step, self.ledger)
        self.workers.append(Worker(f"w{number}", *here))
        return self.workers[-1]

    def kills(self, worker):
        """It goes no step further, and says nothing to anybody."""
        self.turns.forget(worker)
        self.workers.remove(worker)
        self.dead.append(worker)

    async def delivers(self, letter):
        if letter.path == CHARTS and not is_visit(DRCHRONO, (raw := json.loads(letter.content)["object"])["id"]):
            self.ledger.hears(self.steps, raw["id"], raw)
        return await self.web.gets(letter.path, letter.content, letter.headers)

    def passes(self, ms):
        self.clock.moves(ms)
        self.vendors.lands()
        if self.frees_at_ms is not None and self.clock.ms >= self.frees_at_ms:
            frees(self)

    # how it comes to rest

    async def settles(self):
        """Nobody edits and nothing goes wrong any more: what is under way arrives, until nothing is due."""
        self.vendors.trouble, self.turns.is_open = Trouble(), True
        while self.turns.waiting:
            await self.turns.lets(self.turns.waiting[0])
        worker = self.workers[0] if self.workers else self.hires()
        for _ in range(_MOST_LOOKS):
            self.steps += 1
            self.passes(10)
            if self.post.bag:
                letter, _ = self.post.draws(0)
                self.tells(f"arrives: {letter.about}")
                assert await self.delivers(letter) == 200, letter
                continue
            if not await self.works(worker):
                next_s = await store_links.next_due_in_s(worker.database)
                leased_s = await self.leased_s(worker)
                late_s = [(at - self.clock.ms) / 1000 for at, _ in self.vendors.late]
                self.tells(f"rests: due in {next_s}, leased for {leased_s}, late in {late_s}")
                ahead = [one for one in (next_s, leased_s, await self.closed_s(), *late_s) if one is not None]
                if not ahead:
                    return
                self.passes(int(min(ahead) * 1000) + 5)
        raise NeverRestsError(f"after {_MOST_LOOKS} looks something is still due")

    async def works(self, worker):
        """One pass, from begin to end; says whether anything was due."""
        for kind, _lane in await store_links.waiting(worker.database):
            worker.starts(kind)
            await worker.task
            if worker.current.work is not None:
                return True
        return False

    async def leased_s(self, worker):
        """In how many seconds the last lease on something due runs out, None when there is none."""
        rows = await worker.database.read(_LEASES)
        ends = [row.lease_until for row in rows if row.lease_until is not None]
        return max(0.0, (max(ends) - self.clock.now()).total_seconds()) if ends else None

    async def closed_s(self):
        """In how many seconds a vendor that was left alone is called again, None when none is."""
        rows = [row for row in await self.rows(allowances) if row.closed_until is not None]
        ahead = [(row.closed_until - self.clock.now()).total_seconds() for row in rows]
        return min((one for one in ahead if one > 0), default=None)

    async def compares(self):
        """Have whatever changed in this history pointed out by the service's own compare.

        One that was cut off goes on where it stood, so what came since is the next one's; whoever died over it holds it
        for a while.
        """
        self.passes(REAL.scan_held // timedelta(milliseconds=1) + 1)
        self.tells("both sides are compared")
        worker = self.workers[0] if self.workers else self.hires()
        for kind in self.kinds:
            for _ in range(2):
                done = await compare(worker.runtime, self.web.app.state.inbox, kind, since=self.clock.first)
                if datetime.fromisoformat(done.began) >= self.clock.now():
                    break
        await self.settles()

    async def rows(self, table):
        return await self.web.database.read(_ALL_OF[table])

    async def ends(self):
        for worker in (*self.workers, *self.dead):
            await worker.ends()
        await self.web.ends()
