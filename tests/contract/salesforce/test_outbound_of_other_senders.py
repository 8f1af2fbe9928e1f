"""The Salesforce stand-in as a sender of outbound messages: their form, what they tell of, and how often they come."""

import re
from pathlib import Path
from xml.etree.ElementTree import fromstring

import httpx
import pytest

from app.vendors.salesforce.outbound_messages import ACK, read_message
from tests.contract.listening import listening, quieted, wait_until
from tests.standins.salesforce.app import create_app
from tests.standins.serve import running
from tests.standins.tests.known import LOGIN

SAMPLES = Path(__file__).parents[2] / "samples" / "salesforce"
FIELDS = ["LastName", "SystemModstamp", "Birthdate", "FirstName", "Sync_To_DrChrono__c", "LastModifiedById"]
SF = "{urn:sobject.enterprise.soap.sforce.com}"


@pytest.fixture(scope="module")
def server():
    with running(create_app()) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def listener():
    with listening((200, ACK)) as it:
        yield it


@pytest.fixture
def org(server):
    server.post("/_control/reset")
    yield server
    server.post("/_control/reset")


def registered(org, listener, **switches):
    given = {"url": listener.url, "objects": {"Contact": FIELDS}, "retry_s": 0.05} | switches
    answer = org.put("/_control/outbound", json=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def turned(org, **switches):
    assert org.put("/_control/outbound", json=switches).status_code == 200


def shown(org):
    return org.get("/_control/outbound").json()


def quiet(org):
    """Wait until nothing is to be sent any more; gives what became of it all."""
    return quieted(lambda: shown(org))


def person_creates(org, name="Test", kind="Contact", **more):
    return org.post(f"/_control/records/{kind}", json={"LastName": name} | more).json()


def person_edits(org, contact, **fields):
    assert org.patch(f"/_control/records/Contact/{contact['Id']}", json=fields).status_code == 200


def program_creates(org, names):
    token = org.post("/services/oauth2/token", data=LOGIN).json()["access_token"]
    records = [{"attributes": {"type": "Contact"}, "LastName": name} for name in names]
    for at in range(0, len(records), 200):
        body = {"records": records[at : at + 200]}
        org.post("/services/data/v67.0/composite/sobjects", json=body, headers={"authorization": f"Bearer {token}"})


def told(listener):
    """(notification id, last name) of all that came, in the order it came."""
    found = []
    for body in listener.bodies:
        for one in fromstring(body).iter("{http://soap.sforce.com/2005/09/outbound}Notification"):
            name = one.find(f".//{SF}LastName")
            found.append((one[0].text, None if name is None else name.text))
    return found


def names(listener):
    return [name for _, name in told(listener)]


# --- what is sent


def test_a_message_has_the_form_of_the_sample(org, listener):
    registered(org, listener)
    person_creates(org, FirstName="Ada", Birthdate="1980-02-03")
    quiet(org)

    ours, sample = (
        [(one.tag, one.attrib) for one in fromstring(body).iter() if not one.tag.startswith(SF)]
        for body in (listener.bodies[0], (SAMPLES / "outbound_message_contact_1.xml").read_bytes())
    )

    assert ours == sample
    assert b'<sObject xsi:type="sf:Contact" xmlns:sf="urn:sobject' in listener.bodies[0]
    assert {"content-type": "text/xml; charset=utf-8", "soapaction": '""'}.items() <= listener.headers[0].items()


def test_fields_come_in_alphabetical_order_after_the_id_and_empty_ones_do_not_come(org, listener):
    registered(org, listener)
    contact = person_creates(org, Birthdate="1980-02-03")
    quiet(org)

    record = fromstring(listener.bodies[0]).find(f".//{SF}Id/..")
    stamp = contact["SystemModstamp"].replace("+0000", "Z")
    assert [(one.tag.removeprefix(SF), one.text) for one in record] == [
        ("Id", contact["Id"]), ("Birthdate", "1980-02-03"), ("LastModifiedById", "005SYN000000001YBA"),
        ("LastName", "Test"), ("Sync_To_DrChrono__c", "false"), ("SystemModstamp", stamp),
    ]  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)


def test_any_text_arrives_as_it_was_typed_and_numbers_with_a_point(org, listener):
    wanted = {"Notes__c": "<b>&amp; ]]> \"'\r\n\u4e88\u7d04 \U0001f600 é", "Duration_Minutes__c": 30}
    registered(org, listener, objects={"DrChrono_Appointment__c": list(wanted)})
    org.post("/_control/records/DrChrono_Appointment__c", json=wanted)
    quiet(org)

    record = fromstring(listener.bodies[0]).find(f".//{SF}Id/..")
    assert [one.text for one in record[1:]] == ["30.0", wanted["Notes__c"]]


