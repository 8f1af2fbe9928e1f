"""Our own writes whose outcome is unknown: waited for, then landed or lost, and never taken for somebody's edit."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.sync.decide import decide
from app.sync.model import Side, Snapshot
from app.sync.pending_writes import has_landed, write_stamps
from app.sync.plan import SettledWrites, Wait
from tests.build import (
    ABSENT,
    DRCHRONO_ID,
    LATER_STAMP,
    NOW,
    a_contact,
    a_link,
    a_lone_ref,
    a_patient,
    a_row,
    a_snapshot,
    an_own_write,
    rules,
    seen,
)  # fmt: skip

RULES = rules()
S = Side.SALESFORCE
SOON, PAST = NOW + timedelta(minutes=5), NOW - timedelta(seconds=1)


def decided(link=None, drchrono=None, salesforce=None, by=RULES):
    return decide(by, link or a_link(), seen(drchrono, salesforce), NOW)


def linked_with_write(before, written, settle_at, call="update"):
    link = a_link()
    return replace(link, own_writes=(an_own_write(link, RULES, before, written, settle_at, call=call),))


@pytest.mark.parametrize("call", ["delete", "merge"])
@pytest.mark.parametrize("salesforce", [ABSENT, a_contact()], ids=["absent", "there"])
def test_while_a_write_that_may_not_be_repeated_may_still_land_nothing_else_is_written(salesforce, call):
    link = linked_with_write({}, {}, SOON, call)

    plan = decided(link, a_snapshot(LATER_STAMP, city="Newertown"), salesforce)

    assert plan == Wait("write_unsettled", SOON)


def test_of_several_such_writes_the_last_to_settle_is_waited_for():
    link = linked_with_write({}, {}, SOON, "delete")
    later = replace(link.own_writes[0], id="02", settle_at=SOON + timedelta(hours=1))
    link = replace(link, own_writes=(later, *link.own_writes))

    assert decided(link).until == later.settle_at


def test_an_update_that_does_not_show_is_not_waited_for_and_remembered_until_the_vendor_gives_it_up():
    link = linked_with_write({"city": "Testville"}, {"city": "Newtown"}, SOON)

    plan = decided(link, a_snapshot(LATER_STAMP, city="Newertown"))

    assert plan.writes == {S: {"city": "Newertown"}}
    assert plan.settled == SettledWrites(lost=("01JWRITE",), late=("01JWRITE",))


def test_what_shows_may_be_the_doing_of_an_earlier_attempt_so_the_later_one_may_land_yet():
    link = linked_with_write({"city": "Testville"}, {"city": "Newtown"}, SOON)
    earlier = replace(link.own_writes[0], id="00")

    plan = decided(replace(link, late_writes=(earlier,)), a_snapshot(city="Newtown"), a_contact(city="Newtown"))

    assert plan.settled == SettledWrites(landed=("01JWRITE",), late=("01JWRITE",))


def test_a_write_that_shows_over_there_has_landed_and_holds_up_nothing():
    link = linked_with_write({"city": "Testville"}, {"city": "Newtown"}, SOON)

    plan = decided(link, a_snapshot(LATER_STAMP, city="Newertown"), a_contact(city="Newtown"))

    assert plan.settled == SettledWrites(landed=("01JWRITE",))
    assert plan.writes == {S: {"city": "Newertown"}}


@pytest.mark.parametrize("settle_at", [PAST, NOW], ids=["past", "this instant"])
def test_a_write_that_does_not_show_when_the_vendor_gave_it_up_is_lost_and_made_again(settle_at):
    link = linked_with_write({"city": "Testville"}, {"city": "Newtown"}, settle_at)

    plan = decided(link, a_snapshot(LATER_STAMP, city="Newtown"))

    assert plan.settled == SettledWrites(lost=("01JWRITE",))
    assert plan.writes == {S: {"city": "Newtown"}}


def test_a_create_by_our_external_id_that_does_not_show_is_tried_again_at_once():
    link = a_lone_ref()
    link = replace(link, own_writes=(an_own_write(link, RULES, {}, a_patient(), SOON, call="create"),))

    plan = decided(link, salesforce=ABSENT)

    assert (plan.side, plan.settled.late) == (S, ("01JWRITE",))


def test_one_field_that_shows_the_new_value_is_enough_for_a_write_to_have_landed():
    link = a_link()
    write = an_own_write(link, RULES, {"city": "Testville", "state": "NY"}, {"city": "Newtown", "state": "NJ"})

    assert has_landed(RULES, link, write, seen(salesforce=a_contact(city="Newtown", state="a person's edit")))


@pytest.mark.parametrize(
    "salesforce",
    [ABSENT, a_contact(), a_contact(cell_phone="5550100142"), Snapshot("1", {})],
    ids=["absent", "old value", "old value otherwise written", "not read"],
)
def test_a_write_that_does_not_show_has_not_landed(salesforce):
    link = a_link()
    write = an_own_write(link, RULES, a_patient(), {"cell_phone": "(555) 010-0142"})

    assert not has_landed(RULES, link, write, seen(salesforce=salesforce))


def test_a_write_of_a_field_that_left_the_mapping_has_not_landed():
    by, link = rules(a_row("note")), a_link()

    assert not has_landed(
        by, link, an_own_write(link, RULES, {}, {"city": "Newtown"}), seen(salesforce=a_contact(city="Newtown"))
    )


def test_the_journal_keeps_stamps_of_what_was_there_and_of_what_is_written():
    link = a_link()

    kept = write_stamps(RULES, link, {"city": "Newtown"}, a_contact())

    assert kept == {"city": (RULES.stamp(link, "city", "Testville"), RULES.stamp(link, "city", "Newtown"))}


def test_the_journal_knows_nothing_of_what_was_there_before_a_create():
    assert write_stamps(RULES, a_lone_ref(), {"city": "Newtown"}, ABSENT)["city"][0] is None


def one_field(owner, agreed, written, settle_at=NOW):
    """A rule for one field, and a link with a write of ours that is lost unless it shows."""
    by = rules(a_row(owner=owner))
    link = a_link(agreed, by)
    before, now = written
    return by, replace(link, own_writes=(an_own_write(link, by, {"note": before}, {"note": now}, settle_at),))


@pytest.mark.parametrize("agreed", [{}, {"note": "a"}], ids=["first match", "agreed before"])
def test_a_lost_write_is_made_again_over_what_it_would_have_replaced(agreed):
    by, link = one_field(Side.DRCHRONO, agreed, ("x", "b"))

    plan = decided(link, Snapshot("1", {"note": "b"}), Snapshot("2", {"note": "x"}, key=DRCHRONO_ID), by)

    assert plan.writes == {S: {"note": "b"}}


def test_after_a_lost_write_emptiness_still_never_beats_a_value_on_a_first_match():
    by, link = one_field(Side.DRCHRONO, {}, ("x", "b"))

    plan = decided(link, Snapshot("1", {"note": None}), Snapshot("2", {"note": "x"}, key=DRCHRONO_ID), by)

    assert plan.writes == {Side.DRCHRONO: {"note": "x"}}


@pytest.mark.parametrize("owner", Side, ids=[side.value for side in Side])
def test_after_a_lost_write_an_edit_over_there_travels_when_ours_was_taken_back(owner):
    """Agreed on a; Salesforce's user writes x, DrChrono's b; our write of b is lost; DrChrono's user returns to a."""
    by, link = one_field(owner, {"note": "a"}, ("x", "b"))

    plan = decided(link, Snapshot("1", {"note": "a"}), Snapshot("2", {"note": "x"}, key=DRCHRONO_ID), by)

    assert plan.writes == {Side.DRCHRONO: {"note": "x"}}
