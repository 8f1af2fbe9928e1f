"""Decisions about visits and their parents: absence, waiting, zones. Small worlds, no socket."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.sync.base import Rules
from app.sync.decide import decide
from app.sync.deletions import is_said_twice
from app.sync.failure_causes import NOT_SHOWN_ONCE
from app.sync.mappings import file
from app.sync.model import (
    Absent,
    Base,
    Deleted,
    Kind,
    Link,
    NeedsConfirmation,
    NothingNew,
    Parent,
    PendingWrite,
    RecordRef,
    Seen,
    Side,
    Snapshot,
)
from app.sync.plan import Create, Delete, Hold, Incomplete, Nothing, Wait, Write
from app.sync.snapshots import SideReader
from app.sync.trust import trusted_snapshot
from tests.build import CONFIRM_AFTER, KEYS, NOW, STAMP

TABLE = file.load()[Kind.APPOINTMENT]
RULES = Rules(TABLE, KEYS, CONFIRM_AFTER)
VISIT, RECORD = "340000501", "a01SYN000000001YBA"
ABSENT, UNHEARD = Absent.ABSENT, NothingNew.UNHEARD
FIELDS = {
    "patient": "1",
    "doctor": "2",
    "office": "3",
    "exam_room": "1",
    "scheduled_time": "2026-12-01T10:30:00",
    "local_start": "2026-12-01T10:30:00",
    "time_zone": "US/Eastern",
    "duration": "30",
    "status": "Confirmed",
    "reason": "x",
    "notes": None,
    "deleted": None,
}


def here(version=STAMP, *, confirmed=True, zone="US/Eastern", **fields):
    """A visit as DrChrono holds it."""
    return Snapshot(VISIT, {**FIELDS, "time_zone": zone, **fields}, version, confirmed=confirmed, zone=zone)


def there(zone="US/Eastern", **fields):
    """A visit as Salesforce holds it; `zone` is that of its doctor now."""
    return Snapshot(RECORD, {**FIELDS, **fields}, "v", key=VISIT, zone=zone)


def linked(**differences):
    link = Link("01JSYNTHETICVISIT000000000", Kind.APPOINTMENT, VISIT, RECORD, Base(), STAMP)
    return replace(link, **{"base": RULES.advanced(link, link.base, FIELDS), **differences})


def lone():
    return Link("01JSYNTHETICVISIT000000000", Kind.APPOINTMENT, VISIT, None, Base())


def plan(link, drchrono, salesforce, rules=RULES, **parents):
    far = {(Kind.PATIENT, "1"): parents["patient"]} if "patient" in parents else {}
    return decide(rules, link, Seen(drchrono, salesforce, far), NOW)


def test_a_visit_waits_for_its_patient():
    found = plan(lone(), here(), ABSENT, patient=Parent.COMING)

    assert (type(found), found.cause) == (Wait, "parent_missing")
    assert found.awaits == (RecordRef(Side.DRCHRONO, Kind.PATIENT, "1"),)
    assert found.until > NOW


def test_a_visit_without_a_patient_that_could_come_is_not_created():
    found = plan(lone(), here(), ABSENT, patient=Parent.NEVER)

    assert (type(found), found.refused) == (Incomplete, {"patient": "parent_missing"})
    assert found.awaits, "should the patient come after all"


def test_another_patient_that_can_never_come_does_not_hold_up_the_rest():
    found = plan(linked(), here(patient="9", reason="y"), there(), patient=Parent.LINKED)
    missing = decide(
        RULES, linked(), Seen(here(patient="9", status="y"), there(), {(Kind.PATIENT, "9"): Parent.NEVER}), NOW
    )

    assert found.writes[Side.SALESFORCE]["patient"] == "9"
    assert (missing.writes, missing.compared.refused) == (
        {Side.SALESFORCE: {"status": "y"}},
        {"patient": "parent_missing"},
    )


def test_an_unknown_zone_refuses_a_new_visit_by_the_name_of_its_time():
    found = plan(lone(), here(zone="Mars/Olympus"), ABSENT)

    assert (type(found), found.refused) == (Incomplete, {"scheduled_time": "unknown_time_zone"})


def test_a_change_of_zone_carries_the_instant_again():
    found = plan(linked(), here(zone="US/Central"), there(zone="US/Central"))

    assert found.writes == {Side.SALESFORCE: {"time_zone": "US/Central", "scheduled_time": FIELDS["scheduled_time"]}}
    assert (found.zone, found.compared.put_backs, found.compared.conflicts) == ("US/Central", (), ())


def test_a_change_of_zone_asks_drchrono_nothing():
    found = plan(linked(), UNHEARD, there(zone="US/Central"))

    assert found.writes == {Side.SALESFORCE: {"time_zone": "US/Central", "scheduled_time": FIELDS["scheduled_time"]}}


def test_a_change_of_zone_is_no_news_of_a_body():
    body = here(confirmed=False, zone="US/Central")

    assert trusted_snapshot(RULES, linked(), [body], there()) is body


def test_one_way_fields_of_both_sides_are_put_back_and_no_conflict():
    found = plan(linked(), here(local_start="2026-12-01T11:30:00"), there(local_start="2026-12-09T09:00:00"))

    assert found.compared.conflicts == ()
    assert found.writes[Side.SALESFORCE]["local_start"] == "2026-12-01T11:30:00"


@pytest.mark.parametrize("drchrono", [ABSENT, here(deleted="true")], ids=["404", "flag"])
def test_what_drchrono_deleted_is_marked(drchrono):
    found = plan(linked(), drchrono, there())

    assert found == Write({Side.SALESFORCE: {"deleted": "true"}})


@pytest.mark.parametrize("drchrono", [ABSENT, here(deleted="true")], ids=["404", "flag"])
def test_what_drchrono_deleted_is_deleted_where_that_is_wanted(drchrono):
    assert plan(linked(), drchrono, there(), replace(RULES, deletes=True)) == Delete()


@pytest.mark.parametrize("salesforce", [ABSENT, Deleted()], ids=["absent", "deleted"])
@pytest.mark.parametrize("drchrono", [ABSENT, here(deleted="true")], ids=["404", "flag"])
def test_what_both_have_deleted_is_done(drchrono, salesforce):
    found = plan(linked(), drchrono, salesforce)

    assert isinstance(found, Nothing)


@pytest.mark.parametrize("drchrono", [ABSENT, here(deleted="true")], ids=["404", "flag"])
def test_a_deleted_visit_nobody_knows_is_not_created(drchrono):
    assert plan(lone(), drchrono, ABSENT) == Nothing("never_here")


def test_a_body_that_says_deleted_is_only_a_reason_to_ask():
    body = here("2026-01-12T09:00:00", confirmed=False, deleted="true")

    assert trusted_snapshot(RULES, linked(), [body], there()) == NeedsConfirmation("says_deleted")
    assert trusted_snapshot(RULES, lone(), [body], ABSENT) == NeedsConfirmation("says_deleted")


def test_a_body_that_calls_a_linked_visit_a_break_is_only_a_reason_to_ask():
    body = replace(here("2026-01-12T09:00:00", confirmed=False), skipped="break")

    assert trusted_snapshot(RULES, linked(), [body], there()) == NeedsConfirmation("says_break")
    assert trusted_snapshot(RULES, lone(), [body], ABSENT) is body
    assert plan(lone(), body, ABSENT) == plan(lone(), replace(body, confirmed=True), ABSENT)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"appt_is_break": True}, "break"),
        ({"appt_is_break": "true"}, "break"),
        ({"appt_is_break": False, "patient": None}, "break"),
        ({"appt_is_break": None, "patient": ""}, "break"),
        ({"patient": 0}, "break"),
        ({"scheduled_time": None}, "no_time"),
        ({"scheduled_time": " "}, "no_time"),
        ({"patient": {"id": 1}}, ""),
        ({"appt_is_break": 0}, ""),
    ],
    ids=str,
)
def test_what_has_no_patient_or_no_time_is_no_visit_whatever_its_flag_says(said, reason):
    raw = {"id": VISIT, "patient": 1, "scheduled_time": "2026-12-01T10:30:00", "appt_is_break": False} | said

    assert SideReader(TABLE).drchrono(VISIT, raw).skipped == reason
    assert SideReader(file.load()[Kind.PATIENT]).drchrono("1", {"id": 1} | said).skipped == ""


@pytest.mark.parametrize("deletes", [False, True])
def test_a_linked_visit_that_became_a_block_is_marked_once_and_never_deleted(deletes):
    rules, block = replace(RULES, deletes=deletes), replace(here(patient=None), skipped="break")

    found = decide(rules, linked(), Seen(block, there()), NOW)
    again = decide(rules, linked(), Seen(block, there(deleted="true")), NOW)

    assert found.writes == {Side.SALESFORCE: {"deleted": "true"}}
    assert isinstance(again, Nothing)
    assert decide(rules, linked(), Seen(here(), there(deleted="true")), NOW).writes == {
        Side.SALESFORCE: {"deleted": None}
    }


def test_what_salesforce_deleted_is_cancelled_once_drchrono_was_asked():
    first = plan(linked(), UNHEARD, Deleted())
    then = plan(linked(), here(), Deleted())

    assert (type(first), first.cause) == (Wait, "ask_drchrono")
    assert then.writes == {Side.DRCHRONO: {"status": "Cancelled"}}


@pytest.mark.parametrize("status", ["Complete", "Arrived", "No Show", "In Session"])
def test_a_visit_that_took_place_waits_for_a_person(status):
    base = RULES.advanced(linked(), linked().base, {"status": status})
    found = plan(linked(base=base), here(status=status), Deleted())

    assert found == Hold("gone_in_salesforce")


def test_a_visit_somebody_has_touched_in_drchrono_since_waits_for_a_person():
    assert plan(linked(), here(scheduled_time="2026-12-09T09:00:00"), Deleted()) == Hold("gone_in_salesforce")


def test_a_cancelled_visit_is_not_cancelled_again():
    base = RULES.advanced(linked(), linked().base, {"status": "Cancelled"})

    assert isinstance(plan(linked(base=base), UNHEARD, Deleted()), Nothing)
    assert isinstance(plan(linked(), here(status="Cancelled"), Deleted()), Nothing)


def test_a_visit_we_may_not_see_any_more_is_not_a_deleted_one():
    found = plan(linked(), here(), ABSENT)

    assert found == Hold("gone_in_salesforce")


def test_where_deletes_are_held_nothing_is_cancelled():
    assert plan(linked(), here(), Deleted(), replace(RULES, cancels=False)) == Hold("gone_in_salesforce")


@pytest.mark.parametrize(
    ("zone", "local", "flag"),
    [
        ("US/Eastern", "2026-11-01T01:30:00", "repeated_hour"),
        ("US/Eastern", "2027-03-14T02:30:00", "missing_hour"),
        ("US/Arizona", "2027-03-14T02:30:00", None),
    ],
)
def test_a_time_the_clocks_make_odd_travels_and_is_flagged(zone, local, flag):
    found = plan(lone(), here(zone=zone, scheduled_time=local, local_start=local), ABSENT)

    assert isinstance(found, Create)
    assert found.flags == ({"scheduled_time": flag} if flag else {})


@pytest.mark.parametrize("without", ["nothing", "time_zone"])
def test_a_visit_that_was_given_another_id_is_named_anew_also_where_no_zone_is_mapped(without):
    rows = {name: row for name, row in TABLE.rows.items() if name != without}
    shown = {name: value for name, value in FIELDS.items() if name in rows}
    renumbered = replace(there(), fields=shown, key="340000999")

    found = plan(linked(), UNHEARD, renumbered, replace(RULES, table=replace(TABLE, rows=rows)))

    assert (type(found), found.writes_key) == (Write, True)


def test_a_look_that_is_not_due_yet_keeps_its_promise():
    promised = NOW + timedelta(minutes=1)

    found = plan(linked(confirm_due_at=promised), NeedsConfirmation("says_deleted"), there())

    assert (type(found), found.until) == (Wait, promised)


ONCE = NeedsConfirmation(NOT_SHOWN_ONCE)


@pytest.mark.parametrize(
    "writes",
    [(), (PendingWrite("01JWRITE", Side.DRCHRONO, {}, NOW),)],
    ids=["quiet", "with a write of ours in the air"],
)
def test_a_visit_that_is_not_shown_once_is_asked_about_again_a_while_later(writes):
    link = replace(linked(), own_writes=writes)

    assert plan(link, ONCE, there()) == Wait(NOT_SHOWN_ONCE, NOW + RULES.search_gap)


def test_what_comes_in_meanwhile_changes_nothing_about_when_it_is_asked():
    soon = NOW + timedelta(seconds=20)
    link = replace(linked(), last_cause=NOT_SHOWN_ONCE, confirm_due_at=soon)

    assert plan(link, NeedsConfirmation("nothing_delivered"), there()) == Wait(NOT_SHOWN_ONCE, soon)


def test_a_visit_that_is_shown_again_was_never_gone():
    link = replace(linked(), last_cause=NOT_SHOWN_ONCE)

    assert isinstance(plan(link, here(), there()), Nothing | Write)


@pytest.mark.parametrize(
    ("last_cause", "delivered", "is_said"),
    [
        ("", [], False), ("", [here()], False), ("ask_drchrono", [here(confirmed=False)], False),
        (NOT_SHOWN_ONCE, [], True), ("", [here(), here(deleted="true", confirmed=False)], True),
    ],
    ids=["never", "delivered as there", "asked", "not shown before", "delivered as deleted"],
)  # fmt: skip
def test_that_a_visit_is_gone_is_drchronos_word_at_the_second_time(last_cause, delivered, is_said):
    assert is_said_twice(TABLE, replace(linked(), last_cause=last_cause), delivered) is is_said
