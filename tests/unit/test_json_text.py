"""JSON is read and written as by the standard library, whatever comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.json_text import read_json, write_json

TEXTS = st.text(st.characters(exclude_categories=()))  # half characters, too
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)
ODD = (
    *(b"", b"{", b"[1,]", b"01", b"nan", b"NaN", b"-Infinity", b"-0", b"1E400", b'{"a":1,"a":2}', b"[]x", b"1" * 5000),
    *(b' "\\u00e9" ', b'"\x01"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\xff"', b'\xef\xbb\xbf{"a":1}'),
    b"[" * 300 + b"]" * 300,
    '{"a": "é"}'.encode("utf-16"),
)  # fmt: skip


def told(read, text):
    """Give what a text is read as, NaN included; or that it is no JSON."""
    try:
        return repr(read(text))
    except ValueError:
        return ValueError


@given(DOCUMENTS)
def test_what_is_written_means_the_same_and_is_ascii(document):
    written = write_json(document)

    assert written.isascii()
    assert repr(json.loads(written)) == repr(json.loads(json.dumps(document)))


@given(st.one_of(st.binary(), DOCUMENTS.map(lambda one: json.dumps(one).encode()), TEXTS))
def test_what_is_read_is_what_the_standard_library_reads(text):
    assert told(read_json, text) == told(json.loads, text)


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_texts_are_read_as_the_standard_library_reads_them(text):
    assert told(read_json, text) == told(json.loads, text)
