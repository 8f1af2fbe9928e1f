"""The check of DrChrono: each thing broken in turn, the line that says so, and what to do about it."""

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from app.operations.health.model import CheckState
from app.ports import SealedColumn
from app.store.tables import connections, lane_calls
from tests.flow.checked import changed, found, line, reds
from tests.flow.clinic import OPERATOR, opened

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here
BEARER = {"authorization": f"Bearer {OPERATOR}"}
ADDRESS = "https://sync.example.com/connect/drchrono"
SCOPES = "patients:read patients:write calendar:read calendar:write clinical:read clinical:write user:read"


def may_not(clinic, *permissions):
    clinic.drchrono.put("/_control/users/610001", json={"permissions": dict.fromkeys(permissions, False)})


async def test_a_user_who_may_do_everything_is_named_with_their_practice(clinic, known):
    findings = await found(known)

    assert line(findings, "drchrono user").says == "fixture.provider, practice group 510001"
    assert [name for name in reds(findings) if "drchrono" in name or "zones" in name] == []


async def test_settings_that_are_not_there_are_asked_for(clinic, known):
    none = {"drchrono_client_id": None, "drchrono_client_secret": None, "drchrono_webhook_secrets": ()}

    findings = await found(changed(known, **none))

    missing = "DRCHRONO_CLIENT_ID, DRCHRONO_CLIENT_SECRET and DRCHRONO_WEBHOOK_SECRETS"
    assert line(findings, "drchrono").fix == f"set {missing}"
    assert "webhook" not in {finding.name for finding in findings}, "what cannot be is left out"


@pytest.mark.parametrize(
    ("secret", "state", "says"),
    [
        (
            "standin-sign-in-secret",
            CheckState.OK,
            "the application is known; https://sync.example.com/login/drchrono/callback must be its redirect address",
        ),
        ("another", CheckState.RED, "DrChrono refused the application that staff sign in by"),
    ],
    ids=["right", "wrong"],
)
async def test_the_application_that_staff_sign_in_by_is_tried(clinic, known, secret, state, says):
    application = {"drchrono_sign_in_client_id": "standin-sign-in", "drchrono_sign_in_client_secret": secret}

    tried = line(await found(changed(known, **application, drchrono_roles="staff=viewer")), "drchrono sign-in")

    assert (tried.state, tried.says) == (state, says)


async def test_a_practice_nobody_connected_has_the_address_to_open(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False):
        token = line(await found(known), "drchrono token")

    assert (token.state, token.says, token.fix) == (
        CheckState.RED,
        "nobody has connected the practice",
        f"open {ADDRESS}",
    )


async def test_a_practice_that_was_disconnected_has_the_address_to_open(clinic, known):
    await clinic.web.post("/disconnect/drchrono", headers=BEARER)

    assert line(await found(known), "drchrono token").fix == f"open {ADDRESS}"


async def test_tokens_that_drchrono_refuses_say_where_to_connect_anew(clinic, known):
    clinic.drchrono.post("/_control/tokens/revoke")

    token = line(await found(known), "drchrono token")

    assert (token.state, token.says) == (CheckState.RED, "DrChrono refused it (invalid_grant)")
    assert token.fix == f"connect the practice anew at {ADDRESS}"


@pytest.mark.parametrize("status", [400, 401])
async def test_an_application_that_drchrono_refuses_says_which_settings_are_wrong(clinic, known, status):
    clinic.drchrono.post("/_control/tokens/expire")
    clinic.breaks("drchrono", "POST /o/token/", "error", status=status, body={"error": "invalid_client"})

    token = line(await found(known), "drchrono token")

    assert (token.state, "DRCHRONO_CLIENT_ID or DRCHRONO_CLIENT_SECRET" in token.says) == (CheckState.RED, True)


async def test_a_token_that_expired_is_renewed_by_the_way(clinic, known):
    clinic.drchrono.post("/_control/tokens/expire")

    assert line(await found(known), "drchrono token").state is CheckState.OK
    assert clinic.drchrono.get("/_control/tokens").json()["refreshes"] == 1


@pytest.mark.parametrize(
    "fault",
    [{"do": "error", "status": 503}, {"do": "drop_before"}, {"do": "throttle"}, {"do": "error", "body": "<html>"}],
    ids=["503", "dropped", "throttled", "html"],
)
async def test_a_drchrono_that_is_away_is_no_fault_of_the_token(clinic, known, fault):
    clinic.breaks("drchrono", "GET /api/users", **fault, next=None)

    token = line(await found(known), "drchrono token")

    assert (token.state, "DrChrono does not answer" in token.says) == (CheckState.RED, True)
    assert "try again later" in token.fix


async def test_a_drchrono_at_another_address_says_which_setting_to_look_at(clinic, known):
    token = line(await found(changed(known, drchrono_base_url="http://127.0.0.1:9")), "drchrono token")

    assert "DRCHRONO_BASE_URL" in token.fix


async def test_a_redirect_to_another_host_is_no_answer_and_gets_no_token(clinic, known):
    clinic.drchrono.put("/_control/settings", json={"users_current_redirect": "elsewhere"})

    assert "OTHER_HOST" in line(await found(known), "drchrono token").says


