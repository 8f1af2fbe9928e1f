"""A person signs in with a token, is slowed when guessing, and is signed out by whatever ends a session."""

import re

import pytest

from app.operations.throttle import FREE, Throttle
from app.settings.fields import Settings
from app.store.tables import sessions
from tests.build import StandingClock
from tests.flow.browser import HOME, browsing
from tests.flow.clinic import OPERATOR, opened

VIEWER = "viewer-token-of-the-tests"
COOKIE = "__Host-chronobridge_session"


@pytest.fixture
def staffed_settings(known):
    return Settings.model_validate(known.model_dump() | {"viewer_token": VIEWER})


@pytest.fixture
async def clinic(staffed_settings, empty_vendors):
    async with opened(staffed_settings, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as it:
        yield it


@pytest.fixture
async def browser(clinic):
    async with browsing(clinic) as it:
        yield it


@pytest.fixture
def clock(clinic):
    clinic.app.state.throttle = Throttle(clinic.runtime.counts, it := StandingClock())
    return it


async def guesses(browser, count):
    for _ in range(count):
        await browser.open("/login")
        await browser.signs_in("a-guess-that-is-wrong")
    return browser.page


async def test_an_operator_signs_in_and_sees_who_they_are(browser):
    page = await browser.signs_in(OPERATOR)

    assert (page.status, page.heading) == (200, "Overview")
    assert "signed in as operator" in page.text


async def test_a_viewer_reads_and_is_offered_nothing_to_press_but_signing_out(browser):
    page = await browser.signs_in(VIEWER)

    assert (page.status, page.heading) == (200, "Overview")
    posted = [form for form in page.forms if form.method == "POST"]
    assert [button for form in posted for button, *_ in form.buttons] == ["Find", "Sign out"]
    assert "Connect the practice" not in page.links


async def test_a_viewer_who_wants_to_connect_is_told_who_may(browser):
    await browser.signs_in(VIEWER)

    page = await browser.open("/connect/drchrono")

    assert (page.status, page.heading) == (403, "Only an operator may do this")
    assert "OPERATOR_TOKEN" in page.text


async def test_a_viewers_session_reads_the_json_and_may_not_act(clinic, browser):
    await browser.signs_in(VIEWER)

    reads = await browser.client.get(f"{HOME}/api/v1/queue")
    headers = {"x-csrf-token": browser.csrf()}
    acts = await browser.client.post(f"{HOME}/api/v1/lanes/live/pause", headers=headers)

    assert (reads.status_code, acts.status_code) == (200, 403)


async def test_an_operators_session_acts_through_the_json(browser):
    await browser.signs_in(OPERATOR)

    acts = await browser.client.post(f"{HOME}/api/v1/lanes/live/pause", headers={"x-csrf-token": browser.csrf()})

    assert acts.status_code == 200


@pytest.mark.parametrize("token", ["", " ", OPERATOR[:-1], f"{OPERATOR}x", OPERATOR.upper(), "ü\ud800", "0" * 10_000])
async def test_a_wrong_token_is_401_and_begins_nothing(clinic, token):
    answer = await clinic.web.post("/login", data={"token": token.encode("utf-8", "surrogatepass")})

    assert (answer.status_code, "That token is not known." in answer.text) == (401, True)
    assert "set-cookie" not in answer.headers
    assert await clinic.rows(sessions) == []


async def test_a_token_with_blanks_around_it_is_the_token(browser):
    page = await browser.signs_in(f"  {OPERATOR}\n")

    assert page.heading == "Overview"


@pytest.mark.parametrize(
    "given", [{"token": "x" * 70_000}, {f"field {number}": "" for number in range(500)}], ids=["long", "many fields"]
)
async def test_a_form_that_is_too_large_is_refused(clinic, given):
    assert (await clinic.web.post("/login", data=given)).status_code == 413


async def test_who_guesses_is_slowed_and_told_for_how_long(browser, clock):
    page = await guesses(browser, FREE + 1)

    assert (page.status, page.response.headers["retry-after"]) == (429, "1")
    assert "Wait 1 s before another guess" in page.text


async def test_every_further_guess_doubles_the_wait(browser, clock):
    waits = []
    await guesses(browser, FREE)
    for _ in range(4):
        page = await guesses(browser, 1)
        waits.append(int(page.response.headers["retry-after"]))
        clock.now += waits[-1]
        await guesses(browser, 1)

    assert waits == [1, 2, 4, 8]


async def test_nobodys_guesses_keep_out_who_knows_the_token(clinic, browser, clock):
    await guesses(browser, FREE + 1)

    page = await browser.signs_in(OPERATOR)

    assert page.heading == "Overview"
    assert len(await clinic.rows(sessions)) == 1


async def test_the_right_token_ends_the_wait(browser, clock):
    await guesses(browser, FREE + 1)

    page = await browser.signs_in(OPERATOR)
    await browser.presses("Sign out")
    again = await guesses(browser, 1)

    assert (page.heading, again.status) == ("Overview", 401)


async def test_a_session_is_not_slowed_by_somebodys_guesses(clinic, browser, clock):
    await browser.signs_in(OPERATOR)
    async with browsing(clinic) as stranger:
        await guesses(stranger, FREE + 1)

    assert (await browser.open("/")).status == 200


WRONG = {
    "bearer": ("GET", "/api/v1/queue", {"authorization": "Bearer guessed"}, 401),
    "page": ("GET", "/", {"authorization": "Bearer guessed"}, 401),
    "webhook": ("POST", "/webhooks/drchrono", {"x-drchrono-signature": "guessed"}, 401),
    "outbound": ("POST", "/webhooks/salesforce/outbound/guessed", {}, 404),
    "event": ("POST", "/webhooks/salesforce/events", {"authorization": "Bearer guessed"}, 401),
}


@pytest.mark.parametrize(("method", "path", "headers", "refused"), WRONG.values(), ids=WRONG)
async def test_a_wrong_secret_is_slowed_wherever_it_is_sent(clinic, clock, method, path, headers, refused):
    answers = [await clinic.web.request(method, path, headers=headers) for _ in range(FREE + 2)]

    assert [answer.status_code for answer in answers] == [refused] * FREE + [429] * 2
    assert answers[-1].headers["retry-after"] == "1"


async def test_a_right_secret_is_taken_while_wrong_ones_of_the_same_address_wait(clinic, clock):
    for method, path, headers, _ in [*WRONG.values()] * FREE:
        await clinic.web.request(method, path, headers=headers)

    patient = await clinic.registers(first_name="Ada", last_name="Test")
    script = await clinic.web.get("/api/v1/queue", headers={"authorization": f"Bearer {OPERATOR}"})

    assert (await clinic.delivers(patient), await clinic.hears(), script.status_code) == (200, 200, 200)


async def test_a_request_without_a_token_is_no_guess(clinic, clock):
    answers = [await clinic.web.get("/api/v1/queue") for _ in range(FREE * 2)]

    assert {answer.status_code for answer in answers} == {401}


async def test_another_address_is_not_slowed(clinic, browser, clock):
    await guesses(browser, FREE + 1)

    async with browsing(clinic, address="203.0.113.77") as other:
        page = await other.signs_in(OPERATOR)

    assert page.heading == "Overview"


async def test_a_bearer_is_not_slowed_by_somebodys_guesses(clinic, browser, clock):
    await guesses(browser, FREE + 1)

    answer = await browser.open("/", authorization=f"Bearer {OPERATOR}")

    assert answer.status == 200


@pytest.mark.parametrize(
    ("public_url", "is_secure"), [("https://sync.example.com", True), ("http://127.0.0.1:8000", False)]
)
async def test_cookies_are_for_us_alone_and_for_https_where_people_come_by_it(
    staffed_settings, empty_vendors, public_url, is_secure
):
    known = staffed_settings.model_copy(update={"public_url": public_url})
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        signed_in = await clinic.web.post("/login", data={"token": OPERATOR})
        sent_away = await clinic.web.get("/connect/drchrono", headers={"authorization": f"Bearer {OPERATOR}"})

    for answer in (signed_in, sent_away):
        flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
        assert {"httponly", "samesite=lax"} <= flags
        assert ("secure" in flags) is is_secure
        assert answer.headers["set-cookie"].startswith("__Host-") is is_secure
        assert "path=/" in flags
        assert not [flag for flag in flags if flag.startswith("domain")]


async def test_a_session_cookie_ends_with_the_browser(clinic):
    signed_in = await clinic.web.post("/login", data={"token": OPERATOR})

    assert re.search(r"max-age|expires", signed_in.headers["set-cookie"], re.IGNORECASE) is None
