"""What DrChrono's documentation does not bear out of a mapping; it describes its fields nowhere else."""

import pytest

from app.sync.mappings import file
from app.sync.mappings.misfits import drchrono_misfits, drchrono_type
from app.sync.model import Kind


@pytest.fixture
def mapped(tmp_path):
    """Give the patients of the shipped mapping with some lines laid over."""

    def of(*lines, kind="patient"):
        text = "\n".join(['extends = "default"', f"[{kind}]", *lines])
        (tmp_path / "mapping.toml").write_text(text)
        return file.load(tmp_path / "mapping.toml")[Kind(kind)]

    return of


def told(table):
    return [(one.row, one.is_fatal) for one in drchrono_misfits(table)]


@pytest.mark.parametrize("preset", file.PRESETS)
def test_a_mapping_that_comes_with_the_service_fits(preset):
    tables = file.load(file.Path(preset)).values()

    assert [one.says for table in tables for one in drchrono_misfits(table)] == []


@pytest.mark.parametrize(
    ("drchrono", "codec", "more", "says", "is_fatal"),
    [
        ("emial", "text", "", "documents no emial", False),
        ("date_of_birth", "number", "", "is a date, which codec number does not read", True),
        ("disable_sms_messages", "text", "", "is yes or no, which codec text does not read", True),
        ("offices", "text", "", "is a list", True),
        ("nick_name", "date", "", "is text, which codec date does not read", True),
        ("copay", "number", "", "of which codec number reads some", False),
        ("gender_identity_code", "text", "", "lets nobody write gender_identity_code", True),
        ("race", "enum", ', values = { martian = "M" }', "has no value martian", True),
        ("ethnicity", "enum", ', values = { hispanic = "H", declined = "D" }', "may be blank, not_hispanic", False),
        ("doctor", "reference", ', to = "office"', "doctor is no office", True),
    ],
)
def test_a_field_that_drchrono_documents_otherwise_is_told(mapped, drchrono, codec, more, says, is_fatal):
    other = f"fields.{drchrono} = false" if drchrono in ("doctor", "date_of_birth") else ""
    row = f'{{ drchrono = "{drchrono}", salesforce = "New__c", codec = "{codec}", owner = "drchrono"{more} }}'

    found = [one for one in drchrono_misfits(mapped(other, f"fields.new = {row}")) if one.row == "new"]

    assert [(says in one.says, one.is_fatal) for one in found] in ([(True, is_fatal)], [(True, True), (False, False)])
    assert all(one.fix for one in found)


def test_what_goes_to_salesforce_only_need_not_be_written_in_drchrono(mapped):
    row = '{ drchrono = "gender_identity_code", salesforce = "Code__c", codec = "text", direction = "to_salesforce" }'

    assert told(mapped(f"fields.code = {row}")) == []


@pytest.mark.parametrize(
    ("kind", "name", "is_fatal"),
    [("patient", "doctor", False), ("patient", "gender", True), ("appointment", "duration", True)],
)
def test_what_drchrono_makes_no_record_without_must_be_carried_there(mapped, kind, name, is_fatal):
    assert told(mapped(f"fields.{name} = false", kind=kind)) == [("", is_fatal)]


def test_a_type_is_said_as_a_person_says_it():
    tables = file.load()

    said = {name: drchrono_type(Kind.PATIENT, row) for name, row in tables[Kind.PATIENT].rows.items()}
    visit = {name: drchrono_type(Kind.APPOINTMENT, row) for name, row in tables[Kind.APPOINTMENT].rows.items()}

    assert (said["email"], said["date_of_birth"], said["doctor"]) == ("text", "date", "id of a doctor")
    assert said["patient_status"] == "one of A, I, D"
    assert (visit["scheduled_time"], visit["deleted"], visit["time_zone"]) == (
        "date and time",
        "yes or no",
        "name of a time zone",
    )
