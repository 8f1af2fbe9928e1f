"""What a Salesforce record shows people of how it is synced: a word of the glossary, why, and what to do."""

import pytest

from app.operations.labels import label
from app.sync import failure_causes
from app.sync.model import Exclusion, RecordState
from app.sync.sync_status import LONGEST_MESSAGE, SyncStatus, status_of


@pytest.mark.parametrize("state", RecordState)
def test_every_state_has_a_word_of_its_own(state):
    words = {status_of(one).status for one in RecordState}

    assert len(words) == len(RecordState) == len(SyncStatus)
    assert status_of(state).status in words


def test_every_status_is_called_as_the_console_calls_it():
    for state in RecordState:
        assert status_of(state).status.label == label(state.value)


def test_what_waits_for_a_person_says_which_fields_and_what_to_do():
    said = status_of(RecordState.FAILED, "too_long", ("MailingCity", "Email"))

    assert said.status is SyncStatus.FAILED
    assert said.message == f"MailingCity, Email: {failure_causes.fix('too_long')}"


def test_what_is_tried_again_says_so_and_why_where_that_is_known():
    assert status_of(RecordState.ON_ITS_WAY).message == "It is tried again by itself."
    assert status_of(RecordState.ON_ITS_WAY, "UNABLE_TO_LOCK_ROW").message.endswith("It is tried again by itself.")
    assert status_of(RecordState.ON_ITS_WAY, "UNABLE_TO_LOCK_ROW") != status_of(RecordState.ON_ITS_WAY)


def test_what_is_left_out_says_by_which_side():
    said = status_of(RecordState.EXCLUDED, excluded_by=frozenset({Exclusion.SALESFORCE}))

    assert said.message == "The mapping leaves it out, by what Salesforce holds."


@pytest.mark.parametrize("cause", [*failure_causes.CAUSES, "NO_SUCH_CODE", "overlaps_123"])
def test_no_message_is_longer_than_its_field(cause):
    for state in RecordState:
        assert len(status_of(state, cause, ("A_Field__c",) * 12).message) <= LONGEST_MESSAGE


def test_another_word_and_another_message_have_another_digest():
    said = [
        status_of(RecordState.IN_STEP),
        status_of(RecordState.ALONE),
        status_of(RecordState.HELD, "held", ("Email",)),
        status_of(RecordState.HELD, "held", ("Phone",)),
    ]

    assert len({one.digest for one in said}) == len(said)
