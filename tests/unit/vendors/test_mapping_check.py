"""The mapping against what an org describes: Person Accounts, record types, lists of states."""

import json
from pathlib import Path

import pytest

from app.sync.mappings import file
from app.sync.model import Kind
from app.vendors.salesforce.mapping_check import find_misfits, salesforce_type
from app.vendors.salesforce.org_description import cut_down, fields_of, speaks_of

COMPANY, PERSON = "012SYN000000001YBA", "012SYN000000002YBA"
TYPES = [
    {"recordTypeId": COMPANY, "name": "Company", "available": True, "defaultRecordTypeMapping": True},
    {"recordTypeId": PERSON, "name": "Patient", "available": True, "defaultRecordTypeMapping": False},
]
PERSONS = {PERSON: "Patient"}
MAPPING = """
[patient]
drchrono = "/api/patients"
object = "Account"
external_id = "DrChrono_Patient_Id__c"
constants = { %s }
fields.first_name = { drchrono = "first_name", salesforce = "FirstName", codec = "text", owner = "drchrono" }
fields.last_name = { drchrono = "last_name", salesforce = "%s", codec = "text", owner = "drchrono" }
"""


def field(name, kind="string", length=80, **more):
    return {"name": name, "type": kind, "length": length, "nillable": True, "createable": True, **more}


ACCOUNT = {
    "fields": [
        field("Name", length=255, nillable=False, defaultedOnCreate=False),
        field("IsPersonAccount", "boolean", nillable=False, createable=False),
        field("FirstName"),
        field("LastName"),
        field("RecordTypeId", "reference", defaultedOnCreate=True),
        field("DrChrono_Patient_Id__c", length=64, externalId=True, unique=True, caseSensitive=True),
    ],
    "recordTypeInfos": TYPES,
}


@pytest.fixture
def mapped(tmp_path):
    """Give the table of a mapping of accounts."""

    def of(constants="", last_name="LastName"):
        (tmp_path / "mapping.toml").write_text(MAPPING % (constants, last_name))
        return file.load(tmp_path / "mapping.toml")[Kind.PATIENT]

    return of


def chosen(record_type):
    return f'RecordTypeId = "{record_type}"'


def without(described, name):
    return {**described, "fields": [one for key, one in fields_of(described).items() if key != name]}


@pytest.mark.parametrize("persons", [PERSONS, None])
def test_a_mapping_of_person_accounts_that_is_right_fits(mapped, persons):
    assert find_misfits(mapped(chosen(PERSON)), ACCOUNT, persons) == []
    assert find_misfits(mapped(chosen(PERSON[:15])), ACCOUNT, persons) == []


def test_the_name_of_a_person_account_is_not_asked_for_where_only_the_record_type_says_that_it_is_one(mapped):
    unseen = without({"fields": ACCOUNT["fields"]}, "IsPersonAccount")

    assert find_misfits(mapped(chosen(PERSON)), unseen) == []


def test_a_person_account_without_a_record_type_is_told_which_there_are(mapped):
    (one,) = find_misfits(mapped(), ACCOUNT, PERSONS)

    assert (one.is_fatal, one.says) == (True, "Account: nothing says RecordTypeId, so new records may become companies")
    assert one.fix == f'[patient.constants] RecordTypeId = "{PERSON}" (Patient)'


def test_no_record_type_is_asked_for_where_the_users_own_is_of_persons(mapped):
    types = [{**one, "defaultRecordTypeMapping": one["recordTypeId"] == PERSON} for one in TYPES]

    assert find_misfits(mapped(), {**ACCOUNT, "recordTypeInfos": types}, PERSONS) == []


@pytest.mark.parametrize(
    ("constants", "last_name", "says"),
    [
        (chosen(COMPANY), "LastName", "makes companies, not persons"),
        (chosen("012SYN000000009YBA"), "LastName", "has no record type 012SYN000000009YBA for the integration user"),
        (chosen(PERSON), "Name", "Account.Name is refused of a person account"),
        (chosen(PERSON), "Name", "Account.LastName is required of a person account"),
    ],
)
def test_what_salesforce_would_refuse_of_a_person_account_is_told(mapped, constants, last_name, says):
    found = find_misfits(mapped(constants, last_name), ACCOUNT, PERSONS)

    assert [one.is_fatal for one in found if says in one.says] == [True]


def test_the_name_of_a_company_is_still_required(mapped):
    companies = {"fields": [one for one in ACCOUNT["fields"] if one["name"] != "IsPersonAccount"]}

    assert "Account.Name is required, and nothing fills it" in [one.says for one in find_misfits(mapped(), companies)]


CODES = [{"value": "NY", "label": "New York"}, {"value": "NJ", "label": "New Jersey"}]


def with_states(values):
    listed = {"name": "MailingStateCode", "type": "picklist", "picklistValues": values}
    beside = [listed, field("MailingState"), field("Key__c", length=64, externalId=True, unique=True)]
    return {"fields": beside}


