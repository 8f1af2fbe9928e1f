"""Platform events: one meaning in three shapes, read by what they need and tolerant of the rest."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.vendors.salesforce.platform_events import MOST_EVENTS, EventBatch, RecordChange, UnreadableEvents, read_events

SAMPLES = Path(__file__).parents[2] / "samples" / "salesforce"
ORG, ADA, BEN = "00DSYN0000000012BA", "003SYN000000001YBA", "003SYN000000002YBA"
UUID = "11111111-2222-4333-8444-555555555555"
FLOW, APEX, RAW, RELAY = "platform_event_flow_http_callout", "platform_event_apex_callout_batch", \
    "platform_event_apex_raw_json_serialize", "eventbridge_relay_platform_event"  # fmt: skip
NAMES = ["events", "detail", "payload", "organizationId", "source", "EventUuid", "Record_Id__c", "recordId",
         "Object_Api_Name__c", "Operation__c", "systemModstamp", "Master_Record_Id__c"]  # fmt: skip
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([ADA, "Contact", ORG])
JSON = st.recursive(
    VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(NAMES), inner), max_leaves=20
)


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())


def told(document):
    return read_events(json.dumps(document).encode())


def an_event(**more):
    return {"EventUuid": UUID, "Object_Api_Name__c": "Contact", "Record_Id__c": ADA, "Operation__c": "UPDATE"} | more


def test_a_flows_callout_is_one_change_without_a_uuid():
    assert told(sample(FLOW)) == EventBatch(
        frozenset({ORG}), (RecordChange("", "Contact", ADA, "", "CREATEORUPDATE", "2026-11-20T15:04:05Z"),)
    )


def test_a_batch_by_apex_is_each_of_its_changes_in_order():
    batch = told(sample(APEX))

    assert batch.organizations == {ORG}
    assert [(one.uuid[-1], one.object, one.record_id, one.operation) for one in batch.changes] == [
        ("5", "Contact", ADA, "UPDATE"),
        ("6", "DrChrono_Appointment__c", "a01SYN000000001YBA", "CREATE"),
    ]


def test_events_as_apex_serialises_them_name_no_org():
    assert told(sample(RAW)) == EventBatch(frozenset(), (RecordChange(UUID, "Contact", ADA, "", "UPDATE", ""),))


def test_the_packages_own_event_of_a_merge_names_both_records():
    event = {"EventUuid": UUID, "Action__c": "merged", "Object__c": "Contact", "Record_Id__c": ADA, "Winner_Id__c": BEN}

    batch = told({"organizationId": ORG, "events": [event | {"External_Id__c": "7", "Chart_Id__c": None}]})

    assert batch == EventBatch(frozenset({ORG}), (RecordChange(UUID, "Contact", ADA, BEN, "MERGED", ""),))


def test_a_relayed_event_takes_its_org_from_where_it_came_from():
    assert told(sample(RELAY)) == EventBatch(frozenset({ORG}), (RecordChange(UUID, "Contact", ADA, "", "UPDATE", ""),))


@pytest.mark.parametrize("source", ["aws.partner/other.com/00DSYN0000000012BA/1", "aws.s3", "", None, 7])
def test_a_source_that_is_not_salesforces_relay_names_no_org(source):
    assert told(sample(RELAY) | {"source": source}).organizations == frozenset()


def test_every_org_a_body_names_is_told():
    body = sample(RELAY) | {"organizationId": "00DSYN0000000092BA"}

    assert told(body).organizations == {ORG, "00DSYN0000000092BA"}


def test_one_event_means_the_same_in_every_shape():
    flow = {"eventUuid": UUID, "objectApiName": "Contact", "recordId": ADA[:15], "operation": "Update"}
    typed = {name.upper(): value for name, value in an_event().items()}
    relayed = sample(RELAY)
    relayed["detail"]["payload"] = an_event()

    shapes = [told(one).changes for one in (an_event(), [an_event()], {"events": [an_event()]}, relayed, flow, typed)]

    assert shapes == [shapes[0]] * 6


@pytest.mark.parametrize("name", ["Master_Record_Id__c", "masterRecordId"])
def test_a_merge_names_the_record_that_is_left(name):
    (change,) = told(an_event(Operation__c="MERGE", **{name: BEN[:15]})).changes

    assert (change.operation, change.record_id, change.master_id) == ("MERGE", ADA, BEN)


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "DELETE", "UNDELETE", "MERGE"])
@pytest.mark.parametrize("spelled", [str.upper, str.lower, str.title])
def test_an_operation_is_told_in_capitals(operation, spelled):
    assert told(an_event(Operation__c=spelled(operation))).changes[0].operation == operation


@pytest.mark.parametrize("name", [FLOW, APEX, RAW, RELAY])
def test_what_is_not_known_is_passed_over(name):
    plain = sample(name)

    def crowded(one):
        if isinstance(one, list):
            return [crowded(inner) for inner in one]
        return {"Later__c": [{"x": 1}]} | {k: crowded(v) for k, v in one.items()} if isinstance(one, dict) else one

    assert told(crowded(plain)) == told(plain)


@pytest.mark.parametrize("name", ["EventUuid", "Operation__c", "Master_Record_Id__c"])
@pytest.mark.parametrize("value", [None, 7, [], {}], ids=repr)
def test_what_is_no_text_is_taken_as_not_said(name, value):
    assert told(an_event(**{name: value})) == told({k: v for k, v in an_event().items() if k != name})


@pytest.mark.parametrize(
    "wrong",
    [{"Record_Id__c": None}, {"Record_Id__c": ""}, {"Record_Id__c": "7"}, {"Record_Id__c": 7},
     {"Object_Api_Name__c": ""}, {"Object_Api_Name__c": None}],
    ids=str,
)  # fmt: skip
def test_an_event_that_names_no_record_is_not_read(wrong):
    with pytest.raises(UnreadableEvents):
        told(an_event(**wrong))


@pytest.mark.parametrize(
    "record_id",
    ["001SYN000000001YBA", "a01SYN000000001YBA", f"{ADA[:15]}AAA", "sixteen letters.", "../users/current"],
    ids=["an Account's", "a custom object's", "another suffix", "no id", "a path"],
)
def test_an_id_that_is_none_of_the_objects_names_no_record(record_id):
    whole = told({"events": [an_event(), an_event(Record_Id__c=record_id, Master_Record_Id__c=record_id)]})

    assert [(one.record_id, one.master_id) for one in whole.changes[1:]] == [("", "")]
    assert whole.changes[0].record_id == ADA


@pytest.mark.parametrize(
    ("name", "record_id"),
    [
        ("DrChrono_Appointment__c", "a01SYN000000001YBA"),
        ("Pet__c", "aB0SYN0000000015jw"),
        ("Case", "500SYN000000001YBA"),
    ],
)
def test_an_id_of_any_other_object_is_told_by_how_its_kind_begins(name, record_id):
    def named(given):
        return (
            told({"events": [an_event(), an_event(Object_Api_Name__c=name, Record_Id__c=given)]}).changes[1].record_id
        )

    assert named(record_id[:15])[:15] == record_id[:15]
    assert named(ADA if name.endswith("__c") else "a01SYN000000001YBA") == ""


def test_an_event_that_names_no_record_does_not_take_its_neighbours_with_it():
    batch = told({"events": [an_event(), an_event(Record_Id__c="")]})

    assert [one.record_id for one in batch.changes if one.record_id] == [ADA]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"7", b'"x"', b"[]", b"{}", b"[7]", b'{"events": []}', b'{"events": [null]}', b"\xff\xfe\xff",
     b'{"detail": {}}', b'{"detail": {"payload": []}}', b"[" * 100_000, b"9" * 5000, b"<x/>", b"\x1f\x8b\x08"],
    ids=lambda body: body[:24].decode(errors="replace") or "empty",
)  # fmt: skip
def test_what_has_none_of_the_shapes_is_not_read(body):
    with pytest.raises(UnreadableEvents):
        read_events(body)


@pytest.mark.parametrize(
    "name",
    ["eventbridge_relay_cdc", "cdc_contact_create_decoded", "cdc_contact_update_decoded", "cdc_contact_delete_decoded",
     "cdc_contact_echo_of_our_write", "cdc_gap_update_decoded", "cdc_gap_overflow_decoded"],
)  # fmt: skip
@pytest.mark.parametrize("wrapped", [lambda one: one, lambda one: [one], lambda one: {"events": [one]}])
def test_a_change_event_is_none_of_the_shapes(name, wrapped):
    with pytest.raises(UnreadableEvents):
        told(wrapped(sample(name)))


@pytest.mark.parametrize("name", ["bulk2_successful_results", "bulk2_failed_results"])
def test_rows_of_a_bulk_job_are_none_of_the_shapes(name):
    with pytest.raises(UnreadableEvents):
        read_events((SAMPLES / f"{name}.csv").read_bytes())


def test_a_batch_has_at_most_as_many_events_as_a_trigger_is_given():
    assert len(told([an_event()] * MOST_EVENTS).changes) == MOST_EVENTS == 2000

    with pytest.raises(UnreadableEvents):
        told([an_event()] * (MOST_EVENTS + 1))


def test_what_is_not_readable_is_not_quoted():
    with pytest.raises(UnreadableEvents) as raised:
        told([{"Record_Id__c": "Canary"}])

    assert "Canary" not in str(raised.value)


@given(body=st.binary() | JSON.map(lambda document: json.dumps(document).encode()))
@example(body=b'{"source": [], "organizationId": {}, "recordId": "003SYN000000001", "objectApiName": "Contact"}')
def test_whatever_comes_is_a_batch_or_not_readable(body):
    try:
        batch = read_events(body)
    except UnreadableEvents:
        return

    assert all(len(one.record_id) in (0, 18) for one in batch.changes)


@given(name=st.sampled_from([FLOW, APEX, RAW, RELAY]), data=st.data())
def test_a_real_body_with_any_part_exchanged_is_a_batch_or_not_readable(name, data):
    document = at = copy.deepcopy(sample(name))

    while isinstance(at, dict | list) and at:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or data.draw(st.booleans()):
            at[key] = data.draw(JSON)
            break
        at = at[key]

    test_whatever_comes_is_a_batch_or_not_readable.hypothesis.inner_test(json.dumps(document).encode())


@given(said=st.text(st.characters()))
@example(said="\ud800")
@example(said="x" * 1000)
def test_text_of_any_kind_is_told_as_text_of_a_bounded_length(said):
    (change,) = told(an_event(EventUuid=said, Operation__c=said, systemModstamp=said)).changes

    assert (len(change.uuid) <= 64, len(change.operation) <= 16, len(change.version) <= 32) == (True, True, True)
