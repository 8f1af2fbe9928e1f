"""What is secret stays so: in no line of a log, no page, no address we emit, no error's text, no object's repr."""

import httpx
import pytest

from app.operations.connections import account_of
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from tests.build import HASH_KEY, KEY
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, SECRET, opened

VIEWER = "viewer-token-of-the-tests"
BEARER = {"authorization": f"Bearer {OPERATOR}"}
CONFIGURED = {
    "OPERATOR_TOKEN": OPERATOR,
    "VIEWER_TOKEN": VIEWER,
    "DRCHRONO_CLIENT_SECRET": "standin-secret",
    "SALESFORCE_CLIENT_SECRET": "standin-client-secret",
    "DRCHRONO_WEBHOOK_SECRETS": SECRET,
    "ENCRYPTION_KEYS": KEY,
    "HASH_KEYS": HASH_KEY,
}


@pytest.fixture
async def staffed(known, empty_vendors):
    given = type(known).model_validate(known.model_dump() | {"viewer_token": VIEWER})
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
        yield clinic


async def pair_of(clinic):
    return (await VendorTokens(clinic.runtime.database, clinic.runtime.vault, Side.DRCHRONO).read()).token


async def a_day(clinic):
    """Do everything that has a secret in it, well and badly; gives every answer, and the secrets that came up."""
    answers, secrets = [], dict(CONFIGURED)
    async with browsing(clinic) as browser:

        async def seen(page):
            answers.append((await page).response)

        await seen(browser.open("/connect/drchrono"))
        await seen(browser.signs_in("a-guess-that-is-wrong"))
        await seen(browser.signs_in(VIEWER))
        await seen(browser.open("/"))
        await seen(browser.presses("Sign out"))
        await seen(browser.open("/connect/drchrono"))
        await seen(browser.signs_in(OPERATOR))
        secrets["session"] = browser.cookie("__Host-chronobridge_session").value
        secrets["consent cookie"] = browser.cookie("__Host-chronobridge_consent").value
        clinic.breaks("drchrono", "GET /api/users/current", "error", status=503)
        await seen(browser.presses("Allow"))
        secrets["code"] = browser.visited[-1].split("code=")[1].split("&")[0]
        await seen(browser.presses("Ask again"))
        await seen(browser.open("/"))
    secrets |= {f"first {name}": value for name, value in (await pair_of(clinic)).items() if name.endswith("_token")}
    clinic.drchrono.post("/_control/tokens/expire")
    await clinic.runtime.drchrono.listed("/api/doctors")
    secrets |= {f"next {name}": value for name, value in (await pair_of(clinic)).items() if name.endswith("_token")}
    await clinic.arrives(await clinic.registers(first_name="Ada", last_name="Test"))
    await clinic.delivers({"id": 7}, secret="a-guess-that-is-wrong")
    clinic.drchrono.post("/_control/tokens/revoke")
    with pytest.raises(Exception, match="drchrono") as refused:
        await clinic.runtime.drchrono.listed("/api/doctors")
    answers.append(httpx.Response(500, text=repr(refused.value) + str(refused.value)))
    for method, path in (
        ("GET", "/"), ("GET", "/healthz"), ("GET", "/metrics"), ("GET", "/api/v1/queue"), ("GET", "/api/v1/failures"),
        ("GET", "/openapi.json"), ("POST", "/disconnect/drchrono"),
    ):  # fmt: skip
        answers.append(await clinic.web.request(method, path, headers=BEARER))
    return answers, secrets


async def test_no_line_of_the_log_holds_a_secret_not_even_before_the_guard(staffed, capsys):
    _, secrets = await a_day(staffed)

    said = "".join(capsys.readouterr())

    assert "practice.joined" in said
    assert [name for name, value in secrets.items() if value in said] == []


async def test_no_page_and_no_answer_holds_a_secret(staffed):
    answers, secrets = await a_day(staffed)

    leaks = [(name, str(one.headers)) for one in answers for name, value in secrets.items() if value in one.text]

    assert len(answers) > 12
    assert leaks == []


async def test_no_address_we_send_a_browser_to_holds_a_secret(staffed):
    async with browsing(staffed) as browser:
        await browser.open("/connect/drchrono?token=x")
        await browser.signs_in(OPERATOR)
        cookies = {
            name: browser.cookie(name).value for name in ("__Host-chronobridge_consent", "__Host-chronobridge_session")
        }
        await browser.presses("Allow")
        pair = await pair_of(staffed)
    secrets = CONFIGURED | cookies | {name: pair[name] for name in ("access_token", "refresh_token")}
    by_us = [url for url in browser.visited if "/callback?" not in url]

    assert [(name, url) for url in by_us for name, value in secrets.items() if value in url] == []


@pytest.mark.parametrize(
    "what",
    [
        "settings",
        "runtime",
        "vault", "drchrono", "salesforce", "grants", "brokers", "token", "account", "lease",
        "stored",
    ],
)  # fmt: skip
async def test_no_repr_holds_a_secret(staffed, what):
    run, pair = staffed.runtime, await pair_of(staffed)
    connections = VendorTokens(run.database, run.vault, Side.DRCHRONO)
    stored = await connections.read()
    objects = {
        "settings": run.settings,
        "runtime": run,
        "vault": run.vault,
        "drchrono": (run.drchrono, vars(run.drchrono)),
        "salesforce": (run.salesforce, vars(run.salesforce)),
        "grants": (run.drchrono.grant, run.salesforce._grant, run.salesforce._grant._credentials),
        "brokers": (run.drchrono.broker, run.salesforce.broker),
        "token": (await run.drchrono.broker.current(), await run.salesforce.broker.current()),
        "account": account_of(pair),
        "lease": connections,
        "stored": stored,
    }

    said = repr(objects[what]) + str(objects[what])

    secrets = CONFIGURED | {name: pair[name] for name in ("access_token", "refresh_token")}
    assert [name for name, value in secrets.items() if value in said] == []
