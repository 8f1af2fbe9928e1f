"""The Salesforce stand-in, driven by simple-salesforce and by plain requests over TLS, held against the samples."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id, format_soql

from tests.standins.salesforce.app import create_app
from tests.standins.salesforce.conditions import candidates
from tests.standins.salesforce.ids import canonical, full
from tests.standins.salesforce.oauth import JWT_BEARER
from tests.standins.salesforce.org import HUMAN, INTEGRATION_USER, ORG_ID, Credentials
from tests.standins.salesforce.soql import parse
from tests.standins.salesforce.tls import throwaway
from tests.standins.serve import running

SAMPLES = Path(__file__).parents[2] / "samples" / "salesforce"
KEY = "DrChrono_Patient_Id__c"
ID, SECRET, USER = "client", "s3cret/+", "sync@clinic.test"


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())


def error(name):
    return sample("errors")[name]


def shape(value):
    """The value with every scalar replaced by the name of its type."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__


def contact(key=None, **fields):
    keyed = {} if key is None else {KEY: key}
    return {"attributes": {"type": "Contact"}, "LastName": "Sample", **keyed, **fields}


class Clock:
    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        return datetime.now(UTC) + self.ahead

    def move(self, **by):
        self.ahead += timedelta(**by)


class Org:
    """One served org: `sf` is simple-salesforce, `ask` a bare REST call, `control` the tests' door."""

    def __init__(self, base, session, app, clock):
        self.base, self.session, self.app, self.clock = base, session, app, clock

    def log_in(self, **more):
        form = {"grant_type": "client_credentials", "client_id": ID, "client_secret": SECRET}
        return self.session.post(f"{self.base}/services/oauth2/token", data=form, **more)

    def connect(self):
        self.token = self.log_in().json()["access_token"]
        host = self.base.removeprefix("https://")
        self.sf = Salesforce(instance=host, session_id=self.token, session=self.session, version="67.0")
        return self

    def ask(self, method, path, **more):
        more.setdefault("headers", {}).setdefault("Authorization", f"Bearer {self.token}")
        return self.session.request(method, f"{self.base}/services/data/v67.0/{path}", **more)

    def control(self, method, path, body=None):
        answer = self.session.request(method, f"{self.base}/_control/{path}", json=body)
        return answer.json() if answer.content else answer.status_code

    def set(self, **settings):
        return self.control("PUT", "settings", settings)

    def person_creates(self, kind="Contact", **fields):
        return self.control("POST", f"records/{kind}", fields)

    def upsert_many(self, *records, kind="Contact", key=KEY, all_or_none=False, **more):
        body = {"allOrNone": all_or_none, "records": list(records)}
        return self.ask("PATCH", f"composite/sobjects/{kind}/{key}", json=body, **more)

    def rows(self, kind="Contact"):
        return self.control("GET", f"records/{kind}")["records"]

    def names(self, where):
        found = self.sf.query(f"SELECT LastName FROM Contact WHERE {where} ORDER BY LastName")
        return "".join(row["LastName"] for row in found["records"])


@pytest.fixture(scope="module")
def private_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def served(tmp_path_factory, private_key):
    pem = private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    credentials = Credentials(client_id=ID, client_secret=SECRET, username=USER, public_key=pem.decode())
    clock, ca_file = Clock(), tmp_path_factory.mktemp("tls") / "ca.pem"
    app = create_app(credentials=credentials, now=clock)
    with (
        throwaway(ca_file) as files,
        running(app, ssl_certfile=files.certificate, ssl_keyfile=files.key) as base,
        requests.Session() as session,
    ):
        session.verify, session.trust_env = str(ca_file), False
        yield Org(base, session, app, clock)
        session.close()
        # urllib3 closes a pool's sockets when the pool is collected, and the caught errors' tracebacks still hold it.
        gc.collect()


@pytest.fixture
def org(served):
    served.control("POST", "reset")
    return served.connect()


