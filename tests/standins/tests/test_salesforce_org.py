"""The Salesforce stand-in: how fields describe themselves, which API versions there are, and logins that fail."""

import pytest

from tests.standins.salesforce.ids import canonical
from tests.standins.salesforce.org import ORG_ID
from tests.standins.tests.known import LOGIN


@pytest.fixture
def org(session):
    return session


def logged_in(org):
    return org.post("/services/oauth2/token", data=LOGIN)


def turned(org, **settings):
    return org.put("/_control/settings", json=settings).json()


def fields(org, kind):
    return {
        field["name"]: field for field in org.get(f"/services/data/v67.0/sobjects/{kind}/describe").json()["fields"]
    }


# --- describe


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("Contact", "Id", {"defaultedOnCreate": True, "nillable": False, "permissionable": False}),
        ("Contact", "CreatedDate", {"defaultedOnCreate": True, "nillable": False, "createable": False}),
        ("Contact", "LastName", {"defaultedOnCreate": False, "nillable": False, "permissionable": False}),
        ("Contact", "Email", {"defaultedOnCreate": False, "nillable": True, "permissionable": True}),
        ("Contact", "Sync_To_DrChrono__c", {"defaultedOnCreate": True, "nillable": False, "permissionable": True}),
        ("Contact", "DrChrono_Patient_Id__c", {"unique": True, "caseSensitive": True, "permissionable": True}),
        ("DrChrono_Appointment__c", "Name", {"autoNumber": True, "defaultedOnCreate": True, "createable": False}),
        ("DrChrono_Doctor__c", "Name", {"autoNumber": False, "createable": True}),
        ("DrChrono_Appointment__c", "Duration_Minutes__c", {"type": "double", "precision": 18, "scale": 0}),
    ],
)
def test_a_field_says_of_itself_what_a_real_one_would(org, kind, name, says):
    assert fields(org, kind)[name].items() >= says.items()


def test_no_field_is_calculated_and_every_option_is_active(org):
    described = fields(org, "Contact")

    assert {field["calculated"] for field in described.values()} == {False}
    assert {option["active"] for option in described["DrChrono_Gender__c"]["picklistValues"]} == {True}


# --- versions


def test_only_the_versions_offered_are_listed_and_answered(org):
    turned(org, versions=["65.0", "66.0"])

    listed = org.get("/services/data").json()
    answers = {number: org.get(f"/services/data/v{number}/limits") for number in ("65.0", "66.0", "67.0", "59.0")}

    assert [(entry["version"], entry["label"]) for entry in listed] == [("65.0", "Winter '26"), ("66.0", "Spring '26")]
    assert [answer.status_code for answer in answers.values()] == [200, 200, 404, 404]
    assert answers["67.0"].json()[0]["errorCode"] == "NOT_FOUND"


def test_a_call_under_a_version_that_is_not_offered_costs_nothing(org):
    turned(org, versions=["66.0"])

    org.get("/services/data/v67.0/limits")

    assert org.get("/services/data/v66.0/limits").headers["Sforce-Limit-Info"].startswith("api-usage=1/")


def test_without_the_setting_the_newest_are_listed_and_any_is_answered(org):
    listed = [(entry["version"], entry["label"]) for entry in org.get("/services/data").json()]

    assert listed == [("66.0", "Spring '26"), ("67.0", "Summer '26"), ("68.0", "Winter '27")]
    assert org.get("/services/data/v59.0/limits").status_code == 200


# --- logins


@pytest.mark.parametrize(
    "error", ["invalid_client_id", "invalid_client", "inactive_user", "invalid_grant", "invalid_app_access"]
)
def test_every_login_may_be_refused_for_a_reason(org, error):
    turned(org, login_error=error)

    answer = logged_in(org)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json()["error_description"]
    assert org.get("/_control/sessions").json() == {"logins": 1, "live": 1}
    turned(org, login_error="")
    assert logged_in(org).status_code == 200


def test_a_login_may_lead_into_another_org(org):
    turned(org, foreign_org=True)

    identity = logged_in(org).json()["id"]

    org_id = identity.split("/")[-2]
    assert org_id.startswith("00DOTHER")
    assert canonical(org_id) == org_id != ORG_ID
    assert org.get(identity).json()["organization_id"] == org_id


# --- its own code


def test_a_trigger_rewrites_what_anybody_writes(org):
    turned(org, rewrites={"Contact.LastName": "upper"})
    made = org.post("/services/data/v67.0/sobjects/Contact", json={"LastName": "Fixture", "FirstName": "Ada"}).json()
    held = org.get(f"/services/data/v67.0/sobjects/Contact/{made['id']}").json()

    by_hand = org.patch(f"/_control/records/Contact/{made['id']}", json={"LastName": "Sample"}).json()

    assert (held["LastName"], held["FirstName"], by_hand["LastName"]) == ("FIXTURE", "Ada", "SAMPLE")
