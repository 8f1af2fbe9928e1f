"""The Salesforce package of a mapping: what is made of its rows, and what the platform does not allow."""

import re
from pathlib import Path

import pytest
from defusedxml import ElementTree
from typer.testing import CliRunner

from app.cli.commands import app
from app.errors import Misconfigured
from app.settings.fields import Settings
from app.sync.mappings import file
from app.sync.sync_status import STATUS_FIELDS
from app.vendors.salesforce.metadata.source import PACKAGE, api_version_of, is_generated, source_files, write
from tests.build import mapping_with_documents
from tests.standins.salesforce.metadata.shipped import deployed_from

MAIN = "force-app/main"
OBJECTS = f"{MAIN}/objects"
NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
NO_VISITS = 'extends = "default"\nappointment = false\n'
OWN = """
extends = "default"
appointment = false

[patient]
fields.gender = { salesforce = "Sex__c", values = { Male = "Man", Female = "Woman", Other = "Other & more" } }
fields.nick = { drchrono = "nick", salesforce = "Nick_Name__c", codec = "text", owner = "drchrono", max_length = 300 }

[doctor]
fields.suffix = { max_length = 90 }
"""


DOCTORS_ALONE = 'extends = "default"\npatient = false\nappointment = false\n'
CUSTOM = """
[patient]
drchrono = "/api/patients"
object = "Person__c"
external_id = "Chart__c"
fields.name = { drchrono = "last_name", salesforce = "Name", codec = "text", owner = "drchrono", max_length = 80 }
fields.fee = { drchrono = "fee", salesforce = "Fee__c", codec = "number", owner = "drchrono" }

[appointment]
drchrono = "/api/appointments"
object = "Visit__c"
external_id = "Visit_Id__c"
fields.who = { drchrono = "patient", salesforce = "Person__r", codec = "reference", to = "patient", owner = "drchrono" }
fields.payer = { drchrono = "payer", salesforce = "Payer__r", codec = "reference", to = "patient", owner = "drchrono" }
"""
DOCUMENTS = (PACKAGE / "mapping.toml").read_text()
MAPPINGS = {name: name for name in file.PRESETS} | {
    "documents": DOCUMENTS,
    "documents of persons": DOCUMENTS.replace('extends = "default"', 'extends = "person-accounts"'),
    "no visits": NO_VISITS,
    "own": OWN,
    "doctors alone": DOCTORS_ALONE,
    "own objects": CUSTOM,
}
EACH_MAPPING = pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=list(MAPPINGS))


@pytest.fixture
def package(tmp_path):
    """Give the files of a mapping: one that comes along by its name, or the text of one."""

    def of(text):
        path = Path(text)
        if text not in file.PRESETS:
            path = tmp_path / "mapping.toml"
            path.write_text(text)
        return source_files(file.load(path))

    return of


def elements(content, name):
    """Give the texts of an element, wherever it stands."""
    return [one.text for one in ElementTree.fromstring(content).iter(f"{NAMESPACE}{name}")]


def field(files, object_name, name):
    root = ElementTree.fromstring(files[f"{OBJECTS}/{object_name}/fields/{name}.field-meta.xml"])
    return {one.tag.removeprefix(NAMESPACE): one.text for one in root}


def may_edit(files, permission_set):
    """Give the fields that a permission set names, and whether it lets people edit them."""
    root = ElementTree.fromstring(files[f"{MAIN}/permissionsets/{permission_set}.permissionset-meta.xml"])
    rows = root.iter(f"{NAMESPACE}fieldPermissions")
    return {one.findtext(f"{NAMESPACE}field"): one.findtext(f"{NAMESPACE}editable") == "true" for one in rows}


def test_what_lies_in_the_repository_is_what_make_salesforce_source_writes(package):
    generated = {name: content for name, content in package(DOCUMENTS).items() if is_generated(name)}

    there = {path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / "force-app").rglob("*") if path.is_file()}

    assert {name for name in there if is_generated(name)} == generated.keys(), "run: make salesforce-source"
    changed = [name for name, content in generated.items() if (PACKAGE / name).read_bytes() != content]
    assert changed == [], "run: make salesforce-source"


