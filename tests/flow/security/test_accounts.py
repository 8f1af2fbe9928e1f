"""People sign in under their own names: in sessions, in the audit and in what they do; scripts by tokens still do."""

import asyncio

import pytest

from app.operations.accounts import TooManyChecks, hash_secret
from app.settings.fields import Settings
from app.store.tables import audit, sessions
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, opened

ANNA, BEN = "anna-" + "0123456789abcdef" * 2, "ben-" + "fedcba9876543210" * 2
HASHED = "cleo-" + "0123456789abcdef" * 2
VIEWER = "viewer-token-of-the-tests"
ACCOUNTS = {"operators": f"anna:{ANNA},cleo:{hash_secret(HASHED)}", "viewers": f"ben:{BEN}", "viewer_token": VIEWER}


@pytest.fixture
def staffed(known):
    return lambda **more: Settings.model_validate(known.model_dump() | ACCOUNTS | more)


@pytest.fixture
async def clinic(staffed, empty_vendors):
    async with opened(staffed(), empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as it:
        yield it


@pytest.fixture
async def browser(clinic):
    async with browsing(clinic) as it:
        yield it


async def signs_in(browser, token, name=""):
    await browser.open("/login")
    return await browser.presses("Sign in", token=token, name=name)


def bearer(token):
    return {"authorization": f"Bearer {token}"}


async def noted(clinic, action):
    return [(row.role, row.name, row.about, row.records) for row in await clinic.rows(audit) if row.action == action]


@pytest.mark.parametrize(
    ("token", "name", "says"),
    [
        (ANNA, "anna", "signed in as anna, operator"),
        (ANNA, "", "signed in as anna, operator"),
        (ANNA, " Anna ", "signed in as anna, operator"),
        (HASHED, "cleo", "signed in as cleo, operator"),
        (HASHED, "", "signed in as cleo, operator"),
        (BEN, "ben", "signed in as ben, viewer"),
        (OPERATOR, "", "signed in as operator"),
        (VIEWER, "", "signed in as viewer"),
    ],
)
async def test_a_person_is_signed_in_under_their_name(clinic, browser, token, name, says):
    page = await signs_in(browser, token, name)

    assert (page.heading, says in page.text) == ("Overview", True)
    (row,) = await clinic.rows(sessions)
    assert says.startswith(f"signed in as {row.name}")
    assert [one[1] for one in await noted(clinic, "sign_in")] == [row.name]


@pytest.mark.parametrize(
    ("token", "name"),
    [(ANNA, "ben"), (BEN, "anna"), (HASHED, "anna"), (ANNA, "nobody"), (ANNA[:-1], "anna"), ("", "anna"),
     pytest.param(ACCOUNTS["operators"].partition("cleo:")[2], "cleo", id="a hash")],
)  # fmt: skip
async def test_anothers_secret_or_a_hash_itself_signs_nobody_in(clinic, browser, token, name):
    page = await signs_in(browser, token, name)

    assert (page.status, await clinic.rows(sessions)) == (401, [])


async def test_who_mistypes_a_secret_is_told_so_and_need_not_type_the_name_again(browser):
    page = await signs_in(browser, ANNA[::-1], "anna")

    assert "That name with that secret is not known." in page.text
    assert page.forms[0].fields["name"] == "anna"


@pytest.mark.parametrize(
    ("token", "who"),
    [(ANNA, "anna"), (f"anna:{ANNA}", "anna"), (HASHED, "cleo"), (f"cleo:{HASHED}", "cleo"), (OPERATOR, "operator")],
)
async def test_a_bearer_is_named_by_its_token_in_what_it_does(clinic, token, who):
    answer = await clinic.web.post("/api/v1/lanes/live/pause", headers=bearer(token))

    assert answer.status_code == 200
    (row,) = [row for row in await clinic.rows(audit) if row.action == "pause"]
    assert (row.role, row.name, row.who) == ("operator", who, "bearer")


async def test_a_viewers_bearer_reads_and_may_not_act(clinic):
    reads = await clinic.web.get("/api/v1/queue", headers=bearer(BEN))
    acts = await clinic.web.post("/api/v1/lanes/live/pause", headers=bearer(BEN))

    assert (reads.status_code, acts.status_code) == (200, 403)


@pytest.mark.parametrize(
    "changed",
    [
        {"operators": f"anna:{ANNA[::-1]}"},
        {"operators": f"anne:{ANNA}"},
        {"operators": (), "viewers": f"anna:{ANNA}"},
        {"operators": ()},
        {"operators": f"anna:{hash_secret(ANNA)}"},
    ],
    ids=["another secret", "another name", "another role", "gone", "a hash instead"],
)
async def test_a_changed_account_ends_its_sessions_and_no_others(staffed, clinic, browser, empty_vendors, changed):
    await signs_in(browser, ANNA, "anna")
    async with browsing(clinic) as other:
        await signs_in(other, OPERATOR)
        cookies = [one.cookie("__Host-chronobridge_session").value for one in (browser, other)]
    later = staffed(**changed)
    async with opened(later, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as it:
        answers = [
            await it.web.get("/queues", headers={"cookie": f"__Host-chronobridge_session={cookie}"})
            for cookie in cookies
        ]

    assert [answer.status_code for answer in answers] == [303, 200]


async def test_a_refused_sign_in_is_noted_by_the_name_of_an_account_alone(clinic, browser):
    await signs_in(browser, "wrong", "anna")
    await signs_in(browser, "wrong", "Canary")

    assert await noted(clinic, "sign_in_refused") == [
        ("stranger", "anna", "anna", 1), ("stranger", "", "no account of ours", 1),
    ]  # fmt: skip


async def test_many_refused_in_a_minute_are_one_row_and_their_number(clinic, browser):
    for _ in range(4):
        await clinic.web.post("/login", data={"token": "wrong"})
    for _ in range(20):
        await clinic.web.get("/api/v1/queue", headers=bearer("wrong"))
    await clinic.app.state.sign_in.note_refusals()

    assert [one[3] for one in await noted(clinic, "sign_in_refused")] == [1, 23]


async def test_signing_out_is_noted(clinic, browser):
    page = await signs_in(browser, BEN, "ben")
    await browser.presses("Sign out")

    assert page.heading == "Overview"
    assert await noted(clinic, "sign_out") == [("viewer", "ben", "ben", 0)]


async def test_a_token_is_checked_against_a_hash_once(clinic, monkeypatch):
    accounts = clinic.app.state.sign_in.accounts
    found = [await accounts.of_token(HASHED) for _ in range(3)]
    wrong = [await accounts.of_token("wrong" * 10) for _ in range(3)]

    assert [one.name for one in found] == ["cleo"] * 3
    assert wrong == [None] * 3
    assert len(accounts._checked) == 2


async def test_slow_checks_wait_in_a_short_line_and_known_tokens_wait_for_none(clinic):
    accounts = clinic.app.state.sign_in.accounts

    async with accounts._turn:
        waiting = [asyncio.create_task(accounts.of_token(f"wrong {number}")) for number in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyChecks):
            await accounts.of_token("wrong too")
        known = await accounts.of_token(ANNA)
        answer = await clinic.web.get("/api/v1/queue", headers=bearer("wrong too"))
        await asyncio.sleep(0)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    assert known.name == "anna"
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert await accounts.of_token(HASHED) is not None


async def test_no_secret_and_no_hash_is_in_the_database_or_in_what_objects_say(clinic, browser):
    await signs_in(browser, ANNA, "anna")

    found = str([list(await clinic.rows(table)) for table in (audit, sessions)])
    said = repr(clinic.runtime.settings) + repr(vars(clinic.app.state.sign_in.accounts))
    assert not any(secret in found + said for secret in (ANNA, BEN, HASHED))
