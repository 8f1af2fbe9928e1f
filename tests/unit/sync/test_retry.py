"""Retry: what an error costs a record, when it is tried again, and what a person is told to do about it."""

import json
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from app.errors import (
    DocumentNotReady,
    EdgeAnswered,
    LeaseLost,
    Misconfigured,
    OutcomeUnknown,
    Rejected,
    StoreUnavailable,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from app.sync.failure_causes import cause_of, fix
from app.sync.retry import Fate, RetryDecision, after, after_refusal, backoff_s
from app.vendors.salesforce import transport, wire

SAMPLES = Path(__file__).parents[2] / "samples"
CALL = ("salesforce", "PATCH composite/sobjects")
JITTER = st.floats(0, 1)
TRIED_AGAIN = {
    "UNABLE_TO_LOCK_ROW",
    "SERVER_UNAVAILABLE",
    "UNKNOWN_EXCEPTION",
    "DUPLICATE_VALUE",  # the race of two creates: the next read finds the other one
    "INVALID_CROSS_REFERENCE_KEY",  # the parent may not be there yet
    "REQUEST_LIMIT_EXCEEDED",
    "QUERY_TIMEOUT",
    "ENTITY_IS_DELETED",  # the next read sees it gone and holds
}
NO_ADVICE = fix("a cause nobody has heard of")


def samples():
    """The vendor's documented refusals of a record: code -> HTTP status and body."""
    known = json.loads((SAMPLES / "salesforce" / "errors.json").read_text())
    return {key.split()[1]: (int(key.split()[0]), body) for key, body in known.items() if key[:3] in ("400", "404")}


REFUSALS = samples()
OURS = {
    "codec: too long": "too_long",
    "codec: unknown value": "unknown_value",
    "codec: no date": "not_a_date",
    "codec: no text": "not_text",
    "conflict": "held",
    "chart gone": "gone_in_drchrono",
    "Contact gone": "gone_in_salesforce",
    "no permission": "HTTP_403",
}
MISTAKES_OF_OURS = {"JSON_PARSER_ERROR", "MALFORMED_ID", "MALFORMED_QUERY", "NOT_FOUND"}  # no person can mend these
PASSING = {"ENTITY_IS_DELETED", "QUERY_TIMEOUT", "REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION"}
# what a person meets when the attempts are spent, or an answer cannot be read
OF_THE_VENDOR = {
    "no answer to a write": cause_of(transport.translated(requests.ReadTimeout(), "PATCH", writes=True))[0],
    "a cut connection": cause_of(transport.translated(requests.ConnectionError(), "PATCH", writes=True))[0],
    "our own deadline": cause_of(transport.translated(TimeoutError(), "PATCH", writes=True))[0],
    "a server error": cause_of(wire.refused(500, "<html>", "PATCH", writes=True))[0],
    "a bad gateway": cause_of(wire.refused(502, "<html>", "PATCH", writes=True))[0],
    "an answer that does not fit": "ANSWER_DOES_NOT_FIT",
    "an answer that is no JSON": "NOT_JSON",
    "an answer about another record": "OTHER_RECORD",
    "a refusal without a code": wire.results([{"success": False}], 1)[0].code,
    **{f"spent attempts: {code}": code for code in sorted(PASSING)},
    "a bad request": cause_of(Rejected("drchrono", "GET", status=400))[0],
}


def test_a_refused_credential_pauses_the_side_and_spends_nothing():
    verdict = after(Unauthorized("salesforce", "token"), 1, 8, 0)

    assert verdict == RetryDecision(Fate.PAUSED, 60.0, spends=False)


def test_a_credential_that_is_tried_again_by_itself_is_waited_for_so_long():
    verdict = after(Unauthorized("drchrono", "GET", status=401, retry_in_s=5.0), 1, 8, 0)

    assert verdict == RetryDecision(Fate.PAUSED, 5.0, spends=False)


@pytest.mark.parametrize(
    "error",
    [Unavailable(*CALL), EdgeAnswered(*CALL), StoreUnavailable(), LeaseLost()],
    ids=["vendor", "page for a write", "database", "lease"],
)
@pytest.mark.parametrize("attempt", [1, 8, 1000])
def test_what_is_nobodys_fault_is_tried_again_for_ever_and_spends_nothing(error, attempt):
    verdict = after(error, attempt, 8, 0)

    assert (verdict.fate, verdict.spends) == (Fate.RETRY, False)


@pytest.mark.parametrize("waits_s", [60.0, 300.0])
def test_a_document_that_is_not_ready_is_looked_at_no_earlier_than_it_says_and_spends_nothing(waits_s):
    decision = after(DocumentNotReady("scanner_away", waits_s), 1, 8, jitter=0.0)

    assert decision == RetryDecision(Fate.RETRY, waits_s)


@given(jitter=JITTER, wait=st.floats(0.001, 1e6))
def test_a_vendor_that_names_a_wait_is_not_asked_earlier(jitter, wait):
    verdict = after(Unavailable(*CALL, retry_in_s=wait), 1, 8, jitter)

    assert wait <= verdict.in_s <= wait * 1.5


@pytest.mark.parametrize("error", [Rejected(*CALL), Unreadable(*CALL), Misconfigured()], ids=lambda e: type(e).__name__)
def test_what_would_fail_again_waits_for_a_person_at_once(error):
    assert after(error, 1, 8, 0) == RetryDecision(Fate.DEAD_LETTER, spends=True)


@pytest.mark.parametrize("attempt", range(1, 8))
def test_an_unknown_outcome_is_looked_at_again_and_spends_an_attempt(attempt):
    verdict = after(OutcomeUnknown(*CALL), attempt, 8, 0)

    assert (verdict.fate, verdict.spends) == (Fate.RETRY, True)


@pytest.mark.parametrize("attempt", [8, 9, 100])
def test_the_last_attempt_makes_a_dead_letter(attempt):
    assert after(OutcomeUnknown(*CALL), attempt, 8, 0).fate is Fate.DEAD_LETTER


@pytest.mark.parametrize("code", sorted(TRIED_AGAIN))
def test_a_passing_refusal_is_tried_again_until_the_limit(code):
    fates = [after_refusal(code, attempt, 3, 0).fate for attempt in (1, 2, 3)]

    assert fates == [Fate.RETRY, Fate.RETRY, Fate.DEAD_LETTER]


@pytest.mark.parametrize("code", sorted({*REFUSALS, "UNKNOWN", ""} - TRIED_AGAIN))
def test_a_lasting_refusal_waits_for_a_person_at_once(code):
    assert after_refusal(code, 1, 8, 0) == RetryDecision(Fate.DEAD_LETTER, spends=True)


@given(attempt=st.integers(1, 900), jitter=JITTER)
def test_the_wait_lies_between_three_quarters_and_five_quarters_of_its_step(attempt, jitter):
    step = min(2 ** (attempt - 1), 900)

    assert step * 0.75 <= backoff_s(attempt, jitter) <= step * 1.25


@given(attempt=st.integers(1, 900), jitter=JITTER)
def test_the_wait_never_shrinks_with_the_attempts(attempt, jitter):
    assert backoff_s(attempt, jitter) <= backoff_s(attempt + 1, jitter)


def test_the_wait_is_known_for_any_attempt_a_setting_allows():
    assert backoff_s(1025, 0) == 900 * 0.75


def test_what_may_pass_by_itself_has_half_an_hour_for_it():
    waits = [after_refusal("UNABLE_TO_LOCK_ROW", attempt, 8, 0.5).in_s for attempt in range(1, 8)]

    assert waits[0] <= 1
    assert sum(waits) > 1800


def test_a_call_that_was_refused_for_what_may_pass_is_tried_again_as_a_record_is():
    locked = Rejected(*CALL, status=400, code="UNABLE_TO_LOCK_ROW")

    assert after(locked, 1, 8, 0) == after_refusal("UNABLE_TO_LOCK_ROW", 1, 8, 0)


def test_an_error_without_a_vendor_is_named_by_its_class():
    assert cause_of(LeaseLost("gone")) == ("LeaseLost", ())


def test_a_refusal_is_named_by_the_vendors_code_and_fields():
    error = Rejected(*CALL, status=400, code="STRING_TOO_LONG", fields=("FirstName",))

    assert cause_of(error) == ("STRING_TOO_LONG", ("FirstName",))


@pytest.mark.parametrize("cause", OURS.values(), ids=OURS.keys())
def test_every_cause_of_our_own_has_its_fix(cause):
    assert fix(cause) != NO_ADVICE


@pytest.mark.parametrize("code", sorted(REFUSALS.keys() - MISTAKES_OF_OURS - TRIED_AGAIN))
def test_every_common_refusal_has_its_fix(code):
    status, body = REFUSALS[code]

    assert fix(cause_of(wire.refused(status, body, "PATCH", writes=True))[0]) != NO_ADVICE


@pytest.mark.parametrize("cause", OF_THE_VENDOR.values(), ids=OF_THE_VENDOR.keys())
def test_every_failure_of_the_vendor_has_its_fix(cause):
    assert fix(cause) != NO_ADVICE


@pytest.mark.parametrize("cause", sorted({*OURS.values(), *REFUSALS, "a cause nobody has heard of"}))
def test_a_fix_is_one_sentence_to_act_on(cause):
    assert fix(cause)[0].isupper()
    assert fix(cause).endswith(".")
