"""The API names states itself, so that what its documents say stays; it must name all there are."""

import pytest

from app.store.deliveries import Outcome
from app.store.record_views import RecordState
from app.sync.model import WriteState
from app.sync.resolutions import ResolutionEnd
from app.web.api.deliveries import DeliveryResult
from app.web.api.records import OUTCOMES, STATUSES, UNDO_STATUSES, Ending, RecordStatus, Standing, State, UndoStatus


@pytest.mark.parametrize(
    ("named", "states"),
    [(Standing, RecordState), (State, WriteState), (Ending, ResolutionEnd)],
    ids=lambda one: one.__name__,
)
def test_the_api_names_every_state_there_is_by_its_own_value(named, states):
    assert [one.value for one in named] == [one.value for one in states]


@pytest.mark.parametrize(
    ("named", "before", "renamed"),
    [(RecordStatus, Standing, STATUSES), (UndoStatus, Ending, UNDO_STATUSES)],
    ids=["of a record", "of an undo"],
)
def test_every_state_has_one_value_under_its_new_name(named, before, renamed):
    assert [one.value for one in named] == [renamed.get(one.value, one.value) for one in before]


def test_every_result_of_a_delivery_has_a_new_name():
    assert set(OUTCOMES) == {one.value for one in Outcome}
    assert set(OUTCOMES.values()) == {one.value for one in DeliveryResult}
