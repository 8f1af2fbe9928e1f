import asyncio
import sqlite3
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from app.errors import StoreUnavailable, ValueRefused
from app.operations.health.model import SLOW_S
from app.store import tables
from app.store.clock import Instant, after, db_now, millis
from app.store.database import BUSY_TIMEOUT_S, MOST_OPEN, Database, among
from app.store.tables import lanes
from app.timings import REAL
from tests.store.build import (
    a_standby,
    change,
    connected,
    on_postgresql,
    on_sqlite,
    rows,
    statements_of,
    waits_for_a_lock,
)

A_LANE = {"lane": "live", "reason": "because", "paused_at": datetime(2026, 8, 1, 12, 30, 15, 123000, tzinfo=UTC)}


async def insert_a_lane(connection):
    await connection.execute(sa.insert(lanes).values(A_LANE))


async def test_a_unit_of_work_is_committed_at_its_end(database):
    await database.transact(insert_a_lane)

    assert [row.lane for row in await rows(database, lanes)] == ["live"]


async def test_a_unit_of_work_gives_what_it_found(database):
    async def work(connection):
        return (await connection.execute(sa.text("SELECT 41 + 1"))).scalar_one()

    assert await database.transact(work) == 42


async def test_an_error_takes_the_whole_unit_of_work_back(database):
    async def work(connection):
        await insert_a_lane(connection)
        raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        await database.transact(work)

    assert await rows(database, lanes) == []


async def test_a_refused_statement_is_unavailable_and_takes_the_rest_back(database):
    async def work(connection):
        await insert_a_lane(connection)
        await insert_a_lane(connection)

    with pytest.raises(StoreUnavailable):
        await database.transact(work)

    assert await rows(database, lanes) == []


async def test_an_error_says_what_kind_it_was_and_no_value(database):
    async def work(connection):
        for _ in range(2):
            await connection.execute(sa.insert(lanes).values({**A_LANE, "lane": "Canary"}))

    with pytest.raises(StoreUnavailable) as caught:
        await database.transact(work)

    assert str(caught.value) in {"the database refused: IntegrityError", "the database refused: UniqueViolationError"}


async def test_reading_a_table_that_is_not_there_is_unavailable(database):
    with pytest.raises(StoreUnavailable) as caught:
        await database.read(sa.text("SELECT * FROM nothing"))

    assert not isinstance(caught.value, ValueRefused)


@pytest.mark.parametrize("lane", ["live\ud800", "twice", None], ids=["half a letter", "a key twice", "null"])
async def test_a_value_that_the_database_does_not_take_is_told_from_a_database_that_is_away(database, lane):
    async def work(connection):
        await connection.execute(sa.insert(lanes), [A_LANE | {"lane": lane}] * 2)

    with pytest.raises(ValueRefused) as caught:
        await database.transact(work)

    assert "ud800" not in str(caught.value)
    assert await rows(database, lanes) == []


@pytest.mark.parametrize("lane", ["live\x00", "far longer than a lane"], ids=["NUL", "too long"])
@on_postgresql
async def test_a_text_that_postgresql_does_not_take_is_told_from_a_database_that_is_away(database, lane):
    with pytest.raises(ValueRefused):
        await database.transact(lambda connection: connection.execute(sa.insert(lanes).values(A_LANE | {"lane": lane})))


async def test_a_question_about_half_a_letter_is_told_from_a_database_that_is_away(database):
    with pytest.raises(ValueRefused):
        await database.read(sa.select(lanes).where(lanes.c.lane == "\ud800"))


async def test_a_number_that_no_column_takes_is_told_from_a_database_that_is_away(database):
    with pytest.raises(ValueRefused):
        await database.read(sa.select(tables.tallies).where(tables.tallies.c.count == 10**70))


@on_postgresql
async def test_a_damaged_row_is_told_from_a_database_that_is_away(database):
    damage = "DO $$ BEGIN RAISE 'missing chunk number 0 for toast value' USING ERRCODE = 'data_corrupted'; END $$"

    with pytest.raises(ValueRefused):
        await database.transact(lambda connection: connection.execute(sa.text(damage)))


async def test_an_instant_comes_back_aware_and_to_the_millisecond(database):
    await database.transact(insert_a_lane)

    (row,) = await rows(database, lanes)
    assert row.paused_at == A_LANE["paused_at"]
    assert row.paused_at.tzinfo is UTC


def test_an_instant_of_another_zone_is_the_same_moment():
    elsewhere = datetime(2026, 8, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))

    assert millis(elsewhere) == millis(datetime(2026, 8, 1, 12, 0, tzinfo=UTC))


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(TypeError):
        Instant().process_bind_param(datetime(2026, 8, 1), None)  # noqa: DTZ001 - that is the fault


async def test_the_databases_clock_is_the_machines(database):
    (told,) = (await database.read(sa.select(db_now())))[0]

    assert abs(told - datetime.now(UTC)) < timedelta(seconds=5)


async def test_after_adds_a_span_to_the_databases_clock(database):
    then, now = (await database.read(sa.select(sa.type_coerce(after(timedelta(minutes=5)), Instant), db_now())))[0]

    assert abs(then - now - timedelta(minutes=5)) < timedelta(seconds=1)


