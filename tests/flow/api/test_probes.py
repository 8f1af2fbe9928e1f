"""What the probes say of each part once it has stopped, and of themselves."""

import asyncio
import os
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import sqlalchemy as sa
import structlog

from app.cli import supervise
from app.errors import StoreUnavailable
from app.operations.health.monitor import HealthMonitor
from app.operations.maintenance import worker_lives
from app.ports import FailingJob
from app.runtime import open_runtime
from app.store import heartbeats, tables
from app.store.clock import after
from app.store.rate_ledger import RateLedger
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Lane, Side
from app.timings import REAL
from tests.build import StandingClock
from tests.flow.clinic import OPERATOR, opened
from tests.store.build import change
from workers.compare import outages

MINUTE = timedelta(minutes=1)
BEARER = {"Authorization": f"Bearer {OPERATOR}"}


async def parts(clinic):
    """What /healthz says after the next look."""
    await clinic.app.state.health.look()
    return (await clinic.web.get("/healthz")).json()["parts"]


async def part(clinic, name):
    return (await parts(clinic))[name]


def update(database, table, **values):
    return change(database, sa.update(table).values(**values))


async def test_every_part_of_a_connected_clinic_is_told(clinic):
    await heartbeats.beat(clinic.runtime.database, "one")

    found = await parts(clinic)

    assert {name for name, one in found.items() if one["state"] == "ok"} == found.keys() - {"redis"}
    assert found.keys() == {
        *("watch", "database", "redis", "workers", "jobs", "backlog", "reconciliation", "backfill", "lanes"),
        *("drchrono", "drchrono_token", "drchrono_feed", "drchrono_budget"),
        *("salesforce", "salesforce_token", "salesforce_feed", "salesforce_budget"),
    } - {"salesforce_token"}  # nobody has asked for one yet
    assert all(one.keys() == {"state", "since", "age_s", "advice"} for one in found.values())


async def test_no_vendor_is_called_for_a_probe(clinic):
    for vendor in (clinic.drchrono, clinic.salesforce):
        vendor.delete("/_control/calls")

    await parts(clinic)
    for path in ("/livez", "/readyz", "/healthz", "/metrics"):
        assert (await clinic.web.get(path)).status_code == 200

    assert [vendor.get("/_control/calls").json()["counts"] for vendor in (clinic.drchrono, clinic.salesforce)] == [
        {}
    ] * 2


async def test_a_worker_that_has_died_is_told_with_when_it_was_last_heard_of(clinic):
    await heartbeats.beat(clinic.runtime.database, "one")
    alive = await part(clinic, "workers")
    await update(clinic.runtime.database, tables.workers, seen_at=after(-REAL.alive - timedelta(seconds=1)))

    dead = await part(clinic, "workers")

    assert (alive["state"], dead["state"]) == ("ok", "down")
    assert 15 < dead["age_s"] < 30
    assert "chronobridge work" in dead["advice"]


async def test_a_job_that_fails_here_or_in_a_worker_is_named_with_what_to_do(clinic):
    at = datetime(2026, 3, 5, 14, tzinfo=UTC)
    await heartbeats.beat(clinic.runtime.database, "one", (), {"reconcile": FailingJob("reconcile", "KeyError", at)})
    in_a_worker = await part(clinic, "jobs")
    elsewhere = clinic.runtime.settings.model_copy(update={"instance_id": "copy"})
    async with open_runtime(elsewhere) as stray:
        await outages.beat(stray, "two")

    with_a_stray = await part(clinic, "jobs")

    assert (in_a_worker["state"], in_a_worker["since"]) == ("degraded", at.isoformat(timespec="seconds"))
    assert f"reconcile of {socket.gethostname()[:128]}/{os.getpid()} (KeyError)" in in_a_worker["advice"]
    assert "(OtherInstance)" in with_a_stray["advice"]
    assert "another PUBLIC_URL or INSTANCE_ID" in with_a_stray["advice"]


