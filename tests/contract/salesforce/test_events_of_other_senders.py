"""The Salesforce stand-in as a publisher of platform events, in the three shapes they reach an endpoint in."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from app.vendors.salesforce.platform_events import is_signed, read_events
from tests.contract.listening import listening, quieted
from tests.standins.salesforce.app import create_app
from tests.standins.serve import running
from tests.standins.tests.known import LOGIN

SAMPLES = Path(__file__).parents[2] / "samples" / "salesforce"
ORG_ID, HUMAN = "00DSYN0000000012BA", "005SYN000000001YBA"
TOKEN, KEY = "event-token-of-the-tests", base64.urlsafe_b64encode(b"k" * 32).decode()
SHAPES = {
    "flow": "platform_event_flow_http_callout",
    "apex": "platform_event_apex_callout_batch",
    "relay": "eventbridge_relay_platform_event",
}
EACH = pytest.mark.parametrize("shape", SHAPES)


@pytest.fixture(scope="module")
def server():
    with running(create_app()) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def listener():
    with listening((200, b"{}")) as it:
        yield it


@pytest.fixture
def org(server):
    server.post("/_control/reset")
    yield server
    server.post("/_control/reset")


def subscribed(org, listener, shape, **more):
    answer = org.post("/_control/events", json={"url": listener.url, "token": TOKEN, "shape": shape} | more)
    assert answer.status_code == 201, answer.text


def person_creates(org, **fields):
    return org.post("/_control/records/Contact", json={"LastName": "Canary"} | fields).json()["Id"]


def program_creates(org, count):
    token = org.post("/services/oauth2/token", data=LOGIN).json()["access_token"]
    records = [{"attributes": {"type": "Contact"}, "LastName": f"N{number}"} for number in range(count)]
    headers = {"authorization": f"Bearer {token}"}
    org.post("/services/data/v67.0/composite/sobjects", json={"records": records}, headers=headers)


def quiet(org):
    return quieted(lambda: org.get("/_control/events").json())


def told(listener):
    """What our reader makes of all that came."""
    return [
        (one.object, one.operation, one.record_id, one.master_id)
        for body in listener.bodies
        for one in read_events(body).changes
    ]


def shape_of(value):
    """The keys of a document, all the way down."""
    if isinstance(value, list):
        return [shape_of(one) for one in value[:1]]
    return {name: shape_of(inner) for name, inner in value.items()} if isinstance(value, dict) else None


@EACH
def test_a_body_has_the_form_of_the_sample_and_names_its_org_and_no_value(org, listener, shape):
    subscribed(org, listener, shape)
    record = person_creates(org, DrChrono_Patient_Id__c="900001")
    quiet(org)

    (body,) = listener.bodies
    sample = shape_of(json.loads((SAMPLES / f"{SHAPES[shape]}.json").read_text()))
    ours = shape_of(json.loads(body))
    for events in (ours.get("events", [{}])[0], ours.get("detail", {}).get("payload", {})):
        events.pop("Master_Record_Id__c", None)  # the samples are of an update
    assert ours == sample
    assert read_events(body).organizations == {ORG_ID}
    assert [one.record_id for one in read_events(body).changes] == [record]
    assert (b"900001" in body, b"Canary" in body) == (True, False)
    assert listener.headers[0]["authorization"] == f"Bearer {TOKEN}"


@EACH
def test_each_thing_people_do_is_told_with_its_operation(org, listener, shape):
    winner = person_creates(org)
    subscribed(org, listener, shape, concurrency=1)
    one = person_creates(org)
    path = f"/_control/records/Contact/{one}"
    org.patch(path, json={"FirstName": "Ada"})
    org.delete(path)
    org.post(f"{path}/undelete")
    org.post("/_control/records/Contact/merge", json={"winner": winner, "loser": one})
    quiet(org)

    create, update = ("CREATEORUPDATE",) * 2 if shape == "flow" else ("CREATE", "UPDATE")
    assert told(listener) == [
        ("Contact", create, one, ""), ("Contact", update, one, ""), ("Contact", "DELETE", one, ""),
        ("Contact", "UNDELETE", one, ""), ("Contact", update, winner, ""), ("Contact", "MERGE", one, winner),
    ]  # fmt: skip


@pytest.mark.parametrize(("shape", "requests"), [("flow", 40), ("apex", 1), ("relay", 40)])
def test_only_apex_sends_a_batch(org, listener, shape, requests):
    subscribed(org, listener, shape, silence_integration_user=False)
    program_creates(org, 40)

    assert (quiet(org)["delivered"], len(listener.bodies)) == (40, requests)
    assert len({record for _, _, record, _ in told(listener)}) == 40


@pytest.mark.parametrize(("shape", "sends", "delivered"), [("flow", 1, 0), ("apex", 1, 0), ("relay", 3, 1)])
def test_only_the_relay_tries_again(org, listener, shape, sends, delivered):
    listener.answers = [(503, b"")] * 2
    subscribed(org, listener, shape, retry_s=0.02)
    person_creates(org)

    found = quiet(org)

    assert (found["sends"], found["delivered"], found["given_up"]) == (sends, delivered, 1 - delivered)


def test_an_event_keeps_its_uuid_when_it_comes_again_and_shares_it_with_none(org, listener):
    subscribed(org, listener, "relay", duplicate=2)
    person_creates(org)
    person_creates(org)
    quiet(org)

    uuids = [read_events(body).changes[0].uuid for body in listener.bodies]
    assert (len(uuids), len(set(uuids))) == (4, 2)


def test_the_changed_fields_and_who_changed_them_are_named(org, listener):
    record = person_creates(org)
    subscribed(org, listener, "apex")
    org.patch(f"/_control/records/Contact/{record}", json={"FirstName": "Ada", "MailingCity": "Testville"})
    quiet(org)

    (event,) = json.loads(listener.bodies[0])["events"]
    assert (event["Changed_Fields__c"], event["Actor_User_Id__c"]) == ("FirstName,MailingCity", HUMAN)


def test_a_key_signs_each_body(org, listener):
    subscribed(org, listener, "apex", signing_key=KEY)
    person_creates(org)
    quiet(org)

    signature, now_s = listener.headers[0]["x-chronobridge-signature"], datetime.now(UTC).timestamp()
    assert is_signed(signature, listener.bodies[0], [b"k" * 32], now_s)
    assert not is_signed(signature, listener.bodies[0], [b"x" * 32], now_s)


def test_only_the_objects_asked_about_and_no_writes_of_the_integration_user_are_told(org, listener):
    subscribed(org, listener, "flow", kinds=["Account"])
    person_creates(org)
    program_creates(org, 1)
    org.post("/_control/records/Account", json={"Name": "Test"})
    quiet(org)

    assert [kind for kind, *_ in told(listener)] == ["Account"]


def test_a_new_subscription_takes_the_place_of_the_old_and_a_reset_ends_it(org, listener):
    subscribed(org, listener, "flow")
    subscribed(org, listener, "apex")
    person_creates(org)
    quiet(org)

    org.post("/_control/reset")
    person_creates(org)

    assert org.get("/_control/events").json()["url"] is None
    assert ["events" in json.loads(body) for body in listener.bodies] == [True]


@pytest.mark.parametrize(
    "wrong", [{"shape": "fax"}, {"token": ""}, {"url": ""}, {"kinds": ["Nothing"]}, {"retries": 1}], ids=str
)
def test_a_subscription_that_makes_no_sense_is_refused(org, listener, wrong):
    given = {"url": listener.url, "token": TOKEN, "shape": "flow"} | wrong

    answer = org.post("/_control/events", json=given)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert org.get("/_control/events").json()["url"] is None
