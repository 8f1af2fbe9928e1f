import asyncio
import shutil
import sqlite3
from contextlib import suppress
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.errors import StoreUnavailable
from app.store import clock, tables, work_queue
from app.store.inbox.group_commit import (
    BIGGEST_GROUP,
    BIGGEST_GROUP_BYTES,
    MOST_WAITING,
    MOST_WAITING_BYTES,
    Room,
)
from app.store.inbox.postgres import PostgresInbox
from app.store.inbox.sqlite import SqliteInbox
from app.sync.model import Kind, Lane, Side
from tests.store.build import (
    a_delivery,
    a_standby,
    change,
    change_link,
    connected,
    on_postgresql,
    on_sqlite,
    open_inbox,
    rows,
    the_link,
    waits_for_a_lock,
    writers_locked_out,
)

BAD_VERSIONS = {"sqlite": None, "postgresql": "\x00"}  # what each database refuses of one row


def keep_all(inbox, deliveries):
    return [asyncio.create_task(inbox.keep(delivery)) for delivery in deliveries]


async def kept_keys(database):
    return {row.delivery_key for row in await rows(database, tables.deliveries)}


async def test_a_delivery_is_durable_for_others_when_keep_returns(database, inbox):
    delivery = a_delivery("1", version="2026-08-01T10:00:00", body="sealed body")

    await inbox.keep(delivery)

    (row,) = await rows(database, tables.deliveries)
    assert (row.id, row.side, row.event, row.vendor_id) == (delivery.id, "drchrono", "PATIENT_MODIFY", None)
    assert (row.delivery_key, row.body, row.outcome) == (delivery.key, "sealed body", "kept")
    (event,) = await rows(database, tables.events)
    assert event == (delivery.id, 0, "drchrono", "patient", "1", "2026-08-01T10:00:00", None, None)


async def test_a_record_heard_of_for_the_first_time_is_due_as_a_lone_ref(database, inbox):
    await inbox.keep(a_delivery("1"))

    link = await the_link(database)
    assert (link.kind, link.salesforce_id, link.lane, link.generation) == ("patient", None, Lane.LIVE, 1)
    assert (link.base, link.base_version, link.floor, link.attempts) == ({}, 0, "", 0)
    assert link.lease_owner is None
    (now,) = (await database.read(sa.select(clock.db_now())))[0]
    assert link.due_at <= now


async def test_a_record_of_salesforce_is_due_under_its_own_id(database, inbox):
    await inbox.keep(a_delivery("003000000000001AAA", side=Side.SALESFORCE))

    (link,) = await rows(database, tables.links)
    assert (link.drchrono_id, link.salesforce_id, link.generation) == (None, "003000000000001AAA", 1)


async def test_every_record_of_a_delivery_becomes_due(database, inbox):
    await inbox.keep(a_delivery("3", "1", "2"))

    assert {link.drchrono_id for link in await rows(database, tables.links)} == {"1", "2", "3"}
    assert [event.record_id for event in await rows(database, tables.events)] == ["3", "1", "2"]


async def test_equal_ids_of_two_kinds_are_two_records(database, inbox):
    await inbox.keep(a_delivery("1"))
    await inbox.keep(a_delivery("1", kind=Kind.APPOINTMENT))

    assert {link.kind for link in await rows(database, tables.links)} == {"patient", "appointment"}


async def test_a_delivery_without_records_is_kept_and_makes_nothing_due(database, inbox):
    await inbox.keep(a_delivery(body="unreadable"))

    assert [row.body for row in await rows(database, tables.deliveries)] == ["unreadable"]
    assert await rows(database, tables.links) == []


async def test_a_delivery_that_comes_five_times_at_once_counts_once(database, inbox):
    copies = [a_delivery("1", key="same") for _ in range(5)]

    await asyncio.gather(*keep_all(inbox, copies))

    assert len(await rows(database, tables.deliveries)) == 1
    assert len(await rows(database, tables.events)) == 1
    assert (await the_link(database)).generation == 1


async def test_a_delivery_that_comes_through_two_doors_at_once_counts_once(database, inbox):
    other = open_inbox(database)

    await asyncio.gather(inbox.keep(a_delivery("1", key="same")), other.keep(a_delivery("1", key="same")))

    await other.close()
    assert len(await rows(database, tables.deliveries)) == 1
    assert (await the_link(database)).generation == 1


