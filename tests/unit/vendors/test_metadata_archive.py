"""Source files become what the Metadata API takes: whole objects, plain names, values filled in, the same zip again."""

import json
import zipfile
from io import BytesIO

import pytest
from defusedxml.ElementTree import fromstring

from app.vendors.salesforce.metadata.archive import NoComponentError, destruction, package_of
from app.vendors.salesforce.metadata.xml import NAMESPACE as METADATA

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
MAIN = "force-app/main"
REPLACED = {"glob": f"{MAIN}/workflows/*", "stringToReplace": "THE_ADDRESS", "replaceWithEnv": "THE_ADDRESS"}


def xml(root, inner=""):
    return f'{HEAD}<{root} xmlns="{METADATA}">{inner}</{root}>\n'.encode()


def named(root, name, inner=""):
    return xml(root, f"<fullName>{name}</fullName>{inner}")


def project(files, replacements=(), ignored=""):
    given = {"packageDirectories": [{"path": "force-app"}], "sourceApiVersion": "67.0", "replacements": replacements}
    return {"sfdx-project.json": json.dumps(given).encode(), ".forceignore": ignored.encode(), **files}


def unzipped(content):
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def members(content, name="package.xml"):
    root = fromstring(unzipped(content)[name])
    tag = f"{{{METADATA}}}"
    return {
        one.findtext(f"{tag}name"): [each.text for each in one.findall(f"{tag}members")]
        for one in root.findall(f"{tag}types")
    }


OBJECT = {
    f"{MAIN}/objects/Visit__c/Visit__c.object-meta.xml": xml("CustomObject", "<label>Visit</label>"),
    f"{MAIN}/objects/Visit__c/fields/Start__c.field-meta.xml": named(
        "CustomField", "Start__c", "<type>DateTime</type>"
    ),
    f"{MAIN}/objects/Visit__c/listViews/All.listView-meta.xml": named("ListView", "All"),
    f"{MAIN}/objects/Contact/fields/Chart__c.field-meta.xml": named("CustomField", "Chart__c"),
}


def test_an_object_is_put_together_of_its_parts():
    package = package_of(project(OBJECT))

    root = fromstring(package.files["objects/Visit__c.object"])
    assert [one.tag.removeprefix(f"{{{METADATA}}}") for one in root] == ["label", "fields", "listViews"]
    assert root.findtext(f"{{{METADATA}}}fields/{{{METADATA}}}type") == "DateTime"


def test_a_standard_object_is_named_by_its_parts_alone_so_that_the_rest_of_it_stays():
    package = package_of(project(OBJECT))

    assert package.members == {
        "CustomField": ("Contact.Chart__c", "Visit__c.Start__c"),
        "CustomObject": ("Visit__c",),
        "ListView": ("Visit__c.All",),
    }
    assert members(package.zipped())["CustomObject"] == ["Visit__c"]


@pytest.mark.parametrize(
    ("path", "target", "member"),
    [
        ("flows/Tell.flow-meta.xml", "flows/Tell.flow", ("Flow", "Tell")),
        ("any/folder/Staff.permissionset-meta.xml", "permissionsets/Staff.permissionset", ("PermissionSet", "Staff")),
        ("connection/Told.remoteSite-meta.xml", "remoteSiteSettings/Told.remoteSite", ("RemoteSiteSetting", "Told")),
        ("layouts/V__c-My Layout.layout-meta.xml", "layouts/V__c-My Layout.layout", ("Layout", "V__c-My Layout")),
        ("classes/Told.cls", "classes/Told.cls", ("ApexClass", "Told")),
        ("classes/Told.cls-meta.xml", "classes/Told.cls-meta.xml", ("ApexClass", "Told")),
        ("triggers/Gone.trigger", "triggers/Gone.trigger", ("ApexTrigger", "Gone")),
        ("lwc/card/card.js-meta.xml", "lwc/card/card.js-meta.xml", ("LightningComponentBundle", "card")),
        ("lwc/card/parts/part.html", "lwc/card/parts/part.html", ("LightningComponentBundle", "card")),
    ],
    ids=lambda one: one if isinstance(one, str) and "/" in one else "",
)  # fmt: skip
def test_code_keeps_its_name_and_xml_that_is_a_component_loses_its_ending(path, target, member):
    package = package_of(project({f"{MAIN}/{path}": xml("Anything")}))

    assert list(package.files) == [target]
    assert package.members == {member[0]: (member[1],)}