def test_the_documents_of_the_repository_are_those_that_the_shipped_mapping_has_ready(tmp_path):
    ready = file.load(mapping_with_documents(tmp_path / "mapping.toml"))

    assert file.load(PACKAGE / "mapping.toml") == ready


def test_everything_is_written_for_the_version_that_the_service_speaks(package):
    files = package(DOCUMENTS)
    ours = Settings.model_fields["salesforce_api_version"].default

    named = {one for name, content in files.items() if name.endswith(".xml") for one in elements(content, "apiVersion")}

    assert api_version_of(files) == ours
    assert named == {ours}


@EACH_MAPPING
def test_an_empty_org_takes_the_whole_package(package, mapping, tmp_path):
    files = package(mapping)
    write(files, tmp_path / "package")

    deployed = deployed_from(tmp_path / "package", "sync@acme.example")

    made = {Path(name).name.split(".")[0] for name in files if "/permissionsets/" in name or "/fields/" in name}
    there = {one.name.rpartition(".")[2] for kind in ("PermissionSet", "CustomField") for one in deployed.of(kind)}
    assert there == made


@EACH_MAPPING
def test_nothing_is_named_that_the_package_does_not_hold(package, mapping):
    files = package(mapping)
    made = {name.split("/")[3] + "." + Path(name).name.split(".")[0] for name in files if "/fields/" in name}

    permitted = may_edit(files, "DrChrono_Integration")
    watched = {
        f"{elements(content, 'object')[0]}.{name.split('.')[1]}"
        for path, content in files.items()
        if "/flows/" in path
        for name in elements(content, "leftValueReference")
    }
    sent = {
        f"{Path(path).name.split('.')[0]}.{name}"
        for path, content in files.items()
        if "/workflows/" in path
        for name in elements(content, "fields")
    }

    def custom(names):
        return {name for name in names if name.endswith("__c")}

    assert custom(permitted) == {name for name in made if not name.startswith("DrChrono_Sync__e")}
    assert custom(watched) <= made
    assert custom(sent) <= made
    assert all(permitted.values())


def test_a_changed_mapping_changes_every_place_that_follows_it(package):
    files = package(OWN)

    nick_name = field(files, "Contact", "Nick_Name__c")
    assert (nick_name["type"], nick_name["length"]) == ("LongTextArea", "300")
    assert field(files, "DrChrono_Doctor__c", "Suffix__c")["length"] == "90"
    assert elements(files[f"{OBJECTS}/Contact/fields/Sex__c.field-meta.xml"], "fullName")[1:] == [
        "Man",
        "Woman",
        "Other & more",
    ]
    flow = files[f"{MAIN}/flows/DrChrono_Contact_Updated.flow-meta.xml"]
    assert {"$Record.Nick_Name__c", "$Record.Sex__c"} <= set(elements(flow, "leftValueReference"))
    assert not [name for name in files if "Gender" in name or "Appointment" in name]
    assert b"Appointment" not in b"".join(content for name, content in files.items() if is_generated(name))
    assert may_edit(files, "DrChrono_Staff")["Contact.Sex__c"]


def test_a_renamed_external_id_is_named_nowhere_by_its_old_name(package):
    files = package('extends = "default"\n[patient]\nexternal_id = "Chart_Number__c"\n')

    assert b"'Chart_Number__c'" in files[f"{MAIN}/lwc/drchronoMapping/drchronoMapping.js"]
    named = [name for name, content in files.items() if b"DrChrono_Patient_Id__c" in content or "Patient_Id" in name]
    assert [name for name in named if "test" not in name.casefold()] == []


def test_persons_are_accounts_whose_permission_is_that_of_their_contact(package):
    files = package("person-accounts")

    assert field(files, "Account", "DrChrono_Patient_Id__c")["unique"] == "true"
    assert field(files, "DrChrono_Appointment__c", "Patient__c")["referenceTo"] == "Account"
    assert {"Contact.Email", "Contact.MailingAddress", "Account.DrChrono_Gender__c"} <= may_edit(
        files, "DrChrono_Viewer"
    ).keys()
    assert f"{MAIN}/deletions/triggers/DrChronoAccount.trigger" in files


