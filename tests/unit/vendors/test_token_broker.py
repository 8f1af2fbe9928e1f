"""The broker: one grant however many wait, a newer token before a grant, and a fresh one before the old is over."""

import asyncio
from datetime import timedelta

import pytest

from app.errors import Unavailable
from app.ports import StoredToken
from app.vendors.token_broker import Token
from tests.unit.vendors.memory import Memory, Vendor, a_broker, stored, until


async def test_a_stored_token_is_used_without_asking():
    vendor = Vendor()

    token = await a_broker(Memory(stored()), vendor).current()

    assert (token.value, token.version, vendor.asked) == ("stored", 3, [])


async def test_the_first_token_is_asked_for_and_stored():
    store, vendor = Memory(), Vendor()

    token = await a_broker(store, vendor).current()

    assert (token.value, store.row.token["access_token"]) == ("token 1", "token 1")
    assert vendor.asked == [None]


async def test_what_came_beside_a_token_is_given_with_it():
    token = await a_broker(Memory(), Vendor(instance_url="https://acme.example")).current()

    assert token.beside["instance_url"] == "https://acme.example"


async def test_many_who_wait_make_one_grant():
    store, vendor = Memory(), Vendor()
    broker = a_broker(store, vendor)

    tokens = await asyncio.gather(*(broker.current() for _ in range(50)))

    assert len(vendor.asked) == 1
    assert {token.value for token in tokens} == {"token 1"}


async def test_of_many_who_wait_in_one_process_one_goes_for_the_lease():
    class Counting(Memory):
        times = 0

        async def lease(self, span):
            self.times += 1
            return await super().lease(span)

    store, vendor = Counting(), Vendor(door=asyncio.Event())
    broker = a_broker(store, vendor)
    waiting = [asyncio.create_task(broker.current()) for _ in range(50)]
    await until(lambda: vendor.asked)

    vendor.door.set()
    await asyncio.gather(*waiting)

    assert store.times == 1


async def test_many_processes_make_one_grant():
    store, vendor = Memory(), Vendor()
    brokers = [a_broker(store, vendor) for _ in range(5)]

    tokens = await asyncio.gather(*(broker.current() for broker in brokers for _ in range(10)))

    assert len(vendor.asked) == 1
    assert {token.value for token in tokens} == {"token 1"}


async def test_many_processes_refresh_a_stale_token_once():
    store, vendor = Memory(stored(is_stale=True)), Vendor()

    tokens = await asyncio.gather(*(a_broker(store, vendor).current() for _ in range(5)))

    assert len(vendor.asked) == 1
    assert {token.version for token in tokens} == {4}


async def test_many_who_were_refused_with_one_token_make_one_grant():
    store, vendor = Memory(stored()), Vendor()
    broker = a_broker(store, vendor)
    failed = await broker.current()

    tokens = await asyncio.gather(*(broker.renewed(failed) for _ in range(50)))

    assert len(vendor.asked) == 1
    assert {token.version for token in tokens} == {failed.version + 1}


async def test_a_newer_stored_token_is_used_instead_of_a_grant():
    store, vendor = Memory(stored()), Vendor()
    broker = a_broker(store, vendor)
    failed = await broker.current()
    store.row = stored("somebody else's", 4)

    token = await broker.renewed(failed)

    assert (token.value, vendor.asked) == ("somebody else's", [])


async def test_a_token_that_appears_while_the_lease_is_taken_is_used():
    class Raced(Memory):
        async def lease(self, span):
            self.row = stored("somebody was faster", 4)
            return await super().lease(span)

    store, vendor = Raced(stored()), Vendor()
    broker = a_broker(store, vendor)
    failed = await broker.current()

    token = await broker.renewed(failed)

    assert (token.value, vendor.asked) == ("somebody was faster", [])
    assert (store.holder, store.is_asked) == (None, False)


