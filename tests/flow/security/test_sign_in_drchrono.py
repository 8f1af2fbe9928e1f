"""Staff sign in with their DrChrono account; whatever is wrong with it or on the way, nobody is signed in by it."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx
import pytest

from app.ports import SealedColumn
from app.settings.fields import Settings
from app.store.sessions import LONGEST
from app.store.tables import audit, sessions
from tests.flow.browser import HOME, browsing
from tests.flow.clinic import OPERATOR, opened
from tests.standins.drchrono.app import OTHERS

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
APPLICATION = "standin-sign-in"
PROVIDER, STAFF, STRANGER = "610001", "610002", "610901"
DOCTOR, LINK, CALLBACK = 310001, "Sign in with DrChrono", "/login/drchrono/callback"
COOKIES = "__Host-chronobridge_session", "__Host-chronobridge_staff"


@pytest.fixture
def with_staff(known):
    given = {
        "drchrono_sign_in_client_id": APPLICATION,
        "drchrono_sign_in_client_secret": OTHERS[APPLICATION],
        "drchrono_roles": "staff=operator, doctor=viewer",
    }
    return lambda **more: Settings.model_validate(known.model_dump() | given | more)


@pytest.fixture
async def opens(empty_vendors):
    """Gives the clinic under some settings, whose practice it is known by unless told."""
    async with AsyncExitStack() as stack:

        async def under(settings, practice="510001"):
            context = opened(settings, empty_vendors.drchrono, empty_vendors.salesforce, connects=False)
            clinic = await stack.enter_async_context(context)
            if practice:
                account = {"user_id": PROVIDER, "username": "fixture.provider", "practice": practice}
                await clinic.runtime.drchrono.broker.replace({"access_token": "of before", "account": account})
            return clinic

        empty_vendors.drchrono.put("/_control/settings", json={"other_redirect_uris": [f"{HOME}{CALLBACK}"]})
        yield under


@pytest.fixture
async def clinic(opens, with_staff):
    return await opens(with_staff())


@pytest.fixture
async def browser(clinic):
    async with browsing(clinic) as it:
        yield it


async def goes_there(clinic, browser, user=STAFF):
    """This user's browser has come to DrChrono's page."""
    clinic.drchrono.post("/_control/oauth/user", json={"user": user}).raise_for_status()
    await browser.open("/login")
    return await browser.follows(LINK)


async def signs_in(clinic, browser, user=STAFF):
    await goes_there(clinic, browser, user)
    return await browser.presses("Allow")


async def noted(clinic, *wanted):
    return [(row.action, row.role, row.name) for row in await clinic.rows(audit) if row.action in wanted]


def living(clinic):
    """Whose tokens of the application that staff sign in by are good."""
    return clinic.drchrono.get("/_control/tokens", params={"client_id": APPLICATION}).json()["users"]


def called(clinic):
    return {name: count for name, count in clinic.drchrono.get("/_control/calls").json()["counts"].items() if count}


# --- who is let in


async def test_a_member_of_staff_signs_in_and_is_an_operator_by_name_and_id(clinic, browser):
    page = await signs_in(clinic, browser)

    assert (page.status, page.heading) == (200, "Overview")
    assert "signed in as fixture.staff (DrChrono 610002), operator" in page.text
    assert await noted(clinic, "sign_in") == [("sign_in", "operator", "fixture.staff (DrChrono 610002)")]


async def test_what_they_do_is_in_the_audit_by_their_name(clinic, browser):
    await signs_in(clinic, browser)
    await browser.open("/queues")

    await browser.client.post(
        f"{HOME}/lanes/backfill/pause", data={"csrf_token": browser.csrf()}, headers={"origin": HOME}
    )

    assert await noted(clinic, "pause") == [("pause", "operator", "fixture.staff (DrChrono 610002)")]


async def test_a_doctor_reads_only(clinic, browser):
    page = await signs_in(clinic, browser, PROVIDER)

    assert "signed in as fixture.provider (DrChrono 610001), viewer" in page.text


async def test_the_page_that_was_wanted_comes_after_signing_in(browser):
    await browser.open("/queues")
    await browser.follows(LINK)

    assert (await browser.presses("Allow")).heading == "Queues"


async def test_a_user_name_goes_before_what_everybody_of_that_sort_may(opens, with_staff):
    clinic = await opens(with_staff(drchrono_roles="doctor=viewer, staff=operator, fixture.staff=viewer"))
    async with browsing(clinic) as browser:
        assert "(DrChrono 610002), viewer" in (await signs_in(clinic, browser)).text


@pytest.mark.parametrize("roles", ["doctor=operator, fixture.provider=operator", "Fixture.Staff=operator"])
async def test_who_has_no_role_is_refused_and_told_what_to_ask_for(opens, with_staff, roles):
    clinic = await opens(with_staff(drchrono_roles=roles))
    async with browsing(clinic) as browser:
        page = await signs_in(clinic, browser)

    assert (page.status, page.heading) == (403, "You have no role here")
    assert "DRCHRONO_ROLES fixture.staff=viewer to read, or fixture.staff=operator to act" in page.text
    assert await noted(clinic, "sign_in_refused") == [
        ("sign_in_refused", "stranger", "fixture.staff (DrChrono 610002)")
    ]
    assert (await clinic.rows(sessions), living(clinic)) == ([], [])


async def test_a_doctor_by_the_name_of_staff_is_none(opens, with_staff):
    clinic = await opens(with_staff(drchrono_roles="staff=operator"))
    clinic.drchrono.put(f"/_control/users/{PROVIDER}", json={"username": "staff"}).raise_for_status()
    async with browsing(clinic) as browser:
        assert (await signs_in(clinic, browser, PROVIDER)).heading == "You have no role here"


# --- what it leaves


async def test_the_tokens_are_revoked_and_kept_nowhere(clinic, browser):
    await signs_in(clinic, browser)

    assert living(clinic) == []
    assert called(clinic) == dict.fromkeys(
        (
            "GET /o/authorize/",
            "POST /o/authorize/",
            "POST /o/token/",
            "GET /api/users/current",
            "GET /api/users/{id}",
            "POST /o/revoke_token/",
        ),
        1,
    )


async def test_who_is_connected_may_sign_in_and_the_practice_stays_connected(clinic, browser):
    await clinic.connects()

    page = await signs_in(clinic, browser, PROVIDER)

    assert page.heading == "Overview"
    assert (await clinic.runtime.drchrono.user()).id == PROVIDER
    assert clinic.drchrono.get("/_control/tokens").json()["refreshes"] == 0


async def test_tokens_that_cannot_be_revoked_keep_nobody_out(clinic, browser):
    clinic.drchrono.post("/_control/faults", json={"match": "POST /o/revoke_token", "do": "error", "status": 503})

    assert (await signs_in(clinic, browser)).heading == "Overview"


async def test_two_who_sign_in_at_once_are_told_apart(clinic):
    async with browsing(clinic) as one, browsing(clinic) as other:
        await goes_there(clinic, one, STAFF)
        await goes_there(clinic, other, PROVIDER)
        clinic.drchrono.post("/_control/oauth/user", json={"user": STAFF})
        backs = []
        for browser, user in ((one, STAFF), (other, PROVIDER)):
            asked = {**browser.page.forms[0].fields, "allow": "Authorize", "user": user}
            gone = await browser.client.post(browser.page.url.join("/o/authorize/"), data=asked)
            backs.append(browser.open(gone.headers["location"]))

        pages = await asyncio.gather(*backs)

    seen = [("as fixture.staff (" in page.text, "as fixture.provider (" in page.text) for page in pages]
    assert seen == [(True, False), (False, True)]
    assert living(clinic) == []


async def test_an_earlier_sign_in_of_the_same_user_does_not_count_once_another_began(clinic, browser):
    """A new consent ends the user's tokens at that application: of two in one moment one is asked to try again."""
    clinic.drchrono.post(
        "/_control/faults",
        json={
            "match": "GET /api/users/current",
            "do": "error",
            "status": 401,
            "body": {"detail": "Authentication credentials were not provided."},
        },
    )

    refused, again = await signs_in(clinic, browser), await signs_in(clinic, browser)

    assert (refused.status, refused.heading, again.heading) == (403, "You are not signed in", "Overview")
    assert living(clinic) == []


