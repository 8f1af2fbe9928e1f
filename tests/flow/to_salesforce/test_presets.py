"""The mappings that come with the service, chosen by their names: patients as Person Accounts, and what clinics add."""

from pathlib import Path

import pytest

from app.operations.health.model import CheckState
from app.sync.mappings import file
from app.sync.model import Kind, Side
from tests.flow.calendar import VISITS, books, compares, records, tells
from tests.flow.checked import changed, found
from tests.flow.clinic import opened

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here
TYPES = {"text": "string", "phone": "phone", "enum": "picklist", "flag": "boolean"}


@pytest.fixture
async def persons(known, empty_vendors):
    """A clinic whose patients are Person Accounts, and whose integration user makes those unless told."""
    empty_vendors.salesforce.post("/_control/person-accounts?default=Patient").raise_for_status()
    ours = changed(known, mapping_file="person-accounts")
    async with opened(ours, empty_vendors.drchrono, empty_vendors.salesforce) as clinic:
        yield clinic


async def arrives(clinic, **who):
    """A patient is registered and becomes an account; gives both."""
    patient = await clinic.registers(email="ada@example.com", state="NY", **who)
    await clinic.arrives(patient, event="PATIENT_CREATE")
    return patient, records(clinic, "Account")[-1]


async def test_a_patient_becomes_a_person_account_with_its_visits_and_an_edit_of_it_comes_back(persons):
    patient, account = await arrives(persons, first_name="Ada", last_name="Test")
    await persons.arrives(await books(persons, patient), event="APPOINTMENT_CREATE")

    edit = {"PersonEmail": "new@example.com", "PersonMailingState": "New Jersey"}
    persons.salesforce.patch(f"/_control/records/Account/{account['Id']}", json=edit).raise_for_status()
    await tells(persons, Kind.PATIENT, account["Id"])

    chart = persons.chart(patient)
    assert (account["Name"], account["IsPersonAccount"], account["PersonEmail"]) == ("Ada Test", True, patient["email"])
    assert [one["Patient__c"] for one in records(persons, VISITS)] == [account["Id"]]
    assert (chart["email"], chart["state"], await persons.failures()) == ("new@example.com", "NJ", [])


async def test_an_account_that_was_merged_into_another_leaves_its_link_to_that_one(persons):
    patient, loser = await arrives(persons, first_name="Ada", last_name="Test")
    twin = {"FirstName": "Ada", "LastName": "Test"}
    winner = persons.salesforce.post("/_control/records/Account", json=twin).raise_for_status().json()["Id"]
    merge = {"winner": winner, "loser": loser["Id"]}
    persons.salesforce.post("/_control/records/Account/merge", json=merge).raise_for_status()
    await tells(persons, Kind.PATIENT, loser["Id"], "MERGE")
    await persons.time_passes(persons.confirm_after)
    await persons.settles()

    (account,) = records(persons, "Account")
    assert (account["Id"], account["DrChrono_Patient_Id__c"]) == (winner, str(patient["id"]))
    assert (account["PersonEmail"], await persons.failures()) == ("ada@example.com", [])


async def test_companies_are_left_out_by_their_record_type_and_the_check_knows_it(known, empty_vendors, tmp_path):
    types = empty_vendors.salesforce.post("/_control/person-accounts?default=Patient").raise_for_status().json()
    (tmp_path / "ours.toml").write_text(
        'extends = "person-accounts"\n[patient]\n'
        'include = [{ salesforce = "RecordType.DeveloperName", is = ["patient"] }]\n'
    )
    ours = changed(known, mapping_file=tmp_path / "ours.toml")
    company = {"Name": "Acme", "RecordTypeId": types["Company"], "Sync_To_DrChrono__c": True}
    async with opened(ours, empty_vendors.drchrono, empty_vendors.salesforce) as clinic:
        clinic.salesforce.post("/_control/records/Account", json=company).raise_for_status()
        await compares(clinic, Kind.PATIENT)
        patient, person = await arrives(clinic, first_name="Ada", last_name="Test")
        await clinic.arrives(await books(clinic, patient), event="APPOINTMENT_CREATE")
        visits = [one["Patient__c"] for one in records(clinic, VISITS)]
        known_ones = [row.salesforce_id for row in await clinic.links()]

        assert (await clinic.failures(), len(clinic.charts())) == ([], 1)
    (line,) = [one for one in await found(ours) if one.name == "mapping: patient"]

    assert known_ones == visits == [person["Id"]]
    assert line.state is CheckState.OK


