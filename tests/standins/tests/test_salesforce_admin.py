"""The Salesforce stand-in: an administrator signs in by a device, assigns permission sets, and what they then allow."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.standins.salesforce.app import create_app
from tests.standins.serve import running
from tests.standins.tests.known import LOGIN

DATA = "/services/data/v67.0"
TOKEN = "/services/oauth2/token"
CLIENT = {"client_id": LOGIN["client_id"]}


@pytest.fixture(scope="module")
def clock():
    return [datetime.now(UTC)]


@pytest.fixture(scope="module")
def _served(clock):
    with running(create_app(now=lambda: clock[0])) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture
def org(_served):
    _served.post("/_control/reset")
    return _served


def refusal(answer):
    return answer.status_code, answer.json()["error"]


def began(org):
    return org.post(TOKEN, data={"response_type": "device_code", "scope": "api", **CLIENT}).json()


def asked(org, device):
    return org.post(TOKEN, data={"grant_type": "device", "code": device["device_code"], **CLIENT})


def signed_in(org, user="admin@example.test"):
    token = org.post("/_control/sessions", json={"user": user}).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def queried(org, text, who):
    return org.get(f"{DATA}/query", params={"q": text}, headers=who)


def test_a_device_is_let_in_as_the_person_who_enters_its_code(org, clock):
    device = began(org)
    first = asked(org, device)
    org.post("/_control/device", json={"user_code": device["user_code"], "user": "admin@example.test"})

    answer = asked(org, device).json()

    assert refusal(first) == (400, "authorization_pending")
    who = org.get("/services/oauth2/userinfo", headers={"Authorization": f"Bearer {answer['access_token']}"}).json()
    assert (who["preferred_username"], who["user_id"]) == ("admin@example.test", answer["id"].rpartition("/")[2])
    assert refusal(asked(org, device)) == (400, "invalid_grant")


def test_a_device_that_asks_too_often_is_told_to_slow_down(org, clock):
    device = began(org)

    answers = [refusal(asked(org, device))[1] for _ in range(2)]
    clock[0] += timedelta(seconds=device["interval"])

    assert answers == ["authorization_pending", "slow_down"]
    assert refusal(asked(org, device))[1] == "authorization_pending"


def test_a_device_that_is_denied_or_too_late_is_not_let_in(org, clock):
    denied, late = began(org), began(org)
    org.post("/_control/device", json={"user_code": denied["user_code"], "allow": False})
    org.post("/_control/device", json={"user_code": late["user_code"]})

    assert refusal(asked(org, denied)) == (400, "access_denied")
    clock[0] += timedelta(minutes=11)
    assert refusal(asked(org, late)) == (400, "invalid_grant")


def ids(org, who):
    """Gives the integration user's id, that of its permission set, and that of their assignment."""
    user = queried(org, "SELECT Id FROM User WHERE Username = 'integration@example.test'", who).json()["records"][0]
    of = queried(org, "SELECT Id FROM PermissionSet WHERE Name = 'DrChrono_Integration'", who).json()["records"][0]
    text = (
        f"SELECT Id FROM PermissionSetAssignment WHERE AssigneeId = '{user['Id']}' AND PermissionSetId = '{of['Id']}'"
    )
    return user["Id"], of["Id"], queried(org, text, who).json()["records"][0]["Id"]


def test_what_the_integration_user_may_follows_the_assignment(org):
    admin, integration = signed_in(org), signed_in(org, "integration@example.test")
    user, permission_set, assignment = ids(org, admin)
    body = {"AssigneeId": user, "PermissionSetId": permission_set}
    place = f"{DATA}/sobjects/PermissionSetAssignment"

    def may_see():
        return queried(org, "SELECT Email FROM Contact", integration).status_code == 200

    assert may_see()
    twice = org.post(place, json=body, headers=admin)
    assert (twice.status_code, twice.json()[0]["errorCode"]) == (400, "DUPLICATE_VALUE")
    assert org.delete(f"{place}/{assignment}", headers=admin).status_code == 204
    assert not may_see()
    assert org.post(place, json=body, headers=integration).status_code == 400
    assert org.post(place, json=body, headers=admin).status_code == 201
    assert may_see()


def test_an_administrator_sees_an_object_and_of_its_own_fields_what_a_permission_set_shows(org):
    admin = signed_in(org)

    assert queried(org, "SELECT LastName FROM Contact", admin).status_code == 200
    assert queried(org, "SELECT DrChrono_Patient_Id__c FROM Contact", admin).json()[0]["errorCode"] == "INVALID_FIELD"
    mine = queried(org, "SELECT Id FROM User WHERE Username = 'admin@example.test'", admin).json()["records"][0]["Id"]
    body = {"AssigneeId": mine, "PermissionSetId": ids(org, admin)[1]}
    org.post(f"{DATA}/sobjects/PermissionSetAssignment", json=body, headers=admin)
    assert queried(org, "SELECT DrChrono_Patient_Id__c FROM Contact", admin).status_code == 200


def test_pages_of_several_users_are_each_their_own(org):
    admin, integration = signed_in(org), signed_in(org, "integration@example.test")
    org.put("/_control/settings", json={"page_rows": 1}, headers=admin)
    for name in ("A", "B"):
        org.post("/_control/records/Contact", json={"LastName": name}, headers=admin)

    first = [queried(org, "SELECT LastName FROM Contact", who).json() for who in (admin, integration, admin)]

    assert len({page["nextRecordsUrl"] for page in first}) == 3
    assert org.get(first[0]["nextRecordsUrl"], headers=admin).json()["records"][0]["LastName"] == "B"


def test_what_a_permission_set_does_not_allow_to_delete_stays(org):
    integration = signed_in(org, "integration@example.test")
    made = org.post(f"{DATA}/sobjects/DrChrono_Office__c", json={"Name": "Main"}, headers=integration).json()["id"]

    answer = org.delete(f"{DATA}/sobjects/DrChrono_Office__c/{made}", headers=integration)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
