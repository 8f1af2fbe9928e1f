"""A clinic in one process: the service over a real database, between both stand-ins, with time that tests may move.

Deliveries are posted at the real door; the worker's passes are run by hand, one after the other, so a test decides
what happens between any two of them, and what never does (a crash).
"""

import asyncio
import contextlib
import functools
import json
from collections import defaultdict
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa

from app.errors import StoreUnavailable
from app.main import create_app
from app.ports import SealedColumn
from app.runtime import open_inbox, open_runtime
from app.settings import env_file
from app.store.clock import db_now
from app.store.clock_skew import instants
from app.store.outcomes import save
from app.store.tables import (
    allowances,
    audit,
    backfills,
    conflicts,
    connections,
    darkness,
    decisions,
    deliveries,
    events,
    failures,
    feeds,
    instance,
    journal,
    links,
    scans,
    schedules,
    watermarks,
    workers,
    zones,
)
from app.store.work_queue import waiting
from app.sync.decide import decide
from app.sync.model import Kind, Side
from tests.build import HASH_KEY, KEY
from tests.flow.yesterday import is_remembered, remember
from workers.compare.reconcile import EVER, compare
from workers.lease import renewing
from workers.match import match_before_create
from workers.outcome import outcome_of
from workers.read import read_both_sides
from workers.report import report_batch
from workers.sync import sync, take
from workers.write import execute

SECRET = "the-webhook-secret-of-all-the-tests"
OUTBOUND = "outbound-token-of-the-tests"
OPERATOR = "operator-token-of-the-tests"
ORG_ID = "00DSYN0000000012BA"
DOCTOR = "310001"
SEARCH_GAP = timedelta(seconds=30)
CONFIRM_AFTER, REQUEST_LIMIT = timedelta(seconds=60), timedelta(minutes=10)
DRCHRONO_LIMIT = timedelta(minutes=2)
LOOKS = {"sign_in", "sign_out", "list", "search", "show"}  # what the audit notes of people who change nothing
MOST_NOTIFICATIONS = 100  # of one outbound message
TICKED = {
    "FirstName": "Tess",
    "LastName": "Sample",
    "Birthdate": "1990-02-03",
    "DrChrono_Gender__c": "Female",
    "Email": "tess@example.com",
    "Sync_To_DrChrono__c": True,
}


# what the service does every so often, what it has read up to when, and since when: moved by `patience.ages` alone
REGULAR = (watermarks, schedules, darkness, deliveries, scans, feeds)
# what no passing of time moves: the vendors' tokens, which live by the machine's clock; the signs of workers; and what
# is only told to people
UNMOVED = (
    *(column for column in connections.c if column is not connections.c.pending_at),
    *(
        column
        for table in (workers, conflicts, decisions, failures, zones, audit, instance, backfills)
        for column in table.c
    ),
    events.c.finished_at,
    links.c.synced_at,
    journal.c.answered_at,
    allowances.c.told_at,
)
TIMES = [column for column in instants("deadline", "lease", "stamp") if not any(column is one for one in UNMOVED)]
MOVED = [column for column in TIMES if column.table not in REGULAR]


async def move_back(connection, columns, span):
    """Let these columns be so much longer ago."""
    ms = span // timedelta(milliseconds=1)
    earlier = defaultdict(dict)
    for column in columns:
        earlier[column.table][column.name] = sa.type_coerce(column, sa.BigInteger) - ms
    for table, values in earlier.items():
        await connection.execute(sa.update(table).values(values))


