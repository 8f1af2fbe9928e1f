"""The DrChrono stand-in: who presses Allow, whose tokens die of what, and how token answers may differ."""

import re

import httpx
import pytest

from tests.standins.drchrono.app import create_app
from tests.standins.serve import running

REDIRECT = "http://127.0.0.1:1/connect/callback"
CLIENT = {"client_id": "standin-client", "client_secret": "standin-secret"}
OTHER = {"client_id": "standin-sign-in", "client_secret": "standin-sign-in-secret"}
PROVIDER, STAFF, STRANGER = "610001", "610002", "610901"


@pytest.fixture(scope="module")
def server():
    with running(create_app()) as url:
        yield url


@pytest.fixture
def http(server):
    with httpx.Client(base_url=server) as http:
        http.post("/_control/reset")
        yield http


def exchanged(http, code, client=CLIENT):
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    return http.post("/o/token/", data={**form, **client})


def granted(http, **asked):
    code = http.post("/_control/oauth/code", json={"redirect_uri": REDIRECT, **asked}).json()["code"]
    return exchanged(http, code).json()


def granted_to(http, client, **asked):
    asked = {"redirect_uri": REDIRECT, "client_id": client["client_id"], **asked}
    return exchanged(http, http.post("/_control/oauth/code", json=asked).json()["code"], client).json()


