"""Who a record is, what an empty name is worth, and what several candidates come to."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sync.base import HashKeys
from app.sync.identity import alike, fingerprints, identity, narrowed, normal, question
from app.sync.model import Kind, Snapshot
from tests.build import SHIPPED, a_patient, rules

NEWER = HashKeys.of((b"n" * 32, b"k" * 32))


def somebody(id_="1", **fields):
    return Snapshot(id_, a_patient(**fields))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Zoë", "ZOE"), ("O'Brien", "Obrien"), ("Anne-Marie", "anne marie"), ("Straße", "STRASSE"), ("José", "Jose\u0301"),
     ("Ⅷ", "viii"), (" Ada ", "ada"), ("Ł. Nowak", "ł nowak")],
)  # fmt: skip
def test_names_a_person_would_call_the_same_are(one, other):
    assert normal(one) == normal(other)


@pytest.mark.parametrize(("one", "other"), [("Ada", "Eda"), ("Ann", "Anna"), ("李", "王")])
def test_other_names_are_others(one, other):
    assert normal(one) != normal(other)


@given(st.text())
def test_a_normal_form_is_its_own_and_has_nothing_but_letters_and_digits(text):
    found = normal(text)

    assert normal(found) == found
    assert found == "".join(filter(str.isalnum, found))


@given(st.text())
def test_how_a_name_is_composed_or_spaced_says_nothing(text):
    assert normal(unicodedata.normalize("NFC", text)) == normal(text) == normal(f" {text}.")


def test_first_and_last_name_do_not_run_into_each_other():
    assert identity(SHIPPED, a_patient(first_name="Ann Marie", last_name="Smith")) != identity(
        SHIPPED, a_patient(first_name="Ann", last_name="Marie Smith")
    )


@pytest.mark.parametrize("lacks", ["first_name", "last_name", "date_of_birth"])
@pytest.mark.parametrize("empty", [None, "", "—"])
def test_whoever_lacks_a_name_or_the_birth_date_is_nobody(lacks, empty):
    value = None if lacks == "date_of_birth" else empty

    assert identity(SHIPPED, a_patient(**{lacks: value})) is None
    assert fingerprints(rules(), a_patient(**{lacks: value})) == ()


def test_a_field_that_was_not_read_makes_nobody():
    fields = {name: value for name, value in a_patient().items() if name != "date_of_birth"}

    assert identity(SHIPPED, fields) is None


def test_a_kind_nobody_can_search_for_has_no_identity():
    assert identity(replace(SHIPPED, kind=Kind.OFFICE), a_patient()) is None


def test_a_fingerprint_says_nothing_and_is_found_under_an_older_key():
    (print_,) = fingerprints(rules(), a_patient())

    assert "Testa" not in print_
    assert fingerprints(rules(keys=NEWER), a_patient())[1] == print_
    assert fingerprints(rules(), a_patient(email="other@example.com")) == (print_,)


def test_drchrono_is_asked_for_the_birth_date_alone_inactive_ones_included():
    assert question(SHIPPED, a_patient()) == {"date_of_birth": "1987-04-09", "show_inactive": "true"}


def test_a_list_that_shows_too_much_matches_no_more():
    listed = [somebody("1", last_name="Other"), somebody("2"), somebody("3", date_of_birth="1987-04-10"), somebody("2")]

    assert [one.id for one in alike(SHIPPED, a_patient(), listed)] == ["2"]


def test_one_alone_needs_no_email_or_phone():
    found = [somebody(email="other@example.com", cell_phone=None)]

    assert narrowed(SHIPPED, a_patient(), found) == found


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        ({"email": "TESTA.FIXTURE@example.com"}, ["1"]),
        ({"home_phone": "+1 555 010 0142"}, ["1"]),
        ({}, ["1", "2", "3"]),
    ],
    ids=["e-mail", "phone", "neither"],
)
def test_of_several_those_that_share_an_email_or_a_phone_remain(fields, ids):
    nothing = {"email": None, "cell_phone": None, "home_phone": None}
    found = [somebody("1", **{**nothing, **fields}), *(somebody(id_, **nothing) for id_ in "23")]

    assert [one.id for one in narrowed(SHIPPED, a_patient(), found)] == ids


def test_an_empty_phone_is_shared_by_nobody():
    nothing = {"email": None, "cell_phone": None, "home_phone": None}

    assert len(narrowed(SHIPPED, a_patient(**nothing), [somebody(id_, **nothing) for id_ in "12"])) == 2
