"""Our clients against the stand-ins: every call we make, and every way it may end."""

import ssl
from types import SimpleNamespace

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.errors import OutcomeUnknown, Rejected, Unauthorized, Unavailable
from app.store.connections import Connections
from app.sync.records import Side
from app.vendors import http
from app.vendors.drchrono.client import DrChrono
from app.vendors.salesforce.client import Salesforce
from app.vendors.salesforce.oauth import Credentials, SalesforceGrant
from app.vendors.salesforce.wire import RecordRefused, Saved
from tests.standins.drchrono.app import create_app as drchrono_app
from tests.standins.salesforce.app import create_app as salesforce_app
from tests.standins.salesforce.org import Credentials as OrgCredentials
from tests.standins.salesforce.tls import throwaway
from tests.standins.serve import running

USER = "sync@clinic.example"
FIELDS = ("FirstName", "LastName", "Email")
REDIRECT = "http://127.0.0.1/callback"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def org(key, tmp_path_factory):
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    public = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    app = salesforce_app(credentials=OrgCredentials(username=USER, public_key=public))
    with (
        throwaway(ca_file) as files,
        running(app, ssl_certfile=files.certificate, ssl_keyfile=files.key) as url,
        httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=str(ca_file))) as control,
    ):
        yield SimpleNamespace(url=url, ca_file=ca_file, control=control)


def credentials(org, **more):
    given = {
        "login_url": org.url, "client_id": "standin-client-id", "client_secret": "standin-client-secret",
        "username": None, "private_key": None, "org_id": "00DSYN000000001",
    }  # fmt: skip
    return Credentials(**(given | more))


@pytest.fixture
async def salesforce(org, database, vault):
    org.control.post("/_control/reset")
    context = http.trusted(org.ca_file)
    client = Salesforce(
        SalesforceGrant(credentials(org), context), Connections(database, vault, Side.SALESFORCE), context, "67.0"
    )
    yield client
    await client.close()


async def test_records_are_read_by_id_and_by_external_id_in_one_call_each(salesforce, org):
    first = org.control.post("/_control/records/Contact", json={"LastName": "A", "DrChrono_Patient_Id__c": "1"}).json()
    org.control.post("/_control/records/Contact", json={"LastName": "B", "DrChrono_Patient_Id__c": "it's \\ 2"})

    found = await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [first["Id"]], ["it's \\ 2", "absent"])

    assert sorted(record["LastName"] for record in found) == ["A", "B"]
    assert all(record["SystemModstamp"] for record in found)


async def test_a_list_too_long_for_one_address_is_read_in_parts(salesforce, org):
    ids = [f"{n:03d}" + "x" * 60 for n in range(200)]
    org.control.post("/_control/records/Contact", json={"LastName": "Last", "DrChrono_Patient_Id__c": ids[-1]})

    found = await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ids)

    assert [record["LastName"] for record in found] == ["Last"]


async def test_an_upsert_answers_for_each_record_in_order(salesforce):
    records = [{"DrChrono_Patient_Id__c": "1", "LastName": "A"}, {"DrChrono_Patient_Id__c": "2", "FirstName": "NoLast"}]

    first, second = await salesforce.upsert("Contact", "DrChrono_Patient_Id__c", records)

    assert (type(first), first.created) == (Saved, True)
    assert second == RecordRefused("REQUIRED_FIELD_MISSING", ("LastName",))


async def test_an_update_by_id_of_a_deleted_record_is_refused_and_brings_nothing_back(salesforce, org):
    contact = org.control.post("/_control/records/Contact", json={"LastName": "A"}).json()["Id"]
    org.control.delete(f"/_control/records/Contact/{contact}")

    (answer,) = await salesforce.update("Contact", [{"id": contact, "LastName": "B"}])

    assert isinstance(answer, RecordRefused)
    assert org.control.get("/_control/records/Contact").json()["records"] == []


async def test_an_alert_type_duplicate_rule_does_not_stop_a_keyed_create_but_a_blocking_one_does(salesforce, org):
    same = {"LastName": "A", "FirstName": "B", "Birthdate": "1980-01-01"}
    org.control.post("/_control/records/Contact", json=same)

    org.control.put("/_control/settings", json={"duplicate_rule": "alert"})
    (alerted,) = await salesforce.upsert("Contact", "DrChrono_Patient_Id__c", [{"DrChrono_Patient_Id__c": "1", **same}])
    org.control.put("/_control/settings", json={"duplicate_rule": "block"})
    (blocked,) = await salesforce.upsert("Contact", "DrChrono_Patient_Id__c", [{"DrChrono_Patient_Id__c": "2", **same}])

    assert isinstance(alerted, Saved)
    assert blocked == RecordRefused("DUPLICATES_DETECTED")


