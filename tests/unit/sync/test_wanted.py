"""What a person types is read as whatever it may be: nobody has to say which."""

from datetime import date

import pytest

from app.sync.wanted import Wanted, wanted

BORN = date(1990, 2, 3)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("jane roe", Wanted(("jane", "roe"))),
        ("  roe  ", Wanted(("roe",), key="roe")),
        ("1990-02-03", Wanted(born=BORN)),
        ("2/3/1990", Wanted(born=BORN)),
        ("roe 1990-2-3", Wanted(("roe",), BORN)),
        ("1990-02-31", Wanted(("1990-02-31",), key="1990-02-31")),  # no day: whatever it is, it may be a chart's id
        ("O'Neill", Wanted(("O'Neill",))),
        ("Ælfrīc", Wanted(("Ælfrīc",))),
        ("jane\x00roe\ud800", Wanted(("jane", "roe"))),
        ("", Wanted()),
        (" j ", Wanted()),
        ("\u0000\u0000\u0000", Wanted()),
    ],
)
def test_words_are_read_as_names_a_birth_date_or_an_id(text, meant):
    assert wanted(text) == meant


def test_nobody_is_looked_for_by_a_novel():
    found = wanted("word " * 100)

    assert found.names == ("word",) * 5


def test_nothing_typed_is_nothing_wanted():
    assert not wanted("")
    assert wanted("roe")
