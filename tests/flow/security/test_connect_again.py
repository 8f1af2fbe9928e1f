"""A second consent: of the same user, of another one, of another practice; and one that DrChrono will not speak of."""

from datetime import timedelta

import pytest

from app.store.tables import connections
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from tests.flow.browser import browsing
from tests.flow.clinic import OPERATOR, opened

STAFF, STRANGER = 610002, 610901
BEARER = {"authorization": f"Bearer {OPERATOR}"}
CONFIRM, DECLINE, ASK = "/connect/drchrono/confirm", "/connect/drchrono/decline", "/connect/drchrono/ask"


async def held(clinic):
    return await VendorTokens(clinic.runtime.database, clinic.runtime.vault, Side.DRCHRONO).read()


def tokens(clinic):
    return clinic.drchrono.get("/_control/tokens").json()


async def waits(clinic):
    (row,) = await clinic.rows(connections)
    return row.pending is not None


async def reads_a_doctor(clinic):
    """The service uses the token it holds."""
    return len(await clinic.runtime.drchrono.listed("/api/doctors")) == 1


async def test_the_same_user_again_replaces_the_pair_without_asking(clinic):
    before = (await held(clinic)).token

    page = await clinic.connects()

    after = (await held(clinic)).token
    assert "Connected as fixture.provider" in page.text
    assert before["refresh_token"] != after["refresh_token"]
    assert (tokens(clinic)["live"], await reads_a_doctor(clinic)) == (1, True)


async def test_another_user_of_the_practice_is_a_question_in_plain_words(clinic):
    page = await clinic.connects(user=STAFF)

    assert "Replace fixture.provider by fixture.staff?" in page.text
    assert "everything is read and written with the permissions of fixture.staff" in page.text
    assert "<code>access_clinical_notes</code>" in page.text, "what the new user cannot do"


async def test_until_the_question_is_answered_the_old_connection_works_on(clinic):
    before = (await held(clinic)).token

    await clinic.connects(user=STAFF)

    assert (await held(clinic)).token == before
    assert await reads_a_doctor(clinic)


async def test_a_yes_puts_the_new_user_in_place(clinic):
    async with browsing(clinic) as browser:
        clinic.drchrono.post("/_control/oauth/user", json={"user": STAFF})
        await browser.open("/connect/drchrono")
        await browser.signs_in(OPERATOR)
        await browser.presses("Allow")
        page = await browser.presses("Replace fixture.provider")

    assert (page.status, page.heading) == (200, "Connected as fixture.staff")
    assert ((await held(clinic)).token["account"]["user_id"], await waits(clinic)) == (str(STAFF), False)
    assert await reads_a_doctor(clinic)


async def test_a_no_keeps_the_old_user_and_gives_the_new_pair_back(clinic):
    before = (await held(clinic)).token
    async with browsing(clinic) as browser:
        clinic.drchrono.post("/_control/oauth/user", json={"user": STAFF})
        await browser.open("/connect/drchrono")
        await browser.signs_in(OPERATOR)
        await browser.presses("Allow")
        page = await browser.presses("Keep fixture.provider")

    assert page.heading == "Nothing was changed"
    assert ((await held(clinic)).token, await waits(clinic)) == (before, False)
    assert tokens(clinic)["users"] == ["fixture.provider"]


async def test_a_no_that_drchrono_did_not_hear_is_not_said_to_be_done(clinic):
    await clinic.connects(user=STAFF)
    clinic.breaks("drchrono", "POST /o/revoke_token/", "error", status=503)

    page = await clinic.web.post(DECLINE, headers=BEARER)

    assert "was given back to DrChrono" not in page.text


async def test_a_word_that_comes_after_ten_minutes_changes_nothing(clinic):
    await clinic.connects(user=STAFF)
    await clinic.time_passes(timedelta(minutes=10, seconds=1))

    page = await clinic.web.post(CONFIRM, headers=BEARER)

    assert (page.status_code, "Nothing waits for a word" in page.text) == (410, True)
    assert (await held(clinic)).token["account"]["username"] == "fixture.provider"


async def test_a_second_yes_changes_nothing(clinic):
    await clinic.connects(user=STAFF)
    await clinic.web.post(CONFIRM, headers=BEARER)
    before = await held(clinic)

    page = await clinic.web.post(CONFIRM, headers=BEARER)

    assert page.status_code == 410
    assert await held(clinic) == before