def refreshed(http, pair, client=CLIENT):
    form = {"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
    return http.post("/o/token/", data={**form, **client})


def revoked(http, token, client=CLIENT):
    return http.post("/o/revoke_token/", data={"token": token, **client}).status_code


def whoami(http, pair):
    """Gives the id of the token's user, or the status of the refusal."""
    answer = http.get("/api/users/current", headers={"Authorization": f"Bearer {pair['access_token']}"})
    return answer.headers["location"].rpartition("/")[2] if answer.status_code == 302 else answer.status_code


def tokens(http):
    return http.get("/_control/tokens").json()


# --- who presses Allow


def test_the_consent_page_says_who_is_signed_in(http):
    asked = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": REDIRECT}
    first = http.get("/o/authorize/", params=asked).text

    http.post("/_control/oauth/user", json={"user": STAFF})

    assert "fixture.provider" in first
    assert "fixture.staff" in http.get("/o/authorize/", params=asked).text


@pytest.mark.parametrize("user", [PROVIDER, STAFF, STRANGER])
def test_the_pair_is_that_of_whoever_pressed_allow_in_the_browser(http, user):
    http.post("/_control/oauth/user", json={"user": user})
    asked = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": REDIRECT, "state": "s"}

    back = http.post("/o/authorize/", data={**asked, "allow": "Authorize"}).headers["location"]

    pair = exchanged(http, httpx.URL(back).params["code"]).json()
    assert whoami(http, pair) == user


def test_a_code_by_the_control_door_may_name_its_user_and_scope(http):
    pair = granted(http, user=STAFF, scope="user:read")

    assert (whoami(http, pair), pair["scope"]) == (STAFF, "user:read")
    assert whoami(http, granted(http)) == PROVIDER


def test_a_refreshed_pair_stays_the_users(http):
    pair = refreshed(http, granted(http, user=STAFF)).json()

    assert whoami(http, pair) == STAFF


@pytest.mark.parametrize("door", ["user", "code"])
def test_nobody_unknown_can_press_allow(http, door):
    answer = http.post(f"/_control/oauth/{door}", json={"user": "1", "redirect_uri": REDIRECT})

    assert answer.status_code == 404


def test_a_reset_puts_the_first_user_back_into_the_browser(http):
    http.post("/_control/oauth/user", json={"user": STAFF})

    http.post("/_control/reset")

    assert whoami(http, granted(http)) == PROVIDER


# --- whose tokens die


def test_a_new_authorization_leaves_the_pairs_of_other_users_alone(http):
    doctor, staff = granted(http), granted(http, user=STAFF)

    granted(http, user=STAFF)

    assert whoami(http, doctor) == PROVIDER
    assert whoami(http, staff) == 401
    assert refreshed(http, staff).status_code == 401


def test_a_new_authorization_may_leave_all_pairs_alone(http):
    http.put("/_control/settings", json={"reauthorize_revokes": False})
    first, second = granted(http), granted(http)

    assert [whoami(http, pair) for pair in (first, second)] == [PROVIDER, PROVIDER]


def test_a_refresh_token_used_twice_revokes_what_its_user_has_and_nothing_else(http):
    doctor, staff = granted(http), granted(http, user=STAFF)
    newer = refreshed(http, staff).json()

    again = refreshed(http, staff)

    assert (again.status_code, again.json()) == (401, {"error": "invalid_grant"})
    assert whoami(http, newer) == 401
    assert whoami(http, doctor) == PROVIDER


# --- two applications


def test_a_new_authorization_kills_the_users_pair_at_that_application_alone(http):
    first, before = granted(http), granted_to(http, OTHER)

    later = granted_to(http, OTHER)

    assert [whoami(http, pair) for pair in (first, before, later)] == [PROVIDER, 401, PROVIDER]


def test_a_code_or_a_token_is_good_for_its_own_application_alone(http):
    pair = granted_to(http, OTHER, user=STAFF)
    code = http.post("/_control/oauth/code", json={"redirect_uri": REDIRECT}).json()["code"]

    crossed = [exchanged(http, code, OTHER), refreshed(http, pair), exchanged(http, code)]

    assert [answer.json() for answer in crossed] == [{"error": "invalid_grant"}] * 3
    assert (revoked(http, pair["refresh_token"]), whoami(http, pair)) == (200, STAFF)
    assert (revoked(http, pair["refresh_token"], OTHER), whoami(http, pair)) == (200, 401)


def test_each_application_has_an_hour_of_its_own(http):
    pair, other = granted(http), granted_to(http, OTHER)
    http.put("/_control/settings", json={"calls_per_hour": 3})
    whoami(http, pair)
    whoami(http, pair)

    assert (whoami(http, pair), refreshed(http, pair).status_code) == (429, 429)
    assert whoami(http, other) == PROVIDER
    assert refreshed(http, other, OTHER).status_code == 200


def test_an_application_redirects_to_what_is_registered_for_it(http):
    http.put("/_control/settings", json={"redirect_uris": ["http://127.0.0.1:1/a"], "other_redirect_uris": [REDIRECT]})
    asked = {"response_type": "code", "redirect_uri": REDIRECT, "client_id": OTHER["client_id"]}

    pages = [http.get("/o/authorize/", params=asked | more) for more in ({}, {"client_id": CLIENT["client_id"]})]

    assert [page.status_code for page in pages] == [200, 400]


def test_somebody_else_may_be_chosen_on_the_consent_page(http):
    asked = {"response_type": "code", "client_id": OTHER["client_id"], "redirect_uri": REDIRECT, "user": STAFF}

    back = http.post("/o/authorize/", data={**asked, "allow": "Authorize"}).headers["location"]

    assert whoami(http, exchanged(http, httpx.URL(back).params["code"], OTHER).json()) == STAFF


# --- who is suspended


def test_a_suspended_user_is_let_in_no_more_by_nothing_that_was_granted(http):
    pair = granted(http)
    code = http.post("/_control/oauth/code", json={"redirect_uri": REDIRECT}).json()["code"]

    http.put(f"/_control/users/{PROVIDER}/suspended", json={"suspended": True})

    asked = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": REDIRECT}
    pages = http.get("/o/authorize/", params=asked), http.post("/o/authorize/", data={**asked, "allow": "Authorize"})
    assert [page.status_code for page in pages] == [403, 403]
    assert (whoami(http, pair), exchanged(http, code).status_code) == (401, 401)
    assert http.get("/_control/doctors").json()["doctors"]["310001"]["is_account_suspended"] is True


def test_who_is_suspended_no_more_is_let_in_again(http):
    for suspended in (True, False):
        http.put(f"/_control/users/{STAFF}/suspended", json={"suspended": suspended})

    assert whoami(http, granted(http, user=STAFF)) == STAFF


# --- what the tests can count


def test_the_counters_tell_what_happened_to_pairs(http):
    granted(http)
    staff = refreshed(http, granted(http, user=STAFF)).json()
    assert tokens(http) == {
        "grants": 2,
        "refreshes": 1,
        "reuses": 0,
        "revocations": 0,
        "live": 2,
        "users": ["fixture.provider", "fixture.staff"],
    }

    revoked(http, staff["refresh_token"])

    assert tokens(http).items() >= {"revocations": 1, "live": 1, "users": ["fixture.provider"]}.items()


def test_only_a_token_that_was_good_counts_as_revoked(http):
    pair = granted(http)
    refreshed(http, pair)

    statuses = [revoked(http, token) for token in (pair["refresh_token"], pair["access_token"], "unheard-of")]

    assert statuses == [200, 200, 200]
    assert (tokens(http)["revocations"], tokens(http)["live"]) == (0, 1)


def test_an_expired_pair_lives_on_by_its_refresh_token(http):
    pair = granted(http)

    http.post("/_control/tokens/expire")

    assert whoami(http, pair) == 401
    assert tokens(http)["live"] == 1


def test_the_control_door_revokes_everybody(http):
    pairs = granted(http), granted(http, user=STRANGER)

    http.post("/_control/tokens/revoke")

    assert [whoami(http, pair) for pair in pairs] == [401, 401]
    assert (tokens(http)["live"], tokens(http)["revocations"]) == (0, 0)


# --- how token answers may differ


def test_a_refresh_may_answer_without_a_refresh_token_and_the_old_one_stays_good(http):
    http.put("/_control/settings", json={"refresh_gives_refresh_token": False})
    first = granted(http)

    second, third = (refreshed(http, first).json() for _ in range(2))

    assert "refresh_token" in first
    assert "refresh_token" not in second
    assert [whoami(http, pair) for pair in (first, second, third)] == [401, 401, PROVIDER]
    assert tokens(http).items() >= {"refreshes": 2, "reuses": 0, "live": 1}.items()


@pytest.mark.parametrize("status", [400, 401])
def test_an_invalid_grant_may_have_the_newer_status(http, status):
    http.put("/_control/settings", json={"grant_error_status": status})

    bad_code, bad_refresh = exchanged(http, "unheard-of"), refreshed(http, {"refresh_token": "unheard-of"})

    assert [answer.status_code for answer in (bad_code, bad_refresh)] == [status, status]
    assert bad_code.json() == bad_refresh.json() == {"error": "invalid_grant"}


def test_a_token_answer_may_keep_silent_about_the_scope(http):
    http.put("/_control/settings", json={"token_scope_key": False})

    pair = granted(http, scope="user:read")

    assert "scope" not in pair
    assert "scope" not in refreshed(http, pair).json()


# --- the redirect to whoever is signed in


@pytest.mark.parametrize(
    ("kind", "location"),
    [
        ("absolute", "{base}/api/users/610001"),
        ("relative", "/api/users/610001"),
        ("elsewhere", "https://elsewhere.example/api/users/610001"),
    ],
)
def test_users_current_may_redirect_in_three_ways(http, kind, location):
    http.put("/_control/settings", json={"users_current_redirect": kind})
    headers = {"Authorization": f"Bearer {granted(http)['access_token']}"}

    answer = http.get("/api/users/current", headers=headers)

    base = str(http.base_url).rstrip("/")
    assert (answer.status_code, answer.headers["location"]) == (302, location.format(base=base))


def test_another_kind_of_redirect_is_refused(http):
    answer = http.put("/_control/settings", json={"users_current_redirect": "sideways"})

    assert answer.status_code == 400
    assert re.search("absolute, relative, elsewhere", answer.json()["detail"])
