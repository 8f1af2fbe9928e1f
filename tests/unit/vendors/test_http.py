"""The edge: every failure of httpx has its place in our family; a write that may have happened is unknown."""

import inspect
import json
import ssl
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Gone, OutcomeUnknown, Rejected, Unauthorized, Unavailable, VendorError
from app.vendors.http import NEVER_SENT, TIMEOUTS, checked_grant, client, refused, translated, trusted

SAMPLES = Path(__file__).parents[2] / "samples" / "drchrono"
REQUEST = httpx.Request("GET", "https://app.drchrono.com/api/patients/1")

# raised by our own misuse of the library, or by options we do not use; they are bugs, not failures of a vendor
NOT_OF_A_VENDOR = {
    "CookieConflict", "RequestNotRead", "ResponseNotRead", "StreamClosed", "StreamConsumed", "StreamError",
}  # fmt: skip
FAMILIES = {"HTTPError", "RequestError", "TransportError", "TimeoutException", "NetworkError", "ProtocolError"}
BEFORE_IT_WAS_SENT = {
    "ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError", "LocalProtocolError",
    "InvalidURL",
}  # fmt: skip
MAYBE_DONE = {
    "CloseError", "DecodingError", "ReadError", "ReadTimeout", "RemoteProtocolError", "TooManyRedirects",
    "WriteError", "WriteTimeout",
}  # fmt: skip
BY_THE_ANSWER = {"HTTPStatusError"}  # `refused` looks at it


def of_httpx():
    return {name for name, thing in inspect.getmembers(httpx, inspect.isclass) if issubclass(thing, Exception)}


def failure(name):
    kind = getattr(httpx, name)
    return kind("Canary") if name == "InvalidURL" else kind("Canary", request=REQUEST)


def test_every_exception_of_httpx_has_its_place_here():
    known = NOT_OF_A_VENDOR | FAMILIES | BEFORE_IT_WAS_SENT | MAYBE_DONE | BY_THE_ANSWER

    assert of_httpx() == known


def test_what_is_named_as_never_sent_is_that_and_no_more():
    assert {kind.__name__ for kind in NEVER_SENT} == BEFORE_IT_WAS_SENT


@pytest.mark.parametrize("writes", [True, False], ids=["write", "read"])
@pytest.mark.parametrize("name", sorted(BEFORE_IT_WAS_SENT))
def test_what_was_never_sent_is_unavailable(name, writes):
    assert type(translated(failure(name), "drchrono", "POST", writes=writes)) is Unavailable


@pytest.mark.parametrize("name", sorted(MAYBE_DONE | FAMILIES - {"HTTPError"}))
def test_a_write_that_may_have_happened_is_of_unknown_outcome(name):
    assert type(translated(failure(name), "drchrono", "POST", writes=True)) is OutcomeUnknown


@pytest.mark.parametrize("name", sorted(MAYBE_DONE | FAMILIES - {"HTTPError"}))
def test_a_read_that_failed_is_unavailable(name):
    assert type(translated(failure(name), "drchrono", "GET", writes=False)) is Unavailable


def test_a_write_to_an_address_that_is_none_was_never_sent():
    assert type(translated(failure("InvalidURL"), "drchrono", "POST", writes=True)) is Unavailable


@pytest.mark.parametrize("name", sorted(BEFORE_IT_WAS_SENT | MAYBE_DONE))
def test_a_translation_names_the_class_and_drops_the_message(name):
    error = translated(failure(name), "drchrono", "GET", writes=True)

    assert error.cause == name
    assert "Canary" not in str(error)


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (302, Rejected, Rejected),
        (400, Rejected, Rejected),
        (401, Unauthorized, Unauthorized),
        (403, Rejected, Rejected),
        (404, Gone, Gone),
        (405, Rejected, Rejected),
        (409, Rejected, Rejected),
        (410, Gone, Gone),
        (429, Unavailable, Unavailable),
        (500, Unavailable, OutcomeUnknown),
        (502, Unavailable, OutcomeUnknown),
        (504, Unavailable, OutcomeUnknown),
    ],
)
def test_a_status_is_translated(status, read, write):
    answer = httpx.Response(status, text="Canary")

    assert type(refused(answer, "drchrono", "GET")) is read
    assert type(refused(answer, "drchrono", "POST", writes=True)) is write


@given(status=st.integers(300, 599), body=st.binary(max_size=50))
def test_whatever_a_vendor_answers_is_an_error_of_ours_that_quotes_nothing(status, body):
    error = refused(httpx.Response(status, content=body), "drchrono", "GET")

    assert isinstance(error, VendorError)
    assert str(error) == f"drchrono: GET: {status}"


def test_the_wait_of_a_throttled_call_is_read_from_the_body():
    sample = json.loads((SAMPLES / "error_429.json").read_text())

    error = refused(httpx.Response(429, json=sample["body"]), "drchrono", "GET")

    assert error.retry_in_s == 2295.0


@pytest.mark.parametrize("body", ["", "<html>", "available in soon seconds"])
def test_a_throttled_call_that_names_no_wait_leaves_it_open(body):
    assert refused(httpx.Response(429, text=body), "drchrono", "GET").retry_in_s is None


@pytest.mark.parametrize("body", ['{"access_token": "a"}', '{"error": "invalid_grant"}'])
def test_a_grant_and_a_refusal_of_one_pass(body):
    answer = httpx.Response(200, text=body, request=REQUEST)

    assert checked_grant(answer) is answer


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", '"access_token"', '{"detail": "throttled"}'])
def test_any_other_answer_of_a_token_endpoint_is_a_failure(body):
    with pytest.raises(httpx.HTTPStatusError):
        checked_grant(httpx.Response(200, text=body, request=REQUEST))


async def test_a_client_follows_no_redirect_and_waits_for_nothing_without_end():
    async with client("https://app.drchrono.com", trusted(None)) as ours:
        assert ours.follow_redirects is False
        assert ours.timeout == TIMEOUTS

    assert None not in TIMEOUTS.as_dict().values()


def test_certificates_are_checked():
    context = trusted(None)

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
