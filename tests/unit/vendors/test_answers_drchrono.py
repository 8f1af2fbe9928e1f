"""What counts as DrChrono's answer: its status, its media type and its shape together, call by call."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import EdgeAnswered, Gone, OutcomeUnknown, Rejected, Unauthorized, Unavailable, VendorError
from app.vendors.drchrono import answers
from app.vendors.http import Reply

SAMPLES = Path(__file__).parents[2] / "samples" / "drchrono"
PAGE = b"<html><body>We'll be right back.</body></html>"
USER = {"id": "1", "username": "u", "practice_group": 2}
COMPLETE = {"status": "Complete", "results": [], "pagination": {"count": 0, "pages": 1}}
# each sort of call: whether it writes, what it is documented to say, and JSON of another shape
CALLS = {
    "read": (answers.RECORD, False, 200, {"id": 7, "first_name": "Ada"}, [{}, [], None, 7, [{"id": 7}], {"id": None}]),
    "list": (answers.LIST, False, 200, {"results": [], "next": None}, [{}, [], None, {"results": {}}, {"id": 7}]),
    "create": (answers.CREATED, True, 201, {"id": 7}, [{}, [], None, {"detail": "ok"}]),
    "user": (answers.USER, False, 200, USER, [{}, [], None, {"id": "1"}]),
    "bulk begun": (answers.BULK_BEGUN, False, 201, {"uuid": "u"}, [{}, [], None, {"status": "In progress"}]),
    "bulk page": (answers.bulk_page(1, 9), False, 200, COMPLETE, [[], None, {"status": "Complete"}]),
}


def reply(status, document=None, media="application/json"):
    return Reply(status, media, document if isinstance(document, bytes) else json.dumps(document).encode())


def sample(name):
    found = json.loads((SAMPLES / f"{name}.json").read_text())
    return reply(found["status"], found["body"])


@pytest.mark.parametrize("name", CALLS)
def test_what_is_documented_of_a_call_is_its_answer(name):
    wanted, writes, status, document, _ = CALLS[name]

    answers.said(reply(status, document), "call", wanted, writes=writes)


def test_a_change_is_answered_with_nothing_at_all():
    assert answers.said(Reply(204, "", b""), "PATCH", answers.CHANGED, writes=True) is None


@pytest.mark.parametrize("status", [200, 201, 202, 204, 400, 401, 403, 404, 405, 409, 410, 429, 502, 503, 504])
@pytest.mark.parametrize("name", [*CALLS, "change"])
def test_a_page_is_nobodys_word_whatever_its_status_says(name, status):
    wanted, writes, *_ = CALLS.get(name, (answers.CHANGED, True))

    with pytest.raises(EdgeAnswered if writes else Unavailable) as raised:
        answers.said(reply(status, PAGE, "text/html"), "call", wanted, writes=writes)

    assert raised.value.came == "text/html, 46 bytes"


@pytest.mark.parametrize(("name", "at"), [(name, at) for name, call in CALLS.items() for at in range(len(call[4]))])
def test_json_of_another_shape_is_nobodys_word(name, at):
    wanted, writes, status, _, others = CALLS[name]

    with pytest.raises(EdgeAnswered if writes else Unavailable) as raised:
        answers.said(reply(status, others[at]), "call", wanted, writes=writes)

    assert raised.value.came


@pytest.mark.parametrize(
    "odd",
    [Reply(200, "", b""), reply(200, {"id": 7}), reply(202, {}), reply(204, {"id": 7}), reply(201, {"id": 7})],
    ids=["200 and nothing", "200 and the record", "202", "204 with something", "201"],
)
def test_a_change_that_is_answered_otherwise_is_not_known_to_be_done(odd):
    with pytest.raises(EdgeAnswered):
        answers.said(odd, "PATCH", answers.CHANGED, writes=True)


@pytest.mark.parametrize("body", [b"", b'{"id": 7, "first', b"\xff", b'{"id": 7}trailing'], ids=repr)
def test_half_an_answer_is_none(body):
    with pytest.raises(Unavailable) as raised:
        answers.said(reply(200, body), "GET", answers.RECORD, writes=False)

    assert raised.value.cause == "NOT_JSON"


@pytest.mark.parametrize(
    ("name", "expected", "code"),
    [
        ("error_400_field_errors", Rejected, "HTTP_400"), ("error_400_break_patient_null", Rejected, "HTTP_400"),
        ("error_400_duplicate_patient", Rejected, "potential_duplicate"), ("error_401", Unauthorized, "HTTP_401"),
        ("error_403", Rejected, "HTTP_403"), ("error_404", Gone, "HTTP_404"),
        ("error_409_overlap", Rejected, "overlaps_340000501"), ("error_429", Unavailable, "HTTP_429"),
    ],
)  # fmt: skip
def test_every_refusal_of_its_own_is_known(name, expected, code):
    with pytest.raises(expected) as raised:
        answers.said(sample(name), "PATCH", answers.CHANGED, writes=True)

    assert (type(raised.value), raised.value.cause, raised.value.came) == (expected, code, "")


def test_the_wait_of_a_throttled_call_is_read_from_the_body():
    with pytest.raises(Unavailable) as raised:
        answers.said(sample("error_429"), "GET", answers.RECORD, writes=False)

    assert raised.value.retry_in_s == 2295.0


@pytest.mark.parametrize(
    "document",
    [
        {"message": "no Route matched with those values"}, {"message": "Forbidden"}, {"error": "blocked"}, {}, [], None,
        "no", {"detail": None},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 429])
def test_a_gateways_json_is_no_refusal_of_drchronos(status, document):
    with pytest.raises(Unavailable):
        answers.said(reply(status, document), "GET", answers.RECORD, writes=False)


@pytest.mark.parametrize("status", [413, 414, 431])
def test_what_is_too_large_for_the_server_is_refused_whatever_its_page_looks_like(status):
    with pytest.raises(Rejected):
        answers.said(reply(status, PAGE, "text/html"), "PATCH", answers.CHANGED, writes=True)


@pytest.mark.parametrize(("writes", "expected"), [(False, Unavailable), (True, OutcomeUnknown)], ids=["read", "write"])
def test_a_500_is_its_own_though_its_framework_says_it_with_a_page(writes, expected):
    with pytest.raises(expected) as raised:
        answers.said(reply(500, PAGE, "text/html"), "call", answers.CHANGED, writes=writes)

    assert (type(raised.value), raised.value.cause) == (expected, "HTTP_500")


@given(status=st.integers(200, 599), body=st.binary(max_size=50), media=st.sampled_from(["", "text/html", "a/json"]))
def test_whatever_is_not_json_is_an_error_of_ours_that_quotes_nothing(status, body, media):
    with pytest.raises(VendorError) as raised:
        answers.said(Reply(status, media, body), "GET", answers.RECORD, writes=False)

    beside = f" ({raised.value.came})" if raised.value.came else ""
    code = f" {raised.value.code}" if raised.value.code else ""
    assert str(raised.value) == f"drchrono: GET: {status}{code}{beside}"
