"""The DrChrono stand-in against the vendor's documented behaviour: shapes, tokens, quota, webhooks, faults."""

import asyncio
import hashlib
import hmac
import json
import re
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.standins.drchrono.app import create_app
from tests.standins.serve import running

SAMPLES = Path(__file__).parents[2] / "samples" / "drchrono"
REDIRECT = "http://127.0.0.1:1/connect/callback"
CLIENT = {"client_id": "standin-client", "client_secret": "standin-secret"}
SECRET = "synthetic-webhook-secret-0123456789abcdef"


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def server():
    with running(create_app()) as url:
        yield url


@pytest.fixture
def http(server):
    with httpx.Client(base_url=server) as http:
        http.post("/_control/reset")
        yield http
        http.post("/_control/reset")


def granted(http, scope=""):
    code = http.post("/_control/oauth/code", json={"redirect_uri": REDIRECT, "scope": scope}).json()["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    return http.post("/o/token/", data={**form, **CLIENT}).json()


def refreshed(http, refresh_token):
    return http.post("/o/token/", data={"grant_type": "refresh_token", "refresh_token": refresh_token, **CLIENT})


def bearer(pair):
    return {"Authorization": f"Bearer {pair['access_token']}"}


@pytest.fixture
def api(http):
    """A client that is signed in."""
    http.headers.update(bearer(granted(http)))
    return http


def listed(api, **params):
    return [record["id"] for record in api.get("/api/patients", params=params).json()["results"]]


@asynccontextmanager
async def receiver(answer):
    """A webhook callback on a bare socket; `answer` says the status of each POST. Gives its URL and raw requests."""
    requests = []

    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int((re.search(rb"(?i)content-length: (\d+)", head) or [0, 0])[1])
        body = await reader.readexactly(length)
        status, content = 200, b""
        if head.startswith(b"GET"):
            message = str(httpx.URL(head.split()[1].decode()).params["msg"])
            digest = hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).hexdigest()
            content = json.dumps({"secret_token": digest}).encode()
        else:
            requests.append((time.monotonic(), head, body))
            status = answer(len(requests))
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (status, len(content)))
        writer.write(content)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/webhooks/drchrono", requests


@asynccontextmanager
async def hooked(server, answer=lambda _: 200, **policy):
    """A registered receiver, and a control client that does not block it."""
    async with receiver(answer) as (url, requests), httpx.AsyncClient(base_url=f"{server}/_control") as control:
        await control.post("/reset")
        assert (await control.post("/webhook", json={"url": url, "secret": SECRET})).json()["verified"]
        await control.put("/delivery-policy", json=policy)
        yield control, requests
        await control.post("/reset")


async def deliveries(control, **wanted):
    """Gives the deliveries' counts once they are as wanted."""
    deadline = time.monotonic() + 10
    while True:
        counts = (await control.get("/deliveries")).json()
        if counts.items() >= wanted.items():
            return counts
        assert time.monotonic() < deadline, counts
        await asyncio.sleep(0.01)


# --- shapes


def test_a_patient_looks_like_the_sample(api):
    created = api.post("/_control/patients", json={}).json()

    seen = api.get(f"/api/patients/{created['id']}").json()

    assert list(seen) == list(sample("patient"))
    assert {name: type(value) for name, value in seen.items() if value is not None}.items() <= {
        name: type(value) for name, value in {**sample("patient"), "date_of_birth": "", "chart_id": ""}.items()
    }.items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", seen["updated_at"])
    assert (seen["id"], seen["chart_id"]) == (sample("patient")["id"], sample("patient")["chart_id"])


def test_verbose_adds_what_the_sample_says_and_a_plain_answer_never_has_it(api):
    created = api.post("/api/patients", json=sample("patient_create_request")).json()

    verbose = api.get(f"/api/patients/{created['id']}", params={"verbose": "true"}).json()

    assert list(created) == list(sample("patient"))
    assert list(verbose) == list(sample("patient_verbose"))
    assert verbose["custom_demographics"][0]["value"] == "SFDC-0030000000FIXTUREAAA"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/doctors/310001", "doctor"),
        ("/api/offices/410001", "office"),
        ("/api/users/610001", "user_current"),
        ("/api/users/610002", "user_staff"),
    ],
)
def test_the_practice_looks_like_the_samples(api, path, name):
    assert api.get(path).json() == sample(name)


