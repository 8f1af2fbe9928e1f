"""The right to ask for a token: one at a time, run out by the database's clock, and the trace a cut-off leaves."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.errors import LeaseLost
from app.store import clock, tables
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from tests.store.build import HOUR, PAIR, SECOND, ages, rows, save

HALF_A_MINUTE = timedelta(seconds=30)


@pytest.fixture
def drchrono(database, vault):
    return VendorTokens(database, vault, Side.DRCHRONO)


async def run_out(database):
    await ages(database, lease_until=clock.after(-SECOND))


async def test_one_process_refreshes_at_a_time(drchrono):
    first = await drchrono.lease(HOUR)

    assert first is not None
    assert await drchrono.lease(HOUR) is None


async def test_of_many_that_ask_at_once_one_gets_the_lease(database, vault):
    many = [VendorTokens(database, vault, Side.DRCHRONO) for _ in range(8)]

    leases = await asyncio.gather(*(one.lease(HOUR) for one in many))

    assert len([lease for lease in leases if lease is not None]) == 1


async def test_of_many_that_find_a_lease_run_out_one_gets_it(database, vault):
    many = [VendorTokens(database, vault, Side.DRCHRONO) for _ in range(8)]
    await many[0].lease(HOUR)
    await run_out(database)

    leases = await asyncio.gather(*(one.lease(HOUR) for one in many))

    assert [lease.follows_cut_off for lease in leases if lease is not None] == [True]


@pytest.mark.parametrize("span", [HALF_A_MINUTE, HOUR], ids=str)
async def test_a_lease_lasts_as_long_as_it_was_asked_for(database, drchrono, span):
    await drchrono.lease(span)

    until = sa.type_coerce(tables.connections.c.lease_until, sa.BigInteger)
    ((left,),) = await database.read(sa.select(until - sa.type_coerce(clock.db_now(), sa.BigInteger)))
    assert span - timedelta(seconds=20) < timedelta(milliseconds=left) <= span


async def test_a_dead_refreshers_lease_runs_out(database, drchrono):
    dead = await drchrono.lease(HOUR)
    await run_out(database)

    successor = await drchrono.lease(HOUR)

    assert successor is not None
    assert successor.owner != dead.owner


async def test_a_refresher_thought_dead_cannot_put_an_old_pair_back(database, drchrono):
    dead = await drchrono.lease(HOUR)
    await run_out(database)
    await drchrono.save(await drchrono.lease(HOUR), 0, {"access_token": "of the successor"}, HOUR, HOUR)

    with pytest.raises(LeaseLost):
        await drchrono.save(dead, 0, {"access_token": "of the dead"}, HOUR, HOUR)

    stored = await drchrono.read()
    assert (stored.token, stored.version) == ({"access_token": "of the successor"}, 1)


async def test_a_slow_refresher_still_saves_while_nobody_saved_after_its_version(database, drchrono):
    slow = await drchrono.lease(HOUR)
    await run_out(database)
    successor = await drchrono.lease(HOUR)

    stored = await drchrono.save(slow, 0, PAIR, HOUR, HOUR)

    assert (stored.token, stored.version) == (PAIR, 1)
    (row,) = await rows(database, tables.connections)
    assert row.lease_owner == successor.owner, "who asks now keeps the right to"


async def test_after_a_slow_refresher_saved_the_successors_answer_to_the_old_pair_is_too_late(database, drchrono):
    slow = await drchrono.lease(HOUR)
    await run_out(database)
    successor = await drchrono.lease(HOUR)
    await drchrono.save(slow, 0, PAIR, HOUR, HOUR)

    with pytest.raises(LeaseLost):
        await drchrono.save(successor, 0, {"access_token": "of the successor"}, HOUR, HOUR)

    assert (await drchrono.read()).token == PAIR


async def test_a_refusal_says_nothing_of_a_token_that_followed_the_refused_one_meanwhile(database, drchrono):
    slow = await drchrono.lease(HOUR)
    await run_out(database)
    successor = await drchrono.lease(HOUR)
    await drchrono.save(slow, 0, PAIR, HOUR, HOUR)

    with pytest.raises(LeaseLost):
        await drchrono.refuse(successor, "invalid_grant")

    stored = await drchrono.read()
    assert (stored.token, stored.refused_code) == (PAIR, None)


async def test_a_refresher_thought_dead_disturbs_no_successor_at_work(database, drchrono):
    await save(drchrono)
    dead = await drchrono.lease(HOUR)
    await run_out(database)
    successor = await drchrono.lease(HOUR)

    for late in (drchrono.refuse(dead, "invalid_grant"), drchrono.release(dead, HOUR), drchrono.forget(dead)):
        with pytest.raises(LeaseLost):
            await late

    stored = await drchrono.read()
    assert (stored.refused_code, stored.ask_again_in_s, stored.token) == (None, 0.0, PAIR)
    assert (await drchrono.save(successor, 1, PAIR, HOUR, HOUR)).version == 2


async def test_a_lease_that_ran_out_but_nobody_took_still_saves(database, drchrono):
    lease = await drchrono.lease(HOUR)
    await run_out(database)

    assert (await drchrono.save(lease, 0, PAIR, HOUR, HOUR)).token == PAIR


ENDS = {
    "save": lambda store, lease: store.save(lease, 0, PAIR, HOUR, HOUR),
    "refuse": lambda store, lease: store.refuse(lease, "invalid_grant"),
    "release": lambda store, lease: store.release(lease),
    "release to wait": lambda store, lease: store.release(lease, HOUR),
    "forget": lambda store, lease: store.forget(lease),
}


@pytest.mark.parametrize("end", ENDS)
async def test_whatever_ends_a_refresh_lets_the_lease_go_and_leaves_no_trace_of_a_cut_off(drchrono, end):
    await ENDS[end](drchrono, await drchrono.lease(HOUR))

    assert (await drchrono.read()).is_cut_off is False
    next_one = await drchrono.lease(HOUR)
    assert next_one is not None
    assert next_one.follows_cut_off is False


@pytest.mark.parametrize("end", ["refuse", "release", "forget"])
async def test_a_lease_serves_once(drchrono, end):
    lease = await drchrono.lease(HOUR)
    await drchrono.release(lease)

    with pytest.raises(LeaseLost):
        await ENDS[end](drchrono, lease)


async def test_a_lease_saves_once(drchrono):
    lease = await drchrono.lease(HOUR)
    await drchrono.save(lease, 0, PAIR, HOUR, HOUR)

    with pytest.raises(LeaseLost):
        await drchrono.save(lease, 0, PAIR, HOUR, HOUR)


async def test_releasing_changes_no_token(drchrono):
    before = await save(drchrono)

    await drchrono.release(await drchrono.lease(HOUR))

    assert await drchrono.read() == before


async def test_the_first_lease_follows_no_cut_off(drchrono):
    assert (await drchrono.lease(HOUR)).follows_cut_off is False


async def test_a_lease_after_one_that_never_ended_follows_a_cut_off(database, drchrono):
    await save(drchrono)
    await drchrono.lease(HOUR)
    await run_out(database)

    successor = await drchrono.lease(HOUR)

    assert successor.follows_cut_off is True


async def test_a_lease_after_an_answer_that_never_came_follows_a_cut_off(drchrono):
    await save(drchrono)

    await drchrono.release(await drchrono.lease(HOUR), is_answered=False)

    assert (await drchrono.read()).is_cut_off is True
    assert (await drchrono.lease(HOUR)).follows_cut_off is True


async def test_a_cut_off_is_followed_until_something_ends_it(database, drchrono):
    await drchrono.lease(HOUR)
    for _ in range(2):
        await run_out(database)
        assert (await drchrono.lease(HOUR)).follows_cut_off is True
    await run_out(database)

    await drchrono.save(await drchrono.lease(HOUR), 0, PAIR, HOUR, HOUR)

    assert (await drchrono.lease(HOUR)).follows_cut_off is False


async def test_an_asking_under_way_is_no_cut_off(drchrono):
    await save(drchrono)

    await drchrono.lease(HOUR)

    assert (await drchrono.read()).is_cut_off is False


async def test_an_asking_whose_lease_ran_out_is_seen_as_cut_off(database, drchrono):
    await drchrono.lease(HOUR)
    await run_out(database)

    assert (await drchrono.read()).is_cut_off is True
