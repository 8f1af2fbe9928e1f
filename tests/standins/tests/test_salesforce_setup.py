"""The Salesforce stand-in: what an admin changes in Setup is what describe, queries and writes then go by."""

import pytest

from tests.standins.tests.known import LOGIN

DATA = "/services/data/v67.0"
KEY = "DrChrono_Patient_Id__c"


@pytest.fixture
def org(session):
    return session


def changed(org, path, **properties):
    answer = org.patch(f"/_control/objects/{path}", json=properties)
    assert answer.status_code == 200, answer.text
    return answer.json()


def described(org, kind="Contact"):
    return {field["name"]: field for field in org.get(f"{DATA}/sobjects/{kind}/describe").json()["fields"]}


def created(org, kind="Contact", **fields):
    return org.post(f"{DATA}/sobjects/{kind}", json={"LastName": "Sample", **fields})


def updated(org, **fields):
    made = created(org).json()["id"]
    return org.patch(f"{DATA}/sobjects/Contact/{made}", json=fields)


def upserted(org, *records):
    body = {"records": [{"attributes": {"type": "Contact"}, "LastName": "Sample", **record} for record in records]}
    return org.patch(f"{DATA}/composite/sobjects/Contact/{KEY}", json=body)


def queried(org, text):
    return org.get(f"{DATA}/query", params={"q": text})


def refusal(answer):
    """Gives status and code of a refused call, or of the first record of a collections call."""
    body = answer.json()[0]
    return answer.status_code, body.get("errorCode") or body["errors"][0]["statusCode"]


# --- field-level security


def test_a_hidden_field_is_absent_from_describe_and_reads(org):
    made = created(org, Email="a@example.com").json()["id"]

    changed(org, "Contact/fields/Email", hidden=True)

    assert "Email" not in described(org)
    assert "Email" not in org.get(f"{DATA}/sobjects/Contact/{made}").json()
    assert refusal(org.get(f"{DATA}/sobjects/Contact/{made}", params={"fields": "Email"})) == (400, "INVALID_FIELD")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT Email FROM Contact",
        "SELECT Id FROM Contact WHERE email = 'a@example.com'",
        "SELECT Id FROM Contact ORDER BY Email",
    ],
)
def test_a_query_that_names_a_hidden_field_is_refused(org, text):
    changed(org, "Contact/fields/Email", hidden=True)

    assert refusal(queried(org, text)) == (400, "INVALID_FIELD")


def test_a_write_that_names_a_hidden_field_is_refused(org):
    changed(org, "Contact/fields/Email", hidden=True)

    assert refusal(created(org, Email="a@example.com")) == (400, "INVALID_FIELD")
    assert refusal(updated(org, email="a@example.com")) == (400, "INVALID_FIELD")
    assert refusal(upserted(org, {KEY: "1", "Email": "a@example.com"}, {KEY: "2"})) == (200, "INVALID_FIELD")


def test_a_hidden_key_is_no_key(org):
    changed(org, f"Contact/fields/{KEY}", hidden=True)

    assert refusal(upserted(org, {KEY: "1"})) == (400, "INVALID_FIELD")
    assert org.patch(f"{DATA}/sobjects/Contact/{KEY}/1", json={"LastName": "S"}).status_code == 404


def test_a_hidden_lookup_hides_the_way_through_it(org):
    changed(org, "Contact/fields/DrChrono_Doctor__c", hidden=True)

    assert refusal(queried(org, "SELECT DrChrono_Doctor__r.Name FROM Contact")) == (400, "INVALID_FIELD")


def test_people_still_fill_in_what_is_hidden_from_the_integration_user(org):
    changed(org, "Contact/fields/Email", hidden=True)
    changed(org, "Contact/fields/FirstName", updateable=False, createable=False)

    made = org.post("/_control/records/Contact", json={"LastName": "S", "Email": "a@example.com", "FirstName": "Ann"})

    assert (made.status_code, made.json()["Email"], made.json()["Name"]) == (201, "a@example.com", "Ann S")


