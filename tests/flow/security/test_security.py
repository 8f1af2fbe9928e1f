"""Every route there is, found in the app itself: none lets a stranger in, none does anything for a forger.

A new route that changes something is met here without being named: it is refused to forgers, or this fails.
"""

import re

import pytest
from fastapi.routing import iter_route_contexts

from app.store.tables import audit, metadata, sessions, tallies, watermarks
from tests.flow.browser import HOME, browsing
from tests.flow.clinic import LOOKS, OPERATOR, opened

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here

VIEWER = "viewer-token-of-the-tests"
SAFE = {"GET", "HEAD", "OPTIONS"}
# path -> what protects it instead of a session's token
OTHERWISE = {
    "/webhooks/drchrono": "DrChrono sends its secret; no cookie is looked at",
    "/webhooks/salesforce/outbound/1": "Salesforce sends a token in its path; no cookie is looked at",
    "/webhooks/salesforce/events": "Salesforce sends a bearer; no cookie is looked at",
    "/login": "begins sessions; the token is what proves the right to one",
}
PUBLIC = {
    "/livez", "/readyz", "/healthz", "/metrics",  # probes: no vendor is called, no secret is said
    "/openapi.json", "/static", "/login",
    "/webhooks/drchrono",  # the verification
    "/connect/drchrono/callback",  # the state and its cookie prove who it is
    "/login/drchrono", "/login/drchrono/callback",  # as the next two; DrChrono proves who it is
    "/login/oidc", "/login/oidc/callback",  # how a session begins; the identity provider proves who it is
}  # fmt: skip
EXAMPLES = {"lane": "live", "side": "drchrono", "kind": "patient"}
# these are posted so that what is looked for is in no address, or because they call the vendors; they only read
READING = {
    "/patients",
    "/find",
    "/api/v1/patients",
    "/records/drchrono/patient/1",
    "/api/v1/records/drchrono/patient/1/read",
    "/attention/1/compare",
    "/api/v1/held/1/read",
}


@pytest.fixture
async def staffed(known, empty_vendors):
    """A connected clinic with a viewer's token."""
    given = type(known).model_validate(known.model_dump() | {"viewer_token": VIEWER})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
        yield clinic


def routes(clinic):
    """Every method and path of the app."""
    found = []
    for route in iter_route_contexts(clinic.app.routes):
        path = re.sub(r"\{(\w+)[^}]*\}", lambda name: EXAMPLES.get(name[1], "1"), route.path)
        found += [(method, path) for method in sorted(route.methods or {"GET"})]
    return found


def changing(clinic):
    return [(method, path) for method, path in routes(clinic) if method not in SAFE and path not in OTHERWISE]


async def state_of(clinic):
    """Everything we remember, and every call made to a vendor; but not the sessions' use nor the door's own sign."""
    tables = [table for table in metadata.sorted_tables if table not in (sessions, tallies, watermarks)]
    rows = {table.name: sorted(map(repr, await clinic.rows(table))) for table in tables}
    rows["sessions"] = sorted(row.id for row in await clinic.rows(sessions))
    calls = [getattr(clinic, side).get("/_control/calls").json()["counts"] for side in ("drchrono", "salesforce")]
    return rows, calls


async def unlooked(clinic):
    """Everything we remember but what the audit notes of somebody who looks."""
    rows, _ = await state_of(clinic)
    acts = sorted(row.id for row in await clinic.rows(audit) if row.action not in LOOKS)
    return {**rows, "audit": acts, "audit_head": []}


async def sent(browser, method, path, csrf, **headers):
    """Send a signed-in request that carries a token in both places where one is looked for."""
    token = {} if csrf is None else {"csrf_token": csrf}
    headers |= {} if csrf is None else {"x-csrf-token": csrf.encode()}
    return await browser.client.request(method, f"{HOME}{path}", data=token, headers=headers)


FORGERIES = {
    "no token": lambda _: None,
    "an empty token": lambda _: "",
    "a wrong token": lambda right: right[::-1],
    "a token beyond ASCII": lambda _: "ü" * 20,
}
FOREIGN = {
    "a foreign origin": {"origin": "https://evil.example"},
    "an origin that only begins like ours": {"origin": f"{HOME}.evil.example"},
    "a frame without an origin": {"origin": "null", "sec-fetch-site": "cross-site"},
    "cross-site": {"sec-fetch-site": "cross-site"},
    "same-site": {"sec-fetch-site": "same-site"},
}


# one check refuses them all, wherever it stands: each route meets one of them here, and all of them in `make long`
MOST = pytest.mark.parametrize("most", [1, pytest.param(None, marks=pytest.mark.long)], ids=["one each", "all"])


def some(kinds, at, most):
    """Give so many of these kinds, beginning with another one for each route."""
    first = at % len(kinds)
    names = [*kinds][first:] + [*kinds][:first]
    return {name: kinds[name] for name in names[:most]}


def test_nothing_is_said_to_be_protected_otherwise_that_is_not_there(clinic):
    assert OTHERWISE.keys() <= {path for _, path in routes(clinic)}