class TestLogin:
    def test_client_credentials_by_form_answer_as_the_sample_does(self, org):
        answer = org.log_in()

        assert answer.status_code == 200
        assert shape(answer.json()) == shape(sample("token_client_credentials_200"))
        assert answer.json()["instance_url"] == org.base
        assert answer.json()["id"].endswith(f"/id/{ORG_ID}/{INTEGRATION_USER}")

    def test_client_credentials_by_basic_header_open_a_session(self, org):
        answer = org.session.post(
            f"{org.base}/services/oauth2/token", data={"grant_type": "client_credentials"}, auth=(ID, SECRET)
        )

        assert answer.status_code == 200

    @pytest.mark.parametrize(
        ("form", "code"),
        [
            ({"grant_type": "client_credentials", "client_id": ID, "client_secret": "no"}, "oauth 400 invalid_client"),
            ({"grant_type": "password"}, "oauth 400 unsupported_grant_type"),
        ],
        ids=["wrong secret", "unknown grant"],
    )
    def test_a_refused_login_speaks_oauth(self, org, form, code):
        answer = org.session.post(f"{org.base}/services/oauth2/token", data=form)

        assert (answer.status_code, answer.json()) == (400, error(code))

    def claims(self, org, **other):
        expires_at = int(org.clock().timestamp()) + 180
        return {"iss": ID, "sub": USER, "aud": "https://login.salesforce.com", "exp": expires_at, **other}

    def with_assertion(self, org, claims, key):
        form = {"grant_type": JWT_BEARER, "assertion": jwt.encode(claims, key, algorithm="RS256")}
        return org.session.post(f"{org.base}/services/oauth2/token", data=form)

    def test_an_assertion_of_the_configured_key_opens_a_session(self, org, private_key):
        answer = self.with_assertion(org, self.claims(org), private_key)

        assert shape(answer.json()) == shape(sample("token_jwt_bearer_200"))

    @pytest.mark.parametrize(
        ("other", "code"),
        [
            ({"iss": "someone"}, "invalid_client_id"),
            ({"aud": "https://example.test"}, "invalid_grant"),
            ({"exp": 1}, "invalid_grant"),
            ({"exp": "99999999999"}, "invalid_grant"),
        ],
        ids=["issuer", "audience", "expired", "too long"],
    )
    def test_a_wrong_claim_is_refused(self, org, private_key, other, code):
        answer = self.with_assertion(org, self.claims(org, **other), private_key)

        assert (answer.status_code, answer.json()["error"]) == (400, code)

    def test_an_unknown_user_has_not_approved_the_app(self, org, private_key):
        answer = self.with_assertion(org, self.claims(org, sub="other@clinic.test"), private_key)

        assert answer.json() == error("oauth 400 invalid_grant")

    def test_an_assertion_of_another_key_is_refused(self, org):
        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)

        assert self.with_assertion(org, self.claims(org), stranger).status_code == 400

    def test_userinfo_names_the_integration_user(self, org):
        answer = org.session.get(
            f"{org.base}/services/oauth2/userinfo", headers={"Authorization": f"Bearer {org.token}"}
        )

        assert answer.json()["user_id"] == INTEGRATION_USER


class TestSession:
    def test_a_session_dies_of_two_idle_hours(self, org):
        org.clock.move(hours=2, seconds=1)

        with pytest.raises(SalesforceExpiredSession) as raised:
            org.sf.limits()

        assert raised.value.content == error("401 INVALID_SESSION_ID")

    def test_being_used_keeps_a_session_alive(self, org):
        for _ in range(3):
            org.clock.move(hours=1, minutes=30)
            assert org.ask("GET", "limits").status_code == 200

    def test_all_sessions_can_be_made_to_die_at_once(self, org):
        org.control("POST", "sessions/expire")

        assert org.ask("GET", "limits").status_code == 401
        assert org.control("GET", "sessions") == {"logins": 1, "live": 0}

    def test_the_allowance_is_counted_in_a_header_and_ends(self, org):
        org.set(daily_calls=2)

        assert [org.ask("GET", "limits").headers["Sforce-Limit-Info"] for _ in range(2)] == [
            "api-usage=1/2",
            "api-usage=2/2",
        ]
        with pytest.raises(SalesforceRefusedRequest) as raised:
            org.sf.query("SELECT Id FROM Contact")
        assert raised.value.content == error("403 REQUEST_LIMIT_EXCEEDED")

    def test_the_client_reads_the_usage_header(self, org):
        org.sf.query("SELECT Id FROM Contact")

        assert org.sf.api_usage["api-usage"].total == 115_000


class TestDiscovery:
    def test_describe_agrees_with_the_sample_where_the_sample_speaks(self, org):
        described, wanted = org.sf.Contact.describe(), sample("describe_contact_excerpt")
        fields = {field["name"]: field for field in described["fields"]}

        assert {name: described[name] for name in wanted if name != "fields"} == {
            name: value for name, value in wanted.items() if name != "fields"
        }
        for field in wanted["fields"]:
            assert {name: fields[field["name"]][name] for name in field} == field

    def test_the_global_describe_lists_the_objects(self, org):
        names = {entry["name"] for entry in org.sf.describe()["sobjects"]}

        assert {"Contact", "DrChrono_Appointment__c", "DrChrono_Doctor__c", "DrChrono_Office__c"} <= names

    def test_limits_have_the_shape_of_the_sample(self, org):
        said = org.sf.limits()
        assert said.pop("ContentPublicationLimit") == {"Max": 200_000, "Remaining": 200_000}
        assert shape(said) == shape(sample("limits_200"))

    def test_the_resource_map_leads_to_the_identity(self, org):
        identity = org.ask("GET", "").json()["identity"]

        answer = org.session.get(identity, headers={"Authorization": f"Bearer {org.token}"})

        assert answer.json()["organization_id"] == ORG_ID

    def test_versions_need_no_session(self, org):
        assert "67.0" in [entry["version"] for entry in org.session.get(f"{org.base}/services/data").json()]

    def test_any_version_is_accepted_and_answered_in_kind(self, org):
        org.person_creates(LastName="Sample")
        old = Salesforce(
            instance=org.base.removeprefix("https://"), session_id=org.token, session=org.session, version="59.0"
        )

        row = old.query("SELECT Id FROM Contact")["records"][0]

        assert row["attributes"]["url"] == f"/services/data/v59.0/sobjects/Contact/{row['Id']}"

    def test_an_unknown_address_is_not_found(self, org):
        answer = org.ask("GET", "nothing")

        assert (answer.status_code, answer.json()) == (404, error("404 NOT_FOUND"))

    def test_an_address_longer_than_16384_characters_is_refused(self, org):
        answer = org.ask("GET", "query", params={"q": "x" * 16_384})

        assert answer.status_code == 414
        assert answer.headers["content-type"].startswith("text/html")