def test_a_field_that_is_shown_again_holds_what_it_held(org):
    made = created(org, **{KEY: "1", "Email": "a@example.com"}).json()["id"]
    for hidden in (True, False):
        changed(org, f"Contact/fields/{KEY}", hidden=hidden)
        changed(org, "Contact/fields/Email", hidden=hidden)

    answer = queried(org, f"SELECT Email FROM Contact WHERE {KEY} = '1'").json()

    assert [record["Email"] for record in answer["records"]] == ["a@example.com"]
    assert refusal(created(org, **{KEY: "1"})) == (400, "DUPLICATE_VALUE")
    assert upserted(org, {KEY: "1"}).json()[0]["id"] == made


@pytest.mark.parametrize("field", ["Email", "DrChrono_Doctor__c"])
def test_a_field_may_be_for_creating_or_for_updating_only(org, field):
    refused, value = (400, "INVALID_FIELD_FOR_INSERT_UPDATE"), {field: None}

    changed(org, f"Contact/fields/{field}", updateable=False)
    assert (described(org)[field]["createable"], described(org)[field]["updateable"]) == (True, False)
    assert (created(org, **value).status_code, refusal(updated(org, **value))) == (201, refused)

    changed(org, f"Contact/fields/{field}", updateable=True, createable=False)
    assert (updated(org, **value).status_code, refusal(created(org, **value))) == (204, refused)


# --- what a field is


def test_a_field_is_described_as_it_was_changed(org):
    change = {"kind": "picklist", "options": ["A", "B"], "restricted": False, "required": True, "length": 20}

    answered = changed(org, "Contact/fields/MailingCity", **change)

    field = described(org)["MailingCity"]
    assert {**field, "hidden": False} == answered
    assert (field["type"], field["length"], field["restrictedPicklist"]) == ("picklist", 20, False)
    assert [(option["value"], option["active"]) for option in field["picklistValues"]] == [("A", True), ("B", True)]
    assert (field["nillable"], field["defaultedOnCreate"], field["permissionable"]) == (False, False, False)


def test_a_shorter_field_refuses_what_it_took_before(org):
    changed(org, "Contact/fields/MailingCity", length=3)

    assert refusal(created(org, MailingCity="Test")) == (400, "STRING_TOO_LONG")


@pytest.mark.parametrize(("restricted", "status"), [(True, 400), (False, 201)])
def test_only_a_restricted_picklist_refuses_an_unknown_value(org, restricted, status):
    changed(org, "Contact/fields/DrChrono_Gender__c", options=["Female"], restricted=restricted)

    assert created(org, DrChrono_Gender__c="Male").status_code == status
    assert created(org, DrChrono_Gender__c="Female").status_code == 201


def test_a_required_field_must_be_given_unless_the_org_fills_it_in(org):
    changed(org, "Contact/fields/MailingCity", required=True)
    assert refusal(created(org)) == (400, "REQUIRED_FIELD_MISSING")

    field = changed(org, "Contact/fields/MailingCity", defaulted=True)

    assert (field["nillable"], field["defaultedOnCreate"]) == (False, True)
    assert created(org).status_code == 201
    assert refusal(created(org, MailingCity=None)) == (400, "REQUIRED_FIELD_MISSING")


def test_a_key_that_is_no_longer_unique_or_external_is_treated_so(org):
    changed(org, f"Contact/fields/{KEY}", unique=False)
    assert [created(org, **{KEY: "1"}).status_code for _ in range(2)] == [201, 201]
    assert refusal(upserted(org, {KEY: "1"})) == (200, "DUPLICATE_EXTERNAL_ID")

    changed(org, f"Contact/fields/{KEY}", external_id=False)

    assert (described(org)[KEY]["externalId"], described(org)[KEY]["unique"]) == (False, False)
    assert refusal(upserted(org, {KEY: "1"})) == (400, "INVALID_FIELD")


def test_a_key_that_ignores_case_takes_two_spellings_for_one(org):
    created(org, **{KEY: "ab1"})
    changed(org, f"Contact/fields/{KEY}", case_sensitive=False)

    assert described(org)[KEY]["caseSensitive"] is False
    assert refusal(created(org, **{KEY: "AB1"})) == (400, "DUPLICATE_VALUE")
    assert upserted(org, {KEY: "AB1"}).json()[0]["created"] is False
    assert refusal(upserted(org, {KEY: "x"}, {KEY: "X"})) == (200, "DUPLICATE_VALUE")


