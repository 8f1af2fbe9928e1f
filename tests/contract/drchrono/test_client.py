"""Our DrChrono client against the stand-in: every call we make, and every way it may end."""

import asyncio
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.errors import (
    EdgeAnswered,
    Gone,
    LeaseLost,
    OutcomeUnknown,
    Rejected,
    StoreUnavailable,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from app.store.rate_ledger import RateLedger
from app.store.tables import allowances
from app.sync.model import Lane
from app.vendors.drchrono.bulk_lists import bulk_pages
from app.vendors.rate_limit import drchrono as drchrono_rate_limit
from app.vendors.rate_limit.drchrono import DrChronoRateLimit
from app.vendors.rate_limit.policy import Allowance
from tests.contract.conftest import APPLICATION, REDIRECT
from tests.store.build import change

PROVIDER, STAFF, STRANGER = "610001", "610002", "610901"
PATIENTS = "/api/patients"
SAMPLES = Path(__file__).parents[2] / "samples" / "drchrono"
HTML_500 = json.loads((SAMPLES / "error_500_html.json").read_text())
DOWN = {"do": "error", "status": HTML_500["status"], "body": HTML_500["body"]}


@pytest.fixture
async def drchrono(practice):
    return await practice.join()


def patients(practice, count):
    made = practice.control.post("/_control/patients/bulk", json={"count": count, "silent": True})
    return made.json()["ids"]


def turn(practice, **settings):
    practice.control.put("/_control/settings", json=settings).raise_for_status()


async def pair_of(practice, user):
    return await practice.grant().exchange(practice.code(user=user), REDIRECT)


async def test_a_patient_is_read_as_it_is_now_and_none_when_it_is_gone(practice, drchrono):
    patient = practice.control.post("/_control/patients?silent=true", json={"first_name": "Ada"}).json()

    there = await drchrono.read(PATIENTS, str(patient["id"]))
    gone = await drchrono.read(PATIENTS, "1")

    assert (there["first_name"], gone) == ("Ada", None)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"do": "throttle"}, Unavailable),
        (DOWN, Unavailable),
        ({"do": "error", "status": 403, "body": {"detail": "no"}}, Rejected),
        ({"do": "error", "status": 403, "body": "<html>blocked</html>"}, Unavailable),
        ({"do": "error", "status": 404, "body": "<html>We'll be right back.</html>"}, Unavailable),
        ({"do": "error", "status": 302, "body": ""}, Unavailable),
        ({"do": "error", "status": 200, "body": {"id": 1}}, Unreadable),
        ({"do": "error", "status": 200, "body": "<html>"}, Unavailable),
        ({"do": "half"}, Unavailable),
        ({"do": "drop_before"}, Unavailable),
    ],
    ids=["429", "html-500", "403", "html-403", "html-404", "redirect", "another record", "html-200", "half", "dropped"],
)
async def test_every_bad_answer_of_drchrono_becomes_one_of_our_errors(practice, drchrono, fault, expected):
    patient = a_patient(practice)
    practice.fault("GET /api/patients", **fault)

    with pytest.raises(expected) as raised:
        await drchrono.read(PATIENTS, str(patient["id"]))

    assert getattr(raised.value, "retry_in_s", None) is None or raised.value.retry_in_s > 0


def a_patient(practice, **fields):
    return practice.control.post("/_control/patients?silent=true", json={"first_name": "Ada", **fields}).json()


async def test_a_change_is_of_exactly_the_fields_given(practice, drchrono):
    before = a_patient(practice, city="Oldtown")

    given = await drchrono.update(PATIENTS, str(before["id"]), {"city": "Newtown", "email": ""})

    after = await drchrono.read(PATIENTS, str(before["id"]))
    changed = {name for name, value in after.items() if value != before[name]}
    assert given is None
    assert (changed - {"updated_at"}, after["city"]) == ({"city"}, "Newtown")
    assert practice.counted("PATCH /api/patients") == 1


