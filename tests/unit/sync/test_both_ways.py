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
from tests.unit.sync.meetings import ASKED, LIMIT, OURS, TOLD, UNTOLD, Meeting, alone, meetings
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

        assert looked.plan().settled.late == ("0",), str(one)
        assert looked.carried_out(plan).at_rest()[0].holds == calm.holds, str(one)


def repeated(side):
    """Worlds in which a write to this side was not answered, did not show, and was sent again; nothing is newer yet."""
    for one in meetings(lambda w: side in planned_writes(w.plan()) and not isinstance(w.plan(), Wait), ASKED):
        plan = replace(one.dies(landed=False), heard=ASKED).plan()
        end, _ = replace(one.dies(landed=False), heard=ASKED).at_rest()
        yield one, plan.writes[side]["note"], end


@pytest.mark.parametrize("side", Side, ids=[side.value for side in Side])
def test_what_was_sent_again_may_land_twice_and_changes_nothing(side):
    for one, written, end in repeated(side):
        assert (side, written) in [(where, new) for where, _, new, _ in end.may_land], str(one)
        assert not planned_writes(replace(end, hand=OURS).plan()), str(one)


def edited_since(end, value="d"):
    """Both sides have agreed on something newer since."""
    return replace(end, base=value, here=value, there=value)


def test_what_lands_late_in_salesforce_by_our_own_hand_is_no_edit_and_what_was_agreed_goes_back():
    for one, written, end in repeated(S):
        late = replace(edited_since(end), there=written, hand=OURS)

        plan = late.plan()

        assert planned_writes(plan) == {S: {"note": "d"}}, str(one)
        assert (plan.compared.late, plan.compared.conflicts) == ({S: ("note",)}, ()), str(one)
        assert late.at_rest()[0].holds == ("d", "d"), str(one)
        assert asks(replace(late, heard=UNTOLD).plan()), "what goes back is what DrChrono says itself"


@pytest.mark.parametrize("side", Side, ids=[side.value for side in Side])
def test_what_may_be_a_late_write_or_an_edit_is_a_conflict_that_the_fields_rule_decides(side):
    for one, written, end in repeated(side):
        late = edited_since(end)
        late = replace(late, **{"here" if side is D else "there": written}, hand="a person")

        plan = late.plan()

        if one.is_two_way:
            assert plan.compared.conflicts == ("note",), str(one)
            owners = {D: late.here, S: late.there}[one.owner]
            ends = (owners, owners) if one.on_conflict is OWNER else late.holds
            assert late.at_rest()[0].holds == ends, str(one)
        else:
            assert planned_writes(plan) == {S: {"note": "d"}}, str(one)


@pytest.mark.parametrize("side", Side, ids=[side.value for side in Side])
def test_once_the_vendor_has_given_it_up_its_values_are_an_edit_as_any(side):
    for one, written, end in repeated(side):
        past = replace(end, may_land=tuple((*write, NOW) for *write, _ in end.may_land))

        late = replace(edited_since(past.recorded(past.plan())), **{"here" if side is D else "there": written})

        assert late.may_land == (), str(one)
        assert late.plan().compared.late == {}, str(one)


def test_drchrono_is_asked_when_it_has_given_up_what_would_undo_something_newer():
    for one, _, end in repeated(D):
        past = replace(end, may_land=tuple((*write, NOW) for *write, _ in end.may_land), heard=UNTOLD)

        assert past.plan().settled.over == ("late0",), str(one)
        assert asks(edited_since(past).plan()), str(one)
        assert edited_since(past).plan().settled.over == (), str(one)


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
    ("side", "drchrono", "contact", "landed"),
    [
        (D, a_snapshot(**NEW), NEW, True),
        (D, a_snapshot(**OLD), NEW, False),
        (S, a_snapshot(**NEW), OLD, False),
        (S, a_snapshot(**NEW), NEW, True),
    ],
    ids=["to D, landed", "to D, not yet", "to S, not yet", "to S, landed"],
)
def test_a_write_in_the_air_is_not_waited_for_but_sent_again_where_it_does_not_show(side, drchrono, contact, landed):
    plan = decide(rules(), in_the_air(side), Seen(drchrono, a_contact(**contact)), NOW)

    assert planned_writes(plan) == ({} if landed else {side: NEW})
    known = {"landed": ("01JWRITE",)} if landed else {"lost": ("01JWRITE",), "late": ("01JWRITE",)}
    assert plan.settled == SettledWrites(**known)


def test_a_patch_in_the_air_is_asked_for_at_once():
    plan = decide(rules(), in_the_air(D), Seen(UNHEARD, a_contact(**NEW)), NOW)

    assert (asks(plan), plan.until) == (True, NOW)


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
