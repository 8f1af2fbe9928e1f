"""What a person types is read as whatever it may be: nobody has to say which."""

from datetime import date

import pytest

from app.sync.patient_search import PatientSearch, parse_search

BORN = date(1990, 2, 3)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("jane roe", PatientSearch(("jane", "roe"))),
        ("  roe  ", PatientSearch(("roe",), key="roe")),
        ("1990-02-03", PatientSearch(born=BORN)),
        ("2/3/1990", PatientSearch(born=BORN)),
        ("roe 1990-2-3", PatientSearch(("roe",), BORN)),
        (
            "1990-02-31",
            PatientSearch(("1990-02-31",), key="1990-02-31"),
        ),  # no day: whatever it is, it may be a chart's id
        ("O'Neill", PatientSearch(("O'Neill",))),
        ("Ælfrīc", PatientSearch(("Ælfrīc",))),
        ("jane\x00roe\ud800", PatientSearch(("jane", "roe"))),
        ("", PatientSearch()),
        (" j ", PatientSearch()),
        ("\u0000\u0000\u0000", PatientSearch()),
    ],
)
def test_words_are_read_as_names_a_birth_date_or_an_id(text, meant):
    assert parse_search(text) == meant


def test_nobody_is_looked_for_by_a_novel():
    found = parse_search("word " * 100)

    assert found.names == ("word",) * 5


def test_nothing_typed_is_nothing_wanted():
    assert not parse_search("")
    assert parse_search("roe")
