"""Codecs: what a side wrote is read tidily, written back unchanged, and compared in one normal form."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.sync.mappings.codecs import CODECS, Options, Unfit
from app.sync.model import Side
from tests.build import a_row

BOTH_SIDES = pytest.mark.parametrize("side", Side, ids=[side.value for side in Side])
TEXTUAL = pytest.mark.parametrize("name", ["text", "email", "phone"])
GENDERS = Options(values={"Male": "M", "Female": "F", "UNK": "Unknown"})
PLAIN = Options()


def read(name, raw, side=Side.DRCHRONO, options=PLAIN):
    return CODECS[name].read(side, raw, options)


def write(name, value, side=Side.SALESFORCE, options=PLAIN):
    return CODECS[name].write(side, value, options)


def same(name, one, other):
    return a_row(codec=name).equal(one, other)


@TEXTUAL
@BOTH_SIDES
@given(raw=st.text())
@example(raw="\r\r\n a \x1c")
def test_reading_back_what_we_wrote_shows_no_change(name, side, raw):
    value = read(name, raw)

    there = read(name, write(name, value, side), side)

    assert there == value


@BOTH_SIDES
@pytest.mark.parametrize("value", [*GENDERS.values, None])
def test_an_enum_comes_back_as_it_went(side, value):
    written = write("enum", value, side, GENDERS)

    assert read("enum", written, side, GENDERS) == value


@BOTH_SIDES
@given(day=st.one_of(st.none(), st.dates(date(1700, 1, 1), date(4000, 12, 31))))
@example(day=date(1700, 1, 1))
@example(day=date(4000, 12, 31))
def test_a_date_comes_back_as_it_went(side, day):
    value = None if day is None else day.isoformat()

    assert read("date", write("date", value, side), side) == value


@pytest.mark.parametrize("day", ["0202-12-01", "1699-12-31", "4001-01-01", "9999-12-31"])
def test_a_date_that_salesforce_does_not_take_is_left_out_by_name_and_goes_to_drchrono(day):
    with pytest.raises(Unfit, match=r"^date_out_of_range$"):
        write("date", read("date", day), Side.SALESFORCE)

    assert write("date", read("date", day), Side.DRCHRONO) == day


@TEXTUAL
@given(raw=st.text())
def test_a_tidy_value_is_tidy_already(name, raw):
    value = read(name, raw)

    assert read(name, value) == value


@TEXTUAL
@given(one=st.text())
def test_a_value_is_never_equal_to_emptiness(name, one):
    value = read(name, one)

    assert same(name, value, None) is (value is None)


@pytest.mark.parametrize("raw", [None, "", "  ", "\t\r\n"], ids=["null", "empty", "blanks", "whitespace"])
@pytest.mark.parametrize("name", CODECS)
def test_null_and_blanks_are_one_emptiness(name, raw):
    assert read(name, raw, options=GENDERS) is None


@pytest.mark.parametrize(
    ("side", "name", "written"),
    [
        (Side.SALESFORCE, "text", None),
        (Side.SALESFORCE, "enum", None),
        (Side.SALESFORCE, "date", None),
        (Side.DRCHRONO, "text", ""),
        (Side.DRCHRONO, "enum", ""),
        (Side.DRCHRONO, "date", None),
    ],
)
def test_emptiness_is_written_as_each_side_writes_it(side, name, written):
    assert write(name, None, side, GENDERS) == written


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("email", "Testa.Fixture@Example.com", "testa.fixture@example.com"),
        ("phone", "(555) 010-0142", "555-010-0142"),
        ("phone", "+1 555 010 0142", "5550100142"),
        ("phone", "555.010.0142 ext. 7", "(555) 010-0142 x7"),
        ("phone", "5550100142 #7", "555-010-0142 extension 7"),
        ("phone", "ask the desk", "Ask The Desk"),
    ],
)
def test_two_ways_of_writing_one_value_are_equal(name, one, other):
    assert same(name, one, other)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("text", "Testa", "testa"),
        ("text", "a b", "a  b"),
        ("email", "testa@example.com", "tessa@example.com"),
        ("phone", "555-010-0142", "555-010-0143"),
        ("phone", "555-010-0142", "555-010-0142 x7"),
        ("phone", "+44 20 7946 0958", "20 7946 0958"),
        ("phone", "ask the desk", "ask the nurse"),
    ],
)
def test_two_values_are_different(name, one, other):
    assert not same(name, one, other)


def test_a_phone_travels_as_it_was_typed():
    assert write("phone", read("phone", " (555) 010-0142 ")) == "(555) 010-0142"


@BOTH_SIDES
@TEXTUAL
@given(value=st.text(min_size=6))
def test_a_value_that_is_too_long_is_refused_and_never_cut(name, side, value):
    with pytest.raises(Unfit, match=r"^too_long$"):
        write(name, value, side, Options(max_length=5))


def test_a_number_that_the_field_would_round_is_refused_and_never_rounded():
    with pytest.raises(Unfit, match=r"^too_many_decimals$"):
        write("number", "12.345", Side.SALESFORCE, Options(decimals=2))

    assert write("number", "12.34", Side.SALESFORCE, Options(decimals=2)) == 12.34
    assert write("number", "12", Side.SALESFORCE, Options(decimals=0)) == 12


@TEXTUAL
def test_a_value_of_exactly_the_length_travels_whole(name):
    assert write(name, "12345", options=Options(max_length=5)) == "12345"


@BOTH_SIDES
def test_an_enum_value_the_mapping_does_not_name_is_refused(side):
    with pytest.raises(Unfit, match=r"^unknown_value$"):
        read("enum", "Unheard", side, GENDERS)


@pytest.mark.parametrize("side", list(Side))
def test_a_value_of_an_enum_may_be_none_in_salesforce(side):
    races = Options(values={"blank": "", "white": "White"})

    assert read("enum", None, side, races) == read("enum", "", side, races) == "blank"
    assert write("enum", "blank", side, races) == ("blank" if side is Side.DRCHRONO else None)
    assert read("enum", write("enum", "white", side, races), side, races) == "white"


def test_an_enum_value_that_went_out_of_the_mapping_is_not_written():
    with pytest.raises(Unfit, match=r"^unknown_value$"):
        write("enum", "Unheard", Side.SALESFORCE, GENDERS)


@pytest.mark.parametrize(
    "raw", ["2026-02-30", "31/12/2026", "2026-1-2", "2026-01-12T08:15:30", "2026-01-1\x002", "soon", 19]
)
def test_what_is_no_calendar_day_is_refused(raw):
    with pytest.raises(Unfit, match=r"^not_a_date$"):
        read("date", raw)


@pytest.mark.parametrize("raw", [True, [], {}, ["Testa"], {"a": "b"}], ids=str)
@pytest.mark.parametrize("name", sorted(CODECS.keys() - {"flag"}))
def test_what_is_no_text_is_refused(name, raw):
    with pytest.raises(Unfit, match=r"^not_text$"):
        read(name, raw, options=GENDERS)


@given(raw=st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
@pytest.mark.parametrize("name", CODECS)
def test_a_refusal_never_quotes_the_value(name, raw):
    reasons = {"not_text", "not_an_id", "not_a_date", "not_a_number", "not_a_flag", "not_a_local_time", "unknown_value"}

    try:
        read(name, raw, options=GENDERS)
    except Unfit as why:
        assert str(why) in reasons  # noqa: PT017 - most values are read, which is fine


@pytest.mark.parametrize("odd", ["\x00", "\x0b", "\x1f", "\ufffe"], ids=ascii)
@TEXTUAL
def test_a_character_that_is_carried_nowhere_is_dropped(name, odd):
    assert read(name, f"{odd}Test{odd}a {odd}") == "Testa"


@pytest.mark.parametrize(
    "raw",
    ["9" * 65, 10**70, -(10**64), "31\x000001", "31\ud8000001", "31\n0001", "..", "."],
    ids=["65", "a number", "negative", "NUL", "half a letter", "two lines", "up", "here"],
)
@BOTH_SIDES
def test_what_is_no_id_is_refused_and_never_mended_into_anothers(side, raw):
    given = raw if side is Side.DRCHRONO else {"Key__c": raw}

    with pytest.raises(Unfit, match=r"^not_an_id$"):
        read("reference", given, side, Options(to="doctor", key="Key__c"))


@pytest.mark.parametrize("raw", ["310001", " 310001 ", 310001])
@BOTH_SIDES
def test_an_id_is_the_same_as_text_and_as_number(side, raw):
    given = raw if side is Side.DRCHRONO else {"Key__c": raw}

    assert read("reference", given, side, Options(to="doctor", key="Key__c")) == "310001"


@pytest.mark.parametrize(("value", "sent"), [("310001", 310001), ("0310001", "0310001"), ("٣١", "٣١"), ("9_1", "9_1")])
def test_a_reference_is_sent_as_a_number_only_where_it_is_the_same_id(value, sent):
    assert write("reference", value, Side.DRCHRONO) == sent


@pytest.mark.parametrize(
    "raw", ["1e-1000000", "1e-16", "NaN", "Infinity", float("nan"), float("inf"), 10**70, "1e70", "30\x000"]
)
def test_what_no_number_field_takes_is_refused(raw):
    with pytest.raises(Unfit, match=r"^not_a_number$"):
        read("number", raw)


@TEXTUAL
def test_text_that_no_encoding_can_carry_is_refused(name):
    try:
        value = read(name, "Testa \ud800")
    except Unfit:
        return

    assert CODECS[name].normal(value).encode()
