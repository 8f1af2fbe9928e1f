"""Every mistake in a mapping file is found at load, in a sentence that names the file, the table and the key."""

import pytest

from app.errors import Misconfigured
from app.sync.mappings import file
from app.sync.model import Kind

HEAD = '[patient]\ndrchrono = "/api/patients"\nobject = "Contact"\nexternal_id = "Key__c"\n'
CITY = 'fields.city = { drchrono = "city", salesforce = "MailingCity", codec = "text", owner = "drchrono" }\n'


def a_city(**keys):
    """The file with one row, some of whose keys differ; None leaves one out."""
    row = {"drchrono": '"city"', "salesforce": '"MailingCity"', "codec": '"text"', "owner": '"drchrono"'} | keys
    text = ", ".join(f"{key} = {value}" for key, value in row.items() if value is not None)
    return f"{HEAD}fields.city = {{ {text} }}\n"


def another(**keys):
    row = {"drchrono": '"town"', "salesforce": '"Town__c"', "codec": '"text"', "owner": '"drchrono"'} | keys
    return f"{HEAD}{CITY}fields.town = {{ {', '.join(f'{key} = {value}' for key, value in row.items())} }}\n"


MISTAKES = {
    "unknown kind": (HEAD.replace("patient", "animal", 1) + CITY, "[animal]", "appointment"),
    "a kind that is no table": ('patient = "Contact"', "[patient]", "table"),
    "unknown key of a table": (f'{HEAD}colour = "red"\n{CITY}', "key colour", "external_id"),
    "unknown key of a row": (a_city(colour='"red"'), "key fields.city.colour", "salesforce"),
    "unknown codec": (a_city(codec='"tex"'), "key fields.city.codec", "text, email, phone, enum, date"),
    "no codec": (a_city(codec=None), "key fields.city.codec", "missing"),
    "no drchrono field": (a_city(drchrono=None), "key fields.city.drchrono", "missing"),
    "no salesforce field": (a_city(salesforce='""'), "key fields.city.salesforce", "missing"),
    "a row that is no row": (f'{HEAD}fields.city = "MailingCity"\n', "key fields.city", "codec = …"),
    "doubled drchrono field": (another(drchrono='"city"'), "key fields.town", "mapped already by city"),
    "doubled salesforce field": (another(salesforce='"MailingCity"'), "key fields.town", "mapped already by city"),
    "a field over the external id": (
        another(salesforce='"Key__c"'),
        "key fields.town",
        "mapped already by external_id",
    ),
    "no external id": (HEAD.replace('external_id = "Key__c"\n', "") + CITY, "key external_id", "for example"),
    "no object": (HEAD.replace('object = "Contact"\n', "") + CITY, "key object", "missing"),
    "no address": (HEAD.replace('drchrono = "/api/patients"\n', "") + CITY, "key drchrono", "missing"),
    "no fields": (HEAD, "key fields", "one row per field"),
    "no owner": (a_city(owner=None), "key fields.city.owner", '"drchrono" or "salesforce"'),
    "unknown owner": (a_city(owner='"clinic"'), "key fields.city.owner", "drchrono, salesforce"),
    "a one-way field Salesforce owns": (
        a_city(owner='"salesforce"', direction='"to_salesforce"'),
        "key fields.city.owner",
        "DrChrono's",
    ),
    "unknown direction": (a_city(direction='"to_drchrono"'), "key fields.city.direction", "both, to_salesforce"),
    "unknown rule on conflict": (a_city(on_conflict='"newest"'), "key fields.city.on_conflict", "owner, hold"),
    "values for text": (a_city(values='{ a = "b" }'), "key fields.city.values", "does not go with codec text"),
    "a length for a date": (a_city(codec='"date"', max_length="4"), "key fields.city.max_length", "codec date"),
    "an enum without values": (a_city(codec='"enum"'), "key fields.city.values", "missing"),
    "an enum without a way back": (
        a_city(codec='"enum"', values='{ a = "x", b = "x" }'),
        "key fields.city.values",
        "two values become the same one",
    ),
    "a constant over a field": (
        f'{HEAD}{CITY}constants.MailingCity = "Testville"\n',
        "key constants.MailingCity",
        "mapped already by city",
    ),
    "a constant over the external id": (
        f'{HEAD}{CITY}constants.Key__c = "1"\n',
        "key constants.Key__c",
        "mapped already by external_id",
    ),
}
ACTIVE = '{ drchrono = "patient_status", is = ["A"] }'
PLAIN = "texts, numbers, true and false"
CONDITIONS = {
    "no list": (ACTIVE, "include:", "must be a list of conditions"),
    "no condition": ('["A"]', "include[0]:", "is no condition"),
    "unknown key": (f"[{ACTIVE}, {ACTIVE[:-1]}, or = true }}]", "include[1].or:", "is unknown; expected drchrono, is,"),
    "no field": ('[{ is = ["A"] }]', "include[0]:", "names no field"),
    "two sides": (f'[{ACTIVE[:-1]}, salesforce = "Name" }}]', "include[0]:", "names two sides"),
    "neither way": ('[{ drchrono = "patient_status" }]', "include[0]:", "says neither is nor is_not"),
    "both ways": (f'[{ACTIVE[:-1]}, is_not = ["I"] }}]', "include[0]:", "says both is and is_not"),
    "an empty list": ('[{ drchrono = "patient_status", is = [] }]', "include[0].is:", "a list of one value or more"),
    "a value alone": ('[{ drchrono = "patient_status", is_not = "A" }]', "include[0].is_not:", "a list of one value"),
    "a list in the list": ('[{ drchrono = "city", is = [["A"]] }]', "include[0].is:", PLAIN),
    "a number without end": ('[{ drchrono = "city", is = [inf] }]', "include[0].is:", PLAIN),
    "unknown field": ('[{ drchrono = "status", is = ["A"] }]', "include[0].drchrono:", "status is no field"),
    "a field of verbose alone": ('[{ drchrono = "patient_flags", is = [1] }]', "include[0].drchrono:", "is no field"),
    "a value it never has": (ACTIVE.replace('"A"', '"Active"').join("[]"), "include[0].is:", "is one of A, I, D, or"),
    "a text for a flag": ('[{ drchrono = "disable_sms_messages", is = ["yes"] }]', "include[0].is:", "true or false"),
    "a text for a number": ('[{ drchrono = "offices", is_not = ["Main"] }]', "include[0].is_not:", "holds numbers"),
    "a name with a space": ('[{ salesforce = "Record Type", is = ["A"] }]', "include[0].salesforce:", "name of a"),
    "a name that is none": ("[{ salesforce = 1, is = [1] }]", "include[0].salesforce:", "name of a field"),
}
# what a sentence of TOML can hold that no mapping means
ODD = {
    "a length that is no number": (a_city(max_length='"40"'), "key fields.city.max_length"),
    "decimals beyond what is exact": (a_city(codec='"number"', decimals="16"), "key fields.city.decimals"),
    "a length below one": (a_city(max_length="0"), "key fields.city.max_length"),
    "values that are no table": (a_city(codec='"enum"', values='["a"]'), "key fields.city.values"),
    "a value that is no text": (a_city(codec='"enum"', values="{ a = [1] }"), "key fields.city.values"),
    "identity that is no boolean": (a_city(identity='"yes"'), "key fields.city.identity"),
    "constants that are no table": (f'{HEAD}{CITY}constants = "AccountId"\n', "key constants"),
    "a row named external_id over it": (
        f'{HEAD}fields.external_id = {{ drchrono = "a", salesforce = "Key__c", codec = "text", owner = "drchrono" }}\n',
        "key fields.external_id",
    ),
    "a field twice in other letters": (another(salesforce='"mailingcity"'), "key fields.town"),
    "nothing at all": ("", "MAPPING_FILE"),
}


