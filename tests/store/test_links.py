import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store import journal, links, outcomes, tables, work_queue
from app.store.clock import after, db_now
from app.store.lanes import set_paused
from app.sync.failure_causes import paused_by
from app.sync.model import Base, Kind, Lane, Side, WriteState
from app.timings import REAL
from tests.store.build import (
    a_delivery,
    a_result,
    an_entry,
    came_in,
    change,
    change_link,
    connected,
    expire_leases,
    on_postgresql,
    on_sqlite,
    plan_of,
    statements_of,
    taken,
    the_link,
    waits_for_a_lock,
)

HOUR = timedelta(hours=1)


def record_ids(batch):
    return [due.link.drchrono_id for due in batch.due] if batch else []


async def clock(database):
    return (await database.read(sa.select(db_now())))[0][0]


async def test_nothing_is_taken_where_nothing_is_due(database):
    assert await work_queue.lease_batch(database, Kind.PATIENT) is None


async def test_what_is_due_is_taken_with_all_that_a_look_needs(database):
    before = await clock(database)
    await came_in(database, a_delivery("1", version="2026-08-01T10:00:00", body="sealed body"))

    batch = await work_queue.lease_batch(database, Kind.PATIENT)

    assert batch.kind is Kind.PATIENT
    assert before <= batch.now <= await clock(database)
    (due,) = batch.due
    assert (due.generation, due.base_version, due.attempts) == (1, 0, 0)
    assert (due.link.kind, due.link.drchrono_id, due.link.salesforce_id) == (Kind.PATIENT, "1", None)
    assert (due.link.base, due.link.seen_up_to, due.link.confirm_due_at) == (Base(), "", None)
    assert (due.link.own_writes, due.link.is_failed) == ((), False)
    (body,) = due.bodies
    assert (body.sealed, body.version, body.position) == ("sealed body", "2026-08-01T10:00:00", 0)
    assert before <= body.received_at <= batch.now


async def test_what_was_recorded_is_there_at_the_next_take(database):
    batch = await taken(database, "1")
    confirm_at = await clock(database)
    result = a_result(
        batch.due[0],
        {"email": "1.abc.def"},
        salesforce_id="003000000000001AAA",
        seen_up_to="2026-08-01T10:00:00",
        confirm_due_at=confirm_at,
        again_in=timedelta(0),
        attempts=3,
    )
    await outcomes.save(database, batch.token, [result])

    (due,) = (await work_queue.lease_batch(database, Kind.PATIENT)).due

    assert due.link.base == Base({"email": "1.abc.def"})
    assert due.link.salesforce_id == "003000000000001AAA"
    assert due.link.seen_up_to == "2026-08-01T10:00:00"
    assert due.link.confirm_due_at == confirm_at
    assert (due.base_version, due.attempts) == (1, 3)


async def test_another_kind_is_left_alone(database):
    await came_in(database, a_delivery("1", kind=Kind.APPOINTMENT))

    assert await work_queue.lease_batch(database, Kind.PATIENT) is None
    assert record_ids(await work_queue.lease_batch(database, Kind.APPOINTMENT)) == ["1"]


async def test_no_more_is_taken_than_the_limit_and_the_longest_due_first(database):
    await came_in(database, *(a_delivery(record_id) for record_id in "abc"))
    for record_id, age in (("a", 1), ("b", 3), ("c", 2)):
        await change_link(database, record_id, due_at=after(-timedelta(minutes=age)))
    await change(database, sa.text("DROP INDEX ix_links_lane_due"))  # whose order would hide that none was asked for

    first = await work_queue.lease_batch(database, Kind.PATIENT, limit=2)
    second = await work_queue.lease_batch(database, Kind.PATIENT, limit=2)

    assert record_ids(first) == ["b", "c"]
    assert record_ids(second) == ["a"]


async def test_two_hundred_are_taken_at_once(database):
    await came_in(database, a_delivery(*map(str, range(201))))

    batch = await work_queue.lease_batch(database, Kind.PATIENT)

    assert len(batch.due) == 200
    assert all(len(due.bodies) == 1 for due in batch.due)


