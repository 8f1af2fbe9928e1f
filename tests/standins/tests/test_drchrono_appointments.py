"""The DrChrono stand-in's appointments: shapes, lists, writes, overlaps, deletion, and who may see them."""

import pytest

from tests.standins.tests.known import NOT_ALLOWED, NOT_FOUND, PROVIDER, STRANGER, THEIRS, assert_alike, sample

DAY = "2026-03-16"


@pytest.fixture
def patient(control):
    return control.post("/patients", json={}).json()["id"]


def booked(control, patient, time="10:30:00", **fields):
    """Gives an appointment a human made."""
    answer = control.post("/appointments", json={"patient": patient, "scheduled_time": f"{DAY}T{time}", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def wanted(patient, **fields):
    return {**sample("appointment_create_request"), "patient": patient, **fields}


def listed(api, **asked):
    return [record["id"] for record in api.get("/appointments", params=asked or {"date": DAY}).json()["results"]]


# --- shapes


def test_a_created_appointment_looks_like_the_sample(api, patient):
    created = api.post("/appointments", json=wanted(patient))

    assert created.status_code == 201
    assert_alike(created.json(), sample("appointment"))
    assert api.get(f"/appointments/{created.json()['id']}").json() == created.json()
    asked = sample("appointment_create_request")
    assert {name: created.json()[name] for name in asked} == asked | {"patient": patient}
    assert created.json()["created_by"] == "fixture.provider"


def test_verbose_adds_what_the_sample_says_and_a_plain_answer_never_has_it(api, patient):
    custom = [{"field_type": 920001, "field_value": "synthetic"}]
    created = api.post("/appointments", json=wanted(patient, custom_fields=custom)).json()
    api.patch(f"/appointments/{created['id']}", json={"status": "Confirmed"})

    verbose = api.get(f"/appointments/{created['id']}", params={"verbose": "true"}).json()

    assert_alike(verbose, sample("appointment_verbose"))
    assert_alike(verbose["custom_fields"][0], sample("appointment_verbose")["custom_fields"][0])
    assert_alike(verbose["status_transitions"][0], sample("appointment_verbose")["status_transitions"][0])
    assert api.get("/appointments", params={"date": DAY, "verbose": "true"}).json()["results"] == [verbose]
    assert "custom_fields" not in api.get("/appointments", params={"date": DAY}).json()["results"][0]


def test_a_list_looks_like_the_sample(control, api, patient):
    appointment = booked(control, patient)
    pause = control.post("/breaks", json={"scheduled_time": f"{DAY}T12:00:00"}).json()

    page = api.get("/appointments", params={"date_range": "2026-03-01/2026-03-31"}).json()

    assert list(page) == list(sample("appointments_list_page_last")["body"])
    assert page == {"previous": None, "results": [appointment, pause], "next": None}
    for seen, shape in zip(page["results"], sample("appointments_list_page_last")["body"]["results"], strict=True):
        assert_alike(seen, shape)


# --- lists


def test_a_list_without_a_window_is_refused(api):
    assert api.get("/appointments").status_code == 400
    assert api.get("/appointments", params={"since": "", "patient": "1"}).status_code == 400


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"date": "2026-03-16"}, [0, 1]),
        ({"date_range": "2026-03-16/2026-03-17"}, [0, 1, 2]),
        ({"date_range": "2026-03-17/2026-03-17"}, [2]),
        ({"date_range": "2026-03-16/2026-09-22"}, [0, 1, 2]),
        ({"occurred_since": "2026-03-17"}, [2]),
        ({"since": "2026-03-01"}, [0, 1, 2]),
        ({"since": "2026-03-01T23:00:00"}, [0, 1, 2]),
        ({"since": "2026-03-02"}, []),
        ({"since": "2026-03-01", "status": "Cancelled"}, [1]),
        ({"since": "2026-03-01", "patient": "220000102"}, [1]),
        ({"since": "2026-03-01", "office": "410001"}, [0, 1, 2]),
        ({"since": "2026-03-01", "doctor": "310002"}, [2]),
        ({"since": "2026-03-01", "date": "2026-03-17"}, [2]),
        ({"since": "2026-03-01", "unheard_of": "x"}, [0, 1, 2]),
    ],
)
def test_a_list_filters_as_documented(control, api, asked, found):
    control.put("/clock", json={"now": "2026-03-01T12:00:00"})
    control.post("/doctors", json={"id": 310002})
    first, second = (control.post("/patients", json={}).json()["id"] for _ in range(2))
    made = [
        booked(control, first, "09:00:00")["id"],
        booked(control, second, "10:00:00", status="Cancelled")["id"],
        booked(control, first, scheduled_time="2026-03-17T09:00:00", doctor=310002, office=410001)["id"],
    ]

    assert listed(api, **asked) == [made[number] for number in found]


