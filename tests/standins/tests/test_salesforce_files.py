"""Salesforce's files in its stand-in: how bytes come in and out, versions and links, and how they may be asked for."""

import base64
import json

import httpx
import pytest

from tests.contract.listening import listening, quieted
from tests.standins.salesforce.app import create_app
from tests.standins.salesforce.metadata.components import Component
from tests.standins.salesforce.metadata.shipped import PROJECT, deployed_from
from tests.standins.salesforce.org import Credentials
from tests.standins.serve import running
from tests.standins.tests.known import LOGIN

DATA = "/services/data/v67.0"
PDF = b"%PDF-1.7\r\n--a line that looks like a boundary\r\n%%EOF"
TICK, KEY = "Send_To_DrChrono__c", "DrChrono_Document_Id__c"


@pytest.fixture
def org(session):
    session.put("/_control/settings", json={"query_all_files": False})
    return session


def contact(org, **fields):
    return org.post("/_control/records/Contact", json={"LastName": "Sample", **fields}).json()["Id"]


def uploads(org, content=PDF, name="scan.pdf", **fields):
    """Sends a version as the integration user does, in parts."""
    said = json.dumps({"PathOnClient": name, **fields})
    parts = {"entity_content": (None, said, "application/json"), "VersionData": (name, content, "application/pdf")}
    return org.post(f"{DATA}/sobjects/ContentVersion", files=parts)


def adds(org, content=PDF, name="scan.pdf", **fields):
    """A person uploads a file."""
    body = {"PathOnClient": name, "VersionData": base64.b64encode(content).decode(), **fields}
    return org.post("/_control/records/ContentVersion", json=body).json()


def asks(org, query):
    answer = org.get(f"{DATA}/query", params={"q": query}).json()
    return answer["records"] if isinstance(answer, dict) else answer[0]["errorCode"]


def has_fields(org):
    """The package's fields of files that matter here, where the package has none of its own."""
    known = {one["name"] for one in org.get(f"{DATA}/sobjects/ContentVersion/describe").json()["fields"]}
    for name, kind in ((TICK, "boolean"), (KEY, "string")):
        if name not in known:
            field = {"name": name, "kind": kind, "external_id": kind == "string"}
            org.post("/_control/objects/ContentVersion/fields", json=field).raise_for_status()


# --- bytes


def test_a_version_comes_in_parts_and_its_bytes_out_of_its_own_address(org):
    patient = contact(org)

    made = uploads(org, Title="Referral", FirstPublishLocationId=patient)

    assert made.status_code == 201
    version = org.get(f"{DATA}/sobjects/ContentVersion/{made.json()['id']}").json()
    assert version["VersionData"] == f"{DATA}/sobjects/ContentVersion/{version['Id']}/VersionData"
    assert (version["Title"], version["FileType"], version["ContentSize"]) == ("Referral", "PDF", len(PDF))
    answer = org.get(version["VersionData"])
    assert (answer.content, answer.headers["content-type"]) == (PDF, "application/octetstream")
    (link,) = asks(
        org,
        "SELECT ContentDocument.Title, ContentDocument.LatestPublishedVersion.Checksum, LinkedEntity.Type "
        f"FROM ContentDocumentLink WHERE LinkedEntityId = '{patient}'",
    )
    assert link["LinkedEntity"]["Type"] == "Contact"
    assert link["ContentDocument"]["LatestPublishedVersion"]["Checksum"] == version["Checksum"]


def test_bytes_may_come_as_base64_within_the_limit_of_a_body(org):
    body = {"PathOnClient": "a.png", "VersionData": base64.b64encode(PDF).decode()}
    made = org.post(f"{DATA}/sobjects/ContentVersion", json=body).json()["id"]

    org.put("/_control/settings", json={"most_body_bytes": 50})
    refused = org.post(f"{DATA}/sobjects/ContentVersion", json=body)

    assert org.get(f"{DATA}/sobjects/ContentVersion/{made}/VersionData").content == PDF
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "EXCEEDED_MAX_SIZE_REQUEST")
    assert uploads(org).status_code == 201


