"""What a person types is read as whatever it may be: nobody has to say which."""

from datetime import date

import pytest

from app.sync.patient_search import PatientSearch, parse_search

BORN = (date(1990, 2, 3),)
OMAR = (date(1974, 6, 15),)
TODAY = date(2026, 11, 29)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("jane roe", PatientSearch(("jane", "roe"))),
        ("Olsen, Omar", PatientSearch(("Olsen", "Omar"))),
        ("Olsen,Omar", PatientSearch(("Olsen", "Omar"))),
        ("  roe  ", PatientSearch(("roe",), key="roe")),
        ("1990-02-03", PatientSearch(born=BORN)),
        ("2/3/1990", PatientSearch(born=BORN)),
        ("roe 1990-2-3", PatientSearch(("roe",), BORN)),
        ("Olsen, Omar 6/15/74", PatientSearch(("Olsen", "Omar"), OMAR)),
        ("06-15-1974", PatientSearch(born=OMAR)),
        ("6.15.74", PatientSearch(born=OMAR)),
        ("6/15/24", PatientSearch(born=(date(1924, 6, 15), date(2024, 6, 15)))),  # who is a hundred, and a child
        ("12/31/26", PatientSearch(born=(date(1926, 12, 31),))),  # the other one is still to come
        (
            "1990-02-31",
            PatientSearch(("1990-02-31",), key="1990-02-31"),
        ),  # no day: whatever it is, it may be a chart's id
        ("6/15-74", PatientSearch(("6/15-74",))),
        ("O'Neill", PatientSearch(("O'Neill",))),
        ("Ælfrīc", PatientSearch(("Ælfrīc",))),
        ("jane\x00roe\ud800", PatientSearch(("jane", "roe"))),
        ("omar@example.com", PatientSearch(email="omar@example.com")),
        ("olsen omar@", PatientSearch(("olsen",), email="omar@")),
        ("", PatientSearch()),
        (" j ", PatientSearch()),
        ("\u0000\u0000\u0000", PatientSearch()),
    ],
)
def test_words_are_read_as_names_a_birth_date_an_address_or_an_id(text, meant):
    assert parse_search(text, TODAY) == meant


@pytest.mark.parametrize(
    "text",
    ["(555) 010-0104", "(555)010-0104", "555-010-0104", "555.010.0104", "555 010 0104", "+1 555 010 0104",
     "+15550100104", "1-555-010-0104"],
)  # fmt: skip
def test_a_phone_number_is_one_however_it_is_written(text):
    assert parse_search(text, TODAY).phone == "5550100104"
    assert parse_search(f"olsen {text} 6/15/74", TODAY) == PatientSearch(("olsen",), OMAR, phone="5550100104")


def test_ten_digits_may_be_an_id_as_well():
    assert parse_search("5550100104", TODAY) == PatientSearch(key="5550100104", phone="5550100104")


def test_a_number_without_its_area_is_one_where_it_is_written_as_one():
    assert parse_search("010-0104", TODAY).phone == "0100104"
    assert parse_search("5070101", TODAY) == PatientSearch(("5070101",), key="5070101")


def test_nobody_is_looked_for_by_a_novel():
    found = parse_search("word " * 100, TODAY)

    assert found.names == ("word",) * 5


def test_nothing_typed_is_nothing_wanted():
    assert not parse_search("", TODAY)
    assert parse_search("roe", TODAY)