async def test_a_delivery_that_comes_again_later_leaves_what_was_kept(database, inbox):
    first = a_delivery("1", key="same", body="first")
    await inbox.keep(first)

    await inbox.keep(a_delivery("1", key="same", body="sealed anew"))

    assert [(row.id, row.body) for row in await rows(database, tables.deliveries)] == [(first.id, "first")]
    assert (await the_link(database)).generation == 1


async def test_a_redelivery_with_a_newer_body_counts(database, inbox):
    await inbox.keep(a_delivery("1", key="body of monday"))

    await inbox.keep(a_delivery("1", key="body of tuesday"))

    assert len(await rows(database, tables.deliveries)) == 2
    assert len(await rows(database, tables.events)) == 2
    assert (await the_link(database)).generation == 2


async def test_news_of_a_record_end_its_waiting_and_its_count_of_attempts(database, inbox):
    await inbox.keep(a_delivery("1"))
    later = clock.after(timedelta(hours=1))
    await change_link(database, due_at=later, lane=Lane.RETRY.value, attempts=5)

    await inbox.keep(a_delivery("1"))

    link = await the_link(database)
    (now,) = (await database.read(sa.select(clock.db_now())))[0]
    assert link.due_at <= now
    assert (link.lane, link.attempts) == (Lane.LIVE, 0)


async def test_news_of_a_record_somebody_works_on_leave_the_lease(database, inbox):
    await inbox.keep(a_delivery("1"))
    await change_link(database, lease_owner="worker", lease_until=clock.after(timedelta(minutes=1)))

    await inbox.keep(a_delivery("1"))

    link = await the_link(database)
    assert (link.lease_owner, link.generation) == ("worker", 2)


async def test_news_of_a_record_that_is_due_leave_its_place_in_the_queue(database, inbox):
    await inbox.keep(a_delivery("1"))
    await change_link(database, due_at=clock.after(-timedelta(minutes=5)))
    before = (await the_link(database)).due_at

    await inbox.keep(a_delivery("1"))

    assert (await the_link(database)).due_at == before


async def test_requests_that_come_in_one_turn_of_the_loop_share_a_commit(database, inbox, groups):
    deliveries = [a_delivery(str(number)) for number in range(100)]

    await asyncio.gather(*keep_all(inbox, deliveries))

    (group,) = groups
    assert {delivery.key for delivery in group} == {delivery.key for delivery in deliveries}
    assert await kept_keys(database) == {delivery.key for delivery in deliveries}


async def test_no_commit_is_bigger_than_the_biggest_group(database, inbox, groups):
    async with writers_locked_out(database):
        tasks = keep_all(inbox, [a_delivery() for _ in range(2 * BIGGEST_GROUP + 10)])
        await asyncio.sleep(0)

    await asyncio.gather(*tasks)

    assert max(len(group) for group in groups) == BIGGEST_GROUP
    assert sum(len(group) for group in groups) == 2 * BIGGEST_GROUP + 10


async def test_no_commit_holds_more_bytes_than_the_biggest_group(database, inbox, groups):
    large = "x" * (BIGGEST_GROUP_BYTES // 4)
    async with writers_locked_out(database):
        tasks = keep_all(inbox, [a_delivery(body=large) for _ in range(9)])
        await asyncio.sleep(0)

    await asyncio.gather(*tasks)

    assert max(len(group) for group in groups) == 3
    assert sum(len(group) for group in groups) == 9


async def test_one_that_is_larger_than_any_group_is_kept_alone(database, inbox, groups):
    huge = a_delivery(body="x" * (BIGGEST_GROUP_BYTES + 1))

    await asyncio.gather(*keep_all(inbox, [a_delivery("1"), huge, a_delivery("2")]))

    assert [huge] in groups
    assert len(await kept_keys(database)) == 3


@on_postgresql
async def test_what_is_too_much_to_write_in_time_is_written_half_by_half(database, groups):
    connection = await connected(database)
    await connection.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_sleep(CASE WHEN length(NEW.body) > 100000 THEN 0.4 ELSE 0 END); RETURN NEW; END $$"
    )
    await connection.execute("CREATE TRIGGER slow BEFORE INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION slow()")
    await connection.close()
    inbox = PostgresInbox(database.address, groups.append, busy_s=1.0)
    large, small = [a_delivery(body="x" * 110_000) for _ in range(3)], a_delivery("1")

    async with writers_locked_out(database):
        tasks = keep_all(inbox, [*large, small])
        await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    await inbox.close()

    assert answers == [None] * 4
    assert max(len(group) for group in groups) < 4


