"""A seeded slice of a clinic's days: no alarm while both feeds are well; one that stops is found in half an hour."""

from datetime import timedelta

import pytest

from tests.simulate.quiet import lived

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("seed", "side", "hour"), [(1, "drchrono", 0.7), (3, "salesforce", 0.5)])
async def test_a_feed_that_stops_is_found_within_half_an_hour_of_the_first_edit_it_keeps_to_itself(seed, side, hour):
    told = await lived(seed, 1, side, hour)

    assert told.alarms == []
    assert told.after_loss <= HALF_AN_HOUR
    assert told.found >= 1
