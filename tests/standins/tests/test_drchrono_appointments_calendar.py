"""The DrChrono stand-in's calendar: what the front desk does, series and their virtual days, deliveries of it all."""

import json
import re
import time

import httpx
import pytest

from tests.standins.tests.known import CLIENT, REDIRECT, assert_alike, sample
from tests.standins.tests.test_drchrono import bearer, deliveries, hooked

MONDAY = "2026-03-02"
SERIES = {"scheduled_time": f"{MONDAY}T14:00:00", "recur_end_date": "2026-06-29", "reason": "Synthetic weekly visit"}


@pytest.fixture
def patient(control):
    return control.post("/patients", json={}).json()["id"]


@pytest.fixture
def series(control, patient):
    return control.post("/appointments/series", json={"patient": patient, **SERIES}).json()


def booked(control, patient, time="10:30:00", **fields):
    given = {"patient": patient, "scheduled_time": f"{MONDAY}T{time}", **fields}
    return control.post("/appointments", json=given).json()


def listed(api, **asked):
    return api.get("/appointments", params={"page_size": 20, **asked}).json()["results"]


# --- the front desk


def test_a_patient_and_a_time_suffice_to_book(control, api, patient):
    booking = control.post("/appointments", json={"patient": patient, "scheduled_time": f"{MONDAY}T10:30"})

    assert booking.status_code == 201
    assert_alike(booking.json(), sample("appointment"))
    where = ("doctor", "office", "exam_room", "duration", "scheduled_time")
    assert [booking.json()[name] for name in where] == [310001, 410001, 1, 30, f"{MONDAY}T10:30:00"]
    assert api.get(f"/appointments/{booking.json()['id']}").json() == booking.json()
    assert control.get("/appointments").json() == {"appointments": {booking.json()["id"]: booking.json()}}


def test_a_booking_is_at_the_place_of_the_patients_own_doctor(control):
    theirs = control.post("/patients", json={"doctor": 310901}).json()["id"]

    booking = booked(control, theirs)

    assert (booking["doctor"], booking["office"]) == (310901, 410901)


@pytest.mark.parametrize("missing", ["patient", "scheduled_time"])
def test_who_and_when_must_be_said(control, patient, missing):
    body = {"patient": patient, "scheduled_time": f"{MONDAY}T10:30:00"}
    del body[missing]

    assert list(control.post("/appointments", json=body).json()) == [missing]


def test_a_person_may_book_over_somebody_else(control, patient):
    assert booked(control, patient)["id"] != booked(control, patient)["id"]


def test_an_edit_says_what_is_there_now_and_may_go_unchecked(control, api, patient):
    appointment = booked(control, patient)
    path = f"/appointments/{appointment['id']}"

    edited = control.patch(path, json={"status": "Checked In"}).json()
    refused = control.patch(path, json={"exam_room": 9})
    odd = control.patch(f"{path}?unchecked=true", json={"is_telehealth": True, "exam_room": 9}).json()

    assert edited["status"] == "Checked In"
    assert refused.status_code == 400
    assert (odd["is_telehealth"], odd["exam_room"]) == (True, 9)
    assert api.get(path).json() == odd


def test_many_are_booked_one_after_the_other_for_everyone_in_turn(control, api):
    assert control.post("/appointments/bulk", json={"count": 1, "start": f"{MONDAY}T08:00:00"}).status_code == 400
    people = control.post("/patients/bulk", json={"count": 2}).json()["ids"]

    ids = control.post("/appointments/bulk", json={"count": 3, "start": f"{MONDAY}T08:00:00"}).json()["ids"]

    found = listed(api, date=MONDAY)
    assert [record["id"] for record in found] == ids
    assert [record["patient"] for record in found] == [people[0], people[1], people[0]]
    assert [record["scheduled_time"][11:16] for record in found] == ["08:00", "08:30", "09:00"]


