"""The Salesforce stand-in: what an admin deploys is there as a whole, or nothing of it."""

import base64
import io
import re
import zipfile

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from tests.contract.listening import listening, wait_until
from tests.standins.salesforce.app import create_app
from tests.standins.salesforce.metadata.components import Catalog
from tests.standins.serve import running
from tests.standins.tests.known import LOGIN

NS = "http://soap.sforce.com/2006/04/metadata"
DATA = "/services/data/v67.0"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
VISIT = "Acme_Visit__c"


def xml(kind, inside):
    return f'{HEAD}<{kind} xmlns="{NS}">{inside}</{kind}>'


def manifest(**types):
    listed = "".join(
        f"<types>{''.join(f'<members>{name}</members>' for name in names)}<name>{kind}</name></types>"
        for kind, names in types.items()
    )
    return xml("Package", f"{listed}<version>67.0</version>")


def field(name, kind, more=""):
    """A field as it stands in the file of its object."""
    label = f"<label>{name.removesuffix('__c').replace('_', ' ')}</label>"
    return f"<fields><fullName>{name}</fullName>{more}{label}<type>{kind}</type></fields>"


KEY = "<caseSensitive>true</caseSensitive><externalId>true</externalId><length>64</length><unique>true</unique>"
LOOKUP = "<referenceTo>Contact</referenceTo><relationshipName>Visits</relationshipName>"
VISIT_HEAD = (
    "<deploymentStatus>Deployed</deploymentStatus><label>Visit</label><nameField><displayFormat>V-{0000}</displayFormat>"
    "<label>Number</label><type>AutoNumber</type></nameField><pluralLabel>Visits</pluralLabel>"
    "<sharingModel>ReadWrite</sharingModel>"
)
ALLOWED = "".join(f"<allow{deed}>true</allow{deed}>" for deed in ("Create", "Delete", "Edit", "Read"))


def permissions(*fields, objects=("Contact", VISIT), more=""):
    given = "".join(
        f"<fieldPermissions><editable>true</editable><field>{name}</field><readable>true</readable></fieldPermissions>"
        for name in fields
    )
    allowed = "".join(
        f"<objectPermissions>{ALLOWED}<modifyAllRecords>false</modifyAllRecords><object>{name}</object>"
        "<viewAllRecords>false</viewAllRecords></objectPermissions>"
        for name in objects
    )
    return xml("PermissionSet", f"{given}<label>Integration</label>{allowed}{more}")


MESSAGE = (
    "<outboundMessages><fullName>Visit_Changed</fullName><apiVersion>67.0</apiVersion>"
    "<endpointUrl>https://acme.example/door</endpointUrl><fields>Id</fields><fields>Note__c</fields>"
    "<includeSessionId>false</includeSessionId><integrationUser>integration@example.test</integrationUser>"
    "<name>Visit Changed</name><protected>false</protected></outboundMessages>"
)
FLOW = (
    "<actionCalls><name>Send</name><label>Send</label><locationX>0</locationX><locationY>0</locationY>"
    f"<actionName>{VISIT}.Visit_Changed</actionName><actionType>outboundMessage</actionType></actionCalls>"
    "<apiVersion>67.0</apiVersion><label>Visit changed</label><processType>AutoLaunchedFlow</processType>"
    "<start><locationX>0</locationX><locationY>0</locationY><connector><targetReference>Send</targetReference></connector>"
    f"<object>{VISIT}</object><recordTriggerType>CreateAndUpdate</recordTriggerType>"
    "<triggerType>RecordAfterSave</triggerType></start><status>Active</status>"
)
FIELDS = field("Key__c", "Text", KEY) + field("Note__c", "Text", "<length>20</length>")
FIELDS += field("Patient__c", "Lookup", LOOKUP)
NAMED = {
    "CustomObject": ["Contact", VISIT],
    "PermissionSet": ["DrChrono_Integration"],
    "Workflow": [VISIT],
    "Flow": ["Visit_Changed"],
}
PACKAGE = {
    "package.xml": manifest(**NAMED),
    f"objects/{VISIT}.object": xml("CustomObject", VISIT_HEAD + FIELDS),
    "objects/Contact.object": xml("CustomObject", field("Chart__c", "Text", KEY)),
    "permissionsets/DrChrono_Integration.permissionset": permissions(
        "Contact.Chart__c", "Contact.MailingAddress", f"{VISIT}.Key__c", f"{VISIT}.Note__c", f"{VISIT}.Patient__c"
    ),
    f"workflows/{VISIT}.workflow": xml("Workflow", MESSAGE),
    "flows/Visit_Changed.flow": xml("Flow", FLOW),
}


