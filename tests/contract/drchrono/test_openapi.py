"""DrChrono's own OpenAPI judges every request our client sends and every answer of the stand-in.

Without the file there is one skip and nothing else: it is DrChrono's, so it does not lie in this project.
"""

import json
from contextlib import suppress
from inspect import iscoroutinefunction

import httpx
import pytest

from app.errors import Gone, Rejected
from app.sync.mappings import file
from app.sync.model import Kind, Side
from app.vendors.drchrono.bulk_lists import bulk_pages
from app.vendors.drchrono.client import DrChrono
from app.vendors.drchrono.documents import DrChronoDocuments
from tests.contract import openapi
from tests.contract.drchrono.test_documents import file_of
from tests.standins.tests.known import OURS as DOCTOR
from tests.standins.tests.known import PROVIDER, STAFF
from tests.unit.documents.pieces import PDF

if not openapi.PLACE.is_file():
    pytest.skip(openapi.ABSENT, allow_module_level=True)

PATIENTS, APPOINTMENTS = "/api/patients", "/api/appointments"
OFFICE = 410001
DAY = "2026-03-16"
MAPPINGS = file.load()
A_PATIENT = {"first_name": "Testa", "last_name": "Fixture", "gender": "Female", "doctor": DOCTOR}


@pytest.fixture(scope="module")
def judge():
    return openapi.Judge(openapi.document())


# --- our client


CLIENT = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # its kind makes no difference here


@pytest.fixture
async def drchrono(practice):
    return await practice.join()


@pytest.fixture
def heard(drchrono):
    """What our client sends from here on, each with its answer."""
    said = []

    async def hear(answer):
        await answer.aread()
        said.append(answer)

    drchrono._http.event_hooks["response"].append(hear)
    return said


@pytest.fixture
def visit(practice):
    """The id of a patient, and of a visit of theirs."""
    patient = practice.control.post("/_control/patients?silent=true", json=A_PATIENT).json()["id"]
    booked = {"patient": patient, "scheduled_time": f"{DAY}T10:30:00"}
    return str(patient), practice.control.post("/_control/appointments", json=booked).json()["id"]


async def read(drchrono, patient, appointment):
    for path, record_id in ((PATIENTS, patient), (APPOINTMENTS, appointment), ("/api/offices", str(OFFICE))):
        assert await drchrono.read(path, record_id)
    assert await drchrono.read(PATIENTS, "1") is None


async def update(drchrono, patient, appointment):
    await drchrono.update(PATIENTS, patient, {"city": "Newtown", "email": ""})
    await drchrono.update(APPOINTMENTS, appointment, {"status": "Cancelled", "reason": "moved", "duration": 45})
    with pytest.raises(Gone):
        await drchrono.update(PATIENTS, "1", {"city": "Newtown"})


async def create(drchrono, patient, _appointment):
    fields, refused = MAPPINGS[Kind.PATIENT].write(Side.DRCHRONO, WRITTEN[Kind.PATIENT])
    assert (refused, (await drchrono.create(PATIENTS, fields))["first_name"]) == ({}, "Testa")
    at = wanted(int(patient), "16:30:00", notes="by the east door")
    assert (await drchrono.create(APPOINTMENTS, at))["patient"] == int(patient)
    with pytest.raises(Rejected):
        await drchrono.create(APPOINTMENTS, at | {"scheduled_time": f"{DAY}T10:30:00"})


async def listed(drchrono, *_ids):
    assert await drchrono.listed(PATIENTS, {"date_of_birth": "1980-02-03", "show_inactive": "true"}) == []
    compared = {"since": "2026-01-01", "show_archived": "true", "ignore_virtual": "true"}
    assert await drchrono.listed(APPOINTMENTS, compared)
    for path in (PATIENTS, f"{APPOINTMENTS}?date={DAY}", "/api/doctors", "/api/offices", "/api/users"):
        assert await drchrono.listed(path)


async def called(drchrono, *_ids):
    """By the bulk lists."""
    drchrono.bulk_waits_s = (0.0,) * 5
    for path, shown in ((PATIENTS, {"show_inactive": "true"}), (APPOINTMENTS, {"show_archived": "true"})):
        pages = bulk_pages(drchrono, path, {"since": "2026-01-01", **shown})
        assert [page.rows async for page in pages] > [[]]