# --- who is not


async def test_staff_of_another_practice_are_refused(clinic, browser):
    page = await signs_in(clinic, browser, STRANGER)

    assert (page.status, page.heading) == (403, "This is another practice")
    assert (await clinic.rows(sessions), living(clinic)) == ([], [])
    assert await noted(clinic, "sign_in_refused") == [
        ("sign_in_refused", "stranger", "fixture.stranger (DrChrono 610901)")
    ]


async def test_before_a_practice_is_connected_nobody_is_let_in_and_no_token_is_asked_for(opens, with_staff):
    clinic = await opens(with_staff(), practice=None)
    async with browsing(clinic) as browser:
        page = await signs_in(clinic, browser)

    assert (page.status, page.heading) == (403, "No practice is connected")
    assert "POST /o/token/" not in called(clinic)


async def test_a_practice_that_was_disconnected_is_still_whose_staff_sign_in(clinic, browser):
    await clinic.connects()
    await clinic.web.post("/disconnect/drchrono", headers={"authorization": f"Bearer {OPERATOR}"})

    pages = [await signs_in(clinic, browser, user) for user in (STRANGER, STAFF)]

    assert [page.heading for page in pages] == ["This is another practice", "Overview"]


async def test_a_doctor_whose_account_is_suspended_is_refused(clinic, browser):
    clinic.drchrono.put(f"/_control/doctors/{DOCTOR}", json={"is_account_suspended": True})

    page = await signs_in(clinic, browser, PROVIDER)

    assert (page.status, page.heading) == (403, "Your account is suspended")
    assert (await clinic.rows(sessions), living(clinic)) == ([], [])