def test_a_vanished_appointment_is_gone_for_everyone(control, api, patient):
    appointment = booked(control, patient)["id"]

    assert control.post(f"/appointments/{appointment}/vanish").status_code == 204

    assert api.get(f"/appointments/{appointment}").status_code == 404
    assert api.delete(f"/appointments/{appointment}").status_code == 404
    assert listed(api, date=MONDAY, show_archived="true") == []
    assert control.delete(f"/appointments/{appointment}").status_code == 404


def test_a_break_looks_like_the_sample(control, api):
    pause = control.post("/breaks", json={"scheduled_time": f"{MONDAY}T12:00:00", "reason": "Synthetic lunch"})

    assert pause.status_code == 201
    assert_alike(pause.json(), sample("appointment_break"))
    same = ("appt_is_break", "patient", "exam_room", "duration", "reason")
    assert [pause.json()[name] for name in same] == [sample("appointment_break")[name] for name in same]
    assert api.get(f"/appointments/{pause.json()['id']}").json() == pause.json()
    assert control.post("/breaks", json={}).status_code == 400


def test_every_human_edit_says_which_kind_of_thing_it_was(control, api, patient):
    appointment = booked(control, patient)["id"]
    api.patch(f"/appointments/{appointment}", json={"notes": "x"})
    control.patch(f"/appointments/{appointment}?silent=true", json={"status": "Arrived"})
    control.delete(f"/appointments/{appointment}")
    control.post(f"/appointments/{appointment}/vanish")

    edits = control.get("/edits").json()

    assert [(edit["object"], edit["kind"], edit["id"]) for edit in edits] == [
        ("patient", "create", patient),
        *(("appointment", kind, appointment) for kind in ("create", "edit", "delete", "vanish")),
    ]
    assert edits[2]["fields"] == {"status": "Arrived"}
    assert edits[2].keys() == {"at", "kind", "object", "id", "fields"}


# --- offices


def test_an_office_opens_and_its_rooms_change_until_a_reset(control, api):
    opened = control.post("/offices", json={"name": "Synthetic Annex", "exam_rooms": [{"index": 4, "name": "Four"}]})
    control.put("/offices/410001", json={"exam_rooms": [{"index": 1, "name": "Renamed"}]})

    offices = {office["id"]: office for office in api.get("/offices").json()["results"]}

    assert opened.status_code == 201
    assert offices[opened.json()["id"]] == opened.json()
    assert list(opened.json()) == list(sample("office"))
    assert offices[410001]["exam_rooms"] == [{"index": 1, "name": "Renamed"}]
    control.post("/reset")
    assert control.get("/offices").json()["offices"]["410001"] == sample("office")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/offices", {"id": 410001}, 400),
        ("POST", "/offices", {"doctor": 1}, 400),
        ("PUT", "/offices/410001", {"timezone": "US/Eastern"}, 400),
        ("PUT", "/offices/410001", {"exam_rooms": 3}, 400),
        ("PUT", "/offices/410001", {"exam_rooms": [{"name": "nowhere"}]}, 400),
        ("PUT", "/offices/1", {}, 404),
    ],
)
def test_an_office_that_cannot_be_is_refused(control, method, path, body, status):
    assert control.request(method, path, json=body).status_code == status


# --- series


def test_a_series_is_a_base_and_a_virtual_day_a_week(api, series):
    base = series["base"]

    shown = listed(api, date_range="2026-03-02/2026-03-16")

    assert [record["id"] for record in shown] == [base["id"], *(f"2026-03-{day}_{base['id']}" for day in ("09", "16"))]
    assert_alike(shown[2], sample("appointment_recurring_virtual"))
    same = ("scheduled_time", "recurring_appointment", "recur_start_date", "recur_end_date", "recurring_days", "status")
    assert [shown[2][name] for name in same] == [sample("appointment_recurring_virtual")[name] for name in same]
    assert shown[2]["base_recurring_appointment"] == base["id"]
    assert shown[2]["recurrence_instance_key"] == f"{base['id']}_20260316"
    assert (base["base_recurring_appointment"], base["recurrence_instance_key"]) == (None, f"{base['id']}_20260302")
    assert series["virtual"][-1] == f"2026-06-29_{base['id']}"
    assert api.get(f"/appointments/{shown[2]['id']}").json() == shown[2]


