"""The check of Salesforce: each thing broken in turn, the line that says so, and what to do about it."""

import ssl

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.operations.health.model import CheckState
from tests.flow.checked import changed, found, line, reds
from tests.standins.salesforce.app import create_app as salesforce_app
from tests.standins.salesforce.org import Credentials
from tests.standins.salesforce.tls import throwaway
from tests.standins.serve import running

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here
USER = "sync@clinic.example"


def org_says(vendors, **settings):
    vendors.salesforce.put("/_control/settings", json=settings)


def mapping(findings):
    return [one for one in findings if one.name == "mapping: patient" and one.state is not CheckState.OK]


async def test_an_org_that_fits_is_told_line_by_line(known, empty_vendors):
    findings = await found(known)

    assert line(findings, "salesforce token").says == "given, by client credentials"
    assert line(findings, "salesforce org").says == "00DSYN0000000012BA, as in the settings"
    assert line(findings, "salesforce version").says == "API 67.0"
    assert line(findings, "mapping: patient").says == "Contact: 14 fields and DrChrono_Patient_Id__c fit"


async def test_settings_that_are_not_there_are_asked_for(known, empty_vendors):
    none = dict.fromkeys(("salesforce_client_id", "salesforce_client_secret", "salesforce_org_id"))

    findings = await found(changed(known, **none, salesforce_login_url=None))

    assert "SALESFORCE_LOGIN_URL" in line(findings, "salesforce").fix


async def test_a_wrong_secret_names_the_setting(known, empty_vendors):
    token = line(await found(changed(known, salesforce_client_secret="wrong-secret")), "salesforce token")

    assert (token.state, "invalid_client" in token.says) == (CheckState.RED, True)
    assert "SALESFORCE_CLIENT_SECRET" in token.fix
    assert "wrong-secret" not in token.says + token.fix


async def test_a_wrong_client_id_names_the_setting(known, empty_vendors):
    token = line(await found(changed(known, salesforce_client_id="another-app")), "salesforce token")

    assert "SALESFORCE_CLIENT_ID" in token.fix


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        ("invalid_client_id", "SALESFORCE_CLIENT_ID"),
        ("invalid_client", "SALESFORCE_CLIENT_SECRET"),
        ("invalid_grant", "pre-authorize the user"),
        ("inactive_user", "activate the integration user"),
        ("invalid_app_access", "let the integration user use the app"),
        ("something_new", "check the app, its policies"),
    ],
)
async def test_every_refusal_of_a_sign_in_has_its_fix(known, empty_vendors, error, fix):
    org_says(empty_vendors, login_error=error)

    token = line(await found(known), "salesforce token")

    assert (token.state, error in token.says, fix in token.fix) == (CheckState.RED, True, True)


@pytest.mark.parametrize(
    "fault",
    [{"do": "error", "status": 503}, {"do": "drop_before"}, {"do": "error", "status": 200, "body": "<html>"}],
    ids=["503", "dropped", "html"],
)
async def test_an_org_that_does_not_answer_is_not_said_to_refuse(known, empty_vendors, fault):
    empty_vendors.salesforce.post("/_control/faults", json={"match": "POST /services/oauth2/token", **fault})

    token = line(await found(known), "salesforce token")

    assert (token.state, "does not answer" in token.says) == (CheckState.RED, True)
    assert "SALESFORCE_LOGIN_URL" in token.fix


async def test_a_login_into_another_org_is_told_and_goes_no_further(known, empty_vendors):
    org_says(empty_vendors, foreign_org=True)

    findings = await found(known)

    assert line(findings, "salesforce org").state is CheckState.RED
    assert "SALESFORCE_ORG_ID" in line(findings, "salesforce org").fix
    assert mapping(findings) == []


async def test_a_version_the_org_does_not_offer_is_told_with_those_it_does(known, empty_vendors):
    org_says(empty_vendors, versions=["64.0", "65.0", "66.0"])

    version = line(await found(known), "salesforce version")

    assert (version.state, "64.0, 65.0, 66.0" in version.says) == (CheckState.RED, True)
    assert version.fix == "set SALESFORCE_API_VERSION to one of them; 66.0 is the newest"


async def test_a_version_the_org_does_not_offer_is_the_only_complaint(known, empty_vendors):
    org_says(empty_vendors, versions=["66.0"])

    assert list(reds([one for one in await found(known) if "salesforce" in one.name])) == ["salesforce version"]


@pytest.mark.parametrize(("daily", "state"), [(1, CheckState.RED), (1_000, CheckState.OK)])
async def test_the_orgs_calls_are_told(known, empty_vendors, daily, state):
    org_says(empty_vendors, daily_calls=daily)

    calls = line(await found(known), "salesforce calls")

    assert (calls.state, f"of {daily:,} left" in calls.says) == (state, True)
    assert state is CheckState.OK or "uses them up" in calls.fix


async def test_few_calls_left_are_a_warning(known, empty_vendors):
    org = empty_vendors.salesforce
    ours = {"client_id": "standin-client-id", "client_secret": "standin-client-secret"}
    token = org.post("/services/oauth2/token", data={"grant_type": "client_credentials", **ours}).json()["access_token"]
    for _ in range(18):
        org.get("/services/data/v67.0/limits", headers={"authorization": f"Bearer {token}"})
    org_says(empty_vendors, daily_calls=20)

    calls = line(await found(known), "salesforce calls")

    assert (calls.state, "uses them up" in calls.fix) == (CheckState.WARNING, True)


async def test_an_org_without_any_call_left_is_told_as_such(known, empty_vendors):
    org_says(empty_vendors, daily_calls=0)

    told = " ".join(reds(await found(known)).values())

    assert "uses them up" in told
    assert "give the integration user API access" not in told


@pytest.fixture(scope="module")
def org_of_a_key(tmp_path_factory):
    """An org that knows a user by the certificate of their key."""
    folder = tmp_path_factory.mktemp("key")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*private))
    app = salesforce_app(credentials=Credentials(username=USER, public_key=public))
    with (
        throwaway(folder / "ca.pem") as files,
        running(app, ssl_certfile=files.certificate, ssl_keyfile=files.key) as url,
        httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=str(folder / "ca.pem"))),
    ):
        yield {
            "salesforce_login_url": url, "salesforce_client_secret": None, "salesforce_username": USER,
            "salesforce_private_key_file": folder / "key.pem", "ca_bundle": folder / "ca.pem",
        }  # fmt: skip


async def test_signing_in_by_jwt_is_proven_too(known, org_of_a_key):
    findings = await found(changed(known, **org_of_a_key))

    assert line(findings, "salesforce token").says == "given, by JWT bearer"
    assert line(findings, "mapping: patient").state is CheckState.OK


async def test_a_user_the_org_does_not_know_is_told_by_jwt(known, org_of_a_key):
    findings = await found(changed(known, **org_of_a_key | {"salesforce_username": "nobody@clinic.example"}))

    assert "refused, by JWT bearer (invalid_grant)" in line(findings, "salesforce token").says
