"""The DrChrono stand-in's bulk lists: asked for, polled, paged by asking again, forgotten after an hour."""

import time

import pytest

from tests.standins.tests.known import STRANGER, sample

KINDS = ["patients", "appointments"]
COMPLETE = {"patients": "bulk_patients_complete", "appointments": "bulk_appointments_complete"}
DAY = "2026-03-16"


@pytest.fixture
def people(control):
    return control.post("/patients/bulk", json={"count": 5}).json()["ids"]


@pytest.fixture
def visits(control, people):
    return control.post("/appointments/bulk", json={"count": 5, "start": f"{DAY}T08:00:00"}).json()["ids"]


def submitted(api, kind, **asked):
    answer = api.post(f"/{kind}_list", params=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()["uuid"]


def complete(api, kind, **asked):
    """Gives the complete answer, polled for once."""
    uuid = submitted(api, kind, **asked)
    assert api.get(f"/{kind}_list", params={"uuid": uuid}).json()["status"] == "In progress"
    return api.get(f"/{kind}_list", params={"uuid": uuid}).json()


def ids(answer):
    return [record["id"] for record in answer["results"]]


# --- asking and looking


@pytest.mark.parametrize("kind", KINDS)
def test_asking_looking_and_the_list_look_like_the_samples(api, visits, kind):
    posted = api.post(f"/{kind}_list", params={"since": "2000-01-01"})
    uuid = posted.json()["uuid"]
    looks = [api.get(f"/{kind}_list", params={"uuid": uuid}) for _ in range(2)]

    asked, waiting = sample("bulk_appointments_post"), sample("bulk_appointments_in_progress")
    assert (posted.status_code, list(posted.json())) == (asked["status"], list(asked["body"]))
    assert posted.json()["description"] == f"Call {api.base_url}{kind}_list?uuid={uuid} to get the list"
    assert (looks[0].status_code, looks[0].json()) == (waiting["status"], {**waiting["body"], "uuid": uuid})
    done = sample(COMPLETE[kind])
    assert (looks[1].status_code, list(looks[1].json())) == (done["status"], list(done["body"]))
    assert looks[1].json()["pagination"] == done["body"]["pagination"] | {"count": 5}
    assert list(looks[1].json()["results"][0]) == list(done["body"]["results"][0])


def test_the_records_are_those_of_the_plain_lists(api, people, visits):
    assert complete(api, "patients")["results"] == api.get("/patients").json()["results"]
    plain = api.get("/appointments", params={"date": DAY}).json()["results"]
    assert complete(api, "appointments", date=DAY)["results"] == plain
    verbose = api.get("/appointments", params={"date": DAY, "verbose": "true"}).json()["results"]
    assert complete(api, "appointments", date=DAY, verbose="true")["results"] == verbose


def test_a_list_may_take_more_polls_or_none(control, api):
    control.put("/settings", json={"bulk_polls": 3})
    uuid = submitted(api, "patients")
    looks = [api.get("/patients_list", params={"uuid": uuid}).json()["status"] for _ in range(5)]
    assert looks == ["In progress"] * 3 + ["Complete"] * 2

    control.put("/settings", json={"bulk_polls": 0})
    assert api.get("/patients_list", params={"uuid": submitted(api, "patients")}).json()["status"] == "Complete"


def test_what_stands_in_the_body_is_not_heard(api, people):
    uuid = api.post("/patients_list", json={"page_size": 1}).json()["uuid"]
    looks = [api.get("/patients_list", params={"uuid": uuid}).json() for _ in range(2)]

    assert ids(looks[1]) == people


def test_a_list_shows_what_was_there_when_it_was_asked_for(control, api, people):
    uuid = submitted(api, "patients")
    control.patch(f"/patients/{people[0]}", json={"city": "Elsewhere"})

    looks = [api.get("/patients_list", params={"uuid": uuid}).json() for _ in range(2)]

    assert looks[1]["results"][0]["city"] == "Testville"


# --- pages and order


def test_every_page_is_asked_for_on_its_own(api, people):
    pages = [complete(api, "patients", page=number, page_size=2) for number in (1, 2, 3, 4)]

    assert [ids(page) for page in pages] == [people[:2], people[2:4], people[4:], []]
    assert pages[1]["pagination"] == {"count": 5, "pages": 3, "page_size": 2, "page": 2}


def test_a_smaller_cap_makes_more_pages(control, api, people):
    control.put("/settings", json={"bulk_page_size": 4})

    assert complete(api, "patients", page_size=1000)["pagination"]["pages"] == 2


@pytest.mark.parametrize(
    "asked",
    [
        {"page_size": "0"},
        {"page_size": "1001"},
        {"page": "0"},
        {"page": "1001"},
        {"page": "two"},
        {"order_by": "last_name"},
        {"since": "yesterday"},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_asked_for_is_refused(api, kind, asked):
    assert api.post(f"/{kind}_list", params=asked).status_code == 400


@pytest.mark.parametrize(("kind", "other"), [("patients", "scheduled_time"), ("appointments", "id")])
def test_an_order_is_of_its_own_kind(api, kind, other):
    assert api.post(f"/{kind}_list", params={"order_by": other}).status_code == 400


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_can_be_in_order_of_the_last_change(control, api, people, visits, kind):
    made = people if kind == "patients" else visits
    control.put("/clock", json={"offset_s": 3600})
    api.patch(f"/{kind}/{made[1]}", json={"notes": "x"} if kind == "appointments" else {"city": "Elsewhere"})

    moved = [made[0], *made[2:], made[1]]
    assert ids(complete(api, kind, order_by="updated_at")) == moved
    assert ids(complete(api, kind)) == made


# --- filters


def test_only_what_changed_since_is_in_it(control, api):
    control.put("/clock", json={"now": "2026-03-01T12:00:00"})
    old, edited = control.post("/patients/bulk", json={"count": 2}).json()["ids"]
    control.put("/clock", json={"now": "2026-03-05T12:00:00"})
    control.patch(f"/patients/{edited}", json={"city": "Elsewhere"})

    assert ids(complete(api, "patients", since="2026-03-05")) == [edited]
    assert ids(complete(api, "patients", since="2026-03-01")) == [old, edited]


def test_inactive_patients_are_in_it_only_when_asked_for(api, people):
    api.patch(f"/patients/{people[0]}", json={"patient_status": "I"})

    assert ids(complete(api, "patients")) == people[1:]
    assert ids(complete(api, "patients", show_inactive="true")) == people


def test_deleted_and_virtual_appointments_are_in_it_as_in_the_plain_list(control, api, people, visits):
    api.delete(f"/appointments/{visits[0]}")
    given = {"patient": people[0], "scheduled_time": f"{DAY}T15:00:00", "recur_end_date": "2026-03-23"}
    series = control.post("/appointments/series", json=given).json()

    base, virtual = series["base"]["id"], series["virtual"][0]
    assert ids(complete(api, "appointments")) == [*visits[1:], base, virtual]
    assert ids(complete(api, "appointments", ignore_virtual="true", show_archived="true")) == [*visits, base]


# --- failure and forgetting


def test_a_list_that_failed_has_failed_for_good_and_another_may_succeed(control, api, people):
    uuid = submitted(api, "patients")
    control.put("/settings", json={"bulk_fails": True})
    failed = api.get("/patients_list", params={"uuid": uuid})
    control.put("/settings", json={"bulk_fails": False})

    assert failed.status_code == sample("bulk_error")["status"]
    assert list(failed.json()) == list(sample("bulk_error")["body"])
    assert (failed.json()["status"], failed.json()["uuid"]) == ("Failed", uuid)
    assert api.get("/patients_list", params={"uuid": uuid}).status_code == 500
    assert ids(complete(api, "patients")) == people


def test_a_list_is_forgotten_in_the_end(control, api):
    control.put("/settings", json={"bulk_life_s": 0.2, "bulk_polls": 0})
    uuid, deadline = submitted(api, "appointments"), time.monotonic() + 10
    assert api.get("/appointments_list", params={"uuid": uuid}).status_code == 200
    while (answer := api.get("/appointments_list", params={"uuid": uuid})).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)

    assert (answer.status_code, answer.json()) == (sample("bulk_expired")["status"], sample("bulk_expired")["body"])


def test_a_uuid_is_good_for_its_own_kind_and_user_only(signed_in, api):
    uuid = submitted(api, "patients")

    with signed_in(STRANGER) as stranger:
        answers = [
            api.get("/patients_list"),
            api.get("/patients_list", params={"uuid": "00000000-0000-4000-8000-000000000001"}),
            api.get("/appointments_list", params={"uuid": uuid}),
            stranger.get("/patients_list", params={"uuid": uuid}),
        ]

    assert {(answer.status_code, answer.text) for answer in answers} == {(404, '{"detail":"Invalid uuid specified"}')}


# --- cost and permission


@pytest.mark.parametrize("kind", KINDS)
def test_every_question_and_every_look_costs_a_call(control, api, kind):
    control.put("/settings", json={"calls_per_hour": 5})
    uuid = submitted(api, kind)

    looks = [api.get(f"/{kind}_list", params={"uuid": uuid}).status_code for _ in range(4)]

    assert looks == [200, 200, 200, 429]
    assert api.post(f"/{kind}_list").status_code == 429


def test_a_list_shows_only_the_callers_practice(signed_in, people):
    with signed_in(STRANGER) as stranger:
        assert ids(complete(stranger, "patients")) == []
        assert ids(complete(stranger, "appointments")) == []


@pytest.mark.parametrize(
    ("kind", "permission"),
    [
        ("patients", "create_and_update_patients"),
        ("appointments", "access_scheduling"),
        ("appointments", "access_clinical_notes"),
    ],
)
def test_a_list_needs_the_permission_of_its_kind(control, api, kind, permission):
    control.put("/users/610001", json={"permissions": {permission: False}})

    assert [api.post(f"/{kind}_list").status_code, api.get(f"/{kind}_list").status_code] == [403, 403]


@pytest.mark.parametrize(("kind", "scope"), [("patients", "calendar:read"), ("appointments", "calendar:read")])
def test_a_list_needs_the_scopes_of_its_kind(signed_in, kind, scope):
    with signed_in(scope=scope) as half:
        assert half.post(f"/{kind}_list").status_code == 403
