"""What somebody changed in an org shows; what the platform adds, leaves out or orders otherwise does not."""

import zipfile
from io import BytesIO

import pytest

from app.errors import Unreadable
from app.vendors.salesforce.metadata.diff import Difference, differences, unzipped
from app.vendors.salesforce.metadata.problems import fix_of
from app.vendors.salesforce.metadata.xml import NAMESPACE

PATH = "objects/Contact.object"


def xml(root, inner):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{inner}</{root}>'.encode()


def a_field(inner, name="Chart__c"):
    return f"<fields><fullName>{name}</fullName>{inner}</fields>"


def told(meant, there, path=PATH):
    root = "PermissionSet" if path.startswith("permissionsets") else "CustomObject"
    found = differences({path: xml(root, meant)}, {path: xml(root, there)})
    return [f"{one.component}: {one.says}" for one in found]


@pytest.mark.parametrize(
    ("meant", "there"),
    [
        (a_field("<label>Chart</label><length>64</length>"), a_field("<length>64</length>\n  <label>Chart</label>")),
        (a_field("<label>Chart</label>"), a_field("<label>Chart</label><trackTrending>false</trackTrending>")),
        (a_field("<required>false</required>"), a_field("")),
        (a_field("<description>one\n  two</description>"), a_field("<description>one two</description>")),
        (a_field("<type>Lookup</type>"), a_field("<type>Lookup</type><deleteConstraint>SetNull</deleteConstraint>")),
        (a_field(""), a_field("") + a_field("<label>Own</label>", "Own__c") + "<enableBulkApi>true</enableBulkApi>"),
        (
            a_field("<valueSet><value><fullName>A</fullName></value><value><fullName>B</fullName></value></valueSet>"),
            a_field("<valueSet><value><fullName>B</fullName></value><value><fullName>A</fullName></value></valueSet>"),
        ),
    ],
    ids=[
        "order",
        "a default",
        "a default left out",
        "blanks",
        "a default by name",
        "a clinic's own",
        "order of values",
    ],
)
def test_what_says_the_same_is_no_difference(meant, there):
    assert told(meant, there) == []


@pytest.mark.parametrize(
    ("meant", "there", "says"),
    [
        (
            a_field("<length>64</length>"),
            a_field("<length>32</length>"),
            ["Contact.Chart__c: length is '32' in the org, not '64'"],
        ),
        (a_field("<unique>true</unique>"), a_field(""), ["Contact.Chart__c: unique is not in the org: 'true'"]),
        (
            a_field(""),
            a_field("<required>true</required>"),
            ["Contact.Chart__c: required was added in the org: 'true'"],
        ),
        (a_field(""), "", ["Contact.Chart__c: is not in the org"]),
        (
            a_field("<valueSet><value><fullName>A</fullName></value></valueSet>"),
            a_field("<valueSet><value><fullName>B</fullName></value></valueSet>"),
            [
                "Contact.Chart__c: valueSet > value A is not in the org",
                "Contact.Chart__c: valueSet > value B was added in the org",
            ],
        ),
    ],
    ids=["another value", "taken away", "added", "deleted", "values"],
)
def test_what_was_changed_by_hand_is_told_by_component_and_place(meant, there, says):
    assert told(meant, there) == says


def test_a_right_that_somebody_gave_or_took_is_told():
    rights = "<field>Contact.Chart__c</field><editable>false</editable><readable>true</readable>"
    meant = f"<fieldPermissions>{rights}</fieldPermissions>"
    there = meant.replace("<editable>false", "<editable>true")
    more = meant + "<userPermissions><enabled>true</enabled><name>ViewAllData</name></userPermissions>"
    path = "permissionsets/Staff.permissionset"

    assert told(meant, there, path) == [
        "Staff: fieldPermissions Contact.Chart__c > editable is 'true' in the org, not 'false'"
    ]
    assert told(meant, more, path) == ["Staff: userPermissions ViewAllData was added in the org"]


def test_of_an_address_with_a_secret_only_is_told_that_it_differs():
    message = (
        "<outboundMessages><fullName>Told</fullName><endpointUrl>https://a.example/{}</endpointUrl></outboundMessages>"
    )
    path = "workflows/Contact.workflow"

    (found,) = differences(
        {path: xml("Workflow", message.format("secret"))}, {path: xml("Workflow", message.format("other"))}
    )

    assert found == Difference("Contact.Told", "endpointUrl is another one in the org")


def test_a_component_that_is_gone_and_code_that_was_edited_are_told():
    meant = {"classes/Told.cls": b"class Told {\n}\n", "flows/Tell.flow": xml("Flow", "")}

    assert differences(meant, {"classes/Told.cls": b"class Told {\r\n}"}) == [
        Difference("flows/Tell.flow", "is not in the org")
    ]
    assert differences(meant, {**meant, "classes/Told.cls": b"class Told { int a; }"}) == [
        Difference("classes/Told.cls", "its code was changed")
    ]


def test_xml_with_entities_is_not_opened():
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><CustomObject>&a;</CustomObject>'

    assert differences({PATH: xml("CustomObject", "")}, {PATH: bomb}) == [Difference(PATH, "cannot be read in the org")]


def test_a_zip_beyond_any_package_and_what_is_none_are_refused():
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("classes/Large.cls", b"\0" * 100_000_001)

    for content in (buffer.getvalue(), b"no zip", b""):
        with pytest.raises(Unreadable):
            unzipped(content)


@pytest.mark.parametrize(
    ("says", "part"),
    [
        ("insufficient access rights on cross-reference id", "administrator"),
        ("In field: integrationUser - no User named sync@acme.example found", "integration user is active"),
        ("In field: field - no CustomField named Contact.Chart__c found", "switch the feature on"),
        ("Cannot change field type from Text to Number", "another type"),
        ("This custom field is referenced elsewhere in Salesforce: Flow Tell", "take it out"),
        ("Duplicate value found: DeveloperName", "has that name"),
        ("Average test coverage across all Apex Classes and Triggers is 12%, at least 75% is required", "--test-level"),
        ("An unexpected error occurred. ErrorId: 123-456 (789)", "support"),
        ("You can't delete an active flow", "deactivate the flow"),
        ("UNABLE_TO_LOCK_ROW: could not obtain lock", "something else is changing the org"),
        ("API version 67.0 is not supported", "SALESFORCE_API_VERSION"),
    ],
)
def test_known_words_of_an_org_have_their_fix(says, part):
    assert part in (fix_of(says) or "")


def test_words_that_nobody_has_met_yet_have_none():
    assert fix_of("Quelque chose est arrivé") is None
