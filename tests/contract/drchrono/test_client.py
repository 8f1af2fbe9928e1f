"""Our DrChrono client against the stand-in: every call we make, and every way it may end."""

import asyncio
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.errors import (
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
        ({"do": "error", "status": 302, "body": ""}, Rejected),
        ({"do": "error", "status": 200, "body": {"id": 1}}, Unreadable),
        ({"do": "error", "status": 200, "body": "<html>"}, Unreadable),
        ({"do": "drop_before"}, Unavailable),
    ],
    ids=["429", "html-500", "403", "redirect", "another record", "html-200", "dropped"],
)
async def test_every_bad_answer_of_drchrono_becomes_one_of_our_errors(practice, drchrono, fault, expected):
    practice.fault("GET /api/patients", **fault)

    with pytest.raises(expected) as raised:
        await drchrono.read(PATIENTS, "2")

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
        ({"do": "error", "status": 400, "body": "<html>"}, Rejected, ()),
        ({"do": "error", "status": 400, "body": ["no"]}, Rejected, ()),
        ({"do": "error", "status": 403, "body": "<html>"}, Rejected, ()),
        ({"do": "error", "status": 404, "body": {"detail": "no"}}, Gone, ()),
        ({"do": "error", "status": 409, "body": ""}, Rejected, ()),
        ({"do": "error", "status": 302, "body": ""}, Rejected, ()),
        (DOWN, OutcomeUnknown, ()),
        ({"do": "error", "status": 503, "body": ""}, OutcomeUnknown, ()),
        ({"do": "drop_before"}, OutcomeUnknown, ()),
        ({"do": "drop_after_commit"}, OutcomeUnknown, ()),
    ],
    ids=[
        "429", "400 fields", "400 html", "400 list", "403", "404", "409", "redirect", "500", "503", "dropped",
        "done and dropped",
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


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example/api/patients?cursor=a", "//elsewhere.example/api/patients",
        "http://127.0.0.1:9/api/patients", "https://{here}/api/patients", "http://{here}@elsewhere.example/",
        "http://[elsewhere", "javascript:alert(1)",
    ],
)  # fmt: skip
async def test_a_next_page_on_another_host_never_sees_our_token(practice, drchrono, elsewhere):
    onward = elsewhere.format(here=practice.url.removeprefix("http://"))
    body = {"results": [{"id": 1}], "next": onward, "previous": None}
    practice.fault("GET /api/patients", do="error", status=200, body=body)

    with pytest.raises(Unreadable, match="OTHER_HOST"):
        await drchrono.listed(PATIENTS)

    assert practice.counted("GET /api/patients") == 1


async def test_a_list_that_leads_back_to_itself_ends(practice, drchrono):
    body = {"results": [{"id": 1}], "next": f"{practice.url}/api/patients?cursor=a", "previous": None}
    practice.fault("GET /api/patients", times=50, do="error", status=200, body=body)

    with pytest.raises(Unreadable, match="ENDLESS_LIST"):
        await drchrono.listed(PATIENTS)


@pytest.mark.parametrize("body", [{"detail": "no"}, {"results": [1]}, "<html>", []], ids=str)
async def test_a_page_that_is_none_is_unreadable(practice, drchrono, body):
    practice.fault("GET /api/patients", do="error", status=200, body=body)

    with pytest.raises(Unreadable):
        await drchrono.listed(PATIENTS)


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

    with pytest.raises(Unreadable, match="OTHER_HOST"):
        await drchrono.user()

    assert practice.counted("GET /api/users") == 1


@pytest.mark.parametrize("match", ["GET /api/users/current", f"GET /api/users/{PROVIDER}"], ids=["first", "second"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 302, "body": ""}, Unreadable),
        ({"status": 500, "body": "<html>"}, Unavailable),
        ({"status": 403, "body": {"detail": "no"}}, Rejected),
        ({"status": 200, "body": {"id": 1}}, Unreadable),
        ({"status": 200, "body": "<html>"}, Unreadable),
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


async def test_a_bulk_list_is_counted_in_its_lane_the_asking_and_each_look(practice, drchrono):
    patients(practice, 3)
    turn(practice, bulk_polls=3)
    drchrono.bulk_waits_s = (0.0,) * 5
    practice.control.delete("/_control/calls")

    page = await drchrono.on(Lane.BACKFILL).bulk(PATIENTS, {}, 1)

    assert len(page.rows) == 3
    assert practice.counted("POST /api/patients_list") == 1
    assert practice.counted("GET /api/patients_list") == 4
    assert (await RateLedger(practice.database, APPLICATION).by_lane())[Lane.BACKFILL] == 5


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


