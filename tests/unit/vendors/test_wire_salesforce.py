"""Salesforce's answers: one result per record in their order, errors per call, and no message of theirs in a text."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Disposition, OutcomeUnknown, Rejected, SyncError, Unauthorized, Unavailable
from app.vendors.salesforce.wire import RecordRefused, Saved, refused, results

SAMPLES = Path(__file__).parents[2] / "samples" / "salesforce"
ERRORS = {key: body for key, body in json.loads((SAMPLES / "errors.json").read_text()).items() if key[0].isdigit()}
MIXED = json.loads((SAMPLES / "collections_upsert_mixed_200.json").read_text())
ROLLED_BACK = json.loads((SAMPLES / "collections_upsert_all_or_none_rolled_back_200.json").read_text())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
WRITES = pytest.mark.parametrize("writes", [True, False], ids=["write", "read"])


def test_each_record_has_its_own_result_in_the_order_sent():
    assert results(MIXED, 5) == [
        Saved("003SYN000000001YBA", created=False),
        Saved("003SYN000000002YBA", created=True),
        RecordRefused("REQUIRED_FIELD_MISSING", ("LastName",)),
        RecordRefused("UNABLE_TO_LOCK_ROW"),
        RecordRefused("DUPLICATES_DETECTED"),
    ]


UNUSED = {name: json.loads((SAMPLES / f"{name}.json").read_text()) for name in ("composite_200", "bulk2_job_lifecycle")}


@pytest.mark.parametrize(
    "answer", [*UNUSED.values(), *UNUSED["bulk2_job_lifecycle"].values()], ids=lambda one: str(one)[:30]
)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_answers_of_calls_we_do_not_make_are_no_results(answer, count):
    assert results(answer, count) is None


def test_of_a_composite_the_parts_are_errors_like_any_other():
    failed = UNUSED["composite_200"]["compositeResponse"][1]

    assert refused(failed["httpStatusCode"], failed["body"], "PATCH", writes=True).cause == "PROCESSING_HALTED"


def test_what_was_rolled_back_was_not_saved():
    found = results(ROLLED_BACK, len(ROLLED_BACK))

    assert all(isinstance(result, RecordRefused) for result in found)


@pytest.mark.parametrize(
    "answer", [None, {}, [], "", MIXED[:4], [*MIXED, MIXED[0]]],
    ids=["null", "object", "empty", "text", "too few", "too many"],
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_none(answer):
    assert results(answer, 5) is None


@pytest.mark.parametrize(
    "item",
    [{"success": "true", "id": "1"}, {"success": 1, "id": "1"}, {}],
    ids=str,
)
def test_only_a_plain_success_counts_as_saved(item):
    assert results([item], 1) == [RecordRefused("UNKNOWN")]


@pytest.mark.parametrize(
    "item",
    [None, 7, [], {"success": True}, {"success": True, "id": None}, {"success": True, "id": "9" * 100}],
    ids=str,
)
def test_what_is_said_of_one_record_and_cannot_be_read_leaves_that_one_unknown(item):
    before, unknown, behind = results([MIXED[0], item, MIXED[0]], 3)

    assert isinstance(unknown, OutcomeUnknown)
    assert [before, behind] == results([MIXED[0]] * 2, 2)


def test_the_fields_of_several_errors_are_named_once_each():
    errors = [{"statusCode": "A", "fields": ["X", "Y"]}, {"statusCode": "B", "fields": ["Y", "Z"]}]

    assert results([{"success": False, "errors": errors}], 1) == [RecordRefused("A", ("X", "Y", "Z"))]


def test_a_refusal_has_every_message_once_each():
    errors = [{"statusCode": "A", "message": said} for said in ("Enter an area code.", "No.", "Enter an area code.")]

    (refusal,) = results([{"success": False, "errors": errors}], 1)

    assert refusal.message == "Enter an area code.\nNo."


def test_a_refusal_shows_no_message_where_it_is_printed():
    errors = [{"statusCode": "A", "message": "Canary", "extendedErrorDetails": ["Canary"]}]

    assert "Canary" not in repr(results([{"success": False, "errors": errors}], 1))


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("We can't save this record because the “Patient Intake” process failed. Canary", "Patient Intake"),
        ('because the "Patient Intake (new)" process failed', "Patient Intake (new)"),
        ("acme.ContactTrigger: execution of BeforeInsert\n\ncaused by: Canary", "acme.ContactTrigger"),
        ("Canary: bad. execution of it", None),
        ("because the “Canary<script>” process failed", None),
    ],
)
def test_a_flow_or_trigger_that_failed_is_named_and_nothing_else_of_the_message(message, name):
    errors = [{"statusCode": "CANNOT_EXECUTE_FLOW_TRIGGER", "message": message, "fields": []}]

    (found,) = results([{"success": False, "errors": errors}], 1)

    assert found.fields == (() if name is None else (name,))


def test_refusals_are_alike_by_their_code_and_words_but_for_ids_and_numbers():
    def likeness(words):
        errors = [{"statusCode": "UNKNOWN_EXCEPTION", "message": words}]
        return results([{"success": False, "errors": errors}], 1)[0].likeness

    assert likeness("row 1, id 003SYN000000001YBA: null object") == likeness(
        "row 7, id 003SYN000000002YBA: null object"
    )
    assert likeness("null object") != likeness("another reason")


def test_of_several_errors_what_is_about_more_than_the_record_counts():
    errors = [
        {"statusCode": "REQUIRED_FIELD_MISSING", "message": "missing", "fields": ["LastName"]},
        {"statusCode": "STORAGE_LIMIT_EXCEEDED", "message": "storage limit exceeded", "fields": []},
    ]

    (found,) = results([{"success": False, "errors": errors}], 1)

    assert found.code == "STORAGE_LIMIT_EXCEEDED"


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_an_org_in_maintenance_is_away_whatever_status_says_so(status):
    body = [{"errorCode": "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "message": "during maintenance"}]

    assert type(refused(status, body, "PATCH", writes=True)) is Unavailable


@given(answer=st.lists(st.dictionaries(st.sampled_from(["id", "success", "statusCode"]), JSON), max_size=3))
def test_whatever_is_answered_does_not_raise(answer):
    found = results(answer, len(answer))

    assert found is not None
    assert len(found) == len(answer)


@pytest.mark.parametrize("item", [{"errors": 7}, {"errors": True}, {"errors": [{"fields": 7}]}], ids=str)
def test_errors_of_another_form_do_not_raise(item):
    assert results([item], 1) in ([RecordRefused("UNKNOWN")], None)


EXPECTED = {
    "401 INVALID_SESSION_ID": Unauthorized,
    "403 REQUEST_LIMIT_EXCEEDED": Unavailable,
    "403 REQUEST_LIMIT_EXCEEDED concurrent": Unavailable,
    "403 API_DISABLED_FOR_ORG": Unauthorized,
    "503 SERVER_UNAVAILABLE": Unavailable,
}


def said(key, *, writes):
    return refused(int(key[:3]), ERRORS[key], "PATCH", writes=writes)


@WRITES
@pytest.mark.parametrize("key", sorted(ERRORS.keys() - {"500 UNKNOWN_EXCEPTION"}))
def test_a_documented_error_is_translated(key, writes):
    assert type(said(key, writes=writes)) is EXPECTED.get(key, Rejected)


@pytest.mark.parametrize(("writes", "kind"), [(True, OutcomeUnknown), (False, Unavailable)], ids=["write", "read"])
def test_a_server_error_leaves_a_write_of_unknown_outcome(writes, kind):
    assert type(said("500 UNKNOWN_EXCEPTION", writes=writes)) is kind


@pytest.mark.parametrize("key", ERRORS)
def test_an_error_is_known_by_its_code(key):
    assert said(key, writes=True).cause == ERRORS[key][0]["errorCode"]


@pytest.mark.parametrize("key", ERRORS)
def test_an_error_keeps_no_message(key):
    assert ERRORS[key][0]["message"] not in str(said(key, writes=True))


def test_a_refused_call_names_the_fields_it_blames():
    assert said("400 STRING_TOO_LONG", writes=True).fields == ("FirstName",)


def test_a_used_up_limit_names_a_wait():
    assert said("403 REQUEST_LIMIT_EXCEEDED", writes=True).retry_in_s == 300.0


@WRITES
@pytest.mark.parametrize("content", ["<html>", b"<html>", None, {}, [], ["a"], [{}], {"error": "a"}], ids=repr)
def test_an_error_without_a_code_is_known_by_its_status(content, writes):
    assert refused(400, content, "PATCH", writes=writes).cause == "HTTP_400"


@WRITES
@given(status=st.integers(300, 599), content=st.none() | st.text() | st.lists(st.dictionaries(st.text(), st.text())))
def test_every_refused_call_has_a_disposition_that_ends_well(status, content, writes):
    error = refused(status, content, "PATCH", writes=writes)

    assert isinstance(error, SyncError)
    assert error.disposition in (
        Disposition.RETRY, Disposition.READ_BACK, Disposition.PAUSE_SIDE, Disposition.DEAD_LETTER,
    )  # fmt: skip
