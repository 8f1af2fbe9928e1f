"""A slice of what `make simulate-budget` lives through at length: an hour; `make long` adds one shared with others."""

import pytest

from tests.simulate.budget import FITS, OTHERS, OVER, complaints, stretch


@pytest.mark.parametrize(
    ("load", "hours"), [(FITS, 1), pytest.param(OTHERS, 1, marks=pytest.mark.long)], ids=["ours", "shared"]
)
def test_four_workers_that_die_now_and_then_keep_within_the_hour_and_use_it(load, hours):
    told = stretch(load.name, seed=7, hours=hours)

    assert complaints(load, told) == []
    assert told.deaths > 0


def test_the_same_seed_makes_the_same_hours():
    once, again = (stretch(OVER.name, seed=3, hours=0.05) for _ in range(2))

    assert once == again