@pytest.mark.parametrize(
    ("fault", "expected", "fields"),
    [
        ({"do": "throttle"}, Unavailable, ()),
        ({"do": "error", "status": 400, "body": {"email": ["no"], "city": ["no"]}}, Rejected, ("email", "city")),
        ({"do": "error", "status": 400, "body": "<html>"}, EdgeAnswered, ()),
        ({"do": "error", "status": 400, "body": ["no"]}, Rejected, ()),
        ({"do": "error", "status": 403, "body": "<html>"}, EdgeAnswered, ()),
        ({"do": "error", "status": 403, "body": {"detail": "no"}}, Rejected, ()),
        ({"do": "error", "status": 404, "body": {"detail": "no"}}, Gone, ()),
        ({"do": "error", "status": 404, "body": "<html>"}, EdgeAnswered, ()),
        ({"do": "error", "status": 409, "body": ""}, EdgeAnswered, ()),
        ({"do": "error", "status": 302, "body": ""}, EdgeAnswered, ()),
        ({"do": "error", "status": 200, "body": "<html>"}, EdgeAnswered, ()),
        ({"do": "page_after_commit", "status": 502, "body": "<html>"}, EdgeAnswered, ()),
        (DOWN, OutcomeUnknown, ()),
        ({"do": "error", "status": 503, "body": ""}, OutcomeUnknown, ()),
        ({"do": "drop_before"}, OutcomeUnknown, ()),
        ({"do": "drop_after_commit"}, OutcomeUnknown, ()),
    ],
    ids=[
        "429", "400 fields", "400 html", "400 list", "403 html", "403", "404", "404 html", "409", "redirect",
        "200 html", "done and 502", "500", "503", "dropped", "done and dropped",
    ],
)  # fmt: skip
async def test_every_bad_answer_to_a_change_says_whether_it_may_have_happened(
    practice, drchrono, fault, expected, fields
):
    patient = a_patient(practice)
    practice.fault("PATCH /api/patients", **fault)

    with pytest.raises(expected) as raised:
        await drchrono.update(PATIENTS, str(patient["id"]), {"city": "Newtown"})

    assert raised.value.fields == fields
    assert "Newtown" not in str(raised.value) + repr(raised.value)


async def test_a_change_of_nobody_is_gone_and_changes_nobody(drchrono):
    with pytest.raises(Gone):
        await drchrono.update(PATIENTS, "1", {"city": "Newtown"})


@pytest.mark.parametrize("record_id", ["../users/current", "..", "a/b", "1?x=2"])
async def test_an_odd_id_leads_nowhere_else(practice, drchrono, record_id):
    with pytest.raises((Gone, Rejected)):
        await drchrono.update(PATIENTS, record_id, {"city": "Newtown"})

    assert practice.counted("PATCH /api/users") == 0


async def test_a_change_is_made_once_though_its_token_had_expired(practice, drchrono):
    patient = a_patient(practice)
    practice.control.post("/_control/tokens/expire")

    await drchrono.update(PATIENTS, str(patient["id"]), {"city": "Newtown"})

    assert (await drchrono.read(PATIENTS, str(patient["id"])))["city"] == "Newtown"
    assert practice.counted("PATCH /api/patients") == 2


async def test_a_change_that_may_not_start_any_more_is_not_sent(practice, drchrono):
    def too_late():
        raise LeaseLost("too late")

    with pytest.raises(LeaseLost):
        await drchrono.update(PATIENTS, "1", {"city": "Newtown"}, too_late)

    assert practice.counted("PATCH") == 0


async def test_a_list_is_followed_to_its_end_and_gives_every_record_once(practice, drchrono):
    ids = patients(practice, 5)
    turn(practice, page_size=2)

    found = await drchrono.listed(PATIENTS)

    assert [record["id"] for record in found] == ids
    assert practice.counted("GET /api/patients") == 3


async def test_an_empty_list_is_one_call(practice, drchrono):
    assert await drchrono.listed(PATIENTS) == []
    assert practice.counted("GET /api/patients") == 1


def on_page(practice, onward):
    body = {"results": [{"id": 1}], "next": onward, "previous": None}
    practice.fault("GET /api/patients", do="error", status=200, body=body)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example/api/patients?page_size=1", "//elsewhere.example/api/patients?page_size=1",
        "http://127.0.0.1:9/api/patients?page_size=1", "https://{here}/api/patients?page_size=1",
    ],
)  # fmt: skip
async def test_a_next_page_is_asked_for_at_our_own_address_whichever_host_it_names(practice, drchrono, elsewhere):
    ids = patients(practice, 1)
    on_page(practice, elsewhere.format(here=practice.url.removeprefix("http://")))

    assert [record["id"] for record in await drchrono.listed(PATIENTS)] == [1, *ids]

    assert practice.counted("GET /api/patients") == 2


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://{here}@elsewhere.example/", "http://[elsewhere", "javascript:alert(1)", "https://elsewhere.example/steal",
        "http://{here}/o/token/", "http://{here}/api/../o/token/",
    ],
)  # fmt: skip
async def test_a_next_page_that_is_no_place_of_the_api_is_not_gone_to(practice, drchrono, elsewhere):
    on_page(practice, elsewhere.format(here=practice.url.removeprefix("http://")))
    before = practice.counted("")

    with pytest.raises(Unavailable, match="OTHER_HOST"):
        await drchrono.listed(PATIENTS)

    assert practice.counted("") == before + 1