@pytest.fixture(scope="module")
def app():
    return create_app(package=Catalog())


@pytest.fixture(scope="module")
def _empty(app):
    with running(app) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture
def org(app, _empty):
    """An org to which nothing was deployed, and its administrator's hand on it."""
    _empty.post("/_control/reset")
    _empty.put("/_control/settings", json={"deploy_looks": 0})
    return Admin(_empty, _empty.post("/_control/sessions", json={"user": "admin@example.test"}).json()["access_token"])


class Admin:
    """Calls the Metadata API."""

    def __init__(self, client, token):
        self.client, self.token = client, token

    def call(self, name, inside="", *, version="67.0"):
        """Gives status and root element of the answer."""
        envelope = (
            '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header>'
            f'<SessionHeader xmlns="{NS}"><sessionId>{self.token}</sessionId></SessionHeader></soapenv:Header>'
            f'<soapenv:Body><{name} xmlns="{NS}">{inside}</{name}></soapenv:Body></soapenv:Envelope>'
        )
        answer = self.client.post(f"/services/Soap/m/{version}", content=envelope)
        return answer.status_code, fromstring(re.sub(f' xmlns="{NS}"', "", answer.text))

    def send(self, files, **options):
        said = {"rollbackOnError": "true", "singlePackage": "true", **options}
        inside = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
        asked = f"<ZipFile>{base64.b64encode(zipped(files)).decode()}</ZipFile><DeployOptions>{inside}</DeployOptions>"
        status, answer = self.call("deploy", asked)
        assert status == 200, answer.findtext(".//faultstring")
        return answer.findtext(".//id")

    def look(self, deploy_id):
        asked = f"<asyncProcessId>{deploy_id}</asyncProcessId><includeDetails>true</includeDetails>"
        return self.call("checkDeployStatus", asked)[1].find(".//result")

    def deploy(self, files, **options):
        """Gives the last state of the deploy."""
        return self.look(self.send(files, **options))

    def fields(self, kind):
        answer = self.client.get(f"{DATA}/sobjects/{kind}/describe", headers={"Authorization": f"Bearer {self.token}"})
        return {one["name"] for one in answer.json()["fields"]} if answer.status_code == 200 else None


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for path, content in files.items():
            opened.writestr(path, content)
    return out.getvalue()


def problems(result):
    """Gives component and problem of all that failed."""
    return [(one.findtext("fullName"), one.findtext("problem")) for one in result.iter("componentFailures")]


# --- deploys


def test_what_is_deployed_is_there(org):
    result = org.deploy(PACKAGE)

    assert (result.findtext("status"), problems(result)) == ("Succeeded", [])
    assert org.client.post("/services/oauth2/token", data=LOGIN).status_code == 200
    made = {one.findtext("fullName"): one.findtext("created") for one in result.iter("componentSuccesses")}
    assert made["Contact.Chart__c"] == made[f"{VISIT}.Visit_Changed"] == "true"


def test_a_second_deploy_of_the_same_changes_nothing(org):
    org.deploy(PACKAGE)

    again = org.deploy(PACKAGE)

    changed = {
        one.findtext("fullName") for one in again.iter("componentSuccesses") if one.findtext("changed") == "true"
    }
    assert (again.findtext("status"), changed) == ("Succeeded", {"package.xml"})


