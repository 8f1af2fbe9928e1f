"""A consent under way: a state works once, for its browser and ten minutes; a pair waits sealed, and not for ever."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store import clock, tables
from app.store.oauth_states import LIFE, OAuthStates
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from tests.store.build import HOUR, PAIR, SECOND, ages, change, rows, save

MINUTE = timedelta(minutes=1)


@pytest.fixture
def waiting(database, vault):
    return OAuthStates(database, vault)


async def expires(database, span):
    """Move the end of every state, as the clock would."""
    await change(database, sa.update(tables.consents).values(expires_at=clock.after(span)))


async def test_the_browser_that_was_sent_away_is_known_when_it_comes_back(waiting):
    await waiting.expect("state", "browser")

    assert await waiting.take("state", "browser") is True


async def test_a_state_works_once(waiting):
    await waiting.expect("state", "browser")
    await waiting.take("state", "browser")

    assert await waiting.take("state", "browser") is False


async def test_of_two_that_come_back_at_once_with_one_state_one_is_known(waiting):
    await waiting.expect("state", "browser")

    told = await asyncio.gather(*(waiting.take("state", "browser") for _ in range(5)))

    assert sorted(told) == [False] * 4 + [True]


async def test_a_state_in_another_browser_is_refused_and_used_up(waiting):
    await waiting.expect("state", "browser")

    assert await waiting.take("state", "another") is False
    assert await waiting.take("state", "browser") is False


async def test_a_state_nobody_was_sent_away_with_is_refused(waiting):
    await waiting.expect("state", "browser")

    assert await waiting.take("", "browser") is False
    assert await waiting.take("another", "browser") is False


async def test_one_browser_may_have_several_states_under_way(waiting):
    await waiting.expect("first", "browser")
    await waiting.expect("second", "browser")

    assert [await waiting.take(state, "browser") for state in ("first", "second")] == [True, True]


async def test_a_state_lives_for_ten_minutes(database, waiting):
    await waiting.expect("state", "browser")

    until = sa.type_coerce(tables.consents.c.expires_at, sa.BigInteger)
    ((left,),) = await database.read(sa.select(until - sa.type_coerce(clock.db_now(), sa.BigInteger)))
    assert timedelta(minutes=9) < timedelta(milliseconds=left) <= timedelta(minutes=10)


@pytest.mark.parametrize(("left", "is_known"), [(MINUTE, True), (-SECOND, False)], ids=["in time", "too late"])
async def test_a_state_does_not_outlive_its_time(database, waiting, left, is_known):
    await waiting.expect("state", "browser")
    await expires(database, left)

    assert await waiting.take("state", "browser") is is_known


async def test_states_that_nobody_came_back_with_are_forgotten(database, waiting):
    await waiting.expect("old", "browser")
    await expires(database, -SECOND)

    await waiting.expect("new", "browser")

    assert len(await rows(database, tables.consents)) == 1


async def test_neither_state_nor_browser_lies_in_clear(database, waiting):
    await waiting.expect("state-Canary", "browser-Canary")

    assert "Canary" not in repr(await rows(database, tables.consents))


async def test_with_no_pair_waiting_none_is_given(database, waiting, vault):
    await save(VendorTokens(database, vault, Side.DRCHRONO))

    assert await waiting.held() is None


async def test_a_pair_waits_where_nothing_was_ever_connected(waiting):
    await waiting.hold(PAIR)

    assert await waiting.held() == PAIR


async def test_any_process_finds_the_pair_that_waits(database, waiting, vault):
    await waiting.hold(PAIR)

    assert await OAuthStates(database, vault).held() == PAIR


async def test_a_pair_that_waits_is_no_connection_and_touches_none(database, waiting, vault):
    ours = VendorTokens(database, vault, Side.DRCHRONO)
    before = await save(ours)

    await waiting.hold({"access_token": "another's"})

    assert await ours.read() == before


async def test_a_newer_pair_takes_the_place_of_the_one_that_waits(waiting):
    await waiting.hold(PAIR)

    await waiting.hold({"access_token": "newer"})

    assert await waiting.held() == {"access_token": "newer"}


async def test_a_dropped_pair_is_gone_and_the_connection_is_not(database, waiting, vault):
    ours = VendorTokens(database, vault, Side.DRCHRONO)
    before = await save(ours)
    await waiting.hold({"access_token": "another's"})

    await waiting.drop()

    (row,) = await rows(database, tables.connections)
    assert await waiting.held() is None
    assert (row.pending, row.pending_at) == (None, None)
    assert await ours.read() == before


@pytest.mark.parametrize(("age", "found"), [(LIFE - MINUTE, PAIR), (LIFE + SECOND, None)], ids=["in time", "too late"])
async def test_a_pair_does_not_wait_for_ever(database, waiting, age, found):
    await waiting.hold(PAIR)
    await ages(database, pending_at=clock.after(-age))

    assert await waiting.held() == found


async def test_a_new_pair_waits_its_own_time(database, waiting):
    await waiting.hold(PAIR)
    await ages(database, pending_at=clock.after(-HOUR))

    await waiting.hold(PAIR)

    assert await waiting.held() == PAIR


async def test_a_pair_of_the_other_side_is_left_alone(database, waiting, vault):
    salesforce = VendorTokens(database, vault, Side.SALESFORCE)
    await save(salesforce)

    await waiting.hold(PAIR)
    await waiting.drop()

    by_side = {row.side: row.pending_at for row in await rows(database, tables.connections)}
    assert by_side == {"drchrono": None, "salesforce": None}
