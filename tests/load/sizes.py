"""`make sizes`: many deliveries through the store as doors and workers put them there, and what is left of them.

Prints the bytes of each table before, at the peak, once the contents are past their age, once the rows are, and at the
peak of as many again; how long a delivery waits for its acknowledgement beside the housekeeping; and what Valkey holds.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import redis
import sqlalchemy as sa
from arq.connections import ArqRedis
from cryptography.fernet import Fernet
from rich.console import Console
from rich.table import Table
from ulid import ULID

from app.cli import supervise
from app.ports import Delivery, RecordEvent
from app.redis_url import read_redis
from app.store import journal, outcomes, retention, work_queue
from app.store.conflicts import DecidedConflict
from app.store.database import Database
from app.store.encryption import Vault
from app.store.journal import Answer, Entry
from app.store.migrate import migrate
from app.sync.model import Kind, Side, WriteState
from app.wakeup import Wakeup, listener
from tests.build import KEYS, a_link, a_patient
from tests.postgresql import running_postgresql
from tests.store.build import a_result, open_inbox
from workers.housekeeping import tidy

RECORDS, ROUND, PER_RECORD = 10_000, 20_000, 10
SHOWN = ("deliveries", "events", "links", "journal", "conflicts")
NONE = timedelta(0)
BASE = dict(a_link().base.stamps)

console = Console(width=120)
vault = Vault((Fernet.generate_key(),))
BODY = vault.seal({"id": "220000101", "updated_at": "2026-01-12T08:15:30", **a_patient()}, "a place")
REPLACED = vault.seal({"cell_phone": "(555) 010-0142", "city": "Testville"}, "a place")
STAMPS = {name: (BASE[name], BASE[name]) for name in ("cell_phone", "city")}


def deliveries(first: int, count: int) -> list[Delivery]:
    """So many deliveries, ten in a row to each of the records in turn."""
    given = []
    for n in range(first, first + count):
        event = RecordEvent(Side.DRCHRONO, Kind.PATIENT, str(n // PER_RECORD % RECORDS), "2026-01-12T08:15:30")
        key = KEYS.digest(str(n).encode())
        given.append(Delivery(Side.DRCHRONO, "PATIENT_MODIFY", f"d{n}", key, BODY, "kept", (event,)))
    return given


async def work_off(database: Database) -> None:
    """Do all that is due as a worker does, without the vendors: every look writes, and one in fifty is a conflict."""
    while batch := await work_queue.lease_batch(database, Kind.PATIENT):
        entries = []
        for at, due in enumerate(batch.due):
            both = (DecidedConflict(Kind.PATIENT, "city", "drchrono owns it", REPLACED),) if at % 50 == 0 else ()
            entries.append(Entry(due.link.id, Side.SALESFORCE, "update", STAMPS, REPLACED, conflicts=both))
        await journal.plan(database, batch.token, entries, timedelta(minutes=10))
        await journal.answer(database, [Answer(entry.id, WriteState.CONFIRMED) for entry in entries])
        done = [a_result(due, BASE, salesforce_id=f"003{due.link.drchrono_id:0>15}") for due in batch.due]
        await outcomes.save(database, batch.token, done)


async def bytes_of(database: Database) -> dict[str, int]:
    """Give the bytes of each table with its indexes, and of everything on the disk."""
    if database.is_sqlite:
        owner = "(SELECT m.tbl_name FROM sqlite_master AS m WHERE m.name = s.name)"
        sizes = f"SELECT {owner} AS name, sum(s.pgsize) AS bytes FROM dbstat AS s GROUP BY 1"
        files = [Path(f"{database.path}{end}") for end in ("", "-wal")]
        whole = {"file": files[0].stat().st_size, "log": files[1].stat().st_size if files[1].exists() else 0}
    else:
        sizes = "SELECT relname AS name, pg_total_relation_size(oid) AS bytes FROM pg_class WHERE relkind = 'r'"
        (row,) = await database.read(sa.text("SELECT pg_database_size(current_database()) AS bytes"))
        whole = {"file": row.bytes}
    try:
        found = {row.name: int(row.bytes) for row in await database.read(sa.text(sizes))}
    except Exception:  # noqa: BLE001 - this SQLite was built without dbstat
        found = {}
    return whole | {name: found.get(name, 0) for name in SHOWN}


async def vacuumed(database: Database) -> None:
    """Do on PostgreSQL what its autovacuum does, which the server of the tests leaves."""
    if not database.is_sqlite:
        async with database.engine.connect() as connection:
            quiet = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await quiet.execute(sa.text("VACUUM ANALYZE"))


async def fill(database: Database, bell: Wakeup, start: int, count: int) -> None:
    """Let so many deliveries come in, in bursts, each worked off."""
    inbox = open_inbox(database, lambda group: bell.notify({event.kind for one in group for event in one.events}))
    for first in range(start, start + count, ROUND):
        began = time.monotonic()
        await asyncio.gather(*(inbox.keep(one) for one in deliveries(first, min(ROUND, start + count - first))))
        kept = time.monotonic()
        await work_off(database)
        await vacuumed(database)
        took = f"kept in {kept - began:.1f} s, worked off in {time.monotonic() - kept:.1f} s"
        console.log(f"{first - start + ROUND:,} deliveries: {took}")
    await inbox.close()


async def acknowledged(database: Database, until: asyncio.Event, most_s: float = 600) -> list[float]:
    """Deliver one after the other until told, and give how many ms each waited."""
    inbox, waited, began = open_inbox(database), [], time.monotonic()
    while not until.is_set() and time.monotonic() - began < most_s:
        asked = time.monotonic()
        await inbox.keep(Delivery(Side.DRCHRONO, "PING", None, str(ULID()), BODY, "skipped"))
        waited.append((time.monotonic() - asked) * 1000)
        await asyncio.sleep(0.005)
    await inbox.close()
    return sorted(waited)


def said(waited: list[float]) -> str:
    late = waited[int(len(waited) * 0.99)]
    return f"median {statistics.median(waited):.1f}, p99 {late:.1f}, longest {waited[-1]:.0f} ms of {len(waited):,}"


async def let_go(database: Database, kept_for: Mapping[str, timedelta]) -> str:
    """Keep house with somebody delivering beside it, and say what it took."""
    done = asyncio.Event()
    beside, began = asyncio.create_task(acknowledged(database, done)), time.monotonic()
    gone = await tidy(database, kept_for)
    took = time.monotonic() - began
    done.set()
    waits = said(await beside)
    await vacuumed(database)
    went = ", ".join(f"{name} {count:,}" for name, count in gone.items() if count)
    return f"{took:.0f} s; {went}; a delivery beside it waited: {waits}"


def of_valkey(client: redis.Redis, folder: Path) -> dict[str, int]:
    files = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.suffix != ".log")
    return {"keys": client.dbsize(), "memory": client.info("memory")["used_memory"], "files": files}


async def measure(database: Database, count: int, folder: Path) -> None:
    port = supervise.free_port()
    child = supervise.valkey(folder / "valkey", port)
    with supervise.supervised([child]):
        child.start()
        supervise.wait_for_port(port, child)
        url, rung = f"redis://127.0.0.1:{port}/0", []
        bell, client = Wakeup(url, lambda: console.log("a ring was missed")), redis.Redis.from_url(url)
        worker = listener(read_redis(url).client(ArqRedis), rung.append)
        listening = asyncio.create_task(worker.main())
        await asyncio.sleep(0.5)
        valkey = [of_valkey(client, folder / "valkey")]
        sizes = {"before": await bytes_of(database)}
        await fill(database, bell, 0, count)
        sizes["peak"] = await bytes_of(database)
        contents, alone = retention.ages(NONE), await acknowledged(database, asyncio.Event(), 10)
        console.print(f"a delivery with nothing beside it waited: {said(alone)}")
        console.print(f"contents: {await let_go(database, contents)}")
        sizes["contents gone"] = await bytes_of(database)
        console.print(f"rows: {await let_go(database, dict.fromkeys(contents, NONE))}")
        sizes["rows gone"] = await bytes_of(database)
        await fill(database, bell, count, count)
        sizes["as many again"] = await bytes_of(database)
        await bell.close()
        await asyncio.sleep(1)
        valkey.append(of_valkey(client, folder / "valkey"))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await worker.close()
    show(sizes, count)
    console.print(f"Valkey, after {len(rung):,} rings: {valkey[0]} before, {valkey[1]} after")


def show(sizes: dict[str, dict[str, int]], count: int) -> None:
    table = Table("MB", *sizes, title=f"{count:,} deliveries to {RECORDS:,} records", width=100)
    for name in sizes["before"]:
        table.add_row(name, *(f"{at[name] / 1e6:,.1f}" for at in sizes.values()))
    console.print(table)


async def run(url: str, count: int, folder: Path) -> None:
    async with Database(url).opened() as database:
        await migrate(database)
        await measure(database, count, folder)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--deliveries", type=int, default=1_000_000)
    asked.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    given = asked.parse_args()
    console.print(f"{given.database}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="chronobridge-sizes-") as name:
        folder = Path(name)
        if given.database == "sqlite":
            asyncio.run(run(f"sqlite+aiosqlite:///{folder / 'sizes.db'}", given.deliveries, folder))
            return
        server = folder / "postgresql"
        folder.chmod(0o711)
        server.mkdir()
        with running_postgresql(server) as postgresql:
            asyncio.run(run(postgresql.url + "postgres", given.deliveries, folder))


if __name__ == "__main__":
    main()
