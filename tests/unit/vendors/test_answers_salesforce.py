"""What counts as Salesforce's answer: its status, its media type and its shape together, call by call."""

import json

import pytest
import requests

from app.vendors.salesforce.answers import UndocumentedAnswerError, check, is_session_over, onward

DATA, PAGE = "/services/data/v67.0", "<html><body>We'll be right back.</body></html>"
DAY = {"DailyApiRequests": {"Max": 9, "Remaining": 8}}
ROWS = {"totalSize": 1, "done": True, "records": []}
FAULT = '<?xml version="1.0"?><Envelope><faultcode>sf:UNKNOWN_EXCEPTION</faultcode></Envelope>'
# each call that we make: method, path, status, media type and body of its documented answer; and JSON of other shapes
CALLS = {
    "query": (
        "GET", f"{DATA}/query/", 200, "application/json", ROWS,
        [{}, [], None, 7, {"records": []}, {**ROWS, "records": {}}, {**ROWS, "done": False}, {**ROWS, "done": 0}],
    ),
    "query on": ("GET", f"{DATA}/queryAll/01g-2000", 200, "application/json", ROWS, [{}]),
    "upsert": ("PATCH", f"{DATA}/composite/sobjects/Contact/Key__c", 200, "application/json", [], [{}, None, "no"]),
    "update": ("PATCH", f"{DATA}/composite/sobjects", 200, "application/json", [{}], [{}, None]),
    "delete": ("DELETE", f"{DATA}/composite/sobjects", 200, "application/json", [], [{}]),
    "describe": ("GET", f"{DATA}/sobjects/A__c/describe", 200, "application/json", {"fields": []}, [{}, [], None]),
    "deleted": (
        "GET", f"{DATA}/sobjects/A__c/deleted/", 200, "application/json",
        {"deletedRecords": [], "earliestDateAvailable": "2026"}, [{}, [], {"deletedRecords": []}],
    ),
    "limits": ("GET", f"{DATA}/limits/", 200, "application/json", DAY, [{}, [], {"DailyApiRequests": {"Max": "9"}}]),
    "versions": ("GET", "/services/data", 200, "application/json", [{"version": "67.0"}], [[], {}, ["67.0"], None]),
    "job": ("POST", f"{DATA}/jobs/ingest", 200, "application/json", {"id": "7", "state": "Open"}, [{}, [], None]),
    "close": ("PATCH", f"{DATA}/jobs/ingest/7", 200, "application/json", {"id": "7", "state": "UploadComplete"}, [{}]),
    "look": ("GET", f"{DATA}/jobs/ingest/7", 200, "application/json", {"id": "7", "state": "Open"}, [{}, []]),
    "upload": ("PUT", f"{DATA}/jobs/ingest/7/batches", 201, "", "", []),
    "results": ("GET", f"{DATA}/jobs/ingest/7/successfulResults", 200, "text/csv", "sf__Id", []),
    "merge": ("POST", "/services/Soap/u/67.0", 200, "text/xml", "<Envelope/>", []),
}  # fmt: skip


def checked(name, status=None, body=None, media="application/json"):
    method, path, *_ = CALLS[name]
    response = requests.Response()
    response.status_code, response.url = status or CALLS[name][2], f"https://org.example.test{path}?q=Canary"
    response.headers["Content-Type"] = media
    response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    response.request = requests.Request(method, response.url).prepare()
    check(response)


@pytest.mark.parametrize("name", CALLS)
def test_what_is_documented_of_a_call_is_its_answer(name):
    _, _, status, media, body, _ = CALLS[name]

    checked(name, status, body, f"{media};charset=UTF-8")


@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 401, 403, 404, 405, 429, 500, 502, 503])
@pytest.mark.parametrize("name", CALLS)
def test_a_page_is_nobodys_word_whatever_its_status_says(name, status):
    with pytest.raises(UndocumentedAnswerError) as raised:
        checked(name, status, PAGE, "text/html")

    assert raised.value.reply.came == "text/html, 46 bytes"
    assert "Canary" not in str(raised.value)


@pytest.mark.parametrize(("name", "at"), [(name, at) for name, call in CALLS.items() for at in range(len(call[5]))])
def test_json_of_another_shape_is_nobodys_word(name, at):
    with pytest.raises(UndocumentedAnswerError):
        checked(name, body=CALLS[name][5][at])


@pytest.mark.parametrize("body", ["", '{"records": [', "[]trailing"], ids=repr)
def test_half_an_answer_is_none(body):
    with pytest.raises(UndocumentedAnswerError, match="NOT_JSON"):
        checked("query", body=body)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
@pytest.mark.parametrize("body", [[{"errorCode": "X", "message": "m"}], {"errorCode": "NOT_FOUND"}], ids=str)
@pytest.mark.parametrize("name", ["query", "update", "upload"])
def test_a_refusal_of_its_own_is_known_by_its_code(name, status, body):
    checked(name, status, body)


@pytest.mark.parametrize("body", [{"message": "Forbidden"}, [], [{"message": "m"}], None, [7], {}], ids=str)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 503])
def test_a_gateways_json_is_no_refusal_of_salesforces(status, body):
    with pytest.raises(UndocumentedAnswerError):
        checked("query", status, body)


def test_soaps_own_fault_is_its_word_and_other_xml_is_not():
    checked("merge", 500, FAULT, "text/xml")

    with pytest.raises(UndocumentedAnswerError):
        checked("merge", 403, '<?xml version="1.0"?><Error/>', "text/xml")


@pytest.mark.parametrize("status", [413, 414, 431])
def test_what_is_too_large_for_the_server_is_refused_whatever_its_page_looks_like(status):
    checked("query", status, PAGE, "text/html")


@pytest.mark.parametrize(
    ("content", "is_over"),
    [
        ([{"errorCode": "INVALID_SESSION_ID"}], True), ([{"errorCode": "INVALID_AUTH_HEADER"}], True),
        ([{"errorCode": "API_DISABLED_FOR_ORG"}], False), ("<html>", False), ([], False), ([None], False),
    ],
    ids=str,
)  # fmt: skip
def test_a_session_is_over_by_its_own_codes(content, is_over):
    assert is_session_over(content) is is_over


@pytest.mark.parametrize(
    ("link", "path"),
    [
        (f"{DATA}/query/01g-2000", f"{DATA}/query/01g-2000"),
        (f"http://inner.example.test{DATA}/queryAll/01g-2000", f"{DATA}/queryAll/01g-2000"),
        ("@elsewhere.example/steal", ""), (f"{DATA}/sobjects/Contact", ""), (f"{DATA}/query/../limits", ""),
        ("https://[", ""), ("", ""),
    ],
)  # fmt: skip
def test_where_a_query_goes_on_is_a_path_of_the_instance(link, path):
    assert onward(link) == path
