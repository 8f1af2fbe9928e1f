"""The broker when the vendor says no, or nothing: remembered for everybody, asked again in due time, and no storm."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from app.errors import OutcomeUnknown, Unauthorized, Unavailable
from app.ports import StoredToken
from app.vendors.token_broker import CUT_OFF, NOT_TAKEN, DoubtedToken, Token
from tests.unit.vendors.memory import Memory, Vendor, a_broker, stored, until

LEASE = timedelta(seconds=30)
STALE = stored(is_stale=True)
EXPIRED = stored(is_stale=True, is_expired=True)


def refused(code="invalid_grant"):
    return Unauthorized("drchrono", "POST /o/token/", code=code)


def throttled(wait_s=1800.0):
    return Unavailable("drchrono", "POST /o/token/", status=429, retry_in_s=wait_s)


async def test_a_refusal_is_remembered_and_not_asked_again():
    store, vendor = Memory(), Vendor(refused())
    broker = a_broker(store, vendor)

    for _ in range(3):
        with pytest.raises(Unauthorized) as raised:
            await broker.current()

    assert len(vendor.asked) == 1
    assert raised.value.cause == "invalid_grant"


async def test_of_many_who_wait_one_hears_the_refusal_and_all_are_told():
    store, vendor = Memory(STALE), Vendor(refused())
    brokers = [a_broker(store, vendor) for _ in range(3)]

    ends = await asyncio.gather(*(one.current() for one in brokers for _ in range(5)), return_exceptions=True)

    assert len(vendor.asked) == 1
    assert {type(end) for end in ends} == {Unauthorized}


async def test_a_refusal_holds_for_every_process_also_while_the_token_could_still_live():
    store, vendor = Memory(stored(refused_for_s=1e9, refused_code="invalid_grant")), Vendor()

    with pytest.raises(Unauthorized, match="invalid_grant"):
        await a_broker(store, vendor).current()

    assert vendor.asked == []


class Raced(Memory):
    """A store in which something happens just before the next lease is taken."""

    def __init__(self, row, *, is_asked=False, **happens):
        super().__init__(row)
        self.becomes_asked, self.happens = is_asked, happens

    async def lease(self, span):
        self.row, self.is_asked = replace(self.row, **self.happens), self.is_asked or self.becomes_asked
        return await super().lease(span)


async def test_who_looked_before_a_refusal_and_may_ask_after_it_does_not():
    store, vendor = Raced(EXPIRED, refused_for_s=0.0, refused_code="invalid_grant"), Vendor()

    with pytest.raises(Unauthorized, match="invalid_grant"):
        await a_broker(store, vendor).current()

    assert (vendor.asked, store.holder) == ([], None)


async def test_who_looked_before_a_wait_and_may_ask_after_it_does_not():
    store, vendor = Raced(EXPIRED, ask_again_in_s=90.0), Vendor()

    with pytest.raises(Unavailable, match="TOKEN_NOT_NOW"):
        await a_broker(store, vendor).current()

    assert (vendor.asked, store.holder) == ([], None)


@pytest.mark.parametrize("row", [EXPIRED, STALE], ids=["expired", "stale"])
async def test_who_does_not_ask_after_all_leaves_the_trace_of_a_cut_off(row):
    store = Raced(row, is_asked=True, ask_again_in_s=2.0)

    with suppress(Unavailable):
        await a_broker(store, Vendor()).current()

    assert store.is_asked is True


@pytest.mark.parametrize("row", [stored(), STALE, EXPIRED], ids=["good", "stale", "expired"])
async def test_settling_a_cut_off_asks_also_where_the_token_seems_good(row):
    store, vendor = Memory(row, is_asked=True), Vendor(refresh_token="next")

    await a_broker(store, vendor).recover()

    assert (store.row.version, store.row.token["refresh_token"], store.is_asked) == (4, "next", False)
    assert vendor.asked == [row.token]


async def test_settling_a_cut_off_that_lost_the_pair_names_it():
    store = Memory(stored(), is_asked=True)

    with pytest.raises(Unauthorized, match=CUT_OFF):
        await a_broker(store, Vendor(refused())).recover()

    assert store.row.refused_code == CUT_OFF


async def test_of_many_that_settle_a_cut_off_one_asks():
    store, vendor = Memory(stored(), is_asked=True), Vendor()

    await asyncio.gather(*(a_broker(store, vendor).recover() for _ in range(5)))

    assert len(vendor.asked) == 1


FINAL = ["invalid_grant", "invalid_client", CUT_OFF, "NOT_CONNECTED"]


@pytest.mark.parametrize("code", FINAL)
async def test_that_a_single_use_token_is_over_is_the_token_endpoints_word_and_stays(code):
    store, vendor = Memory(stored(refused_for_s=1e9, refused_code=code)), Vendor()

    with pytest.raises(Unauthorized, match=code) as raised:
        await a_broker(store, vendor).current()

    assert (vendor.asked, raised.value.retry_in_s) == ([], None)


@pytest.mark.parametrize(("is_final", "code"), [(True, "invalid_scope"), (False, "invalid_grant")])
@pytest.mark.parametrize("seconds", [0, 59, 60, 3600])
async def test_any_other_refusal_is_asked_again_after_a_minute(seconds, is_final, code):
    store, vendor = Memory(EXPIRED), Vendor(refused(code))
    with pytest.raises(Unauthorized):
        await a_broker(store, vendor, is_final=is_final).current()

    store.ages(seconds)
    with pytest.raises(Unauthorized, match=code) as raised:
        await a_broker(store, vendor, is_final=is_final).current()

    assert len(vendor.asked) == (1 if seconds < 60 else 2)
    assert raised.value.retry_in_s == 60.0 - seconds % 60


async def test_a_token_that_lives_is_used_on_where_its_early_refresh_is_refused_for_now():
    store, vendor = Memory(STALE), Vendor(refused("invalid_scope"))
    broker = a_broker(store, vendor)

    values = [(await broker.current()).value for _ in range(3)]

    assert (values, len(vendor.asked), store.row.refused_code) == (["stored"] * 3, 1, "invalid_scope")


@pytest.mark.parametrize(
    ("is_asked", "is_final", "code", "named"),
    [
        (True, True, "invalid_grant", CUT_OFF),
        (False, True, "invalid_grant", "invalid_grant"),
        (True, True, "invalid_client", "invalid_client"),
        (True, False, "invalid_grant", "invalid_grant"),
    ],
    ids=["cut off", "not cut off", "another refusal", "not single use"],
)
async def test_a_pair_lost_with_a_cut_off_refresh_is_named_so(is_asked, is_final, code, named):
    store = Memory(EXPIRED, is_asked=is_asked)

    with pytest.raises(Unauthorized) as raised:
        await a_broker(store, Vendor(refused(code)), is_final=is_final).current()

    assert (raised.value.cause, store.row.refused_code) == (named, named)


async def test_after_a_cut_off_refresh_the_stored_pair_is_tried_once_and_may_be_good():
    store, vendor, told = Memory(STALE, is_asked=True), Vendor(), []

    token = await a_broker(store, vendor, told=told).current()

    assert (token.value, vendor.asked) == ("token 1", [STALE.token])
    assert told == ["token.cut_off_found", "token.stored"]


@pytest.mark.parametrize("row", [StoredToken(), EXPIRED], ids=["none yet", "expired"])
async def test_a_wait_the_vendor_asks_for_is_remembered_for_everybody(row):
    store, vendor = Memory(row), Vendor(throttled())

    with pytest.raises(Unavailable):
        await a_broker(store, vendor).current()
    with pytest.raises(Unavailable) as raised:
        await a_broker(store, vendor).current()

    assert len(vendor.asked) == 1
    assert raised.value.retry_in_s == 1800.0
    assert (store.row.refused_code, store.holder, store.is_asked) == (None, None, False)


async def test_a_vendor_that_is_away_without_a_word_is_left_alone_for_a_moment():
    store = Memory()

    with pytest.raises(Unavailable):
        await a_broker(store, Vendor(Unavailable("drchrono", "token"))).current()

    assert 0 < store.row.ask_again_in_s <= 10


@pytest.mark.parametrize("error", [throttled(), OutcomeUnknown("drchrono", "token")], ids=["throttled", "no answer"])
async def test_a_token_whose_early_refresh_failed_is_used_on(error):
    store, vendor = Memory(STALE), Vendor(error)
    broker = a_broker(store, vendor)

    values = [(await broker.current()).value for _ in range(3)]

    assert values == ["stored"] * 3
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("row", [STALE, EXPIRED], ids=["refused", "refused and expired"])
async def test_a_refused_token_is_not_used_on_while_the_vendor_wants_to_be_left_alone(row):
    store, vendor = Memory(stored()), Vendor()
    broker = a_broker(store, vendor)
    failed = await broker.current()
    store.row = replace(row, ask_again_in_s=90.0)

    with pytest.raises(Unavailable) as raised:
        await broker.renewed(failed)

    assert (raised.value.retry_in_s, vendor.asked) == (90.0, [])


async def test_once_the_wait_is_over_the_vendor_is_asked():
    vendor = Vendor()

    token = await a_broker(Memory(replace(EXPIRED, ask_again_in_s=0.0)), vendor).current()

    assert token.value == "token 1"


async def test_an_answer_that_never_came_leaves_the_trace_of_a_cut_off():
    store = Memory(EXPIRED)

    with pytest.raises(Unavailable, match="NO_ANSWER"):
        await a_broker(store, Vendor(OutcomeUnknown("drchrono", "POST /o/token/"))).current()

    assert (store.holder, store.is_asked, store.row.refused_code) == (None, True, None)


async def test_a_vendor_that_never_answers_is_waited_for_no_longer_than_the_lease_allows():
    store, vendor = Memory(EXPIRED), Vendor(door=asyncio.Event())

    with pytest.raises(Unavailable, match="NO_ANSWER"):
        await a_broker(store, vendor, lease=timedelta(milliseconds=40)).current()

    assert (store.holder, store.is_asked) == (None, True)


async def test_an_asking_that_is_killed_leaves_the_trace_of_a_cut_off_and_lets_the_lease_go():
    store = Memory()

    with pytest.raises(asyncio.CancelledError):
        await a_broker(store, Vendor(asyncio.CancelledError())).current()

    assert (store.holder, store.is_asked, store.row.refused_for_s) == (None, True, None)


async def test_a_fresh_token_that_is_not_taken_is_told_and_stays_the_one_that_is_tried():
    store, told = Memory(stored()), []
    broker = a_broker(store, Vendor(), told=told)

    wait_s = await broker.refuse(await broker.current(), NOT_TAKEN)

    assert (wait_s, store.row.refused_code, store.holder) == (5.0, NOT_TAKEN, None)
    assert told == ["token.refused"]
    assert (await a_broker(store, Vendor()).current()).value == "stored"


async def test_a_token_that_is_not_taken_is_tried_again_ever_less_often():
    store, vendor, waits = Memory(stored(age_s=0.0)), Vendor(), []
    broker = a_broker(store, vendor)

    for _ in range(12):
        waits.append(await broker.refuse(await broker.current(), NOT_TAKEN))
        store.ages(waits[-1])

    assert waits == [5.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0, 300.0, 300.0]


@pytest.mark.parametrize(("seconds", "asked"), [(5, 0), (899, 0), (900, 1)])
async def test_a_token_that_is_not_taken_is_tried_as_it_is_and_replaced_once_it_is_old(seconds, asked):
    store, vendor = Memory(stored(age_s=0.0)), Vendor()
    broker = a_broker(store, vendor)
    await broker.refuse(await broker.current(), NOT_TAKEN)
    store.ages(seconds)

    token = await broker.current()
    token = token if token.is_fresh else await broker.renewed(token)

    assert (len(vendor.asked), token.is_fresh, type(token)) == (asked, True, DoubtedToken)


async def test_a_token_that_is_taken_again_is_doubted_no_more():
    store, told = Memory(stored()), []
    broker = a_broker(store, Vendor(), told=told)
    await broker.refuse(await broker.current(), NOT_TAKEN)
    store.ages(5)

    await broker.trust(await broker.current())

    assert (store.row.refused_code, type(await broker.current())) == (None, Token)
    assert told == ["token.refused", "token.taken"]


@pytest.mark.parametrize(
    "row", [stored("somebody else's", 4), EXPIRED, StoredToken(version=4)], ids=["replaced", "expired", "disconnected"]
)
async def test_a_refused_token_that_is_no_longer_the_one_condemns_nobody(row):
    store = Memory(stored())
    broker = a_broker(store, Vendor())
    failed = await broker.current()
    store.row = row

    wait_s = await broker.refuse(failed, NOT_TAKEN)

    assert (wait_s, store.row, store.holder) == (None, row, None)


async def test_a_token_replaced_while_its_refusal_waits_for_the_lease_condemns_nobody():
    store, vendor = Memory(stored()), Vendor(door=asyncio.Event())
    broker = a_broker(store, vendor)
    failed = await broker.current()
    asking = asyncio.create_task(a_broker(store, vendor).renewed(failed))
    await until(lambda: vendor.asked)

    refusing = asyncio.create_task(broker.refuse(failed, NOT_TAKEN))
    await asyncio.sleep(0)
    vendor.door.set()

    assert await refusing is None
    assert (await asking).value == "token 1"
    assert store.row.refused_code is None


async def test_a_remembered_token_is_read_again_once_it_is_refused():
    broker = a_broker(Memory(stored()), Vendor(), remember_s=60.0)

    await broker.refuse(await broker.current(), NOT_TAKEN)

    assert isinstance(await broker.current(), DoubtedToken)
