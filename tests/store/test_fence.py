"""The fence: a database belongs to whoever opened it first, and no other installation is given a right to act."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.errors import OTHER_INSTANCE, LeaseLost, OtherInstance
from app.store import fence, scans, schedules, tables, work_queue
from app.store.database import Database
from app.store.lanes import is_paused, lane_states, set_paused
from app.store.rate_ledger import RateLedger
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Kind, Lane, Side
from tests.store.build import a_delivery, came_in, connected, on_postgresql, rows, waits_for_a_lock

HOME, ELSEWHERE = "https://sync.example.com#north", "https://sync.example.com#south"
SPAN = timedelta(seconds=30)


@pytest.fixture
async def opened(database):
    """The database as its own installation opens it, and as one with another identity does."""
    url = database.url.render_as_string(hide_password=False)
    async with (
        Database(url, identity=HOME).opened() as home,
        Database(url, identity=ELSEWHERE).opened() as copy,
    ):
        await fence.recognize(home)
        yield home, copy


async def resume_all(database):
    await set_paused(database, list(Lane), None)


async def owner(database):
    return [row.identity for row in await rows(database, tables.instance)]


async def admitted(ledger):
    return await ledger.count(Lane.LIVE, lambda found: ((int(found.at // 3600),), 1, 0.0))


async def test_the_first_that_opens_a_database_has_it(opened):
    home, _ = opened

    assert await fence.recognize(home) is True
    assert await owner(home) == [HOME]
    assert not any(state.is_paused for state in await lane_states(home))


async def test_whoever_opens_it_under_another_identity_sees_every_lane_paused_and_writes_nothing(opened):
    home, copy = opened

    assert await fence.recognize(copy) is False

    assert [(state.lane, state.reason) for state in await lane_states(copy)] == [
        (lane, OTHER_INSTANCE) for lane in Lane
    ]
    assert await is_paused(copy, Lane.COMPARE)
    assert await owner(home) == [HOME]
    assert await rows(home, tables.lanes) == []


async def test_another_installation_is_leased_no_record(opened):
    home, copy = opened
    await came_in(home, a_delivery("1"))

    assert await work_queue.waiting(copy) == []
    assert await work_queue.lease_batch(copy, Kind.PATIENT) is None
    assert await work_queue.lease_batch(home, Kind.PATIENT) is not None


@pytest.mark.parametrize("side", Side)
async def test_another_installation_may_use_and_ask_for_no_token(opened, vault, side):
    home, copy = opened
    tokens = VendorTokens(home, vault, side)
    lease = await tokens.lease(SPAN)
    await tokens.save(lease, 0, {"access_token": "a token"})

    theirs = VendorTokens(copy, vault, side)

    assert (await theirs.read()).is_ours is False
    with pytest.raises(OtherInstance):
        await theirs.lease(SPAN)
    assert (await tokens.read()).is_ours is True


async def test_another_installation_goes_through_nothing_and_begins_nothing_regular(opened):
    home, copy = opened

    with pytest.raises(OtherInstance):
        await scans.acquire(copy, "compare_patient")
    assert await schedules.try_claim(copy, "compare_patient", SPAN) is False
    assert await schedules.try_claim(home, "compare_patient", SPAN) is True


async def test_another_installations_call_is_not_counted(opened):
    home, copy = opened

    with pytest.raises(OtherInstance):
        await admitted(RateLedger(copy, "application"))
    assert (await RateLedger(home, "application").read()).made == {}


async def test_resuming_one_lane_hands_nothing_over(opened):
    home, copy = opened
    await set_paused(home, [Lane.LIVE], "an operator's word")

    await set_paused(copy, [Lane.LIVE], None)

    assert all(state.is_paused for state in await lane_states(copy))
    assert not any(state.is_paused for state in await lane_states(home))


async def test_resuming_all_lanes_hands_the_database_over_and_fences_off_who_had_it(opened, vault):
    home, copy = opened
    await came_in(home, a_delivery("1"), a_delivery("2"))
    held = await work_queue.lease_batch(home, Kind.PATIENT, limit=1)
    scan, _ = await scans.acquire(home, "compare_patient")

    await resume_all(copy)

    assert await owner(copy) == [ELSEWHERE]
    assert not any(state.is_paused for state in await lane_states(copy))
    assert await work_queue.renew_lease(home, held.token) is False
    assert await work_queue.lease_batch(home, Kind.PATIENT) is None
    with pytest.raises(LeaseLost):
        await scans.renew(home, scan)
    with pytest.raises(OtherInstance):
        await VendorTokens(home, vault, Side.DRCHRONO).lease(SPAN)
    assert len((await work_queue.lease_batch(copy, Kind.PATIENT)).due) == 1


async def test_a_restart_of_the_copy_changes_nothing_before_and_after_it_is_resumed(opened):
    _, copy = opened
    await fence.recognize(copy)

    assert await fence.recognize(copy) is False
    await resume_all(copy)
    assert await fence.recognize(copy) is True


async def test_going_back_needs_an_operators_word_too(opened):
    home, copy = opened
    await resume_all(copy)

    assert await fence.recognize(home) is False
    await resume_all(home)
    assert (await fence.recognize(home), await fence.recognize(copy)) == (True, False)


async def test_a_very_long_identity_is_recognized(database):
    url = database.url.render_as_string(hide_password=False)
    async with Database(url, identity=HOME + "x" * 600).opened() as opened:
        assert [await fence.recognize(opened), await fence.recognize(opened)] == [True, True]


async def test_a_database_that_could_not_be_asked_when_it_was_opened_is_recorded_by_the_first_act(database):
    url = database.url.render_as_string(hide_password=False)
    async with Database(url, identity=HOME).opened() as late:
        await work_queue.lease_batch(late, Kind.PATIENT)

    assert await owner(database) == [HOME]


@on_postgresql
async def test_of_two_first_starts_at_once_under_two_identities_one_has_it(database):
    url = database.url.render_as_string(hide_password=False)
    other = await connected(database)
    async with Database(url, identity=ELSEWHERE).opened() as late:
        async with other.transaction():
            await other.execute("INSERT INTO instance (identity, recorded_at) VALUES ($1, 0)", HOME)
            task = asyncio.create_task(fence.recognize(late))
            await waits_for_a_lock(database)
        await other.close()

        assert await task is False
    assert (await database.read(sa.select(sa.func.count()).select_from(tables.instance)))[0][0] == 1