@pytest.mark.parametrize(
    ("codec", "values", "is_fatal", "says", "fix"),
    [
        ("text", CODES, True, "takes the states of the org's list, codec text sends any text", 'codec = "state"'),
        ("state", CODES, False, "the org's list has no AA, AE, AK", "add what your patients need"),
        ("state", [], True, "the org's list has no state of the United States", "Country/Territory Picklists"),
    ],
)
def test_what_does_not_fit_a_list_of_states_is_told(tmp_path, codec, values, is_fatal, says, fix):
    row = f'{{ drchrono = "state", salesforce = "MailingState", codec = "{codec}", owner = "salesforce" }}'
    text = f'[patient]\ndrchrono = "/api/patients"\nobject = "Contact"\nexternal_id = "Key__c"\nfields.state = {row}\n'
    (tmp_path / "mapping.toml").write_text(text)

    (one,) = find_misfits(file.load(tmp_path / "mapping.toml")[Kind.PATIENT], with_states(values))

    assert (one.is_fatal, says in one.says, fix in one.fix) == (is_fatal, True, True)


@pytest.mark.parametrize(
    ("behind", "says"), [("Contact", "looks up Contact, and each patient is a record of Account"), ("account", "")]
)
def test_a_look_up_leads_to_the_object_that_its_kind_is_kept_in(behind, says):
    visits = file.load(Path("person-accounts"))[Kind.APPOINTMENT]
    patient = field("Patient__c", "reference", 18, relationshipName="Patient__r", referenceTo=[behind])

    told = [one.says for one in find_misfits(visits, {"fields": [patient]}) if "Patient__c" in one.says]

    assert told == ([f"DrChrono_Appointment__c.Patient__c {says}"] if says else [])


@pytest.mark.parametrize(
    ("has_several", "constants", "is_told"), [(True, "", True), (True, "EUR", False), (False, "", False)]
)
def test_money_needs_its_currency_in_an_org_of_several(tmp_path, has_several, constants, is_told):
    row = '{ drchrono = "copay", salesforce = "Copay__c", codec = "number", owner = "drchrono" }'
    text = f'[patient]\ndrchrono = "/api/patients"\nobject = "Contact"\nexternal_id = "Key__c"\nfields.copay = {row}\n'
    text += f'[patient.constants]\nCurrencyIsoCode = "{constants}"\n' if constants else ""
    (tmp_path / "mapping.toml").write_text(text)
    key = field("Key__c", length=64, externalId=True, unique=True)
    fields = [key, field("Copay__c", "currency"), *([field("CurrencyIsoCode", "picklist")] if has_several else [])]

    found = find_misfits(file.load(tmp_path / "mapping.toml")[Kind.PATIENT], {"fields": fields})

    assert [("several currencies" in one.says, one.is_fatal) for one in found] == [(True, False)] * is_told


def test_a_field_with_fewer_decimals_than_the_mapping_lets_pass_is_told(tmp_path):
    row = 'fields.fee = { drchrono = "fee", salesforce = "Fee__c", codec = "number", owner = "drchrono", decimals = 2 }'
    (tmp_path / "mapping.toml").write_text(MAPPING % ("", "LastName") + row)
    table = file.load(tmp_path / "mapping.toml")[Kind.PATIENT]

    def told(scale):
        described = ACCOUNT | {"fields": [*ACCOUNT["fields"], field("Fee__c", "double", scale=scale)]}
        return [one.fix for one in find_misfits(table, described, PERSONS) if "Fee__c" in one.says]

    assert told(2) == []
    assert told(1) == ["give the field more decimals, or set decimals = 1 in the mapping"]


def test_what_is_kept_of_a_description_is_judged_as_the_whole_is(mapped):
    unlike = [
        field("FirstName", length=1, updateable=False),
        field("LastName", "boolean"),
        field("Region__c", nillable=False),
        field("DrChrono_Patient_Id__c", length=18, externalId=True, unique=False),
    ]
    table, whole = mapped(), {"fields": unlike, "createable": True, "updateable": False}

    kept = json.loads(json.dumps(cut_down(table, whole)))

    assert find_misfits(table, kept) == find_misfits(table, whole)
    assert len(find_misfits(table, kept)) == 6


def test_a_kept_description_does_not_speak_of_a_mapping_that_has_changed_since(mapped):
    kept = cut_down(mapped(), ACCOUNT)

    assert speaks_of(kept, mapped())
    assert not speaks_of(kept, mapped(last_name="Last_Name__c"))
    assert not speaks_of({"fields": kept["fields"]}, mapped())  # as an older version kept it


@pytest.mark.parametrize(
    ("described", "says"),
    [
        (field("Email", "email"), "email, 80 characters"),
        (field("Notes__c", "textarea", 32_768), "long text, 32,768 characters"),
        (field("Day__c", "date", 0), "date"),
        (field("Room__c", "double", 0, precision=18, scale=0), "number, 18 digits before the point"),
        (field("Fee__c", "currency", 0, precision=18, scale=2), "currency, 16 digits before the point and 2 behind"),
        (field("Doctor__c", "reference", 18, referenceTo=["DrChrono_Doctor__c"]), "look-up of DrChrono_Doctor__c"),
        (field("Sex__c", "picklist", 255, picklistValues=[{"value": "M"}]), "picklist, 1 value"),
    ],
)
def test_a_type_is_said_as_a_person_says_it(described, says):
    assert salesforce_type(described) == says