async def test_nobody_is_answered_before_the_commit(database, inbox, groups):
    async with writers_locked_out(database):
        (task,) = keep_all(inbox, [a_delivery("1")])
        for _ in range(20):
            await database.read(sa.text("SELECT 1"))
        was_done, was_told = task.done(), list(groups)

    await task

    assert (was_done, was_told) == (False, [])
    assert len(await rows(database, tables.deliveries)) == 1


@on_sqlite
async def test_a_group_can_be_read_when_committed_is_told_of_it(database):
    read = []

    def look(group):
        connection = sqlite3.connect(database.path)
        read.append((len(group), connection.execute("SELECT count(*) FROM deliveries").fetchone()[0]))
        connection.close()

    inbox = open_inbox(database, look)
    await inbox.keep(a_delivery("1"))
    await inbox.close()

    assert read == [(1, 1)]


async def test_a_bad_row_hurts_only_itself(request, database, inbox, groups):
    bad = a_delivery("7", version=BAD_VERSIONS[request.node.callspec.params["database"]])
    good = [a_delivery(str(number)) for number in range(5)]
    async with writers_locked_out(database):
        first = keep_all(inbox, [a_delivery("9")])
        await asyncio.sleep(0)
        tasks = keep_all(inbox, [*good[:2], bad, *good[2:]])
        await asyncio.sleep(0)

    answers = await asyncio.gather(*first, *tasks, return_exceptions=True)

    assert [type(answer) for answer in answers if answer is not None] == [StoreUnavailable]
    assert isinstance(answers[3], StoreUnavailable)
    keys = await kept_keys(database)
    assert {delivery.key for delivery in good} < keys
    assert bad.key not in keys
    assert bad not in [delivery for group in groups for delivery in group]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_delivery_that_cannot_be_written_down_is_answered_and_hurts_only_itself(database):
    inbox = open_inbox(database)
    tasks = keep_all(inbox, [a_delivery("1", version=object()), a_delivery("2")])

    done, waiting = await asyncio.wait(tasks, timeout=0.5)

    for task in waiting:
        task.cancel()
    await asyncio.gather(*tasks, inbox.close(), return_exceptions=True)
    assert tasks[0] in done
    assert tasks[1] in done
    assert [link.drchrono_id for link in await rows(database, tables.links)] == ["2"]


@pytest.mark.parametrize(
    "database",
    [
        "sqlite",
        "postgresql",
    ],
    indirect=True,
)
async def test_text_that_is_no_unicode_hurts_only_itself(database, inbox):
    with suppress(StoreUnavailable):
        await inbox.keep(a_delivery("1\ud800", version="\ud800"))
    await inbox.keep(a_delivery("2"))

    taken = await work_queue.lease_batch(database, Kind.PATIENT)

    assert "2" in {due.link.drchrono_id for due in taken.due}


async def test_a_client_that_goes_away_takes_no_neighbour_with_it(database, inbox):
    async with writers_locked_out(database):
        gone, stays = keep_all(inbox, [a_delivery("1"), a_delivery("2")])
        await asyncio.sleep(0)
        gone.cancel()

    await stays

    assert "2" in {link.drchrono_id for link in await rows(database, tables.links)}


async def test_a_closing_inbox_writes_what_waits(database):
    inbox = open_inbox(database)
    tasks = keep_all(inbox, [a_delivery(str(number)) for number in range(20)])
    await asyncio.sleep(0)

    await inbox.close()

    await asyncio.gather(*tasks)
    assert len(await rows(database, tables.deliveries)) == 20


async def test_an_inbox_that_kept_nothing_closes(database):
    inbox = open_inbox(database)

    async with asyncio.timeout(2):
        await inbox.close()


async def test_a_full_waiting_room_turns_the_next_one_away():
    room = Room(lambda _group: None)
    delivery = a_delivery("1")
    for _ in range(MOST_WAITING):
        room.enter(delivery)

    with pytest.raises(StoreUnavailable, match="too many"):
        room.enter(delivery)


