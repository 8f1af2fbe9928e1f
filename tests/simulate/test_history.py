"""Histories that nobody has told before: their seeds are drawn by the day, so that each day's tests look elsewhere."""

import random
from datetime import UTC, datetime

import pytest

from tests.simulate.hand import Mix
from tests.simulate.history import BROKEN, KEPT, stage
from tests.simulate.rough import ROUGH

AT_ONCE = 5
TODAY = random.Random(datetime.now(UTC).date().isoformat())
SEEDS = TODAY.sample(range(100_000, 1_000_000), 10)
ROUGH_SEEDS = TODAY.sample(range(100_000, 1_000_000), 10)


async def told(*seeds, mix=None):
    async with stage() as one:
        return [await one.tells(seed, mix) for seed in seeds]


async def whole(broken, mix=None):
    async with stage() as one:
        return "\n".join([str(await one.shortest(told.seed, mix)) for told in broken])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("at", range(0, len(SEEDS), AT_ONCE))
async def test_whatever_happens_both_sides_agree_and_nothing_is_lost_once_everything_rests(at):
    broken = [one for one in await told(*SEEDS[at : at + AT_ONCE]) if one.complaints]

    assert not broken, await whole(broken)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_whatever_is_odd_hurts_itself_alone():
    broken = [one for one in await told(*ROUGH_SEEDS, mix=ROUGH) if one.complaints]

    assert not broken, await whole(broken, ROUGH)


@pytest.mark.parametrize(
    ("seed", "more"),
    [*KEPT, *(pytest.param(*one, marks=pytest.mark.xfail(strict=True, reason=why)) for *one, why in BROKEN)],
)
async def test_a_seed_that_failed_once_holds(seed, more):
    async with stage() as one:
        found = await one.tells(seed, Mix(**more))

    assert not found.complaints, str(found)


async def test_the_same_seed_tells_the_same_history():
    once, other, again = await told(7, 8, 7)

    assert once.trace == again.trace
    assert once.hash != other.hash


async def test_the_same_seed_tells_the_same_rough_history():
    once, again = await told(7, 7, mix=ROUGH)

    assert once.trace == again.trace