@pytest.mark.parametrize(
    ("fault", "on_read", "on_write"),
    [
        ({"do": "error", "status": 503, "body": [{"errorCode": "SERVER_UNAVAILABLE"}]}, Unavailable, Unavailable),
        ({"do": "error", "status": 500, "body": [{"errorCode": "UNKNOWN_EXCEPTION"}]}, Unavailable, OutcomeUnknown),
        ({"do": "error", "status": 502, "body": "<html>bad gateway</html>"}, Unavailable, OutcomeUnknown),
        ({"do": "throttle"}, Unavailable, Unavailable),
        ({"do": "error", "status": 400, "body": [{"errorCode": "INVALID_FIELD"}]}, Rejected, Rejected),
        ({"do": "error", "status": 403, "body": [{"errorCode": "API_DISABLED_FOR_ORG"}]}, Unauthorized, Unauthorized),
        ({"do": "drop_before"}, Unavailable, OutcomeUnknown),
        ({"do": "drop_after_commit"}, Unavailable, OutcomeUnknown),
        ({"do": "error", "status": 200, "body": "<html>maintenance</html>"}, None, OutcomeUnknown),
    ],
    ids=["503", "500", "html-502", "limits", "400", "disabled", "dropped", "dropped-after", "html-200"],
)
async def test_every_bad_answer_becomes_one_of_our_errors(salesforce, org, fault, on_read, on_write):
    record = [{"DrChrono_Patient_Id__c": "1", "LastName": "A"}]
    if on_read is not None:
        org.control.post("/_control/faults", json={"match": "GET /services/data", "next": 1, **fault})
        with pytest.raises(on_read):
            await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])
    org.control.post("/_control/faults", json={"match": "PATCH /services/data", "next": 1, **fault})

    with pytest.raises(on_write):
        await salesforce.upsert("Contact", "DrChrono_Patient_Id__c", record)


async def test_a_port_nobody_listens_on_is_unavailable_and_never_unknown(salesforce, org, database, vault):
    context = http.trusted(org.ca_file)
    await salesforce.broker.current()
    await salesforce.broker.replace({"access_token": "t", "instance_url": "https://127.0.0.1:9"})
    elsewhere = SalesforceGrant(credentials(org, login_url="https://127.0.0.1:9"), context)
    client = Salesforce(elsewhere, Connections(database, vault, Side.SALESFORCE), context, "67.0")

    with pytest.raises(Unavailable):
        await client.upsert("Contact", "DrChrono_Patient_Id__c", [{"DrChrono_Patient_Id__c": "1"}])
    await client.close()


async def test_a_session_that_expires_is_renewed_once_for_everybody(salesforce, org):
    await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])
    org.control.post("/_control/sessions/expire")

    await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])

    assert org.control.get("/_control/sessions").json()["logins"] == 2


async def test_we_sign_in_by_jwt_with_our_key(org, key, database, vault):
    org.control.post("/_control/reset")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    context = http.trusted(org.ca_file)
    grant = SalesforceGrant(credentials(org, client_secret=None, username=USER, private_key=pem), context)
    client = Salesforce(grant, Connections(database, vault, Side.SALESFORCE), context, "67.0")

    assert await client.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"]) == []
    await client.close()


async def test_a_token_of_another_org_is_never_used(org, database, vault):
    context = http.trusted(org.ca_file)
    grant = SalesforceGrant(credentials(org, org_id="00DOTHER00000001"), context)
    client = Salesforce(grant, Connections(database, vault, Side.SALESFORCE), context, "67.0")

    with pytest.raises(Unauthorized, match="OTHER_ORG"):
        await client.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])
    await client.close()


@pytest.fixture
async def practice(database, vault):
    with running(drchrono_app()) as url, httpx.Client(base_url=url) as control:
        store = Connections(database, vault, Side.DRCHRONO)
        client = DrChrono(url, "standin-client", "standin-secret", store, http.trusted(None))
        code = control.post("/_control/oauth/code", json={"redirect_uri": REDIRECT}).json()["code"]
        await client.connect(code, REDIRECT)
        yield SimpleNamespace(client=client, control=control, store=store)
        await client.close()


async def test_a_patient_is_read_as_it_is_now_and_none_when_it_is_gone(practice):
    patient = practice.control.post("/_control/patients?silent=true", json={"first_name": "Ada"}).json()

    there = await practice.client.read("/api/patients", str(patient["id"]))
    gone = await practice.client.read("/api/patients", "1")

    assert (there["first_name"], gone) == ("Ada", None)


async def test_an_access_token_that_expired_is_refreshed_and_the_new_pair_stored(practice):
    patient = practice.control.post("/_control/patients?silent=true", json={}).json()
    before = await practice.store.read()
    practice.control.post("/_control/tokens/expire")

    await practice.client.read("/api/patients", str(patient["id"]))

    after = await practice.store.read()
    assert after.version == before.version + 1
    assert after.token["refresh_token"] != before.token["refresh_token"]
    assert practice.control.get("/_control/tokens").json()["reuses"] == 0


async def test_a_revoked_connection_pauses_the_side_and_is_not_asked_again(practice):
    practice.control.post("/_control/tokens/revoke")

    for _ in range(3):
        with pytest.raises(Unauthorized):
            await practice.client.read("/api/patients", "1")

    calls = practice.control.get("/_control/calls").json()["counts"]
    assert sum(count for name, count in calls.items() if "/o/token" in name) == 2, "the connect, and one refusal"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"do": "throttle"}, Unavailable),
        ({"do": "error", "status": 500, "body": "<html>"}, Unavailable),
        ({"do": "error", "status": 403, "body": {"detail": "no"}}, Rejected),
        ({"do": "error", "status": 302, "body": ""}, Rejected),
        ({"do": "drop_before"}, Unavailable),
    ],
    ids=["429", "html-500", "403", "redirect", "dropped"],
)
async def test_every_bad_answer_of_drchrono_becomes_one_of_our_errors(practice, fault, expected):
    practice.control.post("/_control/faults", json={"match": "GET /api/patients", "next": 1, **fault})

    with pytest.raises(expected) as raised:
        await practice.client.read("/api/patients", "1")

    assert getattr(raised.value, "retry_in_s", None) is None or raised.value.retry_in_s > 0