def test_an_edit_brings_an_appointment_back_into_since(control, api, patient):
    control.put("/clock", json={"now": "2026-03-01T12:00:00"})
    appointment = booked(control, patient)
    control.put("/clock", json={"now": "2026-03-05T12:00:00"})

    api.patch(f"/appointments/{appointment['id']}", json={"notes": "x"})

    assert listed(api, since="2026-03-05") == [appointment["id"]]
    assert api.get(f"/appointments/{appointment['id']}").json()["created_at"] == appointment["created_at"]


@pytest.mark.parametrize(
    "asked",
    [{"date_range": "2026-01-01/2026-07-11"}, {"date_range": "2026-03-01"}, {"date": "today"}, {"since": "03/01/2026"}],
    ids=["191-days", "half-a-range", "no-date", "no-iso-date"],
)
def test_a_window_that_is_too_wide_or_none_is_refused(api, asked):
    assert api.get("/appointments", params=asked).status_code == 400


def test_a_list_is_in_order_of_the_scheduled_time(control, api, patient):
    late, early = (booked(control, patient, time)["id"] for time in ("15:00:00", "09:00:00"))
    assert listed(api) == [early, late]

    api.patch(f"/appointments/{early}", json={"scheduled_time": f"{DAY}T16:00:00"})

    assert listed(api) == [late, early]


def test_following_next_meets_everyone_once_and_previous_leads_back(control, api, patient):
    ids = control.post("/appointments/bulk", json={"count": 7, "start": f"{DAY}T08:00:00"}).json()["ids"]

    pages, url = [], str(api.base_url.join(f"/api/appointments?page_size=3&date_range={DAY}/{DAY}"))
    while url:
        page = api.get(url).json()
        pages.append([record["id"] for record in page["results"]])
        url, back = page["next"], page["previous"]

    assert pages == [ids[:3], ids[3:6], ids[6:]]
    assert [record["id"] for record in api.get(back).json()["results"]] == ids[3:6]
    assert api.get("/appointments", params={"date": DAY, "cursor": "nonsense"}).status_code == 404


@pytest.mark.parametrize(("asked", "size"), [({}, 20), ({"page_size": "250"}, 20), ({"verbose": "true"}, 25)])
def test_a_page_holds_twenty_or_twenty_five_verbose_unless_the_settings_say_otherwise(
    control, api, patient, asked, size
):
    control.post("/appointments/bulk", json={"count": 30, "start": f"{DAY}T08:00:00", "duration": 10})

    assert len(listed(api, date=DAY, **asked)) == size

    control.put("/settings", json={"appointment_page_size": 5, "verbose_appointment_page_size": 5})
    assert len(listed(api, date=DAY, **asked)) == 5


def test_a_list_may_be_stale_when_a_single_read_is_not(control, api, patient):
    old = booked(control, patient)
    control.put("/settings", json={"list_stale_s": 60})

    api.patch(f"/appointments/{old['id']}", json={"status": "Arrived"})
    booked(control, patient, "14:00:00")

    assert api.get(f"/appointments/{old['id']}").json()["status"] == "Arrived"
    assert api.get("/appointments", params={"date": DAY}).json()["results"] == [old]


# --- writes


@pytest.mark.parametrize("missing", ["doctor", "office", "exam_room", "patient", "scheduled_time"])
def test_a_create_needs_each_of_the_required_fields(api, patient, missing):
    body = wanted(patient)
    del body[missing]

    answer = api.post("/appointments", json=body)

    assert (answer.status_code, answer.json()) == (400, {missing: ["This field is required."]})


def test_a_duration_is_needed_unless_the_profile_has_one(api, patient):
    bare = {name: value for name, value in wanted(patient).items() if name not in ("duration", "profile", "reason")}

    refused, created = api.post("/appointments", json=bare), api.post("/appointments", json={**bare, "profile": 810001})

    assert (refused.status_code, refused.json()) == (400, {"duration": ["This field is required."]})
    assert (created.json()["duration"], created.json()["reason"]) == (30, "Synthetic check-up")


