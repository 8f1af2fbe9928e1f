"""The broker between a vendor's answer and the store: a single-use pair exists only there, so nothing may lose it."""

import asyncio
from datetime import timedelta

import pytest

from app.errors import StoreUnavailable, Unauthorized, Unavailable
from tests.unit.vendors.memory import Memory, Vendor, a_broker, stored, until

LEASE = timedelta(seconds=30)
SHORT = timedelta(milliseconds=300)
CONSENTED = {"access_token": "consented", "refresh_token": "of the consent"}


async def test_nobody_has_a_new_token_before_it_is_stored():
    store, vendor = Memory(door=asyncio.Event()), Vendor()
    broker = a_broker(store, vendor)
    waiting = [asyncio.create_task(broker.current()) for _ in range(3)]

    await until(lambda: vendor.asked)
    for _ in range(20):
        await asyncio.sleep(0)
    had_it_early = [task for task in waiting if task.done()]
    store.door.set()

    assert {task.value for task in await asyncio.gather(*waiting)} == {"token 1"}
    assert had_it_early == []


async def test_saving_is_tried_again_while_the_database_is_away():
    store, vendor, told = Memory(away=1), Vendor(), []

    token = await a_broker(store, vendor, told=told).current()

    assert (token.value, store.row.token["access_token"]) == ("token 1", "token 1")
    assert (len(vendor.asked), told) == (1, ["token.stored"])


async def test_a_pair_that_could_not_be_stored_is_given_to_nobody_and_told_of():
    store, told = Memory(away=1000), []

    with pytest.raises(StoreUnavailable):
        await a_broker(store, Vendor(), told=told, lease=SHORT).current()

    assert store.row.token is None
    assert told == ["token.not_stored"]


async def test_who_gives_up_waiting_does_not_cut_the_asking_off():
    store, vendor = Memory(stored(is_stale=True)), Vendor(door=asyncio.Event(), refresh_token="next")
    broker = a_broker(store, vendor)
    waiting = asyncio.create_task(broker.current())
    await until(lambda: vendor.asked)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    vendor.door.set()
    await broker.close()

    assert (store.row.token["refresh_token"], store.row.version) == ("next", 4)
    assert (store.holder, store.is_asked) == (None, False)


async def test_who_comes_after_one_that_gave_up_gets_what_that_one_asked_for():
    store, vendor = Memory(stored(is_stale=True)), Vendor(door=asyncio.Event())
    broker = a_broker(store, vendor)
    gave_up = asyncio.create_task(broker.current())
    await until(lambda: vendor.asked)
    gave_up.cancel()

    later = asyncio.create_task(broker.current())
    await until(gave_up.cancelled)
    vendor.door.set()

    assert (await later).value == "token 1"
    assert len(vendor.asked) == 1


async def test_closing_waits_for_the_answer_to_be_stored():
    store, vendor = Memory(door=asyncio.Event()), Vendor()
    broker = a_broker(store, vendor)
    waiting = asyncio.create_task(broker.current())
    await until(lambda: vendor.asked)
    waiting.cancel()

    closing = asyncio.create_task(broker.close())
    for _ in range(20):
        await asyncio.sleep(0)
    was_early = closing.done()
    store.door.set()
    await closing

    assert was_early is False
    assert store.row.token["access_token"] == "token 1"


async def test_closing_does_not_mind_an_asking_that_fails():
    vendor = Vendor(Unavailable("drchrono", "token"), door=asyncio.Event())
    broker = a_broker(Memory(), vendor)
    waiting = asyncio.create_task(broker.current())
    await until(lambda: vendor.asked)

    vendor.door.set()
    await broker.close()

    with pytest.raises(Unavailable):
        await waiting


async def test_a_slow_refresher_still_saves_the_only_pair_that_lives():
    store, vendor = Memory(stored(is_stale=True)), Vendor(door=asyncio.Event(), refresh_token="next")
    slow = asyncio.create_task(a_broker(store, vendor).current())
    await until(lambda: vendor.asked)
    store.run_out()
    successor = await store.lease(LEASE)

    vendor.door.set()
    token = await slow

    assert (token.value, token.version, store.row.token["refresh_token"]) == ("token 1", 4, "next")
    assert store.holder is successor, "who asks now is not disturbed"


async def test_a_slow_refresher_takes_the_newer_token_of_its_successor():
    store, vendor = Memory(stored(is_stale=True)), Vendor(door=asyncio.Event())
    slow = asyncio.create_task(a_broker(store, vendor).current())
    await until(lambda: vendor.asked)
    store.row = stored("the successor's", 4)

    vendor.door.set()

    assert (await slow).value == "the successor's"
    assert store.row == stored("the successor's", 4)


