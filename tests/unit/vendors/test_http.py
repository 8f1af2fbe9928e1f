"""The edge: every failure of httpx has its place in our family; a write that may have happened is unknown."""

import inspect
import ssl

import httpx
import pytest

from app.errors import EdgeAnswered, OutcomeUnknown, Unavailable
from app.vendors.http import (
    NEVER_SENT,
    TIMEOUTS,
    Reply,
    checked_grant,
    client,
    no_grant,
    not_the_api,
    translated,
    trusted,
    wait_s,
)

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


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("given", "media"),
    [
        ("application/json", "application/json"), ("Application/JSON; charset=utf-8", "application/json"),
        ("text/html", "text/html"), ("", ""), ("none", ""), ("Canary of no type/at all", ""),
    ],
)  # fmt: skip
def test_a_replys_media_type_is_read_without_what_is_beside_it(given, media):
    assert Reply.of(httpx.Response(200, headers={"content-type": given}, content=b"{}")).media == media


@pytest.mark.parametrize("media", ["application/json", "application/problem+json"])
def test_json_is_what_says_so_and_is_it(media):
    assert Reply(200, media, b'{"id": 1}').json() == {"id": 1}


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("text/html", b'{"id": 1}'), ("", b'{"id": 1}'), ("application/json", b""), ("application/json", b'{"id": '),
        ("application/json", b"\xff\xfe"), ("application/json", b"[" * 100_000),
    ],
    ids=["html", "no type", "nothing", "half", "no text", "endless"],
)  # fmt: skip
def test_what_is_no_json_by_its_type_or_its_text_is_none(media, body):
    with pytest.raises(ValueError):
        Reply(200, media, body).json()


@pytest.mark.parametrize(("writes", "expected"), [(False, Unavailable), (True, EdgeAnswered)], ids=["read", "write"])
def test_what_the_api_did_not_say_is_told_by_its_sort_and_length_alone(writes, expected):
    page = Reply.of(httpx.Response(404, html="<html>Canary</html>"))

    error = not_the_api(page, "drchrono", "GET /api/patients/{id}", writes=writes)

    assert type(error) is expected
    assert str(error) == "drchrono: GET /api/patients/{id}: 404 NOT_JSON (text/html, 19 bytes)"


@pytest.mark.parametrize("body", ["", "<html>", "available in soon seconds"])
def test_a_throttled_call_that_names_no_wait_leaves_it_open(body):
    assert wait_s(body) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, '{"access_token": "a"}'),
        (400, '{"error": "invalid_grant"}'),
        (401, '{"error": "invalid_client", "error_description": "wrong"}'),
    ],
)
def test_a_grant_and_a_refusal_of_one_pass(status, body):
    answer = httpx.Response(status, text=body, headers=JSON, request=REQUEST)

    assert checked_grant(answer) is answer


@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((200, body) for body in ("", "<html>", "[]", "{}", "null", '"access_token"', '{"access_token": ""}')),
        (200, '{"error": "invalid_grant"}'), (403, '{"error": "invalid_grant"}'), (500, '{"error": "invalid_client"}'),
        (201, '{"access_token": "a"}'), (401, '{"detail": "throttled"}'), (400, '{"error": {"code": 1}}'),
    ],
)  # fmt: skip
def test_any_other_answer_of_a_token_endpoint_is_a_failure(status, body):
    with pytest.raises(httpx.HTTPStatusError):
        checked_grant(httpx.Response(status, text=body, headers=JSON, request=REQUEST))


@pytest.mark.parametrize("body", ['{"access_token": "a"}', '{"error": "invalid_grant"}'])
@pytest.mark.parametrize("status", [200, 400, 401])
def test_a_token_answer_that_is_not_of_jsons_type_is_a_failure(status, body):
    with pytest.raises(httpx.HTTPStatusError):
        checked_grant(httpx.Response(status, html=body, request=REQUEST))


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [(200, Unavailable, EdgeAnswered), (403, Unavailable, EdgeAnswered), (429, Unavailable, Unavailable)],
)
def test_a_page_of_the_token_endpoints_refuses_nobody_and_may_have_spent_the_token(status, read, write):
    page = httpx.Response(status, html="<html>Canary</html>", request=REQUEST)

    assert type(no_grant(page, "salesforce", "POST", writes=False)) is read
    assert type(no_grant(page, "drchrono", "POST", writes=True)) is write


async def test_a_client_follows_no_redirect_and_waits_for_nothing_without_end():
    async with client("https://app.drchrono.com", trusted(None)) as ours:
        assert ours.follow_redirects is False
        assert ours.timeout == TIMEOUTS

    assert None not in TIMEOUTS.as_dict().values()


def test_certificates_are_checked():
    context = trusted(None)

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
