"""Our application at DrChrono's authorization server, against the stand-in: codes, pairs, and every bad answer."""

import httpx
import pytest

from app.errors import EdgeAnswered, OutcomeUnknown, Unauthorized, Unavailable
from app.vendors.drchrono.oauth import SCOPES
from tests.contract.conftest import REDIRECT


def tokens(practice):
    return practice.control.get("/_control/tokens").json()


def turn(practice, **settings):
    practice.control.put("/_control/settings", json=settings).raise_for_status()


async def test_the_consent_page_is_asked_for_what_we_need_and_no_more(practice):
    url = httpx.URL(practice.grant().consent_url(REDIRECT, "the state"))

    asked = dict(url.params)
    assert (asked["response_type"], asked["client_id"], asked["state"]) == ("code", "standin-client", "the state")
    assert (asked["redirect_uri"], asked["scope"].split()) == (REDIRECT, list(SCOPES))
    assert str(url).startswith(f"{practice.url}/o/authorize/?")
    assert practice.control.get(str(url)).status_code == 200


async def test_a_consent_becomes_a_pair_with_the_scopes_asked_for(practice):
    grant = practice.grant()
    asked = dict(httpx.URL(grant.consent_url(REDIRECT, "s")).params)
    back = practice.control.post("/o/authorize/", data={**asked, "allow": "Authorize"}).headers["location"]

    pair = await grant.exchange(httpx.URL(back).params["code"], REDIRECT)

    assert pair["scope"].split() == list(SCOPES)
    assert pair["access_token"] != pair["refresh_token"]
    assert float(pair["expires_in"]) == 172_800


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("wrong", ["used", "made up", "for another address"])
async def test_a_code_that_is_not_good_is_refused(practice, wrong, status):
    turn(practice, grant_error_status=status)
    grant, code = practice.grant(), practice.code()
    if wrong == "used":
        await grant.exchange(code, REDIRECT)

    with pytest.raises(Unauthorized) as raised:
        await grant.exchange(
            "made up" if wrong == "made up" else code,
            "http://127.0.0.1/other" if wrong == "for another address" else REDIRECT,
        )

    assert raised.value.cause == "invalid_grant"


async def test_a_refresh_token_works_once(practice):
    grant = practice.grant()
    first = await grant.exchange(practice.code(), REDIRECT)

    second = await grant.refresh(first)
    with pytest.raises(Unauthorized, match="invalid_grant"):
        await grant.refresh(first)

    assert second["refresh_token"] != first["refresh_token"]
    assert (tokens(practice)["refreshes"], tokens(practice)["reuses"]) == (1, 1)


@pytest.mark.parametrize("pair", [None, {}, {"access_token": "a"}, {"refresh_token": ""}], ids=repr)
async def test_without_a_refresh_token_nobody_is_asked(practice, pair):
    with pytest.raises(Unauthorized, match="NOT_CONNECTED"):
        await practice.grant().refresh(pair)

    assert practice.counted("POST /o/token") == 0


