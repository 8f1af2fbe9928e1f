"""DrChrono's envelope: which record a body means, tolerant of what the API adds, and never a crash over bytes."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.sync.model import Kind
from app.vendors.drchrono.wire import EVENT_KINDS, NotReadable, read_notice, record_id, version

SAMPLES = Path(__file__).parents[2] / "samples" / "drchrono"
DELIVERY = json.loads((SAMPLES / "webhook_patient_create.json").read_text())
PING = json.loads((SAMPLES / "webhook_ping.json").read_text())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["object", "id"]), inner),
)


def body_of(record):
    return json.dumps({"receiver": {"id": 1}, "object": record}).encode()


def test_a_delivery_means_one_record_in_one_version():
    notice = read_notice(json.dumps(DELIVERY["body"]).encode())

    assert (notice.record_id, notice.version) == ("220000101", "2026-01-12T08:15:30")


def test_nothing_of_the_receiver_is_in_a_notice():
    notice = read_notice(json.dumps(DELIVERY["body"]).encode())

    assert notice.object == DELIVERY["body"]["object"]


def test_the_event_names_the_kind():
    assert EVENT_KINDS[DELIVERY["headers"]["X-drchrono-event"]] is Kind.PATIENT


def test_a_ping_names_no_kind():
    assert PING["headers"]["X-drchrono-event"] not in EVENT_KINDS


@pytest.mark.parametrize(("value", "read"), [(7, "7"), ("7", "7"), (" a7 ", "a7"), ("x" * 64, "x" * 64)], ids=repr)
def test_an_id_is_read_as_text(value, read):
    assert record_id({"id": value}) == read


@pytest.mark.parametrize(
    "value", [None, True, 7.5, [], {}, "", " ", "x" * 65, "a\nb", "a\x00", "\ud800"], ids=lambda value: repr(value)[:20]
)
def test_what_is_no_id_is_not_read(value):
    with pytest.raises(NotReadable):
        read_notice(body_of({"id": value}))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b"7", b'"object"', b"{}", b'{"object": null}', b'{"object": []}', b'{"object": {}}',
        b"\xff\xfe\xff", b"[" * 100_000, b'{"object": {"id": ' + b"9" * 5000 + b"}}", json.dumps(PING["body"]).encode(),
    ],
    ids=lambda body: body[:20].decode(errors="replace") or "empty",
)  # fmt: skip
def test_what_is_no_delivery_is_not_read(body):
    with pytest.raises(NotReadable):
        read_notice(body)


@given(body=st.binary() | JSON.map(lambda document: json.dumps(document).encode()))
@example(body=b'{"object": {"id": "1", "updated_at": 7}}')
def test_whatever_comes_is_a_notice_or_not_readable(body):
    try:
        notice = read_notice(body)
    except NotReadable:
        return

    assert notice.record_id


@given(body=st.text(min_size=30))
def test_what_is_not_readable_is_not_quoted(body):
    with pytest.raises(NotReadable) as raised:
        read_notice(json.dumps({"object": {"id": [body]}}).encode())

    assert body not in str(raised.value)


@pytest.mark.parametrize("stamp", ["2026-01-12T08:15:30", "2026-01-12T08:15:30.5", "2026-01-12T08:15:30.123456"])
def test_a_stamp_is_taken_as_it_is(stamp):
    assert version({"updated_at": stamp}) == stamp


@pytest.mark.parametrize(
    "stamp",
    [
        None, "", 1768205730, True, [], "2026-01-12", "2026-01-12T08:15:30Z", "2026-01-12T08:15:30+00:00",
        "2026-01-12 08:15:30", "2026-01-12T08:15:30.1234567", "zzzz", "2026-01-12T08:15:30\n",
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_compared_as_text_is_no_stamp(stamp):
    assert version({"updated_at": stamp}) == ""


def test_digits_of_another_script_are_no_stamp():
    assert version({"updated_at": "\u0662026-01-12T08:15:30"}) == ""


@given(stamps=st.lists(st.datetimes(), min_size=2, max_size=2))
def test_stamps_compare_as_text_as_their_instants_do(stamps):
    one, other = (stamp.replace(fold=0) for stamp in stamps)

    assert (version({"updated_at": one.isoformat()}) < version({"updated_at": other.isoformat()})) is (one < other)
