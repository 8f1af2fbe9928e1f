"""Places for calls: one that was given up on keeps its own for as long as the vendor may go on with it."""

import asyncio

import pytest

from app.errors import Unavailable
from app.vendors.rate_limit.concurrency import TOO_MANY, ConcurrencySlots
from tests.simulate.clock import Clock
from tests.simulate.running import lived


class Calls:
    """Calls that take their time by a clock of their own; `most`: how many the vendor had under way at once."""

    def __init__(self, places, goes_on_s):
        self.places, self.goes_on_s = places, goes_on_s
        self.under_way = self.most = 0

    async def makes(self, takes_s, patience_s=12.0):
        """Make a call; gives whether it was answered in time, or why it was not made."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        try:
            async with self.places.one("salesforce", "GET query", deadline) as place:
                self.under_way += 1
                self.most = max(self.most, self.under_way)
                is_long = loop.time() + takes_s > deadline
                ends_at = loop.time() + min(takes_s, self.goes_on_s)
                loop.call_at(ends_at, self._ends)
                await asyncio.sleep(min(deadline, ends_at) - loop.time())
                place.is_given_up = is_long
                return not is_long
        except Unavailable as error:
            return (error.code, round(error.retry_in_s))

    def _ends(self):
        self.under_way -= 1


@pytest.fixture
def by_clock():
    """Runs a story by a clock of its own, with calls over so many places."""

    def run(story, most=3, goes_on_s=600.0):
        async def told():
            return await story(Calls(ConcurrencySlots(most, goes_on_s), goes_on_s))

        return lived(Clock(), told())

    return run


def test_calls_wait_for_a_place_and_no_more_than_there_are_places_are_under_way(by_clock):
    async def story(calls):
        return [*await asyncio.gather(*(calls.makes(1.0) for _ in range(9))), calls.most]

    assert by_clock(story) == [True] * 9 + [3]


def test_a_call_that_was_given_up_on_keeps_its_place_until_the_vendor_gives_up_too(by_clock):
    async def story(calls):
        given_up = await asyncio.gather(*(calls.makes(900.0) for _ in range(3)))
        at_once = await calls.makes(1.0)
        await asyncio.sleep(601.0)
        return given_up, at_once, await calls.makes(1.0), calls.most

    assert by_clock(story) == ([False] * 3, (TOO_MANY, 600), True, 3)


def test_a_call_whose_caller_was_stopped_is_still_under_way(by_clock):
    async def story(calls):
        task = asyncio.create_task(calls.makes(5.0))
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await calls.makes(1.0)

    assert by_clock(story, most=1) == (TOO_MANY, 600)


def test_whoever_waits_for_a_place_in_vain_has_sent_nothing(by_clock):
    async def story(calls):
        return await asyncio.gather(*(calls.makes(11.9) for _ in range(3)), *(calls.makes(1.0, 5.0) for _ in range(2)))

    assert by_clock(story) == [True] * 3 + [(TOO_MANY, 5)] * 2


def test_however_much_hangs_no_more_are_under_way_than_there_are_places(by_clock):
    async def story(calls):
        for _ in range(300):
            await asyncio.gather(*(calls.makes(takes_s) for takes_s in (0.5, 30.0, 900.0, 13.0)))
            await asyncio.sleep(7.0)
        return calls.most

    assert by_clock(story) == 3