class TestQuery:
    def test_pages_have_the_shape_of_the_samples(self, org):
        for key in ("900001", None, "900003"):
            org.person_creates(LastName="Sample", **({KEY: key} if key else {}))
        org.set(page_rows=2)

        text = f"SELECT Id, {KEY}, LastName, IsDeleted, SystemModstamp, LastModifiedById FROM Contact ORDER BY Id"
        first = org.sf.query(text)
        second = org.sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)

        assert shape(first) == shape(sample("query_page_1"))
        assert shape(second) == shape(sample("query_page_2"))

    def test_query_all_walks_every_page(self, org):
        for start in (0, 200, 400):
            org.upsert_many(*(contact(f"{start + n}") for n in range(200)))
        org.set(page_rows=250)

        found = org.sf.query_all(f"SELECT {KEY} FROM Contact")

        assert found["totalSize"] == 600
        assert len({row[KEY] for row in found["records"]}) == 600

    def test_the_batch_size_header_is_kept_within_200_and_2000(self, org):
        for start in (0, 200):
            org.upsert_many(*(contact(f"{start + n}") for n in range(200)))

        sizes = [
            len(
                org.ask(
                    "GET",
                    "query",
                    params={"q": "SELECT Id FROM Contact"},
                    headers={"Sforce-Query-Options": f"batchSize={wanted}"},
                ).json()["records"]
            )
            for wanted in (10, 300, 9999)
        ]

        assert sizes == [200, 300, 400]

    def test_relationships_nest_and_are_null_without_a_parent(self, org):
        org.person_creates("DrChrono_Doctor__c", Name="Dr. Sample", DrChrono_Id__c="310001")
        org.upsert_many(contact("1", DrChrono_Doctor__r={"DrChrono_Id__c": "310001"}), contact("2"))
        text = f"SELECT {KEY}, DrChrono_Doctor__r.DrChrono_Id__c, DrChrono_Doctor__r.Name FROM Contact ORDER BY Id"

        rows = org.sf.query(text)["records"]

        assert rows[0]["DrChrono_Doctor__r"]["DrChrono_Id__c"] == "310001"
        assert rows[0]["DrChrono_Doctor__r"]["attributes"]["type"] == "DrChrono_Doctor__c"
        assert rows[1]["DrChrono_Doctor__r"] is None

    def test_count_answers_without_rows(self, org):
        org.upsert_many(contact("1"), contact("2"))

        assert org.sf.query("SELECT COUNT() FROM Contact") == {"totalSize": 2, "done": True, "records": []}
        assert org.sf.query("SELECT COUNT(FirstName) FROM Contact")["records"][0]["expr0"] == 0

    @pytest.fixture
    def people(self, org):
        org.upsert_many(
            contact("1", LastName="A", FirstName="Ann", Email="ann@example.test", Birthdate="1980-01-02"),
            contact("Ab2", LastName="B", FirstName="O'Hara", MailingCity="100% Town"),
            contact("ab2", LastName="C", FirstName="ann", Sync_To_DrChrono__c=True, MailingCity="100 Towns"),
            contact(None, LastName="D", DrChrono_Chart_Id__c="X1", **{KEY: "9"}),
        )
        return org

    @pytest.mark.parametrize(
        ("where", "names"),
        [
            ("FirstName = 'ANN'", "AC"),
            ("FirstName != 'ann'", "BD"),
            ("FirstName = null", "D"),
            ("FirstName = ''", "D"),
            ("FirstName <> null", "ABC"),
            (f"{KEY} = 'ab2'", "C"),
            (f"{KEY} IN ('AB2', 'Ab2', '9')", "BD"),
            (f"{KEY} NOT IN ('ab2', '9')", "AB"),
            ("DrChrono_Chart_Id__c IN ('x1')", "D"),
            ("FirstName NOT IN ('ann')", "BD"),
            ("FirstName LIKE 'a%'", "AC"),
            ("FirstName LIKE '_nn'", "AC"),
            ("MailingCity LIKE '100\\% %'", "B"),
            ("(NOT FirstName LIKE 'a%')", "BD"),
            ("FirstName = 'O\\'Hara'", "B"),
            ("Birthdate = 1980-01-02", "A"),
            ("Birthdate < 1990-01-01", "A"),
            ("Birthdate = null", "BCD"),
            ("Birthdate IN (1980-01-02, 1990-01-01)", "A"),
            (f"{KEY} = null AND Birthdate IN (1980-01-02)", ""),
            ("Sync_To_DrChrono__c = true", "C"),
            ("Sync_To_DrChrono__c != TRUE", "ABD"),
            ("SystemModstamp > 2020-01-01T00:00:00Z", "ABCD"),
            ("CreatedDate <= 2020-01-01T00:00:00.000+01:00", ""),
            ("LastName > 'a' AND LastName <= 'C'", "BC"),
            ("LastName = 'A' OR (LastName = 'B' AND FirstName = null)", "A"),
            (f"({KEY} = '1' OR {KEY} = '9') AND LastName != 'A'", "D"),
            ("NOT (LastName = 'A' OR LastName = 'B')", "CD"),
            ("Contact.LastName IN ('A','D')", "AD"),
            ("DrChrono_Doctor__r.Name = null", "ABCD"),
            ("DrChrono_Doctor__r.DrChrono_Id__c = '7'", ""),
        ],
    )
    def test_conditions_select_as_salesforce_does(self, people, where, names):
        assert people.names(where) == names

    @pytest.mark.parametrize(
        ("order", "names"),
        [
            ("LastName DESC", "DCBA"),
            ("FirstName, LastName", "DACB"),
            ("FirstName NULLS LAST, LastName DESC", "CABD"),
            ("FirstName DESC, LastName ASC LIMIT 3", "DBA"),
            ("LastName LIMIT 2 OFFSET 1", "BC"),
        ],
    )
    def test_order_limit_and_offset(self, people, order, names):
        found = people.sf.query(f"SELECT LastName FROM Contact ORDER BY {order}")

        assert "".join(row["LastName"] for row in found["records"]) == names

    @pytest.mark.parametrize(
        "value",
        ["it's", "back\\slash", 'quo"te', "new\nline", "a_b%c", "ünïcode"],
        ids=["'", "\\", '"', "nl", "%", "ü"],
    )
    def test_the_clients_own_escaping_finds_what_was_stored(self, org, value):
        org.person_creates(LastName=value)

        assert org.sf.query(format_soql("SELECT Id FROM Contact WHERE LastName = {}", value))["totalSize"] == 1

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("SELECT Id FORM Contact", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact WHERE LastName = 'A", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact WHERE LastName IN ()", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact WHERE LastName = 'a\\z'", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact WHERE LastName = 'A' OR LastName = 'B' AND FirstName = 'C'", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact LIMIT many", "MALFORMED_QUERY"),
            ("SELECT Id, Nope__c FROM Contact", "INVALID_FIELD"),
            ("SELECT Id FROM Contact ORDER BY Nope__c", "INVALID_FIELD"),
            ("SELECT Id, id FROM Contact", "INVALID_FIELD"),
            ("SELECT Nope__r.Id FROM Contact", "INVALID_FIELD"),
            ("SELECT Id FROM Contact WHERE LastName = 5", "INVALID_FIELD"),
            ("SELECT Id FROM Contact WHERE Birthdate = '1980-01-02'", "INVALID_FIELD"),
            ("SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-01", "INVALID_FIELD"),
            ("SELECT Id FROM DrChrono_Appointment__c WHERE Notes__c = 'x'", "INVALID_FIELD"),
            ("SELECT Id FROM Contact WHERE Id = 'nope'", "INVALID_QUERY_FILTER_OPERATOR"),
            ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ],
    )
    def test_a_wrong_query_is_refused_with_salesforces_code(self, org, text, code):
        with pytest.raises(SalesforceMalformedRequest) as raised:
            org.sf.query(text)

        assert raised.value.content[0]["errorCode"] == code

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("400 INVALID_FIELD soql", "SELECT Id, Nope__c FROM Contact"),
            ("400 MALFORMED_QUERY", "SELECT Id FORM Contact"),
        ],
    )
    def test_query_errors_read_as_the_samples_do(self, org, name, text):
        assert org.ask("GET", "query", params={"q": text}).json() == error(name)

    def test_plus_and_percent_20_are_both_spaces(self, org):
        for text in ("SELECT+Id+FROM+Contact", "SELECT%20Id%20FROM%20Contact"):
            assert org.ask("GET", f"query/?q={text}").status_code == 200

    @pytest.mark.parametrize(
        "where",
        [
            "Id IN ({ids})",
            "DrChrono_Patient_Id__c IN ('1','3') AND LastName != 'x'",
            "DrChrono_Patient_Id__c = '1' OR Id IN ({ids})",
            "DrChrono_Doctor__c IN ({ids})",
            "DrChrono_Doctor__r.DrChrono_Id__c IN ('1','2')",
            "SystemModstamp > 2999-01-01T00:00:00Z OR (SystemModstamp = 2999-01-01T00:00:00Z AND Id > '{id}')",
        ],
    )
    def test_keys_and_recent_changes_are_found_without_a_scan(self, org, where):
        org.upsert_many(*(contact(str(n)) for n in range(200)))
        rows = org.rows()[:2]
        text = where.format(ids=",".join(f"'{row['Id']}'" for row in rows), id=rows[0]["Id"])
        tables = org.app.state.org.tables

        looked_at = candidates(parse(f"SELECT Id FROM Contact WHERE {text}").where, tables["contact"], tables)

        assert looked_at is not None
        assert len(looked_at) <= 3


