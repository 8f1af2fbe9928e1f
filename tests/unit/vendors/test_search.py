"""A person's words become a condition in which they are words and nothing else."""

from datetime import date

import pytest

from app.sync.mappings import file
from app.sync.model import Kind
from app.sync.patient_search import PatientSearch
from app.vendors.salesforce.search import Columns, behind, condition, is_id

PATIENT = file.load(None)[Kind.PATIENT]
COLUMNS = Columns.of(PATIENT)
OURS = "(Sync_To_DrChrono__c = true OR DrChrono_Patient_Id__c != null)"


def test_a_name_and_a_birth_date_are_both_to_fit_among_those_that_are_patients():
    found = condition(PATIENT, PatientSearch(("roe",), (date(1990, 2, 3),)))

    assert found == (
        "((FirstName LIKE 'roe%' OR FirstName LIKE '% roe%' OR FirstName LIKE '%-roe%' OR LastName LIKE 'roe%' "
        f"OR LastName LIKE '% roe%' OR LastName LIKE '%-roe%') AND Birthdate = 1990-02-03) AND {OURS}"
    )


def test_of_several_birth_dates_one_is_to_fit():
    found = condition(PATIENT, PatientSearch(born=(date(1924, 6, 15), date(2024, 6, 15))))

    assert found == f"((Birthdate = 1924-06-15 OR Birthdate = 2024-06-15)) AND {OURS}"


def test_a_phone_number_is_looked_for_in_every_field_of_one_whatever_stands_between_its_parts():
    found = condition(PATIENT, PatientSearch(phone="5550100104"))

    for field in ("MobilePhone", "HomePhone"):
        for begins in ("", "(", "1%", "+1%"):
            assert f"{field} LIKE '{begins}555%010%0104%'" in found
    assert "MobilePhone LIKE '%010%0104%'" in condition(PATIENT, PatientSearch(phone="0100104"))


def test_an_email_address_is_looked_for_by_how_it_begins():
    assert condition(PATIENT, PatientSearch(email="omar_")) == f"((Email LIKE 'omar\\_%')) AND {OURS}"


def test_one_word_may_be_an_id_or_a_charts_as_well():
    found = condition(PATIENT, PatientSearch(key="003SYN00000000A"))

    assert found == (
        "((DrChrono_Patient_Id__c = '003SYN00000000A') OR (DrChrono_Chart_Id__c LIKE '003SYN00000000A%') "
        f"OR (Id = '003SYN00000000AEAQ')) AND {OURS}"
    ).replace("003SYN00000000AEAQ", found.split("Id = '")[-1].split("'")[0])
    assert "Id = '003SYN00000000A" in found


@pytest.mark.parametrize(
    ("word", "quoted"),
    [("100%", "100\\%"), ("a_b", "a\\_b"), ("O'Neill", "O\\'Neill"), ("back\\slash", "back\\\\slash"), ('"', '\\"')],
)
def test_wildcards_and_quotes_are_letters(word, quoted):
    assert f"FirstName LIKE '{quoted}%'" in condition(PATIENT, PatientSearch((word,)))


def test_nothing_to_look_for_is_no_condition():
    assert condition(PATIENT, PatientSearch()) == ""


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("003SYN0000000015", False),  # 16 characters
        ("003SYN000000001", True),
        ("003SYN000000001YBA", True),
        ("003SYN000000001yba", True),
        ("003SYN000000001ZZZ", False),  # its suffix belongs to another id
        ("Featherstonehau", False),  # as long as an id, and a name
        ("a0QSYN000000001", True),
        ("", False),
    ],
)
def test_only_what_is_surely_an_id_is_asked_for_as_one(text, is_one):
    assert is_id(text) is is_one


def test_what_comes_behind_a_page_is_told_by_last_name_and_then_by_id():
    assert behind(COLUMNS, None) == ""
    assert behind(COLUMNS, ("O'Neill", "003A")) == (
        "(LastName > 'O\\'Neill' OR (LastName = 'O\\'Neill' AND Id > '003A'))"
    )
    assert behind(COLUMNS, (None, "003A")) == "(LastName != null OR (LastName = null AND Id > '003A'))"
