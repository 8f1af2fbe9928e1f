"""Histories that nobody has told before: their seeds are drawn by the day, so that each day's tests look elsewhere."""

import random
from datetime import UTC, datetime

import pytest

from tests.simulate.hand import Mix
from tests.simulate.history import BROKEN, KEPT, is_on_postgresql, stage
from tests.simulate.rough import ROUGH
from tests.simulate.running import runner

AT_ONCE = 5
TODAY = random.Random(datetime.now(UTC).date().isoformat())
SEEDS = TODAY.sample(range(100_000, 1_000_000), 10)
ROUGH_SEEDS = TODAY.sample(range(100_000, 1_000_000), 10)


@pytest.fixture
def server(postgres_url):
    """Where the PostgreSQL of this run is."""
    return postgres_url.removesuffix("postgres")


def on_a_stage(tell, *where):
    """Give what is told on a stage of its own."""

    async def told():
        async with stage(*where) as one:
            return await tell(one)

    with runner() as running:
        return running.run(told())


def told(*seeds, mix=None, server=None, is_on=is_on_postgresql):
    async def tell(one):
        return [await one.tells(seed, mix) for seed in seeds]

    return on_a_stage(tell, server, is_on)


def whole(broken, mix, server):
    async def tell(one):
        return "\n".join([str(await one.shortest(found.seed, mix)) for found in broken])

    return on_a_stage(tell, server)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("at", range(0, len(SEEDS), AT_ONCE))
def test_whatever_happens_both_sides_agree_and_nothing_is_lost_once_everything_rests(at, server):
    broken = [one for one in told(*SEEDS[at : at + AT_ONCE], server=server) if one.complaints]

    assert not broken, whole(broken, Mix(), server)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_whatever_is_odd_hurts_itself_alone(server):
    broken = [one for one in told(*ROUGH_SEEDS, mix=ROUGH, server=server) if one.complaints]

    assert not broken, whole(broken, ROUGH, server)


@pytest.mark.parametrize(
    ("seed", "mix"),
    [*KEPT, *(pytest.param(*one, marks=pytest.mark.xfail(strict=True, reason=why)) for *one, why in BROKEN)],
)
def test_a_seed_that_failed_once_holds(seed, mix):
    (found,) = told(seed, mix=mix)

    assert not found.complaints, str(found)


def test_the_same_seed_tells_the_same_history():
    once, other, again = told(7, 8, 7)

    assert once.trace == again.trace
    assert once.hash != other.hash


def test_the_same_seed_tells_the_same_rough_history_on_either_kind_of_database(server):
    (here,) = told(7, mix=ROUGH)
    (there,) = told(7, mix=ROUGH, server=server, is_on=lambda _: True)

    assert there.is_on_postgresql
    assert there.trace == here.trace