class TestOneRecord:
    def test_upsert_creates_then_updates(self, org):
        path = format_external_id(KEY, "900/1 ü")

        created = org.sf.Contact.upsert(path, {"LastName": "Sample"}, raw_response=True)
        updated = org.sf.Contact.upsert(path, {"FirstName": "Ann"}, raw_response=True)

        assert (created.status_code, shape(created.json())) == (201, shape(sample("upsert_created_201")))
        assert (updated.status_code, shape(updated.json())) == (200, shape(sample("upsert_updated_200")))
        assert [row[KEY] for row in org.rows()] == ["900/1 ü"]

    def test_a_chunked_body_is_read(self, org):
        answer = org.ask(
            "PATCH",
            f"sobjects/Contact/{KEY}/77",
            data=iter([b'{"LastName":', b'"Sample"}']),
            headers={"Content-Type": "application/json"},
        )

        assert answer.status_code == 201

    def test_an_ambiguous_key_changes_nothing(self, org):
        org.control("PATCH", "objects/Contact/fields/DrChrono_Chart_Id__c", {"external_id": True})
        for _ in range(2):
            org.person_creates(LastName="Sample", DrChrono_Chart_Id__c="Chart1")

        with pytest.raises(SalesforceMoreThanOneRecord) as raised:
            org.sf.Contact.upsert("DrChrono_Chart_Id__c/chart1", {"LastName": "Changed"})

        assert shape(raised.value.content) == shape(sample("upsert_ambiguous_300"))
        assert {row["LastName"] for row in org.rows()} == {"Sample"}

    @pytest.mark.parametrize(
        ("path", "body", "status"),
        [
            ("DrChrono_Patient_Id__c/1?updateOnly=true", {"LastName": "S"}, 404),
            ("LastName/S", {"FirstName": "A"}, 404),
            ("DrChrono_Patient_Id__c/1", {"LastName": "S", KEY: "1"}, 400),
        ],
        ids=["update only", "not an external id", "key repeated"],
    )
    def test_an_upsert_that_cannot_be_is_refused(self, org, path, body, status):
        assert org.ask("PATCH", f"sobjects/Contact/{path}", json=body).status_code == status
        assert org.rows() == []

    def test_create_read_change_delete(self, org):
        made = org.sf.Contact.create({"LastName": "Sample"})
        assert set(made) == {"id", "success", "errors"}

        assert org.sf.Contact.update(made["id"], {"FirstName": "Ann"}) == 204
        assert org.sf.Contact.get(made["id"][:15])["Name"] == "Ann Sample"

        assert org.sf.Contact.delete(made["id"]) == 204
        with pytest.raises(SalesforceResourceNotFound):
            org.sf.Contact.get(made["id"])

    def test_a_deleted_record_is_not_updated(self, org):
        made = org.person_creates(LastName="Sample")
        org.control("DELETE", f"records/Contact/{made['Id']}")

        answer = org.ask("PATCH", f"sobjects/Contact/{made['Id']}", json={"LastName": "B"})

        assert (answer.status_code, answer.json()) == (404, error("404 ENTITY_IS_DELETED"))

    def test_a_record_that_changed_since_is_not_overwritten(self, org):
        made = org.person_creates(LastName="Sample")

        answer = org.ask(
            "PATCH",
            f"sobjects/Contact/{made['Id']}",
            json={"LastName": "B"},
            headers={"If-Unmodified-Since": "Sun, 01 Nov 2020 00:00:00 GMT"},
        )

        assert answer.status_code == 412

    def test_an_update_without_a_difference_still_moves_the_stamp(self, org):
        made = org.sf.Contact.create({"LastName": "Sample"})
        before = org.sf.Contact.get(made["id"])
        org.clock.move(seconds=1)

        org.sf.Contact.update(made["id"], {"LastName": " Sample "})

        after = org.sf.Contact.get(made["id"])
        assert after["SystemModstamp"] > before["SystemModstamp"]
        assert [write["op"] for write in org.control("GET", "writes")["writes"]] == ["created", "unchanged"]

    @pytest.mark.parametrize(
        ("field", "given", "kept"),
        [
            ("FirstName", "  Ann \n", "Ann"),
            ("FirstName", "   ", None),
            ("FirstName", 7, "7"),
            ("Email", "Ann@Example.TEST", "ann@example.test"),
            ("Birthdate", "1980-02-29", "1980-02-29"),
            ("Sync_To_DrChrono__c", None, False),
            ("MailingStreet", "1 Main St\nApt 2", "1 Main St\nApt 2"),
        ],
    )
    def test_values_are_kept_as_salesforce_keeps_them(self, org, field, given, kept):
        made = org.sf.Contact.create({"LastName": "Sample", field: given})

        assert org.sf.Contact.get(made["id"])[field] == kept

    def test_moments_are_utc_and_numbers_are_floats(self, org):
        made = org.sf.DrChrono_Appointment__c.create(
            {"Start__c": "2026-11-20T09:04:05.678-06:00", "Duration_Minutes__c": 30}
        )

        kept = org.sf.DrChrono_Appointment__c.get(made["id"])

        assert (kept["Start__c"], kept["Duration_Minutes__c"]) == ("2026-11-20T15:04:05.000+0000", 30.0)

    @pytest.mark.parametrize(
        ("fields", "code", "named"),
        [
            ({"FirstName": "(synthetic)" * 4}, "STRING_TOO_LONG", "(synthetic)"),
            ({"LastName": None}, "REQUIRED_FIELD_MISSING", "LastName"),
            ({"Email": "nobody@"}, "INVALID_EMAIL_ADDRESS", "nobody@"),
            ({"DrChrono_Gender__c": "Robot"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Robot"),
            ({"Nope__c": "x"}, "INVALID_FIELD", "Nope__c"),
            ({"CreatedDate": "2026-11-20T15:04:05Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE", "CreatedDate"),
            ({"DrChrono_Doctor__c": "synthetic"}, "MALFORMED_ID", "synthetic"),
            ({"DrChrono_Doctor__c": "a02SYN0000000ZZ"}, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
            ({"DrChrono_Doctor__r": {"DrChrono_Id__c": "404"}}, "INVALID_FIELD", "404"),
            ({KEY: "taken"}, "DUPLICATE_VALUE", "003SYN"),
            ({"Birthdate": "1980-13-01"}, "JSON_PARSER_ERROR", "1980-13-01"),
            ({"Birthdate": "1980-01-01T00:00:00Z"}, "JSON_PARSER_ERROR", "1980-01-01T00"),
            ({"Sync_To_DrChrono__c": "yes"}, "JSON_PARSER_ERROR", "yes"),
            ({"FirstName": {}}, "JSON_PARSER_ERROR", "string"),
        ],
    )
    def test_a_bad_value_is_refused_and_quoted(self, org, fields, code, named):
        org.person_creates(LastName="Other", **{KEY: "taken"})

        with pytest.raises(SalesforceMalformedRequest) as raised:
            org.sf.Contact.create({"LastName": "Sample", **fields})

        assert raised.value.content[0]["errorCode"] == code
        assert named in raised.value.content[0]["message"]

    @pytest.mark.parametrize(
        ("name", "fields"),
        [
            ("400 REQUIRED_FIELD_MISSING", {"LastName": ""}),
            ("400 INVALID_FIELD", {"Nope__c": 1}),
            ("400 STRING_TOO_LONG", {"FirstName": "x" * 41}),
            ("400 MALFORMED_ID", {"DrChrono_Doctor__c": "synthetic"}),
            ("400 DUPLICATES_DETECTED", {"FirstName": "Ann", "Birthdate": "1980-01-02"}),
        ],
    )
    def test_errors_have_the_shape_of_the_samples(self, org, name, fields):
        org.set(duplicate_rule="alert")
        org.person_creates(LastName="Sample", FirstName="Ann", Birthdate="1980-01-02")

        answer = org.ask("POST", "sobjects/Contact", json={"LastName": "Sample", **fields})

        assert (answer.status_code, shape(answer.json())) == (400, shape(error(name)))

    def test_a_missing_parent_is_called_an_invalid_field_with_no_field_named(self, org):
        answer = org.ask(
            "POST", "sobjects/Contact", json={"LastName": "S", "DrChrono_Doctor__r": {"DrChrono_Id__c": "404"}}
        )

        assert answer.json()[0]["errorCode"] == "INVALID_FIELD"
        assert answer.json()[0]["message"].startswith("Foreign key external ID: 404 not found")


class TestTheOrgsState:
    @pytest.mark.parametrize(
        ("state", "new", "known"),
        [
            ({"read_only": True}, ["INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"] * 2, "INSERT_UPDATE_DELETE"),
            ({"storage_full": True}, ["STORAGE_LIMIT_EXCEEDED"] * 2, ""),
            ({"most_in_transaction": 1}, ["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"] * 2, ""),
            ({"trigger_fails_on": "Odd"}, ["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"] * 2, ""),
        ],
        ids=lambda one: next(iter(one), "") if isinstance(one, dict) else "",
    )
    def test_what_it_refuses_is_refused_record_by_record_and_of_no_person(self, org, state, new, known):
        there = org.person_creates(LastName="Known")
        org.set(**state)

        refused = org.upsert_many(contact("1", LastName="Odd"), contact("2")).json()
        changed = org.ask("PATCH", f"sobjects/Contact/{there['Id']}", json={"FirstName": "Ann"})

        assert [one["errors"][0]["statusCode"] for one in refused] == new
        assert changed.text.startswith('[{"') == bool(known)
        assert known in changed.text
        assert org.person_creates(LastName="Another")["Id"]


class TestCollections:
    def test_mixed_results_have_the_shape_of_the_sample(self, org):
        org.set(duplicate_rule="alert")
        org.person_creates(LastName="Twin", Birthdate="1980-01-02")
        org.person_creates(LastName="Sample", **{KEY: "1"})
        locked = sample("collections_upsert_mixed_200")[3]["errors"][0]
        rule = {"object": "Contact", "external_id": "4", **{n: locked[n] for n in ("statusCode", "message")}}
        org.control("POST", "record-faults", rule)

        answer = org.upsert_many(
            contact("1", FirstName="Ann"),
            contact("2"),
            contact("3", LastName=None),
            contact("4"),
            contact("5", LastName="Twin", Birthdate="1980-01-02"),
        )

        wanted = sample("collections_upsert_mixed_200")
        assert answer.status_code == 200
        assert shape(answer.json()) == shape(wanted)
        assert [result.get("created") for result in answer.json()] == [False, True, None, None, None]
        assert [result["errors"] for result in answer.json()] == [result["errors"] for result in wanted]

    def test_all_or_none_stores_nothing_when_one_is_refused(self, org):
        answer = org.upsert_many(contact("1"), contact("2", FirstName="x" * 41), all_or_none=True)

        wanted = sample("collections_upsert_all_or_none_rolled_back_200")
        assert shape(answer.json()) == shape(wanted)
        assert answer.json()[0] == wanted[0]
        assert org.rows() == []

    def test_the_same_key_twice_is_refused_on_both(self, org):
        answer = org.upsert_many(contact("1"), contact("1"), contact("2"))

        assert [result["success"] for result in answer.json()] == [False, False, True]
        assert {r["errors"][0]["statusCode"] for r in answer.json()[:2]} == {"DUPLICATE_VALUE"}

    def test_an_unknown_field_costs_only_its_record(self, org):
        answer = org.upsert_many(contact("1", Nope__c="x"), contact("2"))

        assert answer.json()[0]["errors"][0]["statusCode"] == "INVALID_FIELD"
        assert [row[KEY] for row in org.rows()] == ["2"]

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"records": [contact(str(n)) for n in range(201)]}, "EXCEEDED_ID_LIMIT"),
            ({"records": [{"LastName": "S", KEY: "1"}]}, "INVALID_FIELD"),
            ({"records": [contact("1"), contact("2", Birthdate="soon")]}, "JSON_PARSER_ERROR"),
            ({"records": [contact("1"), "two"]}, "JSON_PARSER_ERROR"),
            ([], "JSON_PARSER_ERROR"),
            ({}, "INVALID_INPUT"),
        ],
        ids=["201 records", "no type", "not a date", "not a record", "not an object", "no records"],
    )
    def test_a_malformed_call_stores_nothing(self, org, body, code):
        answer = org.ask("PATCH", f"composite/sobjects/Contact/{KEY}", json=body)

        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)
        assert org.rows() == []

    def test_a_body_that_is_no_json_is_refused(self, org):
        answer = org.ask("PATCH", f"composite/sobjects/Contact/{KEY}", data=b'{"records": [')

        assert (answer.status_code, shape(answer.json())) == (400, shape(error("400 JSON_PARSER_ERROR")))

    @pytest.mark.parametrize("name", ["id", "Id"])
    def test_update_by_id_takes_either_spelling(self, org, name):
        made = org.person_creates(LastName="Sample")
        record = {"attributes": {"type": "Contact"}, name: made["Id"], "FirstName": "Ann"}

        answer = org.ask("PATCH", "composite/sobjects", json={"records": [record]})

        assert answer.json() == [{"id": made["Id"], "success": True, "errors": []}]
        assert org.rows()[0]["FirstName"] == "Ann"

    def test_update_by_id_says_what_is_wrong_with_each_id(self, org):
        gone = org.person_creates(LastName="Sample")["Id"]
        org.control("DELETE", f"records/Contact/{gone}")
        ids = [gone, "nope", full("003SYN0000000ZZ"), full("a01SYN000000001"), None]
        records = [{"attributes": {"type": "Contact"}, "id": record_id, "LastName": "B"} for record_id in ids]

        answer = org.ask("PATCH", "composite/sobjects", json={"records": records})

        assert [result["errors"][0]["statusCode"] for result in answer.json()] == [
            "ENTITY_IS_DELETED",
            "MALFORMED_ID",
            "INVALID_CROSS_REFERENCE_KEY",
            "MALFORMED_ID",
            "MISSING_ARGUMENT",
        ]
        assert org.control("GET", "calls")["calls"][-1]["fields"] == ["LastName"], (
            "what all refused was sent all the same"
        )

    def test_create_and_delete_many(self, org):
        records = [contact(), contact(), contact(LastName="")]
        made = org.ask("POST", "composite/sobjects", json={"allOrNone": False, "records": records}).json()
        assert [set(result) for result in made] == [{"id", "success", "errors"}] * 2 + [{"success", "errors"}]

        gone = org.ask("DELETE", f"composite/sobjects?ids={made[0]['id']},{made[1]['id']},zzz")

        assert [result["success"] for result in gone.json()] == [True, True, False]
        assert org.rows() == []

    def test_results_keep_the_order_of_the_request(self, org):
        org.upsert_many(contact("3"), contact("1"))

        results = org.upsert_many(contact("1"), contact("2"), contact("3")).json()

        assert [org.sf.Contact.get(result["id"])[KEY] for result in results] == ["1", "2", "3"]

    def test_the_journal_says_how_many_records_a_call_carried(self, org):
        org.upsert_many(contact("1"), contact("2", LastName=""))

        call = org.control("GET", "calls")["calls"][-1]

        assert (call["records"], call["refused"], call["status"]) == (2, 1, 200)