def test_staff_edit_what_travels_to_drchrono_and_viewers_nothing(package):
    files = package("default")

    staff = may_edit(files, "DrChrono_Staff")

    assert (staff["Contact.Email"], staff["Contact.Sync_To_DrChrono__c"]) == (True, True)
    assert (staff["Contact.DrChrono_Chart_Id__c"], staff["Contact.DrChrono_Sync_Status__c"]) == (False, False)
    assert not any(may_edit(files, "DrChrono_Viewer").values())
    assert staff.keys() == may_edit(files, "DrChrono_Viewer").keys() == may_edit(files, "DrChrono_Integration").keys()
    assert not {name for name in staff if name.endswith((".Name", ".LastName", ".MailingStreet"))}


def test_without_documents_nothing_of_the_orgs_files_is_in_the_package(package):
    files = package("default")

    assert [name for name in files if "/files/" in name or "ContentVersion" in name] == []
    named = re.compile(rb"Content(Version|Document)|DrChrono(Card)?Documents\b")
    assert [name for name, content in files.items() if named.search(content) and "__tests__" not in name] == []
    assert b"DOCUMENTS = null;" in files[f"{MAIN}/lwc/drchronoMapping/drchronoMapping.js"]


def test_a_files_fields_are_there_and_no_right_to_files_is_given(package):
    files = package(DOCUMENTS)

    external_id = field(files, "ContentVersion", "DrChrono_Document_Id__c")
    assert (external_id["externalId"], external_id["unique"]) == ("true", "false"), "a new version may inherit it"
    made = {Path(name).name.split(".")[0] for name in files if "/ContentVersion/" in name}
    assert made >= {"Send_To_DrChrono__c", "DrChrono_Tags__c", "DrChrono_Date__c", "DrChrono_Archived__c"}
    assert made >= STATUS_FIELDS
    assert not [name for name in files if "ContentVersion" in name and "/files/" not in name and "/fields/" not in name]
    staff = may_edit(files, "DrChrono_Staff")
    assert staff["ContentVersion.Send_To_DrChrono__c"]
    assert not staff["ContentVersion.DrChrono_Document_Id__c"]
    for name, content in files.items():
        if "/permissionsets/" in name:
            assert "ContentVersion" not in elements(content, "object")
            assert not set(elements(content, "name")) & {"QueryAllFiles", "ViewAllData"}


def test_the_code_for_documents_speaks_the_mappings_names(package):
    renamed = DOCUMENTS.replace("DrChrono_Document_Id__c", "Paper_Id__c").replace("Send_To_DrChrono__c", "Share__c")
    files = package(renamed.replace('extends = "default"\n', CUSTOM))

    code = b"".join(content for name, content in files.items() if "/files/" in name)
    assert b"DrChrono_Document_Id__c" not in code
    assert b"Send_To_DrChrono__c" not in code
    assert b"Contact" not in code
    assert {b"Paper_Id__c", b"Share__c", b"Person__c.SObjectType"} <= set(re.findall(rb"[\w.]+", code))


@pytest.mark.parametrize(
    ("was", "row", "says"),
    [
        ('"ContentVersion"', '"Contact"', "documents are files, and Contact holds none; name ContentVersion"),
        ('opt_in = "Send_To_DrChrono__c"\n', "", "name the box with opt_in"),
        (
            "[document]",
            '[patient]\nobject = "contentversion"\n\n[document]',
            "ContentVersion holds files, and no patients",
        ),
    ],
    ids=["no files", "every file", "patients in files"],
)
def test_what_documents_cannot_be_is_told_with_the_fix(package, was, row, says):
    with pytest.raises(Misconfigured, match=re.escape(says)):
        package(DOCUMENTS.replace(was, row))