async def test_who_waits_for_another_process_in_vain_is_told_to_come_again():
    store, vendor = Memory(), Vendor()
    await store.lease(timedelta(seconds=30))

    with pytest.raises(Unavailable, match="REFRESH_TAKES_TOO_LONG"):
        await a_broker(store, vendor, lease=timedelta(milliseconds=30)).current()

    assert vendor.asked == []


async def test_a_stale_token_is_refreshed_with_what_is_stored():
    row = stored(is_stale=True)
    store, vendor = Memory(row), Vendor(refresh_token="next")

    token = await a_broker(store, vendor).current()

    assert (token.value, vendor.asked) == ("token 1", [row.token])
    assert store.row.token["refresh_token"] == "next"


async def test_a_token_that_grows_stale_is_refreshed_by_whoever_runs():
    store, vendor = Memory(stored()), Vendor()
    broker = a_broker(store, vendor)
    await broker.current()
    store.row = stored(is_stale=True)

    assert (await broker.current()).value == "token 1"


async def test_an_expired_token_is_never_given():
    store = Memory(stored(is_stale=True, is_expired=True))

    assert (await a_broker(store, Vendor()).current()).value == "token 1"


async def test_a_refresh_token_that_the_vendor_does_not_repeat_is_kept():
    store = Memory(stored(is_stale=True))

    await a_broker(store, Vendor()).current()

    assert store.row.token == {"access_token": "token 1", "refresh_token": "r"}


async def test_what_is_known_of_the_account_outlives_a_refresh():
    account = {"user_id": "610001"}
    store = Memory(StoredToken({"access_token": "a", "refresh_token": "r", "account": account}, 3, is_stale=True))

    await a_broker(store, Vendor(refresh_token="next")).current()

    assert store.row.token["account"] == account


@pytest.mark.parametrize("life", [600, 172_800, "7200", 59.5], ids=str)
async def test_a_refresh_is_due_between_three_quarters_and_85_hundredths_of_the_stated_life(life):
    store = Memory()

    for _ in range(30):
        await a_broker(store, Vendor(expires_in=life)).replace({"access_token": "a", "expires_in": life})

    assert all(lives == timedelta(seconds=float(life)) for _, lives in store.saved_for)
    shares = [refresh_in / lives for refresh_in, lives in store.saved_for]
    assert 0.75 <= min(shares) <= max(shares) <= 0.85
    assert max(shares) - min(shares) > 0.01, "processes that started together must not refresh together for ever"


async def test_the_life_of_a_refreshed_token_is_the_one_its_own_answer_states():
    store = Memory(StoredToken({"access_token": "a", "expires_in": 172_800}, 3, is_stale=True))

    await a_broker(store, Vendor(expires_in=600)).current()

    assert store.saved_for[0][1] == timedelta(seconds=600)


@pytest.mark.parametrize(
    "life", [{}, *({"expires_in": value} for value in (None, 0, -5, "", "soon", [], "nan", 1e300))], ids=str
)
async def test_a_life_that_is_not_stated_means_no_early_refresh(life):
    store = Memory()

    await a_broker(store, Vendor(**life)).current()

    assert store.saved_for == [(None, None)]


async def test_a_token_is_read_anew_for_every_call_because_a_refresh_kills_it():
    store = Memory(stored())
    broker = a_broker(store, Vendor())
    await broker.current()
    store.row = stored("somebody else's", 4)

    assert (await broker.current()).value == "somebody else's"


async def test_where_a_refresh_kills_nothing_a_token_is_remembered_for_a_while():
    store = Memory(stored())
    broker = a_broker(store, Vendor(), remember_s=60.0)
    first = await broker.current()
    store.row = stored("somebody else's", 4)

    assert await broker.current() == first


async def test_a_remembered_token_that_is_refused_is_remembered_no_longer():
    store = Memory(stored())
    broker = a_broker(store, Vendor(), remember_s=60.0)
    failed = await broker.current()

    await broker.renewed(failed)

    assert (await broker.current()).value == "token 1"


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format], ids=["repr", "str", "format", "r"])
def test_a_token_does_not_show_itself(show):
    assert "hunter2" not in show(Token("hunter2", 1, {"refresh_token": "hunter2"}))