@pytest.mark.parametrize("call", ["exchange", "refresh"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"do": "throttle"}, Unavailable),
        ({"do": "error", "status": 503, "body": "<html>maintenance</html>"}, EdgeAnswered),
        ({"do": "error", "status": 502, "body": ""}, EdgeAnswered),
        ({"do": "error", "status": 503, "body": {"error": "temporarily_unavailable"}}, EdgeAnswered),
        ({"do": "error", "status": 400, "body": {"error": "temporarily_unavailable"}}, Unavailable),
        ({"do": "error", "status": 429, "body": {"error": "slow_down"}}, Unavailable),
        ({"do": "error", "status": 200, "body": "<html>maintenance</html>"}, EdgeAnswered),
        ({"do": "error", "status": 401, "body": "<html>a proxy's</html>"}, EdgeAnswered),
        ({"do": "error", "status": 403, "body": "<html>blocked</html>"}, EdgeAnswered),
        ({"do": "error", "status": 404, "body": "<html>moved</html>"}, EdgeAnswered),
        ({"do": "error", "status": 302, "body": ""}, EdgeAnswered),
        ({"do": "error", "status": 200, "body": {}}, EdgeAnswered),
        ({"do": "error", "status": 200, "body": {"access_token": None}}, EdgeAnswered),
        ({"do": "error", "status": 200, "body": []}, EdgeAnswered),
        ({"do": "error", "status": 400, "body": {"error": "invalid_grant"}}, Unauthorized),
        ({"do": "error", "status": 401, "body": {"error": "invalid_grant"}}, Unauthorized),
        ({"do": "error", "status": 400, "body": {"error": "invalid_client"}}, Unauthorized),
        ({"do": "error", "status": 401, "body": {"error": "invalid_client"}}, Unauthorized),
        ({"do": "error", "status": 400, "body": {"error": "unauthorized_client"}}, Unauthorized),
        ({"do": "drop_before"}, OutcomeUnknown),
        ({"do": "drop_after_commit"}, OutcomeUnknown),
    ],
    ids=[
        "429", "html-503", "502", "oauth-503", "oauth-400-away", "oauth-429", "html-200", "html-401", "html-403",
        "html-404", "redirect", "empty", "null", "list", "grant-400", "grant-401", "client-400", "client-401",
        "unauthorized", "dropped", "dropped-after",
    ],
)  # fmt: skip
async def test_every_bad_answer_of_the_token_endpoint_becomes_one_of_our_errors(practice, call, fault, expected):
    grant = practice.grant()
    pair, code = await grant.exchange(practice.code(), REDIRECT), practice.code()
    practice.fault("POST /o/token", **fault)

    with pytest.raises(expected) as raised:
        await (grant.exchange(code, REDIRECT) if call == "exchange" else grant.refresh(pair))

    assert type(raised.value) is expected
    assert pair["refresh_token"] not in str(raised.value)
    if fault["do"] == "throttle":
        assert raised.value.retry_in_s > 0


@pytest.mark.parametrize(
    "life",
    [pytest.param("soon"), pytest.param("172800.0"), 172800.5, None, "", []],
    ids=repr,
)
async def test_a_granted_pair_is_kept_whatever_is_said_of_its_life(practice, life):
    body = {"access_token": "a", "refresh_token": "r", "expires_in": life}
    practice.fault("POST /o/token", do="error", status=200, body=body)

    pair = await practice.grant().exchange("code", REDIRECT)

    assert (pair["access_token"], pair["refresh_token"]) == ("a", "r")


async def test_a_pair_that_is_revoked_is_dead(practice):
    grant = practice.grant()
    pair = await grant.exchange(practice.code(), REDIRECT)

    await grant.revoke(pair)

    assert (tokens(practice)["live"], tokens(practice)["revocations"]) == (0, 1)
    with pytest.raises(Unauthorized):
        await practice.client().user(pair["access_token"])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"do": "error", "status": 503, "body": "<html>"}, Unavailable),
        ({"do": "throttle"}, Unavailable),
        ({"do": "drop_before"}, Unavailable),
        ({"do": "error", "status": 400, "body": {"error": "unsupported_token_type"}}, Unavailable),
        ({"do": "error", "status": 401, "body": {"error": "invalid_client"}}, Unavailable),
        ({"do": "error", "status": 200, "body": "<html>"}, Unavailable),
    ],
    ids=["503", "429", "dropped", "400", "401", "200 html"],
)
async def test_a_revocation_that_was_not_confirmed_is_an_error(practice, fault, expected):
    grant = practice.grant()
    pair = await grant.exchange(practice.code(), REDIRECT)
    practice.fault("POST /o/revoke_token", **fault)

    with pytest.raises(expected) as raised:
        await grant.revoke(pair)

    assert pair["refresh_token"] not in str(raised.value)
