"""How a look that failed ended: what it costs the record, what stays as it was, and when a person is asked."""

from datetime import timedelta

import pytest

from app.errors import LeaseLost, OutcomeUnknown, Rejected, Unauthorized, Unavailable, Unreadable
from app.sync.model import Lane, Side
from app.vendors.salesforce.wire import RecordRefused
from tests.build import LATER_STAMP, NOW, SALESFORCE_ID, STAMP, a_link, a_patient, a_snapshot, seen
from tests.unit.workers.conftest import ATTEMPT_LIMIT

CALL = ("salesforce", "PATCH composite/sobjects")
SOON = NOW + timedelta(minutes=5)
NEWS = seen(a_snapshot(LATER_STAMP, city="Newtown", state="NJ"))


def agreed(link, base):
    """The fields a base was advanced in."""
    return {name for name in base.stamps if base.stamps[name] != link.base.stamps.get(name)}


@pytest.mark.parametrize("error", [Unauthorized(*CALL), Unavailable(*CALL)], ids=["credential", "away"])
@pytest.mark.parametrize("when", ["look", "write"])
def test_what_the_whole_side_suffers_from_spends_nothing_and_loses_nothing(end, error, when):
    link = a_link()

    result = end(link, error, attempts=1) if when == "look" else end(link, NEWS, error, attempts=1)

    assert (result.attempts, result.is_read, result.failure) == (1, False, None)
    assert result.retry.again_in > timedelta(0)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("error", [Unauthorized, Unavailable], ids=["credential", "away"])
def test_only_what_waits_for_a_credential_says_so_and_of_which_side(end, error, side):
    result = end(a_link(), error(side.value, "GET", code="SOME_CODE"))

    assert result.last_error == (f"{side.value}_paused" if error is Unauthorized else "SOME_CODE")


def test_a_lost_lease_is_left_to_its_successor_at_once(end):
    assert end(a_link(), NEWS, LeaseLost()).retry.again_in == timedelta(0)


def test_an_unknown_outcome_spends_an_attempt_and_keeps_the_delivery(end):
    result = end(a_link(), NEWS, OutcomeUnknown(*CALL), attempts=1)

    assert (result.attempts, result.is_read, result.retry.lane) == (2, False, Lane.RETRY)


@pytest.mark.parametrize(
    "outcome",
    [OutcomeUnknown(*CALL, code="ReadTimeout"), RecordRefused("UNABLE_TO_LOCK_ROW")],
    ids=["unknown", "locked"],
)
def test_the_last_attempt_makes_a_failure(end, outcome):
    result = end(a_link(), NEWS, outcome, attempts=ATTEMPT_LIMIT - 1)

    assert result.failure is not None
    assert (result.is_read, result.retry) == (True, None)


def test_a_lasting_refusal_names_its_cause_and_fields_and_uses_the_delivery_up(end):
    result = end(a_link(), NEWS, RecordRefused("REQUIRED_FIELD_MISSING", ("LastName",)))

    assert (result.failure.cause, result.failure.fields) == ("REQUIRED_FIELD_MISSING", ("LastName",))
    assert (result.is_read, result.link.seen_up_to) == (True, LATER_STAMP)


@pytest.mark.parametrize("outcome", [RecordRefused("REQUIRED_FIELD_MISSING"), Unavailable(*CALL)], ids=["ever", "now"])
def test_what_was_not_written_does_not_advance_and_what_agrees_does(end, outcome):
    link = a_link({name: value for name, value in a_patient().items() if name != "zip_code"})

    result = end(link, NEWS, outcome)

    assert agreed(link, result.link.base) == {"zip_code"}


def test_a_refused_question_is_asked_again_and_blames_no_record(end):
    result = end(a_link(), Rejected("salesforce", "GET query", code="INVALID_FIELD"), attempts=1)

    assert (result.failure, result.is_read, result.attempts) == (None, False, 1)
    assert (result.retry.again_in, result.last_error) == (timedelta(minutes=1), "INVALID_FIELD")


def test_a_question_refused_for_one_chart_alone_becomes_a_failure(end):
    result = end(a_link(), Rejected("drchrono", "GET /api/patients/{id}", status=403), attempts=ATTEMPT_LIMIT)

    assert result.failure is not None


def test_an_answer_that_cannot_be_read_makes_a_failure_of_its_side(end):
    result = end(a_link(), Unreadable("drchrono", "GET", code="NOT_JSON"))

    assert (result.failure.side, result.failure.cause) == (Side.DRCHRONO, "NOT_JSON")


def test_a_question_that_got_no_answer_stays_promised(end):
    link = a_link(confirm_due_at=NOW)

    assert end(link, Unavailable("drchrono", "GET")).link.confirm_due_at == NOW


def test_a_look_that_failed_keeps_everything_as_it_was(end):
    link = a_link(confirm_due_at=SOON)

    result = end(link, Unavailable(*CALL))

    assert (result.link.base, result.link.seen_up_to, result.link.salesforce_id, result.link.confirm_due_at) == (
        link.base,
        STAMP,
        SALESFORCE_ID,
        SOON,
    )