async def test_a_user_who_moved_to_another_practice_is_told(clinic, known):
    clinic.drchrono.put("/_control/users/610001", json={"practice_group": 510901})

    user = line(await found(known), "drchrono user")

    assert user.says == "fixture.provider belongs to practice 510901, this database to practice 510001"
    assert "practice 510001" in user.fix


async def test_a_scope_that_was_not_granted_is_named(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        await clinic.connects(scope=SCOPES.replace("patients:write ", ""))
        scopes = line(await found(known), "drchrono scopes")

    assert (scopes.state, scopes.says) == (CheckState.RED, "not granted: patients:write")
    assert ADDRESS in scopes.fix
    assert "every box" in scopes.fix


async def test_scopes_that_drchrono_does_not_speak_of_are_no_fault(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        clinic.drchrono.put("/_control/settings", json={"token_scope_key": False})
        await clinic.connects()
        scopes = line(await found(known), "drchrono scopes")

    assert (scopes.state, "did not say" in scopes.says) == (CheckState.OK, True)


@pytest.mark.parametrize("permission", ["create_and_update_patients", "access_scheduling", "access_clinical_notes"])
async def test_a_permission_the_user_lost_since_is_named(clinic, known, permission):
    may_not(clinic, permission)

    permissions = line(await found(known), "drchrono permissions")

    assert (permissions.state, permissions.says) == (CheckState.RED, f"the user lacks: {permission}")
    assert "administrator" in permissions.fix


async def test_share_patients_missing_is_a_warning_that_says_what_is_not_seen(clinic, known):
    may_not(clinic, "share_patients")

    permissions = line(await found(known), "drchrono permissions")

    assert (permissions.state, "share_patients" in permissions.fix) == (CheckState.WARNING, True)
    assert "patients of its own doctor only" in permissions.says


async def test_share_patients_missing_is_told_also_where_more_is_missing(clinic, known):
    may_not(clinic, "share_patients", "access_scheduling")

    told = [one for one in await found(known) if one.name == "drchrono permissions"]

    assert any("share_patients" in f"{one.says} {one.fix}" for one in told)


@pytest.mark.parametrize(("limit", "state"), [(2, CheckState.RED), (500, CheckState.OK)])
async def test_calls_left_are_counted_against_the_setting(clinic, known, limit, state):
    left = line(await found(changed(known, drchrono_calls_per_hour=limit)), "drchrono calls")

    assert (left.state, f"of {limit} left" in left.says) == (state, True)
    assert state is CheckState.OK or "top of the hour" in left.fix


async def test_few_calls_left_are_a_warning(clinic, known):
    hour = int(datetime.now(UTC).timestamp()) // 3600
    made = [
        {"application": known.drchrono_client_id, "lane": "retry", "made": 455, "hour": at} for at in (hour, hour + 1)
    ]
    await clinic.runtime.database.transact(lambda connection: connection.execute(sa.insert(lane_calls), made))

    few = line(await found(changed(known, drchrono_calls_per_hour=500)), "drchrono calls")

    assert (few.state, "top of the hour" in few.fix) == (CheckState.WARNING, True)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", None, "../../etc/passwd", "US/" + "x" * 300])
async def test_a_doctors_zone_that_does_not_load_is_told_with_the_doctor(clinic, known, zone):
    clinic.drchrono.put("/_control/doctors/310001", json={"timezone": zone})

    zones = line(await found(known), "doctors' zones")

    assert (zones.state, "doctor 310001" in zones.says) == (CheckState.RED, True)
    assert len(zones.says) < 200
    assert "time zone" in zones.fix


async def test_every_doctor_whose_zone_does_not_load_has_a_line(clinic, known):
    clinic.drchrono.post("/_control/doctors", json={"last_name": "Other", "timezone": "Nowhere/At_All"})
    clinic.drchrono.put("/_control/doctors/310001", json={"timezone": "Mars/Olympus"})

    told = [one.says for one in await found(known) if one.name == "doctors' zones"]

    assert len(told) == 2


async def test_doctors_that_may_not_be_seen_name_the_scope(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        await clinic.connects(scope=SCOPES.replace(" user:read", ""))
        zones = line(await found(known), "doctors' zones")

    assert (zones.state, "user:read" in zones.fix) == (CheckState.RED, True)


async def test_doctors_that_cannot_be_listed_now_are_not_blamed_on_a_scope(clinic, known):
    clinic.breaks("drchrono", "GET /api/doctors", "error", status=503)

    assert "user:read" not in line(await found(known), "doctors' zones").fix


async def test_a_refresh_that_was_cut_off_is_told_as_such(clinic, known):
    values = {"refused_at": clinic.runtime.now(), "refused_code": "REFRESH_CUT_OFF"}
    refused = sa.update(connections).where(connections.c.side == "drchrono").values(**values)
    await clinic.runtime.database.transact(lambda connection: connection.execute(refused))

    token = line(await found(known), "drchrono token")

    assert (token.says, ADDRESS in token.fix) == ("a refresh was cut off, and DrChrono's answer was lost with it", True)


async def test_nothing_secret_stands_in_any_line(clinic, known):
    pair = clinic.runtime.vault.open(
        (await clinic.rows(connections))[0].token, SealedColumn.CONNECTION_TOKEN.of("drchrono")
    )

    told = json.dumps([(one.says, one.fix) for one in await found(known)])

    assert [name for name in ("access_token", "refresh_token") if pair[name] in told] == []
