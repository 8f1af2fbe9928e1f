"""What stands before every route: a stranger's body is not read, no body is without an end, and only our name is ours.

The routes are found in the app itself, so that a new one is met here without being named.
"""

import pytest

from tests.flow.clinic import OPERATOR, OUTBOUND, SECRET, opened
from tests.flow.heard import changed
from tests.flow.security.test_security import PUBLIC, READING, VIEWER, changing, routes

EVENTS = "event-token-of-the-tests"
BEARER = {"authorization": f"Bearer {OPERATOR}"}
TEN_MEGABYTES, MOST_READ = 10_000_000, 128 * 1024
REFUSED = {401, 404, 405, 413}  # 404: the outbound door, which says nothing of itself; 405: the method is not known
DOORS = {
    "/webhooks/drchrono": ({"x-drchrono-signature": SECRET, "x-drchrono-event": "PATIENT_MODIFY"}, 1024 * 1024),
    "/webhooks/salesforce/events": ({"authorization": f"Bearer {EVENTS}"}, 1024 * 1024),
    f"/webhooks/salesforce/outbound/{OUTBOUND}": ({"content-type": "text/xml"}, 8 * 1024 * 1024),
}


@pytest.fixture
def known(known):
    return changed(known, salesforce_event_tokens=EVENTS, viewer_token=VIEWER)


class Body:
    """A body of so many bytes that says how many of them were read."""

    def __init__(self, size):
        self.left, self.read = size, 0

    async def __aiter__(self):
        while self.left > 0:
            part = b"x" * min(self.left, 16_384)
            self.left -= len(part)
            self.read += len(part)
            yield part


async def sent(clinic, method, path, size=TEN_MEGABYTES, *, declared, **headers):
    body = Body(size)
    length = {"content-length": str(size)} if declared else {}
    answer = await clinic.web.request(method, path, content=body, headers=headers | length)
    return answer, body.read


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_ten_megabytes_of_a_strangers_are_refused_on_every_route_before_they_are_read(clinic, declared):
    taken = []
    for method, path in routes(clinic):
        answer, read = await sent(clinic, method, path, declared=declared, **{"content-type": "application/json"})
        is_refused = answer.status_code in REFUSED or answer.headers.get("location", "").startswith("/login")
        is_for_everybody = method in ("GET", "HEAD") and path in PUBLIC
        if read > MOST_READ or not (is_refused or is_for_everybody):
            taken.append((method, path, answer.status_code, read))

    assert taken == []


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_ten_megabytes_of_an_operators_are_refused_too(clinic, declared):
    taken = []
    for method, path in routes(clinic):
        if method == "GET" or path.startswith("/webhooks/"):
            continue
        headers = BEARER | {"content-type": "application/json"}
        _, read = await sent(clinic, method, path, declared=declared, **headers)
        if read > MOST_READ:
            taken.append((method, path, read))

    assert taken == []


async def test_a_viewer_is_refused_on_every_route_that_acts_before_what_they_sent_is_read(clinic):
    taken = []
    headers = {"authorization": f"Bearer {VIEWER}", "content-type": "application/json"}
    acts = [(method, path) for method, path in changing(clinic) if path != "/logout" and path not in READING]
    for method, path in acts:
        answer, read = await sent(clinic, method, path, 1_000, declared=True, **headers)
        if (answer.status_code, read) != (403, 0):
            taken.append((method, path, answer.status_code, read))

    assert len(acts) >= 20
    assert taken == []


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
@pytest.mark.parametrize("door", DOORS)
async def test_each_door_takes_as_much_as_it_says_and_no_more(clinic, door, declared):
    headers, most = DOORS[door]

    fits, _ = await sent(clinic, "POST", door, most, declared=declared, **headers)
    too_large, read = await sent(clinic, "POST", door, most + 1, declared=declared, **headers)

    assert (fits.status_code, too_large.status_code) == (200, 413)
    assert read <= (0 if declared else most + 65_536)


@pytest.mark.parametrize("path", ["/api/v1/patients", "/api/v1/replay", "/api/v1/nothing/of/the/sort"])
async def test_a_stranger_is_told_401_before_what_they_sent_is_looked_at(clinic, path):
    answer = await clinic.web.post(path, content=b"{", headers={"content-type": "application/json"})

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    "path", ["/webhooks/drchrono/", "//webhooks/salesforce/events", f"/webhooks/salesforce//outbound/{OUTBOUND}//"]
)
async def test_a_slash_too_many_means_the_address_without_it(clinic, path):
    door = path.replace("//", "/").rstrip("/")
    headers, most = DOORS[door]

    heard = await clinic.web.post(f"https://sync.example.com{path}", content=b"{}", headers=headers)
    too_large, read = await sent(clinic, "POST", path, most + 1, declared=True, **headers)

    assert (heard.status_code, too_large.status_code, read) == (200, 413, 0)


@pytest.mark.parametrize("path", ["/livez/", "//livez", "/api/v1/queue/", "/login/"])
async def test_a_slash_too_many_is_no_way_around_the_door_nor_a_redirect(clinic, path):
    answer = await clinic.web.get(f"https://sync.example.com{path}")

    assert answer.status_code == (401 if "/api/" in path else 200)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("sync.example.com", 200),
        ("SYNC.example.com.:443", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("localhost", 200),
        ("evil.example", 421),
        ("sync.example.com.evil.example", 421),
        ("evil.example:443@sync.example.com", 421),
        ("", 421),
    ],
)
async def test_only_our_own_name_and_this_machines_are_answered(clinic, host, status):
    answer = await clinic.web.get("/login", headers={"host": host})

    assert answer.status_code == status
    assert "evil" not in answer.text


async def test_a_proxy_may_ask_by_a_name_that_the_settings_allow(known, empty_vendors):
    given = changed(known, allowed_hosts="web, Sync.Internal")
    async with opened(given, empty_vendors.drchrono, empty_vendors.salesforce, connects=False) as clinic:
        asked = ("web:8000", "sync.internal", "internal")
        answers = [await clinic.web.get("/login", headers={"host": host}) for host in asked]

    assert [answer.status_code for answer in answers] == [200, 200, 421]


@pytest.mark.parametrize("probe", ["/livez", "/readyz", "/healthz", "/metrics"])
async def test_a_probe_is_answered_by_whatever_name_it_is_asked(clinic, probe):
    answer = await clinic.web.get(probe, headers={"host": "10.244.3.7:8000"})

    assert answer.status_code == 200


async def test_a_client_that_goes_away_in_mid_body_is_no_error_of_ours(clinic, capfd):
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    headers = [(b"host", b"localhost"), *((k.encode(), v.encode()) for k, v in DOORS["/webhooks/drchrono"][0].items())]
    scope = {
        "type": "http", "method": "POST", "path": "/webhooks/drchrono", "query_string": b"", "headers": headers,
        "scheme": "http", "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1), "root_path": "",
    }  # fmt: skip
    answered = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        answered.append(message.get("status"))

    await clinic.app(scope, receive, send)

    assert answered[0] == 499
    assert "Traceback" not in capfd.readouterr().err