@pytest.mark.parametrize(
    ("settings", "file", "code"),
    [
        ({}, {"content": b""}, "REQUIRED_FIELD_MISSING"),
        ({}, {"Title": "x" * 256}, "STRING_TOO_LONG"),
        ({}, {"FirstPublishLocationId": "003SYN000000099YBA"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"blocked_extensions": ["pdf"]}, {}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"file_storage_full": True}, {}, "STORAGE_LIMIT_EXCEEDED"),
        ({"daily_versions": 0}, {}, "LIMIT_EXCEEDED"),
        ({"daily_versions": 0, "daily_versions_code": "UNKNOWN_EXCEPTION"}, {}, "UNKNOWN_EXCEPTION"),
    ],
    ids=["empty", "title", "nobody's", "blocked", "storage", "limit", "limit, as Apex has it"],
)
def test_a_file_that_is_refused_leaves_nothing(org, settings, file, code):
    org.put("/_control/settings", json=settings)

    answer = uploads(org, **file)

    status = 500 if code == "UNKNOWN_EXCEPTION" else 400
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (status, code)
    assert org.get("/_control/records/ContentDocument").json()["records"] == []


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"VersionData": ("a.pdf", PDF)}, "INVALID_MULTIPART_REQUEST"),
        ({"entity": (None, "{"), "VersionData": ("a.pdf", PDF)}, "JSON_PARSER_ERROR"),
        ({"entity": (None, "{}"), "Title": ("a.pdf", PDF)}, "INVALID_MULTIPART_REQUEST"),
    ],
    ids=["no record", "no JSON", "no field of bytes"],
)
def test_a_body_in_parts_has_one_record_and_files_that_are_called_as_their_fields(org, parts, code):
    assert org.post(f"{DATA}/sobjects/ContentVersion", files=parts).json()[0]["errorCode"] == code


@pytest.mark.parametrize("deed", ["cut_upload", "drop_before"])
def test_an_upload_that_is_cut_leaves_nothing(org, deed):
    org.post("/_control/faults", json={"match": f"POST {DATA}/sobjects/ContentVersion", "do": deed})

    with pytest.raises(httpx.TransportError):
        uploads(org, PDF * 5000)

    assert org.get("/_control/records/ContentDocument").json()["records"] == []


def test_the_days_versions_are_counted_and_deletion_gives_none_back(org):
    version = adds(org)
    uploads(org, ContentDocumentId=version["ContentDocumentId"])
    org.delete(f"/_control/records/ContentDocument/{version['ContentDocumentId']}")

    assert org.get(f"{DATA}/limits").json()["ContentPublicationLimit"] == {"Max": 200_000, "Remaining": 199_998}
    org.put("/_control/settings", json={"limits_stale": True})
    assert org.get(f"{DATA}/limits").json()["ContentPublicationLimit"]["Remaining"] == 200_000


# --- versions and links


def test_a_new_version_is_the_latest_and_has_what_the_one_before_said(org):
    has_fields(org)
    first = adds(org, Title="Referral", **{TICK: True, KEY: "7"})

    second = uploads(org, PDF + b"2", "other.png", ContentDocumentId=first["ContentDocumentId"]).json()["id"]

    rows = {row["Id"]: row for row in org.get("/_control/records/ContentVersion").json()["records"]}
    assert [(rows[one]["IsLatest"], rows[one]["VersionNumber"]) for one in (first["Id"], second)] == [
        (False, "1"), (True, "2")
    ]  # fmt: skip
    assert (rows[second]["Title"], rows[second][TICK], rows[second][KEY]) == ("Referral", True, "7")
    (document,) = org.get("/_control/records/ContentDocument").json()["records"]
    assert (document["LatestPublishedVersionId"], document["FileType"]) == (second, "PNG")


