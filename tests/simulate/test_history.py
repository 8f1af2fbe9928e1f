import pytest

from tests.simulate.hand import Mix
from tests.simulate.history import BROKEN, KEPT, stage

AT_ONCE = 10
SEEDS = [seed for seed in range(1, 126) if seed not in [broken for broken, *_ in BROKEN]][:20]


async def told(*seeds):
    async with stage() as one:
        return [await one.tells(seed) for seed in seeds]


async def whole(broken):
    async with stage() as one:
        return "\n".join([str(await one.shortest(told.seed)) for told in broken])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("at", range(0, len(SEEDS), AT_ONCE))
async def test_whatever_happens_both_sides_agree_and_nothing_is_lost_once_everything_rests(at):
    broken = [one for one in await told(*SEEDS[at : at + AT_ONCE]) if one.complaints]

    assert not broken, await whole(broken)


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