async def test_what_is_taken_is_leased_for_the_lease_time_by_the_databases_clock(database):
    batch = await taken(database, "1")

    link = await the_link(database)
    assert link.lease_owner == batch.token
    assert timedelta(0) <= link.lease_until - (batch.now + REAL.lease) < timedelta(seconds=1) or (
        timedelta(0) <= batch.now + REAL.lease - link.lease_until < timedelta(seconds=1)
    )


async def test_what_another_leased_is_passed_over(database):
    await taken(database, "1")
    await came_in(database, a_delivery("2"), a_delivery("1"))

    assert record_ids(await work_queue.lease_batch(database, Kind.PATIENT)) == ["2"]


async def test_takers_at_once_never_get_the_same_link_and_together_get_all(database):
    await came_in(database, a_delivery(*map(str, range(40))))

    batches = await asyncio.gather(*(work_queue.lease_batch(database, Kind.PATIENT, limit=10) for _ in range(4)))

    got = [record_id for batch in batches for record_id in record_ids(batch)]
    assert sorted(got, key=int) == list(map(str, range(40)))


@on_postgresql
async def test_a_link_another_transaction_holds_is_skipped_not_waited_for(database):
    await came_in(database, a_delivery("1"), a_delivery("2"))
    other = await connected(database)
    async with other.transaction(), asyncio.timeout(2):
        await other.execute("SELECT id FROM links WHERE drchrono_id = '1' FOR UPDATE")
        batch = await work_queue.lease_batch(database, Kind.PATIENT)
    await other.close()

    assert record_ids(batch) == ["2"]


async def test_an_expired_lease_is_taken_again_under_a_new_token(database):
    first = await taken(database, "1")
    await expire_leases(database)

    second = await work_queue.lease_batch(database, Kind.PATIENT)

    assert record_ids(second) == ["1"]
    assert second.token != first.token
    assert (await the_link(database)).lease_owner == second.token
    assert [body.delivery_id for body in second.due[0].bodies] == [body.delivery_id for body in first.due[0].bodies]


async def test_what_is_due_later_waits(database):
    await came_in(database, a_delivery("1"))
    await change_link(database, due_at=after(HOUR))

    assert await work_queue.lease_batch(database, Kind.PATIENT) is None
    assert await work_queue.waiting(database) == []


async def test_a_paused_lane_is_not_taken_until_it_is_resumed(database):
    await came_in(database, a_delivery("1"), a_delivery("2"))
    await change_link(database, "2", lane=Lane.RETRY.value)
    await set_paused(database, [Lane.LIVE], "an operator's word")

    while_paused = await work_queue.lease_batch(database, Kind.PATIENT)
    await set_paused(database, [Lane.LIVE], None)

    assert record_ids(while_paused) == ["2"]
    assert record_ids(await work_queue.lease_batch(database, Kind.PATIENT)) == ["1"]


async def test_all_unfinished_deliveries_of_a_record_come_in_the_order_received(database):
    await came_in(database, *(a_delivery("1", body=body) for body in ("first", "second", "third")))
    await came_in(database, a_delivery("2", body="another's"))

    batch = await work_queue.lease_batch(database, Kind.PATIENT)

    bodies = {due.link.drchrono_id: [body.sealed for body in due.bodies] for due in batch.due}
    assert bodies == {"1": ["first", "second", "third"], "2": ["another's"]}


async def test_bodies_of_an_equal_id_of_another_kind_are_not_read(database):
    await came_in(database, a_delivery("1", body="patient"), a_delivery("1", kind=Kind.APPOINTMENT, body="appointment"))

    batch = await work_queue.lease_batch(database, Kind.PATIENT)

    assert [body.sealed for body in batch.due[0].bodies] == ["patient"]


async def test_a_finished_delivery_is_not_read_again(database):
    batch = await taken(database, "1")
    await outcomes.save(database, batch.token, [a_result(batch.due[0], again_in=timedelta(0))])
    await came_in(database, a_delivery("1", body="newer"))

    again = await work_queue.lease_batch(database, Kind.PATIENT)

    assert [body.sealed for body in again.due[0].bodies] == ["newer"]