def test_every_route_is_of_a_sort_whose_methods_are_known(clinic):
    unknown = [route.path for route in iter_route_contexts(clinic.app.routes) if not route.methods]

    assert unknown == ["/static"], "a mount's routes are not seen here: give them the same tests"


@MOST
async def test_every_route_that_changes_something_refuses_a_session_without_the_right_token(staffed, most):
    let_through = []
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        right, before = browser.csrf(), await state_of(staffed)
        for at, (method, path) in enumerate(changing(staffed)):
            forgeries = some(FORGERIES, at, most)
            forged = {name: await sent(browser, method, path, one(right)) for name, one in forgeries.items()}
            said = {name: answer.status_code for name, answer in forged.items()}
            if said != dict.fromkeys(forgeries, 403):
                let_through.append((path, said))
        after = await state_of(staffed)

    assert len(changing(staffed)) >= 6
    assert let_through == []
    assert after == before


@MOST
async def test_every_route_that_changes_something_refuses_what_another_site_sent_with_the_right_token(staffed, most):
    let_through = []
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        right, before = browser.csrf(), await state_of(staffed)
        for at, (method, path) in enumerate(changing(staffed)):
            origins = some(FOREIGN, at, most)
            foreign = {name: await sent(browser, method, path, right, **one) for name, one in origins.items()}
            said = {name: answer.status_code for name, answer in foreign.items()}
            if said != dict.fromkeys(origins, 403):
                let_through.append((path, said))
        after = await state_of(staffed)

    assert let_through == []
    assert after == before


async def test_with_the_right_token_from_our_own_page_the_same_requests_pass(staffed):
    refused = []
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        csrf, said = browser.csrf(), {"origin": HOME, "sec-fetch-site": "same-origin"}
        for method, path in sorted(changing(staffed), key=lambda route: route[1] == "/logout"):
            answer = await sent(browser, method, path, csrf, **said)
            if answer.status_code in (401, 403):
                refused.append((path, answer.status_code))

    assert refused == []


async def test_the_token_of_another_session_is_a_wrong_one(staffed):
    async with browsing(staffed) as mine, browsing(staffed) as other:
        await mine.signs_in(OPERATOR)
        await other.signs_in(OPERATOR)

        answer = await sent(mine, "POST", "/disconnect/drchrono", other.csrf())

    assert answer.status_code == 403


async def test_a_signed_out_browser_changes_nothing(staffed):
    let_through = []
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        csrf = browser.csrf()
        await browser.presses("Sign out")
        before = await state_of(staffed)
        for method, path in changing(staffed):
            answer = await sent(browser, method, path, csrf)
            if answer.status_code != 401:
                let_through.append((path, answer.status_code))
        after = await state_of(staffed)

    assert let_through == []
    assert after == before


async def test_a_viewer_changes_nothing_but_their_own_session(staffed):
    let_through = []
    async with browsing(staffed) as browser:
        await browser.signs_in(VIEWER)
        csrf, before = browser.csrf(), await state_of(staffed)
        for method, path in changing(staffed):
            if path == "/logout" or path in READING:
                continue
            answer = await sent(browser, method, path, csrf)
            if answer.status_code != 403:
                let_through.append((path, answer.status_code))
        after = await state_of(staffed)

    assert let_through == []
    assert after == before


async def test_a_viewer_reads_what_is_posted_only_to_be_read_and_leaves_nothing_behind(staffed):
    async with browsing(staffed) as browser:
        await browser.signs_in(VIEWER)
        csrf, before = browser.csrf(), await unlooked(staffed)
        answers = {path: await sent(browser, "POST", path, csrf) for path in sorted(READING)}
        after = await unlooked(staffed)

    assert {path for _, path in changing(staffed)} >= READING
    assert {path: answer.status_code for path, answer in answers.items()} == {
        "/patients": 303,
        "/find": 200,
        "/api/v1/patients": 422,
        "/records/drchrono/patient/1": 404,
        "/api/v1/records/drchrono/patient/1/read": 404,
        "/attention/1/compare": 404,
        "/api/v1/held/1/read": 404,
    }
    assert after == before


async def test_a_stranger_reads_nothing_but_what_is_public(staffed):
    open_doors = []
    for method, path in routes(staffed):
        if method == "GET" and path not in PUBLIC:
            answer = await staffed.web.get(path)
            is_sent_to_sign_in = answer.headers.get("location", "").startswith("/login")
            if answer.status_code != 401 and not is_sent_to_sign_in:
                open_doors.append((path, answer.status_code))

    assert open_doors == []


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_a_sign_in_that_another_site_sends_is_refused(staffed, headers):
    answer = await staffed.web.post("/login", data={"token": OPERATOR}, headers=headers)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_webhook_is_no_sooner_believed_for_a_session(staffed):
    async with browsing(staffed) as browser:
        await browser.signs_in(OPERATOR)
        headers = {"x-drchrono-event": "PATIENT_MODIFY", "x-drchrono-signature": "guessed", "x-drchrono-delivery": "d"}

        answer = await browser.client.post(f"{HOME}/webhooks/drchrono", json={"object": {"id": 1}}, headers=headers)

    assert answer.status_code == 401