def test_users_current_redirects_to_the_user(api):
    answer = api.get("/api/users/current")

    assert answer.status_code == sample("user_current_redirect")["status"]
    assert answer.headers["location"] == str(api.base_url.join("/api/users/610001"))


def test_a_doctor_filter_applies_to_doctors_themselves(api):
    assert len(api.get("/api/doctors", params={"doctor": 310001}).json()["results"]) == 1
    assert api.get("/api/doctors", params={"doctor": 1}).json()["results"] == []


@pytest.mark.parametrize(("path", "name"), [("/api/patients/999", "error_404"), ("/api/nothing", "error_404")])
def test_what_is_not_there_answers_as_sampled(api, path, name):
    answer = api.get(path)

    assert (answer.status_code, answer.json()) == (sample(name)["status"], sample(name)["body"])


def test_a_slash_too_many_is_not_mended(api):
    assert api.get("/api/patients/").status_code == 404


# --- reading and writing


def test_a_patch_answers_an_empty_204_and_changes_only_what_was_sent(api):
    before = api.post("/_control/patients", json={"cell_phone": "(555) 010-0142", "email": "t@example.com"}).json()

    answer = api.patch(f"/api/patients/{before['id']}", json={"cell_phone": "(555) 010-0199"})

    assert (answer.status_code, answer.content) == (204, b"")
    after = api.get(f"/api/patients/{before['id']}").json()
    assert after == {**before, "cell_phone": "(555) 010-0199", "updated_at": after["updated_at"]}


def test_a_put_clears_what_was_not_sent(api):
    before = api.post("/_control/patients", json={"email": "t@example.com"}).json()

    assert api.put(f"/api/patients/{before['id']}", json={"gender": "Male", "doctor": 310001}).status_code == 204

    after = api.get(f"/api/patients/{before['id']}").json()
    assert (after["email"], after["gender"], after["chart_id"]) == ("", "Male", before["chart_id"])


def test_a_create_needs_doctor_and_gender(api):
    answer = api.post("/api/patients", json={"first_name": "Testa"})

    assert answer.status_code == sample("error_400_field_errors")["status"]
    assert answer.json() == sample("error_400_field_errors")["body"]


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("gender", "Feminine", '"Feminine" is not a valid choice.'),
        ("patient_status", "X", '"X" is not a valid choice.'),
        ("date_of_birth", "04/09/1987", "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."),
        ("date_of_birth", "1987-02-30", "Date has wrong format. Use one of these formats instead: YYYY-MM-DD."),
        ("first_name", None, "This field may not be null."),
        ("first_name", ["Testa"], "Not a valid string."),
        ("disable_sms_messages", "perhaps", "Must be a valid boolean."),
        ("email", "nobody", "Enter a valid email address."),
        ("chart_id", "12", "Enter a valid value."),
        ("doctor", 1, 'Invalid pk "1" - object does not exist.'),
        ("copay", "much", "A valid number is required."),
        ("pronouns", "LA00000-0", '"LA00000-0" is not a valid choice.'),
    ],
)
def test_a_bad_value_is_named_by_its_field(api, field, value, complaint):
    created = api.post("/_control/patients", json={}).json()

    answer = api.patch(f"/api/patients/{created['id']}", json={field: value})

    assert (answer.status_code, answer.json()) == (400, {field: [complaint]})
    assert api.get(f"/api/patients/{created['id']}").json() == created


def test_a_decimal_comes_back_as_a_string_with_two_places(api):
    created = api.post("/api/patients", json={"doctor": 310001, "gender": "", "copay": 20})

    assert (created.status_code, created.json()["copay"]) == (201, "20.00")


