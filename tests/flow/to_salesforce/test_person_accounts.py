"""Person Accounts: patients are accounts of persons, by a mapping that says so; the check knows what that takes."""

from importlib import resources

import pytest

from app.operations.health.model import CheckState
from tests.flow.checked import changed, found
from tests.flow.clinic import opened

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here
MAPPING = """
[patient]
drchrono = "/api/patients"
object = "Account"
external_id = "DrChrono_Patient_Id__c"
opt_in = "Sync_To_DrChrono__c"
{constants}
fields.first_name = {{ drchrono = "first_name", salesforce = "FirstName", codec = "text", owner = "drchrono", max_length = 40, identity = true, required = true }}
fields.last_name = {{ drchrono = "last_name", salesforce = "LastName", codec = "text", owner = "drchrono", max_length = 80, identity = true, required = true }}
fields.date_of_birth = {{ drchrono = "date_of_birth", salesforce = "PersonBirthdate", codec = "date", owner = "drchrono", identity = true, required = true }}
fields.gender = {{ drchrono = "gender", salesforce = "DrChrono_Gender__c", codec = "enum", owner = "drchrono", required = true, values = {{ Male = "Male", Female = "Female", Other = "Other", UNK = "UNK", ASKU = "ASKU" }} }}
fields.email = {{ drchrono = "email", salesforce = "PersonEmail", codec = "email", owner = "salesforce", max_length = 80 }}
fields.state = {{ drchrono = "state", salesforce = "PersonMailingState", codec = "state", owner = "salesforce", max_length = 80 }}
"""  # noqa: E501 - a row of a mapping is a line


SHIPPED = (resources.files("app.sync.mappings") / "default.toml").read_text()
STAFF = SHIPPED[SHIPPED.index("[doctor]") :]


@pytest.fixture
def people(known, empty_vendors, tmp_path):
    """Give the settings of a clinic whose patients are accounts, with these constants in its mapping."""
    types = empty_vendors.salesforce.post("/_control/person-accounts").raise_for_status().json()

    def of(record_type=None):
        constants = "" if record_type is None else f'constants = {{ RecordTypeId = "{types[record_type]}" }}'
        (tmp_path / "mapping.toml").write_text(MAPPING.format(constants=constants) + STAFF)
        return changed(known, mapping_file=tmp_path / "mapping.toml")

    return of


async def test_the_check_says_what_record_type_persons_take_and_is_green_with_it(people):
    without, of_companies, right = [await found(people(one)) for one in (None, "Company", "Patient")]

    said = [
        [one for one in findings if one.name == "mapping: patient" and "Account" in one.says]
        for findings in (without, of_companies, right)
    ]
    assert [[one.state for one in lines] for lines in said] == [[CheckState.RED], [CheckState.RED], [CheckState.OK]]
    assert all("(Patient)" in lines[0].fix for lines in said[:2])


async def test_a_patient_becomes_the_account_of_a_person_and_an_edit_of_it_comes_back(people, empty_vendors):
    async with opened(people("Patient"), empty_vendors.drchrono, empty_vendors.salesforce) as clinic:
        who = {"first_name": "Ada", "last_name": "Test", "state": "NY", "email": "ada@example.com"}
        patient = await clinic.registers(**who)
        await clinic.arrives(patient, event="PATIENT_CREATE")
        (account,) = clinic.salesforce.get("/_control/records/Account").json()["records"]
        path = f"/_control/records/Account/{account['Id']}"
        clinic.salesforce.patch(path, json={"PersonMailingState": "New Jersey"}).raise_for_status()
        await clinic.arrives(await clinic.edits(patient, cell_phone="(555) 010-0199"))

        chart = clinic.chart(patient)

        assert (account["Name"], account["IsPersonAccount"], account["PersonMailingState"]) == ("Ada Test", True, "NY")
        assert (chart["state"], await clinic.failures()) == ("NJ", [])