def test_nobody_can_book_a_break_by_the_api(api, patient):
    answer = api.post("/appointments", json=wanted(None, exam_room=1, appt_is_break=True))

    refusal = sample("error_400_break_patient_null")
    assert (answer.status_code, answer.json()) == (refusal["status"], refusal["body"])
    assert api.post("/appointments", json=wanted(patient, appt_is_break=True)).json()["appt_is_break"] is False


WRONG_TIME = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm:ss."
BAD_VALUES = [
    ("doctor", 1, 'Invalid pk "1" - object does not exist.'),
    ("doctor", THEIRS, f'Invalid pk "{THEIRS}" - object does not exist.'),
    ("doctor", "x", "Incorrect type. Expected pk value, received str."),
    ("office", 410901, 'Invalid pk "410901" - object does not exist.'),
    ("patient", 1, 'Invalid pk "1" - object does not exist.'),
    ("profile", 1, 'Invalid pk "1" - object does not exist.'),
    ("exam_room", 3, '"3" is not a valid choice.'),
    ("exam_room", "two", "A valid integer is required."),
    ("duration", 0, "Ensure this value is greater than or equal to 1."),
    ("duration", None, "This field may not be null."),
    ("patient", None, "This field may not be null."),
    ("scheduled_time", "2026-03-16T10:30:00Z", WRONG_TIME),
    ("scheduled_time", "2026-03-16T10:30:00-05:00", WRONG_TIME),
    ("scheduled_time", "2026-03-16", WRONG_TIME),
    ("scheduled_time", "2026-02-30T10:00:00", WRONG_TIME),
    ("status", None, "This field may not be null."),
    ("allow_overlapping", "perhaps", "Must be a valid boolean."),
]


@pytest.mark.parametrize(("field", "value", "complaint"), BAD_VALUES)
def test_a_bad_value_is_named_by_its_field(control, api, patient, field, value, complaint):
    before = booked(control, patient)

    created = api.post("/appointments", json=wanted(patient, scheduled_time=f"{DAY}T15:00:00") | {field: value})
    changed = api.patch(f"/appointments/{before['id']}", json={field: value})

    assert (created.status_code, created.json()) == (400, {field: [complaint]})
    assert (changed.status_code, changed.json()) == (400, {field: [complaint]})
    assert api.get(f"/appointments/{before['id']}").json() == before


def test_a_patient_of_another_practice_cannot_be_booked(control, api):
    theirs = control.post("/patients", json={"doctor": THEIRS}).json()["id"]

    assert list(api.post("/appointments", json=wanted(theirs)).json()) == ["patient"]


def test_a_room_is_one_of_its_own_office(control, api, patient):
    rooms = [{"index": 5, "name": "Annex 5", "online_scheduling": False}]
    control.post("/offices", json={"id": 410002, "exam_rooms": rooms})
    appointment = booked(control, patient)

    moved = api.patch(f"/appointments/{appointment['id']}", json={"office": 410002})

    assert (moved.status_code, list(moved.json())) == (400, ["exam_room"])
    body = {"office": 410002, "exam_room": 5}
    assert api.patch(f"/appointments/{appointment['id']}", json=body).status_code == 204


def test_an_archived_office_takes_no_bookings_and_keeps_those_it_has(control, api, patient):
    appointment = booked(control, patient)
    control.put("/offices/410001", json={"archived": True})

    refused = api.post("/appointments", json=wanted(patient, scheduled_time=f"{DAY}T15:00:00"))

    assert (refused.status_code, list(refused.json())) == (400, ["office"])
    assert api.patch(f"/appointments/{appointment['id']}", json={"status": "Cancelled"}).status_code == 204


def test_a_practices_own_status_is_kept_as_text(control, api, patient):
    appointment = booked(control, patient)

    api.patch(f"/appointments/{appointment['id']}", json={"status": "Gone fishing"})

    assert api.get(f"/appointments/{appointment['id']}").json()["status"] == "Gone fishing"


def test_a_form_is_as_good_as_json(api, patient):
    created = api.post("/appointments", data={**wanted(patient), "is_walk_in": "true"})

    assert (created.status_code, created.json()["exam_room"], created.json()["is_walk_in"]) == (201, 1, True)