ROW = 'fields.odd = { drchrono = "odd", salesforce = "%s", codec = "%s", owner = "salesforce"%s }'


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (ROW % ("Odd__Name__c", "text", ""), "name it Odd_Name__c"),
        (ROW % ("N" * 41 + "__c", "text", ""), "takes 40; name it"),
        (ROW % ("Odd___c", "text", ""), "is no name"),
        (ROW % ("Odd__c", "text", ", max_length = 131073"), "set max_length = 131072"),
        (ROW % ("Odd__c", "text", ", max_length = 256, identity = true"), "set max_length = 255"),
        (ROW % ("Odd__c", "phone", ", max_length = 41"), "set max_length = 40"),
        (ROW % ("Odd__c", "enum", ', values = { a = "' + "v" * 256 + '" }'), "takes 255 characters"),
        (ROW % ("Odd__c", "enum", ', values = { a = "Yes", b = "yes" }'), "differ in case alone"),
        (ROW % ("DrChrono_Sync_Message__c", "text", ""), "another field of Contact"),
        ('external_id = "AccountNumber"', "ends in __c"),
    ],
)
def test_what_the_platform_does_not_allow_is_told_with_its_row_and_the_fix(package, row, says):
    key = "fields.odd" if row.startswith("fields") else "external_id"
    expected = "object" if "Sync_Message" in row else key

    with pytest.raises(Misconfigured, match=re.escape(f"table [patient], key {expected}: ")) as error:
        package(f'extends = "default"\n[patient]\n{row}\n')

    assert says in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_activities_are_refused_because_their_fields_are_those_of_another_object(package):
    with pytest.raises(Misconfigured, match="keeps its custom fields on Activity"):
        package('extends = "default"\n[appointment]\nobject = "Event"\n')


def test_two_objects_whose_flows_would_have_one_name_are_refused(package):
    with pytest.raises(Misconfigured, match="Visit__c and DrChrono_Visit__c give flows and triggers one name"):
        package('extends = "default"\n[appointment]\nobject = "DrChrono_Visit__c"\n[office]\nobject = "Visit__c"\n')


def test_two_kinds_in_one_object_have_the_fields_of_both_and_one_flow(package):
    doctor = 'object = "Contact"\nexternal_id = "DrChrono_Doctor_Id__c"\nfields.name = false\n'
    files = package(f'extends = "default"\n[doctor]\n{doctor}')

    start = elements(files[f"{MAIN}/flows/DrChrono_Contact_Created.flow-meta.xml"], "filterFormula")

    assert {"NPI__c", "DrChrono_Gender__c"} <= {
        Path(name).name.split(".")[0] for name in files if "Contact/fields" in name
    }
    assert field(files, "DrChrono_Office__c", "Doctor__c")["referenceTo"] == "Contact"
    assert "Sync_To_DrChrono__c" in start[0], "of doctors nothing travels, so they do not decide"


def test_an_object_is_found_in_whatever_case_it_is_typed(package):
    typed = package('extends = "default"\n[patient]\nobject = "contact"\n')

    assert typed == package("default")


def test_every_row_that_is_wrong_has_a_line(package):
    rows = "\n".join(
        f'fields.odd{at} = {{ drchrono = "odd{at}", salesforce = "O__{at}__c", codec = "date", owner = "drchrono" }}'
        for at in range(3)
    )

    with pytest.raises(Misconfigured) as error:
        package(f'extends = "default"\n[patient]\n{rows}\n')

    assert len(str(error.value).splitlines()) == 3


def test_the_command_writes_a_mappings_package_and_leaves_nothing_of_the_one_before(tmp_path):
    folder = tmp_path / "package"
    for mapping in (PACKAGE / "mapping.toml", "default"):
        done = CliRunner().invoke(app, ["salesforce", "package", "--mapping", str(mapping), "--out", str(folder)])
        assert done.exit_code == 0, done.output

    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    assert written == source_files(file.load()).keys()
    assert (folder / "sfdx-project.json").stat().st_mode & 0o044 == 0o044


@pytest.mark.parametrize("content", ['{"name": "crm"}', "{", "[]"], ids=["another project", "no JSON", "no project"])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, content):
    own = tmp_path / MAIN / "objects" / "Own__c"
    own.mkdir(parents=True)
    (tmp_path / "sfdx-project.json").write_text(content)

    with pytest.raises(Misconfigured, match="name a new folder"):
        write(source_files(file.load()), tmp_path)

    assert own.exists()
    assert (tmp_path / "sfdx-project.json").read_text() == content


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(Misconfigured, match="Not a directory"):
        write(source_files(file.load()), tmp_path / "file")