async def user(drchrono, *_ids):
    assert (await drchrono.user()).id == PROVIDER


async def doctor(drchrono, *_ids):
    assert await drchrono.doctor(str(DOCTOR), (await drchrono.broker.current()).value)


async def raw(drchrono, _patient, appointment):
    assert (await drchrono.raw("GET", "/api/doctors", "GET /api/doctors")).status_code == httpx.codes.OK
    deleted = await drchrono.raw("DELETE", f"{APPOINTMENTS}/{appointment}", "DELETE /api/appointments/{id}")
    assert deleted.status_code == httpx.codes.NO_CONTENT


async def delete(drchrono, _patient, appointment):
    await drchrono.delete(APPOINTMENTS, appointment)


CALLS = {call.__name__: call for call in (read, update, create, listed, called, user, doctor, raw, delete)}
SENDS_NOTHING = {"has_calls", "close"}


def test_every_call_our_client_can_make_is_judged_here():
    can = {name for name, member in vars(DrChrono).items() if iscoroutinefunction(member) and name[0] != "_"}

    assert can - SENDS_NOTHING == set(CALLS), "give each call of the client a line in CALLS"


@CLIENT
@pytest.mark.parametrize("name", CALLS)
async def test_what_our_client_sends_and_is_answered_is_what_drchrono_says(drchrono, heard, judge, visit, name):
    await CALLS[name](drchrono, *visit)

    judged = [answer for answer in heard if answer.request.url.path != "/api/users/current"]  # the file has no such
    assert judged
    assert [fault for answer in judged for fault in judge.of_request(answer.request)] == []
    assert [fault for answer in judged for fault in judge.of_answer(answer)] == []


@CLIENT
async def test_what_our_client_sends_of_documents_is_what_drchrono_says(practice, drchrono, heard, judge, visit):
    async def keep(request):
        await request.aread()  # a file that is streamed comes once; the judge reads it again

    drchrono._http.event_hooks["request"].append(keep)
    documents, day = DrChronoDocuments(drchrono), {"since": "2026-01-01"}
    fields = FILED | {"patient": visit[0]}

    made = str((await documents.upload(fields, await file_of(PDF)))["id"])
    await documents.change(made, {"description": "Renamed", "metatags": "[]"})
    await documents.archive(made)

    assert (await documents.read(made))["archived"]
    assert [page async for page in documents.pages(patient=visit[0], doctor=str(DOCTOR), **day)]
    assert [answer.request.method for answer in heard] == ["POST", "PATCH", "DELETE", "GET", "GET"]
    assert [fault for answer in heard for fault in judge.of_request(answer.request)] == []
    assert [fault for answer in heard for fault in judge.of_answer(answer)] == []


@CLIENT
async def test_a_list_of_many_pages_is_asked_for_as_drchrono_says(practice, drchrono, heard, judge):
    practice.control.post("/_control/patients/bulk", json={"count": 5, "silent": True})
    practice.control.put("/_control/settings", json={"page_size": 2})

    await drchrono.listed(PATIENTS)

    assert [answer.request.url.params.get("cursor") is None for answer in heard] == [True, False, False]
    assert [fault for answer in heard for fault in judge.of_request(answer.request) + judge.of_answer(answer)] == []


WRITTEN = {
    Kind.PATIENT: {
        "first_name": "Testa", "last_name": "Fixture", "date_of_birth": "1980-02-03", "gender": "UNK",
        "email": "testa@example.com", "cell_phone": "(555) 010-0142", "home_phone": "555-010-0143",
        "address": "1 Fixture Way", "city": "Testville", "state": "NY", "zip_code": "12345", "doctor": str(DOCTOR),
    },
    Kind.APPOINTMENT: {
        "patient": "220000101", "doctor": str(DOCTOR), "office": str(OFFICE), "exam_room": "2",
        "scheduled_time": f"{DAY}T14:30:00", "duration": "45", "status": "Confirmed", "reason": "Check-up",
        "notes": "by the east door",
    },
}  # fmt: skip
EACH_FIELD = [
    pytest.param(
        kind,
        name,
        value,
        id=f"{kind} {name} {'said' if value else 'emptied'}",
    )
    for kind, fields in WRITTEN.items()
    for name, said in fields.items()
    for value in (said, None)
    if value or not (MAPPINGS[kind].rows[name].is_required or MAPPINGS[kind].rows[name].parent)
]


