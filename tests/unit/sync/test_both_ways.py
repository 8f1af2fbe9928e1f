"""Both ways, over every small case there is: whatever we know of DrChrono, no edit is lost and none comes back."""

from dataclasses import replace
from itertools import product

import pytest

from app.sync.decide import decide
from app.sync.failure_causes import ASK
from app.sync.mappings.table import Direction, OnConflict
from app.sync.model import Seen, Side, Snapshot
from app.sync.plan import LinkTo, Nothing, SettledWrites, Wait, Write, planned_writes, refused_fields
from tests.build import DRCHRONO_ID, NOW, UNHEARD, a_contact, a_link, a_row, a_snapshot, an_own_write, rules
from tests.unit.sync.meetings import ASKED, LIMIT, TOLD, UNTOLD, Meeting, alone, meetings
from tests.unit.sync.worlds import NO_BASE, D, S

BOTH, ONE_WAY = Direction.BOTH, Direction.TO_SALESFORCE
OWNER, HOLD = OnConflict.OWNER, OnConflict.HOLD


def asks(plan):
    """Whether DrChrono's own word is waited for."""
    return isinstance(plan, Wait) and plan.cause == ASK


def test_an_edit_in_salesforce_that_the_other_side_left_alone_arrives_whatever_was_heard():
    for one in meetings(alone(S)):
        assert one.at_rest()[0].holds == (one.there, one.there), str(one)


def test_an_edit_in_drchrono_that_the_other_side_left_alone_arrives_once_it_was_heard():
    for one in meetings(alone(D), TOLD, ASKED):
        assert one.at_rest()[0].holds == (one.here, one.here), str(one)


def test_an_edit_in_drchrono_nobody_told_of_is_not_overwritten():
    for one in meetings(alone(D), UNTOLD):
        assert one.at_rest()[0].holds == one.holds, str(one)


def test_nothing_is_written_to_drchrono_where_nothing_moved_in_salesforce():
    for one in meetings(lambda w: w.base is not NO_BASE and not w.moves(S)):
        assert all(D not in planned_writes(plan) for plan in one.at_rest()[1]), str(one)


def test_what_both_hold_equal_is_never_written():
    for one in meetings(lambda w: w.here == w.there):
        if one.heard == UNTOLD and one.here != one.base:
            continue  # DrChrono said nothing of its own edit: a PATCH of the same value does no harm
        assert all(not planned_writes(plan) for plan in one.at_rest()[1]), str(one)


def test_an_echo_plans_nothing_and_asks_nothing():
    for one in meetings(lambda w: w.here == w.there == w.base):
        plan = one.plan()

        assert isinstance(plan, Nothing), str(one)


def test_a_conflict_is_decided_by_the_owner_only_after_what_drchrono_said_itself_where_it_would_lose_to_a_body():
    def speaks(w):
        both = w.moves(D) and w.moves(S) and w.here != w.there
        return both and w.is_two_way and w.on_conflict is OWNER

    for one in meetings(speaks):
        winner = one.here if one.owner is D else one.there
        end, plans = one.at_rest()

        assert end.holds == (winner, winner), str(one)
        assert one.heard == ASKED or one.owner is S or asks(plans[0]), str(one)


def test_a_held_conflict_writes_nowhere_whatever_was_heard():
    def speaks(w):
        both = w.moves(D) and w.moves(S) and w.here != w.there
        return both and w.is_two_way and w.on_conflict is HOLD

    for one in meetings(speaks):
        end, plans = one.at_rest()

        assert end.holds == one.holds, str(one)
        assert refused_fields(plans[-1]) == {"note": "held"}, str(one)


def test_a_one_way_field_that_was_edited_in_salesforce_is_put_back_to_what_drchrono_says_itself():
    for one in meetings(lambda w: not w.is_two_way and w.moves(S) and not w.moves(D)):
        end, plans = one.at_rest()

        assert end.holds == (one.here, one.here), str(one)
        assert asks(plans[0]) or plans[0].compared.put_backs == ("note",), str(one)


def test_a_one_way_field_never_goes_to_drchrono():
    for one in meetings(lambda w: not w.is_two_way):
        assert all(D not in planned_writes(plan) for plan in one.at_rest()[1]), str(one)