async def test_the_databases_clock_goes_on_within_a_transaction(database):
    async def work(connection):
        first = (await connection.execute(sa.select(db_now()))).scalar_one()
        while (now := (await connection.execute(sa.select(db_now()))).scalar_one()) == first:
            pass
        return now - first

    async with asyncio.timeout(5):
        assert await database.transact(work) > timedelta(0)


@on_sqlite
@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("busy_timeout", int(BUSY_TIMEOUT_S * 1000)),
        ("foreign_keys", 1),
        ("journal_size_limit", 64 * 2**20),
        ("auto_vacuum", 2),
    ],
    ids=["write-ahead log", "full synchronous", "waits when busy", "foreign keys", "log is cut", "room is given back"],
)
async def test_every_connection_has_its_pragmas(database, pragma, value):
    async def ask(connection):
        return (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one()

    assert await asyncio.gather(*(database.transact(ask) for _ in range(3))) == [value] * 3


@on_sqlite
async def test_a_writer_has_the_lock_before_its_first_statement(database):
    await database.read(sa.text("SELECT 1"))  # a connection that has read by itself before begins like any other

    async def work(_connection):
        other = sqlite3.connect(database.path, timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            return str(error)
        finally:
            other.close()

    assert await database.transact(work) == "database is locked"


@on_sqlite
async def test_reading_goes_on_while_another_writes(database):
    async def work(connection):
        await insert_a_lane(connection)
        return await rows(database, lanes)

    assert await database.transact(work) == []


@on_sqlite
async def test_two_writers_wait_for_each_other(database):
    await database.transact(insert_a_lane)

    async def add(connection):
        reason = (await connection.scalars(sa.select(lanes.c.reason))).one()
        await connection.execute(sa.update(lanes).values(reason=reason + "+"))

    await asyncio.gather(*(database.transact(add) for _ in range(5)))

    assert [row.reason for row in await rows(database, lanes)] == ["because+++++"]


@on_sqlite
async def test_writers_that_wait_for_each_other_hold_no_connection_and_are_served_in_their_order(database):
    written, begun, may_end = [], asyncio.Event(), asyncio.Event()
    url = database.url.render_as_string(hide_password=False)

    def numbered(number):
        async def work(_connection):
            written.append(number)
            begun.set()
            await may_end.wait()

        return work

    async with Database(url, REAL.times(0.02)).opened() as crowded:
        writers = [asyncio.create_task(crowded.transact(numbered(number))) for number in range(2 * MOST_OPEN)]
        await begun.wait()

        seen = await crowded.read(sa.select(lanes))
        may_end.set()
        await asyncio.gather(*writers)

    assert (seen, written) == ([], [*range(2 * MOST_OPEN)])


@on_sqlite
async def test_a_full_database_is_unavailable(database):
    async def work(connection):
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        await connection.execute(sa.insert(lanes).values({**A_LANE, "reason": "x" * 200_000}))

    with pytest.raises(StoreUnavailable):
        await database.transact(work)


@on_sqlite
def test_making_a_database_makes_its_folder_but_no_file(tmp_path, database):
    path = tmp_path / "new" / "folder" / "it.db"

    Database(f"sqlite+aiosqlite:///{path}")

    assert path.parent.is_dir()
    assert not path.exists()


@on_postgresql
async def test_a_deadlock_is_tried_again_from_the_start(database):
    for name in ("live", "retry"):
        await change(database, sa.insert(lanes).values({**A_LANE, "lane": name}))
    both_hold_one = asyncio.Barrier(2)
    runs = []

    async def one_then_the_other(connection, first, second):
        runs.append(first)
        await connection.execute(sa.update(lanes).where(lanes.c.lane == first).values(reason=first))
        if runs.count(first) == 1:
            await both_hold_one.wait()
        await connection.execute(sa.update(lanes).where(lanes.c.lane == second).values(reason=first))
        return first

    answers = await asyncio.gather(
        database.transact(lambda connection: one_then_the_other(connection, "live", "retry")),
        database.transact(lambda connection: one_then_the_other(connection, "retry", "live")),
    )

    assert answers == ["live", "retry"]
    assert len(runs) == 3


@on_postgresql
async def test_a_connection_killed_under_a_unit_of_work_is_replaced_and_the_work_done_again(database):
    runs = []

    async def work(connection):
        runs.append((await connection.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one())
        if len(runs) == 1:
            killer = await connected(database)
            await killer.execute("SELECT pg_terminate_backend($1, 5000)", runs[0])
            await killer.close()
        await insert_a_lane(connection)

    await database.transact(work)

    assert len(runs) == 2
    assert len(await rows(database, lanes)) == 1


@on_postgresql
async def test_idle_connections_that_were_killed_are_replaced_and_what_was_asked_of_them_is_answered(database):
    async def read():
        return await asyncio.gather(*(database.read(sa.text("SELECT 1")) for _ in range(3)))

    await read()
    killer = await connected(database)
    await killer.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    await killer.close()

    assert [[tuple(row) for row in answer] for answer in await read()] == [[(1,)]] * 3


@on_postgresql
async def test_a_server_that_only_reads_any_more_is_unavailable_and_left_for_the_one_that_writes(database):
    async with a_standby(database):
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await database.transact(insert_a_lane)

    await database.transact(insert_a_lane)

    assert [row.lane for row in await rows(database, lanes)] == ["live"]


@on_postgresql
async def test_a_server_that_is_not_there_is_unavailable(database):
    async with Database(database.url.set(port=1).render_as_string(hide_password=False)).opened() as away:
        with pytest.raises(StoreUnavailable):
            await away.read(sa.text("SELECT 1"))
        with pytest.raises(StoreUnavailable):
            await away.transact(insert_a_lane)


@on_postgresql
async def test_a_reader_does_not_wait_for_a_writer(database):
    await database.transact(insert_a_lane)

    async def work(connection):
        await connection.execute(sa.update(tables.lanes).values(reason="not yet committed"))
        return [row.reason for row in await rows(database, lanes)]

    assert await database.transact(work) == ["because"]


@on_postgresql
async def test_a_writer_of_the_same_row_waits_for_the_first(database):
    await database.transact(insert_a_lane)

    async def second(connection):
        await connection.execute(sa.update(lanes).values(reason=lanes.c.reason + " of the second"))

    async def first(connection):
        await connection.execute(sa.update(lanes).values(reason="because of the first and"))
        task = asyncio.create_task(database.transact(second))
        await waits_for_a_lock(database)
        return task

    await (await database.transact(first))

    assert [row.reason for row in await rows(database, lanes)] == ["because of the first and of the second"]


async def test_a_unit_of_work_whose_caller_is_cancelled_ends_whole_and_keeps_no_lock(database):
    await database.transact(insert_a_lane)
    begun = asyncio.Event()

    async def work(connection):
        await connection.execute(sa.update(lanes).values(reason="begun"))
        begun.set()
        await asyncio.sleep(0)
        await connection.execute(sa.update(lanes).values(reason="to its end"))

    caller = asyncio.create_task(database.transact(work))
    await begun.wait()
    caller.cancel()
    await asyncio.wait([caller])

    async with asyncio.timeout(BUSY_TIMEOUT_S - 1):
        await change(database, sa.update(lanes).values(lane="retry"))
    assert caller.cancelled()
    assert [(row.lane, row.reason) for row in await rows(database, lanes)] == [("retry", "to its end")]


async def test_a_statement_is_one_turn_of_sqlites_thread_and_rolling_back_nothing_is_none(database):
    if not database.is_sqlite:
        pytest.skip("a connection to PostgreSQL has no thread")
    turns = []
    async with database.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        execute = driver._execute
        driver._execute = lambda *asked: turns.append(asked) or execute(*asked)
        await connection.execution_options(stands_alone=True)

        assert (await connection.execute(sa.select(sa.literal(7)))).all() == [(7,)]
        await connection.rollback()

    assert len(turns) == 1


async def test_only_what_may_be_undone_by_a_power_cut_does_not_wait_for_the_disk(database):
    if not database.is_sqlite:
        pytest.skip("PostgreSQL waits for its disk in any case")
    normal, full = 1, 2

    async def level(connection):
        return await connection.scalar(sa.text("PRAGMA synchronous"))

    found = [await database.transact(level, is_durable=is_durable) for is_durable in (True, False, False, True)]

    assert found == [full, normal, normal, full]


async def test_sqlite_is_sent_one_statement_however_many_values_it_is_told(database):
    if not database.is_sqlite:
        pytest.skip("PostgreSQL's driver keeps few statements")
    await database.transact(insert_a_lane)
    asked = sa.select(lanes.c.lane).where(lanes.c.lane.in_(among("p_lanes")))

    async def ask(database, told):
        assert len(await database.read(asked, {"p_lanes": told})) == ("live" in told)

    some = [], ["live"], ["an apostrophe's", 'a "quote"', "é", *map(str, range(3_000)), "live"]
    sent = {statement for told in some for statement, _ in await statements_of(database, ask, told)}

    assert len([statement for statement in sent if "json_each" in statement]) == 1


async def test_a_pool_whose_connections_are_all_taken_is_unavailable_and_well_once_one_is_free(database):
    url = database.url.render_as_string(hide_password=False)
    async with Database(url, REAL.times(0.02)).opened() as crowded, AsyncExitStack() as taken:
        while crowded.engine.pool.checkedout() < crowded.engine.pool.size() + crowded.engine.pool._max_overflow:
            await taken.enter_async_context(crowded.engine.connect())

        for refused in (crowded.read(sa.select(lanes)), crowded.transact(insert_a_lane)):
            with pytest.raises(StoreUnavailable, match="the database refused: TimeoutError"):
                await refused
        await taken.aclose()

        assert await crowded.read(sa.select(lanes)) == []


def test_whoever_waits_for_a_connection_is_answered_before_a_look_of_the_probes_ends():
    assert REAL.pool_s < SLOW_S
