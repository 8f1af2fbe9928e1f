import asyncio

import sqlalchemy as sa

from app.store import tables, work_queue
from app.store.lanes import CLONED, lane_states, pause_if_cloned, set_paused
from app.sync.model import Kind, Lane
from tests.store.build import a_delivery, came_in, connected, on_postgresql, rows, waits_for_a_lock

HOME, ELSEWHERE = "https://sync.example.com#north", "https://sync.example.com#south"


async def test_the_first_start_records_who_the_database_is_for(database):
    assert await pause_if_cloned(database, HOME) is True

    assert [row.identity for row in await rows(database, tables.instance)] == [HOME]
    assert await rows(database, tables.lanes) == []


async def test_the_same_installation_is_recognised_and_nothing_is_paused(database):
    await pause_if_cloned(database, HOME)

    assert await pause_if_cloned(database, HOME) is True
    assert await rows(database, tables.lanes) == []


async def test_a_copy_started_elsewhere_has_every_lane_paused(database):
    await pause_if_cloned(database, HOME)
    await came_in(database, a_delivery("1"))

    assert await pause_if_cloned(database, ELSEWHERE) is False

    states = await lane_states(database)
    assert [(state.lane, state.is_paused, state.reason) for state in states] == [(lane, True, CLONED) for lane in Lane]
    assert await work_queue.lease_batch(database, Kind.PATIENT) is None


async def test_a_lane_paused_before_stays_paused_under_another_identity(database):
    await pause_if_cloned(database, HOME)
    await set_paused(database, [Lane.LIVE], "an operator's word")

    await pause_if_cloned(database, ELSEWHERE)

    assert all(state.is_paused for state in await lane_states(database))


async def test_after_the_operator_resumed_the_new_identity_is_home(database):
    await pause_if_cloned(database, HOME)
    await pause_if_cloned(database, ELSEWHERE)
    await set_paused(database, list(Lane), None)

    assert await pause_if_cloned(database, ELSEWHERE) is True
    assert await rows(database, tables.lanes) == []


async def test_a_restart_of_the_copy_leaves_the_lanes_paused(database):
    await pause_if_cloned(database, HOME)
    await pause_if_cloned(database, ELSEWHERE)

    assert await pause_if_cloned(database, ELSEWHERE) is True
    assert all(state.is_paused for state in await lane_states(database))


async def test_going_back_is_another_identity_too(database):
    await pause_if_cloned(database, HOME)
    await pause_if_cloned(database, ELSEWHERE)
    await set_paused(database, list(Lane), None)

    assert await pause_if_cloned(database, HOME) is False


async def test_a_very_long_identity_is_recognised(database):
    identity = HOME + "x" * 600
    await pause_if_cloned(database, identity)

    assert await pause_if_cloned(database, identity) is True


@on_postgresql
async def test_two_first_starts_at_once_are_both_at_home(database):
    other = await connected(database)
    async with other.transaction():
        await other.execute("INSERT INTO instance (identity, recorded_at) VALUES ($1, 0)", HOME)
        task = asyncio.create_task(pause_if_cloned(database, HOME))
        await waits_for_a_lock(database)
    await other.close()

    assert await task is True
    assert (await database.read(sa.select(sa.func.count()).select_from(tables.instance)))[0][0] == 1