def test_a_patch_answers_an_empty_204_and_changes_only_what_was_sent(control, api, patient):
    control.put("/clock", json={"now": "2026-03-01T12:00:00"})
    before = booked(control, patient, reason="Synthetic check-up")
    control.put("/clock", json={"now": "2026-03-02T12:00:00"})

    answer = api.patch(f"/appointments/{before['id']}", json={"status": "Confirmed", "id": "1", "deleted_flag": True})

    assert (answer.status_code, answer.content) == (204, b"")
    after = api.get(f"/appointments/{before['id']}").json()
    assert after["updated_at"].startswith("2026-03-02")
    assert after == {**before, "status": "Confirmed", "updated_at": after["updated_at"]}


def test_a_put_clears_what_was_not_sent(control, api, patient):
    before = booked(control, patient, notes="synthetic", status="Confirmed")

    answer = api.put(f"/appointments/{before['id']}", json=wanted(patient))

    assert (answer.status_code, answer.content) == (204, b"")
    after = api.get(f"/appointments/{before['id']}").json()
    assert (after["notes"], after["status"], after["created_at"]) == ("", "", before["created_at"])
    assert api.put(f"/appointments/{before['id']}", json={"notes": "x"}).status_code == 400


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_what_is_not_there_is_a_404(api, method):
    answer = api.request(method, "/appointments/340009999", json={})

    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


# --- overlaps


def overlap(other):
    refusal = sample("error_409_overlap")
    return refusal["status"], {"detail": refusal["body"]["detail"].replace("340000501", other)}


@pytest.mark.parametrize("time", ["10:00:00", "10:30:00", "10:45:00", "10:01:00"])
def test_an_overlap_is_refused_by_the_name_of_the_other(control, api, patient, time):
    other = booked(control, patient, "10:30:00", duration=30)

    answer = api.post("/appointments", json=wanted(patient, scheduled_time=f"{DAY}T{time}", duration=45, exam_room=2))

    assert (answer.status_code, answer.json()) == overlap(other["id"])


@pytest.mark.parametrize("time", ["10:00:00", "11:00:00"])
def test_one_that_ends_as_the_other_begins_is_no_overlap(control, api, patient, time):
    booked(control, patient, "10:30:00", duration=30)

    assert api.post("/appointments", json=wanted(patient, scheduled_time=f"{DAY}T{time}")).status_code == 201


def test_an_overlap_can_be_allowed(control, api, patient):
    booked(control, patient)

    created = api.post("/appointments", json=wanted(patient, allow_overlapping=True))

    assert (created.status_code, created.json()["allow_overlapping"]) == (201, True)
    assert api.patch(f"/appointments/{created.json()['id']}", json={"duration": 45}).status_code == 204


@pytest.mark.parametrize("freed", ["Cancelled", "No Show", "deleted"])
def test_a_cancelled_missed_or_deleted_one_leaves_its_time_free(control, api, patient, freed):
    other = booked(control, patient)["id"]
    if freed == "deleted":
        api.delete(f"/appointments/{other}")
    else:
        api.patch(f"/appointments/{other}", json={"status": freed})

    assert api.post("/appointments", json=wanted(patient)).status_code == 201


def test_a_break_takes_its_doctors_time_and_nobody_elses(control, api, patient):
    control.post("/doctors", json={"id": 310002})
    pause = control.post("/breaks", json={"scheduled_time": f"{DAY}T10:00:00"}).json()

    answer = api.post("/appointments", json=wanted(patient))

    assert (answer.status_code, answer.json()) == overlap(pause["id"])
    assert api.post("/appointments", json=wanted(patient, doctor=310002)).status_code == 201


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_move_onto_another_is_refused_and_moves_nothing(control, api, patient, method):
    other, moved = booked(control, patient, "10:30:00"), booked(control, patient, "14:00:00")
    change = {"scheduled_time": f"{DAY}T10:30:00"}

    body = change if method == "PATCH" else wanted(patient, **change)
    answer = api.request(method, f"/appointments/{moved['id']}", json=body)

    assert (answer.status_code, answer.json()) == overlap(other["id"])
    assert api.get(f"/appointments/{moved['id']}").json() == moved


def test_one_that_overlaps_already_may_change_in_any_other_way(control, api, patient):
    booked(control, patient)
    second = booked(control, patient)["id"]

    assert api.patch(f"/appointments/{second}", json={"status": "Arrived"}).status_code == 204
    assert api.patch(f"/appointments/{second}", json={"status": "Cancelled"}).status_code == 204
    assert api.patch(f"/appointments/{second}", json={"status": ""}).status_code == 409