@pytest.fixture
async def wide(known, empty_vendors):
    """A clinic with the wide mapping, in an org that has its fields."""
    default, more = (file.load(Path(name)) for name in ("default", "wide"))
    for kind, table in more.items():
        for row in [row for name, row in table.rows.items() if name not in default[kind].rows]:
            values = [value for value in row.options.values.values() if value]
            asked = {"name": row.names[Side.SALESFORCE], "kind": TYPES[row.codec.name]}
            asked |= {"options": values} if values else {}
            asked |= {"length": row.options.max_length} if row.codec.name == "text" else {}
            place = f"/_control/objects/{table.object}/fields"
            empty_vendors.salesforce.post(place, json=asked).raise_for_status()
    ours = changed(known, mapping_file="wide")
    async with opened(ours, empty_vendors.drchrono, empty_vendors.salesforce) as clinic:
        clinic.settings = ours
        yield clinic


HERE = {
    "middle_name": "Q",
    "preferred_language": "spa",
    "race": "white",
    "ethnicity": "blank",
    "emergency_contact_name": "Sam Test",
    "emergency_contact_phone": "(555) 010-0143",
    "emergency_contact_relation": "Spouse",
    "referring_source": "Friend",
    "disable_sms_messages": True,
    "medication_history_consent": "Y",
}
THERE = {
    "MiddleName": "Q",
    "DrChrono_Language__c": "Spanish",
    "DrChrono_Race__c": "White",
    "DrChrono_Ethnicity__c": None,
    "Emergency_Contact_Name__c": "Sam Test",
    "Emergency_Contact_Phone__c": "(555) 010-0143",
    "Emergency_Contact_Relation__c": "Spouse",
    "Referring_Source__c": "Friend",
    "No_Text_Messages__c": True,
    "Medication_History_Consent__c": "Y",
}
EDITED = {
    "MiddleName": None,
    "DrChrono_Language__c": "English",
    "DrChrono_Race__c": None,
    "DrChrono_Ethnicity__c": "Hispanic or Latino",
    "Emergency_Contact_Name__c": "Kim Test",
    "Emergency_Contact_Phone__c": "555-010-0199",
    "Emergency_Contact_Relation__c": "Parent",
    "Referring_Source__c": "Web",
    "No_Text_Messages__c": False,
}
BACK = {
    "middle_name": "",
    "preferred_language": "eng",
    "race": "blank",
    "ethnicity": "hispanic",
    "emergency_contact_name": "Kim Test",
    "emergency_contact_phone": "555-010-0199",
    "emergency_contact_relation": "Parent",
    "referring_source": "Web",
    "disable_sms_messages": False,
}


async def test_what_clinics_add_travels_both_ways_and_an_empty_value_is_drchronos_blank(wide):
    patient = await wide.has_linked(**HERE)
    made = wide.contact()
    wide.human_edits_contact(**EDITED)
    await wide.hears()
    await wide.settles()
    await wide.time_passes(wide.confirm_after)
    await wide.settles()
    chart = wide.chart(patient)

    assert {name: made[name] for name in THERE} == THERE
    assert {name: chart[name] for name in BACK} == BACK
    assert (wide.contact()["DrChrono_Race__c"], await wide.failures()) == (None, [])


async def test_the_check_is_green_in_an_org_that_has_what_the_wide_mapping_names(wide):
    findings = [one for one in await found(wide.settings) if one.name.startswith("mapping: ")]

    assert {one.state for one in findings} == {CheckState.OK}