class TestPeople:
    def test_a_persons_edit_is_told_from_the_programs_write(self, org):
        made = org.person_creates(LastName="Sample", **{KEY: "1"})
        org.upsert_many(contact("1", FirstName="Ann"))
        by_program = org.rows()[0]["LastModifiedById"]
        by_person = org.control("PATCH", f"records/Contact/{made['Id']}", {"FirstName": "Eve"})["LastModifiedById"]

        assert (by_program, by_person) == (INTEGRATION_USER, HUMAN)
        assert [edit["op"] for edit in org.control("GET", "edits")["edits"]] == ["created", "updated"]
        (write,) = org.control("GET", "writes")["writes"]
        assert (write["op"], write["id"], write["changed"]) == ("updated", made["Id"], ["FirstName"])
        assert write["fields"] == ["LastName", KEY, "FirstName"]

    def test_a_person_is_held_to_the_same_rules(self, org):
        assert org.person_creates(FirstName="Ann")[0]["errorCode"] == "REQUIRED_FIELD_MISSING"

    def test_a_deleted_parent_empties_the_lookup_and_undelete_fills_it(self, org):
        made = org.person_creates(LastName="Sample", **{KEY: "1"})
        visit = {"attributes": {"type": "DrChrono_Appointment__c"}, "DrChrono_Id__c": "5", "Patient__r": {KEY: "1"}}
        org.upsert_many(visit, kind="DrChrono_Appointment__c", key="DrChrono_Id__c")

        org.control("DELETE", f"records/Contact/{made['Id']}")
        without = org.rows("DrChrono_Appointment__c")[0]["Patient__c"]
        org.control("POST", f"records/Contact/{made['Id']}/undelete")

        assert (without, org.rows("DrChrono_Appointment__c")[0]["Patient__c"]) == (None, made["Id"])

    def test_the_loser_of_a_merge_names_its_winner_and_gives_up_its_visits(self, org):
        winner, loser = (org.person_creates(LastName="Sample", **{KEY: key})["Id"] for key in "12")
        org.person_creates("DrChrono_Appointment__c", DrChrono_Id__c="5", Patient__c=loser)

        org.control("POST", "records/Contact/merge", {"winner": winner, "loser": loser})

        (row,) = org.sf.query(
            f"SELECT MasterRecordId, IsDeleted FROM Contact WHERE {KEY} IN ('2')", include_deleted=True
        )["records"]
        assert (row["MasterRecordId"], row["IsDeleted"]) == (winner, True)
        assert org.rows("DrChrono_Appointment__c")[0]["Patient__c"] == winner

    def test_a_freed_key_may_be_used_again_and_then_bars_the_undelete(self, org):
        gone = org.person_creates(LastName="Sample", **{KEY: "1"})["Id"]
        org.control("DELETE", f"records/Contact/{gone}")

        assert org.upsert_many(contact("1")).json()[0]["created"]
        assert org.control("POST", f"records/Contact/{gone}/undelete")[0]["errorCode"] == "DUPLICATE_VALUE"

    def test_updated_and_deleted_have_the_shape_of_the_samples(self, org):
        gone, *_ = (org.person_creates(LastName="Sample")["Id"] for _ in range(3))
        org.control("DELETE", f"records/Contact/{gone}")
        span = (org.clock() - timedelta(hours=1), org.clock() + timedelta(minutes=1))

        updated, deleted = org.sf.Contact.updated(*span), org.sf.Contact.deleted(*span)

        assert shape(updated) == shape(sample("get_updated_200"))
        assert shape(deleted) == shape(sample("get_deleted_200"))
        assert deleted["deletedRecords"][0]["id"] == gone

    @pytest.mark.parametrize(
        ("rule", "header", "saved"),
        [
            ("off", {}, True),
            ("alert", {}, False),
            ("alert", {"Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=false"}, True),
            ("block", {"Sforce-Duplicate-Rule-Header": "allowSave=true"}, False),
        ],
        ids=["off", "alert", "alert waved through", "block"],
    )
    def test_the_duplicate_rule(self, org, rule, header, saved):
        twin = {"LastName": "Sample", "FirstName": "Ann", "Birthdate": "1980-01-02"}
        org.person_creates(**twin)
        org.set(duplicate_rule=rule)

        answer = org.upsert_many(contact("1", **twin), headers=dict(header))

        assert answer.json()[0]["success"] is saved


