"""Who is synced: conditions on what a side's own record holds, and what a pair comes to that one of them leaves out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.sync.decide import decide
from app.sync.mappings.include import CHOICES, FLAGS, LISTED, NUMBERS, Condition, is_included
from app.sync.model import Deleted, Exclusion, Kind, NeedsConfirmation, Seen, Side
from app.sync.plan import Exclude, Follow, Wait
from app.sync.trust import trusted_snapshot
from tests.build import (
    ABSENT,
    LATER_STAMP,
    NOW,
    STAMP,
    UNHEARD,
    a_body,
    a_contact,
    a_link,
    a_lone_ref,
    a_snapshot,
    a_ticked_contact,
    an_own_write,
    rules,
)
from tests.contract import openapi

D, S = Side.DRCHRONO, Side.SALESFORCE
BY_D, BY_S = frozenset({Exclusion.DRCHRONO}), frozenset({Exclusion.SALESFORCE})
HOUR = timedelta(hours=1)
ASKS = replace(
    rules(), table=replace(rules().table, include=tuple(Condition(side, "x", frozenset({"y"})) for side in Side))
)


@pytest.mark.parametrize(
    ("value", "wanted", "holds"),
    [
        ("A", "a", True),
        (" a ", "a", True),
        ("I", "a", False),
        (None, "", True),
        ("", "", True),
        ([], "", True),
        (True, "true", True),
        (False, "false", True),
        (None, "false", False),
        (310001, "310001", True),
        (30.0, "30", True),
        (2.5, "2.5", True),
        ("007", "7", False),
        ([3, 7], "7", True),
        ([3, 7], "37", False),
        ({"a": 1}, "", False),
    ],
)
def test_a_value_is_compared_as_its_vendor_writes_it(value, wanted, holds):
    one_of = Condition(D, "x", frozenset({wanted}))

    assert one_of.holds({"x": value}, is_whole=True) is holds
    assert replace(one_of, is_not=True).holds({"x": value}, is_whole=True) is not holds


@pytest.mark.parametrize(
    ("raw", "holds"),
    [
        ({"RecordType": {"DeveloperName": "Test"}}, False),
        ({"recordtype": {"developername": "TEST"}}, False),
        ({"RecordType": {"DeveloperName": "Patient"}}, True),
        ({"RecordType": None}, True),
        ({}, True),
    ],
)
def test_a_field_of_a_record_that_salesforces_refers_to_is_found_behind_the_relationship(raw, holds):
    assert Condition(S, "RecordType.DeveloperName", frozenset({"test"}), is_not=True).holds(raw, is_whole=True) is holds


def test_all_conditions_of_a_side_hold_or_the_record_is_out_and_those_of_the_other_are_not_asked():
    active, here = Condition(D, "status", frozenset({"a"})), Condition(D, "office", frozenset({"1"}))
    both = (active, here, Condition(S, "Name", frozenset({"nobody"})))

    assert is_included(both, D, {"status": "A", "office": 1}, is_whole=True) is True
    assert is_included(both, D, {"status": "A", "office": 2}, is_whole=True) is False
    assert is_included(both, D, {"office": 2}, is_whole=False) is False
    assert is_included(both, D, {"status": "A"}, is_whole=False) is None, "a body need not show all"
    assert is_included(both, D, {"status": "A"}, is_whole=True) is False, "what is not there is empty"
    assert is_included((), D, {}, is_whole=False) is True


def out(snapshot):
    return replace(snapshot, is_included=False)


@pytest.mark.parametrize(
    ("link", "drchrono", "salesforce", "by"),
    [
        (a_lone_ref(), out(a_body()), ABSENT, BY_D),
        (a_link(), out(a_snapshot()), a_contact(email="x@example.com"), BY_D),
        (a_link(), a_snapshot(), out(a_contact()), BY_S),
        (a_link(), out(a_snapshot()), out(a_contact()), BY_D | BY_S),
        (a_link(), UNHEARD, out(a_contact(first_name="New")), BY_S),
        (a_link(excluded_by=BY_D), UNHEARD, a_contact(email="x@example.com"), BY_D),
        (a_link(), NeedsConfirmation("not_newer"), out(a_contact()), BY_S),
        (a_link(excluded_by=BY_S), a_snapshot(email="x@example.com"), ABSENT, BY_S),
        (replace(a_link(), drchrono_id=None), UNHEARD, out(a_ticked_contact()), BY_S),
        (replace(a_link(), drchrono_id=None), UNHEARD, out(a_contact()), BY_S),
    ],
)
def test_what_one_side_leaves_out_is_written_on_neither(link, drchrono, salesforce, by):
    plan = decide(ASKS, link, Seen(drchrono, salesforce), NOW)

    assert (type(plan), plan.by) == (Exclude, by)


@pytest.mark.parametrize("doubted", [True, False])
def test_who_was_out_and_is_in_again_is_asked_for_before_anything_is_written(doubted):
    drchrono = NeedsConfirmation("not_newer") if doubted else UNHEARD
    was = BY_D if doubted else BY_S

    plan = decide(ASKS, a_link(excluded_by=was), Seen(drchrono, a_contact(email="x@example.com")), NOW)

    assert isinstance(plan, Wait)


def test_what_was_out_by_a_condition_that_is_no_more_is_asked_for():
    assert isinstance(decide(rules(), a_link(excluded_by=BY_D), Seen(UNHEARD, a_contact()), NOW), Wait)


def test_a_deletion_is_told_and_not_carried_over_and_a_merge_is_followed():
    link, winner = a_link(excluded_by=BY_D), replace(a_contact(), id="003SYN000000002YBA", key=None)

    assert decide(ASKS, link, Seen(UNHEARD, Deleted()), NOW) == Exclude(BY_D, deleted_on=S)
    assert decide(ASKS, link, Seen(ABSENT, a_contact()), NOW) == Exclude(BY_D, deleted_on=D)
    assert decide(ASKS, link, Seen(UNHEARD, Deleted(winner)), NOW) == Follow(winner)


def test_a_write_that_may_yet_land_is_remembered_and_not_made_again():
    link, (old, new) = a_link(), ({"email": one} for one in ("a@example.com", "b@example.com"))
    link = replace(link, own_writes=(an_own_write(link, rules(), old, new, NOW + HOUR),))

    plan = decide(ASKS, link, Seen(out(a_snapshot()), a_contact()), NOW)

    assert isinstance(plan, Exclude)
    assert plan.settled.late == ("01JWRITE",)


@pytest.mark.parametrize(
    ("link", "body", "believed"),
    [
        (a_link(), out(a_body(LATER_STAMP, first_name="New")), True),
        (a_link(), out(a_body(STAMP)), False),
        (a_link(excluded_by=BY_D), a_body(STAMP), False),
        (a_link(excluded_by=BY_D), a_body(LATER_STAMP), True),
        (a_link(excluded_by=BY_S), a_body("2026-01-12T08:00:00"), False),
        (a_link(), replace(a_body(LATER_STAMP), is_included=None), False),
    ],
)
def test_a_body_moves_nobody_over_the_border_unless_it_is_newer(link, body, believed):
    found = trusted_snapshot(ASKS, link, [body], a_contact())

    assert (found is body) is believed


@pytest.mark.skipif(not openapi.PLACE.exists(), reason=openapi.ABSENT)
@pytest.mark.parametrize("kind", list(Kind))
def test_every_field_that_can_be_asked_for_is_one_of_drchronos_and_holds_plain_values(kind):
    schemas = openapi.json.loads(openapi.PLACE.read_text())["components"]["schemas"]
    name = "ScannedClinicalDocument" if kind is Kind.DOCUMENT else kind.value.capitalize()
    fields = schemas[name]["properties"]
    plain = {"string", "integer", "boolean"}

    there = {name for name, one in fields.items() if {one.get("type"), one.get("items", {}).get("type")} & plain}
    assert LISTED[kind] - there == set()
    assert all(set(choices) == {*fields[name]["enum"]} - {""} for (of, name), choices in CHOICES.items() if of is kind)
    assert all(fields[name]["type"] == "boolean" for name in FLAGS & fields.keys())
    assert all(fields[name]["type"] in ("integer", "array", "string") for name in NUMBERS & fields.keys())