@pytest.fixture
def complaint(tmp_path):
    """Gives what is said about a file with this text, and the file's path."""

    def complain(text):
        path = tmp_path / "clinic.toml"
        path.write_text(text)
        with pytest.raises(Misconfigured) as raised:
            file.load(path)
        return str(raised.value), str(path)

    return complain


@pytest.mark.parametrize(("text", "key", "what"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_by_file_table_and_key(complaint, text, key, what):
    said, path = complaint(text)

    assert said.startswith(f"MAPPING_FILE: {path}, table [")
    assert key in said
    assert what in said


@pytest.mark.parametrize(("text", "key", "what"), CONDITIONS.values(), ids=CONDITIONS.keys())
def test_a_mistake_in_a_condition_is_named_by_its_place(complaint, text, key, what):
    said, path = complaint(f"{HEAD}include = {text}\n{CITY}")

    assert said.startswith(f"MAPPING_FILE: {path}, table [patient], key {key}")
    assert what in said
    assert "\n" not in said


@pytest.mark.parametrize(("text", "key"), ODD.values(), ids=ODD.keys())
def test_a_mistake_is_named_by_file_and_key(complaint, text, key):
    said, path = complaint(text)

    assert path in said
    assert key in said


@pytest.mark.parametrize("text", ["[patient", "patient = ", "[patient]\na = 1\na = 2"])
def test_what_is_not_toml_is_said_to_be_none(complaint, text):
    said, path = complaint(text)

    assert said.startswith(f"MAPPING_FILE: {path} is not TOML: ")


def test_what_is_not_utf8_is_said_to_be_no_toml(tmp_path):
    path = tmp_path / "clinic.toml"
    path.write_bytes(b"\xff\xfe")

    with pytest.raises(Misconfigured, match="is not TOML"):
        file.load(path)


@pytest.mark.parametrize("name", ["absent.toml", "."], ids=["absent", "a folder"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    path = tmp_path / name

    with pytest.raises(Misconfigured) as raised:
        file.load(path)

    assert str(raised.value).startswith(f"MAPPING_FILE: {path} cannot be read (")


def test_a_file_of_the_clinic_replaces_the_shipped_one(tmp_path):
    path = tmp_path / "clinic.toml"
    path.write_text(a_city(owner='"salesforce"', on_conflict='"hold"') + 'constants.AccountId = "001"\n')

    tables = file.load(path)

    assert list(tables) == [Kind.PATIENT]
    assert list(tables[Kind.PATIENT].rows) == ["city"]
    assert tables[Kind.PATIENT].constants == {"AccountId": "001"}