def test_a_deploy_moves_on_at_each_look_and_is_in_the_org_with_the_last(org):
    org.client.put("/_control/settings", json={"deploy_looks": 3})
    sent = org.send(PACKAGE)

    looks = [org.look(sent) for _ in range(4)]

    assert [one.findtext("status") for one in looks] == ["Pending", "InProgress", "InProgress", "Succeeded"]
    counts = [int(one.findtext("numberComponentsDeployed")) for one in looks]
    assert counts == sorted(counts)
    assert 0 < counts[2] < counts[3] == int(looks[3].findtext("numberComponentsTotal"))


def test_a_deploy_that_is_cancelled_leaves_nothing(org):
    org.client.put("/_control/settings", json={"deploy_looks": 3})
    sent = org.send(PACKAGE)
    org.look(sent)

    status, _ = org.call("cancelDeploy", f"<String>{sent}</String>")

    assert (status, org.look(sent).findtext("status")) == (200, "Canceled")
    assert org.fields(VISIT) is None
    assert org.call("cancelDeploy", f"<String>{sent}</String>")[0] == 500


def test_a_check_alone_changes_nothing(org):
    result = org.deploy(PACKAGE, checkOnly="true")

    assert (result.findtext("status"), result.findtext("checkOnly")) == ("Succeeded", "true")
    assert org.fields(VISIT) is None


def visits(inside, *, fields=FIELDS):
    """The file of the visits with more in it."""
    return {f"objects/{VISIT}.object": xml("CustomObject", VISIT_HEAD + fields + inside)}


def layout(*fields):
    items = "".join(f"<layoutItems><field>{name}</field></layoutItems>" for name in fields)
    section = f"<layoutColumns>{items}</layoutColumns><style>OneColumn</style>"
    return {
        "package.xml": manifest(**NAMED, Layout=[f"{VISIT}-Visit Layout"]),
        f"layouts/{VISIT}-Visit Layout.layout": xml("Layout", f"<layoutSections>{section}</layoutSections>"),
    }


def bundle(code):
    return {
        "package.xml": manifest(**NAMED, LightningComponentBundle=["card"]),
        "lwc/card/card.js": code,
        "lwc/card/card.js-meta.xml": xml("LightningComponentBundle", "<apiVersion>67.0</apiVersion>"),
    }