def test_once_at_rest_it_stays_so_whatever_is_heard():
    for one in meetings(lambda w: not (w.moves(D) and w.moves(S) and w.on_conflict is HOLD)):
        end, _ = one.at_rest()
        if end.here != end.there:
            continue  # an edit in DrChrono that nobody told of

        for heard in (UNTOLD, TOLD, ASKED):
            assert not planned_writes(replace(end, heard=heard).plan()), str(one)


@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
def test_dying_after_a_write_leads_to_the_same_fields_and_to_one_patch_more_at_most(landed):
    for one in meetings(lambda w: planned_writes(w.plan())):
        calm, _ = one.at_rest()
        end, plans = one.dies(landed=landed).at_rest()

        assert end.holds == calm.holds, str(one)
        assert sum(D in planned_writes(plan) for plan in plans) <= (not landed), str(one)


def test_a_patch_that_lands_only_after_the_first_look_leads_to_the_same_fields():
    for one in meetings(lambda w: w.here != w.there and D in planned_writes(w.plan())):
        calm, plan = one.at_rest()[0], one.plan()
        looked = replace(one.dies(landed=False), heard=ASKED)

        assert isinstance(looked.plan(), Wait), str(one)
        assert looked.carried_out(plan).at_rest()[0].holds == calm.holds, str(one)


def two_fields(owner):
    by = rules(a_row("note", owner=owner), a_row("memo", owner=owner))
    link = a_link({"note": "a", "memo": "a"}, by)
    return by, link, {"note": "b", "memo": "a"}, {"note": "a", "memo": "c"}


@pytest.mark.parametrize("owner", Side, ids=[side.value for side in Side])
@pytest.mark.parametrize("landed", [(), (D,), (S,), (D, S)], ids=["neither", "the PATCH", "the update", "both"])
def test_dying_with_a_write_to_each_side_in_the_air_leads_to_the_same_fields(owner, landed):
    by, link, here, there = two_fields(owner)
    plan = decide(by, link, Seen(Snapshot("1", here), Snapshot("2", there, key=DRCHRONO_ID)), NOW)
    held = {D: here, S: there}
    link = replace(
        link,
        own_writes=tuple(
            an_own_write(link, by, held[side], fields, NOW, side.value, side) for side, fields in plan.writes.items()
        ),
    )
    here, there = ({**held[side], **(plan.writes[side] if side in landed else {})} for side in (D, S))

    again = decide(by, link, Seen(Snapshot("1", here), Snapshot("2", there, key=DRCHRONO_ID)), NOW)

    assert set(again.settled.landed) == {side.value for side in landed}
    assert set(again.settled.lost) == {side.value for side in (D, S) if side not in landed}
    assert planned_writes(again) == {side: fields for side, fields in plan.writes.items() if side not in landed}


def test_a_patch_is_of_the_moved_fields_and_of_no_other():
    names = ("email", "city", "zip_code", "home_phone")
    for count in product((False, True), repeat=len(names)):
        moved = {name: "12345-6789" for name, is_moved in zip(names, count, strict=True) if is_moved}

        for drchrono in (UNHEARD, a_snapshot()):
            plan = decide(rules(), a_link(), Seen(drchrono, a_contact(**moved)), NOW)

            assert planned_writes(plan).get(D, {}) == moved, moved


@pytest.mark.parametrize(
    ("base", "direction", "owner", "rule", "is_asked"),
    [
        ("a", BOTH, S, OWNER, False),
        ("a", BOTH, S, HOLD, True),
        ("a", BOTH, D, OWNER, True),
        ("a", BOTH, D, HOLD, True),
        ("a", ONE_WAY, D, OWNER, True),
        (NO_BASE, BOTH, S, OWNER, True),
    ],
    ids=["salesforce's", "salesforce's, held", "drchrono's", "drchrono's, held", "one way", "without base"],
)
def test_what_salesforce_may_patch_without_a_question(base, direction, owner, rule, is_asked):
    one = Meeting(base, "a", "b", owner, direction, rule, heard=UNTOLD)

    plan = one.plan()

    assert asks(plan) is is_asked
    assert (planned_writes(plan) == {D: {"note": "b"}}) is not is_asked
    assert not is_asked or plan.until == NOW, "the question comes at once"


