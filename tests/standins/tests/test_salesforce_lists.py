"""What an admin turns on: State and Country/Territory Picklists, Person Accounts; and the calendar Salesforce has."""

import base64

import pytest

pytestmark = pytest.mark.usefixtures("session")
CONTACTS = "/services/data/v67.0/sobjects/Contact"
ACCOUNTS = "/services/data/v67.0/sobjects/Account"


@pytest.fixture
def lists(session):
    """An org with State and Country/Territory Picklists."""
    session.post("/_control/state-picklists").raise_for_status()
    return session


@pytest.fixture
def types(session):
    """The record types of an org with Person Accounts."""
    return session.post("/_control/person-accounts").raise_for_status().json()


def fields(org, of=CONTACTS):
    return {field["name"]: field for field in org.get(f"{of}/describe").json()["fields"]}


def created(org, **values):
    answered = org.post(CONTACTS, json={"LastName": "Test", **values})
    if answered.status_code != 201:
        (error,) = answered.json()
        return error["errorCode"], error["fields"], error["message"]
    found = org.get(f"{CONTACTS}/{answered.json()['id']}").json()
    return tuple(found[f"Mailing{one}"] for one in ("State", "StateCode", "Country", "CountryCode"))


def test_a_state_is_described_with_the_countries_it_goes_with(lists):
    state, country = (fields(lists)[f"Mailing{one}Code"] for one in ("State", "Country"))

    codes = [one["value"] for one in country["picklistValues"]]
    (washington,) = [one for one in state["picklistValues"] if one["label"] == "Washington"]
    bits = base64.b64decode(washington["validFor"])
    valid = [code for at, code in enumerate(codes) if at // 8 < len(bits) and bits[at // 8] & (0x80 >> at % 8)]
    assert (state["controllerName"], state["dependentPicklist"]) == ("MailingCountryCode", True)
    assert (washington["value"], valid) == ("WA", ["US"])
    assert {one["label"] for one in state["picklistValues"] if one["value"] == "WA"} == {
        "Washington",
        "Western Australia",
    }


@pytest.mark.parametrize(
    "given",
    [
        {"MailingState": "New York", "MailingCountry": "United States"},
        {"MailingStateCode": "NY", "MailingCountryCode": "US"},
        {"MailingState": "new york", "MailingCountryCode": "US"},
    ],
)
def test_text_and_code_follow_each_other(lists, given):
    assert created(lists, **given) == ("New York", "NY", "United States", "US")


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"MailingState": "NY", "MailingCountry": "United States"}, "MailingState", "problem with this state"),
        ({"MailingState": "Puerto Rico", "MailingCountryCode": "US"}, "MailingState", "problem with this state"),
        ({"MailingStateCode": "NY", "MailingCountryCode": "CA"}, "MailingStateCode", "doesn't recognize the state"),
        ({"MailingState": "New York"}, "MailingState", "A country/territory must be specified before"),
        ({"MailingCountry": "Atlantis"}, "MailingCountry", "problem with this country"),
    ],
)
def test_what_is_in_no_list_is_refused(lists, given, field, says):
    code, blamed, message = created(lists, **given)

    assert (code, blamed, says in message) == ("FIELD_INTEGRITY_EXCEPTION", [field], True)


@pytest.mark.parametrize("name", ["MailingState", "MailingStateCode"])
def test_an_emptied_state_is_empty_in_both_forms(lists, name):
    given = {"LastName": "Test", "MailingStateCode": "NY", "MailingCountryCode": "US"}
    made = lists.post(CONTACTS, json=given).json()["id"]

    lists.patch(f"{CONTACTS}/{made}", json={name: None}).raise_for_status()

    found = lists.get(f"{CONTACTS}/{made}").json()
    assert (found["MailingState"], found["MailingStateCode"], found["MailingCountryCode"]) == (None, None, "US")


def test_an_org_without_lists_takes_any_state(session):
    assert "MailingStateCode" not in fields(session)
    assert session.post(CONTACTS, json={"LastName": "Test", "MailingState": "NY"}).status_code == 201


def account(org, **values):
    answered = org.post(ACCOUNTS, json=values)
    if answered.status_code != 201:
        (error,) = answered.json()
        return error["errorCode"], error["fields"]
    found = org.get(f"{ACCOUNTS}/{answered.json()['id']}").json()
    return found["Name"], found["IsPersonAccount"]


def test_an_account_is_a_person_by_its_record_type(session, types):
    person, company = {"RecordTypeId": types["Patient"]}, {"RecordTypeId": types["Company"]}

    assert account(session, FirstName="Ada", LastName="Test", PersonEmail="ada@example.com", **person) == (
        "Ada Test",
        True,
    )
    assert account(session, Name="Acme", **company) == account(session, Name="Acme") == ("Acme", False)
    assert account(session, Name="Ada", LastName="Test", **person) == ("INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"])
    assert account(session, FirstName="Ada", **person) == ("REQUIRED_FIELD_MISSING", ["LastName"])
    assert account(session, **company) == ("REQUIRED_FIELD_MISSING", ["Name"])
    assert account(session, Name="Acme", PersonEmail="a@example.com") == (
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        ["PersonEmail"],
    )


def test_what_is_made_without_a_record_type_has_the_integration_users_and_a_person_has_a_contact(session):
    types = session.post("/_control/person-accounts?default=Patient").raise_for_status().json()
    made = session.post(ACCOUNTS, json={"FirstName": "Ada", "LastName": "Test"}).raise_for_status().json()["id"]
    asked = f"SELECT PersonContactId, RecordTypeId, RecordType.DeveloperName FROM Account WHERE Id = '{made}'"
    (found,) = session.get("/services/data/v67.0/query", params={"q": asked}).json()["records"]

    assert (found["RecordTypeId"], found["RecordType"]["DeveloperName"]) == (types["Patient"], "Patient")
    assert found["PersonContactId"].startswith("003")
    assert account(session, LastName="Test", PersonContactId="003SYN000000009YBA") == (
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        ["PersonContactId"],
    )


def test_record_types_are_described_and_found(session, types):
    described = session.get(f"{ACCOUNTS}/describe").json()["recordTypeInfos"]
    asked = {"q": "SELECT Id FROM RecordType WHERE SobjectType = 'Account' AND IsPersonType = true"}
    found = session.get("/services/data/v67.0/query", params=asked).json()["records"]

    assert [(one["name"], one["defaultRecordTypeMapping"]) for one in described] == [
        ("Company", True),
        ("Patient", False),
    ]
    assert [one["Id"] for one in found] == [types["Patient"]]
    assert fields(session, ACCOUNTS)["Name"]["nillable"] is False


@pytest.mark.parametrize("day", ["1699-12-31", "4001-01-01", "0202-03-04"])
def test_a_date_of_another_calendar_is_refused(session, day):
    answered = session.post(CONTACTS, json={"LastName": "Test", "Birthdate": day})

    assert [(one["errorCode"], one["fields"]) for one in answered.json()] == [
        ("FIELD_INTEGRITY_EXCEPTION", ["Birthdate"])
    ]


def test_the_org_says_where_it_is(session):
    asked = {"q": "SELECT Id, TimeZoneSidKey FROM Organization LIMIT 1"}

    (found,) = session.get("/services/data/v67.0/query", params=asked).json()["records"]

    assert (found["Id"], found["TimeZoneSidKey"]) == ("00DSYN0000000012BA", "America/New_York")
