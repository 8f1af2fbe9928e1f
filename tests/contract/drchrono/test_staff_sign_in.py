"""The application that staff sign in by, against the stand-in: who came back, and that nothing of it lives on."""

import httpx
import pytest

from app.errors import Unauthorized
from app.store.rate_ledger import RateLedger
from app.vendors import http
from app.vendors.drchrono.client import DrChrono
from app.vendors.drchrono.oauth import DrChronoGrant
from app.vendors.drchrono.staff_sign_in import StaffSignIn
from app.vendors.rate_limit.drchrono import DrChronoRateLimit
from app.vendors.rate_limit.policy import Allowance
from app.vendors.token_broker import UnstoredToken
from tests.contract.conftest import REDIRECT
from tests.standins.drchrono.app import OTHERS

APPLICATION = "standin-sign-in"
DOCTOR, STAFF = "610001", "610002"


@pytest.fixture
async def signs_in(practice):
    """Gives the application, with its own secret unless told."""
    opened = []

    def by(client_id=APPLICATION, secret=OTHERS[APPLICATION]):
        budget = DrChronoRateLimit("drchrono", RateLedger(practice.database, client_id), Allowance(500, 1000))
        grant = DrChronoGrant(practice.url, client_id, secret, http.trusted(None), budget)
        client = DrChrono(grant, UnstoredToken(), http.trusted(None), lambda *_line, **_rest: None)
        opened.append(StaffSignIn(client))
        return opened[-1]

    yield by
    for one in opened:
        await one.close()


def code(practice, user):
    return practice.code(user=user, client_id=APPLICATION, scope="user:read")


def living(practice):
    return practice.control.get("/_control/tokens", params={"client_id": APPLICATION}).json()["live"]


async def test_no_more_is_asked_for_than_to_see_who_it_is(practice, signs_in):
    url = httpx.URL(signs_in().address(REDIRECT, "the state"))

    assert dict(url.params) == {
        "response_type": "code", "client_id": APPLICATION, "redirect_uri": REDIRECT,
        "scope": "user:read", "state": "the state",
    }  # fmt: skip
    assert practice.control.get(str(url)).status_code == 200


@pytest.mark.parametrize("redirect", ["absolute", "relative"])
@pytest.mark.parametrize(("user", "is_doctor"), [(DOCTOR, True), (STAFF, False)], ids=["doctor", "staff"])
async def test_who_comes_back_is_known_and_their_tokens_are_gone(practice, signs_in, user, is_doctor, redirect):
    practice.control.put("/_control/settings", json={"users_current_redirect": redirect})

    member = await signs_in().member(REDIRECT, code(practice, user))

    assert (member.user.id, member.user.practice, member.is_active) == (user, "510001", True)
    assert (member.user.is_doctor, member.user.is_staff) == (is_doctor, not is_doctor)
    assert living(practice) == 0
    assert practice.counted("GET /api/doctors") == is_doctor


async def test_a_code_of_the_practices_application_is_refused(practice, signs_in):
    with pytest.raises(Unauthorized, match="invalid_grant"):
        await signs_in().member(REDIRECT, practice.code(user=STAFF))


async def test_an_application_is_known_by_its_own_id_and_secret_alone(practice, signs_in):
    known = [await signs_in(*given).is_known(REDIRECT) for given in ((), (APPLICATION, "wrong"), ("unknown", "x"))]

    assert known == [True, False, False]