class Clinic:
    """What a story of a flow test is told with."""

    confirm_after = CONFIRM_AFTER

    def __init__(self, run, web, drchrono, salesforce):
        self.runtime, self.web, self.drchrono, self.salesforce = run, web, drchrono, salesforce
        self._sent = 0

    async def connects(self, user=None, scope=None):
        """A DrChrono user presses Allow, for less than was asked where told; gives the page that comes of it."""
        bearer = {"authorization": f"Bearer {OPERATOR}"}
        away = await self.web.get("/connect/drchrono", headers=bearer)
        asked = httpx.URL(away.headers["location"]).params
        given = {"redirect_uri": asked["redirect_uri"], "scope": scope or asked["scope"], "user": user}
        code = self.drchrono.post("/_control/oauth/code", json=given).json()["code"]
        cookies = away.headers["set-cookie"].split(";")[0]
        back = {"code": code, "state": asked["state"]}
        return await self.web.get("/connect/drchrono/callback", params=back, headers={**bearer, "cookie": cookies})

    async def registers(self, **fields):
        """A human registers a patient at DrChrono; nothing is delivered yet."""
        return self.drchrono.post("/_control/patients?silent=true", json=fields).json()

    async def has_linked(self, **fields):
        """A patient is linked, both sides equal; what it took to get there is not counted."""
        patient = await self.registers(**{"cell_phone": "(555) 010-0142", "email": "old@example.com", **fields})
        await self.arrives(patient, event="PATIENT_CREATE")
        self.drchrono.delete("/_control/calls")
        return patient

    async def edits(self, patient, **fields):
        """A human edits a patient at DrChrono; nothing is delivered yet. The clock moves on by a second."""
        self.drchrono.put("/_control/clock", json={"offset_s": self._tick()})
        return self.drchrono.patch(f"/_control/patients/{patient['id']}?silent=true", json=fields).json()

    async def both_edit(self, patient, theirs, ours):
        """Both sides edit a patient before either has told; then both tell, and the workers have seen it through."""
        edited = await self.edits(patient, **theirs)
        self.human_edits_contact(**ours)
        await self.delivers(edited)
        await self.hears()
        await self.settles()

    def _tick(self):
        self._sent += 1
        return self._sent * 2

    async def delivers(self, patient, event="PATIENT_MODIFY", delivery=None, secret=SECRET):
        """DrChrono delivers a patient's state; gives the status we answered."""
        self._sent += 1
        headers = {
            "x-drchrono-event": event,
            "x-drchrono-signature": secret,
            "x-drchrono-delivery": delivery or f"d{self._sent}",
            "content-type": "application/json",
        }
        body = json.dumps({"receiver": {"id": 1}, "object": patient})
        return (await self.web.post("/webhooks/drchrono", content=body, headers=headers)).status_code

    async def hears_of(self, contact_id):
        """Salesforce sends an outbound message about one Contact."""
        return await self.hears(among=[contact_id])

    async def hears(self, token=OUTBOUND, org=ORG_ID, among=None):
        """Salesforce sends outbound messages about every Contact as it is now; gives the worst status we answered."""
        contacts, statuses = [one for one in self.contacts() if among is None or one["Id"] in among], []
        for at in range(0, len(contacts) or 1, MOST_NOTIFICATIONS):
            self._sent += 1
            answer = await self.web.post(
                f"/webhooks/salesforce/outbound/{token}",
                content=outbound_message(contacts[at : at + MOST_NOTIFICATIONS], org, self._sent),
                headers={"content-type": "text/xml; charset=utf-8", "soapaction": '""'},
            )
            statuses.append(answer.status_code)
        return max(statuses)

    async def takes(self, kind=Kind.PATIENT):
        """A worker takes what is due of a kind, and does nothing with it yet."""
        return await take(self.runtime, kind)

    async def looks(self, work):
        return await read_both_sides(work)

    async def writes_out(self, work, looked):
        """Carry out what a look asks for, and die before it is recorded; gives what became of it."""
        plans = {one.link.id: decide(work.rules, one.link, one.seen, work.leased.now) for one in looked}
        async with renewing(work) as lease:
            plans = await match_before_create(work, looked, plans)
            return plans, await execute(work, lease, looked, plans)

    async def records(self, work, looked, outcome):
        plans, answers = outcome
        results = [outcome_of(work, one, plans.get(one.link.id), answers.get(one.link.id, {})) for one in looked]
        saved = await save(work.runtime.database, work.leased.token, results)
        report_batch(work, plans, results, saved)

    async def carries_on(self, work):
        if work is not None:
            await sync(work)

    async def dies_when(self, work, happened):
        """A worker goes on until something is true, and is killed."""
        dying = asyncio.create_task(sync(work))
        while not happened():  # noqa: ASYNC110 - the stand-in runs on a thread of its own
            await asyncio.sleep(0.01)
        dying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await dying

    async def links(self, kind=Kind.PATIENT):
        return [row for row in await self.rows(links) if row.kind == kind.value]

    async def journal(self, side):
        """Our writes to a side, oldest first; not those of doctors and offices."""
        staff = {row.id for kind in (Kind.DOCTOR, Kind.OFFICE) for row in await self.links(kind)}
        ours = (row for row in await self.rows(journal) if row.side == side and row.link_id not in staff)
        return sorted(ours, key=lambda row: row.id)

    async def settles(self):
        """Workers do all that is due now; gives how many passes that took."""
        passes = 0
        while places := await waiting(self.runtime.database):
            if (work := await self.takes(places[0][0])) is None:  # a side is not connected
                break
            await sync(work)
            passes += 1
            assert passes < 50, "it never comes to rest"
        return passes

    async def knows_the_staff(self):
        """Doctors and offices are there, as at any clinic that runs; what that took is not counted."""
        inbox = open_inbox(self.runtime, lambda _group: None)
        for kind in (Kind.DOCTOR, Kind.OFFICE):
            await compare(self.runtime, inbox, kind, EVER)
            await self.settles()
        await inbox.close()
        self.salesforce.delete("/_control/writes")
        self.salesforce.delete("/_control/calls")

        async def forget(connection):
            for table in (audit, events, deliveries, journal):
                await connection.execute(sa.delete(table))
            await connection.execute(sa.delete(connections).where(connections.c.side == Side.SALESFORCE.value))

        await self.runtime.database.transact(forget)

    async def was_loaded(self):
        """What was there before both sides were connected was loaded long ago, as at any clinic that runs."""

        async def work(connection):
            known = set(await connection.scalars(sa.select(backfills.c.kind)))
            rows = [{"kind": kind.value, "loaded_at": self.runtime.now()} for kind in Kind if kind.value not in known]
            if rows:
                await connection.execute(sa.insert(backfills), rows)

        await self.runtime.database.transact(work)

    async def was_never_loaded(self):
        """As at a clinic whose sides are connected now: what is there by its first comparison was there before."""

        async def work(connection):
            await connection.execute(sa.delete(backfills))

        await self.runtime.database.transact(work)

    async def arrives(self, patient, **how):
        """DrChrono delivers, and the workers settle it."""
        assert await self.delivers(patient, **how) == 200
        await self.settles()

    async def time_passes(self, span):
        """Move everything the database remembers back by a span: the clock itself cannot be moved."""
        await self.has_aged(MOVED, span)

    async def has_aged(self, columns, span):
        """Let these columns be so much longer ago, and the worker know no better."""

        async def work(connection):
            await move_back(connection, columns, span)

        await self.runtime.database.transact(work)
        if self.runtime.salesforce is not None:
            self.runtime.salesforce.budget._known = None

    async def rows(self, table):
        """Give all rows of a table, in no order; those of the audit in theirs."""
        every = sa.select(table)
        return await self.runtime.database.read(every.order_by(audit.c.position) if table is audit else every)

    async def link(self, patient):
        found = sa.select(links).where(links.c.drchrono_id == str(patient["id"]))
        return (await self.runtime.database.read(found))[0]

    async def failures(self):
        return [(row.side, row.cause, row.fields) for row in await self.rows(failures)]

    async def unfinished(self):
        return [row for row in await self.rows(events) if row.finished_at is None]

    async def clock_is_put_ahead(self, span):
        """Somebody sets the database's clock: all it remembers was so long ago, though no time has passed here."""
        database = self.runtime.database
        (row,) = await database.read(sa.select(db_now().label("now")))
        await self.time_passes(span)
        database.pace.note(database.pace.read(row.now - span))

    def contacts(self):
        return self.salesforce.get("/_control/records/Contact").json()["records"]

    def contact(self):
        (found,) = self.contacts()
        return found

    def writes(self):
        return [write["op"] for write in self.salesforce.get("/_control/writes").json()["writes"]]

    def human_edits_contact(self, contact_id=None, **fields):
        """A human edits the only Contact there is, or the one named."""
        path = f"/_control/records/Contact/{contact_id or self.contact()['Id']}"
        self.salesforce.patch(path, json=fields).raise_for_status()

    def human_enters_contact(self, **fields):
        """A human enters a Contact in Salesforce; gives its Id."""
        made = self.salesforce.post("/_control/records/Contact", json={"LastName": "Fixture", **fields})
        return made.raise_for_status().json()["Id"]

    def human_ticks_contact(self, **fields):
        """A human enters a whole Contact and wants it in DrChrono; gives its Id."""
        return self.human_enters_contact(**{**TICKED, **fields})

    def charts(self):
        """Every patient as DrChrono holds it now."""
        return list(self.drchrono.get("/_control/patients").json()["patients"].values())

    def chart(self, patient):
        """A patient as DrChrono holds it now."""
        return self.drchrono.get("/_control/patients").json()["patients"][str(patient["id"])]

    def body(self, row):
        """What is kept of a delivery, unsealed, as bytes."""
        return self.runtime.vault.open_bytes(row.body, SealedColumn.DELIVERY_BODY.of(row.id))

    async def replaced(self):
        """The values our writes replaced, unsealed, in the order they were written."""
        kept = [row for row in await self.rows(journal) if row.replaced]
        return [self.runtime.vault.open(row.replaced, SealedColumn.WRITE_REPLACED.of(row.id)) for row in kept]

    def calls(self, side, method_and_path):
        counts = getattr(self, side).get("/_control/calls").json()["counts"]
        return sum(count for name, count in counts.items() if name.startswith(method_and_path))

    def breaks(self, side, match, do, **more):
        getattr(self, side).post("/_control/faults", json={"match": match, "do": do, **more})