def test_a_duplicate_is_refused_only_when_the_practice_asked_for_that(api):
    body = sample("patient_create_request")
    assert [api.post("/api/patients", json=body).status_code for _ in range(2)] == [201, 201]
    api.put("/_control/settings", json={"prevent_duplicates": True})

    answer = api.post("/api/patients", json=body)

    assert (answer.status_code, answer.json()) == (400, sample("error_400_duplicate_patient")["body"])
    assert api.post("/api/patients", params={"allow_duplicates": "true"}, json=body).status_code == 201


def test_a_vanished_patient_is_gone_for_everyone(api):
    created = api.post("/_control/patients", json={}).json()

    assert api.delete(f"/_control/patients/{created['id']}").status_code == 204

    assert api.get(f"/api/patients/{created['id']}").status_code == 404
    assert api.patch(f"/api/patients/{created['id']}", json={}).status_code == 404
    assert listed(api) == []


def test_following_next_meets_everyone_once_and_previous_leads_back(api):
    ids = api.post("/_control/patients/bulk", json={"count": 7, "silent": True}).json()["ids"]

    pages, url = [], str(api.base_url.join("/api/patients?page_size=3&gender="))
    while url:
        page = api.get(url).json()
        pages.append([record["id"] for record in page["results"]])
        url, back = page["next"], page["previous"]

    assert list(page) == list(sample("patients_list_page")["body"])
    assert pages == [ids[:3], ids[3:6], ids[6:]]
    assert [record["id"] for record in api.get(back).json()["results"]] == ids[3:6]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"last_name": "fixtureone"}, 1),
        ({"last_name": "Fixture"}, 0),
        ({"date_of_birth": "1940-02-07"}, 1),
        ({"doctor": "310001"}, 3),
        ({"email": "testaone.fixtureone@example.com"}, 1),
        ({"since": "2026-03-01"}, 3),
        ({"since": "2026-03-01T23:00:00"}, 3),
        ({"since": "2026-03-02"}, 0),
        ({"created_at": "2026-03-01"}, 3),
        ({"show_inactive": "true"}, 4),
        ({"verbose": "true"}, 3),
        ({"page_size": "2"}, 2),
        ({"unheard_of": "x"}, 3),
    ],
)
def test_a_list_filters_as_documented(api, asked, found):
    api.put("/_control/clock", json={"now": "2026-03-01T12:00:00"})
    ids = api.post("/_control/patients/bulk", json={"count": 4}).json()["ids"]
    api.patch(f"/_control/patients/{ids[3]}", json={"patient_status": "I"})

    assert len(listed(api, **asked)) == found


def test_a_filter_that_is_no_date_is_refused(api):
    assert api.get("/api/patients", params={"since": "yesterday"}).status_code == 400


def test_a_list_may_be_stale_when_a_single_read_is_not(api):
    old = api.post("/_control/patients", json={"first_name": "Testa"}).json()
    api.put("/_control/settings", json={"list_stale_s": 60})

    api.patch(f"/_control/patients/{old['id']}", json={"first_name": "Testb"})
    new = api.post("/_control/patients", json={}).json()

    assert api.get(f"/api/patients/{old['id']}").json()["first_name"] == "Testb"
    assert api.get("/api/patients").json()["results"] == [old]
    api.put("/_control/settings", json={"list_stale_s": 0})
    assert listed(api) == [old["id"], new["id"]]


def test_the_clock_may_run_backwards(api):
    api.put("/_control/clock", json={"now": "2026-11-01T01:59:59"})
    before = api.post("/_control/patients", json={}).json()
    api.put("/_control/clock", json={"now": "2026-11-01T01:00:00"})

    after = api.patch(f"/_control/patients/{before['id']}", json={"city": "Testville"}).json()

    assert after["updated_at"] < before["updated_at"]
    api.put("/_control/clock", json={"now": None})


def test_every_human_edit_is_kept_in_order(api):
    created = api.post("/_control/patients", json={"city": "Testville"}).json()
    api.patch(f"/api/patients/{created['id']}", json={"city": "Elsewhere"})
    api.patch(f"/_control/patients/{created['id']}?silent=true", json={"city": "Testham"})

    edits = api.get("/_control/edits").json()

    assert [(edit["kind"], edit["id"], edit["fields"]["city"]) for edit in edits] == [
        ("create", created["id"], "Testville"),
        ("edit", created["id"], "Testham"),
    ]


