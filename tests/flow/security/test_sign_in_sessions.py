"""How long a session lives, what ends it, and which cookies are none."""

from datetime import timedelta

import pytest

from app.settings.fields import Settings
from app.store.tables import sessions
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, TIMES, opened

COOKIE = "__Host-chronobridge_session"
NEW_OPERATOR = "operator-token-after-the-change"
BEARER = {"authorization": f"Bearer {OPERATOR}"}


@pytest.fixture
async def unjoined(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as it:
        yield it


@pytest.fixture
async def browser(unjoined):
    async with browsing(unjoined) as it:
        await it.signs_in(OPERATOR)
        yield it


async def with_cookie(clinic, value, path="/", **headers):
    """Give what a browser sees that has this session cookie and nothing else."""
    return await clinic.web.get(path, headers={"cookie": f"{COOKIE}={value}", **headers})


def is_stranger(answer):
    return answer.headers.get("location", "").startswith("/login")


async def test_a_session_nobody_uses_ends_after_half_an_hour(unjoined, browser):
    await unjoined.time_passes(timedelta(minutes=30, seconds=1))

    assert (await browser.open("/")).heading == "Sign in"


async def test_a_session_in_use_lives_on(unjoined, browser):
    for _ in range(4):
        await unjoined.time_passes(timedelta(minutes=25))
        page = await browser.open("/")

    assert page.heading == "Overview"


async def test_no_use_keeps_a_session_beyond_twelve_hours(unjoined, browser):
    used = [column for column in TIMES if column.table is sessions]
    for _ in range(29):
        await unjoined.has_aged(used, timedelta(minutes=25))
        page = await browser.open("/help")

    assert page.heading == "Sign in"


async def test_sessions_that_are_over_are_forgotten_when_another_begins(unjoined, browser):
    await unjoined.time_passes(timedelta(hours=13))

    async with browsing(unjoined) as other:
        await other.signs_in(OPERATOR)

    assert len(await unjoined.rows(sessions)) == 1


async def test_signing_out_ends_a_copied_cookie_too(unjoined, browser):
    copied = browser.cookie(COOKIE).value
    await browser.presses("Sign out")

    assert is_stranger(await with_cookie(unjoined, copied))
    assert browser.cookie(COOKIE) is None


async def test_a_cookie_brought_along_is_never_adopted(unjoined):
    async with browsing(unjoined) as victim:
        victim.client.cookies.set(COOKIE, "planted-by-somebody", domain="sync.example.com")
        await victim.signs_in(OPERATOR)
        values = {cookie.value for cookie in victim.client.cookies.jar if cookie.name == COOKIE}

    assert values != {"planted-by-somebody"}
    assert is_stranger(await with_cookie(unjoined, "planted-by-somebody"))


async def test_signing_in_over_a_session_gives_a_new_one_and_ends_the_old(unjoined, browser):
    old = browser.cookie(COOKIE).value

    signed_in = await unjoined.web.post("/login", data={"token": OPERATOR}, headers={"cookie": f"{COOKIE}={old}"})

    new = signed_in.cookies[COOKIE]
    assert (new == old, is_stranger(await with_cookie(unjoined, old))) == (False, True)
    assert not is_stranger(await with_cookie(unjoined, new))


async def test_a_wrong_token_ends_no_session(unjoined, browser):
    mine = browser.cookie(COOKIE).value

    await unjoined.web.post("/login", data={"token": "guessed"}, headers={"cookie": f"{COOKIE}={mine}"})

    assert not is_stranger(await with_cookie(unjoined, mine))


async def test_two_sessions_live_and_end_apart(unjoined, browser):
    async with browsing(unjoined) as other:
        await other.signs_in(OPERATOR)
        await other.presses("Sign out")

    assert (await browser.open("/")).heading == "Overview"


async def test_another_operator_token_ends_the_sessions_of_the_old_one(known, empty_vendors, browser):
    cookie = browser.cookie(COOKIE).value
    changed = Settings.model_validate(known.model_dump() | {"operator_token": NEW_OPERATOR})

    async with opened(changed, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as later:
        answer = await with_cookie(later, cookie)

    assert is_stranger(answer)


async def test_a_token_that_became_the_viewers_leaves_no_operator_behind(known, empty_vendors, browser):
    cookie = browser.cookie(COOKIE).value
    swapped = {"operator_token": NEW_OPERATOR, "viewer_token": OPERATOR}
    changed = Settings.model_validate(known.model_dump() | swapped)

    async with opened(changed, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as later:
        answer = await with_cookie(later, cookie, "/connect/drchrono")

    assert is_stranger(answer)


async def test_a_restart_with_the_same_settings_keeps_everybody_signed_in(known, empty_vendors, browser):
    cookie = browser.cookie(COOKIE).value

    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as later:
        answer = await with_cookie(later, cookie)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "forged",
    [
        lambda own: own[:-2] + ("A" if own[-2] != "A" else "B") + own[-1],
        lambda own: own.swapcase(),
        lambda own: own.partition(".")[0],
        lambda own: own.partition(".")[0] + ".",
        lambda _: "null.AAAA",
        lambda _: "eyJyb2xlIjoib3BlcmF0b3IifQ.AAAA",
        lambda _: OPERATOR,
        lambda _: "x" * 8000,
        lambda own: own + own,
    ],
    ids=["bit", "case", "unsigned", "empty-signature", "null", "made-up", "token", "long", "twice"],
)
async def test_a_forged_cookie_is_a_strangers(unjoined, browser, forged):
    answer = await with_cookie(unjoined, forged(browser.cookie(COOKIE).value))

    assert is_stranger(answer)


async def test_the_consents_cookie_or_its_state_is_no_session(unjoined, browser):
    consent = await browser.open("/connect/drchrono")
    values = [consent.url.params["state"], browser.cookie("__Host-chronobridge_consent").value]

    assert [is_stranger(await with_cookie(unjoined, value)) for value in values] == [True, True]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/connect/drchrono", 303),
        ("POST", "/connect/drchrono/confirm", 410),
        ("POST", "/connect/drchrono/decline", 200),
        ("POST", "/disconnect/drchrono", 200),
        ("POST", "/logout", 303),
        ("GET", "/api/v1/queue", 200),
        ("POST", "/api/v1/lanes/live/pause", 200),
    ],
)
async def test_a_bearer_works_on_every_operators_page_without_signing_in(unjoined, method, path, status):
    answer = await unjoined.web.request(method, path, headers=BEARER)

    assert answer.status_code == status


@pytest.mark.parametrize(
    "given", ["Bearer guessed", "Bearer ", "Bearer", "Basic dXNlcjpwYXNz", f"Token {OPERATOR}", "ü"]
)
@pytest.mark.parametrize("path", ["/", "/connect/drchrono", "/api/v1/queue"])
async def test_a_wrong_bearer_is_refused_even_beside_a_good_session(unjoined, browser, given, path):
    answer = await with_cookie(unjoined, browser.cookie(COOKIE).value, path, authorization=given.encode())

    assert answer.status_code == 401


async def test_the_json_tells_a_stranger_401_as_json(unjoined):
    answer = await unjoined.web.get("/api/v1/queue")

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json().keys() == {"detail"}
