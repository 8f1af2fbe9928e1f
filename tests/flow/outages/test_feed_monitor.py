"""A feed that stops is found and said, until it delivers again; one that is merely quiet is not suspected."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import structlog

from app.runtime import open_inbox
from app.store import feeds, lanes, schedules
from app.store.heartbeats import Beating
from app.store.tables import darkness
from app.sync.model import Kind, Lane, Side
from tests.flow.calendar import forgets
from tests.flow.clinic import opened, settings_of
from tests.flow.patience import ages, compares_when_due
from workers.compare.outages import beat
from workers.compare.reconcile import compare, record_connection
from workers.feed_monitor import check_feed

MINUTE = timedelta(minutes=1)
QUIET, SECOND = 15 * MINUTE, 10 * MINUTE
ALWAYS = "Mon-Sun 00:00-24:00 America/New_York"


@pytest.fixture
async def clinic(request, database, empty_vendors):
    """A clinic that never closes and compares once a day; two patients, of whom both sides have just told."""
    it = empty_vendors
    urls = str(it.drchrono.base_url).rstrip("/"), str(it.salesforce.base_url).rstrip("/")
    hours = getattr(request, "param", ALWAYS)
    known = settings_of(database, *urls, it.ca_file, reconcile_every="P1D", office_hours=hours)
    async with opened(known, it.drchrono, it.salesforce, from_memory=True) as clinic:
        clinic.patient = await clinic.has_linked(first_name="Ada")
        await compares_when_due(clinic)
        await clinic.settles()
        await clinic.hears()
        await clinic.settles()
        await listens(clinic)
        forgets(clinic)
        clinic.salesforce.delete("/_control/calls")
        yield clinic


async def listens(clinic):
    """Door and worker give their signs, and the worker looks into both feeds."""
    await clinic.app.state.health.look()
    await beat(clinic.runtime, "one")
    for side in Side:
        await check_feed(clinic.runtime, side)


async def passes(clinic, span):
    """Time goes by in which door, worker and sides have given their signs; then the worker looks into both feeds."""
    await ages(clinic, span)
    for of in Beating:
        await schedules.raise_watermark(clinic.runtime.database, f"sign_{of}", clinic.runtime.now())
    await clinic.runtime.database.transact(_nothing_was_dark)
    await listens(clinic)


async def _nothing_was_dark(connection):
    """The door itself may have given a sign in the midst of it, and taken the time that went by for darkness."""
    await connection.execute(sa.delete(darkness).where(darkness.c.name.in_([of.value for of in Beating])))


async def feed(clinic, side=Side.DRCHRONO):
    return (await feeds.read(clinic.runtime.database))[side]


async def part(clinic, name="drchrono_feed"):
    await clinic.app.state.health.look()
    return (await clinic.web.get("/healthz")).json()["parts"][name]


async def measured(clinic, line):
    text = (await clinic.web.get("/metrics")).text
    return next(float(one.rsplit(" ", 1)[1]) for one in text.splitlines() if one.startswith(line))


async def found_silent(clinic, **edit):
    """An edit of which DrChrono tells nothing, and the time it takes to find that out."""
    await clinic.edits(clinic.patient, **(edit or {"city": "Springfield"}))
    await passes(clinic, QUIET)
    assert (await feed(clinic)).doubted
    await passes(clinic, SECOND)


async def test_a_feed_that_is_merely_quiet_costs_a_call_of_each_kind_and_is_left_in_peace(clinic):
    await passes(clinic, QUIET)
    first = clinic.calls("drchrono", "GET")
    await passes(clinic, SECOND)

    assert (first, clinic.calls("drchrono", "GET")) == (2, 2)
    assert clinic.calls("salesforce", "GET /services/data/v67.0/queryAll") == 2
    assert (await part(clinic))["state"] == "ok"
    assert (await feed(clinic)).silent_since is None


async def test_what_was_there_before_both_sides_were_connected_proves_nothing_of_a_feed(clinic):
    await clinic.registers(first_name="Before")
    clinic.human_ticks_contact()
    await clinic.was_never_loaded()
    for kind in (Kind.PATIENT, Kind.APPOINTMENT):
        await record_connection(clinic.runtime, kind)
    await passes(clinic, QUIET)

    assert [(await feed(clinic, side)).doubted for side in Side] == [frozenset(), frozenset()]


async def test_a_feed_that_stopped_is_said_with_since_when_and_what_was_found(clinic):
    heard = (await feed(clinic)).heard_at
    with structlog.testing.capture_logs() as lines:
        await found_silent(clinic)
    shown = await part(clinic)
    compared = clinic.calls("drchrono", "GET /api/doctors")
    await compares_when_due(clinic)
    await clinic.settles()

    (line,) = [one for one in lines if one["event"] == "feed.silent"]
    assert (line["side"], line["records"], line["log_level"]) == ("drchrono", 1, "warning")
    assert (shown["state"], shown["age_s"] > (QUIET + SECOND).total_seconds()) == ("degraded", True)
    assert shown["advice"].startswith("DrChrono stopped calling at ")
    assert "(America/New_York); 1 change found by comparing; see on its API management page" in shown["advice"]
    assert (await feed(clinic)).silent_since < heard
    assert await measured(clinic, 'chronobridge_feed_silent{side="drchrono"}') == 1
    assert await measured(clinic, 'chronobridge_feed_silent{side="salesforce"}') == 0
    assert await measured(clinic, 'chronobridge_feed_changes_found{side="drchrono"}') == 1
    assert await measured(clinic, 'chronobridge_feed_last_delivery_timestamp_seconds{side="drchrono"}') > 0
    assert (compared, clinic.calls("drchrono", "GET /api/doctors")) == (0, 1), "it is compared at once"
    assert clinic.contact()["MailingCity"] == "Springfield"


async def test_while_a_feed_is_silent_edits_are_found_within_ten_minutes_and_counted_once(clinic):
    await found_silent(clinic)
    await compares_when_due(clinic)
    await clinic.settles()
    await clinic.edits(clinic.patient, city="Shelbyville")

    await passes(clinic, SECOND)
    await compares_when_due(clinic)
    await clinic.settles()
    await passes(clinic, SECOND)

    assert clinic.contact()["MailingCity"] == "Shelbyville"
    assert (await feed(clinic)).found == 2
    assert "2 changes found by comparing" in (await part(clinic))["advice"]


async def test_the_next_delivery_ends_it(clinic):
    await found_silent(clinic)
    await clinic.arrives(await clinic.edits(clinic.patient, city="Ogdenville"))

    with structlog.testing.capture_logs() as lines:
        await passes(clinic, MINUTE)

    assert [one["event"] for one in lines if one["event"].startswith("feed.")] == ["feed.speaks_again"]
    assert (await part(clinic))["state"] == "ok"
    assert (await feed(clinic)).found == 0
    assert await measured(clinic, 'chronobridge_feed_silent{side="drchrono"}') == 0


async def test_what_comes_late_was_no_silence(clinic):
    edited = await clinic.edits(clinic.patient, city="Springfield")
    await passes(clinic, QUIET)
    doubted = (await feed(clinic)).doubted
    await clinic.arrives(edited)

    await passes(clinic, SECOND)

    assert doubted
    assert ((await feed(clinic)).doubted, (await feed(clinic)).silent_since) == (frozenset(), None)


async def test_what_waits_for_a_person_is_no_proof(clinic):
    for _ in range(2):
        twin = await clinic.registers(first_name="Twin", last_name="Sample", date_of_birth="1990-02-03")
        clinic.human_enters_contact(FirstName="Twin", LastName="Sample", Birthdate="1990-02-03")
    await clinic.arrives(twin, event="PATIENT_CREATE")
    await clinic.edits(twin, city="Springfield")
    other = [one for one in clinic.charts() if one["first_name"] == "Twin" and one["id"] != twin["id"]]
    await clinic.arrives(other[0], event="PATIENT_CREATE")
    held = [cause for _side, cause, _fields in await clinic.failures()]

    await passes(clinic, QUIET)
    await passes(clinic, SECOND)

    assert len(held) == 2
    assert ((await feed(clinic)).doubted, (await feed(clinic)).silent_since) == (frozenset(), None)


async def compared(clinic):
    """The hourly compare of patients, as it comes by itself."""
    inbox = open_inbox(clinic.runtime, lambda _group: None)
    try:
        await compare(clinic.runtime, inbox, Kind.PATIENT)
    finally:
        await inbox.close()
    await clinic.settles()


@pytest.mark.parametrize("side", list(Side))
async def test_a_compare_that_takes_up_what_nobody_told_of_counts_as_the_first_look(clinic, side):
    await passes(clinic, 2 * MINUTE)
    if side is Side.DRCHRONO:
        await clinic.edits(clinic.patient, city="Springfield")
    else:
        clinic.human_edits_contact(Email="moved@example.com")
    await compared(clinic)
    other = (await feed(clinic, side.other)).doubted

    await passes(clinic, QUIET)

    assert (await feed(clinic, side)).found == 1
    assert "stopped calling at " in (await part(clinic, f"{side}_feed"))["advice"]
    assert (other, (await feed(clinic, side.other)).silent_since) == (frozenset(), None)


async def test_a_pass_that_meets_what_nobody_told_of_counts_as_the_first_look(clinic):
    await passes(clinic, 2 * MINUTE)
    clinic.human_edits_contact(Email="moved@example.com")
    await clinic.arrives(await clinic.edits(clinic.patient, city="Springfield"))
    await clinic.settles()

    await passes(clinic, QUIET)

    assert (await feed(clinic, Side.SALESFORCE)).found == 1
    assert (await feed(clinic)).silent_since is None


async def test_what_was_taken_up_and_is_told_of_later_was_no_silence(clinic):
    await passes(clinic, 2 * MINUTE)
    edited = await clinic.edits(clinic.patient, city="Springfield")
    await compared(clinic)
    doubted = (await feed(clinic)).doubted
    await clinic.arrives(edited)

    await passes(clinic, QUIET)

    assert doubted
    assert ((await feed(clinic)).doubted, (await feed(clinic)).silent_since) == (frozenset(), None)


async def test_a_delivery_that_was_under_way_before_it_stopped_does_not_end_the_doubt(clinic):
    late = await clinic.edits(await clinic.has_linked(first_name="Ben"), city="Ogdenville")
    await clinic.edits(clinic.patient, city="Springfield")
    await passes(clinic, QUIET)
    await clinic.arrives(late)
    await passes(clinic, SECOND)
    too_early = (await feed(clinic)).silent_since

    await passes(clinic, MINUTE * 5)

    assert too_early is None
    assert (await feed(clinic)).found == 1


async def test_a_delivery_of_a_later_change_ends_the_doubt(clinic):
    other = await clinic.has_linked(first_name="Ben")
    await clinic.edits(clinic.patient, city="Springfield")
    await passes(clinic, QUIET)
    doubted = (await feed(clinic)).doubted
    await clinic.arrives(await clinic.edits(other, city="Ogdenville"))

    await passes(clinic, MINUTE)

    assert (bool(doubted), (await feed(clinic)).doubted) == (True, frozenset())


async def test_what_changed_while_our_door_was_closed_is_no_sign_of_silence(clinic):
    await clinic.edits(clinic.patient, city="Springfield")
    await ages(clinic, QUIET)
    await listens(clinic)
    await compares_when_due(clinic)
    await clinic.settles()

    await passes(clinic, QUIET)
    await passes(clinic, SECOND)

    assert clinic.contact()["MailingCity"] == "Springfield"
    assert ((await feed(clinic)).doubted, (await feed(clinic)).silent_since) == (frozenset(), None)


async def test_salesforce_is_suspected_like_drchrono(clinic):
    clinic.human_edits_contact(Email="moved@example.com")

    await passes(clinic, QUIET)
    await passes(clinic, SECOND)

    assert (await feed(clinic, Side.SALESFORCE)).found == 1
    assert "Salesforce stopped calling at " in (await part(clinic, "salesforce_feed"))["advice"]
    assert (await feed(clinic)).silent_since is None


@pytest.mark.parametrize("clinic", ["never"], indirect=True)
async def test_outside_office_hours_nobody_looks(clinic):
    await clinic.edits(clinic.patient, city="Springfield")

    await passes(clinic, QUIET)

    assert clinic.calls("drchrono", "GET") == 0
    assert (await feed(clinic)).doubted == frozenset()


async def test_while_comparing_is_paused_nobody_looks_and_that_is_said(clinic):
    await found_silent(clinic)
    await lanes.set_paused(clinic.runtime.database, [Lane.COMPARE], "an operator's word")
    before = clinic.calls("drchrono", "GET")

    await passes(clinic, SECOND)

    assert clinic.calls("drchrono", "GET") == before
    assert "the lane compare is paused, so nobody compares now" in (await part(clinic))["advice"]


async def test_while_our_own_door_is_closed_nobody_is_suspected(clinic):
    await clinic.edits(clinic.patient, city="Springfield")
    await ages(clinic, QUIET)
    await beat(clinic.runtime, "one")

    await check_feed(clinic.runtime, Side.DRCHRONO)

    assert clinic.calls("drchrono", "GET") == 0


async def test_a_feed_that_never_delivered_is_well_and_says_what_to_do(known, empty_vendors):
    async with opened(known, empty_vendors.drchrono, empty_vendors.salesforce, from_memory=True) as clinic:
        await clinic.registers(first_name="Ada")
        await passes(clinic, QUIET)

        shown = await part(clinic)

        assert (shown["state"], clinic.calls("drchrono", "GET")) == ("ok", 0)
        assert shown["advice"].startswith(
            "DrChrono has never called: register https://sync.example.com/webhooks/drchrono"
        )
        assert "SALESFORCE_OUTBOUND_TOKENS" in (await part(clinic, "salesforce_feed"))["advice"]


async def test_a_side_that_is_not_connected_has_no_feed(database, empty_vendors):
    it = empty_vendors
    urls = str(it.drchrono.base_url).rstrip("/"), str(it.salesforce.base_url).rstrip("/")
    known = settings_of(
        database, *urls, it.ca_file, drchrono_client_id=None, drchrono_client_secret=None, drchrono_webhook_secrets=""
    )
    async with opened(known, it.drchrono, it.salesforce) as clinic:
        for side in known.connected:
            await check_feed(clinic.runtime, side)
        await clinic.app.state.health.look()
        shown = (await clinic.web.get("/healthz")).json()["parts"]

    assert "salesforce_feed" in shown
    assert "drchrono_feed" not in shown


async def test_odd_rows_of_a_list_end_no_look_into_a_feed(clinic):
    odd = {"results": [None, 7, [], {}, {"id": "9" * 65}, {"id": "1\x00"}], "next": None}
    for path in ("/api/patients", "/api/appointments"):
        clinic.breaks("drchrono", f"GET {path}", "error", status=200, body=odd, next=None)

    with structlog.testing.capture_logs() as lines:
        await passes(clinic, QUIET)

    passed_over = [line["records"] for line in lines if line["event"] == "list.rows_unreadable"]
    assert passed_over[:1] == [len(odd["results"])]
    assert [line for line in lines if line["event"] == "feed.not_looked_into"] == []
