"""A worker's process and the web's, both in this one: the real service, over wires that lead nowhere else.

Each has its own clients and its own connections to the one database, so that one may die without the other.
"""

import asyncio
import json
import ssl
import traceback
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace

from app.errors import SyncError
from app.main import create_app
from app.store import backfills
from app.store.rate_ledger import RateLedger
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Kind, Side
from app.vendors.drchrono.client import DrChrono
from app.vendors.drchrono.oauth import DrChronoGrant
from app.vendors.rate_limit.concurrency import ConcurrencySlots
from app.vendors.rate_limit.drchrono import DrChronoRateLimit
from app.vendors.rate_limit.policy import Allowance
from app.vendors.rate_limit.salesforce import SalesforceRateLimit
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.oauth import SalesforceGrant
from tests.simulate.turns import ATTEMPT, WORKER, InTurn, InTurns
from tests.simulate.vendors import CALLBACK, DRCHRONO, SALESFORCE, Cable, Exchange, Wire
from workers.compare.reconcile import compare
from workers.sync import sync, take

_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: no call may leave this process


class Attempt:
    """One pass of one worker: what it took, and when it last saw which side, and which record."""

    def __init__(self, worker, step):
        self.worker, self.taken_at, self.work = worker, step, None
        self.looked_at, self.searched_at, self._saw = {DRCHRONO: step, SALESFORCE: step}, step, {}

    def heard(self, side, method, url, content):
        if method == "GET":
            self.looked_at[side] = self.worker.step()
            self._saw.update(dict.fromkeys(_shown(side, content), self.worker.step()))
        if side == DRCHRONO and "date_of_birth=" in url:
            self.searched_at = self.worker.step()

    def saw(self, side, id_):
        """When the side last showed that record to this pass; else when the pass began, by what had been told."""
        return self._saw.get((side, id_), self.taken_at)

    def link_of(self, chart):
        due = self.work.leased.due if self.work else ()
        return next((one.link for one in due if one.link.drchrono_id == str(chart)), None)


def _shown(side, content):
    """Give the records, by side and id, that an answer shows."""
    answer = json.loads(content) if content.startswith(b"{") else {}  # a job's results are no JSON
    rows = answer.get("results", answer.get("records", [answer]))
    return [(side, row.get("id" if side == DRCHRONO else "Id")) for row in rows if isinstance(row, dict)]


class Worker:
    """One worker's process; it works when told to, and stops at every turn."""

    def __init__(self, name, template, database, vendors, turns, step, ledger):
        self.name, self.turns, self.step, self.current, self.task = name, turns, step, None, None
        self._clock, self.since, self._ledger = vendors.clock, 0, ledger
        self.database = database
        self.runtime = _runtime(template, self.database, InTurns(self.database, turns), vendors, self)

    @property
    def is_busy(self):
        return self.task is not None and not self.task.done()

    def starts(self, kind):
        """Begin a pass over what is due."""
        self._begins(self._pass(kind))

    def _begins(self, job):
        context = copy_context()
        self.current, self.since = Attempt(self, self.step()), self._clock.ms
        context.run(WORKER.set, self)
        context.run(ATTEMPT.set, self.current)
        self.task = asyncio.create_task(job, context=context)
        self.task.add_done_callback(self._ended)

    def _ended(self, task):
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, SyncError):
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.turns.errors.append(f"{type(error).__name__} in {place.name} ({place.lineno})")

    def does(self, job):
        """Begin with something else than a pass."""
        self._begins(job)

    def compares(self, inbox, kind, since):
        """Begin to compare both sides, of one kind."""
        self._begins(compare(self.runtime, inbox, kind, since=since))

    async def _pass(self, kind):
        self.current.work = await take(self.runtime, kind)
        if self.current.work is not None:
            await sync(self.current.work)
            charts = {one.link.drchrono_id for one in self.current.work.leased.due}
            self._ledger.learns(self.current.taken_at, charts)

    async def ends(self):
        """Take it away, whatever it was doing."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.runtime.drchrono.close()
        await self.runtime.salesforce.broker.close()
        await self.runtime.salesforce._grant.close()


class _OverCable(Salesforce):
    """The client, its library's sessions plugged into this process."""

    cable = None

    def _library(self, token):
        library = super()._library(token)
        library.session.mount("https://", self.cable)
        return library


def _runtime(template, plain, database, vendors, worker):
    known, turns = template.settings, worker.turns
    client_id, secret = known.drchrono_client_id, known.drchrono_client_secret.get_secret_value()
    budget = DrChronoRateLimit(DRCHRONO, RateLedger(plain, client_id), Allowance(known.drchrono_calls_per_hour, 10_000))
    grant = DrChronoGrant(known.drchrono_base_url, client_id, secret, _NOBODY, budget)
    drchrono = DrChrono(grant, VendorTokens(plain, template.vault, Side.DRCHRONO), _NOBODY, _unheard)
    _wired(drchrono._http, Wire(vendors, DRCHRONO, turns))
    _wired(drchrono.files._http, Wire(vendors, DRCHRONO, turns))
    _wired(grant._oauth, Wire(vendors, DRCHRONO))
    sign_in = SalesforceGrant(template.salesforce._grant._credentials, _NOBODY)
    _wired(sign_in._oauth, Wire(vendors, SALESFORCE))
    store = VendorTokens(plain, template.vault, Side.SALESFORCE)
    told = SalesforceRateLimit(
        SALESFORCE,
        RateLedger(plain, SALESFORCE),
        known.salesforce_daily_call_share,
        ConcurrencySlots(goes_on_s=0.0),
        remember_s=0.0,
    )
    salesforce = _OverCable(sign_in, store, _NOBODY, known.salesforce_api_version, _unheard, told)
    salesforce.cable, salesforce._threads = Cable(vendors), InTurn(turns, worker)
    _wired(salesforce.files._http, Wire(vendors, SALESFORCE, turns))
    return replace(template, database=database, drchrono=drchrono, salesforce=salesforce)


def _wired(client, wire):
    client._transport, client._mounts = wire, {}


def _unheard(*_, **__):
    pass


class Web:
    """The web's process: its doors, over the real inbox. Nobody rings; workers start when the history says so."""

    def __init__(self, template, database, inbox):
        self.database = database
        self.app = create_app(template.settings)
        self.app.state.runtime = replace(template, database=self.database)
        self.app.state.inbox = inbox

    async def gets(self, path, content, headers):
        """A vendor delivers; gives the status we answered."""
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        request = Exchange(
            "POST", f"http://localhost{path}", raw, content if isinstance(content, bytes) else content.encode()
        )
        with suppress(Exception):  # it has answered then that it failed
            await self.app(request.scope, request.receive, request.send)
        return request.answer[0]

    async def ends(self):
        await self.app.state.inbox.close()


async def connects(worker, vendors):
    """The practice is connected, as by a person who presses Allow, and has whatever is there by then loaded."""
    code = vendors.practice.allow(CALLBACK, "")
    await worker.runtime.drchrono.broker.replace(await worker.runtime.drchrono.grant.exchange(code, CALLBACK))
    for kind in Kind:
        await backfills.loaded(worker.runtime.database, kind)