async def test_a_doctor_who_hides_whether_the_account_is_active_is_refused(clinic, browser):
    clinic.drchrono.post(
        "/_control/faults",
        json={
            "match": "GET /api/doctors",
            "do": "error",
            "status": 403,
            "body": {"detail": "You do not have permission"},
        },
    )

    page = await signs_in(clinic, browser, PROVIDER)

    assert (page.status, page.heading) == (403, "Your account could not be looked at")
    assert living(clinic) == []


@pytest.mark.parametrize("user", [STAFF, PROVIDER], ids=["staff", "doctor"])
async def test_whoever_is_suspended_while_consenting_is_refused(clinic, browser, user):
    back = await came_back(clinic, browser, user)
    clinic.drchrono.put(f"/_control/users/{user}/suspended", json={"suspended": True}).raise_for_status()

    answer = await browser.client.get(f"{HOME}{CALLBACK}", params=back)

    assert answer.status_code == 403
    assert await clinic.rows(sessions) == []


async def test_whoever_is_suspended_later_has_no_session_after_half_a_day_and_gets_no_other(clinic, browser):
    await signs_in(clinic, browser)
    clinic.drchrono.put(f"/_control/users/{STAFF}/suspended", json={"suspended": True}).raise_for_status()
    await clinic.time_passes(LONGEST)

    assert timedelta(days=1) > LONGEST
    assert (await browser.open("/")).heading == "Sign in"
    assert (await browser.follows(LINK)).status == 403


async def test_a_name_that_cannot_be_shown_is_refused(clinic, browser):
    clinic.drchrono.put(f"/_control/users/{STAFF}", json={"username": "a\nb"}).raise_for_status()

    page = await signs_in(clinic, browser)

    assert (page.status, page.heading) == (403, "You are not signed in")


# --- what goes wrong on the way


async def came_back(clinic, browser, user=STAFF):
    """What DrChrono sends this browser back with, after a sign-in that it began."""
    page = await goes_there(clinic, browser, user)
    asked = {**page.forms[0].fields, "allow": "Authorize"}
    gone = await browser.client.post(page.url.join("/o/authorize/"), data=asked)
    return dict(httpx.URL(gone.headers["location"]).params)


async def test_a_cancelled_consent_signs_nobody_in(clinic, browser):
    await goes_there(clinic, browser)

    page = await browser.presses("Cancel")

    assert (page.status, page.heading) == (403, "You are not signed in")
    assert "DrChrono signed nobody in" in page.text
    assert "POST /o/token/" not in called(clinic)


@pytest.mark.parametrize("change", [{"state": "another"}, {"state": ""}, {"state": "é"}], ids=str)
async def test_an_answer_with_another_state_counts_for_nothing(clinic, browser, change):
    back = await came_back(clinic, browser)

    answer = await browser.client.get(f"{HOME}{CALLBACK}", params=back | change)

    assert (answer.status_code, "POST /o/token/" in called(clinic)) == (400, False)


async def test_an_answer_that_another_browser_brings_counts_for_nothing(clinic, browser):
    back = await came_back(clinic, browser)
    async with browsing(clinic) as other:
        await goes_there(clinic, other)  # it has begun one of its own
        answer = await other.client.get(f"{HOME}{CALLBACK}", params=back)

    assert (answer.status_code, await clinic.rows(sessions)) == (400, [])


