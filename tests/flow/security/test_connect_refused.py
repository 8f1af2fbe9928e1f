"""A consent that cannot be used ends on a page that says why and what to do, and leaves nothing behind."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.store.tables import connections
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, opened, settings_of

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here

BEARER = {"authorization": f"Bearer {OPERATOR}"}
CALLBACK = "/connect/drchrono/callback"
REFUSED = "This consent cannot be used"


@pytest.fixture
async def unjoined(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        yield clinic


@pytest.fixture
async def browser(unjoined):
    """A browser that stands on DrChrono's page."""
    async with browsing(unjoined) as it:
        await it.open("/connect/drchrono")
        await it.signs_in(OPERATOR)
        yield it


def grants(clinic):
    return clinic.drchrono.get("/_control/tokens").json()["grants"]


async def came_back(clinic, browser):
    """Press Allow, and give what DrChrono sends back with, without the browser going there."""
    asked = browser.page.url.params
    code = clinic.drchrono.post(
        "/_control/oauth/code", json={"redirect_uri": asked["redirect_uri"], "scope": asked["scope"]}
    ).json()["code"]
    return {"code": code, "state": asked["state"]}


async def back(browser, **answer):
    """The browser comes back from DrChrono with this."""
    return await browser.open(
        str(browser.page.url.join(f"https://sync.example.com{CALLBACK}").copy_merge_params(answer))
    )


@pytest.mark.parametrize(
    "state",
    [None, "", "nonsense", "eyJhIjoxfQ.aaaa.bbbb", "ü\N{SNOWMAN}", "a" * 5000],
    ids=lambda state: repr(state)[:20],
)
async def test_a_state_that_is_not_ours_is_refused_before_the_code_is_used(unjoined, browser, state):
    answer = await came_back(unjoined, browser)
    answer = {"code": answer["code"]} | ({} if state is None else {"state": state})

    page = await back(browser, **answer)

    assert (page.status, page.heading) == (400, REFUSED)
    assert (grants(unjoined), await unjoined.rows(connections)) == (0, [])


async def test_a_state_signed_with_another_key_is_refused(unjoined, browser):
    answer = await came_back(unjoined, browser)
    head, stamp, signature = answer["state"].split(".")
    turned = signature[:-2] + ("A" if signature[-2] != "A" else "B") + signature[-1]

    page = await back(browser, **answer | {"state": f"{head}.{stamp}.{turned}"})

    assert (page.heading, grants(unjoined)) == (REFUSED, 0)


async def test_a_state_works_once(unjoined, browser):
    answer = await came_back(unjoined, browser)
    cookie = browser.cookie("__Host-chronobridge_consent").value
    await back(browser, **answer)
    another = unjoined.drchrono.post(
        "/_control/oauth/code", json={"redirect_uri": f"https://sync.example.com{CALLBACK}"}
    ).json()["code"]

    replayed = await unjoined.web.get(
        CALLBACK, params=answer | {"code": another}, headers={"cookie": f"__Host-chronobridge_consent={cookie}"}
    )

    assert REFUSED in replayed.text
    assert grants(unjoined) == 1


async def test_a_state_in_another_browser_is_refused(unjoined, browser):
    answer = await came_back(unjoined, browser)

    async with browsing(unjoined) as other:
        await other.open("/connect/drchrono")
        await other.signs_in(OPERATOR)
        page = await back(other, **answer)

    assert (page.status, page.heading, grants(unjoined)) == (400, REFUSED, 0)


async def test_a_state_in_a_browser_without_the_cookie_is_refused(unjoined, browser):
    answer = await came_back(unjoined, browser)

    page = await unjoined.web.get(CALLBACK, params=answer, headers=BEARER)

    assert page.status_code == 400
    assert (REFUSED in page.text, grants(unjoined)) == (True, 0)


async def test_a_state_older_than_ten_minutes_is_refused(unjoined, browser):
    answer = await came_back(unjoined, browser)
    await unjoined.time_passes(timedelta(minutes=10, seconds=1))

    page = await back(browser, **answer)

    assert (page.status, page.heading, grants(unjoined)) == (400, REFUSED, 0)
    assert "10 minutes" in page.text


async def test_a_state_younger_than_ten_minutes_still_works(unjoined, browser):
    answer = await came_back(unjoined, browser)
    await unjoined.time_passes(timedelta(minutes=9, seconds=50))

    page = await back(browser, **answer)

    assert page.heading == "Connected as fixture.provider"


async def test_the_browsers_cookie_is_gone_after_coming_back(unjoined, browser):
    await back(browser, state="wrong")

    assert browser.cookie("__Host-chronobridge_consent") is None


async def test_a_used_code_says_so_and_offers_a_new_start(unjoined, browser):
    answer = await came_back(unjoined, browser)
    redirect_uri = f"https://sync.example.com{CALLBACK}"
    form = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": redirect_uri}
    unjoined.drchrono.post("/o/token/", data=form | {"client_id": "standin-client", "client_secret": "standin-secret"})

    page = await back(browser, **answer)

    assert (page.status, page.heading) == (400, "The code cannot be used")
    assert page.links["Start again"] == "/connect/drchrono"
    assert await unjoined.rows(connections) == []