def test_our_reader_finds_every_record_of_a_burst_in_messages_of_at_most_a_hundred(org, listener):
    registered(org, listener, silence_integration_user=False)

    program_creates(org, [f"N{number}" for number in range(250)])

    assert quiet(org)["delivered"] == 250
    messages = [read_message(body) for body in listener.bodies]
    assert max(len(one.notifications) for one in messages) == 100
    found = [(one.object, one.record_id) for message in messages for one in message.notifications]
    assert sorted(found) == [("Contact", row["Id"]) for row in org.get("/_control/records/Contact").json()["records"]]


def test_objects_never_share_a_message(org, listener):
    registered(org, listener, hold=True, objects={"Contact": FIELDS, "Account": ["Name"]})
    for _ in range(2):
        person_creates(org)
        org.post("/_control/records/Account", json={"Name": "Test"})
    turned(org, hold=False)
    quiet(org)

    found = sorted([one.object for one in read_message(body).notifications] for body in listener.bodies)
    assert found == [["Account", "Account"], ["Contact", "Contact"]]


def test_values_are_those_of_the_moment_a_message_leaves(org, listener):
    registered(org, listener, hold=True)
    contact = person_creates(org, "First")
    person_edits(org, contact, LastName="Second")
    turned(org, hold=False)
    quiet(org)

    assert [name for _, name in sorted(told(listener))] == ["Second", "Second"]
    assert len({one for one, _ in told(listener)}) == 2


def test_a_record_deleted_before_the_message_left_comes_without_data(org, listener):
    registered(org, listener, hold=True)
    contact = person_creates(org)
    org.delete(f"/_control/records/Contact/{contact['Id']}")
    turned(org, hold=False)
    quiet(org)

    (one,) = read_message(listener.bodies[0]).notifications
    assert (one.object, one.record_id) == ("Contact", "")
    assert one.id.startswith("04l")


def test_writes_of_the_integration_user_send_nothing_unless_told(org, listener):
    registered(org, listener)
    program_creates(org, ["silent"])
    turned(org, silence_integration_user=False)
    program_creates(org, ["loud"])
    quiet(org)

    assert names(listener) == ["loud"]


def test_deletes_and_undeletes_send_nothing_and_a_merge_tells_of_the_one_that_is_left(org, listener):
    winner, loser = person_creates(org, "Winner"), person_creates(org, "Loser")
    registered(org, listener)

    org.delete(f"/_control/records/Contact/{loser['Id']}")
    org.post(f"/_control/records/Contact/{loser['Id']}/undelete")
    org.post("/_control/records/Contact/merge", json={"winner": winner["Id"], "loser": loser["Id"]})
    quiet(org)

    assert names(listener) == ["Winner"]


def test_an_object_nobody_asked_about_sends_nothing(org, listener):
    registered(org, listener)
    org.post("/_control/records/Account", json={"Name": "Test"})

    assert quiet(org)["sends"] == 0


# --- how often


ACK_FALSE = (SAMPLES / "outbound_ack_false.xml").read_bytes()
FAULT = (SAMPLES / "outbound_soap_fault.xml").read_bytes()
NO_ACKS = {
    "503": (503, b""), "ack false": (200, ACK_FALSE), "fault": (500, FAULT), "fault 200": (200, FAULT),
    "page": (200, b"<html>Sign in</html>"), "redirect": (302, ACK), "empty": (200, b""), "201": (201, ACK),
    "other": (200, ACK.replace(b"2005/09/outbound", b"2005/09/other")),
}  # fmt: skip


@pytest.mark.parametrize("answer", NO_ACKS.values(), ids=NO_ACKS.keys())
def test_what_is_no_ack_brings_the_same_notification_again(org, listener, answer):
    listener.answers = [answer]
    registered(org, listener)
    person_creates(org)

    assert quiet(org) | {"url": ""} == {
        "url": "", "waiting": 0, "in_flight": 0, "delivered": 1, "given_up": 0, "lost": 0, "sends": 2,
    }  # fmt: skip
    first, again = told(listener)
    assert first == again


def test_the_vendors_own_ack_is_taken(org, listener):
    listener.answer = (200, (SAMPLES / "outbound_ack_true.xml").read_bytes())
    registered(org, listener)
    person_creates(org)

    assert (quiet(org)["delivered"], len(listener.bodies)) == (1, 1)


def test_attempts_grow_rarer(org, listener):
    listener.answers = [(503, b"")] * 4
    registered(org, listener, retry_s=0.03)
    person_creates(org)
    quiet(org)

    gaps_s = [later - earlier for earlier, later in zip(listener.times, listener.times[1:], strict=False)]
    assert all(gap_s >= 0.03 * 2**at * 0.9 for at, gap_s in enumerate(gaps_s))


