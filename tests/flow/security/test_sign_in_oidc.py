"""A person signs in at the identity provider; whatever is wrong with its answer, nobody is signed in by it."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.settings.fields import Settings
from app.store.tables import audit, sessions
from tests.flow.browser import HOME, browsing
from tests.flow.clinic import OPERATOR, opened
from tests.standins.issuer import CLIENT_ID, CLIENT_SECRET, WRONGS, issuer_app
from tests.standins.serve import running

ANNA = {"email": "anna@clinic.example", "email_verified": True, "groups": ["staff", "front-desk"]}
LINK = "Sign in with 127.0.0.1"


@pytest.fixture(scope="module")
def issuer_url():
    with running(issuer_app()) as url:
        yield url


@pytest.fixture
def issuer(issuer_url):
    """Tells the issuer what to say, and gives the calls it has had."""

    def tells(**what):
        return httpx.post(f"{issuer_url}/_control", json=what).json()["calls"]

    tells(resets=True, claims=ANNA)
    return tells


@pytest.fixture
def with_an_issuer(known, issuer_url):
    given = {
        "oidc_issuer": issuer_url,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "oidc_operator_claim": "groups=front-desk",
        "oidc_viewer_claim": "groups=billing,realm.roles=reader",
    }
    return lambda **more: Settings.model_validate(known.model_dump() | given | more)


@pytest.fixture
async def clinic(with_an_issuer, issuer, empty_vendors):
    async with opened(with_an_issuer(), empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as it:
        yield it


@pytest.fixture
async def browser(clinic):
    async with browsing(clinic) as it:
        yield it


async def signs_in(browser):
    await browser.open("/login")
    return await browser.follows(LINK)


async def noted(clinic, *wanted):
    return [(row.action, row.role, row.name) for row in await clinic.rows(audit) if row.action in wanted]


async def test_who_has_the_operators_claim_is_an_operator_by_their_name(clinic, browser):
    page = await signs_in(browser)

    assert (page.status, page.heading) == (200, "Overview")
    assert "signed in as anna@clinic.example, operator" in page.text
    assert await noted(clinic, "sign_in") == [("sign_in", "operator", "anna@clinic.example")]


async def test_the_page_that_was_wanted_comes_after_signing_in(browser):
    await browser.open("/queues")

    assert (await browser.follows(LINK)).heading == "Queues"


@pytest.mark.parametrize("claims", [{"groups": "billing"}, {"realm": {"roles": ["reader"]}, "groups": []}], ids=str)
async def test_who_has_the_viewers_claim_reads_only(issuer, browser, claims):
    issuer(claims=ANNA | claims)

    page = await signs_in(browser)
    lanes = await browser.open("/queues")

    assert "signed in as anna@clinic.example, viewer" in page.text
    assert [button for form in lanes.forms for button, *_ in form.buttons] == ["Find", "Sign out"]


@pytest.mark.parametrize("groups", [[], ["front"], "front-desk2", None, {"front-desk": 1}, [["front-desk"]]], ids=str)
async def test_who_has_no_role_is_refused_and_told_what_to_ask_for(clinic, issuer, browser, groups):
    issuer(claims=ANNA | {"groups": groups})

    page = await signs_in(browser)

    assert (page.status, page.heading) == (403, "You have no role here")
    assert "groups=front-desk to act, or groups=billing or realm.roles=reader to read" in page.text
    assert await clinic.rows(sessions) == []
    assert await noted(clinic, "sign_in_refused") == [("sign_in_refused", "stranger", "anna@clinic.example")]


@pytest.mark.parametrize(
    "more",
    [{"email": ""}, {"email": None}, {"email": 7}, {"email_verified": False}, {"email": "a\nb"}, {"email": "x" * 255}],
    ids=["empty", "none", "a number", "not verified", "a line break", "too long"],
)
async def test_who_has_no_usable_name_is_refused(clinic, issuer, browser, more):
    issuer(claims=ANNA | more)

    page = await signs_in(browser)

    assert (page.status, page.heading) == (403, "You have no name here")
    assert await clinic.rows(sessions) == []


async def test_a_name_that_an_account_of_the_settings_has_is_refused(with_an_issuer, issuer, empty_vendors):
    more = {"operators": ("anna:0123456789abcdef-fedcba9876543210",), "oidc_name_claim": "preferred_username"}
    known = with_an_issuer(**more)
    issuer(claims=ANNA | {"preferred_username": "Anna"})
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        async with browsing(clinic) as browser:
            page = await signs_in(browser)

        assert (page.status, page.heading) == (403, "This name is taken")


@pytest.mark.parametrize("wrong", sorted(set(WRONGS) - {"page"}))
async def test_a_token_that_does_not_count_signs_nobody_in(clinic, issuer, browser, wrong):
    issuer(wrong=wrong)

    page = await signs_in(browser)

    assert (page.status, page.heading) == (403, "You are not signed in")
    assert "anna" not in page.text
    assert await clinic.rows(sessions) == []
    assert len(await noted(clinic, "sign_in_refused")) == 1


async def test_a_person_the_issuer_signs_in_nowhere_is_told(clinic, issuer, browser):
    issuer(claims={})

    page = await signs_in(browser)

    assert (page.status, page.heading) == (403, "You are not signed in")


async def test_keys_that_were_rotated_are_fetched_and_kept(issuer, browser):
    await signs_in(browser)
    await browser.presses("Sign out")
    issuer(rotates=True, calls=[])

    page = await signs_in(browser)
    await browser.presses("Sign out")
    await signs_in(browser)

    assert page.heading == "Overview"
    assert issuer().count("GET /jwks") == 1


@pytest.mark.parametrize("trouble", [{"is_down": True}, {"wrong": "page"}, {"slow_s": 0.5}], ids=str)
async def test_with_the_issuer_away_a_page_says_so_and_tokens_still_sign_in(clinic, issuer, browser, trouble):
    oidc = clinic.app.state.runtime.oidc
    oidc.deadline_s = 0.1
    issuer(**trouble)

    page = await signs_in(browser)
    by_token = await browser.signs_in(OPERATOR)

    assert (page.status, page.heading) == (502, "The identity provider is away")
    assert by_token.heading == "Overview"


async def came_back(browser, **more):
    """The issuer's answer to a sign-in that this browser began, changed before it comes back."""
    away = await browser.client.get(f"{HOME}/login/oidc")
    back = await browser.client.get(away.headers["location"])
    given = {name: values[0] for name, values in parse_qs(urlsplit(back.headers["location"]).query).items()}
    return {**given, **more}