# --- tokens


def test_a_pair_looks_like_the_sample_and_opens_the_api(http):
    pair = granted(http)

    assert list(pair) == list(sample("token_response")["body"])
    assert pair["expires_in"] == 172800
    assert http.get("/api/patients", headers=bearer(pair)).status_code == 200


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Basic nonsense"])
def test_without_a_good_token_the_answer_is_the_sampled_401(http, header):
    answer = http.get("/api/patients", headers={"Authorization": header} if header else {})

    assert (answer.status_code, answer.json()) == (401, sample("error_401")["body"])


def test_a_missing_scope_is_a_403(http):
    pair = granted(http, "patients:read")

    answer = http.post("/api/patients", headers=bearer(pair), json=sample("patient_create_request"))

    assert pair["scope"] == "patients:read"
    assert (answer.status_code, answer.json()) == (403, sample("error_403")["body"])


def test_a_refresh_rotates_both_tokens_and_kills_the_old_access_token(http):
    first = granted(http)

    answer = refreshed(http, first["refresh_token"])

    second, rotated = answer.json(), sample("token_refresh_response")
    assert (answer.status_code, list(second)) == (rotated["status"], list(rotated["body"]))
    assert second["refresh_token"] != first["refresh_token"]
    assert http.get("/api/patients", headers=bearer(first)).status_code == 401
    assert http.get("/api/patients", headers=bearer(second)).status_code == 200


def test_a_refresh_token_used_twice_revokes_everything(http):
    first = granted(http)
    second = refreshed(http, first["refresh_token"]).json()

    again = refreshed(http, first["refresh_token"])

    refusal = sample("token_error_invalid_grant")
    assert (again.status_code, again.json()) == (refusal["status"], refusal["body"])
    assert http.get("/api/patients", headers=bearer(second)).status_code == 401
    assert refreshed(http, second["refresh_token"]).status_code == 401
    assert http.get("/_control/tokens").json().items() >= {"grants": 1, "refreshes": 1, "reuses": 1}.items()


def test_a_new_authorization_by_the_same_user_kills_the_tokens_before_it(http):
    first, second = granted(http), granted(http)

    assert http.get("/api/patients", headers=bearer(first)).status_code == 401
    assert http.get("/api/patients", headers=bearer(second)).status_code == 200
    assert refreshed(http, first["refresh_token"]).json() == {"error": "invalid_grant"}
    assert http.get("/api/patients", headers=bearer(second)).status_code == 200