BROKEN = {
    "a type of metadata that there is not": (
        {"package.xml": manifest(CustomObjects=["Contact"])},
        ("CustomObjects", "Unknown type name 'CustomObjects' specified in package.xml"),
    ),
    "a component that the zip lacks": (
        {"objects/Contact.object": None},
        ("Contact", "An object 'Contact' of type CustomObject was named in package.xml, but was not found"),
    ),
    "a file that the manifest does not name": (
        {"flows/Other.flow": xml("Flow", FLOW)},
        ("Other", "Not in package.xml"),
    ),
    "no manifest": ({"package.xml": None}, ("package.xml", "No package.xml found")),
    "XML that does not end": (
        {"objects/Contact.object": f'<CustomObject xmlns="{NS}"><label>'},
        ("Contact", "Error parsing file"),
    ),
    "an element that the type has not": (
        {"objects/Contact.object": xml("CustomObject", field("Chart__c", "Text", "<lengthy>5</lengthy>"))},
        ("Contact", f"Element {{{NS}}}lengthy invalid at this location in type CustomField"),
    ),
    "elements of one name apart": (
        {"permissionsets/DrChrono_Integration.permissionset": permissions(more="<label>Again</label>")},
        ("DrChrono_Integration", "Element label is duplicated at this location in type PermissionSet"),
    ),
    "a value that the enumeration has not": (
        {"objects/Contact.object": xml("CustomObject", field("Chart__c", "Textual"))},
        ("Contact", "'Textual' is not a valid value for the enum 'FieldType'"),
    ),
    "a boolean that is none": (
        {"objects/Contact.object": xml("CustomObject", field("Chart__c", "Text", "<externalId>yes</externalId>"))},
        ("Contact", "'yes' is not a valid value for the type xsd:boolean"),
    ),
    "two underscores in a name": (
        {"objects/Contact.object": xml("CustomObject", field("Big__Chart__c", "Text", "<length>5</length>"))},
        ("Contact.Big__Chart__c", "not contain two consecutive underscores"),
    ),
    "a name of 41 letters": (
        {"objects/Contact.object": xml("CustomObject", field("A" * 41 + "__c", "Text", "<length>5</length>"))},
        ("Contact." + "A" * 41 + "__c", "(max length=40)"),
    ),
    "text without a length": (
        {"objects/Contact.object": xml("CustomObject", field("Chart__c", "Text"))},
        ("Contact.Chart__c", "Must specify 'length' for a CustomField of type Text"),
    ),
    "text of 256 letters": (
        {"objects/Contact.object": xml("CustomObject", field("Chart__c", "Text", "<length>256</length>"))},
        ("Contact.Chart__c", "between 1 and 255"),
    ),
    "long text without lines": (
        {"objects/Contact.object": xml("CustomObject", field("Chart__c", "LongTextArea", "<length>300</length>"))},
        ("Contact.Chart__c", "Must specify 'visibleLines'"),
    ),
    "a length where none can be": (
        {"objects/Contact.object": xml("CustomObject", field("Chart__c", "Date", "<length>5</length>"))},
        ("Contact.Chart__c", "Can not specify 'length' for a CustomField of type Date"),
    ),
    "a checkbox without its default": (
        {"objects/Contact.object": xml("CustomObject", field("Chart__c", "Checkbox"))},
        ("Contact.Chart__c", "Must specify 'defaultValue'"),
    ),
    "a date that is an external id": (
        {"objects/Contact.object": xml("CustomObject", field("Chart__c", "Date", "<externalId>true</externalId>"))},
        ("Contact.Chart__c", "can not be an external ID"),
    ),
    "a lookup to an object that is not there": (
        {f"objects/{VISIT}.object": xml("CustomObject", VISIT_HEAD + FIELDS.replace("Contact", "Nobody__c"))},
        (f"{VISIT}.Patient__c", "In field: referenceTo - no CustomObject named Nobody__c found"),
    ),
    "two lookups whose children have one name": (
        {f"objects/{VISIT}.object": xml("CustomObject", VISIT_HEAD + FIELDS + field("Other__c", "Lookup", LOOKUP))},
        (f"{VISIT}.Other__c", "There is already a Child Relationship named Visits on Contact."),
    ),
    "an object without a label": (
        {f"objects/{VISIT}.object": xml("CustomObject", VISIT_HEAD.replace("<label>Visit</label>", "") + FIELDS)},
        (VISIT, "Must specify a non-empty label for the CustomObject"),
    ),
    "more external ids than an object can have": (
        {
            f"objects/{VISIT}.object": xml(
                "CustomObject", VISIT_HEAD + FIELDS + "".join(field(f"K{n}__c", "Text", KEY) for n in range(25))
            )
        },
        (VISIT, "at most 25"),
    ),
    "a permission on a field that is not there": (
        {"permissionsets/DrChrono_Integration.permissionset": permissions("Contact.Charrt__c")},
        ("DrChrono_Integration", "In field: field - no CustomField named Contact.Charrt__c found"),
    ),
    "a permission on a part of an address": (
        {"permissionsets/DrChrono_Integration.permissionset": permissions("Contact.MailingCity")},
        ("DrChrono_Integration", "In field: field - no CustomField named Contact.MailingCity found"),
    ),
    "a permission on a required field": (
        {"permissionsets/DrChrono_Integration.permissionset": permissions("Contact.LastName")},
        ("DrChrono_Integration", "You cannot deploy to a required field: Contact.LastName"),
    ),
    "a permission to edit what cannot be read": (
        {
            "permissionsets/DrChrono_Integration.permissionset": permissions().replace(
                "<allowRead>true</allowRead>", "<allowRead>false</allowRead>"
            )
        },
        ("DrChrono_Integration", "Permission Edit Contact depends on permission(s): Read Contact"),
    ),
    "a message with a field that is not there": (
        {f"workflows/{VISIT}.workflow": xml("Workflow", MESSAGE.replace("Note__c", "Nota__c"))},
        (f"{VISIT}.Visit_Changed", f"In field: fields - no CustomField named {VISIT}.Nota__c found"),
    ),
    "a message without an address": (
        {f"workflows/{VISIT}.workflow": xml("Workflow", re.sub("<endpointUrl>.*</endpointUrl>", "", MESSAGE))},
        (VISIT, "Required field is missing: endpointUrl"),
    ),
    "a message in the name of nobody": (
        {f"workflows/{VISIT}.workflow": xml("Workflow", MESSAGE.replace("integration@", "nobody@"))},
        (f"{VISIT}.Visit_Changed", "In field: integrationUser - no User named nobody@example.test found"),
    ),
    "a flow that sends no message there is": (
        {"flows/Visit_Changed.flow": xml("Flow", FLOW.replace(".Visit_Changed", ".Visit_Gone"))},
        ("Visit_Changed", f"no WorkflowOutboundMessage named {VISIT}.Visit_Gone found"),
    ),
    "a flow whose condition names a field that is not there": (
        {
            "flows/Visit_Changed.flow": xml(
                "Flow", FLOW.replace("<object>", "<filterFormula>ISBLANK({!$Record.Nota__c})</filterFormula><object>")
            )
        },
        ("Visit_Changed", f"no CustomField named {VISIT}.Nota__c found"),
    ),
    "a flow that asks of a new record what changed": (
        {
            "flows/Visit_Changed.flow": xml(
                "Flow",
                FLOW.replace("<object>", "<filterFormula>ISCHANGED({!$Record.Note__c})</filterFormula><object>"),
            )
        },
        ("Visit_Changed", "ISCHANGED"),
    ),
    "a permission on a class that is not there": (
        {
            "permissionsets/DrChrono_Integration.permissionset": permissions().replace(
                "<label>", "<classAccesses><apexClass>Gone</apexClass><enabled>true</enabled></classAccesses><label>"
            )
        },
        ("DrChrono_Integration", "In field: apexClass - no ApexClass named Gone found"),
    ),
    "a custom permission that is not there": (
        {
            "permissionsets/DrChrono_Integration.permissionset": permissions().replace(
                "<label>", "<customPermissions><enabled>true</enabled><name>Gone</name></customPermissions><label>"
            )
        },
        ("DrChrono_Integration", "In field: name - no CustomPermission named Gone found"),
    ),
    "a list with a column that is not there": (
        visits(
            "<listViews><fullName>All</fullName><columns>NAME</columns><columns>Gone__c</columns>"
            "<filterScope>Everything</filterScope><label>All</label></listViews>"
        ),
        (f"{VISIT}.All", f"no CustomField named {VISIT}.Gone__c found"),
    ),
    "a layout with a field that is not there": (
        layout("Gone__c"),
        (f"{VISIT}-Visit Layout", f"no CustomField named {VISIT}.Gone__c found"),
    ),
    "a layout without a required field": (
        layout("Note__c")
        | visits("", fields=FIELDS + field("Must__c", "Text", "<length>9</length><required>true</required>")),
        (f"{VISIT}-Visit Layout", "Layout must contain an item for required layout field: Must__c"),
    ),
    "a component that calls a class that is not there": (
        bundle("import ask from '@salesforce/apex/Gone.ask';"),
        ("card", "In field: apex - no ApexClass named Gone found"),
    ),
    "a bundle with a folder in it": (
        bundle("") | {"lwc/card/__tests__/card.test.js": ""},
        ("card", "must not contain the folder __tests__"),
    ),
    "a flow that starts nothing": (
        {"flows/Visit_Changed.flow": xml("Flow", re.sub("<connector>.*</connector>", "", FLOW))},
        ("Visit_Changed", "nothing is connected to the Start element"),
    ),
}


