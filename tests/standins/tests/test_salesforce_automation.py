"""The Salesforce stand-in: which saved records its flows tell of, and which deletions its triggers announce."""

import json

import httpx
import pytest

from tests.contract.listening import listening, quieted
from tests.standins.salesforce.app import create_app
from tests.standins.salesforce.metadata.formulas import BeyondError, Saved, read_formula
from tests.standins.serve import running
from tests.standins.tests.known import LOGIN

DATA = "/services/data/v67.0"
ACK = (
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><notificationsResponse '
    b'xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse></soapenv:Body>'
    b"</soapenv:Envelope>"
)


@pytest.fixture(scope="module")
def _served():
    with running(create_app()) as url, httpx.Client(base_url=url) as client:
        yield client
        client.post("/_control/reset")


@pytest.fixture
def org(_served):
    _served.post("/_control/reset")
    token = _served.post("/services/oauth2/token", data=LOGIN).json()["access_token"]
    _served.headers["Authorization"] = f"Bearer {token}"
    return _served


@pytest.fixture
def listener():
    with listening((200, ACK)) as it:
        yield it


def person_creates(org, **fields):
    return org.post("/_control/records/Contact", json={"LastName": "Sample", **fields}).json()["Id"]


def told(org, deed):
    """Gives how many messages leave because of it."""
    before = quieted(lambda: org.get("/_control/outbound").json())["delivered"]
    deed()
    return quieted(lambda: org.get("/_control/outbound").json())["delivered"] - before


def test_the_deployed_flows_tell_of_what_people_change_in_mapped_fields(org, listener):
    org.put("/_control/outbound", json={"url": listener.url})
    made = person_creates(org, Sync_To_DrChrono__c=True)
    place = f"/_control/records/Contact/{made}"

    assert told(org, lambda: org.patch(place, json={"FirstName": "Ann"})) == 1
    assert told(org, lambda: org.patch(place, json={"FirstName": "Ann"})) == 0
    assert told(org, lambda: org.patch(place, json={"DrChrono_Sync_Message__c": "Fine"})) == 0
    assert told(org, lambda: org.patch(f"{DATA}/sobjects/Contact/{made}", json={"FirstName": "Eve"})) == 0
    assert told(org, lambda: person_creates(org)) == 0


def test_a_message_that_a_flow_sends_has_the_fields_of_the_deployed_one(org, listener):
    org.put("/_control/outbound", json={"url": listener.url})

    made = person_creates(org, Sync_To_DrChrono__c=True, Email="a@example.com")
    quieted(lambda: org.get("/_control/outbound").json())

    (body,) = [one.decode() for one in listener.bodies]
    assert made in body
    assert "SystemModstamp" in body
    assert "a@example.com" not in body


@pytest.mark.parametrize("deed", ["deleted", "undeleted", "merged"])
def test_the_triggers_announce_what_was_deleted_restored_or_merged(org, listener, deed):
    loser, winner = person_creates(org, DrChrono_Patient_Id__c="7"), person_creates(org)
    if deed == "undeleted":
        org.delete(f"/_control/records/Contact/{loser}")
    org.post("/_control/events", json={"url": listener.url, "token": "t", "shape": "package"})
    org.patch(f"/_control/records/Contact/{winner}", json={"FirstName": "Ann"})

    if deed == "deleted":
        org.delete(f"/_control/records/Contact/{loser}")
    elif deed == "undeleted":
        org.post(f"/_control/records/Contact/{loser}/undelete")
    else:
        org.post("/_control/records/Contact/merge", json={"winner": winner, "loser": loser})
    quieted(lambda: org.get("/_control/events").json())

    (event,) = json.loads(listener.bodies[0])["events"]
    assert (event["Action__c"], event["Object__c"], event["Record_Id__c"]) == (deed, "Contact", loser)
    assert (event["External_Id__c"], event["Winner_Id__c"]) == ("7", winner if deed == "merged" else None)


@pytest.mark.parametrize(
    ("formula", "met"),
    [
        ("NOT({!$Permission.Ours})", False),
        ("NOT({!$Permission.Theirs})", True),
        ("AND(NOT(ISBLANK({!$Record.Name})), {!$Record.Ticked})", True),
        ("OR({!$Record.Name} = 'B', ISNEW())", False),
        ("ISCHANGED({!$Record.Name})", True),
        ("ISCHANGED({!$Record.Ticked})", False),
        ("{!$Record.Name} <> {!$Record__Prior.Name} && !{!$Record.Empty}", True),
        ('PRIORVALUE({!$Record.Name}) == "B" || false', True),
        ("ISPICKVAL({!$Record.Name}, 'A')", True),
        ("{!$Record.Empty} = ''", True),
    ],
)
def test_a_start_condition_is_met_or_not(formula, met):
    saved = Saved({"Name": "A", "Ticked": True, "Empty": None}, {"Name": "B"}, frozenset({"ours"}))

    assert bool(read_formula(formula)(saved)) is met


@pytest.mark.parametrize("formula", ["VLOOKUP(1, 2)", "{!$Record.Name} & 'x'", "NOT(", "{!$User.Id} = '1'"])
def test_what_is_beyond_the_formulas_known_here_is_said(formula):
    with pytest.raises(BeyondError):
        read_formula(formula)(Saved({"Name": "A"}, None, frozenset()))