def test_a_code_is_good_once(http):
    code = http.post("/_control/oauth/code", json={"redirect_uri": REDIRECT}).json()["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **CLIENT}

    assert [http.post("/o/token/", data=form).status_code for _ in range(2)] == [200, 401]


def test_the_client_may_sign_in_by_basic_and_a_wrong_secret_is_invalid_client(http):
    pair, wrong = granted(http), sample("token_error_invalid_client")
    form = {"grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}

    refused = http.post("/o/token/", data={**form, **CLIENT, "client_secret": "no"})
    basic = http.post("/o/token/", data=form, auth=tuple(CLIENT.values()))

    assert (refused.status_code, refused.json()) == (wrong["status"], wrong["body"])
    assert basic.status_code == 200


def test_expired_and_revoked_tokens_answer_401(http):
    pair = granted(http)
    http.post("/_control/tokens/expire")
    assert http.get("/api/patients", headers=bearer(pair)).status_code == 401

    pair = refreshed(http, pair["refresh_token"]).json()
    assert http.post("/o/revoke_token/", data={"token": pair["refresh_token"], **CLIENT}).status_code == 200

    assert http.get("/api/patients", headers=bearer(pair)).status_code == 401
    assert refreshed(http, pair["refresh_token"]).status_code == 401


def test_consent_sends_the_browser_back_with_code_and_state(http):
    asked = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": REDIRECT, "state": "s&1"}
    page = http.get("/o/authorize/", params={**asked, "scope": "patients:read"}).text
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)">', page)) | {"state": "s&1"}

    allowed = http.post("/o/authorize/", data={**hidden, "allow": "Authorize"})
    cancelled = http.post("/o/authorize/", data={**hidden, "cancel": "Cancel"})

    assert "s&amp;1" in page
    back = httpx.URL(allowed.headers["location"])
    assert (allowed.status_code, back.params["state"]) == (302, "s&1")
    form = {"grant_type": "authorization_code", "code": back.params["code"], "redirect_uri": REDIRECT, **CLIENT}
    assert http.post("/o/token/", data=form).json()["scope"] == "patients:read"
    denied = sample("oauth_callback_denied")["query"] | {"state": "s&1"}
    assert dict(httpx.URL(cancelled.headers["location"]).params) == denied


@pytest.mark.parametrize("wrong", [{"client_id": "x"}, {"redirect_uri": "https://elsewhere.example.com/"}])
def test_a_wrong_client_or_redirect_ends_on_an_error_page(http, wrong):
    asked = {"response_type": "code", "client_id": CLIENT["client_id"], "redirect_uri": REDIRECT, **wrong}

    answer = http.get("/o/authorize/", params=asked)

    assert (answer.status_code, "location" in answer.headers) == (400, False)


# --- quota and faults


def test_a_call_over_the_quota_is_told_to_wait_in_the_text_only(api):
    api.put("/_control/settings", json={"calls_per_hour": 3})
    statuses = [api.get("/api/patients").status_code for _ in range(2)]

    answer = api.get("/api/patients")

    assert statuses == [200, 200]
    assert answer.status_code == 429
    assert re.fullmatch(r"Request was throttled\. Expected available in \d+\.\d seconds\.", answer.json()["detail"])
    assert list(answer.json()) == list(sample("error_429")["body"])
    assert "retry-after" not in answer.headers
    assert refreshed(api, "any").status_code == 429
    assert api.get("/_control/tokens").status_code == 200


def test_a_new_hour_brings_a_new_quota(api):
    api.put("/_control/settings", json={"calls_per_hour": 1, "quota_hour_s": 1})

    deadline, statuses = time.monotonic() + 10, []
    while statuses[-2:] != [429, 200]:
        assert time.monotonic() < deadline
        statuses.append(api.get("/api/patients").status_code)

    assert set(statuses) == {200, 429}


def test_no_quota_when_it_is_switched_off(api):
    api.put("/_control/settings", json={"calls_per_hour": 0})

    assert {api.get("/api/users/610001").status_code for _ in range(520)} == {200}


def test_a_burst_is_throttled_only_where_that_rule_is_on(api):
    api.put("/_control/settings", json={"burst_rule": True})

    assert [api.get("/api/patients").status_code for _ in range(11)][-1] == 429


def test_a_fault_hits_as_many_calls_as_it_says(api):
    rule = {"match": "GET /api/patients", "next": 2, "do": "error", "status": 503, "body": "<h1>Server Error</h1>"}
    api.post("/_control/faults", json=rule)

    answers = [api.get("/api/patients") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["content-type"].startswith("text/html")


def test_a_throttle_fault_speaks_as_the_vendor_does(api):
    api.post("/_control/faults", json={"match": "* /api", "do": "throttle"})

    answer = api.get("/api/patients")

    assert (answer.status_code, "throttled" in answer.json()["detail"]) == (429, True)


@pytest.mark.parametrize(
    ("do", "is_done", "failure"),
    [
        ("timeout_before", False, httpx.ReadTimeout),
        ("timeout_after_commit", True, httpx.ReadTimeout),
        ("drop_before", False, (httpx.RemoteProtocolError, httpx.ReadError)),  # an end or a reset, as the kernel has it
        ("drop_after_commit", True, (httpx.RemoteProtocolError, httpx.ReadError)),
    ],
)
def test_a_lost_answer_says_nothing_about_the_work(api, do, is_done, failure):
    api.post("/_control/faults", json={"match": "POST /api/patients", "do": do, "delay_s": 20})

    with pytest.raises(failure):
        api.post("/api/patients", json=sample("patient_create_request"), timeout=0.3)

    assert len(api.get("/_control/patients").json()["patients"]) == is_done


def test_every_vendor_call_is_in_the_journal_and_no_control_call(api):
    api.delete("/_control/calls")
    created = api.post("/api/patients", json=sample("patient_create_request")).json()
    api.get(f"/api/patients/{created['id']}")
    api.get("/api/patients", params={"last_name": "Fixture"})

    journal = api.get("/_control/calls").json()

    assert [(call["method"], call["status"]) for call in journal["calls"]] == [
        ("POST", 201),
        ("GET", 200),
        ("GET", 200),
    ]
    assert journal["counts"] == {"POST /api/patients": 1, "GET /api/patients/{id}": 1, "GET /api/patients": 1}
    assert (journal["calls"][2]["query"], journal["calls"][2]["count"]) == ("last_name=Fixture", 1)


# --- webhooks


async def test_a_callback_that_knows_the_secret_is_verified_and_another_is_not(server):
    given = sample("webhook_verification")
    digest = hmac.new(given["secret_token"].encode(), given["request"]["query"]["msg"].encode(), hashlib.sha256)
    assert digest.hexdigest() == given["response"]["body"]["secret_token"]

    async with hooked(server) as (control, requests):
        url = (await control.get("/webhook")).json()["url"]
        answer = (await control.post("/webhook", json={"url": url, "secret": "another"})).json()
        await control.post("/patients", json={})

        assert answer == {"verified": False, "detail": "the secret_token is not the one expected"}
        assert (await control.get("/deliveries")).json()["waiting"] == 0
    assert requests == []


async def test_a_delivery_carries_the_three_headers_and_the_record(server):
    async with hooked(server) as (control, requests):
        record = (await control.post("/patients", json={})).json()
        await deliveries(control, delivered=1, in_flight=0)

    [(_, head, body)] = requests
    for name, value in sample("webhook_patient_create")["headers"].items():
        wanted = "950000001" if name == "X-drchrono-delivery" else value
        assert f"\r\n{name}: {wanted}\r\n".encode() in head
    assert head.startswith(b"POST /webhooks/drchrono HTTP/1.1\r\n")
    assert json.loads(body)["object"] == record
    assert list(json.loads(body)) == list(sample("webhook_patient_create")["body"])
    assert list(json.loads(body)["receiver"]) == list(sample("webhook_patient_create")["body"]["receiver"])


async def test_a_ping_has_no_object(server):
    async with hooked(server, lambda _: 204) as (control, requests):
        assert (await control.post("/ping")).json() == {"status": 204}

    [(_, head, body)] = requests
    assert b"X-drchrono-event: PING\r\n" in head
    assert json.loads(body).keys() == sample("webhook_ping")["body"].keys()
    assert json.loads(body)["object"] is None


async def test_an_api_write_raises_an_event_too(server):
    async with hooked(server) as (control, requests):
        api = httpx.AsyncClient(base_url=server)
        code = (await control.post("/oauth/code", json={"redirect_uri": REDIRECT})).json()["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **CLIENT}
        async with api:
            api.headers.update(bearer((await api.post("/o/token/", data=form)).json()))
            created = (await api.post("/api/patients", json=sample("patient_create_request"))).json()
            await api.patch(f"/api/patients/{created['id']}", json={"city": "Testville"})
        await deliveries(control, delivered=2, in_flight=0)

    events = {re.search(rb"X-drchrono-event: (\w+)", head)[1] for _, head, _ in requests}
    assert events == {b"PATIENT_CREATE", b"PATIENT_MODIFY"}


async def test_redeliveries_come_at_one_three_and_seven_hours_with_the_first_body_and_then_never(server):
    hour_s = 0.3
    async with hooked(server, lambda _: 302) as (control, requests):
        await control.put("/clock", json={"hour_s": hour_s})
        record = (await control.post("/patients", json={})).json()
        await deliveries(control, failed_waiting_retry=1, in_flight=0)
        await control.patch(f"/patients/{record['id']}?silent=true", json={"city": "Elsewhere"})
        counts = await deliveries(control, given_up=1, in_flight=0)
        [item] = (await control.get("/deliveries", params={"items": "true"})).json()["items"]

    first = requests[0][0]
    hours = [(at - first) / hour_s for at, _, _ in requests]
    assert [round(hour) for hour in hours] == [0, 1, 3, 7]
    assert len({body for _, _, body in requests}) == 1
    assert len({re.search(rb"X-drchrono-delivery: (\w+)", head)[1] for _, head, _ in requests}) == 1
    assert (counts["waiting"], counts["failed_waiting_retry"]) == (0, 0)
    assert (item["attempts"], item["last_status"], item["record_id"]) == (4, 302, record["id"])


async def test_a_redelivery_that_is_taken_is_the_last(server):
    async with hooked(server, lambda number: 500 if number < 3 else 204) as (control, requests):
        await control.put("/clock", json={"hour_s": 0.05})
        await control.post("/patients", json={})
        await deliveries(control, delivered=1, failed_waiting_retry=0, waiting=0, in_flight=0)

    assert len(requests) == 3


async def test_a_given_up_delivery_can_be_sent_again_by_hand(server):
    async with hooked(server, lambda number: 500 if number < 5 else 200) as (control, _):
        await control.put("/clock", json={"hour_s": 0.01})
        await control.post("/patients", json={})
        await deliveries(control, given_up=1, in_flight=0)

        assert (await control.post("/deliveries/950000001/redeliver")).json() == {"status": 200}

        await deliveries(control, given_up=0, delivered=1)


async def test_held_deliveries_wait_and_leave_in_an_order_the_seed_decides(server):
    orders = []
    for seed in (1, 1, 2):
        async with hooked(server, hold=True, shuffle=True, seed=seed, concurrency=1) as (control, requests):
            await control.post("/patients/bulk", json={"count": 12})
            await deliveries(control, waiting=12, in_flight=0, delivered=0)
            await control.post("/deliveries/release")
            await deliveries(control, waiting=0, in_flight=0, delivered=12)
            orders.append([json.loads(body)["object"]["id"] for _, _, body in requests])

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) != orders[0]


@pytest.mark.parametrize(("body_at", "city"), [("send", "Elsewhere"), ("event", "")])
async def test_the_body_is_the_record_at_send_unless_asked_otherwise(server, body_at, city):
    async with hooked(server, hold=True, body_at=body_at) as (control, requests):
        record = (await control.post("/patients", json={})).json()
        await control.patch(f"/patients/{record['id']}?silent=true", json={"city": "Elsewhere"})
        await control.post("/deliveries/release")
        await deliveries(control, delivered=1, in_flight=0)

    assert json.loads(requests[0][2])["object"]["city"] == city


async def test_two_copies_carry_one_delivery_id(server):
    async with hooked(server, copies=2) as (control, requests):
        await control.post("/patients", json={})
        await deliveries(control, delivered=1, waiting=0, in_flight=0)

    assert len({re.search(rb"X-drchrono-delivery: (\w+)", head)[1] for _, head, _ in requests}) == 1
    assert len(requests) == 2


async def test_a_dropped_delivery_never_leaves(server):
    async with hooked(server, drop=1.0) as (control, requests):
        await control.post("/patients", json={})
        await deliveries(control, dropped=1, waiting=0, in_flight=0)

    assert requests == []


async def test_a_vanished_patient_raises_no_event(server):
    async with hooked(server) as (control, requests):
        record = (await control.post("/patients?silent=true", json={})).json()
        await control.delete(f"/patients/{record['id']}")
        await deliveries(control, waiting=0, in_flight=0, delivered=0)

    assert requests == []


async def test_a_delayed_delivery_counts_as_waiting_until_it_leaves(server):
    async with hooked(server, delay_s=0.3) as (control, requests):
        raised_at = time.monotonic()
        await control.post("/patients", json={})
        await deliveries(control, waiting=1, in_flight=0, delivered=0)
        await deliveries(control, waiting=0, in_flight=0, delivered=1)

    assert requests[0][0] - raised_at >= 0.3
