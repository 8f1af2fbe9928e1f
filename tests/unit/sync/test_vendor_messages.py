"""Of a vendor's message only its own words are left: what may be a value of the record is struck out."""

import pytest

from app.sync.diff import MASK
from app.sync.vendor_messages import LONGEST, without_values, words_of

ADA = ("Ada", "O'Fixture", "ada.fixture@example.com", "12 Main Street Apt 4", "IN", "1980-02-03", "true", "A")
RULE = "Enter a mobile phone with an area code in the field Mobile Phone."


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (RULE, RULE),
        ("Ada may not be a patient here", f"{MASK} may not be a patient here"),
        ("ADA O Fixture is there", f"{MASK} is there"),
        ("nobody lives at 12 Main Street any more", f"nobody lives at {MASK} any more"),
        ("Mailing Street: required", "Mailing Street: required"),
        ("IN is no state in this list", f"{MASK} is no state in this list"),
        ("it must be true", "it must be true"),
        ("A phone needs its area code", "A phone needs its area code"),
        ("invalid email address: someone.else@example.org", f"invalid email address: {MASK}"),
        ("call (555) 010-0142 or +1 555.010.0142 x5", f"call {MASK} or {MASK} x5"),
        ("born 1980-02-03T10:00:00Z, or 2/3/80", f"born {MASK}, or {MASK}"),
        ("born 3 February 1980; Feb 3, 1980; 3rd of may", f"born {MASK}; {MASK}; 3rd of may"),
        ("no more than 40 characters in 2026", "no more than 40 characters in 2026"),
        ("two\nlines  of text", "two lines of text"),
        ("half a character \ud83d and\0a NUL", "half a character ? and a NUL"),
    ],
)
def test_what_may_be_a_value_is_struck_out_and_the_rules_words_stay(said, left):
    assert without_values(said, ADA) == left


@pytest.mark.parametrize("name", ["d'Angelo", "van der Berg", "Bo", "O'Brien-Smith", "Zoë Ann", "St. John", "李雷"])
@pytest.mark.parametrize("written", [str, str.upper, str.lower])
def test_a_name_is_struck_out_in_whatever_case_it_is_written(name, written):
    assert without_values(f"Name '{written(name)}' is not valid", [name]) == f"Name '{MASK}' is not valid"


@pytest.mark.parametrize("said", ["data value too large: Maximiliano", "Maximilianovich is too long", "MAXIMILIANOVIC"])
def test_a_value_is_known_where_it_was_cut_or_written_in_another_way(said):
    assert "axim" not in without_values(said, ["Maximilianovic"]).casefold()


def test_of_a_long_text_a_name_in_it_and_three_words_in_their_order_are_struck_out():
    note = "call the patient Ann Sample about the new insurance card"

    assert without_values("Ann Sample has no insurance", [note]) == f"{MASK} has no insurance"
    assert without_values("ask about the new one", [note]) == f"ask {MASK} one"
    assert without_values("the patient needs a card", [note]) == "the patient needs a card"


def test_a_message_is_cut():
    assert len(without_values("word " * 10_000, ["x" * 70_000])) == LONGEST


def test_what_a_vendor_says_by_field_is_one_text():
    said = {"email": ["Enter a valid email address.", "No."], "detail": "Refused.", "deep": [[[[["no"]]]]]}

    assert words_of(said) == "email: Enter a valid email address. No.\nRefused."