def outbound_message(contacts, org, number):
    """What Salesforce sends about these Contacts: SOAP, one notification each."""
    notifications = "".join(
        f"<Notification><Id>04lSYN{number:06d}{at:03d}YBA</Id>"
        '<sObject xsi:type="sf:Contact" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">'
        f"<sf:Id>{contact['Id']}</sf:Id>"
        f"<sf:SystemModstamp>{contact['SystemModstamp'][:23]}Z</sf:SystemModstamp></sObject></Notification>"
        for at, contact in enumerate(contacts)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        f'<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>{org}</OrganizationId>'
        f'<ActionId>04kSYN000000001YBA</ActionId><SessionId xsi:nil="true"/>{notifications}</notifications>'
        "</soapenv:Body></soapenv:Envelope>"
    )


def settings_of(database, drchrono_url, salesforce_url, ca_file, **more):
    own = {"database_url": database.url.render_as_string(hide_password=False)}
    if more:
        return env_file.load(_env_file=None, **(_given(drchrono_url, salesforce_url, ca_file) | own | more))
    return _settings(drchrono_url, salesforce_url, ca_file).model_copy(update=own)


@functools.cache
def _settings(*vendors):
    """To read settings takes longer than most tests need for anything else."""
    return env_file.load(_env_file=None, database_url="sqlite+aiosqlite:///none.db", **_given(*vendors))