def test_virtual_days_can_be_left_out_of_a_list(api, series):
    asked = {"date_range": "2026-03-01/2026-06-30"}

    assert [record["id"] for record in listed(api, **asked, ignore_virtual="true")] == [series["base"]["id"]]
    assert len(listed(api, **asked)) == 1 + len(series["virtual"]) == 18


def test_the_days_of_a_series_follow_its_weekdays_and_weeks(control, patient):
    given = {"recurring_days": ["Monday", "Thursday"], "recurs_every": 2, "recur_end_date": "2026-03-20"}

    answer = control.post("/appointments/series", json={"patient": patient, **SERIES, **given}).json()

    assert [name[:10] for name in answer["virtual"]] == ["2026-03-05", "2026-03-16", "2026-03-19"]


@pytest.mark.parametrize("given", [{"recurring_days": ["Someday"]}, {"recurs_every": -1}])
def test_a_series_that_cannot_be_is_refused(control, patient, given):
    assert control.post("/appointments/series", json={"patient": patient, **SERIES, **given}).status_code == 400


@pytest.mark.parametrize("touched_by", ["api", "human"])
def test_touching_a_virtual_day_gives_it_an_id_of_its_own_and_keeps_its_key(control, api, series, touched_by):
    virtual = f"2026-03-16_{series['base']['id']}"
    before = api.get(f"/appointments/{virtual}").json()

    caller = api if touched_by == "api" else control
    answer = caller.patch(f"/appointments/{virtual}", json={"status": "Confirmed"})

    [after] = listed(api, date="2026-03-16")
    assert answer.status_code == (204 if touched_by == "api" else 200)
    assert_alike(after, sample("appointment_recurring_materialized"))
    assert after["id"].isdecimal()
    changed = {name: after[name] for name in ("id", "status", "updated_at")}
    assert after == {**before, **changed, "status": "Confirmed"}
    assert api.get(f"/appointments/{virtual}").status_code == 404


def test_a_moved_day_of_a_series_keeps_the_key_of_its_original_date(api, series):
    virtual = f"2026-03-16_{series['base']['id']}"

    api.patch(f"/appointments/{virtual}", json={"scheduled_time": "2026-03-17T09:00:00"})

    [moved] = listed(api, date="2026-03-17")
    assert moved["recurrence_instance_key"] == f"{series['base']['id']}_20260316"
    assert listed(api, date="2026-03-16") == []


def test_without_the_feature_no_key_is_there(control, api, series):
    control.put("/settings", json={"consistent_recurrence_id": False})
    virtual = f"2026-03-16_{series['base']['id']}"
    api.patch(f"/appointments/{virtual}", json={"status": "Confirmed"})

    shown = listed(api, date_range="2026-03-02/2026-03-16")

    assert {record["recurrence_instance_key"] for record in shown} == {None}
    assert [record["base_recurring_appointment"] for record in shown] == [None, *[series["base"]["id"]] * 2]


def test_deleting_a_virtual_day_deletes_only_that_day(api, series):
    virtual = f"2026-03-16_{series['base']['id']}"

    assert api.delete(f"/appointments/{virtual}").status_code == 204

    assert listed(api, date="2026-03-16") == []
    [deleted] = listed(api, date="2026-03-16", show_archived="true")
    assert (deleted["deleted_flag"], deleted["recurrence_instance_key"][-8:]) == (True, "20260316")
    assert len(listed(api, date_range="2026-03-01/2026-06-30")) == 17


def test_an_untouched_day_follows_its_base_and_a_touched_one_does_not(api, series):
    base = series["base"]["id"]
    api.patch(f"/appointments/2026-03-09_{base}", json={"notes": "touched"})

    api.patch(f"/appointments/{base}", json={"scheduled_time": "2026-03-03T15:00:00", "status": "Arrived"})

    shown = listed(api, date_range="2026-03-02/2026-03-16")
    assert [record["scheduled_time"][5:16] for record in shown] == ["03-03T15:00", "03-09T14:00", "03-16T15:00"]
    assert [record["status"] for record in shown] == ["Arrived", "", ""]


