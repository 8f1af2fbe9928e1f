"""What a scrape tells of a clinic's day, whichever process has counted it."""

import asyncio
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from ulid import ULID

from app.errors import StoreUnavailable
from app.metrics import definitions
from app.metrics.definitions import RINGS_MISSED
from app.store import tables
from app.store.clock import after, db_now
from app.store.counters import ProcessCounters
from app.store.work_queue import lease_batch
from app.sync.model import Kind
from tests.flow.clinic import OPERATOR, opened
from tests.store.build import change

BEARER = {"Authorization": f"Bearer {OPERATOR}"}
SECOND = timedelta(seconds=1)
MANY_LINKS, MANY_FAILURES, AT_ONCE = 100_000, 10_000, 5_000
PATIENT = ("patient", "live")
ORDER = {metric.name.removesuffix("_total"): tuple(metric.labels) for metric in definitions.ALL}


async def scraped(clinic):
    """The numbers by name and the values of their labels, in the table's order, of all that are not 0."""
    families = text_string_to_metric_families((await clinic.web.get("/metrics")).text)
    samples = [(ORDER.get(family.name, ()), one) for family in families for one in family.samples if one.value]
    return {
        (
            one.name.removeprefix("chronobridge_"),
            *(one.labels[name] for name in (*order, "le") if name in one.labels),
        ): one.value
        for order, one in samples
    }


@pytest.fixture
async def worker(clinic):
    """What a worker that stops does: it saves what it has counted."""

    async def stops():
        await clinic.runtime.counts.save(clinic.runtime.database)

    return stops


async def test_an_edit_that_travels_is_counted_by_web_and_worker_and_told_by_the_web(clinic, worker):
    patient = await clinic.registers(first_name="Ada", last_name="Test")
    await clinic.arrives(patient, event="PATIENT_CREATE")
    await clinic.arrives(await clinic.edits(patient, city="Newtown"))
    await worker()

    found = await scraped(clinic)

    assert found["deliveries_total", "drchrono", "kept"] == 2
    assert found["inbox_group_size_count",] == 2
    assert found["records_created_total", "salesforce", "patient"] == 1
    assert found["changes_applied_total", "salesforce", "patient"] == 2
    assert found["end_to_end_seconds_count", "drchrono"] == 2
    assert 0 < found["end_to_end_seconds_sum", "drchrono"] < 60
    assert found["vendor_calls_total", "salesforce", "2xx"] >= 4


async def test_an_edit_in_salesforce_is_timed_from_its_message(clinic, worker):
    await clinic.has_linked(first_name="Ada")
    clinic.human_edits_contact(Email="new@example.com")
    await clinic.hears()

    await clinic.settles()
    await worker()

    found = await scraped(clinic)
    assert found["end_to_end_seconds_count", "salesforce"] == 1
    assert found["changes_applied_total", "drchrono", "patient"] == 1


async def test_a_record_that_fails_has_not_arrived(clinic, worker):
    fault = {"object": "Contact", "match": {"field": "LastName", "equals": "Test"}, "statusCode": "MY_OWN_CODE"}
    clinic.salesforce.post("/_control/record-faults", json={**fault, "message": "no", "next": 9}).raise_for_status()

    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Test"), event="PATIENT_CREATE")
    await worker()

    found = await scraped(clinic)
    assert found["failed_records", "salesforce", "patient", "other"] == 1
    assert ("end_to_end_seconds_count", "drchrono") not in found


@pytest.mark.parametrize(
    ("fault", "status"),
    [({"do": "error", "status": 503}, "5xx"), ({"do": "error", "status": 429}, "429"), ({"do": "drop_before"}, "none")],
    ids=["503", "429", "no answer"],
)
async def test_calls_are_counted_by_what_was_answered(clinic, worker, fault, status):
    clinic.breaks("drchrono", "GET /api/users/current", **fault, next=1)

    await asyncio.gather(clinic.runtime.drchrono.user(), return_exceptions=True)
    await worker()

    assert (await scraped(clinic))["vendor_calls_total", "drchrono", status] == 1


async def test_what_is_due_and_worked_on_is_told_by_kind_lane_and_direction(clinic):
    await clinic.delivers(await clinic.registers(first_name="Ada"))
    due = tables.links.c.due_at.is_not(None)
    await change(clinic.runtime.database, sa.update(tables.links).where(due).values(due_at=after(-90 * SECOND)))
    before = await scraped(clinic)

    await lease_batch(clinic.runtime.database, Kind.PATIENT)

    assert before["due_records", *PATIENT, "to_salesforce"] == 1
    assert 90 <= before["oldest_due_seconds", *PATIENT, "to_salesforce"] < 120
    assert ("leases_held", "patient") not in before
    assert (await scraped(clinic))["leases_held", "patient"] == 1


