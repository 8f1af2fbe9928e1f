"""The check of the mapping against the org: each field and right broken in turn, named, and what an admin does."""

from importlib import resources

import pytest

from app.operations.health.model import CheckState
from tests.flow.checked import changed, found

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here
KEY, EMAIL, GENDER = "DrChrono_Patient_Id__c", "Email", "DrChrono_Gender__c"


def admin_changes(vendors, field=None, **change):
    path = "/_control/objects/Contact" + (f"/fields/{field}" if field else "")
    answer = vendors.salesforce.patch(path, json=change)
    assert answer.is_success, answer.text


def mapping(findings):
    return [one for one in findings if one.name == "mapping: patient" and one.state is not CheckState.OK]


@pytest.mark.parametrize(
    ("change", "says", "fix"),
    [
        ({"hidden": True}, "Contact is not there for the integration user", "Object Settings"),
        ({"createable": False}, "may not create Contact", "Create"),
        ({"updateable": False}, "may not edit Contact", "Edit"),
    ],
    ids=["hidden", "not-createable", "not-updateable"],
)
async def test_what_the_integration_user_may_not_do_with_the_object_is_told(known, empty_vendors, change, says, fix):
    admin_changes(empty_vendors, **change)

    (one,) = mapping(await found(known))

    assert (one.state, says in one.says, fix in one.fix) == (CheckState.RED, True, True)


@pytest.mark.parametrize(
    ("field", "change", "says", "fix"),
    [
        (KEY, {"hidden": True}, "the external id, is not there", "Field Permissions"),
        (KEY, {"external_id": False}, "is no external id", "tick External ID"),
        (KEY, {"unique": False}, "is not unique", "tick Unique"),
        (KEY, {"length": 18}, "string(18); ids need Text(64)", "make it Text(64)"),
        (KEY, {"createable": False}, "may not be written", "Field Permissions"),
        (EMAIL, {"hidden": True}, "Contact.Email is not there for the integration user", "Field Permissions"),
        (EMAIL, {"updateable": False}, "Contact.Email may not be written", "Field Permissions"),
        (EMAIL, {"createable": False}, "Contact.Email may not be written", "Field Permissions"),
        (EMAIL, {"length": 40}, "takes 40 characters, the mapping lets 80 pass", "max_length = 40"),
        (EMAIL, {"kind": "boolean"}, "Contact.Email is of type boolean, codec email needs", "map another field"),
        ("Birthdate", {"kind": "string", "length": 10}, "is of type string, codec date needs date", "codec"),
        ("MobilePhone", {"kind": "double"}, "is of type double, codec phone needs phone or string", "codec"),
        (GENDER, {"options": ["Male", "Female"]}, "has no picklist value Other, UNK, ASKU", "add it to the picklist"),
    ],
    ids=lambda one: one if isinstance(one, str) and " " not in one else None,
)  # fmt: skip
async def test_a_field_that_does_not_fit_is_told_by_name(known, empty_vendors, field, change, says, fix):
    admin_changes(empty_vendors, field, **change)

    told = mapping(await found(known))

    assert [(one.state, field in one.says) for one in told] == [(CheckState.RED, True)]
    assert (says in told[0].says, fix in told[0].fix) == (True, True)


@pytest.mark.parametrize(
    ("field", "change", "says"),
    [
        (KEY, {"case_sensitive": False}, "is unique without regard to case"),
        (GENDER, {"options": ["Male"], "restricted": False}, "has no picklist value"),
        ("MailingState", {"kind": "picklist", "length": 80, "options": ["NY"]}, "is a restricted picklist"),
    ],
    ids=["case", "unrestricted", "restricted-text"],
)
async def test_what_works_with_a_limit_is_a_warning(known, empty_vendors, field, change, says):
    admin_changes(empty_vendors, field, **change)

    findings = await found(known)

    assert [(one.state, says in one.says) for one in mapping(findings)] == [(CheckState.WARNING, True)]


async def test_a_required_field_nobody_fills_is_told(known, empty_vendors):
    new = {"name": "Referral__c", "kind": "string", "length": 40, "required": True}
    empty_vendors.salesforce.post("/_control/objects/Contact/fields", json=new)

    (one,) = mapping(await found(known))

    assert (one.state, one.says) == (CheckState.RED, "Contact.Referral__c is required, and nothing fills it")
    assert "[patient.constants]" in one.fix


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("Source__c", "Contact.Source__c, which include asks for, is not there for the integration user"),
        ("Account.Source__c", "Contact.Account.Source__c, which include asks for, is not there"),
        ("Nothing.Name", "Contact.Nothing.Name, which include asks for, is not there"),
        ("DrChrono_Doctor__r.Name", ""),
    ],
)
async def test_a_field_that_a_condition_asks_for_and_is_not_there_is_told(known, tmp_path, asked, says):
    shipped = (resources.files("app.sync.mappings") / "default.toml").read_text()
    include = f'[patient]\ninclude = [{{ salesforce = "{asked}", is_not = ["Test"] }}]\n'
    (tmp_path / "ours.toml").write_text(shipped.replace("[patient]\n", include, 1))

    told = mapping(await found(changed(known, mapping_file=tmp_path / "ours.toml")))

    assert [(one.state, says in one.says, "Field Permissions" in one.fix) for one in told] == (
        [(CheckState.RED, True, True)] if says else []
    )


async def test_everything_that_does_not_fit_is_told_at_once(known, empty_vendors):
    admin_changes(empty_vendors, EMAIL, hidden=True)
    admin_changes(empty_vendors, KEY, unique=False)
    admin_changes(empty_vendors, createable=False)

    assert len(mapping(await found(known))) == 3