@pytest.mark.parametrize("change", [{"state": "another"}, {"state": ""}, {"state": "é"}], ids=str)
async def test_an_answer_with_another_state_counts_for_nothing(clinic, browser, change):
    back = await came_back(browser, **change)

    answer = await browser.client.get(f"{HOME}/login/oidc/callback", params=back)

    assert answer.status_code == 400
    assert await clinic.rows(sessions) == []


async def test_an_answer_that_another_browser_brings_counts_for_nothing(clinic, browser):
    back = await came_back(browser)
    async with browsing(clinic) as other:
        answer = await other.client.get(f"{HOME}/login/oidc/callback", params=back)

    assert answer.status_code == 400
    assert await clinic.rows(sessions) == []


async def test_an_answer_that_comes_twice_signs_in_once(clinic, browser):
    back = await came_back(browser)

    answers = [await browser.client.get(f"{HOME}/login/oidc/callback", params=back) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 400]
    assert len(await clinic.rows(sessions)) == 1


async def test_other_claims_in_the_settings_end_the_sessions_of_before(with_an_issuer, clinic, browser, empty_vendors):
    await signs_in(browser)
    cookie = browser.cookie("__Host-chronobridge_session").value
    changed = with_an_issuer(oidc_operator_claim="groups=board")
    async with opened(changed, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as later:
        answer = await later.web.get("/queues", headers={"cookie": f"__Host-chronobridge_session={cookie}"})

    assert answer.headers["location"] == "/login?next=/queues"


async def test_without_an_issuer_there_is_no_such_sign_in(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        pages = [await clinic.web.get(path) for path in ("/login", "/login/oidc", "/login/oidc/callback?code=1")]

    assert [page.status_code for page in pages] == [200, 404, 404]
    assert "Sign in with" not in pages[0].text
