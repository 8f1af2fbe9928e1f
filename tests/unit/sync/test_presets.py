"""The mappings that come with the service, and files that say only what differs from one of them."""

import json
import re
import textwrap
from pathlib import Path

import pytest

from app.errors import Misconfigured
from app.settings import env_file
from app.sync.mappings import file
from app.sync.mappings.table import Direction
from app.sync.model import Kind, Side
from tests.build import NEEDED
from tests.contract import openapi

DOCS = Path(__file__).parents[3] / "deploy" / "docs" / "mapping.md"
EXAMPLES = {
    part.partition("**")[0]: textwrap.dedent("\n".join(re.findall(r"^(?:    .*)?$", part, re.MULTILINE)))
    for part in DOCS.read_text().split("## Worked examples\n")[1].split("\n**")[1:]
}
TEXT = ("text", "email", "phone", "enum", "date", "state", "local_time", "joined")
TYPES = {
    **dict.fromkeys(TEXT, frozenset({"string"})),
    "number": {"integer", "string"},
    "flag": {"boolean"},
    "reference": {"integer", "string"},  # the doctor of an office is published as a string
}


def differing(text, tmp_path):
    (tmp_path / "ours.toml").write_text(text)
    return file.load(tmp_path / "ours.toml")


@pytest.mark.skipif(not openapi.PLACE.exists(), reason=openapi.ABSENT)
@pytest.mark.parametrize("preset", file.PRESETS)
def test_every_field_of_a_preset_is_one_of_drchronos_of_a_type_that_its_codec_reads_and_may_be_written(preset):
    schemas = json.loads(openapi.PLACE.read_text())["components"]["schemas"]
    wrong = []
    for kind, table in file.load(Path(preset)).items():
        fields = schemas[kind.value.capitalize()]["properties"]
        for row in table.rows.values():
            for source in row.sources:
                field = fields.get(source, {"type": "string"} if source == "doctor.timezone" else {})
                fits = field.get("type") in TYPES[row.codec.name]
                may_be = row.direction is Direction.TO_SALESFORCE or not field.get("readOnly")
                is_whole = row.options.values.keys() in (set(), {*field.get("enum", ())} - {""})
                if not (fits and may_be and is_whole):
                    wrong.append((kind.value, row.name, source))

    assert wrong == []


@pytest.mark.parametrize("text", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_every_worked_example_is_a_mapping(text, tmp_path):
    tables, default = differing(text, tmp_path), file.load()

    assert set(tables) == set(Kind) - {Kind.DOCUMENT}  # which are shared where a clinic says so
    assert tables != default


def test_there_are_worked_examples_for_what_clinics_ask_for():
    assert len(EXAMPLES) == 4


def test_a_preset_is_chosen_by_its_name_and_a_file_by_its_path():
    assert env_file.load(_env_file=None, **{key.lower(): one for key, one in NEEDED.items()}, mapping_file="wide")
    assert file.load(Path("person-accounts"))[Kind.PATIENT].object == "Account"
    assert file.load(Path("default")) == file.load()


def test_a_file_says_what_differs_from_the_one_it_extends(tmp_path):
    text = """
    extends = "default"
    [patient]
    opt_in = "Ours__c"
    fields.email = { owner = "drchrono" }
    fields.home_phone = false
    fields.gender = { values = { Male = "M", Female = "F" } }
    [appointment.constants]
    Source__c = "chart"
    """
    tables, default = differing(text, tmp_path), file.load()
    patient, before = tables[Kind.PATIENT], default[Kind.PATIENT]

    assert (patient.opt_in, patient.object, patient.external_id) == ("Ours__c", before.object, before.external_id)
    assert (patient.rows["email"].owner, patient.rows["email"].options) == (Side.DRCHRONO, before.rows["email"].options)
    assert before.rows.keys() - patient.rows.keys() == {"home_phone"}
    assert patient.rows["gender"].options.values == {"Male": "M", "Female": "F"}
    assert tables[Kind.APPOINTMENT].constants == {"Source__c": "chart"}
    assert tables[Kind.DOCTOR] == default[Kind.DOCTOR]


@pytest.mark.parametrize("name", ['"mine"', "1", '["default"]', '"../default"'])
def test_a_file_that_extends_what_is_not_there_is_told_which_there_are(name, tmp_path):
    with pytest.raises(Misconfigured) as raised:
        differing(f"extends = {name}\n", tmp_path)

    assert str(raised.value).endswith("expected one of default, person-accounts, wide")


def test_a_row_that_is_false_needs_one_that_it_leaves_out(tmp_path):
    with pytest.raises(Misconfigured, match=r"fields\.nothing.*must be a row"):
        differing('extends = "default"\n[patient]\nfields.nothing = false\n', tmp_path)
