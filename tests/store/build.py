"""Builders and looks for the store's tests: deliveries, records that are due, what lies in a table."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
import sqlalchemy as sa
from ulid import ULID

from app.ports import Delivery, RecordEvent
from app.store import clock, fence, tables, work_queue
from app.store.inbox.postgres import PostgresInbox
from app.store.inbox.sqlite import SqliteInbox
from app.store.journal import Entry
from app.store.result import Effects, Identity, LinkChange, Result, Retry
from app.sync.model import Base, Kind, Side
from app.sync.plan import SettledWrites

LINK = ("drchrono_id", "salesforce_id", "seen_up_to", "confirm_due_at", "unconfirmed_fields", "excluded_by")
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
PAIR = {"access_token": "access-Canary", "refresh_token": "refresh-Canary"}

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


def a_delivery(*record_ids, key=None, side=Side.DRCHRONO, kind=Kind.PATIENT, version="", body="sealed", **rest):
    events = tuple(RecordEvent(side, kind, record_id, version) for record_id in record_ids)
    return Delivery(side, "PATIENT_MODIFY", None, key or str(ULID()), body, "kept", events, **rest)


def an_entry(link_id, call="update", replaced=None, **stamps):
    return Entry(link_id, Side.SALESFORCE, call, stamps or {"email": ("old", "new")}, replaced)


def a_result(due, base=None, **rest):
    """How a look ended that used up what it read and changed nothing, unless said otherwise."""

    def given(**names):
        return {field: rest.pop(name) for field, name in names.items() if name in rest}

    now = {name: rest.pop(name) for name in LINK if name in rest} | ({} if base is None else {"base": Base(base)})
    again = given(again_in="again_in", lane="lane", cause="last_error")
    settled = rest.pop("settled", {})
    parts = {
        "retry": Retry(**again) if again.get("again_in") is not None else None,
        "identity": Identity(**given(hash="identity_hash", series="series", others="known_as")),
        "change": LinkChange(**given(succeeds="succeeds", is_nobodys="is_nobodys")),
        "effects": Effects(**given(awaits="awaits", zone="zone", counts="counts")),
        "settled": SettledWrites(
            tuple(key for key, state in settled.items() if state == "confirmed"),
            tuple(key for key, state in settled.items() if state == "refused"),
        ),
    }
    return Result(due, replace(due.link, **now), **({"is_read": True} | parts | rest))


def open_inbox(database, committed=lambda _group: None):
    if database.is_sqlite:
        return SqliteInbox(database.path, committed)
    return PostgresInbox(database.address, committed)


@asynccontextmanager
async def a_standby(database):
    """The server has lost its part to another and only reads, until the block ends."""
    admin, name = await connected(database), database.url.database
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    await admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await admin.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
    try:
        yield
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        await admin.close()


async def came_in(database, *deliveries):
    """Keep deliveries, one after the other, through an inbox of its own."""
    inbox = open_inbox(database)
    for delivery in deliveries:
        await inbox.keep(delivery)
    await inbox.close()


async def taken(database, *record_ids, kind=Kind.PATIENT):
    """Let records become due, in this order, and take them."""
    await came_in(database, *(a_delivery(record_id, kind=kind) for record_id in record_ids))
    return await work_queue.lease_batch(database, kind)


async def rows(database, table):
    return await database.read(sa.select(table).order_by(*table.primary_key))


async def the_link(database, record_id="1"):
    return (await database.read(sa.select(tables.links).where(tables.links.c.drchrono_id == record_id)))[0]


async def the_failures(database):
    return {row.cause: row for row in await rows(database, tables.failures)}


async def change(database, statement):
    async def work(connection):
        await connection.execute(statement)

    await database.transact(work)


async def change_link(database, record_id="1", **values):
    await change(database, sa.update(tables.links).where(tables.links.c.drchrono_id == record_id).values(**values))


async def expire_leases(database):
    """Move every lease into the past, as the clock would."""
    await change(database, sa.update(tables.links).values(lease_until=clock.after(-timedelta(seconds=1))))


async def ages(database, **columns):
    """Move a connection's moments, as the clock would."""
    await change(database, sa.update(tables.connections).values(**columns))


async def save(connections, token=PAIR, refresh_in=HOUR, lives=HOUR):
    """Store the token that follows the one that is there."""
    version = (await connections.read()).version
    return await connections.save(await connections.lease(HOUR), version, token, refresh_in, lives)


@asynccontextmanager
async def writers_locked_out(database):
    """Let nobody write deliveries until the block ends; reading goes on."""
    if database.is_sqlite:
        connection = sqlite3.connect(database.path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.close()
        return
    connection = await connected(database)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE deliveries IN EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def connected(database):
    """Give a raw PostgreSQL connection that is none of the product's."""
    return await asyncpg.connect(database.url.set(drivername="postgresql").render_as_string(hide_password=False))


async def waits_for_a_lock(database):
    """Return the server process that waits for a lock, as soon as one does."""
    statement = sa.text(
        "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(5):
        while not (found := await database.read(statement)):
            pass
    return found[0].pid


async def statements_of(database, run, *arguments):
    """Run a store function on a database that is ours, and give the statements it sent, with their parameters."""
    await fence.recognize(database)
    sent = []

    def listen(_connection, _cursor, statement, parameters, _context, _many):
        sent.append((statement, parameters))

    sa.event.listen(database.engine.sync_engine, "before_cursor_execute", listen)
    await run(database, *arguments)
    sa.event.remove(database.engine.sync_engine, "before_cursor_execute", listen)
    return sent


def plan_of(database, statement, parameters):
    """Give SQLite's plan of a statement as text, one step a line."""
    connection = sqlite3.connect(database.path)
    steps = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    connection.close()
    return "\n".join(step[3] for step in steps)