async def test_a_refusal_of_the_old_pair_does_not_condemn_the_one_a_slow_refresher_stored_meanwhile():
    refusal = Unauthorized("drchrono", "token", code="invalid_grant")
    store, vendor = Memory(stored(is_stale=True)), Vendor(refusal, door=asyncio.Event())
    successor = asyncio.create_task(a_broker(store, vendor).current())
    await until(lambda: vendor.asked)
    store.row = stored("of the slow one", 4)

    vendor.door.set()

    assert (await successor).value == "of the slow one"
    assert store.row.refused_code is None


async def test_who_refreshes_while_somebody_disconnects_brings_nothing_back():
    store, vendor = Memory(stored(is_stale=True)), Vendor(door=asyncio.Event())
    slow = asyncio.create_task(a_broker(store, vendor).current())
    await until(lambda: vendor.asked)
    store.run_out()
    await store.forget(await store.lease(LEASE))

    vendor.door.set()

    with pytest.raises(Unauthorized, match="NOT_CONNECTED"):
        await slow
    assert store.row.token is None


async def test_a_persons_consent_takes_the_place_of_whatever_was_there():
    store = Memory(stored())
    broker = a_broker(store, Vendor())

    await broker.replace(CONSENTED)

    assert (await broker.current()).value == "consented"
    assert store.row.token == CONSENTED


async def test_a_persons_consent_ends_a_refusal():
    store = Memory(stored(refused_for_s=1e9, refused_code="invalid_grant"))
    broker = a_broker(store, Vendor())

    await broker.replace(CONSENTED)

    assert (await broker.current()).value == "consented"


async def test_a_remembered_token_is_forgotten_at_a_persons_consent():
    broker = a_broker(Memory(stored()), Vendor(), remember_s=60.0)
    await broker.current()

    await broker.replace(CONSENTED)

    assert (await broker.current()).value == "consented"


async def test_a_consent_waits_for_an_asking_under_way_and_follows_it():
    store, vendor = Memory(stored(is_stale=True)), Vendor(door=asyncio.Event())
    broker = a_broker(store, vendor)
    asking = asyncio.create_task(broker.current())
    await until(lambda: vendor.asked)

    joining = asyncio.create_task(broker.replace(CONSENTED))
    vendor.door.set()
    await asyncio.gather(asking, joining)

    assert (store.row.token, store.row.version) == (CONSENTED, 5)


async def test_a_persons_consent_is_stored_also_when_a_slow_refresher_saves_at_the_same_time():
    class Raced(Memory):
        async def save(self, lease, version, token, refresh_in, lives, *, is_doubted=False):
            if version == 3:
                self.row = stored("of the slow one", 4)
            return await super().save(lease, version, token, refresh_in, lives, is_doubted=is_doubted)

    store = Raced(stored())

    await a_broker(store, Vendor()).replace(CONSENTED)

    assert store.row.token == CONSENTED


async def test_disconnecting_has_the_token_revoked_and_forgets_it():
    store, revoked = Memory(stored()), []

    async def revoke(token):
        revoked.append((token, store.row.token is not None))

    await a_broker(store, Vendor()).forget(revoke)

    assert revoked == [(stored().token, True)], "first the vendor, then we: else nobody could tell it any more"
    assert (store.row.token, store.row.version, store.holder) == (None, 4, None)


async def test_what_is_disconnected_is_forgotten_also_when_the_vendor_could_not_be_told():
    store = Memory(stored())

    async def revoke(_token):
        raise Unavailable("drchrono", "POST /o/revoke_token/")

    with pytest.raises(Unavailable):
        await a_broker(store, Vendor()).forget(revoke)

    assert (store.row.token, store.holder) == (None, None)


async def test_what_is_disconnected_is_forgotten_also_when_revoking_took_longer_than_the_lease():
    store = Memory(stored())

    async def revoke(_token):
        store.run_out()
        await store.release(await store.lease(LEASE))

    await a_broker(store, Vendor()).forget(revoke)

    assert store.row.token is None


async def test_with_nothing_stored_there_is_nothing_to_revoke():
    revoked = []

    async def revoke(token):
        revoked.append(token)

    await a_broker(Memory(), Vendor()).forget(revoke)

    assert revoked == []


async def test_a_remembered_token_is_not_used_once_it_is_disconnected():
    broker = a_broker(Memory(stored()), Vendor(Unauthorized("drchrono", "token", code="NOT_CONNECTED")), remember_s=60)
    await broker.current()

    async def revoke(_token):
        await asyncio.sleep(0)

    await broker.forget(revoke)

    with pytest.raises(Unauthorized):
        await broker.current()
