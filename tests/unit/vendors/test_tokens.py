"""The broker: one grant however many wait, nobody uses a token before it is stored, and a refusal is remembered."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from app.errors import Unauthorized, Unavailable
from app.vendors.tokens import Broker, Token


@dataclass(frozen=True)
class Row:
    token: dict | None = None
    version: int = 0
    is_stale: bool = False
    refused_for_s: float | None = None
    refused_code: str | None = None


class Memory:
    """A token store as the protocol asks for: shared by all brokers, one lease at a time."""

    def __init__(self, row=None):
        self.row, self.holder, self.saved_for = row or Row(), None, []

    async def read(self):
        return self.row

    async def lease(self):
        if self.holder is not None:
            return None
        self.holder = object()
        return self.holder

    async def save(self, lease, token, refresh_in):
        assert lease is self.holder
        self.saved_for.append(refresh_in)
        self.row, self.holder = Row(token, self.row.version + 1), None
        return self.row

    async def refuse(self, lease, code):
        assert lease is self.holder
        self.row, self.holder = replace(self.row, refused_for_s=0.0, refused_code=code), None

    async def release(self, lease):
        assert lease is self.holder
        self.holder = None


class Vendor:
    """A token endpoint: gives token after token, or raises what it is told to."""

    def __init__(self, error=None, **beside):
        self.asked, self.error, self.beside = [], error, beside

    async def __call__(self, stored):
        self.asked.append(stored)
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return {"access_token": f"token {len(self.asked)}", **self.beside}


def stored(value="stored", version=3, **differences):
    return Row({"access_token": value, "refresh_token": "r"}, version, **differences)


def a_broker(store, vendor, *, is_final=True):
    return Broker("drchrono", store, vendor, is_final=is_final)


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


async def test_a_refusal_is_remembered_and_not_asked_again():
    store, vendor = Memory(), Vendor(Unauthorized("drchrono", "token", code="invalid_grant"))
    broker = a_broker(store, vendor)

    for _ in range(3):
        with pytest.raises(Unauthorized) as raised:
            await broker.current()

    assert len(vendor.asked) == 1
    assert raised.value.cause == "invalid_grant"


async def test_a_refusal_holds_for_every_process():
    store, vendor = Memory(replace(stored(), refused_for_s=1e9, refused_code="invalid_grant")), Vendor()

    with pytest.raises(Unauthorized):
        await a_broker(store, vendor).current()

    assert vendor.asked == []


@pytest.mark.parametrize(("seconds", "asks"), [(0, 0), (59, 0), (60, 1), (3600, 1)])
async def test_a_refusal_that_is_not_final_is_asked_again_after_a_minute(seconds, asks):
    store, vendor = Memory(Row(refused_for_s=float(seconds))), Vendor(Unauthorized("salesforce", "token"))

    with pytest.raises(Unauthorized):
        await a_broker(store, vendor, is_final=False).current()

    assert len(vendor.asked) == asks


@pytest.mark.parametrize("error", [Unavailable("drchrono", "token"), asyncio.CancelledError()], ids=["away", "killed"])
async def test_a_vendor_that_is_away_is_no_refusal_and_the_lease_goes(error):
    store = Memory()

    with pytest.raises(type(error)):
        await a_broker(store, Vendor(error)).current()

    assert (store.row.refused_for_s, store.holder) == (None, None)


async def test_a_fresh_token_that_is_refused_is_remembered():
    store = Memory(stored())
    broker = a_broker(store, Vendor())

    await broker.refuse(await broker.current(), "HTTP_401")

    assert store.row.refused_code == "HTTP_401"


async def test_a_refused_token_that_was_replaced_meanwhile_condemns_nobody():
    store = Memory(stored())
    broker = a_broker(store, Vendor())
    failed = await broker.current()
    store.row = stored("somebody else's", 4)

    await broker.refuse(failed, "HTTP_401")

    assert store.row.refused_code is None


async def test_a_persons_consent_ends_a_refusal():
    store = Memory(replace(stored(), refused_for_s=1e9))
    broker = a_broker(store, Vendor())

    await broker.replace({"access_token": "consented"})

    assert (await broker.current()).value == "consented"


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