@pytest.mark.parametrize("links", ["http", "inner"])
async def test_a_list_whose_links_a_proxy_has_spoiled_is_followed_to_its_end(practice, drchrono, links):
    ids = patients(practice, 5)
    turn(practice, page_size=2, next_links=links)

    assert [record["id"] for record in await drchrono.listed(PATIENTS)] == ids


MOVED = ["GET /api/patients", "PATCH /api/patients", "POST /api/patients"]


async def test_a_call_that_has_moved_is_repeated_there_with_its_body_whatever_its_verb(practice, drchrono):
    turn(practice, moved=MOVED, bulk_polls=0)
    drchrono.bulk_waits_s = (0.0,)
    made = await drchrono.create(PATIENTS, {"doctor": 310001, "gender": "Female", "first_name": "Ada"})

    await drchrono.update(PATIENTS, str(made["id"]), {"city": "Newtown"})

    assert (await drchrono.read(PATIENTS, str(made["id"])))["city"] == "Newtown"
    assert [one["id"] for one in await drchrono.listed(PATIENTS, {"show_inactive": "true"})] == [made["id"]]
    assert [one["id"] async for page in bulk_pages(drchrono, PATIENTS, {}) for one in page.rows] == [made["id"]]
    assert practice.counted("PATCH /api/patients") == 2
    assert await counted(practice.database) == practice.counted("")


@pytest.mark.parametrize(
    ("to", "is_followed"),
    [
        ("/api/patients?page_size=1", True), ("{scheme}://{here}/api/patients?page_size=1", True),
        ("{other}://{here}/api/patients?page_size=1", True), ("https://elsewhere.example/api/patients", False),
        ("{scheme}://{here}@elsewhere.example/api/patients", False), ("{scheme}://127.0.0.2/api/patients", False),
        ("/login/?next=/api/patients", False), ("/api/patients", False), ("", False), ("http://[", False),
    ],
)  # fmt: skip
async def test_a_call_is_repeated_at_the_same_host_alone_and_once(practice, drchrono, to, is_followed):
    ids, here = patients(practice, 1), practice.url.removeprefix("http://")
    location = to.format(here=here, scheme="http", other="https")
    practice.fault("GET /api/patients", do="error", status=302, body="", headers={"location": location})

    if is_followed:
        assert [record["id"] for record in await drchrono.listed(PATIENTS)] == ids
    else:
        with pytest.raises(Unavailable, match="OTHER_HOST"):
            await drchrono.listed(PATIENTS)

    assert practice.counted("GET ") == (2 if is_followed else 1)


async def test_a_write_that_is_led_in_a_circle_may_have_happened(practice, drchrono):
    patient = a_patient(practice)
    there = {"location": f"/api/patients/{patient['id']}/"}
    practice.fault("PATCH /api/patients", times=2, do="error", status=302, body="", headers=there)

    with pytest.raises(EdgeAnswered, match="OTHER_HOST"):
        await drchrono.update(PATIENTS, str(patient["id"]), {"city": "Newtown"})

    assert practice.counted("PATCH /api/patients") == 2


async def test_a_list_that_leads_back_to_itself_ends(practice, drchrono):
    body = {"results": [{"id": 1}], "next": f"{practice.url}/api/patients?cursor=a", "previous": None}
    practice.fault("GET /api/patients", times=50, do="error", status=200, body=body)

    with pytest.raises(Unreadable, match="ENDLESS_LIST"):
        await drchrono.listed(PATIENTS)


async def test_a_page_with_a_row_that_is_no_record_is_unreadable(practice, drchrono):
    practice.fault("GET /api/patients", do="error", status=200, body={"results": [1]})

    with pytest.raises(Unreadable):
        await drchrono.listed(PATIENTS)


