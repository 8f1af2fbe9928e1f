import random

import pytest

from tests.simulate.token_race import race
from tests.simulate.token_worker import DEATHS

SEED = 96  # dies before the first refresh is asked for, and between answer and commit of the second


def test_the_seed_still_draws_both_deaths():
    drawn = {
        where: [random.Random(f"{SEED} {where} {version}").random() < DEATHS[where] for version in (1, 2)]
        for where in DEATHS
    }

    assert drawn["leased"][0]
    assert drawn["answered"][1]


@pytest.mark.processes
async def test_every_reuse_is_one_death_between_answer_and_commit_and_ends_in_a_side_that_waits(database, tmp_path):
    folder = tmp_path / "deaths"
    folder.mkdir()

    told = await race(database, folder, SEED, 150)

    assert told.complaints() == [], told
    assert told.died_answered >= 1
    assert told.died_leased >= 1
    assert told.calls >= 150
