"""The API names states itself, so that what its documents say stays; it must name all there are."""

import pytest

from app.store.record_views import RecordState
from app.sync.model import WriteState
from app.sync.resolutions import ResolutionEnd
from app.web.api.records import Ending, Standing, State


@pytest.mark.parametrize(
    ("named", "states"),
    [(Standing, RecordState), (State, WriteState), (Ending, ResolutionEnd)],
    ids=lambda one: one.__name__,
)
def test_the_api_names_every_state_there_is_by_its_own_value(named, states):
    assert [one.value for one in named] == [one.value for one in states]
