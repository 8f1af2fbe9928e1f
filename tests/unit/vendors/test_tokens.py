"""The broker: one grant however many wait, a newer token before a grant, and no token before it is stored."""

import asyncio
from datetime import timedelta

import pytest

from app.vendors.tokens import Token
from tests.unit.vendors.memory import Memory, Vendor, a_broker, stored


async def test_a_stored_token_is_used_without_asking():
    vendor = Vendor()

    token = await a_broker(Memory(stored()), vendor).current()

    assert (token.value, token.version, vendor.asked) == ("stored", 3, [])


async def test_the_first_token_is_asked_for_and_stored():
    store, vendor = Memory(), Vendor()

    token = await a_broker(store, vendor).current()

    assert (token.value, store.row.token["access_token"]) == ("token 1", "token 1")


async def test_many_who_wait_make_one_grant():
    store, vendor = Memory(), Vendor()
    broker = a_broker(store, vendor)

    tokens = await asyncio.gather(*(broker.current() for _ in range(50)))

    assert len(vendor.asked) == 1
    assert {token.value for token in tokens} == {"token 1"}


async def test_many_processes_make_one_grant():
    store, vendor = Memory(), Vendor()

    tokens = await asyncio.gather(*(a_broker(store, vendor).current() for _ in range(5)))

    assert len(vendor.asked) == 1
    assert {token.value for token in tokens} == {"token 1"}


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
    store, vendor = Memory(stored()), Vendor()
    failed = await a_broker(store, vendor).current()
    take = store.lease

    async def lease():
        store.row = stored("somebody was faster", 4)
        return await take()

    store.lease = lease

    token = await a_broker(store, vendor).renewed(failed)

    assert (token.value, vendor.asked, store.holder) == ("somebody was faster", [], None)


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


async def test_a_refresh_token_that_the_vendor_does_not_repeat_is_kept():
    store = Memory(stored(is_stale=True))

    await a_broker(store, Vendor()).current()

    assert store.row.token == {"access_token": "token 1", "refresh_token": "r"}


@pytest.mark.parametrize(("life", "refresh_in"), [({"expires_in": 1000}, timedelta(seconds=800)), ({}, None)], ids=str)
async def test_a_refresh_is_due_at_four_fifths_of_a_stated_life(life, refresh_in):
    store = Memory()

    await a_broker(store, Vendor(**life)).current()

    assert store.saved_for == [refresh_in]


async def test_a_token_is_stored_before_it_is_used():
    class Full(Memory):
        async def save(self, lease, token, refresh_in):
            raise OSError

    store = Full()

    with pytest.raises(OSError):
        await a_broker(store, Vendor()).current()

    assert store.row.token is None


def test_a_token_does_not_show_itself():
    assert "hunter2" not in repr(Token("hunter2", 1, {"refresh_token": "hunter2"}))
