"""The commands of the mapping, without a vendor: what a file alone says, and how another mapping differs."""

import asyncio
import json

import pytest

from app.cli import mapping
from app.operations.mapping import FieldChange, changes, is_same
from app.sync.mappings import file
from app.sync.model import Kind


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Give a mapping of these lines, in a folder without settings."""
    monkeypatch.chdir(tmp_path)

    def of(*lines):
        (tmp_path / "mapping.toml").write_text("\n".join(('extends = "default"', "[patient]", *lines)))
        return file.load(tmp_path / "mapping.toml")

    return of


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("fields.city = { max_length = 30 }", 0),
        (
            'fields.code = { drchrono = "gender_identity_code", salesforce = "C", codec = "text", owner = "drchrono" }',
            1,
        ),
    ],
    ids=["fits", "red"],
)
def test_a_file_is_judged_where_nothing_is_configured(written, capsys, line, code):
    gave = asyncio.run(mapping._check(written(line), as_json=True))

    said = json.loads(capsys.readouterr().out)
    assert (gave, said["ok"]) == (code, not code)
    assert said["not_asked"].startswith("Salesforce was not asked: ")


def test_another_mapping_is_told_from_the_one_in_use_row_by_row(written):
    other = written(
        'fields.nick_name = { drchrono = "nick_name", salesforce = "Nick__c", codec = "text", owner = "drchrono" }',
        'fields.email = { salesforce = "Second_Email__c" }',
        'fields.city = { owner = "drchrono" }',
        "fields.home_phone = false",
    )

    found = changes(file.load()[Kind.PATIENT], other[Kind.PATIENT])

    assert found == {
        "home_phone": FieldChange.DROPPED,
        "email": FieldChange.OTHER_FIELDS,
        "city": FieldChange.OTHER_RULES,
        "nick_name": FieldChange.ADDED,
    }
    assert changes(file.load()[Kind.PATIENT], file.load()[Kind.PATIENT]) == {}


def test_a_kind_that_both_mappings_have_alike_is_known(written):
    other = written('include = [{ drchrono = "patient_status", is = ["A"] }]')
    used = file.load()

    same = {kind for kind in used if is_same(used[kind], other[kind])}

    assert changes(used[Kind.PATIENT], other[Kind.PATIENT]) == {}
    assert same == {Kind.DOCTOR, Kind.OFFICE}  # an appointment is out of the set with its patient
