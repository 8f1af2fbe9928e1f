"""What a page may not do: send people to other sites, be framed or kept, or run what somebody wrote into a name."""

import re

import pytest

from tests.flow.browser import HOME, browsing
from tests.flow.clinic import OPERATOR, opened

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here
BEARER = {"authorization": f"Bearer {OPERATOR}"}
HOSTILE = [
    "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "/\t/evil.example", "/\n/evil.example", "/%0d%0aSet-Cookie:a=b", "javascript:alert(1)", "data:text/html,x",
    " //evil.example", "/ /evil.example", "/@evil.example", "http:evil.example", "https:/evil.example",
    "/connect\r\nX-Evil: 1", "/?next=//evil.example", "/#@evil.example", "evil.example", ".evil.example", "//",
    "/\u2215evil.example", "",
]  # fmt: skip
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@pytest.fixture
async def unjoined(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        yield clinic


async def test_signing_in_leads_nowhere_else_whatever_next_says(unjoined):
    led_to = {}
    for wanted in HOSTILE:
        asked = await unjoined.web.get("/login", params={"next": wanted})
        assert 'name="next" value="/"' in asked.text, wanted
        signed_in = await unjoined.web.post("/login", data={"token": OPERATOR, "next": wanted})
        led_to[wanted] = signed_in.headers["location"]

    assert led_to == dict.fromkeys(HOSTILE, "/")


async def test_who_is_signed_in_is_led_nowhere_else_either(unjoined):
    signed_in = await unjoined.web.post("/login", data={"token": OPERATOR})
    cookie = {"cookie": signed_in.headers["set-cookie"].split(";")[0]}

    led_to = {}
    for wanted in HOSTILE:
        answer = await unjoined.web.get("/login", params={"next": wanted}, headers=cookie)
        led_to[wanted] = answer.headers["location"]

    assert led_to == dict.fromkeys(HOSTILE, "/")


@pytest.mark.parametrize("path", ["//evil.example/", "/connect/drchrono//evil.example"])
async def test_a_path_that_looks_like_a_host_is_led_nowhere_else(unjoined, path):
    async with browsing(unjoined) as browser:
        page = await browser.open(f"https://sync.example.com{path}")

    assert page.url.host == "sync.example.com"


@pytest.mark.parametrize("wanted", ["/", "/connect/drchrono"])
async def test_a_page_of_ours_is_come_back_to_after_signing_in(unjoined, wanted):
    signed_in = await unjoined.web.post("/login", data={"token": OPERATOR, "next": wanted})

    assert signed_in.headers["location"] == wanted


async def pages(clinic):
    """Every page there is, and every way a page is left, by name."""
    web = clinic.web
    yield "sign in", await web.get("/login")
    yield "wrong token", await web.post("/login", data={"token": "guessed"})
    yield "signed in", (answer := await web.post("/login", data={"token": OPERATOR}))
    cookie = {"cookie": answer.headers["set-cookie"].split(";")[0]}
    yield "forged", await web.post("/logout", headers=cookie)
    yield "foreign sign-in", await web.post("/login", headers={"origin": "https://evil.example"})
    yield "overview", await web.get("/", headers=BEARER)
    yield "stranger", await web.get("/")
    yield "stranger acts", await web.post("/disconnect/drchrono")
    yield "wrong bearer", await web.get("/", headers={"authorization": "Bearer guessed"})
    yield "to DrChrono", await web.get("/connect/drchrono", headers=BEARER)
    yield "no state", await web.get("/connect/drchrono/callback")
    clinic.breaks("drchrono", "GET /api/users/current", "error", status=503)
    yield "unidentified", await clinic.connects()
    yield "connected", await web.post("/connect/drchrono/confirm", headers=BEARER)
    yield "replace", await clinic.connects(user=610002)
    yield "declined", await web.post("/connect/drchrono/decline", headers=BEARER)
    yield "nothing waits", await web.post("/connect/drchrono/confirm", headers=BEARER)
    yield "another practice", await clinic.connects(user=610901)
    yield "disconnected", await web.post("/disconnect/drchrono", headers=BEARER)


async def test_every_page_forbids_keeping_framing_sniffing_and_referring(unjoined):
    lacking = [
        (name, header)
        async for name, page in pages(unjoined)
        for header, value in HEADERS.items()
        if page.headers.get(header) != value
    ]

    assert lacking == []


async def test_every_page_runs_no_script_and_loads_nothing_from_elsewhere(unjoined):
    wanted = ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'")
    lacking = [
        (name, part)
        async for name, page in pages(unjoined)
        for part in wanted
        if part not in page.headers.get("content-security-policy", "")
    ]

    assert lacking == []


async def test_no_page_holds_a_script_a_style_or_an_address_of_another_site(unjoined):
    markup = ("<script>", "<style", " style=", " onclick=", "javascript:", 'src="http', "@import")
    scripts = set()
    found = []
    async for name, page in pages(unjoined):
        found += [(name, part) for part in markup if part in page.text.lower()]
        scripts |= set(re.findall(r'<script src="([^"]+)" defer></script>', page.text))
        found += [(name, one) for one in re.findall(r"<script[^>]*>[^<]", page.text)]
        found += [(name, one) for one in re.findall(r'<[^>]*href="http[^>]*>', page.text) if not may_lead_away(one)]

    assert found == []
    assert scripts == {"/static/htmx-2.0.11.min.js", "/static/console.js"}


def may_lead_away(tag):
    """Say whether a tag is a link for a person to follow: to an address of ours, or to a vendor, who is not told where
    they came from."""
    return tag.startswith("<a ") and (f'href="{HOME}' in tag or 'rel="noreferrer"' in tag)


async def test_nobody_else_is_told_what_a_page_says_across_origins(unjoined):
    answer = await unjoined.web.get("/", headers={**BEARER, "origin": "https://evil.example"})

    assert [name for name in answer.headers if name.startswith("access-control")] == []


async def test_a_person_signs_in_with_a_browser_that_says_where_forms_come_from(unjoined):
    async with browsing(unjoined) as browser:
        page = await browser.signs_in(OPERATOR)

    assert (page.status, page.heading) == (200, "Overview")


async def test_signing_in_on_the_way_to_connect_leads_on_to_drchrono_in_chrome_too(unjoined):
    async with browsing(unjoined) as browser:
        await browser.open("/connect/drchrono")
        page = await browser.signs_in(OPERATOR)

    assert page.heading == "Authorize this application?"


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "a' onfocus='alert(1)"]
)
async def test_what_drchrono_says_of_a_user_is_shown_as_text(unjoined, text):
    unjoined.drchrono.put("/_control/users/610001", json={"username": text})
    unjoined.drchrono.put("/_control/doctors/310001", json={"last_name": text})

    page = (await unjoined.connects()).text

    assert text not in page or text == "{{ 7*7 }}"
    assert "49" not in page


async def test_what_stands_in_an_address_is_shown_as_text_or_not_at_all(unjoined):
    evil = '"><script>alert(1)</script>'

    answers = [
        await unjoined.web.get("/login", params={"next": evil}),
        await unjoined.web.get("/connect/drchrono/callback", params={"state": evil, "error": evil, "code": evil}),
        await unjoined.web.get(f"/{evil}"),
        await unjoined.web.post("/login", data={"token": evil, "next": evil}),
    ]

    assert [str(one.url) for one in answers if "<script>" in one.text] == []