@CLIENT
@pytest.mark.parametrize(("kind", "name", "value"), EACH_FIELD)
async def test_each_field_as_the_shipped_mapping_writes_it_is_as_drchrono_says(
    drchrono, heard, judge, visit, kind, name, value
):
    fields, refused = MAPPINGS[kind].write(Side.DRCHRONO, {name: value})

    with suppress(Rejected):  # the judge is asked here, not the stand-in
        await drchrono.update(MAPPINGS[kind].path, visit[kind is Kind.APPOINTMENT], fields)

    assert (refused, list(fields)) == ({}, [MAPPINGS[kind].rows[name].names[Side.DRCHRONO]])
    assert judge.of_request(heard[-1].request) == []


@pytest.mark.parametrize("kind", [kind for kind, table in MAPPINGS.items() if not table.is_one_way])
def test_every_field_the_shipped_mapping_carries_to_drchrono_is_judged(kind):
    both_ways = {name for name, row in MAPPINGS[kind].rows.items() if row.direction == "both"}

    assert both_ways == set(WRITTEN[kind])


@CLIENT
@pytest.mark.parametrize(
    ("path", "fields", "fault"),
    [
        (PATIENTS, {"town": "Newtown"}, "town"),
        (PATIENTS, {"id": 7}, "id"),
        (PATIENTS, {"city": ["Newtown"]}, "Newtown"),
        (PATIENTS, {"city": None}, "None"),
        (PATIENTS, {"gender": "female"}, "female"),
        (PATIENTS, {"doctor": str(DOCTOR)}, str(DOCTOR)),
        (APPOINTMENTS, {"status": "Canceled"}, "Canceled"),
        (APPOINTMENTS, {"duration": "45"}, "45"),
        (APPOINTMENTS, {"patient": None}, "None"),
        (APPOINTMENTS, {"deleted_flag": True}, "deleted_flag"),
    ],
    ids=str,
)
async def test_a_wrong_body_of_our_client_is_caught(drchrono, heard, judge, visit, path, fields, fault):
    with suppress(Rejected):
        await drchrono.update(path, visit[0 if path == PATIENTS else 1], fields)

    assert fault in " ".join(judge.of_request(heard[-1].request))


@CLIENT
async def test_a_parameter_nobody_declared_and_a_path_there_is_not_are_caught(drchrono, heard, judge):
    await drchrono.listed(f"{PATIENTS}?birthday=1980-02-03")
    with pytest.raises(Gone):
        await drchrono.update("/api/patient", "1", {})

    assert "birthday" in " ".join(judge.of_request(heard[0].request))
    assert "PathNotFound" in " ".join(judge.of_request(heard[1].request))


# --- the stand-in


@pytest.fixture
def records(control):
    """A practice with something of every kind; gives what a path may name."""
    patient = control.post("/patients", json=A_PATIENT | {"email": "testa@example.com"}).json()["id"]
    control.post("/patients/bulk", json={"count": 4, "silent": True})
    at = {"patient": patient, "scheduled_time": f"{DAY}T10:30:00", "duration": 30}
    visit = control.post("/appointments", json=at).json()["id"]
    control.post("/breaks", json={"scheduled_time": f"{DAY}T12:00:00"})
    weekly = {"recurring_days": ["Monday"], "recurs_every": 1, "recur_end_date": "2026-04-27"}
    series = control.post("/appointments/series", json=at | {"scheduled_time": f"{DAY}T15:00:00"} | weekly)
    assert series.status_code < 300, series.text
    return {"patient": patient, "visit": visit}


def wanted(patient, time, **fields):
    return {
        "doctor": DOCTOR, "office": OFFICE, "exam_room": 1, "patient": patient, "scheduled_time": f"{DAY}T{time}",
        "duration": 30, **fields,
    }  # fmt: skip