async def test_a_waiting_room_full_of_bytes_turns_the_next_one_away_until_they_are_written():
    room = Room(lambda _group: None)
    large = a_delivery(body="x" * (MOST_WAITING_BYTES // 2))
    room.enter(large)

    with pytest.raises(StoreUnavailable, match="too many"):
        room.enter(large)
    room.answer(room.group(), None)
    await asyncio.sleep(0)

    room.enter(large)


async def test_a_database_locked_by_another_is_unavailable_until_it_is_free_again(database, inbox, groups):
    async with writers_locked_out(database):
        refused = keep_all(inbox, [a_delivery("1"), a_delivery("2")])
        answers = await asyncio.gather(*refused, return_exceptions=True)
    kept_meanwhile = await rows(database, tables.deliveries)
    told_meanwhile = list(groups)

    await inbox.keep(a_delivery("3"))

    assert [type(answer) for answer in answers] == [StoreUnavailable, StoreUnavailable]
    assert (kept_meanwhile, told_meanwhile) == ([], [])
    assert [link.drchrono_id for link in await rows(database, tables.links)] == ["3"]


@on_sqlite
async def test_a_file_that_somebody_has_alone_for_a_moment_is_waited_for_from_the_first_delivery_on(database, tmp_path):
    path = tmp_path / "whole.db"
    shutil.copy(database.path, path)
    alone = sqlite3.connect(path, isolation_level=None)  # as whoever closes the file last, and whoever recovers it
    for statement in ("PRAGMA locking_mode=EXCLUSIVE", "BEGIN IMMEDIATE"):
        alone.execute(statement)
    inbox = SqliteInbox(path, lambda _group: None)

    (task,) = keep_all(inbox, [a_delivery("1")])
    for _ in range(20):
        await database.read(sa.text("SELECT 1"))
    was_done = task.done()
    alone.close()

    await task
    await inbox.close()
    assert not was_done


async def test_a_missing_table_is_unavailable(database, inbox):
    async def drop(connection):
        await connection.execute(sa.text("DROP TABLE events"))

    await database.transact(drop)

    with pytest.raises(StoreUnavailable):
        await inbox.keep(a_delivery("1"))

    assert await rows(database, tables.deliveries) == []


@on_sqlite
async def test_a_full_database_is_unavailable_and_what_was_kept_stays(database, inbox):
    await inbox.keep(a_delivery("1"))
    connection = inbox._connection
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")

    with pytest.raises(StoreUnavailable):
        await inbox.keep(a_delivery("2", body="x" * 200_000))

    assert [link.drchrono_id for link in await rows(database, tables.links)] == ["1"]
    connection.execute("PRAGMA max_page_count = 1000000")
    await inbox.keep(a_delivery("2", body="x" * 200_000))
    assert len(await rows(database, tables.deliveries)) == 2


@on_sqlite
async def test_a_deleted_file_is_unavailable(database, inbox):
    await inbox.keep(a_delivery("1"))
    database.path.unlink()

    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await inbox.keep(a_delivery("2"))

    assert not database.path.exists()


@on_sqlite
async def test_a_file_deleted_while_a_commit_waits_is_unavailable(database, inbox):
    await inbox.keep(a_delivery("1"))
    async with writers_locked_out(database):
        (task,) = keep_all(inbox, [a_delivery("2")])
        for _ in range(20):  # time for the writer to come to the lock; wherever it is, the answer must be the same
            await database.read(sa.text("SELECT 1"))
        database.path.unlink()

    with pytest.raises(StoreUnavailable):
        await task


@on_sqlite
async def test_a_file_that_was_never_there_is_not_made(database):
    database.path.unlink()
    inbox = open_inbox(database)

    with pytest.raises(StoreUnavailable):
        await inbox.keep(a_delivery("1"))

    await inbox.close()
    assert not database.path.exists()


@on_sqlite
async def test_a_replaced_file_is_unavailable_at_first_and_then_used(database, inbox, tmp_path):
    shutil.copyfile(database.path, tmp_path / "restored.db")
    await inbox.keep(a_delivery("1"))
    (tmp_path / "restored.db").replace(database.path)
    for leftover in ("-wal", "-shm"):
        database.path.with_name(database.path.name + leftover).unlink()

    with pytest.raises(StoreUnavailable):
        await inbox.keep(a_delivery("2"))
    await inbox.keep(a_delivery("3"))

    assert [link.drchrono_id for link in await rows(database, tables.links)] == ["3"]


@on_sqlite
async def test_the_writer_waits_for_the_disk_at_every_commit(database, inbox):
    await inbox.keep(a_delivery("1"))

    assert inbox._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert inbox._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@on_postgresql
async def test_the_writer_waits_for_the_disk_at_every_commit_of_postgresql(database, inbox):
    await inbox.keep(a_delivery("1"))

    assert await inbox._connection.fetchval("SHOW synchronous_commit") == "on"


@on_postgresql
async def test_a_connection_killed_in_the_middle_is_no_answer_and_the_next_one_works(database, inbox):
    async with writers_locked_out(database):
        (task,) = keep_all(inbox, [a_delivery("1")])
        killer = await connected(database)
        await killer.execute("SELECT pg_terminate_backend($1)", await waits_for_a_lock(database))
        await killer.close()

        with pytest.raises(StoreUnavailable):
            await task

    assert await rows(database, tables.deliveries) == []
    await inbox.keep(a_delivery("2"))
    assert [link.drchrono_id for link in await rows(database, tables.links)] == ["2"]


@on_postgresql
async def test_a_connection_killed_between_two_requests_loses_neither(database, inbox):
    await inbox.keep(a_delivery("1"))
    killer = await connected(database)
    await killer.execute("SELECT pg_terminate_backend($1, 5000)", inbox._connection.get_server_pid())
    await killer.close()
    second = a_delivery("2")

    try:
        await inbox.keep(second)
    except StoreUnavailable:
        await inbox.keep(second)

    assert {link.drchrono_id for link in await rows(database, tables.links)} == {"1", "2"}


@on_postgresql
async def test_a_server_that_only_reads_any_more_keeps_nothing_and_is_left_for_the_one_that_writes(database, inbox):
    async with a_standby(database):
        for key in ("1", "2"):
            with pytest.raises(StoreUnavailable):
                await inbox.keep(a_delivery(key))

    await inbox.keep(a_delivery("3"))

    assert [link.drchrono_id for link in await rows(database, tables.links)] == ["3"]


@on_postgresql
async def test_a_database_that_is_not_there_is_unavailable(database):
    away = open_inbox(type(database)(database.url.set(database="nowhere").render_as_string(hide_password=False)))

    with pytest.raises(StoreUnavailable):
        await away.keep(a_delivery("1"))

    await away.close()


@on_postgresql
async def test_a_server_that_is_not_there_is_unavailable(database):
    away = open_inbox(type(database)(database.url.set(port=1).render_as_string(hide_password=False)))

    with pytest.raises(StoreUnavailable):
        await away.keep(a_delivery("1"))

    await away.close()


@on_postgresql
async def test_two_inboxes_that_want_the_same_records_in_another_order_both_get_through(database, inbox):
    other = open_inbox(database)

    await asyncio.gather(
        *keep_all(inbox, [a_delivery(*map(str, range(40))) for _ in range(10)]),
        *keep_all(other, [a_delivery(*map(str, reversed(range(40)))) for _ in range(10)]),
    )

    await other.close()
    assert len(await rows(database, tables.deliveries)) == 20
    assert len(await rows(database, tables.links)) == 40


async def test_an_error_names_no_value(request, database, inbox):
    bad = a_delivery("Canary", version=BAD_VERSIONS[request.node.callspec.params["database"]], body="Canary")

    with pytest.raises(StoreUnavailable) as caught:
        await inbox.keep(bad)

    assert "Canary" not in str(caught.value)


async def test_what_was_sealed_lies_nowhere_in_clear(database, inbox, vault, tmp_path):
    await inbox.keep(a_delivery("1", body=vault.seal({"first_name": "Canary"}, "a place")))

    (row,) = await rows(database, tables.deliveries)
    assert vault.open(row.body, "a place") == {"first_name": "Canary"}
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir()) if database.is_sqlite else row.body.encode()
    assert row.body.encode() in stored
    assert b"Canary" not in stored


async def test_a_probe_finds_what_keeps_a_delivery_out_and_leaves_nothing_behind(database, inbox, groups):
    await inbox.probe()
    assert [await rows(database, table) for table in (tables.deliveries, tables.events, tables.links)] == [[], [], []]

    await change(database, sa.text("ALTER TABLE events RENAME TO elsewhere"))
    with pytest.raises(StoreUnavailable, match="the database refused"):
        await inbox.probe()
    await change(database, sa.text("ALTER TABLE elsewhere RENAME TO events"))
    await inbox.probe()

    assert groups == []


async def test_probes_and_deliveries_do_not_keep_each_other_out(database, inbox, groups):
    deliveries = [a_delivery(str(number)) for number in range(300)]

    await asyncio.gather(*keep_all(inbox, deliveries), *(inbox.probe() for _ in range(30)))

    assert await kept_keys(database) == {delivery.key for delivery in deliveries}
    assert sorted(one.id for group in groups for one in group) == sorted(one.id for one in deliveries)


async def test_a_probe_of_an_inbox_that_is_closed_is_refused(database):
    inbox = open_inbox(database)
    await inbox.close()

    with pytest.raises(StoreUnavailable):
        await inbox.probe()