def test_outbound_messages_are_components_of_the_file_they_stand_in():
    workflow = xml("Workflow", "<outboundMessages><fullName>Told</fullName></outboundMessages>")

    package = package_of(project({f"{MAIN}/workflows/Contact.workflow-meta.xml": workflow}))

    assert package.members == {"WorkflowOutboundMessage": ("Contact.Told",)}
    assert list(package.files) == ["workflows/Contact.workflow"]


def test_what_stands_for_a_value_is_filled_in_as_xml_takes_it():
    files = {
        f"{MAIN}/workflows/Contact.workflow-meta.xml": xml("Workflow", "<a>THE_ADDRESS</a>"),
        f"{MAIN}/classes/Told.cls": b"THE_ADDRESS",
    }

    package = package_of(project(files, [REPLACED]), {"THE_ADDRESS": "https://a.example/?b&c"})

    assert b"<a>https://a.example/?b&amp;c</a>" in package.files["workflows/Contact.workflow"]
    assert package.files["classes/Told.cls"] == b"THE_ADDRESS"


def test_a_value_that_nobody_gives_stops_it_by_name():
    with pytest.raises(LookupError, match="THE_ADDRESS"):
        package_of(project(OBJECT, [REPLACED]), {})


def test_what_is_to_be_ignored_and_what_is_no_part_of_the_project_stays_out():
    files = {
        f"{MAIN}/lwc/card/card.js": b"card",
        f"{MAIN}/lwc/card/__tests__/card.test.js": b"test",
        f"{MAIN}/lwc/jsconfig.json": b"{}",
        "checks/check.mjs": b"check",
        "package.json": b"{}",
    }

    package = package_of(project(files, ignored="# of tests\n**/__tests__/**\n**/jsconfig.json\n"))

    assert list(package.files) == ["lwc/card/card.js"]


@pytest.mark.parametrize("path", ["flows/Tell.flow", "reports/All/One.report-meta.xml", "readme.md"])
def test_a_file_that_no_type_has_is_named(path):
    with pytest.raises(NoComponentError, match=path):
        package_of(project({f"{MAIN}/{path}": xml("Anything")}))


def test_the_same_files_make_the_same_zip():
    assert package_of(project(OBJECT)).zipped() == package_of(project(dict(reversed(OBJECT.items())))).zipped()


def test_flows_become_drafts_and_nothing_else_changes():
    active = "<status>Active</status>"
    files = {f"{MAIN}/flows/Tell.flow-meta.xml": xml("Flow", active), f"{MAIN}/classes/Told.cls": active.encode()}

    package = package_of(project(files)).with_flows_as_drafts()

    assert b"<status>Draft</status>" in package.files["flows/Tell.flow"]
    assert package.files["classes/Told.cls"] == active.encode()


def test_what_deletes_names_everything_and_brings_nothing():
    content = destruction({"CustomField": ("Contact.Chart__c",), "Flow": ("Tell-1", "Tell-2")}, "67.0")

    assert members(content) == {}
    assert members(content, "destructiveChangesPost.xml") == {
        "CustomField": ["Contact.Chart__c"],
        "Flow": ["Tell-1", "Tell-2"],
    }


def test_the_classes_that_are_tests_are_known_by_what_they_say():
    files = {
        f"{MAIN}/classes/Told.cls": b"public class Told {}",
        "force-app/tests/Samples.cls": b"@IsTest\npublic class Samples { public static void make() {} }",
        "force-app/tests/ToldTest.cls": b"@IsTest\nclass ToldTest { @IsTest static void it() {} }",
    }

    assert package_of(project(files)).tests == ("ToldTest",)