async def test_a_body_dropped_by_retention_is_read_as_none(database):
    await came_in(database, a_delivery("1"))

    async def drop(connection):
        await connection.execute(sa.update(tables.deliveries).values(body=None))

    await database.transact(drop)

    assert [body.sealed for body in (await work_queue.lease_batch(database, Kind.PATIENT)).due[0].bodies] == [None]


async def test_a_lone_ref_of_salesforce_is_taken_too(database):
    await came_in(database, a_delivery("003000000000001AAA", side=Side.SALESFORCE))

    (due,) = (await work_queue.lease_batch(database, Kind.PATIENT)).due

    assert (due.link.drchrono_id, due.link.salesforce_id) == (None, "003000000000001AAA")


async def test_a_planned_write_found_at_take_is_an_own_write(database):
    first = await taken(database, "1")
    entry = an_entry(first.due[0].link.id, email=(None, "stamp of the new"))
    await journal.plan(database, first.token, [entry], timedelta(minutes=10))
    await expire_leases(database)

    second = await work_queue.lease_batch(database, Kind.PATIENT)

    (write,) = second.due[0].link.own_writes
    assert (write.id, write.stamps) == (entry.id, {"email": (None, "stamp of the new")})
    assert abs(write.settle_at - first.now - timedelta(minutes=10)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("state", "found"), [("planned", 1), ("unknown", 1), ("confirmed", 0), ("refused", 0)], ids=str
)
async def test_only_unsettled_writes_are_own_writes(database, state, found):
    first = await taken(database, "1")
    entry = an_entry(first.due[0].link.id)
    await journal.plan(database, first.token, [entry], HOUR)
    await journal.answer(database, [journal.Answer(entry.id, WriteState(state))])
    await expire_leases(database)

    (due,) = (await work_queue.lease_batch(database, Kind.PATIENT)).due

    assert len(due.link.own_writes) == found


async def test_own_writes_come_oldest_first(database):
    first = await taken(database, "1")
    entries = [an_entry(first.due[0].link.id, email=("old", new)) for new in ("first", "second")]
    for entry in sorted(entries, key=lambda entry: entry.id):
        await journal.plan(database, first.token, [entry], HOUR)
    await expire_leases(database)

    (due,) = (await work_queue.lease_batch(database, Kind.PATIENT)).due

    assert [write.id for write in due.link.own_writes] == sorted(entry.id for entry in entries)


async def test_kinds_wait_while_something_of_them_can_be_taken(database):
    await came_in(database, a_delivery("1"), a_delivery("1", kind=Kind.DOCTOR), a_delivery("1", kind=Kind.OFFICE))
    await work_queue.lease_batch(database, Kind.DOCTOR)

    async def pause_office(connection):
        await connection.execute(
            sa.update(tables.links).where(tables.links.c.kind == "office").values(lane=Lane.BACKFILL.value)
        )

    await database.transact(pause_office)
    await set_paused(database, [Lane.BACKFILL], "an operator's word")

    assert await work_queue.waiting(database) == [(Kind.PATIENT, Lane.LIVE)]


async def waits_with(database, record_id, last_error, due_in=HOUR):
    """Let a record wait, as an attempt that failed would."""
    await came_in(database, a_delivery(record_id))
    await change_link(database, record_id, last_error=last_error, due_at=after(due_in))


async def test_what_waits_for_a_sides_credential_is_due_at_once_when_it_is_hurried(database):
    await waits_with(database, "1", "drchrono_paused")
    await waits_with(database, "2", "drchrono_paused")

    await links.release(database, paused_by(Side.DRCHRONO))

    assert sorted(record_ids(await work_queue.lease_batch(database, Kind.PATIENT))) == ["1", "2"]


@pytest.mark.parametrize("last_error", ["salesforce_paused", "HTTP_503", "invalid_grant", None])
async def test_what_waits_for_anything_else_is_not_hurried(database, last_error):
    await waits_with(database, "1", last_error)
    before = await the_link(database)

    await links.release(database, paused_by(Side.DRCHRONO))

    assert await the_link(database) == before


async def test_what_is_due_already_keeps_its_place(database):
    await waits_with(database, "1", "drchrono_paused", due_in=-HOUR)
    before = await the_link(database)

    await links.release(database, paused_by(Side.DRCHRONO))

    assert await the_link(database) == before