async def test_another_practice_is_refused_and_its_pair_revoked(clinic):
    before = await held(clinic)

    page = await clinic.connects(user=STRANGER)

    assert page.status_code == 409
    assert "practice 510901, but this database belongs to practice 510001" in page.text
    assert (await held(clinic), await waits(clinic)) == (before, False)
    assert tokens(clinic)["users"] == ["fixture.provider"]


async def test_another_practice_is_refused_after_a_disconnect_too(clinic):
    await clinic.web.post("/disconnect/drchrono", headers=BEARER)

    page = await clinic.connects(user=STRANGER)

    assert page.status_code == 409
    assert ((await held(clinic)).token, await waits(clinic)) == (None, False)
    assert tokens(clinic)["live"] == 0


async def test_no_word_lets_another_practice_in(clinic):
    clinic.breaks("drchrono", "GET /api/users/current", "error", status=503)
    await clinic.connects(user=STRANGER)

    page = await clinic.web.post(CONFIRM, headers=BEARER)

    assert page.status_code == 409
    assert (await held(clinic)).token["account"]["username"] == "fixture.provider"


async def test_after_a_disconnect_another_user_of_the_practice_needs_no_question(clinic):
    await clinic.web.post("/disconnect/drchrono", headers=BEARER)

    page = await clinic.connects(user=STAFF)

    assert "Connected as fixture.staff" in page.text


async def test_a_waiting_pair_that_another_consent_replaces_is_given_back(clinic):
    await clinic.connects(user=STAFF)

    await clinic.connects(user=STRANGER)

    assert tokens(clinic)["users"] == ["fixture.provider"]


@pytest.mark.parametrize("way", ["relative", "absolute"])
async def test_whoever_drchrono_redirects_us_to_on_its_own_host_is_asked(clinic, way):
    clinic.drchrono.put("/_control/settings", json={"users_current_redirect": way})

    page = await clinic.connects()

    assert "Connected as fixture.provider" in page.text


async def test_a_redirect_to_another_host_is_never_followed(known, empty_vendors):
    vendors = empty_vendors
    async with opened(known, vendors.drchrono, vendors.salesforce, connects=False) as clinic:
        clinic.drchrono.put("/_control/settings", json={"users_current_redirect": "elsewhere"})

        page = await clinic.connects()

        assert page.status_code == 502
        assert "OTHER_HOST" in page.text
        assert (await held(clinic)).token is None


async def test_when_drchrono_does_not_say_who_consented_the_pair_waits_and_the_next_try_ends_well(clinic):
    clinic.drchrono.post("/_control/oauth/user", json={"user": "610001"})
    clinic.breaks("drchrono", "GET /api/users/current", "error", status=503)
    async with browsing(clinic) as browser:
        await browser.open("/connect/drchrono")
        await browser.signs_in(OPERATOR)
        unknown = await browser.presses("Allow")
        waited = await waits(clinic)
        page = await browser.presses("Ask again")

    assert (unknown.status, unknown.heading) == (502, "DrChrono does not say who consented")
    assert (waited, await waits(clinic)) == (True, False)
    assert page.heading == "Connected as fixture.provider"


async def test_a_pair_nobody_speaks_for_can_be_given_back(clinic):
    clinic.breaks("drchrono", "GET /api/users/current", "error", status=503)
    await clinic.connects(user=STAFF)

    await clinic.web.post(DECLINE, headers=BEARER)

    assert (await waits(clinic), tokens(clinic)["users"]) == (False, ["fixture.provider"])


async def test_asking_again_who_consented_still_asks_before_another_user_takes_over(clinic):
    clinic.breaks("drchrono", "GET /api/users/current", "error", status=503)
    await clinic.connects(user=STAFF)

    page = await clinic.web.post(ASK, headers=BEARER)

    assert "Replace fixture.provider by fixture.staff?" in page.text
    assert (await held(clinic)).token["account"]["username"] == "fixture.provider"


async def test_a_name_with_markup_in_it_is_shown_as_text(clinic):
    evil = "<script>alert(1)</script>"
    clinic.drchrono.put(f"/_control/users/{STAFF}", json={"username": evil})

    asked = await clinic.connects(user=STAFF)
    connected = await clinic.web.post(CONFIRM, headers=BEARER)
    overview = await clinic.web.get("/connections", headers=BEARER)

    pages = [asked.text, connected.text, overview.text]
    assert [page for page in pages if "<script>" in page or "&lt;script&gt;alert(1)&lt;/script&gt;" not in page] == []
