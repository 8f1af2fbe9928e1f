"""Our sign-in to Salesforce against the stand-in: one for many, none to another org, no storm when it is refused."""

import asyncio

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization

from app.errors import Unauthorized, Unavailable
from app.store.rate_ledger import RateLedger
from app.store.tables import allowances
from app.vendors.rate_limit.salesforce import SalesforceRateLimit
from tests.contract.conftest import USER
from tests.store.build import change

FIELDS = ("FirstName", "LastName", "Email")
EXPIRED = {"do": "error", "status": 401, "body": [{"errorCode": "INVALID_SESSION_ID"}]}


def logins(org):
    return org.control.get("/_control/sessions").json()["logins"]


def counted(org, prefix):
    counts = org.control.get("/_control/calls").json()["counts"]
    return sum(count for name, count in counts.items() if name.startswith(prefix))


def queries(org):
    return counted(org, "GET /services/data/v67.0/query")


async def test_a_session_that_expires_is_renewed_once_for_everybody(salesforce, org):
    await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])
    org.control.post("/_control/sessions/expire")

    await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])

    assert org.control.get("/_control/sessions").json()["logins"] == 2


async def test_a_session_that_expires_is_renewed_once_for_many_calls_and_processes(client_of, org):
    several = [client_of() for _ in range(3)]
    await several[0].read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])
    org.control.post("/_control/sessions/expire")

    reads = (one.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"]) for one in several for _ in range(5))
    await asyncio.gather(*reads)

    assert logins(org) == 2


def budgeted(database, client):
    """A client as a process has it: what it hears of the org is kept for all."""
    client.budget = SalesforceRateLimit("salesforce", RateLedger(database, "an org"), 1.0, remember_s=0.0)
    return client


def asked(client):
    return client.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])


async def test_an_org_that_refuses_every_session_is_left_alone_after_one_fresh_token_and_tried_again(
    salesforce, org, database
):
    client = budgeted(database, salesforce)
    org.control.post("/_control/faults", json={"match": "GET /services/data", "next": 2, **EXPIRED})

    with pytest.raises(Unauthorized, match="401") as raised:
        await asked(client)
    for _ in range(3):
        with pytest.raises(Unavailable, match="left_alone"):
            await asked(client)
    before = (logins(org), queries(org), raised.value.retry_in_s, (await client.broker._store.read()).refused_code)
    await change(database, sa.update(allowances).values(closed_until=None))
    await asked(client)

    assert before == (2, 2, 5.0, "HTTP_401"), "the first sign-in, and one more to be sure"
    assert (logins(org), (await client.broker._store.read()).refused_code) == (2, None)


@pytest.mark.parametrize(
    ("status", "code"), [(403, "INVALID_SESSION_ID"), (401, "INVALID_AUTH_HEADER"), (403, "SESSION_EXPIRED")]
)
async def test_a_refusal_of_the_session_signs_in_anew_whatever_status_says_it(salesforce, org, status, code):
    body = [{"errorCode": code, "message": "Canary"}]
    fault = {"do": "error", "status": status, "body": body}
    org.control.post("/_control/faults", json={"match": "GET /services/data", "next": 1, **fault})

    assert await asked(salesforce) == []

    assert (logins(org), queries(org)) == (2, 2)


@pytest.mark.parametrize("body", ["<html>Who are you?</html>", {"message": "Unauthorized"}], ids=["page", "gateway"])
async def test_a_401_that_is_not_salesforces_signs_nobody_in(salesforce, org, body):
    fault = {"do": "error", "status": 401, "body": body}
    org.control.post("/_control/faults", json={"match": "GET /services/data", "next": 1, **fault})

    with pytest.raises(Unavailable):
        await asked(salesforce)

    assert (logins(org), queries(org)) == (1, 1)


async def test_many_calls_refused_at_once_are_no_storm_of_sign_ins(client_of, org, database):
    org.control.post("/_control/faults", json={"match": "GET /services/data", "next": None, **EXPIRED})
    several = [budgeted(database, client_of()) for _ in range(3)]

    reads = (asked(one) for one in several for _ in range(10))
    ends = await asyncio.gather(*reads, return_exceptions=True)

    assert {type(end) for end in ends} <= {Unauthorized, Unavailable}
    assert logins(org) <= 2 * len(several)
    with pytest.raises(Unavailable, match="left_alone"):
        await asked(several[0])


@pytest.mark.parametrize("why", ["invalid_grant", "invalid_client", "inactive_user", "invalid_app_access"])
async def test_a_refused_sign_in_is_named_and_not_repeated_at_once(salesforce, org, why):
    org.control.put("/_control/settings", json={"login_error": why})

    for _ in range(3):
        with pytest.raises(Unauthorized, match=why):
            await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])

    assert counted(org, "POST /services/oauth2/token") == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "error", "status": 503, "body": "<html>maintenance</html>"},
        pytest.param({"do": "error", "status": 200, "body": "<html>maintenance</html>"}),
        pytest.param({"do": "error", "status": 403, "body": "<html>blocked</html>"}),
        pytest.param({"do": "error", "status": 404, "body": "<html>moved</html>"}),
        pytest.param({"do": "error", "status": 401, "body": "<html>a proxy's</html>"}),
        {"do": "error", "status": 429, "body": ""},
        {"do": "drop_before"},
        {"do": "drop_after_commit"},
    ],
    ids=["html-503", "html-200", "html-403", "html-404", "html-401", "429", "dropped", "dropped-after"],
)
async def test_a_sign_in_that_only_fails_pauses_nothing(salesforce, org, fault):
    org.control.post("/_control/faults", json={"match": "POST /services/oauth2/token", "next": 1, **fault})

    with pytest.raises(Unavailable):
        await salesforce.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])

    assert (await salesforce.broker._store.read()).refused_code is None


async def test_we_sign_in_by_jwt_with_our_key(client_of, key):
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    client = client_of(client_secret=None, username=USER, private_key=pem)

    assert await client.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"]) == []


async def test_a_token_of_another_org_is_never_used(client_of, org):
    client = client_of(org_id="00DOTHER00000001")

    with pytest.raises(Unauthorized, match="OTHER_ORG"):
        await client.read("Contact", FIELDS, "DrChrono_Patient_Id__c", [], ["1"])

    assert queries(org) == 0
