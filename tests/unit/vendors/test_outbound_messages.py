"""Outbound messages: which records a message means, by namespace, whoever wrote it and with whatever prefixes."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vendors.salesforce.outbound_messages import (
    ACK,
    MOST_NOTIFICATIONS,
    Message,
    Notification,
    UnreadableMessage,
    read_message,
)
from tests.soap import ADA, ORG, a_message, a_notification

SAMPLES = Path(__file__).parents[2] / "samples" / "salesforce"


def sample(name):
    return (SAMPLES / f"{name}.xml").read_bytes()


def told(body):
    return [(one.object, one.record_id) for one in read_message(body).notifications]


def test_a_message_says_who_sent_it_and_which_record_may_differ_in_which_version():
    assert read_message(sample("outbound_message_contact_1")) == Message(
        ORG, False, (Notification("04lSYN000000001YBA", "Contact", ADA, "2026-11-20T15:04:05.000Z"),)
    )


def test_each_notification_of_a_message_is_told_in_order():
    found = read_message(sample("outbound_message_custom_object_3")).notifications

    assert [(one.id, one.object, one.record_id, one.version) for one in found] == [
        ("04lSYN000000002YBA", "DrChrono_Appointment__c", "a01SYN000000001YBA", "2026-11-20T15:05:00.000Z"),
        ("04lSYN000000003YBA", "DrChrono_Appointment__c", "a01SYN000000002YBA", "2026-11-20T15:05:00.000Z"),
        ("04lSYN000000004YBA", "DrChrono_Appointment__c", "a01SYN000000003YBA", "2026-11-20T15:05:01.000Z"),
    ]


def test_a_redelivery_tells_the_same_notification_in_a_newer_version():
    first = read_message(sample("outbound_message_contact_1")).notifications[0]
    (again,) = read_message(sample("outbound_message_redelivery_same_ids_newer_values")).notifications

    assert (again.id, again.record_id) == (first.id, first.record_id)
    assert again.version > first.version


def test_a_record_that_was_deleted_before_the_message_left_is_noticed_and_has_no_id():
    (one,) = read_message(sample("outbound_message_record_deleted_before_send")).notifications

    assert one == Notification("04lSYN000000005YBA", "Contact", "", "")


def test_another_org_is_told_as_it_is_written():
    assert read_message(sample("outbound_message_wrong_org")).organization == "00DSYN0000000092BA"


def test_a_sender_with_prefixes_of_its_own_and_no_types_is_understood():
    assert told(sample("outbound_message_zeep_sender")) == [("Contact", ADA)]


@pytest.mark.parametrize(("ours", "theirs"), [("soapenv", "S"), ("sf", "sf1"), ("xsi", "i")])
def test_a_prefix_means_nothing(ours, theirs):
    body = sample("outbound_message_contact_1").decode()

    changed = re.sub(rf"\b{ours}(?=[:=])", theirs, body)

    assert changed != body
    assert read_message(changed.encode()) == read_message(body.encode())


@pytest.mark.parametrize(
    "namespace",
    [
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://soap.sforce.com/2005/09/outbound",
    ],
)
def test_the_same_names_in_another_namespace_are_no_message(namespace):
    body = sample("outbound_message_contact_1").replace(namespace.encode(), namespace.encode() + b"x")

    with pytest.raises(UnreadableMessage):
        read_message(body)


def test_a_field_named_id_in_another_namespace_is_no_record_id():
    body = a_message(a_notification()).replace(b'="urn:sobject.enterprise', b'="urn:sobject.another')

    assert told(body) == [("Contact", "")]


def test_a_record_of_a_standard_object_needs_no_type_and_another_has_no_object():
    body = a_message(a_notification(ADA), a_notification("a01SYN000000001YBA"))

    untyped = re.sub(rb'xsi:type="[^"]*"', b"", body)

    assert told(untyped) == [("Contact", ADA), ("", "a01SYN000000001YBA")]


@pytest.mark.parametrize("record_id", ["001SYN000000001YBA", f"{ADA[:15]}AAA", "x" * 18])
def test_an_id_that_is_none_of_the_objects_names_no_record_and_takes_no_neighbour_with_it(record_id):
    assert told(a_message(a_notification(record_id), a_notification(ADA))) == [("Contact", ""), ("Contact", ADA)]


def test_a_short_record_id_is_told_in_its_long_form():
    assert told(a_message(a_notification(ADA[:15]))) == [("Contact", ADA)]


@pytest.mark.parametrize("stamp", ["2026-11-20T15:04:05.000Z", "2026-11-20T15:04:05Z", "2026-11-20T15:04:05.123456Z"])
def test_a_stamp_is_taken_as_it_is(stamp):
    assert read_message(a_message(a_notification(SystemModstamp=stamp))).notifications[0].version == stamp


@pytest.mark.parametrize(
    "stamp",
    ["", "2026-11-20", "2026-11-20T15:04:05", "2026-11-20T15:04:05+0000", "zzzz", "\u0662026-11-20T15:04:05Z"],
    ids=repr,
)
def test_what_cannot_be_compared_as_text_is_no_stamp(stamp):
    assert read_message(a_message(a_notification(SystemModstamp=stamp))).notifications[0].version == ""


@pytest.mark.parametrize(("session", "has"), [(None, False), ("", False), (" \n", False), ("00D!secret", True)])
def test_a_session_id_is_noticed_and_not_told(session, has):
    message = read_message(a_message(session=session))

    assert message.has_session is has
    assert "secret" not in repr(message)


@given(given=st.lists(st.integers(0, 61**9), min_size=1, max_size=100, unique=True))
def test_of_up_to_a_hundred_notifications_none_is_forgotten(given):
    ids = [f"003SYN{number:09d}"[:15] for number in given]

    found = read_message(a_message(*(a_notification(one) for one in ids))).notifications

    assert [one.record_id[:15] for one in found] == ids


def test_no_value_of_a_record_is_in_what_is_told():
    assert not re.search(
        "Alex|Sample|example|555|1980|900001", repr(read_message(sample("outbound_message_contact_1")))
    )


def test_the_answer_means_what_the_vendors_sample_means():
    def meaning(body):
        root = ET.fromstring(body)
        return [(one.tag, (one.text or "").strip()) for one in root.iter()]

    assert meaning(ACK) == meaning(sample("outbound_ack_true"))
    assert meaning(ACK) != meaning(sample("outbound_ack_false"))


def test_the_vendors_wsdl_describes_the_messages_that_are_read():
    wsdl = ET.fromstring((SAMPLES / "outbound_contact.wsdl").read_bytes())
    element = "{http://www.w3.org/2001/XMLSchema}element"
    outbound = next(
        one for one in wsdl.iter(f"{element[:-7]}schema") if one.get("targetNamespace").endswith("outbound")
    )
    parts = list(outbound.find(f"{element}[@name='notifications']").iter(element))[1:]
    (body,) = ET.fromstring(sample("outbound_message_contact_1"))

    told = [one.tag.partition("}")[2] for one in body[0]]

    assert told == [part.get("name") for part in parts]
    assert body[0].tag == f"{{{wsdl.get('targetNamespace')}}}notifications"
    assert int(parts[-1].get("maxOccurs")) == MOST_NOTIFICATIONS
    assert (
        read_message(ET.tostring(ET.fromstring(sample("outbound_message_contact_1")))).notifications[0].record_id == ADA
    )


def test_every_field_the_vendors_wsdl_has_may_be_in_a_message_and_none_is_told():
    wsdl = ET.fromstring((SAMPLES / "outbound_contact.wsdl").read_bytes())
    contact = next(
        one for one in wsdl.iter("{http://www.w3.org/2001/XMLSchema}complexType") if one.get("name") == "Contact"
    )
    names = [one.get("name") for one in contact.iter("{http://www.w3.org/2001/XMLSchema}element")]

    message = read_message(a_message(a_notification(**dict.fromkeys(names, "Canary"))))

    assert {"LastName", "SystemModstamp", "DrChrono_Patient_Id__c"} <= set(names)
    assert "Canary" not in repr(message)
    assert [one.record_id for one in message.notifications] == [ADA]


@pytest.mark.parametrize(
    "odd",
    [b"\x0b", b"\x02", b"\x00", b"&#11;", b"&#x1F;", b"&#0;", b"&#xFFFE;", b"&#xD800;", b"&#99999999;",
     "\uffff".encode(), b"\xed\xa0\x80", b"\xff"],
    ids=repr,
)  # fmt: skip
def test_a_value_with_what_xml_does_not_carry_hides_no_record_of_its_message(odd):
    second = a_notification("003SYN000000002YBA", Description="pasted ODD text &amp; more")
    body = a_message(a_notification(), second).replace(b"ODD", odd)

    assert told(body) == [("Contact", ADA), ("Contact", "003SYN000000002YBA")]