def _given(drchrono_url, salesforce_url, ca_file):
    return {
        "public_url": "https://sync.example.com",
        "encryption_keys": KEY,
        "hash_keys": HASH_KEY,
        "operator_token": OPERATOR,
        "ca_bundle": ca_file,
        "drchrono_base_url": drchrono_url,
        "drchrono_client_id": "standin-client",
        "drchrono_client_secret": "standin-secret",
        "drchrono_webhook_secrets": SECRET,
        "salesforce_login_url": salesforce_url,
        "salesforce_client_id": "standin-client-id",
        "salesforce_client_secret": "standin-client-secret",
        "salesforce_org_id": ORG_ID,
        "salesforce_request_limit": REQUEST_LIMIT,
        "drchrono_request_limit": DRCHRONO_LIMIT,
        "drchrono_search_gap": SEARCH_GAP,
        "drchrono_default_doctor": DOCTOR,
        "salesforce_outbound_tokens": OUTBOUND,
        "confirm_after": CONFIRM_AFTER,
        "drchrono_calls_per_hour": 100_000,
        "drchrono_calls_per_second": 1000,
        "confirm_share": 0,
        "attempt_limit": 3,
    }


@contextlib.asynccontextmanager
async def opened(known, drchrono, salesforce, *, connects=True, from_memory=False):
    """Give the clinic, its practice connected as a DrChrono user would connect it.

    from_memory  both stand-ins are as after a reset, so what was lived through once need not be again
    """
    app = create_app(known)
    async with app.router.lifespan_context(app), open_runtime(known) as runtime:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url=f"http://{urlsplit(known.public_url).netloc}"
        ) as web:
            if runtime.drchrono is not None:
                runtime.drchrono.bulk_waits_s = (0.0,) * 5
            clinic = Clinic(runtime, web, drchrono, salesforce)
            clinic.app = app
            connects = connects and runtime.drchrono is not None
            if not (connects and from_memory and await is_remembered(clinic, known)):
                if connects:
                    await clinic.connects()
                    if runtime.salesforce is not None and not await clinic.links(Kind.DOCTOR):
                        async with open_runtime(known) as before:  # as a worker of yesterday would have done it
                            await Clinic(before, web, drchrono, salesforce).knows_the_staff()
                with contextlib.suppress(StoreUnavailable):  # a database that is not migrated yet
                    await clinic.was_loaded()
                if connects and from_memory:
                    await remember(clinic, known)
            drchrono.delete("/_control/calls")
            yield clinic