@pytest.mark.parametrize(("change", "wanted"), BROKEN.values(), ids=BROKEN)
def test_one_fault_and_nothing_of_the_deploy_stays(org, change, wanted):
    files = {path: content for path, content in (PACKAGE | change).items() if content is not None}

    result = org.deploy(files)

    assert result.findtext("status") == "Failed"
    name, text = wanted
    assert any(of == name and text in problem for of, problem in problems(result)), problems(result)
    assert (org.fields(VISIT), "Chart__c" in org.fields("Contact")) == (None, False)


def test_a_field_over_equal_values_is_not_made_unique(org):
    org.deploy(PACKAGE)
    for _ in range(2):
        org.client.post(f"/_control/records/{VISIT}", json={"Note__c": "same"})
    unique = FIELDS.replace("<length>20</length>", "<length>20</length><unique>true</unique>")

    result = org.deploy(PACKAGE | visits("", fields=unique))

    assert [name for name, problem in problems(result) if "duplicate values" in problem] == [f"{VISIT}.Note__c"]


def test_messages_leave_for_the_address_that_was_deployed(org):
    with listening((200, b"")) as listener:
        here = PACKAGE[f"workflows/{VISIT}.workflow"].replace("https://acme.example/door", listener.url)
        org.deploy(PACKAGE | {f"workflows/{VISIT}.workflow": here})

        org.client.post(f"/_control/records/{VISIT}", json={"Note__c": "new"})

        wait_until(lambda: listener.bodies, "a message")
        org.client.delete("/_control/outbound")


