"""The DrChrono stand-in: two practices that do not see each other, what a user may do, and the doctors."""

import pytest

from tests.standins.tests.known import NOT_ALLOWED, NOT_FOUND, OURS, PROVIDER, STAFF, STRANGER, THEIRS


def patient(control, **fields):
    return control.post("/patients", json=fields).json()["id"]


def ids(client, kind):
    return [record["id"] for record in client.get(f"/{kind}").json()["results"]]


# --- practices


@pytest.mark.parametrize(
    ("user", "users", "doctors", "offices"),
    [(PROVIDER, [PROVIDER, STAFF], [OURS], [410001]), (STRANGER, [STRANGER], [THEIRS], [410901])],
    ids=["ours", "theirs"],
)
def test_lists_show_only_the_callers_practice(signed_in, user, users, doctors, offices):
    client = signed_in(user)

    assert [ids(client, kind) for kind in ("users", "doctors", "offices")] == [users, doctors, offices]


@pytest.mark.parametrize("path", ["/users/610901", "/doctors/310901", "/offices/410901"])
def test_what_is_another_practices_is_forbidden(signed_in, path):
    answer = signed_in().get(path)

    assert (answer.status_code, answer.json()) == (403, NOT_ALLOWED)
    assert signed_in(STRANGER).get(path).status_code == 200


def test_the_patients_of_another_practice_are_neither_listed_nor_readable(control, signed_in):
    ours, theirs = patient(control), patient(control, doctor=THEIRS)

    us, them = signed_in(), signed_in(STRANGER)

    assert (ids(us, "patients"), ids(them, "patients")) == ([ours], [theirs])
    assert us.get(f"/patients/{theirs}").status_code == 403
    assert us.patch(f"/patients/{theirs}", json={"city": "Testville"}).status_code == 403


def test_a_patient_cannot_be_given_to_a_doctor_of_another_practice(signed_in):
    answer = signed_in().post("/patients", json={"doctor": THEIRS, "gender": "Male"})

    assert (answer.status_code, list(answer.json())) == (400, ["doctor"])


# --- what a user may do


def test_the_users_are_shown_with_who_is_in_the_browser(control):
    shown = control.get("/users").json()

    assert list(shown["users"]) == [PROVIDER, STAFF, STRANGER]
    assert shown["in_browser"] == PROVIDER


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/patients"), ("GET", "/patients/{id}"), ("POST", "/patients"), ("PATCH", "/patients/{id}")],
)
def test_without_the_permission_patients_are_forbidden_whatever_the_scope(control, signed_in, method, path):
    path, client = path.format(id=patient(control)), signed_in()
    control.put(f"/users/{PROVIDER}", json={"permissions": {"create_and_update_patients": False}})

    answer = client.request(method, path, json={"gender": "Male", "doctor": OURS})

    assert (answer.status_code, answer.json()) == (403, NOT_ALLOWED)
    assert client.get(f"/users/{PROVIDER}").json()["permissions"]["create_and_update_patients"] is False


def test_a_permission_is_the_users_own(control, signed_in):
    control.put(f"/users/{STAFF}", json={"permissions": {"create_and_update_patients": False}})

    assert signed_in(STAFF).get("/patients").status_code == 403
    assert signed_in(PROVIDER).get("/patients").status_code == 200


def test_unshared_patients_of_a_colleague_are_not_there(control, signed_in):
    control.post("/doctors", json={"id": 310002})
    own, colleagues = patient(control), patient(control, doctor=310002)
    control.put(f"/users/{STAFF}", json={"permissions": {"share_patients": False}})

    staff, doctor = signed_in(STAFF), signed_in()

    assert (ids(staff, "patients"), ids(doctor, "patients")) == ([own], [own, colleagues])
    answer = staff.get(f"/patients/{colleagues}")
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_a_user_is_merged_permission_by_permission_until_a_reset(control):
    changed = control.put(f"/users/{STAFF}", json={"username": "renamed", "permissions": {"settings": True}}).json()

    assert (changed["id"], changed["username"], changed["practice_group"]) == (STAFF, "renamed", 510001)
    assert (changed["permissions"]["settings"], changed["permissions"]["share_patients"]) == (True, True)
    control.post("/reset")
    assert control.get("/users").json()["users"][STAFF]["permissions"]["settings"] is False


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"/users/{STAFF}", {"permissions": {"manage_patience": True}}, 400),
        (f"/users/{STAFF}", {"nickname": "x"}, 400),
        (f"/doctors/{OURS}", {"time_zone": "US/Pacific"}, 400),
        ("/users/1", {}, 404),
        ("/doctors/1", {}, 404),
    ],
)
def test_what_nobody_has_cannot_be_set(control, path, body, status):
    assert control.put(path, json=body).status_code == status


# --- doctors


def test_a_doctor_moves_to_another_time_zone_until_a_reset(control, signed_in):
    control.put(f"/doctors/{OURS}", json={"timezone": "US/Pacific", "is_account_suspended": True})

    seen = signed_in().get(f"/doctors/{OURS}").json()

    assert (seen["timezone"], seen["is_account_suspended"], seen["last_name"]) == ("US/Pacific", True, "Provider")
    control.post("/reset")
    assert control.get("/doctors").json()["doctors"][str(OURS)]["timezone"] == "US/Eastern"


def test_a_new_doctor_is_listed_and_may_have_patients(control, signed_in):
    hired = control.post("/doctors", json={"last_name": "Newcomer", "practice_group": 510001})

    client = signed_in()

    assert hired.status_code == 201
    assert ids(client, "doctors") == [OURS, hired.json()["id"]]
    made = client.post("/patients", json={"doctor": hired.json()["id"], "gender": ""})
    assert made.status_code == 201


def test_a_doctor_is_hired_only_once(control):
    assert control.post("/doctors", json={"id": OURS}).status_code == 400