def test_the_title_is_one_on_a_document_and_its_latest_version_and_bytes_never_change(org):
    version = adds(org)
    place, records = f"{DATA}/composite/sobjects", [{"attributes": {"type": "ContentVersion"}, "id": version["Id"]}]

    org.patch(place, json={"records": [{**records[0], "Title": "Renamed"}]})
    refused = org.patch(place, json={"records": [{**records[0], "VersionData": "aGk="}]}).json()

    assert org.get("/_control/records/ContentDocument").json()["records"][0]["Title"] == "Renamed"
    org.patch(f"/_control/records/ContentDocument/{version['ContentDocumentId']}", json={"Title": "Again"})
    assert org.get("/_control/records/ContentVersion").json()["records"][0]["Title"] == "Again"
    assert refused[0]["errors"][0]["statusCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_a_document_is_put_on_a_record_once_and_taken_off_again(org):
    document, patient = adds(org)["ContentDocumentId"], contact(org)
    body = {"ContentDocumentId": document, "LinkedEntityId": patient, "ShareType": "V"}

    made = org.post(f"{DATA}/sobjects/ContentDocumentLink", json=body)
    again = org.post(f"{DATA}/sobjects/ContentDocumentLink", json=body)

    assert made.status_code == 201
    assert again.json()[0]["errorCode"] == "DUPLICATE_VALUE"
    assert "CreatedDate" not in org.get(f"{DATA}/sobjects/ContentDocumentLink/{made.json()['id']}").json()
    assert org.delete(f"{DATA}/sobjects/ContentDocumentLink/{made.json()['id']}").status_code == 204
    assert asks(org, f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '{patient}'") == []


def test_a_merge_moves_links_and_a_file_that_both_had_is_there_once(org):
    winner, loser = contact(org), contact(org)
    both = adds(org, FirstPublishLocationId=loser)["ContentDocumentId"]
    adds(org, FirstPublishLocationId=loser)
    link = {"ContentDocumentId": both, "LinkedEntityId": winner, "ShareType": "V"}
    org.post("/_control/records/ContentDocumentLink", json=link).raise_for_status()

    org.post("/_control/records/Contact/merge", json={"winner": winner, "loser": loser}).raise_for_status()

    found = asks(org, f"SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId = '{winner}'")
    assert len({one["ContentDocumentId"] for one in found}) == len(found) == 2


def test_a_document_takes_its_versions_and_links_along_and_brings_them_back(org):
    patient = contact(org)
    version = adds(org, FirstPublishLocationId=patient)
    of_patient = f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '{patient}'"

    org.delete(f"{DATA}/sobjects/ContentDocument/{version['ContentDocumentId']}")
    gone = asks(org, of_patient), org.get(f"{DATA}/sobjects/ContentVersion/{version['Id']}").status_code
    org.post(f"/_control/records/ContentDocument/{version['ContentDocumentId']}/undelete").raise_for_status()

    assert gone == ([], 404)
    assert len(asks(org, of_patient)) == 1
    assert org.get(f"{DATA}/sobjects/ContentVersion/{version['Id']}/VersionData").content == PDF


def test_a_link_comes_back_only_while_there_is_something_at_both_its_ends(org):
    patient = contact(org)
    document = adds(org, FirstPublishLocationId=patient)["ContentDocumentId"]
    of_patient = f"SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '{patient}'"

    org.delete(f"/_control/records/Contact/{patient}")
    alone = asks(org, of_patient)
    org.delete(f"/_control/records/ContentDocument/{document}")
    org.post(f"/_control/records/Contact/{patient}/undelete").raise_for_status()

    assert alone == asks(org, of_patient) == []


# --- asking


@pytest.mark.parametrize(
    ("where", "is_taken"),
    [
        ("", False),
        ("WHERE SystemModstamp > 2026-01-01T00:00:00Z", False),
        ("WHERE LinkedEntityId = '{0}'", True),
        ("WHERE LinkedEntityId IN ('{0}')", True),
        ("WHERE LinkedEntityId = '{0}' AND ShareType = 'I'", True),
        ("WHERE LinkedEntityId IN ('{0}') AND ShareType = 'I'", False),
        ("WHERE LinkedEntityId = '{0}' OR ShareType = 'I'", False),
    ],
)
def test_links_are_asked_for_by_one_of_their_ends(org, where, is_taken):
    query = "SELECT Id FROM ContentDocumentLink " + where.format(contact(org))

    assert asks(org, query) == ([] if is_taken else "MALFORMED_QUERY")
    org.put("/_control/settings", json={"query_all_files": True})
    assert isinstance(asks(org, query), list)


def test_other_peoples_files_are_found_by_id_or_with_query_all_files(org):
    theirs, ours = adds(org), uploads(org).json()["id"]
    everything = "SELECT Id FROM ContentVersion"

    assert [one["Id"] for one in asks(org, everything)] == [ours]
    assert asks(org, f"{everything} WHERE Checksum = '{theirs['Checksum']}' AND ContentSize > 0") != []
    assert len(asks(org, f"{everything} WHERE ContentDocumentId IN ('{theirs['ContentDocumentId']}')")) == 1
    org.put("/_control/settings", json={"query_all_files": True})
    assert len(asks(org, everything)) == 2


# --- what the package tells


TRIGGERS = {
    "ContentVersion": "(after insert, after update) { DrChronoDocuments.versioned(Trigger.new, Trigger.oldMap); }",
    "ContentDocumentLink": "(after insert, before delete) { DrChronoDocuments.linked(Trigger.new); }",
    "ContentDocument": "(after update, before delete, after undelete) { DrChronoDocuments.told(Trigger.new); }",
}


@pytest.fixture(scope="module")
def telling_org():
    code = {kind: f"trigger Of{kind} on {kind} {rest}".encode() for kind, rest in TRIGGERS.items()}
    more = (Component("ApexTrigger", f"Of{kind}", {}, ((f"{kind}.trigger", text),)) for kind, text in code.items())
    package = deployed_from(PROJECT, Credentials().username).with_components(more)
    with running(create_app(package=package)) as url, httpx.Client(base_url=url) as client:
        token = client.post("/services/oauth2/token", data=LOGIN).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client
        client.post("/_control/reset")


def test_the_package_tells_of_files_of_interest_by_the_version_that_changed(telling_org):
    org = telling_org
    has_fields(org)
    with listening((200, b"")) as listener:
        org.post("/_control/events", json={"url": listener.url, "token": "t", "shape": "package"})
        seen = []

        def told(deed):
            result = deed()
            quieted(lambda: org.get("/_control/events").json())
            events = [event for body in listener.bodies for event in json.loads(body)["events"]][len(seen) :]
            seen.extend(events)
            assert {event["Object__c"] for event in events} <= {"ContentVersion"}
            return result, [(event["Action__c"], event["Record_Id__c"]) for event in events]

        patient, other = contact(org), contact(org)
        plain, of_plain = told(lambda: adds(org, FirstPublishLocationId=patient))
        place = f"/_control/records/ContentVersion/{plain['Id']}"
        document = f"/_control/records/ContentDocument/{plain['ContentDocumentId']}"
        link = {"ContentDocumentId": plain["ContentDocumentId"], "LinkedEntityId": other, "ShareType": "V"}
        _, of_look = told(lambda: org.patch(place, json={"Description": "Nothing of ours"}))
        _, of_tick = told(lambda: org.patch(place, json={TICK: True}))
        later, of_later = told(lambda: adds(org, PDF + b"2", ContentDocumentId=plain["ContentDocumentId"]))
        linked, of_link = told(lambda: org.post("/_control/records/ContentDocumentLink", json=link).json())
        _, of_unlink = told(lambda: org.delete(f"/_control/records/ContentDocumentLink/{linked['Id']}"))
        _, of_rename = told(lambda: org.patch(document, json={"Title": "Renamed"}))
        _, of_other = told(lambda: org.patch(document, json={"Description": "Nothing of ours"}))
        _, of_delete = told(lambda: org.delete(document))
        _, of_undelete = told(lambda: org.post(f"{document}/undelete"))
        _, of_ours = told(lambda: uploads(org, FirstPublishLocationId=patient, **{KEY: "7"}))

    assert of_plain == of_ours == of_look == of_other == []
    assert of_tick == [("changed", plain["Id"])]
    assert of_later == of_link == of_unlink == of_rename == [("changed", later["Id"])]
    assert sorted(of_delete) == [("deleted", plain["Id"]), ("deleted", later["Id"])]
    assert sorted(of_undelete) == [("undeleted", plain["Id"]), ("undeleted", later["Id"])]


# --- who may


def test_a_user_is_told_which_permissions_are_theirs(org):
    mine = "SELECT PermissionsQueryAllFiles FROM UserPermissionAccess LIMIT 1"
    lacking = asks(org, mine)
    org.put("/_control/settings", json={"query_all_files": True})

    assert [one["PermissionsQueryAllFiles"] for one in (*lacking, *asks(org, mine))] == [False, True]


@pytest.mark.parametrize(("follows", "status"), [(True, 204), (False, 403)])
def test_who_may_edit_other_peoples_files_follows_the_record_where_setup_says_so(org, follows, status):
    org.put("/_control/settings", json={"files_set_by_record": follows})
    theirs = adds(org, FirstPublishLocationId=contact(org))
    ours = uploads(org, FirstPublishLocationId=contact(org)).json()["id"]

    edited = [org.patch(f"{DATA}/sobjects/ContentVersion/{one}", json={"Title": "New"}) for one in (theirs["Id"], ours)]

    assert [one.status_code for one in edited] == [status, 204]
    shared = asks(
        org, f"SELECT ShareType FROM ContentDocumentLink WHERE ContentDocumentId = '{theirs['ContentDocumentId']}'"
    )
    assert "V" in {one["ShareType"] for one in shared} or follows