def test_without_a_rollback_what_is_good_stays(org):
    broken = {"flows/Visit_Changed.flow": xml("Flow", FLOW.replace(".Visit_Changed", ".Visit_Gone"))}

    result = org.deploy(PACKAGE | broken, rollbackOnError="false")

    assert (result.findtext("status"), [name for name, _ in problems(result)]) == (
        "SucceededPartial",
        ["Visit_Changed"],
    )
    assert org.fields(VISIT) is not None


# --- deletions


def destroying(**types):
    return {"package.xml": manifest(), "destructiveChangesPost.xml": manifest(**types)}


DRAFT = {
    "package.xml": manifest(Flow=["Visit_Changed"]),
    "flows/Visit_Changed.flow": xml("Flow", FLOW.replace("Active", "Draft")),
}


def test_an_active_flow_cannot_be_deleted_and_a_draft_can(org):
    org.deploy(PACKAGE)
    active = org.deploy(destroying(Flow=["Visit_Changed"]))
    org.deploy(DRAFT)

    draft = org.deploy(destroying(Flow=["Visit_Changed"]))

    assert problems(active) == [("Visit_Changed", "insufficient access rights on cross-reference id")]
    assert draft.findtext("status") == "Succeeded"


def test_what_something_else_still_names_cannot_be_deleted(org):
    org.deploy(PACKAGE)

    result = org.deploy(destroying(CustomField=[f"{VISIT}.Note__c"]))

    ((name, problem),) = problems(result)
    assert name == f"{VISIT}.Note__c"
    assert problem.startswith("This custom field is referenced elsewhere in salesforce.com.")
    assert "Visit_Changed" in problem


def test_a_field_that_is_deleted_takes_its_values_and_its_permissions_along(org):
    org.deploy(PACKAGE)
    made = org.client.post("/_control/records/Contact", json={"LastName": "S", "Chart__c": "1"}).json()

    result = org.deploy(destroying(CustomField=["Contact.Chart__c"]))

    assert (result.findtext("status"), problems(result)) == ("Succeeded", [])
    (permissions_left,) = [
        text for path, text in retrieved(org, PermissionSet=["*"])[1].items() if path.endswith(".permissionset")
    ]
    assert ("Contact.Chart__c" in permissions_left, "Contact.MailingAddress" in permissions_left) == (False, True)
    again = {path: PACKAGE[path] for path in ("objects/Contact.object",)}
    org.deploy({"package.xml": manifest(CustomObject=["Contact"]), **again})
    assert org.client.get(f"/_control/records/Contact/{made['Id']}").json()["Chart__c"] is None