@pytest.mark.parametrize("ending", ["delete", "vanish"])
def test_the_untouched_days_end_with_their_base(control, api, series, ending):
    base = series["base"]["id"]
    api.patch(f"/appointments/2026-03-09_{base}", json={"notes": "touched"})

    if ending == "delete":
        api.delete(f"/appointments/{base}")
    else:
        control.post(f"/appointments/{base}/vanish")

    assert [record["notes"] for record in listed(api, date_range="2026-03-01/2026-06-30")] == ["touched"]


def test_a_virtual_day_takes_its_time(api, patient, series):
    body = sample("appointment_create_request") | {"patient": patient, "scheduled_time": "2026-03-16T14:15:00"}

    answer = api.post("/appointments", json=body)

    assert answer.json() == {"detail": f"Appointment overlaps with 2026-03-16_{series['base']['id']}"}


# --- deliveries


async def visit(control):
    """Gives an appointment that was booked without a word."""
    patient = (await control.post("/patients?silent=true", json={})).json()["id"]
    given = {"patient": patient, "scheduled_time": f"{MONDAY}T10:30:00"}
    return (await control.post("/appointments?silent=true", json=given)).json()


async def called_as_provider(server, control):
    code = (await control.post("/oauth/code", json={"redirect_uri": REDIRECT})).json()["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **CLIENT}
    async with httpx.AsyncClient(base_url=server) as http:
        pair = (await http.post("/o/token/", data=form)).json()
    return httpx.AsyncClient(base_url=f"{server}/api", headers=bearer(pair))


def told(requests):
    """Gives the event and the object of every delivery, in the order of their numbers."""
    found = []
    for _, head, body in requests:
        number, event = (re.search(rb"X-drchrono-%s: (\w+)" % name, head)[1] for name in (b"delivery", b"event"))
        found.append((number, event.decode(), json.loads(body)["object"]))
    return [(event, record) for _, event, record in sorted(found, key=lambda each: each[0])]


async def test_each_api_write_is_told_as_the_list_shows_it(server):
    async with hooked(server, body_at="event") as (control, requests):
        patient = (await control.post("/patients?silent=true", json={})).json()["id"]
        async with await called_as_provider(server, control) as api:
            body = sample("appointment_create_request") | {"patient": patient}
            created = (await api.post("/appointments", json=body)).json()
            await api.patch(f"/appointments/{created['id']}", json={"status": "Cancelled"})
            await api.put(f"/appointments/{created['id']}", json=body)
            await api.delete(f"/appointments/{created['id']}")
        await deliveries(control, delivered=4, in_flight=0)

    events = [event for event, _ in told(requests)]
    assert events == ["APPOINTMENT_CREATE", *["APPOINTMENT_MODIFY"] * 2, "APPOINTMENT_DELETE"]
    assert told(requests)[0][1] == created
    assert [record["status"] for _, record in told(requests)] == ["", "Cancelled", "", ""]
    assert [record["deleted_flag"] for _, record in told(requests)] == [False, False, False, True]


@pytest.mark.parametrize(
    ("name", "method", "path", "body"),
    [
        ("webhook_appointment_create", "POST", "/appointments", {"patient": 220000101}),
        ("webhook_appointment_create_break", "POST", "/breaks", {}),
        ("webhook_appointment_modify", "PATCH", "/appointments/{id}", {"status": "Confirmed"}),
        ("webhook_appointment_modify_cancelled", "PATCH", "/appointments/{id}", {"status": "Cancelled"}),
        ("webhook_appointment_delete", "DELETE", "/appointments/{id}", None),
        ("webhook_appointment_modify_deleted_flag", "DELETE", "/appointments/{id}", None),
    ],
)
async def test_what_the_front_desk_does_is_told_as_sampled(server, name, method, path, body):
    async with hooked(server) as (control, requests):
        appointment = (await visit(control))["id"]
        if name == "webhook_appointment_modify_deleted_flag":
            await control.put("/settings", json={"delete_event": "APPOINTMENT_MODIFY"})
        given = {"scheduled_time": f"{MONDAY}T15:00:00", **body} if body is not None and method == "POST" else body
        answer = await control.request(method, path.format(id=appointment), json=given)
        assert answer.is_success, answer.text
        await deliveries(control, delivered=1, waiting=0, in_flight=0)

    [(_, head, body)] = requests
    shape = sample(name)
    assert f"X-drchrono-event: {shape['headers']['X-drchrono-event']}\r\n".encode() in head
    assert list(json.loads(body)) == list(shape["body"])
    seen, wanted = json.loads(body)["object"], shape["body"]["object"]
    assert_alike(seen, wanted)
    same = ("status", "deleted_flag", "appt_is_break", "exam_room")
    assert [seen[key] for key in same] == [wanted[key] for key in same]


async def test_a_silent_edit_and_a_vanishing_are_not_told(server):
    async with hooked(server) as (control, requests):
        path = f"/appointments/{(await visit(control))['id']}"
        assert (await control.patch(f"{path}?silent=true", json={"status": "Arrived"})).is_success
        assert (await control.delete(f"{path}?silent=true")).is_success
        assert (await control.post(f"{path}/vanish")).is_success
        await control.post("/breaks?silent=true", json={"scheduled_time": f"{MONDAY}T12:00:00"})
        await control.post("/appointments/bulk", json={"count": 2, "start": f"{MONDAY}T08:00:00", "silent": True})
        await deliveries(control, waiting=0, in_flight=0, delivered=0)

    assert requests == []


async def test_a_series_is_told_once_and_a_touched_day_as_a_new_appointment(server):
    async with hooked(server) as (control, requests):
        patient = (await control.post("/patients?silent=true", json={})).json()["id"]
        series = (await control.post("/appointments/series", json={"patient": patient, **SERIES})).json()
        await deliveries(control, delivered=1, waiting=0, in_flight=0)
        touched = await control.patch(f"/appointments/{series['virtual'][0]}", json={"status": "Confirmed"})
        await deliveries(control, delivered=2, waiting=0, in_flight=0)

    assert told(requests) == [("APPOINTMENT_CREATE", series["base"]), ("APPOINTMENT_CREATE", touched.json())]


async def test_an_appointments_deliveries_are_doubled_and_shuffled_like_a_patients(server):
    async with hooked(server, copies=2, hold=True, shuffle=True, seed=1, concurrency=1) as (control, requests):
        await visit(control)
        await control.post("/appointments/bulk", json={"count": 6, "start": f"{MONDAY}T08:00:00"})
        await deliveries(control, waiting=12, in_flight=0, delivered=0)
        await control.post("/deliveries/release")
        await deliveries(control, waiting=0, in_flight=0, delivered=6)

    ids = [json.loads(body)["object"]["id"] for _, _, body in requests]
    assert (len(ids), len(set(ids))) == (12, 6)
    assert ids != sorted(ids)


async def test_an_appointments_deliveries_are_lost_and_late_like_a_patients(server):
    async with hooked(server, drop=1.0) as (control, requests):
        appointment = (await visit(control))["id"]
        await control.patch(f"/appointments/{appointment}", json={"status": "Arrived"})
        await deliveries(control, dropped=1, waiting=0, in_flight=0)
        await control.put("/delivery-policy", json={"drop": 0.0, "delay_s": 0.3})
        raised_at = time.monotonic()
        await control.patch(f"/appointments/{appointment}", json={"status": "In Room"})
        await control.patch(f"/appointments/{appointment}?silent=true", json={"status": "Complete"})
        await deliveries(control, delivered=1, waiting=0, in_flight=0)

    [(at, _, body)] = requests
    assert at - raised_at >= 0.3
    assert json.loads(body)["object"]["status"] == "Complete"
