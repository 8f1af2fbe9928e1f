"""A Salesforce id in its 18 characters: the last three say which of the others are capitals."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vendors.salesforce.wire import long_id

SAMPLES = Path(__file__).parents[2] / "samples" / "salesforce"
KNOWN = sorted(
    {
        found
        for path in [*SAMPLES.glob("outbound_*"), *SAMPLES.glob("*event*"), SAMPLES / "index.json"]
        for found in re.findall(r"\b[0-9A-Za-z]{3}SYN[0-9A-Za-z]{9}[0-9A-Z]{3}\b", path.read_text())
    }
)
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_the_samples_hold_ids_of_several_suffixes():
    assert len({known[15:] for known in KNOWN}) > 1


@pytest.mark.parametrize("known", KNOWN)
def test_a_known_id_is_given_in_its_long_form_whatever_case_its_suffix_had(known):
    given = [known[:15], known, known[:15] + known[15:].lower(), known[:15] + known[15:].swapcase()]

    assert {long_id(one) for one in given} == {known}


@pytest.mark.parametrize(
    ("short", "suffix"),
    [("aaaaaaaaaaaaaaa", "AAA"), ("AAAAAAAAAAAAAAA", "555"), ("Aaaaaaaaaaaaaaa", "BAA"), ("aaaaAaaaaaaaaaa", "QAA"),
     ("aaaaaAaaaaaaaaa", "ABA"), ("aaaaaaaaaaaaaaA", "AAQ"), ("000000000000000", "AAA"), ("0aB0CzzzzzDDD00", "UAH")],
)  # fmt: skip
def test_the_suffix_counts_capitals_in_fives_the_first_lowest(short, suffix):
    assert long_id(short) == short + suffix


@given(short=st.text(LETTERS, min_size=15, max_size=15))
def test_ids_that_differ_in_case_alone_differ_in_their_suffix(short):
    other = short.swapcase()

    assert (long_id(short)[15:] == long_id(other)[15:]) is (short == other)
    assert long_id(long_id(short)) == long_id(short)


@pytest.mark.parametrize(
    "given",
    ["", " ", "003", "003SYN00000001", "003SYN0000000011", "003SYN0000000011B", "003SYN000000001YBAA",
     "003SYN00000000-", "003SYN000000001\n", " 003SYN000000001", "003SYN00000000é", "\u0660\u0660\u0663SYN000000001",
     "003SYN00000000\x00", "null", "{!Record.Id}xxx", "x" * 1000],
    ids=lambda given: repr(given[:20]),
)  # fmt: skip
def test_what_is_no_id_gives_nothing(given):
    assert long_id(given) == ""


@given(given=st.text())
def test_any_text_is_an_id_or_nothing(given):
    assert long_id(given) == "" or long_id(given)[:15] == given[:15]