def test_everything_can_be_deleted_at_once(org):
    org.deploy(PACKAGE)
    org.deploy(DRAFT)

    gone = {
        "Flow": ["Visit_Changed"],
        "WorkflowOutboundMessage": [f"{VISIT}.Visit_Changed"],
        "CustomField": ["Contact.Chart__c"],
        "CustomObject": [VISIT],
        "PermissionSet": ["DrChrono_Integration"],
    }
    result = org.deploy(destroying(**gone))

    assert (result.findtext("status"), problems(result)) == ("Succeeded", [])
    assert org.fields(VISIT) is None


def test_a_permission_set_that_somebody_has_cannot_be_deleted(org):
    org.deploy(PACKAGE)
    rows = {kind: org.client.get(f"/_control/records/{kind}").json()["records"] for kind in ("User", "PermissionSet")}
    body = {"AssigneeId": rows["User"][0]["Id"], "PermissionSetId": rows["PermissionSet"][0]["Id"]}
    given = org.client.post("/_control/records/PermissionSetAssignment", json=body).json()["Id"]

    refused = org.deploy(destroying(PermissionSet=["DrChrono_Integration"]))
    org.client.delete(f"/_control/records/PermissionSetAssignment/{given}")

    assert problems(refused)[0][0] == "DrChrono_Integration"
    assert org.deploy(destroying(PermissionSet=["DrChrono_Integration"])).findtext("status") == "Succeeded"


@pytest.mark.parametrize(("ignored", "status"), [("false", "Failed"), ("true", "Succeeded")])
def test_what_is_not_there_to_be_deleted_is_a_warning(org, ignored, status):
    result = org.deploy(destroying(CustomField=["Contact.Nowhere__c"]), ignoreWarnings=ignored)

    assert result.findtext("status") == status
    assert result.findtext(".//problem") == "No CustomField named: Contact.Nowhere__c found"
    assert result.findtext(".//problemType") == "Warning"


# --- who may, and what goes wrong


def test_the_integration_user_may_not_deploy(org):
    token = org.client.post("/services/oauth2/token", data=LOGIN).json()["access_token"]

    status, answer = Admin(org.client, token).call("describeMetadata")

    assert status == 500
    assert answer.findtext(".//faultcode") == "sf:INSUFFICIENT_ACCESS"
    assert "ModifyMetadata" in answer.findtext(".//faultstring")


def test_a_session_that_is_over_is_a_fault(org):
    status, answer = Admin(org.client, "over").call("describeMetadata")

    assert (status, answer.findtext(".//faultcode")) == (500, "sf:INVALID_SESSION_ID")


# --- a production org


CODE = {
    "package.xml": manifest(ApexClass=["AcmeTest"]),
    "classes/AcmeTest.cls": "@IsTest\nprivate class AcmeTest {\n@IsTest static void works() {}\n}",
    "classes/AcmeTest.cls-meta.xml": xml("ApexClass", "<apiVersion>67.0</apiVersion><status>Active</status>"),
}


@pytest.fixture
def production(org):
    org.client.put("/_control/settings", json={"production": True})
    return org


def test_flows_arrive_in_a_production_org_as_drafts(production):
    production.deploy(PACKAGE)

    draft = retrieved(production, Flow=["*"])[1]["unpackaged/flows/Visit_Changed.flow"]
    production.client.put("/_control/settings", json={"flows_deploy_active": True})
    production.deploy(PACKAGE)
    active = retrieved(production, Flow=["*"])[1]["unpackaged/flows/Visit_Changed.flow"]

    assert ("<status>Draft</status>" in draft, "<status>Active</status>" in active) == (True, True)