# --- new fields


def test_a_new_custom_field_is_there_for_old_and_new_records(org):
    created(org)

    answer = org.post("/_control/objects/Contact/fields", json={"name": "Insurance_No__c", "length": 20})

    assert (answer.status_code, answer.json()["type"]) == (201, "string")
    assert described(org)["Insurance_No__c"]["custom"] is True
    created(org, Insurance_No__c="X1")
    found = queried(org, "SELECT Insurance_No__c FROM Contact ORDER BY Insurance_No__c NULLS FIRST").json()
    assert [record["Insurance_No__c"] for record in found["records"]] == [None, "X1"]


def test_a_new_required_field_refuses_records_without_it(org):
    new = {"name": "Insurance_No__c", "kind": "string", "length": 20, "required": True}
    org.post("/_control/objects/Contact/fields", json=new)

    answer = created(org)

    assert refusal(answer) == (400, "REQUIRED_FIELD_MISSING")
    assert answer.json()[0]["fields"] == ["Insurance_No__c"]
    assert created(org, Insurance_No__c="X1").status_code == 201


# --- objects


def test_a_hidden_object_is_nowhere(org):
    changed(org, "DrChrono_Doctor__c", hidden=True)

    base = f"{DATA}/sobjects"
    assert refusal(org.get(f"{base}/DrChrono_Doctor__c/describe")) == (404, "NOT_FOUND")
    assert refusal(org.get(f"{base}/DrChrono_Doctor__c/001")) == (404, "NOT_FOUND")
    assert refusal(org.post(f"{base}/DrChrono_Doctor__c", json={"Name": "x"})) == (404, "NOT_FOUND")
    assert refusal(queried(org, "SELECT Id FROM DrChrono_Doctor__c")) == (400, "INVALID_TYPE")
    assert refusal(queried(org, "SELECT DrChrono_Doctor__r.Name FROM Contact")) == (400, "INVALID_FIELD")
    assert "DrChrono_Doctor__c" not in {kind["name"] for kind in org.get(base).json()["sobjects"]}
    assert org.post("/_control/records/DrChrono_Doctor__c", json={"Name": "x"}).status_code == 201


def test_an_object_may_be_closed_to_creating_or_to_updating(org):
    changed(org, "Contact", createable=False, updateable=False)

    shown = org.get(f"{DATA}/sobjects/Contact/describe").json()
    person = org.post("/_control/records/Contact", json={"LastName": "Sample", KEY: "1"}).json()["Id"]
    change = org.patch(f"{DATA}/sobjects/Contact/{person}", json={"LastName": "B"})

    assert (shown["createable"], shown["updateable"]) == (False, False)
    assert refusal(created(org)) == (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")
    assert refusal(upserted(org, {KEY: "2"})) == (200, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")
    assert refusal(change) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
    assert refusal(upserted(org, {KEY: "1"})) == (200, "INSUFFICIENT_ACCESS_OR_READONLY")


def test_a_reset_undoes_every_change(org):
    before = described(org)
    changed(org, "Contact", hidden=True)
    changed(org, "Contact/fields/Email", hidden=True)
    org.post("/_control/objects/Contact/fields", json={"name": "New__c"})

    org.post("/_control/reset")

    token = org.post("/services/oauth2/token", data=LOGIN).json()["access_token"]
    org.headers["Authorization"] = f"Bearer {token}"
    assert described(org) == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", "Nope", {"hidden": True}, 404),
        ("PATCH", "Contact", {"invisible": True}, 400),
        ("PATCH", "Contact/fields/Nope__c", {"hidden": True}, 404),
        ("PATCH", "Contact/fields/Id", {"hidden": True}, 404),
        ("PATCH", "Contact/fields/Email", {"length": "20"}, 400),
        ("PATCH", "Contact/fields/Email", {"kind": "reference"}, 400),
        ("POST", "Contact/fields", {"name": "Insurance"}, 400),
        ("POST", "Contact/fields", {"name": KEY}, 400),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(org, method, path, body, status):
    assert org.request(method, f"/_control/objects/{path}", json=body).status_code == status
