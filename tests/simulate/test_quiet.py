"""A seeded slice of a clinic's days: no alarm while both feeds are well; one that stops is found in half an hour."""

from datetime import timedelta

import pytest

from tests.simulate.quiet import broken_of, lived

HALF_AN_HOUR = timedelta(minutes=30)
TRICKLES = 8  # two deliveries are minutes under way when it stops
TAKEN_UP = (15, 19)  # a pass, and the hourly compare, take the first change up before anybody looks


@pytest.mark.parametrize(
    ("seed", "side", "hour"), [(1, "drchrono", 0.7), pytest.param(3, "salesforce", 0.5, marks=pytest.mark.long)]
)
async def test_a_feed_that_stops_is_found_within_half_an_hour_of_the_first_edit_it_keeps_to_itself(seed, side, hour):
    told = await lived(seed, 1, side, hour)

    assert told.alarms == []
    assert told.after_loss <= HALF_AN_HOUR
    assert told.found >= 1


@pytest.mark.long
@pytest.mark.parametrize("seed", [TRICKLES, *TAKEN_UP])
async def test_neither_what_was_still_under_way_nor_what_is_taken_up_meanwhile_hides_it_for_longer(seed):
    side, break_hour = broken_of(seed)

    told = await lived(seed, 2, side, break_hour)

    assert told.alarms == []
    assert told.after_loss <= HALF_AN_HOUR