@pytest.mark.parametrize("body", [{"detail": "no"}, "<html>", []], ids=str)
async def test_a_page_of_a_list_that_is_none_may_be_one_later(practice, drchrono, body):
    practice.fault("GET /api/patients", do="error", status=200, body=body)

    with pytest.raises(Unavailable):
        await drchrono.listed(PATIENTS)


async def test_pages_of_a_gateways_open_the_circuit_as_an_outage_does(practice, drchrono):
    practice.fault("GET /api/patients", times=3, do="error", status=404, body="<html>")

    for _ in range(3):
        with pytest.raises(Unavailable, match="NOT_JSON"):
            await drchrono.read(PATIENTS, "1")

    with pytest.raises(Unavailable, match="left_alone"):
        await drchrono.read(PATIENTS, "1")


async def test_a_list_that_breaks_off_gives_nothing_half(practice, drchrono):
    patients(practice, 3)
    turn(practice, page_size=2, calls_per_hour=2)  # the exchange, and the first page

    with pytest.raises(Unavailable) as raised:
        await drchrono.listed(PATIENTS)

    assert raised.value.retry_in_s > 0


@pytest.mark.parametrize("redirect", ["absolute", "relative"])
async def test_whose_consent_we_hold_is_found_where_the_redirect_leads(practice, drchrono, redirect):
    turn(practice, users_current_redirect=redirect)

    user = await drchrono.user()

    assert (user.id, user.username, user.practice, user.doctor_id) == (PROVIDER, "fixture.provider", "510001", "310001")
    assert user.permissions["share_patients"] is True


async def test_a_redirect_to_another_host_never_sees_our_token(practice, drchrono):
    turn(practice, users_current_redirect="elsewhere")

    with pytest.raises(Unavailable, match="OTHER_HOST"):
        await drchrono.user()

    assert practice.counted("GET /api/users") == 1


@pytest.mark.parametrize("match", ["GET /api/users/current", f"GET /api/users/{PROVIDER}"], ids=["first", "second"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 302, "body": ""}, Unavailable),
        ({"status": 500, "body": "<html>"}, Unavailable),
        ({"status": 403, "body": {"detail": "no"}}, Rejected),
        ({"status": 200, "body": {"id": 1}}, Unavailable),
        ({"status": 200, "body": "<html>"}, Unavailable),
    ],
    ids=["nowhere", "500", "403", "no practice", "html"],
)
async def test_a_user_that_is_not_told_is_an_error_of_ours(practice, drchrono, match, fault, expected):
    practice.fault(match, do="error", **fault)

    with pytest.raises(expected):
        await drchrono.user()


async def test_a_pair_that_is_not_stored_yet_says_whose_it_is(practice, drchrono):
    pair, before = await pair_of(practice, STAFF), await practice.store.read()

    user = await drchrono.user(pair["access_token"])

    assert (user.username, user.doctor_id) == ("fixture.staff", "310001")
    assert await practice.store.read() == before


async def test_a_pair_of_another_practice_says_so(practice, drchrono):
    pair = await pair_of(practice, STRANGER)

    assert (await drchrono.user(pair["access_token"])).practice == "510901"


async def test_a_dead_token_that_is_not_stored_yet_condemns_nobody(practice, drchrono):
    with pytest.raises(Unauthorized):
        await drchrono.user("dead")

    assert (await practice.store.read()).refused_code is None
    assert practice.counted("POST /o/token") == 1, "the exchange of the one we have"


async def test_the_doctor_of_a_user_is_read_with_the_users_own_token(practice, drchrono):
    pair = await pair_of(practice, STAFF)

    doctor = await drchrono.doctor("310001", pair["access_token"])

    assert (doctor["first_name"], doctor["last_name"], doctor["suffix"]) == ("Fixture", "Provider", "MD")


@pytest.mark.parametrize(
    "doctor_id", ["310901", "999", "../users/610001", ""], ids=["foreign", "none", "path", "empty"]
)
async def test_a_doctor_who_is_not_shown_is_none(practice, drchrono, doctor_id):
    pair = await pair_of(practice, STAFF)

    assert await drchrono.doctor(doctor_id, pair["access_token"]) is None


async def test_a_doctor_that_cannot_be_asked_about_now_is_an_error_of_ours(practice, drchrono):
    practice.fault("GET /api/doctors", do="drop_before")

    with pytest.raises(Unavailable):
        await drchrono.doctor("310001", "token")


