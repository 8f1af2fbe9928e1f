"""An operator connects the practice, walked as a person walks it: our sign-in, DrChrono's page, and back."""

from datetime import timedelta

import pytest

from app.ports import SealedColumn
from app.store.tables import connections, consents, metadata
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, opened

SCOPES = "patients:read patients:write calendar:read calendar:write clinical:read clinical:write user:read"
CAN = [
    "It can see and write patients.",
    "It can see and write appointments.",
    "It can see doctors and offices.",
]


@pytest.fixture
async def unjoined(known, empty_vendors):
    """A clinic whose practice nobody has connected."""
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        yield clinic


@pytest.fixture
async def browser(unjoined):
    async with browsing(unjoined) as it:
        yield it


async def everything_stored(clinic):
    """Every row of every table as text, and the bytes of the file where there is one."""
    rows = [repr(row) for table in metadata.sorted_tables for row in await clinic.rows(table)]
    database = clinic.runtime.database
    files = database.path.parent.glob(f"{database.path.name}*") if database.is_sqlite else ()
    return "\n".join(rows).encode() + b"".join(file.read_bytes() for file in files)


async def test_who_asks_to_connect_signs_in_first_and_ends_on_drchronos_page(browser):
    signs_in = await browser.open("/connect/drchrono")
    consent = await browser.signs_in(OPERATOR)

    assert signs_in.heading == "Sign in"
    assert consent.heading == "Authorize this application?"


async def test_exactly_the_needed_scopes_are_asked_for(browser):
    await browser.open("/connect/drchrono")
    consent = await browser.signs_in(OPERATOR)

    assert consent.url.params["scope"] == SCOPES


async def test_allow_ends_on_a_page_that_says_who_it_is_and_what_that_can_do(browser):
    await browser.open("/connect/drchrono")
    await browser.signs_in(OPERATOR)

    connected = await browser.presses("Allow")

    assert (connected.status, connected.heading) == (200, "Connected as fixture.provider")
    assert "Practice group 510001" in connected.text
    assert "Doctor Fixture Provider MD" in connected.text
    assert [can for can in CAN if can not in connected.text] == []
    assert "cannot" not in connected.text


async def test_the_overview_shows_whose_consent_is_held(browser):
    await browser.open("/connect/drchrono")
    await browser.signs_in(OPERATOR)
    await browser.presses("Allow")

    overview = await browser.follows("Connections")

    assert "DrChrono OK" in overview.text
    assert "fixture.provider" in overview.text


async def test_a_pair_is_kept_with_user_practice_scopes_and_expiry(unjoined):
    await unjoined.connects()

    stored = await VendorTokens(unjoined.runtime.database, unjoined.runtime.vault, Side.DRCHRONO).read()
    (row,) = await unjoined.rows(connections)

    assert stored.token["account"]["username"] == "fixture.provider"
    assert (stored.practice, stored.token["account"]["practice"]) == ("510001", "510001")
    assert stored.token["scope"] == SCOPES
    lives = row.expires_at - unjoined.runtime.now()
    assert 172_700 < lives.total_seconds() <= 172_800


async def test_nothing_of_the_pair_lies_in_the_database_in_clear(unjoined):
    await unjoined.connects()
    pair = (await VendorTokens(unjoined.runtime.database, unjoined.runtime.vault, Side.DRCHRONO).read()).token

    stored = await everything_stored(unjoined)

    secret = {name: pair[name] for name in ("access_token", "refresh_token")} | {"user": "fixture.provider"}
    assert [name for name, value in secret.items() if value.encode() in stored] == []


async def test_a_waiting_pair_lies_in_the_database_sealed_too(unjoined):
    unjoined.breaks("drchrono", "GET /api/users/current", "error", status=503)

    await unjoined.connects()

    (row,) = await unjoined.rows(connections)
    pair = unjoined.runtime.vault.open(row.pending, SealedColumn.CONNECTION_PENDING.of("drchrono"))
    assert pair["access_token"].encode() not in await everything_stored(unjoined)


async def test_state_and_cookie_of_a_consent_under_way_are_kept_as_hashes_only(unjoined, browser):
    await browser.open("/connect/drchrono")
    consent = await browser.signs_in(OPERATOR)

    stored = await everything_stored(unjoined)

    assert len(await unjoined.rows(consents)) == 1
    assert consent.url.params["state"].encode() not in stored
    assert browser.cookie("__Host-chronobridge_consent").value.encode() not in stored
    assert browser.cookie("__Host-chronobridge_session").value.encode() not in stored


async def test_cancel_has_a_page_of_its_own_and_stores_nothing(unjoined, browser):
    await browser.open("/connect/drchrono")
    await browser.signs_in(OPERATOR)

    cancelled = await browser.presses("Cancel")

    assert (cancelled.status, cancelled.heading) == (403, "Consent was not given")
    assert "Start again" in cancelled.links
    assert await unjoined.rows(connections) == []


async def test_a_scope_that_was_not_granted_is_named_with_what_cannot_be_done(unjoined):
    less = SCOPES.replace(" clinical:write", "").replace(" user:read", "")

    page = await unjoined.connects(scope=less)

    assert "It cannot see and write appointments." in page.text
    assert "Scopes that were not granted: <code>clinical:write</code>." in page.text
    assert "<code>user:read</code>" in page.text
    assert "It can see and write patients." in page.text


async def test_drchrono_not_saying_which_scopes_it_granted_is_no_complaint(unjoined):
    unjoined.drchrono.put("/_control/settings", json={"token_scope_key": False})

    page = await unjoined.connects()

    assert "It cannot" not in page.text


@pytest.mark.parametrize(
    ("permission", "cannot"),
    [
        ("create_and_update_patients", "see and write patients"),
        ("access_scheduling", "see and write appointments"),
        ("access_clinical_notes", "see and write appointments"),
    ],
)
async def test_a_permission_the_user_lacks_in_drchrono_is_named_with_what_cannot_be_done(unjoined, permission, cannot):
    unjoined.drchrono.put("/_control/users/610001", json={"permissions": {permission: False}})

    page = await unjoined.connects()

    assert "Connected as" in page.text
    assert f"It cannot {cannot}." in page.text
    assert f"Permissions this user lacks in DrChrono: <code>{permission}</code>." in page.text


async def test_without_share_patients_a_warning_says_what_will_not_be_seen(unjoined):
    unjoined.drchrono.put("/_control/users/610001", json={"permissions": {"share_patients": False}})

    page = await unjoined.connects()

    assert "It cannot" not in page.text
    assert "patients and appointments of the practice's other doctors will not be synced" in page.text


async def test_a_doctor_who_is_not_shown_is_no_obstacle(unjoined):
    page = await unjoined.connects(scope=SCOPES.removesuffix(" user:read"))

    assert "Connected as fixture.provider" in page.text
    assert "not shown to this user" in page.text


async def test_old_states_are_forgotten_when_new_ones_are_made(unjoined):
    bearer = {"authorization": f"Bearer {OPERATOR}"}
    await unjoined.web.get("/connect/drchrono", headers=bearer)
    await unjoined.time_passes(timedelta(minutes=11))

    await unjoined.web.get("/connect/drchrono", headers=bearer)

    assert len(await unjoined.rows(consents)) == 1