ANSWERS = [
    ("GET", "/patients", None, 200),
    ("GET", "/patients?page_size=2", None, 200),
    ("GET", "/patients?verbose=true&show_inactive=true", None, 200),
    ("GET", "/patients?date_of_birth=1980-02-03", None, 200),
    ("GET", "/patients/{patient}", None, 200),
    ("GET", "/patients/{patient}?verbose=true", None, 200),
    ("GET", "/patients/1", None, 404),
    ("POST", "/patients", A_PATIENT, 201),
    ("POST", "/patients", {"first_name": "Testb"}, 400),
    ("PATCH", "/patients/{patient}", {"city": "Newtown", "date_of_birth": None}, 204),
    ("PATCH", "/patients/{patient}", {"gender": "Robot"}, 400),
    ("PATCH", "/patients/1", {"city": "Newtown"}, 404),
    ("PUT", "/patients/{patient}", A_PATIENT, 204),
    ("DELETE", "/patients/{patient}", None, 204),
    ("GET", f"/appointments?date={DAY}", None, 200),
    ("GET", f"/appointments?date={DAY}&verbose=true", None, 200),
    ("GET", "/appointments?date_range=2026-03-01/2026-04-30&page_size=2", None, 200),
    ("GET", "/appointments?since=2026-01-01&show_archived=true&ignore_virtual=true", None, 200),
    ("GET", "/appointments", None, 400),
    ("GET", "/appointments/{visit}", None, 200),
    ("GET", "/appointments/1", None, 404),
    ("POST", "/appointments", ("11:30:00", {}), 201),
    ("POST", "/appointments", ("10:30:00", {}), 409),
    ("POST", "/appointments", ("11:30:00", {"office": 1}), 400),
    ("PATCH", "/appointments/{visit}", {"status": "Cancelled"}, 204),
    ("PATCH", "/appointments/{visit}", {"scheduled_time": "soon"}, 400),
    ("PUT", "/appointments/{visit}", ("16:30:00", {}), 204),
    ("DELETE", "/appointments/{visit}", None, 204),
    ("GET", "/doctors", None, 200),
    ("GET", f"/doctors/{DOCTOR}", None, 200),
    ("GET", "/doctors/1", None, 404),
    ("GET", f"/offices?doctor={DOCTOR}", None, 200),
    ("GET", f"/offices/{OFFICE}", None, 200),
    ("GET", "/offices/1", None, 404),
    ("GET", "/users", None, 200),
    ("GET", f"/users/{STAFF}", None, 200),
    ("GET", "/users/1", None, 404),
    ("POST", "/patients_list?page=1&page_size=2&order_by=updated_at&verbose=true", None, 201),
    ("POST", "/patients_list?order_by=chart_id", None, 400),
    ("GET", "/patients_list?uuid=none", None, 404),
    ("POST", f"/appointments_list?page=1&date={DAY}", None, 201),
    ("GET", "/appointments_list?uuid=none", None, 404),
]


def asked(api, records, method, path, body):
    if isinstance(body, tuple):
        body = wanted(records["patient"], body[0], **body[1])
    return (
        api.request(method, path.format(**records), json=body) if body else api.request(method, path.format(**records))
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    ANSWERS,
    ids=[f"{status} {method} {path}" for method, path, _, status in ANSWERS],
)
def test_an_answer_of_the_stand_in_is_what_drchrono_says(api, judge, records, method, path, body, status):
    answer = asked(api, records, method, path, body)

    assert answer.status_code == status, answer.text
    assert judge.of_answer(answer) == []


FILED = {"doctor": str(DOCTOR), "description": "Referral", "date": DAY, "metatags": '["Share with CRM"]'}
A_FILE = {"document": ("scan.pdf", b"%PDF-1.7", "application/pdf")}
DOCUMENTS = [
    ("GET", "/documents", {}, {}, 200),
    ("GET", "/documents?patient={patient}&since=2026-01-01&page_size=1", {}, {}, 200),
    ("GET", "/documents/{document}", {}, {}, 200),
    ("GET", "/documents/1", {}, {}, 404),
    ("POST", "/documents", FILED, A_FILE, 201),
    ("POST", "/documents", FILED, {"document": ("scan.pdf", b"")}, 400),
    ("PATCH", "/documents/{document}", {"description": "Renamed"}, A_FILE, 204),
    ("PUT", "/documents/{document}", FILED, A_FILE, 204),
    ("DELETE", "/documents/{document}", {}, {}, 204),
]


