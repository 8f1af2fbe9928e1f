"""Whatever Salesforce answers, a token and a patient's values go to the org's instance and nowhere else."""

from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.errors import OutcomeUnknown, SyncError, Unavailable, Unreadable
from tests.standins.serve import running

QUERY, UPSERT = "GET /services/data/v67.0/query", "PATCH /services/data/v67.0/composite/sobjects"
KEY = "DrChrono_Patient_Id__c"
ANSWER = {"totalSize": 1, "done": True, "records": []}


@pytest.fixture(scope="module")
def thieves(org):
    """Servers that keep whatever they are sent, one by https and one by plain http."""
    taken = []

    async def take(request):
        taken.append((request.url.path, request.headers.get("authorization"), await request.body()))
        return JSONResponse(ANSWER)

    app = Starlette(routes=[Route("/{path:path}", take, methods=["GET", "POST", "PATCH", "PUT"])])
    with (
        running(app, ssl_certfile=org.files.certificate, ssl_keyfile=org.files.key) as https,
        running(app) as http,
    ):
        yield SimpleNamespace(taken=taken, https=https, http=http)


@pytest.fixture(autouse=True)
def _nothing_was_taken(thieves):
    yield
    assert thieves.taken == []


def redirects(org, match, status, location):
    org.control.post(
        "/_control/faults", json={"match": match, "do": "error", "status": status, "headers": {"location": location}}
    )


def goes_on_at(org, place):
    body = {"totalSize": 3000, "done": False, "nextRecordsUrl": place, "records": [{"Id": "003000000000001AAA"}]}
    org.control.post("/_control/faults", json={"match": QUERY, "do": "error", "status": 200, "body": body})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_read_follows_no_redirect(salesforce, org, thieves, scheme, status):
    redirects(org, QUERY, status, f"{getattr(thieves, scheme)}/steal")

    with pytest.raises(Unavailable):
        await salesforce.read("Contact", ("LastName",), KEY, ["003000000000001AAA"], [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_write_follows_no_redirect_and_is_looked_at_again(salesforce, org, thieves, scheme, status):
    redirects(org, UPSERT, status, f"{getattr(thieves, scheme)}/steal")

    with pytest.raises(OutcomeUnknown):
        await salesforce.upsert("Contact", KEY, [{KEY: "1", "LastName": "Canary", "Birthdate": "1980-02-03"}])


async def test_a_redirect_to_the_same_host_is_not_followed_either(salesforce, org):
    redirects(org, UPSERT, 307, f"{org.url}/services/data/v67.0/composite/sobjects/Contact/{KEY}")

    with pytest.raises(OutcomeUnknown):
        await salesforce.upsert("Contact", KEY, [{KEY: "1", "LastName": "A"}])
    assert org.control.get("/_control/records/Contact").json()["records"] == []


@pytest.mark.parametrize(
    "place", ["@{host}/steal", ".evil.example/steal", "1/steal", ":{port}/steal", "\\@{host}/steal"]
)
async def test_a_list_that_goes_on_elsewhere_is_no_answer(salesforce, org, thieves, place):
    thief = urlsplit(thieves.https)
    goes_on_at(org, place.format(host=thief.netloc, port=thief.port))

    with pytest.raises(SyncError):
        await salesforce.where("Contact", "LastName = {}", "A")


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_list_whose_link_names_another_host_goes_on_at_the_instance(salesforce, org, thieves, scheme):
    goes_on_at(org, f"{getattr(thieves, scheme)}/services/data/v67.0/query/01g000000000001-2000")
    on = {"totalSize": 2, "done": True, "records": [{"Id": "003000000000002AAA"}]}
    fault = {"match": f"{QUERY}/01g000000000001-2000", "do": "error", "status": 200, "body": on}
    org.control.post("/_control/faults", json=fault)

    found = await salesforce.where("Contact", "LastName = {}", "A")

    assert found == ["003000000000001AAA", "003000000000002AAA"]


async def test_a_list_that_leads_back_to_itself_ends(salesforce, org):
    for _ in range(2):
        goes_on_at(org, "/services/data/v67.0/query/01g000000000001-2000")

    with pytest.raises(Unreadable, match="ENDLESS_LIST"):
        await salesforce.where("Contact", "LastName = {}", "A")


async def test_a_netrc_does_not_take_the_tokens_place(salesforce, org, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {urlsplit(org.url).hostname} login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))

    assert await salesforce.read("Contact", ("LastName",), KEY, ["003000000000001AAA"], []) == []


async def test_a_proxy_of_the_environment_is_used(salesforce, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody listens there
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(Unavailable) as refused:
        await salesforce.read("Contact", ("LastName",), KEY, ["003000000000001AAA"], [])

    assert refused.value.code == "ProxyError"
