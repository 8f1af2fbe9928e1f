"""What is made to hurt is refused before it can, and whatever comes gives one of three answers."""

import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.vendors.salesforce.outbound_messages import Hostile, Message, UnreadableMessage, read_message
from tests.soap import a_message, a_notification

SAMPLES = Path(__file__).parents[2] / "samples" / "salesforce"
REAL = sorted(path.read_bytes() for path in SAMPLES.glob("outbound_message_*.xml"))
BIGGEST = 8 * 2**20
# where a tag, a name or a text begins or ends is where a change of a message changes most
PIECES = [b"<", b">", b"/", b"&", b'"', b"<!DOCTYPE x>", b"<!--", b"]]>", b"<![CDATA[", b"&#0;", b"\x00", b"\xff", b":"]


def answered(body):
    try:
        return type(read_message(body))
    except (Hostile, UnreadableMessage) as answer:
        return type(answer)


def measured(body):
    """Give the answer, the seconds of our own it took, and the most bytes it held."""
    started = time.process_time()
    answer = answered(body)
    spent_s = time.process_time() - started
    tracemalloc.start()
    answered(body)
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return answer, spent_s, most_bytes


def filled(opening, piece):
    """A message that begins well, and then says the same up to the biggest size a door takes."""
    start = a_message().partition(b"<Notification>")[0] + opening
    return start + piece * ((BIGGEST - len(start)) // len(piece))


@pytest.mark.parametrize("name", ["hostile_entity_expansion", "hostile_external_entity"])
def test_a_sample_with_entities_is_hostile(name):
    assert answered((SAMPLES / f"{name}.xml").read_bytes()) is Hostile


@pytest.mark.parametrize(
    "doctype",
    ["<!DOCTYPE x>", '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">', '<!DOCTYPE x [<!ENTITY a "b">]>',
     '<!DOCTYPE x [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>', f"<!--{' ' * 100_000}--><!DOCTYPE x>"],
    ids=["bare", "system", "entity", "parameter entity", "late"],
)  # fmt: skip
def test_a_document_type_is_hostile(doctype):
    assert answered(a_message(head=f'<?xml version="1.0"?>{doctype}')) is Hostile


@pytest.mark.parametrize(
    "encoding", ["UTF-16", "utf-16le", "ISO-8859-1", "latin-1", "windows-1252", "UTF-7", "cp037", "no-such", ""]
)
@pytest.mark.parametrize("mark", ['"', "'"])
def test_another_declared_encoding_is_hostile(encoding, mark):
    head = f"<?xml version={mark}1.0{mark} encoding={mark}{encoding}{mark}?>"

    assert answered(a_message(head=head)) is Hostile


def test_a_declaration_may_be_long():
    assert answered(a_message(head=f'<?xml version="1.0"{" " * 200}encoding="ISO-8859-1"?>')) is Hostile


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_wide_characters_are_hostile_whatever_they_declare(encoding):
    body = a_message(head='<?xml version="1.0" encoding="UTF-8"?>').decode().encode(encoding)

    assert answered(body) is Hostile


@pytest.mark.parametrize(
    "head",
    ["", "\ufeff", '<?xml version="1.0"?>', "<?xml version='1.0' encoding='utf-8' standalone='yes'?>",
     '\ufeff<?xml version="1.0"\n encoding = "UTF-8"?>', '<?xml version="1.0" encoding="US-ASCII"?>'],
    ids=["none", "mark", "no encoding", "single quotes", "mark and spaces", "ascii"],
)  # fmt: skip
def test_utf_8_is_read_however_it_is_declared(head):
    assert answered(a_message(head=head)) is Message


@pytest.mark.parametrize(("depth", "answer"), [(12, Message), (13, Hostile)])
def test_a_message_is_at_most_twelve_elements_deep(depth, answer):
    inside = "<x>" * (depth - 5) + "</x>" * (depth - 5)
    body = a_message(a_notification()).replace(b"</sObject>", f"{inside}</sObject>".encode())

    assert answered(body) is answer


@pytest.mark.parametrize(("count", "answer"), [(100, Message), (101, Hostile)])
def test_a_message_has_at_most_a_hundred_notifications(count, answer):
    assert answered(a_message(*[a_notification()] * count)) is answer


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"<", b"{}", b"<html><body>Sign in</body></html>", b"<a/>", b"\x1f\x8b\x08", a_message()[:-1],
     a_message().replace(b"Notification>", b"Other>"), a_message() + b"x", a_message().replace(b"sf:Id", b"no:Id"),
     b"<notifications xmlns='http://soap.sforce.com/2005/09/outbound'/>"],
    ids=["empty", "blank", "cut", "json", "page", "other", "gzip", "unended", "no notification", "more after it",
         "no such prefix", "no envelope"],
)  # fmt: skip
def test_what_is_no_message_is_not_read(body):
    assert answered(body) is UnreadableMessage


def test_what_is_not_readable_is_not_quoted():
    with pytest.raises(UnreadableMessage) as raised:
        read_message(b"<Canary>Canary")

    assert "Canary" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("opening", "piece", "answer"),
    [(b"", b"<a>", Hostile), (b"", b"<Notification/>", Hostile), (b"<a>", b"x", UnreadableMessage),
     (b"<a>", b"&amp;", UnreadableMessage), (b"", b"<!---->", UnreadableMessage)],
    ids=["nested", "notifications", "text", "references", "comments"],
)  # fmt: skip
def test_eight_mebibytes_of_one_thing_take_little_time_and_no_more_memory_than_they_are(opening, piece, answer):
    found, spent_s, most_bytes = measured(filled(opening, piece))

    assert found is answer
    assert spent_s < 2.0
    assert most_bytes < 4 * BIGGEST


def test_a_crowd_of_empty_elements_takes_no_more_memory_than_it_is():
    part = filled(b"", b"<a/>")[: BIGGEST // 16]

    _, _, most_bytes = measured(part)

    assert most_bytes < 4 * len(part)


def test_a_crowd_of_attributes_is_hostile():
    body = b"<a " + b" ".join(b'a%x=""' % number for number in range(50_000)) + b"/>"

    assert answered(body) is Hostile


def test_a_full_message_of_records_with_two_hundred_fields_is_a_message():
    fields = {f"Field_{number}__c": "x" for number in range(200)}

    assert answered(a_message(*[a_notification(**fields)] * 100)) is Message


@given(body=st.binary())
@example(body=b"\xfe\xff\x00<")
@example(body=b"<?xml version='1.0' encoding='\xff'?>")
def test_any_bytes_give_one_of_three_answers(body):
    assert answered(body) in (Message, Hostile, UnreadableMessage)


@given(real=st.sampled_from(REAL), data=st.data())
def test_any_change_of_a_real_message_gives_one_of_three_answers(real, data):
    changed = bytearray(real)

    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(changed)))
        end = data.draw(st.integers(start, min(start + 40, len(changed))))
        changed[start:end] = data.draw(st.binary(max_size=8) | st.sampled_from(PIECES))

    assert answered(bytes(changed)) in (Message, Hostile, UnreadableMessage)


@given(value=st.text(), name=st.sampled_from(["LastName", "Id", "SystemModstamp"]))
def test_any_text_in_a_field_gives_one_of_three_answers(value, name):
    field = f"<sf:{name}>{value}</sf:{name}></sObject>".encode()

    assert answered(a_message(a_notification("")).replace(b"</sObject>", field)) in (
        Message,
        Hostile,
        UnreadableMessage,
    )
