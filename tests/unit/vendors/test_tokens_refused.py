"""The broker when the vendor says no: remembered for everybody, asked again in due time, ended by a person."""

import asyncio
from dataclasses import replace

import pytest

from app.errors import Unauthorized, Unavailable
from tests.unit.vendors.memory import Memory, Row, Vendor, a_broker, stored


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