@pytest.mark.parametrize(
    ("method", "path", "fields", "files", "status"),
    DOCUMENTS,
    ids=[f"{status} {method} {path}" for method, path, *_, status in DOCUMENTS],
)
def test_a_document_is_sent_and_answered_as_drchrono_says(
    api, control, judge, records, method, path, fields, files, status
):
    made = control.post("/documents", json={"patient": records["patient"], "metatags": "[]"}).json()
    control.post("/documents", json={"patient": records["patient"]})
    fields = fields | ({"patient": str(records["patient"])} if method in ("POST", "PUT") else {})

    sent = {"data": fields, "files": files} if files else {}
    answer = api.request(method, path.format(**records, document=made["id"]), **sent)

    assert answer.status_code == status, answer.text
    assert judge.of_answer(answer) == []
    assert judge.of_request(answer.request) == []


def test_a_document_without_what_it_needs_is_caught(api, judge, records):
    answer = api.post("/documents", data={"doctor": str(DOCTOR), "tags": "a"}, files=A_FILE)

    faults = " ".join(judge.of_request(answer.request))

    assert "'description' is a required property" in faults
    assert "tags" in faults


@pytest.mark.parametrize("kind", ["patients", "appointments"])
@pytest.mark.parametrize("verbose", ["true", "false"])
def test_a_bulk_list_is_told_step_by_step_as_drchrono_says(api, judge, records, kind, verbose):
    uuid = api.post(f"/{kind}_list", params={"since": "2026-01-01", "verbose": verbose}).json()["uuid"]

    steps = [api.get(f"/{kind}_list", params={"uuid": uuid}) for _ in range(2)]

    assert [step.json()["status"] for step in steps] == ["In progress", "Complete"]
    assert steps[1].json()["results"]
    assert [fault for step in steps for fault in judge.of_answer(step)] == []


@pytest.mark.parametrize("kind", ["patients", "appointments"])
def test_a_bulk_list_that_fails_says_so_as_drchrono_says(api, control, judge, kind):
    uuid = api.post(f"/{kind}_list").json()["uuid"]
    control.put("/settings", json={"bulk_fails": True})

    answer = api.get(f"/{kind}_list", params={"uuid": uuid})

    assert (answer.status_code, judge.of_answer(answer)) == (500, [])


REFUSED = ["/patients", "/patients/{patient}", f"/appointments?date={DAY}", "/doctors", "/offices", "/users"]


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_refusal_of_the_stand_in_is_one_drchrono_knows(api, control, judge, records, path, status):
    deeds = {429: {"do": "throttle"}, 401: None}
    deed = deeds.get(status, {"do": "error", "status": status, "body": {"detail": "no"}})
    if deed is None:
        control.post("/tokens/expire")
    else:
        control.post("/faults", json={"match": "GET /api/", "next": 1, **deed})

    answer = asked(api, records, "GET", path, None)

    assert (answer.status_code, judge.of_answer(answer)) == (status, [])


@pytest.mark.parametrize(
    ("path", "body", "fault"),
    [
        ("/patients/7", {"id": "seven", "doctor": DOCTOR, "gender": ""}, "seven"),
        ("/patients/7", {"id": 7, "doctor": DOCTOR, "gender": "Robot"}, "Robot"),
        ("/patients/7", {"id": 7, "gender": ""}, "doctor"),
        ("/patients/7", {"id": 7, "doctor": DOCTOR, "gender": "", "city": None}, "None"),
        ("/patients", {"data": [], "next": None, "previous": None}, "results"),
        ("/patients", {"results": [{"id": 7}], "next": None, "previous": None}, "gender"),
        (f"/offices/{OFFICE}", {"id": OFFICE, "exam_rooms": "[1, 2]"}, "[1, 2]"),
        (f"/users/{STAFF}", {"id": int(STAFF)}, STAFF),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_a_wrong_answer_is_caught(api, control, judge, path, body, fault):
    control.post("/faults", json={"match": "GET /api/", "next": 1, "do": "error", "status": 200, "body": body})

    assert fault in " ".join(judge.of_answer(api.get(path)))


@pytest.mark.parametrize("status", [200, 418])
def test_a_status_nobody_declared_is_caught(api, control, judge, status):
    fault = {"match": "PATCH /api/", "next": 1, "do": "error", "status": status, "body": {"detail": "no"}}
    control.post("/faults", json=fault)

    assert "ResponseNotFound" in " ".join(judge.of_answer(api.patch("/patients/1", json={})))