@pytest.mark.parametrize("status", [400, 401])
async def test_an_expired_code_says_so_whatever_status_drchrono_refuses_it_with(unjoined, browser, status):
    unjoined.drchrono.put("/_control/settings", json={"code_lifetime_s": -1, "grant_error_status": status})

    page = await browser.presses("Allow")

    assert (page.status, page.heading) == (400, "The code cannot be used")
    assert "expired" in page.text


async def test_coming_back_without_a_code_says_so(unjoined, browser):
    page = await back(browser, state=browser.page.url.params["state"])

    assert (page.status, page.heading) == (400, "DrChrono sent no code")


@pytest.mark.parametrize("error", ["invalid_scope", "<b>bold</b>", "a" * 500], ids=["name", "markup", "long"])
async def test_another_error_of_drchronos_is_named_only_where_it_is_a_name(unjoined, browser, error):
    page = await back(browser, state=browser.page.url.params["state"], error=error)

    assert (page.status, page.heading) == (400, "DrChrono refused")
    assert (error in page.response.text) is (error == "invalid_scope")


@pytest.mark.parametrize(
    ("fault", "status", "heading", "advice"),
    [
        ({"do": "error", "status": 503}, 502, "No answer", "a code works only once"),
        ({"do": "error", "status": 502, "body": "<html>bad gateway</html>"}, 502, "No answer", "Nothing was stored"),
        ({"do": "throttle"}, 502, "DrChrono is away", "try again in a while"),
        ({"do": "drop_before"}, 502, "No answer", "a code works only once"),
        ({"do": "drop_after_commit"}, 502, "No answer", "a code works only once"),
        *(
            ({"do": "error", "status": status, "body": {"error": "invalid_client"}}, 400,
             "The application is not known", "DRCHRONO_CLIENT_ID and DRCHRONO_CLIENT_SECRET")
            for status in (400, 401)
        ),
    ],
    ids=["503", "html", "throttled", "dropped", "dropped-after", "invalid-client-400", "invalid-client-401"],
)  # fmt: skip
async def test_a_token_endpoint_that_gives_no_pair_has_a_page_that_says_what_to_do(
    unjoined, browser, fault, status, heading, advice
):
    unjoined.breaks("drchrono", "POST /o/token/", **fault)

    page = await browser.presses("Allow")

    assert page.status == status
    assert page.heading == heading
    assert advice in page.text
    assert "Start again" in page.links
    assert await unjoined.rows(connections) == []


async def test_a_drchrono_nobody_reaches_has_a_page_that_says_so(database, empty_vendors):
    known = settings_of(database, "http://127.0.0.1:9", None, empty_vendors.ca_file, salesforce_client_id=None,
                        salesforce_client_secret=None, salesforce_org_id=None)  # fmt: skip
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        away = await clinic.web.get("/connect/drchrono", headers=BEARER)
        state = away.headers["location"].split("state=")[1].split("&")[0]
        cookie = {"cookie": away.headers["set-cookie"].split(";")[0]}
        page = await clinic.web.get(f"{CALLBACK}?code=abc&state={state}", headers=cookie)

    assert page.status_code == 502
    assert "DrChrono is away" in page.text


async def test_after_any_refusal_a_new_start_works(unjoined, browser):
    refused = await back(browser, state="wrong")

    await browser.open(refused.links["Start again"])
    connected = await browser.presses("Allow")

    assert connected.heading == "Connected as fixture.provider"


async def test_without_drchronos_settings_a_page_says_which_are_missing(database, empty_vendors):
    known = settings_of(database, "https://app.drchrono.com", str(empty_vendors.salesforce.base_url), None,
                        ca_bundle=empty_vendors.ca_file, drchrono_client_id=None, drchrono_client_secret=None,
                        drchrono_webhook_secrets="")  # fmt: skip
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce) as clinic, browsing(clinic) as browser:
        await browser.open("/connect/drchrono")
        page = await browser.signs_in(OPERATOR)
        overview = await browser.open("/")

    assert (page.status, page.heading) == (409, "Not set up")
    assert "DRCHRONO_CLIENT_ID" in page.text
    assert "Connect the practice" not in overview.links


async def test_a_database_that_goes_away_is_a_503_without_a_traceback(unjoined, browser, capsys):
    answer = await came_back(unjoined, browser)
    await unjoined.runtime.database.transact(lambda connection: connection.execute(sa.text("DROP TABLE consents")))

    away = await browser.open("/connect/drchrono")
    returned = await unjoined.web.get(CALLBACK, params=answer, headers={"cookie": "__Host-chronobridge_consent=x"})

    assert (away.status, returned.status_code, grants(unjoined)) == (503, 503, 0)
    assert "Traceback" not in away.response.text + returned.text + capsys.readouterr().err