async def test_a_redis_that_stops_is_told_and_takes_nothing_from_readiness(known, empty_vendors, tmp_path):
    port = supervise.free_port()
    valkey = supervise.valkey(tmp_path / "valkey", port)
    with supervise.supervised([valkey]):
        valkey.start()
        supervise.wait_for_port(port, valkey)
        with_redis = known.model_copy(update={"redis_url": f"redis://127.0.0.1:{port}/0"})
        async with opened(with_redis, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
            before = await part(clinic, "redis")
            valkey.kill()

            after_it = await part(clinic, "redis")
            ready = await clinic.web.get("/readyz")

    assert (before["state"], after_it["state"], ready.status_code) == ("ok", "degraded", 200)
    assert ready.json()["status"] == "degraded"


@asynccontextmanager
async def locked(database, table):
    """Somebody else holds a lock that every write has to wait for; of PostgreSQL, every read of the table too."""
    if not database.is_sqlite:
        other = await asyncpg.connect(database.url.render_as_string(hide_password=False).replace("+asyncpg", ""))
        try:
            async with other.transaction():
                await other.execute(f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE")
                yield
        finally:
            await other.close()
        return
    async with database.engine.connect() as other:
        await other.execution_options(isolation_level="AUTOCOMMIT")
        await other.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        await other.exec_driver_sql("ROLLBACK")


async def test_a_database_that_lets_nobody_write_is_not_ready_and_is_ready_again_once_it_does(clinic):
    health = clinic.app.state.health = HealthMonitor(clinic.app.state.runtime, clinic.app.state.inbox, slow_s=0.3)
    async with locked(clinic.runtime.database, tables.watermarks):
        await health.look()
        ready, found = await clinic.web.get("/readyz"), (await clinic.web.get("/healthz")).json()["parts"]

    await asyncio.gather(*clinic.app.state.runtime.database._running)  # the write that hung
    again = await part(clinic, "database")

    assert (ready.status_code, ready.json()["status"]) == (503, "down")
    assert (found["database"]["state"], again["state"]) == ("down", "ok")
    assert "DATABASE_URL" in found["database"]["advice"]
    assert found["workers"]["state"] == "unknown", "nobody can know while the database is away"
    assert health.is_ready


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_part_that_hangs_holds_up_no_other(clinic):
    health = HealthMonitor(clinic.app.state.runtime, clinic.app.state.inbox, slow_s=2.0)

    async with locked(clinic.runtime.database, tables.feeds):
        await health.look()

    found = {name: one["state"] for name, one in health.report()["parts"].items()}
    assert {name for name, state in found.items() if state == "unknown"} == {"drchrono_feed", "salesforce_feed"}
    assert (found["database"], found["lanes"], health.is_ready) == ("ok", "ok", True)


async def test_a_watch_that_stops_is_told_and_nothing_it_said_is_believed_any_more(clinic):
    clock = StandingClock()
    health = clinic.app.state.health = HealthMonitor(clinic.app.state.runtime, clinic.app.state.inbox, clock)
    await health.look()
    clock.now += REAL.probe_old_s
    still = (await clinic.web.get("/readyz")).status_code

    clock.now += 1
    ready, found = await clinic.web.get("/readyz"), (await clinic.web.get("/healthz")).json()

    assert (still, ready.status_code, found["status"]) == (200, 503, "down")
    assert {one["state"] for name, one in found["parts"].items() if name != "watch"} == {"unknown"}
    assert found["parts"]["watch"]["state"] == "down"
    assert found["parts"]["watch"]["age_s"] >= REAL.probe_old_s


async def test_a_part_that_cannot_be_looked_at_for_a_fault_of_ours_is_unknown_and_the_watch_goes_on(clinic):
    async def broken():
        raise KeyError("Canary")

    ((name, found),) = await clinic.app.state.health._found(("lanes",), broken)

    assert (name, found.state) == ("lanes", "unknown")
    assert "KeyError" in found.advice
    assert "Canary" not in found.advice


async def refused(clinic):
    store = VendorTokens(clinic.runtime.database, clinic.runtime.vault, Side.DRCHRONO)
    await store.refuse(await store.lease(MINUTE), "invalid_grant")


async def nearly_ended(clinic):
    await update(clinic.runtime.database, tables.connections, refresh_at=after(-MINUTE), expires_at=after(60 * MINUTE))


async def ended(clinic):
    await update(clinic.runtime.database, tables.connections, refresh_at=after(-MINUTE), expires_at=after(-MINUTE))


async def cannot_be_refreshed(clinic):
    store = VendorTokens(clinic.runtime.database, clinic.runtime.vault, Side.DRCHRONO)
    lease = await store.lease(MINUTE)
    await store.save(lease, lease.version, {"access_token": "a", "expires_in": 172800}, 60 * MINUTE, 60 * MINUTE)


@pytest.mark.parametrize(
    ("happens", "state", "says"),
    [
        (refused, "down", "refused (invalid_grant)"),
        (nearly_ended, "degraded", "it ends in 60 minutes; the next call refreshes it"),
        (ended, "degraded", "it has ended; the next call refreshes it"),
        (cannot_be_refreshed, "degraded", "cannot be refreshed: connect the practice anew"),
    ],
)
async def test_a_token_is_told_of_before_it_stops_the_side(clinic, happens, state, says):
    assert (await part(clinic, "drchrono_token"))["state"] == "ok"

    await happens(clinic)

    found = await part(clinic, "drchrono_token")
    assert found["state"] == state
    assert says in found["advice"]


async def test_a_practice_that_nobody_has_joined_has_no_token_to_tell_of(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        await asyncio.gather(clinic.runtime.drchrono.user(), return_exceptions=True)

        found = await parts(clinic)

    assert found["drchrono"]["state"] == "not_connected"
    assert "drchrono_token" not in found


async def spends_the_hour(clinic, calls):
    application = RateLedger(clinic.runtime.database, clinic.runtime.settings.drchrono_client_id)
    await application.count(Lane.COMPARE, lambda ledger: ((int(ledger.at // 3600),), 1, 0.0))
    theirs = tables.lane_calls.c.lane == Lane.COMPARE.value
    await change(clinic.runtime.database, sa.update(tables.lane_calls).where(theirs).values(made=calls))


@pytest.mark.parametrize(
    ("calls", "says"),
    [(100_000, "the hour's 100,000 calls are spent"), (95_000, "most went to the lane compare")],
    ids=["spent", "nearly"],
)
async def test_an_hour_that_is_spent_is_told_and_so_is_one_that_nearly_is(clinic, calls, says):
    await spends_the_hour(clinic, calls)

    found = await part(clinic, "drchrono_budget")

    assert found["state"] == "degraded"
    assert says in found["advice"]


@pytest.mark.parametrize(
    ("used", "says"),
    [(50_000, "only live edits go on"), (46_000, "SALESFORCE_DAILY_CALL_SHARE")],
    ids=["spent", "nearly"],
)
async def test_a_days_share_that_is_spent_is_told_and_so_is_one_that_nearly_is(clinic, used, says):
    clinic.app.state.runtime.salesforce.budget._remember_s = 0.0
    await clinic.runtime.salesforce.budget.asked(used, 100_000)

    found = await part(clinic, "salesforce_budget")

    assert found["state"] == "degraded"
    assert says in found["advice"]


async def test_a_vendor_that_wants_to_be_left_alone_is_told(clinic):
    await clinic.runtime.drchrono.grant.budget.answered(429, 600.0)

    assert "left alone for" in (await part(clinic, "drchrono_budget"))["advice"]


async def test_a_vendor_that_does_not_answer_is_told_from_the_calls_that_failed(clinic):
    for _ in range(3):
        await clinic.runtime.drchrono.grant.budget.failed()
    out = await part(clinic, "drchrono")

    await clinic.time_passes(5 * MINUTE)
    await clinic.runtime.drchrono.user()

    assert (out["state"], (await part(clinic, "drchrono"))["state"]) == ("down", "ok")
    assert "failed 3 calls in a row" in out["advice"]


@pytest.mark.parametrize(
    ("lane", "waited", "state"),
    [
        (Lane.LIVE, timedelta(seconds=50), "ok"),
        (Lane.LIVE, timedelta(seconds=70), "degraded"),
        (Lane.BACKFILL, timedelta(hours=20), "ok"),
        (Lane.BACKFILL, timedelta(hours=25), "degraded"),
    ],
)
async def test_a_backlog_is_told_once_somebody_waits_too_long_and_a_first_load_may_take_its_hours(
    clinic, lane, waited, state
):
    await clinic.delivers(await clinic.registers(first_name="Ada"))
    due = tables.links.c.due_at.is_not(None)
    await change(
        clinic.runtime.database, sa.update(tables.links).where(due).values(due_at=after(-waited), lane=lane.value)
    )

    assert (await part(clinic, "backlog"))["state"] == state


async def test_a_paused_lane_is_told(clinic):
    await clinic.web.post("/api/v1/lanes/compare/pause", headers=BEARER)

    found = await part(clinic, "lanes")

    assert (found["state"], found["advice"].split(";")[0]) == ("degraded", "paused: compare")


async def test_a_scrape_of_a_database_that_is_gone_still_tells_what_the_probes_know(clinic):
    async def gone(connection):
        await connection.execute(sa.text("DROP TABLE tallies"))

    await clinic.runtime.database.transact(gone)
    with pytest.raises(StoreUnavailable):
        await clinic.app.state.numbers._shared()

    scraped = await clinic.web.get("/metrics")

    assert scraped.status_code == 200
    assert "chronobridge_ready 1.0" in scraped.text
    assert 'chronobridge_part_ok{part="workers"} 0.0' in scraped.text
    assert "chronobridge_due_records" not in scraped.text


async def test_the_workers_probe_ends_with_one_line_where_the_database_is_away_or_hangs(known):
    away = known.model_copy(update={"database_url": "postgresql+asyncpg://postgres@127.0.0.1:9/none"})
    with socket.create_server(("127.0.0.1", 0)) as mute:  # it takes the connection, and says nothing
        port = mute.getsockname()[1]
        hangs = known.model_copy(update={"database_url": f"postgresql+asyncpg://postgres@127.0.0.1:{port}/none"})

        found = [await worker_lives(each.database_url, None) for each in (away, hangs)]

    assert [lives for lives, _ in found] == [False, False]
    assert found[0][1].startswith("the database refused: ")
    assert found[1][1].startswith("the database did not answer in 5 s")


REFUSES = {
    True: ["CREATE TRIGGER refuses BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'Canary'); END"],
    False: [
        "CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'Canary'; END $$",
        "CREATE TRIGGER refuses BEFORE INSERT ON deliveries EXECUTE FUNCTION refuses()",
    ],
}


async def test_a_web_whose_inbox_keeps_nothing_is_not_ready_though_the_rest_of_the_database_can_be_written(clinic):
    database = clinic.runtime.database
    for statement in REFUSES[database.is_sqlite]:
        await change(database, sa.text(statement))

    with structlog.testing.capture_logs() as lines:
        answer = await clinic.delivers(await clinic.registers())
    found = await part(clinic, "database")

    assert (answer, found["state"], (await clinic.web.get("/readyz")).status_code) == (503, "down", 503)
    (line,) = [line for line in lines if line["event"] == "group.not_kept"]
    assert (line["deliveries"], "Error" in line["error"], "Canary" in str(lines)) == (1, True, False)
