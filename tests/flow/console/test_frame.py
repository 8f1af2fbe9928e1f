"""What stands around every page: a way back where an address is none, links that survive signing in, the navigation."""

import pytest

from tests.flow.browser import HOME, browsing
from tests.flow.clinic import OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}
A_BROWSER = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def browser(clinic):
    async with browsing(clinic) as it:
        it.client.headers.update(A_BROWSER)
        await it.signs_in(OPERATOR)
        yield it


@pytest.mark.parametrize("path", ["/nothing", "/conflicts/x/y/z"])
async def test_a_wrong_address_is_answered_by_a_page_with_the_ways_on(browser, path):
    page = await browser.open(path)

    assert (page.status, page.heading) == (404, "Page not found")
    assert page.links["Patients"] == "/patients"


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/attention/retry", "/attention"),
        ("/attention/01JSYNTHETICLINK0000000000/merge", "/attention/01JSYNTHETICLINK0000000000"),
        ("/connections/drchrono/test", "/connections"),
        ("/queues/live/pause", "/queues"),
        ("/connect/drchrono/ask", "/"),
        ("/logout", "/"),
    ],
)
async def test_what_only_takes_forms_leads_back_to_its_page_when_it_is_reloaded(browser, path, leads_to):
    answer = await browser.client.get(f"{HOME}{path}")

    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)


async def test_what_a_page_cannot_read_is_said_on_a_page(browser):
    await browser.open("/queues")
    token = browser.csrf()

    answer = await browser.client.post(f"{HOME}/queues/nothing/pause", data={"csrf_token": token})

    assert answer.status_code == 404
    assert "<nav" in answer.text


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
async def test_a_script_is_told_in_json_whatever_it_takes(clinic, accept):
    headers = {**BEARER, "accept": accept}
    unknown = await clinic.web.get("/api/v1/nothing", headers=headers)
    wrong = await clinic.web.delete("/api/v1/patients", headers=headers)

    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not Found"})
    assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})


async def test_a_link_with_a_query_leads_there_after_signing_in(clinic):
    async with browsing(clinic) as browser:
        await browser.open("/conflicts?field=city&kind=patient")
        page = await browser.signs_in(OPERATOR)

    assert str(page.url) == f"{HOME}/conflicts?field=city&kind=patient"


async def test_every_page_of_the_navigation_is_there(browser):
    page = await browser.open("/find")
    links = {name: path for name, path in page.links.items() if path.startswith("/")}
    statuses = {name: (await browser.open(path)).status for name, path in links.items()}

    assert {"Help", "Queues", "Audit", "Patients"} <= links.keys()
    assert {name: status for name, status in statuses.items() if status != 200} == {}


async def test_the_paths_of_the_api_are_a_page_for_whoever_is_signed_in(clinic, browser):
    page = await browser.open("/docs")
    stranger = await clinic.web.get("/docs")

    assert "POST /api/v1/queues/{queue}/pause" in page.text
    assert "/api/v1/lanes" not in page.text  # which is deprecated
    assert page.links["openapi.json"] == "/openapi.json"
    assert stranger.headers["location"] == "/login?next=/docs"