async def counted(database):
    return sum((await RateLedger(database, APPLICATION).by_lane()).values())


async def test_every_call_is_counted_for_the_application(practice, drchrono):
    await drchrono.read(PATIENTS, "1")
    await drchrono.user()
    practice.control.post("/_control/tokens/expire")
    await drchrono.listed(PATIENTS)

    made = practice.counted("GET /api/") + practice.counted("POST /o/token")
    assert await counted(practice.database) == made


@pytest.mark.parametrize("do", ["drop_before", "throttle"])
async def test_a_call_that_fails_is_counted_too(practice, drchrono, do):
    before = await counted(practice.database)
    practice.fault("GET /api/patients", do=do)

    with pytest.raises(Unavailable):
        await drchrono.read(PATIENTS, "1")

    assert await counted(practice.database) == before + 1


async def test_a_refusal_in_times_of_heavy_use_is_no_lost_permission(practice, drchrono):
    forbidden = {"do": "error", "status": 403, "body": {"detail": "no"}}
    practice.fault("GET /api/patients", **forbidden)
    with pytest.raises(Rejected):
        await drchrono.read(PATIENTS, "1")
    await drchrono.grant.budget.answered(429, 1.0)
    await change(practice.database, sa.update(allowances).values(closed_until=None))  # its wait is over
    practice.fault("GET /api/patients", **forbidden)

    with pytest.raises(Unavailable) as raised:
        await drchrono.read(PATIENTS, "1")

    assert (raised.value.status, raised.value.retry_in_s) == (403, 60.0)


async def test_a_call_that_cannot_be_counted_is_not_made(practice, drchrono):
    class Away(RateLedger):
        async def count(self, lane, admit):
            raise StoreUnavailable("the database is away")

    uncounted = practice.client(DrChronoRateLimit("drchrono", Away(practice.database, APPLICATION), Allowance(500, 4)))
    practice.control.delete("/_control/calls")

    for call in (uncounted.read(PATIENTS, "1"), uncounted.user(), uncounted.grant.exchange("code", REDIRECT)):
        with pytest.raises(StoreUnavailable):
            await call

    assert practice.counted("") == 0


async def test_a_call_whose_seconds_are_full_for_long_holds_nobody_up_and_is_not_counted(practice, monkeypatch):
    monkeypatch.setattr(drchrono_rate_limit, "_HELD_S", 1.5)
    calls = RateLedger(practice.database, "ours")
    budget = DrChronoRateLimit("drchrono", calls, Allowance(500, 1))

    ended = await asyncio.gather(*(budget.spend(Lane.LIVE, "GET") for _ in range(6)), return_exceptions=True)

    refused = [one for one in ended if one is not None]
    assert 2 <= len(refused) <= 5
    assert {(one.cause, one.retry_in_s) for one in refused} == {("seconds_are_full", 5.0)}
    assert await calls.by_lane() == {Lane.LIVE: len(ended) - len(refused)}


async def test_every_call_names_the_version_it_was_written_for(drchrono):
    assert drchrono._http.headers["X-DRC-API-Version"] == "v4"


async def test_no_token_is_in_an_error(practice, drchrono):
    token = (await practice.store.read()).token["access_token"]
    practice.fault("GET /api/patients", do="error", status=403, body={"detail": token})

    with pytest.raises(Rejected) as raised:
        await drchrono.read(PATIENTS, "1")

    assert token not in repr(raised.value) + str(raised.value)


async def test_a_list_goes_on_from_any_of_its_places(practice, drchrono):
    ids = patients(practice, 5)
    turn(practice, page_size=2)
    places = [onward async for _, onward in drchrono.places(PATIENTS, {"show_inactive": "true"})]

    rest = [
        record["id"]
        async for rows, _ in drchrono.places(PATIENTS, {"show_inactive": "true"}, places[0])
        for record in rows
    ]

    assert [bool(place) for place in places] == [True, True, False]
    assert len(rest) == 3
    assert set(rest) < set(ids)


async def test_a_place_that_was_kept_with_its_host_is_gone_to_at_ours(practice, drchrono):
    ids = patients(practice, 1)

    kept = "https://elsewhere.example/api/patients?page_size=5"
    pages = [rows async for rows, _ in drchrono.places(PATIENTS, {}, kept)]

    assert [record["id"] for rows in pages for record in rows] == ids