async def test_a_token_is_told_with_its_age_and_what_is_left_of_it(clinic):
    await clinic.connects()
    noted = tables.watermarks.c.name == "token_drchrono"
    await change(clinic.runtime.database, sa.update(tables.watermarks).where(noted).values(at=after(-600 * SECOND)))
    await change(clinic.runtime.database, sa.update(tables.connections).values(expires_at=after(7200 * SECOND)))

    found = await scraped(clinic)

    assert 600 <= found["token_age_seconds", "drchrono"] < 630
    assert 7100 < found["token_expires_in_seconds", "drchrono"] <= 7200
    assert ("token_refused", "drchrono") not in found


async def test_a_paused_lane_and_the_state_of_every_part_are_told(clinic):
    await clinic.web.post("/api/v1/lanes/compare/pause", headers=BEARER)
    await clinic.app.state.health.look()

    found = await scraped(clinic)

    assert found["lane_paused", "compare"] == 1
    assert found["ready",] == 1
    assert found["part_ok", "database"] == 1
    assert ("part_ok", "lanes") not in found


async def test_every_web_tells_the_same_and_a_restart_loses_nothing(clinic, known, empty_vendors):
    await clinic.delivers({"id": 1}, secret="wrong")
    before = await scraped(clinic)

    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as other:
        elsewhere = await scraped(other)
        await other.delivers({"id": 1}, secret="wrong")
        await scraped(other)

    name = ("deliveries_total", "drchrono", "refused")
    assert (before[name], elsewhere[name], (await scraped(clinic))[name]) == (1, 1, 2)


async def test_what_cannot_be_saved_is_kept_for_the_next_time(database):
    counts = ProcessCounters()
    counts.add(RINGS_MISSED)
    await change(database, sa.text("ALTER TABLE tallies RENAME TO away"))
    with pytest.raises(StoreUnavailable):
        await counts.save(database)
    counts.add(RINGS_MISSED)
    await change(database, sa.text("ALTER TABLE away RENAME TO tallies"))

    await counts.save(database)
    await counts.save(database)

    (row,) = await database.read(sa.select(tables.tallies))
    assert (row.name, row._mapping["count"]) == ("chronobridge_rings_missed_total", 2)


async def test_scrapes_that_come_together_share_one_look(clinic):
    numbers = clinic.app.state.numbers

    shared = await asyncio.gather(*(numbers._shared() for _ in range(20)))

    assert len({id(one) for one in shared}) == 1
    assert await numbers._shared() is not shared[0]


async def fill(database):
    """A hundred thousand links at rest, and ten thousand failures of a thousand causes."""
    rest = {"base": {}, "lane": "live"}

    async def work(connection):
        for at in range(0, MANY_LINKS, AT_ONCE):
            rows = [
                {"id": str(ULID()), "kind": "patient", "drchrono_id": f"{n}", **rest} for n in range(at, at + AT_ONCE)
            ]
            await connection.execute(sa.insert(tables.links), rows)
        about = {"side": "salesforce", "kind": "patient", "fields": "email"}
        for at in range(0, MANY_FAILURES, AT_ONCE):
            rows = [
                {"link_id": str(ULID()), "cause": f"overlaps_{n % 1000}", "is_held": n % 2 == 0, **about}
                for n in range(at, at + AT_ONCE)
            ]
            await connection.execute(sa.insert(tables.failures).values(at=db_now()), rows)

    await database.transact(work)


async def test_a_hundred_thousand_links_and_ten_thousand_failures_make_neither_scrape_nor_look_slow(clinic):
    await fill(clinic.runtime.database)
    await scraped(clinic)

    spent = []
    for what in (clinic.app.state.health.look, lambda: clinic.web.get("/metrics")):
        took = []
        for _ in range(5):
            began = time.perf_counter()
            await what()
            took.append(time.perf_counter() - began)
        spent.append(min(took))

    print("look, scrape:", [f"{one * 1000:.0f} ms" for one in spent])
    found = await scraped(clinic)
    assert found["failed_records", "salesforce", "patient", "clash"] == MANY_FAILURES / 2
    assert max(spent) < 0.5, "alone on a machine it takes a tenth of that"