@pytest.mark.parametrize(
    ("here", "there", "owner", "is_asked"),
    [
        ("a", "b", S, False),
        ("a", "b", D, True),
        ("b", "c", S, False),
        ("b", "c", D, True),
        ("b", "a", D, False),
        ("b", "a", S, False),
    ],
    ids=[
        "an edit of what Salesforce owns", "an edit of what DrChrono owns", "a conflict Salesforce wins",
        "a conflict the body would win", "a plain edit in DrChrono", "an edit in DrChrono of Salesforce's field",
    ],
)  # fmt: skip
def test_what_a_delivered_body_may_carry_without_a_question(here, there, owner, is_asked):
    told = Meeting("a", here, there, owner, heard=TOLD)

    assert asks(told.plan()) is is_asked
    assert isinstance(replace(told, heard=ASKED).plan(), Write)


def test_one_field_that_needs_a_question_makes_the_others_wait_for_it_and_all_travel_after():
    contact = a_contact(first_name="Tess", email="new@example.com")

    untold, asked = (decide(rules(), a_link(), Seen(here, contact), NOW) for here in (UNHEARD, a_snapshot()))

    assert asks(untold)
    assert asked.writes == {D: {"first_name": "Tess", "email": "new@example.com"}}


def in_the_air(side, settle_at=NOW + LIMIT):
    link = a_link()
    write = an_own_write(link, rules(), {"city": "Testville"}, {"city": "Newtown"}, settle_at, side=side)
    return replace(link, own_writes=(write,))


OLD, NEW = {"city": "Testville"}, {"city": "Newtown"}


@pytest.mark.parametrize(
    ("side", "drchrono", "contact", "cause", "wait"),
    [
        (D, UNHEARD, NEW, ASK, NOW - NOW),
        (D, a_snapshot(**NEW), NEW, "", None),
        (D, a_snapshot(**OLD), NEW, ASK, LIMIT),
        (S, UNHEARD, OLD, "write_unsettled", LIMIT),
        (S, a_snapshot(**NEW), OLD, "write_unsettled", LIMIT),
        (S, a_snapshot(**NEW), NEW, "", None),
    ],
    ids=["to D, untold", "to D, landed", "to D, not yet", "to S, not yet", "to S, not yet, asked", "to S, landed"],
)
def test_what_a_write_in_the_air_waits_for(side, drchrono, contact, cause, wait):
    plan = decide(rules(), in_the_air(side), Seen(drchrono, a_contact(**contact)), NOW)

    assert (plan.cause if isinstance(plan, Wait) else "") == cause
    assert (plan.until if isinstance(plan, Wait) else None) == (None if wait is None else NOW + wait)
    assert plan.settled.landed == (("01JWRITE",) if not cause else ())


def test_a_body_settles_no_patch_even_where_it_shows_the_value():
    body = replace(a_snapshot(**NEW), confirmed=False)

    plan = decide(rules(), in_the_air(D), Seen(body, a_contact(**NEW)), NOW)

    assert (plan.cause, plan.settled) == (ASK, SettledWrites())


def test_a_patch_that_does_not_show_when_drchrono_gave_it_up_is_made_again():
    plan = decide(rules(), in_the_air(D, NOW), Seen(a_snapshot(**OLD), a_contact(**NEW)), NOW)

    assert (plan.settled.lost, plan.writes) == (("01JWRITE",), {D: NEW})


def test_a_question_that_was_promised_for_a_later_moment_keeps_it():
    link = replace(in_the_air(D), confirm_due_at=NOW + LIMIT / 2)

    assert decide(rules(), link, Seen(UNHEARD, a_contact(**NEW)), NOW).until == NOW + LIMIT / 2


@pytest.mark.parametrize("key", [None, "220000101"], ids=["nobody's", "names a chart"])
def test_a_lone_contact_is_linked_only_where_it_names_a_chart_and_never_written(key):
    link = replace(a_link(), drchrono_id=None)

    plan = decide(rules(), link, Seen(UNHEARD, replace(a_contact(), key=key)), NOW)

    assert plan == (LinkTo(key) if key else Nothing())