def test_a_message_that_comes_again_tells_of_now(org, listener):
    listener.answers = [(503, b"")]
    registered(org, listener, retry_s=0.3)
    contact = person_creates(org, "First")
    wait_until(lambda: shown(org).items() >= {"waiting": 1, "in_flight": 0, "sends": 1}.items(), "a first attempt")
    turned(org, hold=True)
    person_edits(org, contact, LastName="Second")
    turned(org, hold=False)
    quiet(org)

    first, _ = told(listener)[0]
    assert [name for one, name in told(listener) if one == first] == ["First", "Second"]


def test_what_nobody_takes_is_given_up(org, listener):
    listener.answer = (503, b"")
    registered(org, listener, retry_s=0.02, give_up_s=0.1)
    person_creates(org)

    found = quiet(org)

    assert (found["given_up"], found["delivered"]) == (1, 0)
    assert found["sends"] == len(listener.bodies) <= 4  # one, where the machine was too busy for another in time


def test_an_endpoint_that_is_not_there_is_tried_again(org, listener):
    registered(org, listener, url="http://127.0.0.1:9/", retry_s=0.02)
    person_creates(org)
    wait_until(lambda: shown(org)["sends"] >= 2, "a second attempt")
    turned(org, url=listener.url)

    assert quiet(org)["delivered"] == 1
    (found,) = org.get("/_control/outbound?messages=true").json()["messages"]
    assert (found["state"], found["last_status"], found["object"]) == ("delivered", 200, "Contact")
    assert found["attempts"] >= 3


# --- how unkindly


def test_each_message_may_come_several_times(org, listener):
    registered(org, listener, duplicate=3)
    person_creates(org)

    assert quiet(org)["delivered"] == 1
    assert names(listener) == ["Test"] * 3


def test_some_may_be_lost(org, listener):
    registered(org, listener, lose=2, batch=1, concurrency=1)
    for number in range(5):
        person_creates(org, f"N{number}")

    found = quiet(org)

    assert (found["lost"], found["delivered"]) == (2, 3)
    assert names(listener) == ["N2", "N3", "N4"]


def test_what_is_shuffled_comes_out_of_order_and_alike_for_one_seed(org, listener):
    orders = []
    for seed in (7, 7, 8):
        listener.bodies.clear()
        org.delete("/_control/outbound")
        registered(org, listener, hold=True, shuffle=True, seed=seed, batch=1, concurrency=1)
        for number in range(12):
            person_creates(org, f"N{number}")
        turned(org, hold=False)
        quiet(org)
        orders.append(names(listener))

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) != orders[0]


def test_what_is_held_waits(org, listener):
    registered(org, listener, hold=True)
    person_creates(org)

    assert (shown(org)["waiting"], shown(org)["sends"]) == (1, 0)
    turned(org, hold=False)
    assert quiet(org)["delivered"] == 1


@pytest.mark.parametrize(
    "end", [("POST", "/_control/reset"), ("DELETE", "/_control/outbound")], ids=["reset", "delete"]
)
def test_an_end_is_the_end_of_it_all(org, listener, end):
    listener.answer = (503, b"")
    registered(org, listener, retry_s=0.02)
    person_creates(org, "Before")
    wait_until(lambda: shown(org)["sends"] > 1, "attempts")

    assert org.request(*end).status_code == 204
    person_creates(org, "Unheard")
    ended, came = shown(org), names(listener).count("Before")
    registered(org, listener, retry_s=0.02)
    person_creates(org, "After")
    wait_until(lambda: names(listener).count("After") > 3, "attempts of what came after")

    assert ended == {
        "url": None, "waiting": 0, "in_flight": 0, "delivered": 0, "given_up": 0, "lost": 0, "sends": 0,
    }  # fmt: skip
    assert names(listener).count("Before") <= came + 1, "one may have been on its way"
    assert "Unheard" not in names(listener)


@pytest.mark.parametrize(
    "wrong",
    [{"objects": {"Nothing": []}}, {"objects": {"Contact": ["Nothing"]}}, {"objects": []}, {"url": ""}, {"batch": 101},
     {"batch": 0}, {"duplicate": 0}, {"retry_s": 0}, {"retries": 1}, {"batch": "many"}],
    ids=str,
)  # fmt: skip
def test_a_registration_that_makes_no_sense_is_refused_and_changes_nothing(org, listener, wrong):
    given = {"url": listener.url, "objects": {"Contact": FIELDS}} | wrong

    answer = org.put("/_control/outbound", json=given)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert shown(org)["url"] is None
