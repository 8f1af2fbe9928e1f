"""Decide: our own writes settle first, absence is never answered by writing, and nothing a record holds raises."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sync.decide import decide
from app.sync.mappings.table import Direction, OnConflict
from app.sync.model import Base, NeedsConfirmation, Seen, Side, Snapshot
from app.sync.plan import (
    Create,
    FindCreated,
    Hold,
    Incomplete,
    LinkTo,
    Nothing,
    Wait,
    Write,
    planned_writes,
    refused_fields,
)
from tests.build import (
    ABSENT,
    CONFIRM_AFTER,
    DRCHRONO_ID,
    LATER_STAMP,
    NOW,
    UNHEARD,
    a_contact,
    a_link,
    a_lone_ref,
    a_patient,
    a_row,
    a_snapshot,
    an_own_write,
    rules,
    seen,
)

RULES = rules()
D, S = Side.DRCHRONO, Side.SALESFORCE
SOON, PAST = NOW + timedelta(minutes=5), NOW - timedelta(seconds=1)


def decided(link=None, drchrono=None, salesforce=None, by=RULES):
    return decide(by, link or a_link(), seen(drchrono, salesforce), NOW)


def test_an_echo_changes_nothing():
    assert isinstance(decided(), Nothing)


def test_an_edit_in_drchrono_is_written_to_salesforce_field_by_field():
    plan = decided(drchrono=a_snapshot(LATER_STAMP, cell_phone="(555) 010-0199"))

    assert (type(plan), plan.writes) == (Write, {S: {"cell_phone": "(555) 010-0199"}})


def test_a_field_that_was_emptied_is_emptied_over_there():
    assert decided(drchrono=a_snapshot(LATER_STAMP, city=None)).writes == {S: {"city": None}}


def test_what_both_hold_equal_is_agreed_beside_a_write():
    plan = decided(drchrono=a_snapshot(LATER_STAMP, city="Newtown"))

    assert plan.compared.agreed == {name: value for name, value in a_patient().items() if name != "city"}


def test_a_lone_chart_is_created_with_everything_that_is_filled():
    plan = decided(a_lone_ref(), salesforce=ABSENT)

    assert plan == Create(S, {name: value for name, value in a_patient().items() if value is not None})


def test_a_lone_chart_whose_contact_is_there_is_merged_with_it():
    plan = decided(a_lone_ref(), salesforce=a_contact(city=None))

    assert (type(plan), plan.writes) == (Write, {S: {"city": "Testville"}})


def test_a_refused_field_does_not_stop_a_create():
    plan = decided(a_lone_ref(), a_snapshot(city="x" * 41), ABSENT)

    assert (type(plan), plan.side, plan.refused) == (Create, S, {"city": "too_long"})
    assert plan.fields.keys() == {name for name, value in a_patient().items() if value} - {"city"}


def test_a_refused_field_does_not_stop_the_others():
    plan = decided(drchrono=a_snapshot(LATER_STAMP, city="x" * 41, state="NJ"))

    assert plan.compared.refused == {"city": "too_long"}
    assert plan.writes == {S: {"state": "NJ"}}


@pytest.mark.parametrize("side", Side, ids=[side.value for side in Side])
def test_an_unreadable_field_is_named_and_does_not_stop_the_others(side):
    fields = {name: value for name, value in a_patient().items() if name != "gender"}
    odd = Snapshot("1", fields, LATER_STAMP, unreadable={"gender": "unknown_value"})
    other = a_contact(state="NJ") if side is D else a_snapshot(LATER_STAMP, state="NJ")

    plan = decided(None, *((odd, other) if side is D else (other, odd)))

    assert plan.compared.refused == {"gender": "unknown_value"}
    assert plan.writes == {side: {"state": "NJ"}}


def test_a_conflict_that_waits_for_a_person_is_refused_as_held():
    by = rules(a_row("note", on_conflict=OnConflict.HOLD), a_row("memo"))
    link = a_link({"note": "a", "memo": "a"}, by)

    plan = decided(
        link, Snapshot("1", {"note": "b", "memo": "b"}), Snapshot("2", {"note": "c", "memo": "a"}, key=DRCHRONO_ID), by
    )

    assert plan.compared.refused == {"note": "held"}
    assert plan.writes == {S: {"memo": "b"}}


def test_a_put_back_is_named():
    by = rules(a_row("note", direction=Direction.TO_SALESFORCE))

    plan = decided(
        a_link({"note": "a"}, by), Snapshot("1", {"note": "a"}), Snapshot("2", {"note": "b"}, key=DRCHRONO_ID), by
    )

    assert (plan.writes, plan.compared.put_backs) == ({S: {"note": "a"}}, ("note",))


@pytest.mark.parametrize("salesforce", [ABSENT, a_contact()], ids=["absent", "there"])
@pytest.mark.parametrize("link", [a_link(), a_lone_ref()], ids=["linked", "alone"])
def test_a_chart_that_is_gone_is_held_and_nothing_is_written(link, salesforce):
    assert decided(link, ABSENT, salesforce) == Hold("gone_in_drchrono")


def test_a_linked_contact_that_is_gone_is_held_and_never_created_again():
    plan = decided(drchrono=a_snapshot(LATER_STAMP, city="Newtown"), salesforce=ABSENT)

    assert plan == Hold("gone_in_salesforce")


@pytest.mark.parametrize("salesforce", [ABSENT, a_contact()], ids=["absent", "there"])
def test_a_doubt_waits_before_drchrono_is_asked(salesforce):
    plan = decided(None, NeedsConfirmation("not_newer"), salesforce)

    assert plan == Wait("not_newer", NOW + CONFIRM_AFTER)


def test_a_doubt_that_has_a_promised_moment_keeps_it():
    assert decided(a_link(confirm_due_at=SOON), NeedsConfirmation("not_newer")).until == SOON


VALUES = st.none() | st.sampled_from(["a", "b", "x" * 300]) | st.text()
FIELDS = st.dictionaries(st.sampled_from(list(a_patient())), VALUES)
SIGHTS = st.builds(
    Snapshot,
    id=st.just("1"),
    fields=FIELDS,
    version=st.text(max_size=5),
    confirmed=st.booleans(),
    key=st.none() | st.text(min_size=1),
)
MOMENTS = st.sampled_from([PAST, NOW, SOON])


@st.composite
def links(draw):
    link = draw(st.sampled_from([a_lone_ref(), a_link(base=Base()), replace(a_link(base=Base()), drchrono_id=None)]))
    writes = tuple(
        an_own_write(link, RULES, draw(FIELDS), draw(FIELDS), draw(MOMENTS), str(number), draw(st.sampled_from(Side)))
        for number in range(draw(st.integers(0, 2)))
    )
    agreed = RULES.advanced(link, link.base, draw(FIELDS))
    unsettled = draw(st.frozensets(st.sampled_from(list(a_patient()))))
    return replace(
        link, base=agreed, own_writes=writes, unconfirmed_fields=unsettled, confirm_due_at=draw(st.none() | MOMENTS)
    )


@given(
    link=links(),
    drchrono=st.one_of(
        SIGHTS,
        st.sampled_from([ABSENT, UNHEARD]),
        st.builds(NeedsConfirmation, st.sampled_from(["not_newer", "identity_changed"])),
    ),
    salesforce=st.one_of(SIGHTS, st.just(ABSENT)),
)
def test_whatever_was_seen_there_is_a_plan_that_can_be_carried_out(link, drchrono, salesforce):
    plan = decide(RULES, link, Seen(drchrono, salesforce), NOW)

    writes, writes_key = planned_writes(plan), isinstance(plan, Write | Wait) and plan.writes_key
    assert not writes or isinstance(plan, Write | Create)
    assert writes or writes_key or not isinstance(plan, Write | Create)
    assert not writes_key or (link.drchrono_id is not None and salesforce.key is None)
    assert set(plan.settled.landed).isdisjoint(plan.settled.lost)
    lone = (Nothing, Incomplete, LinkTo, FindCreated, Create, *([Wait] if link.own_writes else []))
    assert link.drchrono_id is not None or isinstance(plan, lone)
    for side, fields in writes.items():
        assert side is S or fields.keys() <= salesforce.fields.keys(), (
            "a PATCH carries what Salesforce was seen to hold"
        )
        assert RULES.table.write(side, fields)[1] == {}
        assert not fields.keys() & refused_fields(plan).keys()