@pytest.mark.parametrize(
    ("settings", "options", "status", "text"),
    [
        ({}, {"testLevel": "RunLocalTests"}, "Succeeded", None),
        ({}, {}, "Succeeded", None),
        ({}, {"testLevel": "NoTestRun"}, "Failed", "testLevel of NoTestRun cannot be used in production"),
        ({}, {"testLevel": "RunSpecifiedTests", "runTests": "AcmeTest"}, "Succeeded", None),
        ({}, {"testLevel": "RunSpecifiedTests", "runTests": "Nothing"}, "Failed", "No test class named Nothing found"),
        (
            {"failing_tests": {"AcmeTest.works": "1 is 2"}},
            {},
            "Failed",
            "System.AssertException: Assertion Failed: 1 is 2",
        ),
        ({"apex_coverage": 60}, {}, "Failed", "at least 75% test coverage is required."),
    ],
)
def test_code_in_a_production_org_comes_with_tests_that_pass(production, settings, options, status, text):
    production.client.put("/_control/settings", json=settings)

    result = production.deploy(CODE, **options)

    said = [one.text or "" for name in ("errorMessage", "message") for one in result.iter(name)]
    assert result.findtext("status") == status
    assert (text is None and not said) or any(text in one for one in said)
    is_there = production.call("listMetadata", "<queries><type>ApexClass</type></queries>")[1].find(".//fullName")
    assert (is_there is not None) == (status == "Succeeded")


def test_an_organization_says_whether_it_is_a_sandbox(org):
    def is_sandbox():
        asked = {
            "params": {"q": "SELECT IsSandbox FROM Organization"},
            "headers": {"Authorization": f"Bearer {org.token}"},
        }
        return org.client.get(f"{DATA}/query", **asked).json()["records"][0]["IsSandbox"]

    before = is_sandbox()
    org.client.put("/_control/settings", json={"production": True})

    assert (before, is_sandbox()) == (True, False)


# --- retrieve, list, describe


def retrieved(org, **types):
    listed = "".join(
        f"<types>{''.join(f'<members>{name}</members>' for name in names)}<name>{kind}</name></types>"
        for kind, names in types.items()
    )
    asked = f"<retrieveRequest><apiVersion>67.0</apiVersion><unpackaged>{listed}</unpackaged></retrieveRequest>"
    sent = org.call("retrieve", asked)[1].findtext(".//id")
    asked = f"<asyncProcessId>{sent}</asyncProcessId><includeZip>true</includeZip>"
    result = org.call("checkRetrieveStatus", asked)[1].find(".//result")
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(result.findtext("zipFile")))) as opened:
        return result, {name: opened.read(name).decode() for name in opened.namelist()}


def test_what_is_retrieved_is_what_was_deployed(org):
    org.deploy(PACKAGE)

    result, files = retrieved(org, CustomObject=["Contact", VISIT], Flow=["*"], CustomField=["Contact.Nowhere__c"])

    assert set(files) == {
        f"unpackaged/{path}" for path in PACKAGE if path.split("/")[0] not in {"permissionsets", "workflows"}
    }
    assert (
        result.findtext(".//messages/problem")
        == "Entity of type 'CustomField' named 'Contact.Nowhere__c' cannot be found"
    )
    again = {path.removeprefix("unpackaged/"): content for path, content in files.items()}
    changed = [one for one in org.deploy(again).iter("componentSuccesses") if one.findtext("changed") == "true"]
    assert [one.findtext("fullName") for one in changed] == ["package.xml"]


def test_the_org_lists_and_describes_what_it_has(org):
    org.deploy(PACKAGE)

    listed = org.call("listMetadata", "<queries><type>CustomField</type></queries><asOfVersion>67.0</asOfVersion>")[1]
    described = org.call("describeMetadata", "<asOfVersion>67.0</asOfVersion>")[1]

    assert f"{VISIT}.Key__c" in [one.findtext("fullName") for one in listed.iter("result")]
    assert "PermissionSet" in [one.findtext("xmlName") for one in described.iter("metadataObjects")]