async def test_an_answer_that_comes_twice_signs_in_once(clinic, browser):
    back = await came_back(clinic, browser)
    cookie = {"cookie": f"{COOKIES[1]}={browser.cookie(COOKIES[1]).value}"}

    answers = [await browser.client.get(f"{HOME}{CALLBACK}", params=back) for _ in range(2)]
    copied = await clinic.web.get(CALLBACK, params=back, headers=cookie)

    assert [answer.status_code for answer in (*answers, copied)] == [303, 400, 403]
    assert len(await clinic.rows(sessions)) == 1


async def test_an_answer_that_took_longer_than_ten_minutes_counts_for_nothing(clinic, browser):
    back = await came_back(clinic, browser)
    vault, place = clinic.runtime.vault, SealedColumn.SIGN_IN_COOKIE.value
    provider, at, *rest = vault.open(browser.cookie(COOKIES[1]).value.strip('"'), place)
    old = vault.seal([provider, at - 601, *rest], place)

    answer = await clinic.web.get(CALLBACK, params=back, headers={"cookie": f"{COOKIES[1]}={old}"})

    assert answer.status_code == 400


PAGE = {"do": "error", "status": 200, "body": "<html>We are back soon</html>"}
AWAY = {"do": "error", "status": 503, "body": "<html>503</html>"}


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("POST /o/token", PAGE),
        ("POST /o/token", {"do": "drop_before"}),
        ("POST /o/token", {"do": "throttle"}),
        ("GET /api/users", PAGE),
        ("GET /api/users", AWAY),
    ],
    ids=["token-page", "token-cut", "token-429", "user-page", "user-503"],
)
async def test_with_drchrono_away_a_page_says_so_and_secrets_still_sign_in(clinic, browser, call, fault):
    clinic.drchrono.post("/_control/faults", json={"match": call, **fault})

    page = await signs_in(clinic, browser)
    by_token = await browser.signs_in(OPERATOR)

    assert (page.status, page.heading) == (502, "DrChrono is away")
    assert (by_token.heading, living(clinic)) == ("Overview", [])


async def test_who_waits_too_long_for_drchrono_is_told(clinic, browser):
    clinic.app.state.runtime.staff_sign_in.deadline_s = 0.05
    clinic.drchrono.post("/_control/faults", json={"match": "GET /api/users", "do": "slow", "delay_s": 1})

    page = await signs_in(clinic, browser)

    assert (page.status, page.heading) == (502, "DrChrono is away")
    assert living(clinic) == []


async def test_wrong_codes_cost_drchrono_no_more_than_a_few_calls(clinic, browser):
    statuses = []
    for _ in range(8):
        back = await came_back(clinic, browser) | {"code": "guessed"}
        statuses.append((await browser.client.get(f"{HOME}{CALLBACK}", params=back)).status_code)

    assert statuses == [403] * 5 + [429] * 3
    assert called(clinic)["POST /o/token/"] == 5


async def test_other_guesses_from_the_same_address_keep_nobody_out(clinic, browser):
    for _ in range(8):
        await browser.client.get(f"{HOME}/api/v1/queue", headers={"authorization": "Bearer guessed"})

    assert (await signs_in(clinic, browser)).heading == "Overview"


async def test_a_sign_in_spends_none_of_the_practices_calls(clinic, browser):
    spent = await clinic.runtime.drchrono.grant.budget.left()

    await signs_in(clinic, browser)

    assert await clinic.runtime.drchrono.grant.budget.left() == spent


# --- what the settings say


async def test_other_roles_in_the_settings_end_the_sessions_of_before(opens, with_staff, clinic, browser):
    await signs_in(clinic, browser)
    cookie = {"cookie": f"{COOKIES[0]}={browser.cookie(COOKIES[0]).value}"}

    kept, changed = [await opens(with_staff(**more)) for more in ({}, {"drchrono_roles": "staff=viewer"})]

    assert (await kept.web.get("/queues", headers=cookie)).status_code == 200
    assert (await changed.web.get("/queues", headers=cookie)).headers["location"] == "/login?next=/queues"


async def test_a_copy_of_the_database_asks_drchrono_nothing(opens, with_staff, clinic):
    copy = await opens(with_staff(instance_id="a copy"), practice=None)
    async with browsing(copy) as browser:
        page = await signs_in(copy, browser)

    assert (page.status, "opened first under another" in page.response.text) == (409, True)
    assert "POST /o/token/" not in called(copy)


async def test_without_the_second_application_there_is_no_such_sign_in(opens, known):
    clinic = await opens(known)

    pages = [await clinic.web.get(path) for path in ("/login", "/login/drchrono", f"{CALLBACK}?code=1")]

    assert [page.status_code for page in pages] == [200, 404, 404]
    assert "Sign in with" not in pages[0].text