async def test_what_is_done_is_not_made_due_again(database):
    await came_in(database, a_delivery("1"))
    await change_link(database, last_error="drchrono_paused", due_at=None)

    await links.release(database, paused_by(Side.DRCHRONO))

    assert (await the_link(database)).due_at is None


async def test_nothing_falls_due_next_where_nothing_waits(database):
    await came_in(database, a_delivery("1"))  # it is due already

    assert await work_queue.next_due_in_s(database) is None


async def test_the_next_to_fall_due_is_told_in_seconds(database):
    await came_in(database, a_delivery("1"), a_delivery("2"), a_delivery("3"))
    await change_link(database, "1", due_at=after(timedelta(seconds=90)))
    await change_link(database, "2", due_at=after(HOUR))

    assert 85 < await work_queue.next_due_in_s(database) <= 90


async def test_renewing_prolongs_a_lease_by_its_full_length(database):
    batch = await taken(database, "1")
    await change_link(database, lease_until=after(timedelta(seconds=1)))

    covered = await renewed(database, batch.token)

    link = await the_link(database)
    assert covered == {batch.due[0].link.id}
    assert link.lease_until - batch.now > REAL.lease - timedelta(seconds=1)


async def test_renewing_only_some_leaves_the_others(database):
    batch = await taken(database, "1", "2")
    before = (await the_link(database, "2")).lease_until

    covered = await renewed(database, batch.token, [batch.due[0].link.id])

    assert covered == {batch.due[0].link.id}
    assert (await the_link(database, "2")).lease_until == before


async def test_a_lease_that_ran_out_is_not_renewed(database):
    batch = await taken(database, "1")
    await expire_leases(database)

    assert await renewed(database, batch.token) == set()
    assert record_ids(await work_queue.lease_batch(database, Kind.PATIENT)) == ["1"]


async def test_a_lease_another_has_now_is_not_renewed(database):
    first = await taken(database, "1")
    await expire_leases(database)
    second = await work_queue.lease_batch(database, Kind.PATIENT)

    assert await renewed(database, first.token) == set()
    assert await renewed(database, second.token) == {second.due[0].link.id}


@on_postgresql
async def test_a_taker_and_a_delivery_that_meet_at_a_link_lose_neither(database):
    await came_in(database, a_delivery("1"))

    async def work(connection):
        await connection.execute(sa.select(tables.links.c.id).with_for_update())
        delivery = asyncio.create_task(came_in(database, a_delivery("1")))
        await waits_for_a_lock(database)
        return delivery

    await (await database.transact(work))

    batch = await work_queue.lease_batch(database, Kind.PATIENT)
    assert (batch.due[0].generation, len(batch.due[0].bodies)) == (2, 2)


@on_sqlite
async def test_take_reads_the_due_index_in_order_and_no_whole_table(database):
    await came_in(database, a_delivery("1"))

    sent = await statements_of(database, work_queue.lease_batch, Kind.PATIENT)

    asked = [one for one in sent if one[0].startswith("SELECT") and "FROM instance" not in one[0]]
    plans = [plan_of(database, statement, given) for statement, given in asked]
    assert "ix_links_lane_due (kind=? AND lane=? AND due_at<?)" in plans[0]
    assert "TEMP B-TREE" not in plans[0]
    scanned = {step.split()[1] for plan in plans for step in plan.splitlines() if step.startswith("SCAN")}
    assert scanned <= {"lanes", "json_each"}


@on_postgresql
async def test_take_reads_the_due_index_of_postgresql(database):
    await came_in(database, a_delivery("1"))
    _whose, (choose, given), *_ = await statements_of(database, work_queue.lease_batch, Kind.PATIENT)
    connection = await connected(database)

    await connection.execute("SET enable_seqscan = off")
    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {choose}", *given))

    await connection.close()
    assert "Index Scan using ix_links_lane_due on links" in plan
    assert "Sort" not in plan


async def renewed(database, token, ids=None):
    return await database.transact(lambda connection: work_queue.renew(connection, database, token, ids))
