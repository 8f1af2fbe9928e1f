"""A person signs in by a code: what is asked until they have, and every way in which they do not."""

from dataclasses import replace

import pytest

from app.errors import Unauthorized, Unavailable
from app.vendors import http
from app.vendors.salesforce.device_flow import DeviceGrant
from tests.contract.conftest import credentials
from tests.standins.salesforce import oauth_device

ADMIN = "admin@example.test"
TOKEN = "POST /services/oauth2/token"
CODES = {"user_code": "A", "device_code": "b", "verification_uri": "https://a.example"}


@pytest.fixture
async def grant_of(org, monkeypatch):
    """Gives grants of the org, asked at once, and closes them."""
    monkeypatch.setattr(oauth_device, "INTERVAL_S", 0.0)
    org.control.post("/_control/reset")
    made = []

    def opened(**more):
        made.append(DeviceGrant(credentials(org, **more), http.trusted(org.ca_file)))
        return made[-1]

    yield opened
    for one in made:
        await one.close()


def enters(org, code, **what):
    org.control.post("/_control/device", json={"user_code": code.typed, "user": ADMIN, **what})


def at_once(code):
    return replace(code, interval_s=0.001)


async def test_whoever_has_entered_the_code_is_signed_in_once(org, grant_of):
    grant = grant_of()
    code = await grant.begin()
    enters(org, code)

    await grant.wait(at_once(code))

    token = await grant.ask(None)
    assert (code.address, code.secret in repr(code)) == (f"{org.url}/setup/connect", False)
    assert token["id"].endswith(org.control.get("/services/oauth2/userinfo", headers=bearer(token)).json()["user_id"])
    with pytest.raises(Unauthorized, match="SESSION_OVER"):
        await grant.ask(token)


def bearer(token):
    return {"Authorization": f"Bearer {token['access_token']}"}


async def test_an_edge_that_answers_in_the_endpoints_place_is_asked_again(org, grant_of):
    grant = grant_of()
    code = await grant.begin()
    enters(org, code)
    for page in ({"status": 502, "body": "<html/>"}, {"status": 200, "body": "<html/>"}, {"status": 503, "body": {}}):
        org.control.post("/_control/faults", json={"match": TOKEN, "do": "error", **page})

    await grant.wait(at_once(code), slower_s=0.0)

    assert (await grant.ask(None))["access_token"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [({"error": "access_denied"}, "access_denied"), ({"error": "invalid_grant"}, "invalid_grant")],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_whoever_refuses_or_comes_too_late_is_not_signed_in(org, grant_of, answer, code):
    grant = grant_of()
    shown = await grant.begin()
    org.control.post("/_control/faults", json={"match": TOKEN, "do": "error", "status": 400, "body": answer})

    with pytest.raises(Unauthorized) as caught:
        await grant.wait(at_once(shown))

    assert caught.value.code == code


async def test_a_code_that_nobody_enters_is_not_waited_for_for_ever(org, grant_of):
    grant = grant_of()
    code = await grant.begin()

    with pytest.raises(Unauthorized, match="expired_token"):
        await grant.wait(at_once(code), patience_s=0.02)


async def test_a_user_of_another_org_is_refused_whatever_they_consent_to(org, grant_of):
    grant = grant_of(org_id="00DOTHER0000001")
    code = await grant.begin()
    enters(org, code)

    with pytest.raises(Unauthorized, match="OTHER_ORG"):
        await grant.wait(at_once(code))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 400, "body": {"error": "unsupported_response_type"}}, Unauthorized),
        ({"status": 200, "body": {**CODES, "verification_uri": "http://a.example"}}, Unavailable),
        ({"status": 200, "body": {**CODES, "user_code": "A\u001b[2J"}}, Unavailable),
        ({"status": 200, "body": "<html/>"}, Unavailable),
    ],
    ids=["switched off", "no https", "moves the cursor", "a page"],
)  # fmt: skip
async def test_an_answer_that_shows_no_code_is_none(org, grant_of, answer, kind):
    org.control.post("/_control/faults", json={"match": TOKEN, "do": "error", **answer})

    with pytest.raises(kind):
        await grant_of().begin()