# --- deletion


def test_a_deleted_appointment_is_listed_only_when_asked_for(control, api, patient):
    appointment = booked(control, patient)

    answer = api.delete(f"/appointments/{appointment['id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert listed(api) == []
    [shown] = api.get("/appointments", params={"date": DAY, "show_archived": "true"}).json()["results"]
    assert shown == {**appointment, "deleted_flag": True, "updated_at": shown["updated_at"]}
    assert listed(api, date=DAY, show_archived="1") == [appointment["id"]]


@pytest.mark.parametrize(("deleted_get", "status"), [("gone", 404), ("flagged", 200)])
def test_a_deleted_appointment_is_gone_or_flagged(control, api, patient, deleted_get, status):
    control.put("/settings", json={"deleted_get": deleted_get})
    path = f"/appointments/{booked(control, patient)['id']}"
    api.delete(path)

    answer = api.get(path)

    assert (answer.status_code, answer.json().get("deleted_flag", False)) == (status, status == 200)
    assert [api.patch(path, json={}).status_code, api.delete(path).status_code] == [404, 404]


def test_a_word_a_setting_does_not_have_is_refused(control):
    assert control.put("/settings", json={"deleted_get": "perhaps"}).status_code == 400
    assert control.put("/settings", json={"delete_event": "PATIENT_DELETE"}).status_code == 400


# --- who may


@pytest.mark.parametrize("missing", ["calendar", "clinical"])
def test_both_scopes_are_needed_and_reading_needs_the_read_half(control, signed_in, patient, missing):
    appointment = booked(control, patient)["id"]
    other = "clinical" if missing == "calendar" else "calendar"

    half = signed_in(scope=f"{other}:read {other}:write {missing}:read")
    assert half.get(f"/appointments/{appointment}").status_code == 200
    assert half.patch(f"/appointments/{appointment}", json={}).status_code == 403

    none = signed_in(scope=f"{other}:read {other}:write patients:read")
    assert (none.get(f"/appointments/{appointment}").status_code, none.get("/patients").status_code) == (403, 200)


@pytest.mark.parametrize("permission", ["access_scheduling", "access_clinical_notes"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/appointments?date=2026-03-16"),
        ("GET", "/appointments/{id}"),
        ("POST", "/appointments"),
        ("PATCH", "/appointments/{id}"),
        ("PUT", "/appointments/{id}"),
        ("DELETE", "/appointments/{id}"),
    ],
)
def test_without_both_permissions_appointments_are_forbidden(control, api, patient, permission, method, path):
    path = path.format(id=booked(control, patient)["id"])
    control.put(f"/users/{PROVIDER}", json={"permissions": {permission: False}})

    answer = api.request(method, path, json={})

    assert (answer.status_code, answer.json()) == (403, NOT_ALLOWED)


def test_the_appointments_of_another_practice_are_neither_listed_nor_readable(control, signed_in, patient):
    ours = booked(control, patient)["id"]
    theirs = booked(control, control.post("/patients", json={"doctor": THEIRS}).json()["id"])["id"]

    us, them = signed_in(), signed_in(STRANGER)

    assert (listed(us), listed(them)) == ([ours], [theirs])
    assert us.get(f"/appointments/{theirs}").status_code == 403
    assert us.patch(f"/appointments/{theirs}", json={"status": "Cancelled"}).status_code == 403
    assert us.delete(f"/appointments/{theirs}").status_code == 403


def test_unshared_appointments_of_a_colleague_are_not_there(control, signed_in, patient):
    control.post("/doctors", json={"id": 310002})
    own, colleagues = booked(control, patient)["id"], booked(control, patient, doctor=310002)["id"]
    control.put(f"/users/{PROVIDER}", json={"permissions": {"share_patients": False}})

    api = signed_in()

    assert listed(api) == [own]
    assert api.get(f"/appointments/{colleagues}").status_code == 404


def test_every_call_is_counted_by_its_kind_whatever_the_shape_of_the_id(control, api, patient):
    series = {"patient": patient, "scheduled_time": f"{DAY}T10:30:00"}
    virtual = control.post("/appointments/series", json=series).json()["virtual"][0]
    control.delete("/calls")

    api.get(f"/appointments/{virtual}")
    api.get("/appointments/340000501")

    assert control.get("/calls").json()["counts"] == {"GET /api/appointments/{id}": 2}