class TestTrouble:
    def test_a_dropped_answer_leaves_the_record_behind(self, org):
        org.control("POST", "faults", {"match": "PATCH /services/data", "do": "drop_after_commit"})

        with pytest.raises(requests.ConnectionError):
            org.upsert_many(contact("1"))

        assert len(org.rows()) == 1

    def test_an_injected_error_strikes_as_often_as_it_was_told(self, org):
        body = error("503 SERVER_UNAVAILABLE")
        org.control(
            "POST", "faults", {"match": "* /services/data", "do": "error", "status": 503, "body": body, "next": 2}
        )

        answers = [org.ask("GET", "limits") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [503, 503, 200]
        assert answers[0].json() == body

    @pytest.mark.parametrize(
        "whom",
        [{"external_id": "1"}, {"match": {"field": "FirstName", "equals": "Ann"}}, {"id": "of the record"}],
        ids=lambda whom: next(iter(whom)),
    )
    def test_a_record_can_be_refused_for_a_while(self, org, whom):
        made = org.person_creates(LastName="Sample", FirstName="Ann", **{KEY: "1"})
        whom = {name: made["Id"] if name == "id" else value for name, value in whom.items()}
        org.control(
            "POST", "record-faults", {"object": "Contact", "statusCode": "UNABLE_TO_LOCK_ROW", "next": 2, **whom}
        )

        answers = [org.upsert_many(contact("1", FirstName="Ann"), contact("2")).json() for _ in range(3)]

        assert [[result["success"] for result in answer] for answer in answers] == [
            [False, True],
            [False, True],
            [True, True],
        ]

    def test_latency_holds_every_answer_back(self, org):
        org.set(latency_s=0.05)

        started = time.monotonic()
        org.ask("GET", "limits")

        assert time.monotonic() - started >= 0.05

    def test_an_unknown_setting_is_refused(self, org):
        assert org.set(latency=1)[0]["errorCode"] == "INVALID_FIELD"


def test_ids_carry_their_case_checksum(org):
    known = sample("query_page_1")["records"][0]["Id"]

    assert full(known[:15]) == canonical(known) == known
    assert canonical(known.lower()) is None
    assert canonical(org.person_creates(LastName="Sample")["Id"]) is not None


def test_it_runs_as_a_process_of_its_own(tmp_path):
    ca_file = tmp_path / "ca.pem"
    command = [sys.executable, "-m", "tests.standins.salesforce", "--port", "0", "--ca-file", str(ca_file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3], env={**os.environ, "PYTHONPATH": "."}
    ) as process:
        word, base = process.stdout.readline().split()
        with requests.Session() as session:
            session.trust_env = False
            versions = session.get(f"{base}/services/data", verify=str(ca_file))
        process.send_signal(signal.SIGTERM)

    assert (word, versions.status_code, process.returncode) == ("ready", 200, 0)
