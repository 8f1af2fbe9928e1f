"""DrChrono refuses our tokens: the side waits, no attempts are spent, and connecting anew sets all of it going."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from app.ports import SealedColumn
from app.store.encryption import Vault
from app.store.tables import audit, connections
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from tests.flow.clinic import CONFIRM_AFTER, OPERATOR

BEARER = {"authorization": f"Bearer {OPERATOR}"}
ADDRESS = "https://sync.example.com/connect/drchrono"
LATER = timedelta(hours=1)
CONFIRMED = CONFIRM_AFTER + timedelta(seconds=1)


@pytest.fixture
async def doubts(clinic):
    """Six linked patients whose names changed; each needs a GET before that travels, and its time has come again."""
    patients = [await clinic.registers(first_name=f"Ada{n}", last_name="Test") for n in range(6)]
    for patient in patients:
        await clinic.delivers(patient)
    await clinic.settles()
    told = [await clinic.edits(patient, last_name="Wed") for patient in patients]
    clinic.breaks("drchrono", "GET /api/patients", "throttle", next=len(told))
    for one in told:
        await clinic.delivers(one)
    await clinic.settles()
    clinic.drchrono.delete("/_control/faults")
    await clinic.time_passes(2 * LATER)
    clinic.drchrono.delete("/_control/calls")
    return patients


def grants_asked(clinic):
    return clinic.calls("drchrono", "POST /o/token/")


def last_names(clinic):
    return [contact["LastName"] for contact in clinic.contacts()]


async def drchrono_health(clinic):
    await clinic.app.state.health.look()
    return (await clinic.web.get("/healthz")).json()["parts"]["drchrono"]


def revoked(clinic):
    clinic.drchrono.post("/_control/tokens/revoke")


def refused(status):
    def application(clinic):
        clinic.drchrono.post("/_control/tokens/expire")
        body = {"error": "invalid_client"}
        clinic.breaks("drchrono", "POST /o/token/", "error", status=status, body=body, next=50)

    return application


ways = pytest.mark.parametrize(
    "refuses", [revoked, refused(400), refused(401)], ids=["revoked", "application-400", "application-401"]
)


@ways
async def test_a_refusal_spends_nobodys_attempts_and_fails_no_record(clinic, doubts, refuses):
    refuses(clinic)

    for _ in range(4):
        await clinic.settles()
        await clinic.time_passes(LATER)

    waiting = [await clinic.link(patient) for patient in doubts]
    assert {(link.attempts, link.last_error, link.due_at is None) for link in waiting} == {
        (0, "drchrono_paused", False)
    }
    assert await clinic.failures() == []


@ways
async def test_however_many_records_wait_one_grant_is_asked_for(clinic, doubts, refuses):
    refuses(clinic)

    for _ in range(4):
        await clinic.settles()
        await clinic.time_passes(LATER)

    assert grants_asked(clinic) == 1


@pytest.mark.parametrize(
    ("refuses", "says"),
    [(revoked, "invalid_grant"), (refused(401), "DRCHRONO_CLIENT_ID and DRCHRONO_CLIENT_SECRET")],
    ids=["revoked", "application"],
)
async def test_health_says_what_drchrono_refused_and_what_to_open(clinic, doubts, refuses, says):
    refuses(clinic)
    await clinic.settles()

    part = await drchrono_health(clinic)

    assert part["state"] == "down"
    assert says in part["advice"]
    assert ADDRESS in part["advice"]


async def test_the_page_of_connections_says_so_too(clinic, doubts):
    revoked(clinic)
    await clinic.settles()

    page = await clinic.web.get("/connections", headers=BEARER)

    assert "DrChrono refused our tokens (invalid_grant)" in page.text
    assert "Reconnect" in page.text


@ways
async def test_after_connecting_anew_everything_goes_on_without_a_delivery_or_a_wait(clinic, doubts, refuses):
    refuses(clinic)
    await clinic.settles()
    before = last_names(clinic)
    clinic.drchrono.delete("/_control/faults")

    await clinic.connects()
    await clinic.settles()

    assert (before, last_names(clinic)) == (["Test"] * 6, ["Wed"] * 6)
    assert (await drchrono_health(clinic))["state"] == "ok"


async def test_while_drchrono_refuses_what_needs_no_look_there_flows_on(clinic, doubts):
    revoked(clinic)
    await clinic.settles()

    await clinic.arrives(await clinic.registers(first_name="New", last_name="Patient"))

    assert "Patient" in last_names(clinic)


async def test_a_consent_of_another_practice_sets_nothing_going(clinic, doubts):
    revoked(clinic)
    await clinic.settles()

    await clinic.connects(user=610901)
    await clinic.settles()

    assert last_names(clinic) == ["Test"] * 6


async def test_a_pair_that_dies_by_a_newer_consent_elsewhere_is_a_refusal_as_well(clinic, doubts):
    asked = {"redirect_uri": "https://sync.example.com/connect/drchrono/callback"}
    code = clinic.drchrono.post("/_control/oauth/code", json=asked).json()["code"]
    ours = {"client_id": "standin-client", "client_secret": "standin-secret"}
    clinic.drchrono.post("/o/token/", data={"grant_type": "authorization_code", "code": code, **asked, **ours})

    await clinic.settles()

    assert (await drchrono_health(clinic))["state"] == "down"


async def test_a_drchrono_that_is_away_is_no_refusal(clinic, doubts):
    clinic.breaks("drchrono", "GET /api/patients", "error", status=503, next=6)

    await clinic.settles()
    health = await drchrono_health(clinic)
    for _ in range(
        8
    ):  # left alone after some failures it is asked by one call at a time: six fail, one is well, all go
        await clinic.time_passes(LATER)
        await clinic.settles()

    assert health["state"] == "down"
    assert "calls in a row" in health["advice"], "it does not answer, and has refused nothing"
    assert (await drchrono_health(clinic))["state"] == "ok"
    assert last_names(clinic) == ["Wed"] * 6


async def test_disconnecting_revokes_at_drchrono_and_forgets_here(clinic):
    answer = await clinic.web.post("/disconnect/drchrono", headers=BEARER)

    stored = await VendorTokens(clinic.runtime.database, clinic.runtime.vault, Side.DRCHRONO).read()
    tokens = clinic.drchrono.get("/_control/tokens").json()
    assert (answer.status_code, "Disconnected" in answer.text) == (200, True)
    assert (stored.token, tokens["live"], tokens["revocations"]) == (None, 0, 1)
    assert [(row.token, row.pending) for row in await clinic.rows(connections)] == [(None, None)]


@pytest.mark.parametrize("is_confirmed", [True, False])
async def test_a_script_disconnects_as_the_page_does_and_is_told_whether_drchrono_confirmed_it(clinic, is_confirmed):
    if not is_confirmed:
        clinic.breaks("drchrono", "POST /o/revoke_token/", "error", status=503)
    (before, _) = (await clinic.web.get("/api/v1/connections", headers=BEARER)).json()["items"]

    answer = await clinic.web.post("/api/v1/connections/drchrono/disconnect", headers=BEARER)

    (after, _) = (await clinic.web.get("/api/v1/connections", headers=BEARER)).json()["items"]
    assert (answer.status_code, answer.json()) == (200, {"revoked": is_confirmed})
    assert (before["has_token"], after["has_token"]) == (True, False)
    assert after["connect_url"] == "https://sync.example.com/connect/drchrono"
    assert [(row.action, row.about) for row in await clinic.rows(audit)][-1] == ("disconnect", "drchrono")


async def test_disconnecting_forgets_a_pair_that_waits_as_well(clinic):
    await clinic.connects(user=610002)

    await clinic.web.post("/disconnect/drchrono", headers=BEARER)

    assert [(row.token, row.pending) for row in await clinic.rows(connections)] == [(None, None)]


async def test_disconnecting_gives_a_pair_that_waits_back_as_well(clinic):
    await clinic.connects(user=610002)

    await clinic.web.post("/disconnect/drchrono", headers=BEARER)

    assert clinic.drchrono.get("/_control/tokens").json()["live"] == 0


async def test_a_revocation_drchrono_did_not_confirm_is_forgotten_here_and_said(clinic):
    clinic.breaks("drchrono", "POST /o/revoke_token/", "error", status=503)

    answer = await clinic.web.post("/disconnect/drchrono", headers=BEARER)

    stored = await VendorTokens(clinic.runtime.database, clinic.runtime.vault, Side.DRCHRONO).read()
    assert stored.token is None
    assert "did not confirm" in answer.text


async def test_after_a_disconnect_deliveries_are_kept_and_what_needs_drchrono_waits(clinic, doubts):
    await clinic.web.post("/disconnect/drchrono", headers=BEARER)

    answered = await clinic.delivers(await clinic.edits(doubts[0], first_name="Eve"))
    await clinic.settles()

    assert answered == 200
    assert last_names(clinic) == ["Test"] * 6
    assert (await clinic.link(doubts[1])).attempts == 0
    assert (await drchrono_health(clinic))["state"] == "not_connected"


async def test_connecting_after_a_disconnect_sets_what_waited_going(clinic, doubts):
    await clinic.web.post("/disconnect/drchrono", headers=BEARER)
    await clinic.settles()

    await clinic.connects()
    await clinic.settles()

    assert last_names(clinic) == ["Wed"] * 6


async def test_without_the_key_of_its_tokens_the_page_says_which_setting_to_mend(clinic):
    foreign = sa.update(connections).values(
        token=Vault((Fernet.generate_key(),)).seal({}, SealedColumn.CONNECTION_TOKEN.of("drchrono"))
    )
    await clinic.runtime.database.transact(lambda connection: connection.execute(foreign))

    answer = await clinic.web.get("/connections", headers=BEARER)

    assert answer.status_code == 200
    assert "ENCRYPTION_KEYS" in answer.text