LIST = "POST /api/patients_list"
LOOK = "GET /api/patients_list"
ALL = {"show_inactive": "true"}


@pytest.fixture
def impatient(drchrono):
    """One who looks five times at once."""
    drchrono.bulk_waits_s = (0.0,) * 5
    return drchrono


async def test_a_bulk_list_comes_page_by_page_and_says_how_many_there_are(practice, impatient):
    ids = patients(practice, 5)
    turn(practice, bulk_page_size=2)

    pages = [await impatient.bulk(PATIENTS, ALL, number) for number in (1, 2, 3)]

    assert [record["id"] for page in pages for record in page.rows] == ids
    assert [(page.is_last, page.of) for page in pages] == [(False, 5), (False, 5), (True, 5)]


async def test_a_bulk_list_of_nothing_is_one_empty_page(impatient):
    page = await impatient.bulk(PATIENTS, ALL, 1)

    assert (page.rows, page.is_last) == ([], True)


async def test_a_bulk_page_costs_a_call_to_ask_and_one_for_every_look(practice, impatient):
    turn(practice, bulk_polls=2)
    practice.control.delete("/_control/calls")

    await impatient.bulk(PATIENTS, ALL, 1)

    counts = practice.control.get("/_control/calls").json()["counts"]
    assert (counts[LIST], counts[LOOK]) == (1, 3)


@pytest.mark.parametrize("status", [403, 404, 405])
async def test_a_practice_without_bulk_lists_says_so(practice, impatient, status):
    practice.control.post("/_control/faults", json={"match": LIST, "do": "error", "status": status})

    assert await impatient.bulk(PATIENTS, ALL, 1) is None


@pytest.mark.parametrize(
    ("match", "fault", "expected", "cause"),
    [
        (LIST, {"do": "throttle"}, Unavailable, "HTTP_429"),
        (LIST, DOWN, Unavailable, "HTTP_500"),
        (LIST, {"do": "drop_before"}, Unavailable, None),
        (LIST, {"do": "error", "status": 400, "body": {"since": ["Enter a valid date."]}}, Rejected, "HTTP_400"),
        (LIST, {"do": "error", "status": 200, "body": "<html>"}, Unreadable, "NO_RECORDS"),
        (LIST, {"do": "error", "status": 201, "body": {"status": "In progress"}}, Unreadable, "NO_RECORDS"),
        (LOOK, {"do": "error", "status": 500, "body": {"status": "Failed"}}, Unavailable, "BULK_NOT_MADE"),
        (LOOK, {"do": "error", "status": 404, "body": {"detail": "Invalid uuid"}}, Unavailable, "BULK_NOT_MADE"),
        (LOOK, {"do": "error", "status": 200, "body": {"status": "Complete"}}, Unreadable, "NO_RECORDS"),
        (LOOK, {"do": "error", "status": 200, "body": "<html>"}, Unreadable, "NO_RECORDS"),
        (LOOK, {"do": "drop_before"}, Unavailable, None),
    ],
    ids=[
        "429",
        "500",
        "dropped",
        "400",
        "html",
        "no-uuid",
        "failed",
        "expired",
        "no-rows",
        "html-look",
        "dropped-look",
    ],
)
async def test_every_bad_answer_to_a_bulk_list_is_one_of_our_errors(practice, impatient, match, fault, expected, cause):
    practice.control.post("/_control/faults", json={"match": match, "next": 9, **fault})

    with pytest.raises(expected) as caught:
        await impatient.bulk(PATIENTS, ALL, 1)

    assert cause is None or caught.value.cause == cause


async def test_a_page_that_is_never_made_is_given_up(practice, impatient):
    turn(practice, bulk_polls=50)

    with pytest.raises(Unavailable) as caught:
        await impatient.bulk(PATIENTS, ALL, 1)

    assert (caught.value.cause, caught.value.retry_in_s) == ("BULK_NOT_MADE", 60.0)


async def test_a_list_goes_on_from_any_of_its_places(practice, drchrono):
    ids = patients(practice, 5)
    turn(practice, page_size=2)
    places = [onward async for _, onward in drchrono.places(PATIENTS, ALL)]

    rest = [record["id"] async for rows, _ in drchrono.places(PATIENTS, ALL, places[0]) for record in rows]

    assert [bool(place) for place in places] == [True, True, False]
    assert len(rest) == 3
    assert set(rest) < set(ids)


async def test_a_place_at_another_host_is_not_gone_to(drchrono):
    with pytest.raises(Unreadable) as caught:
        [rows async for rows, _ in drchrono.places(PATIENTS, {}, "https://elsewhere.example/api/patients?page=2")]

    assert caught.value.code == "OTHER_HOST"
