"""The merge, over every small case there is: one field, values from {empty, a, b, c}, any base, owner and rule."""

import pytest

from app.sync.mappings.table import OnConflict
from app.sync.merge import merge
from app.sync.model import Side
from tests.build import a_link, a_row, rules
from tests.unit.sync.worlds import NO_BASE, D, S, holding


def test_what_both_sides_hold_equal_is_left_alone_and_agreed():
    for world in holding(lambda w: w.here == w.there):
        merged = world.merged()

        assert merged.to == {D: {}, S: {}}, str(world)
        assert merged.agreed == {"note": world.here}, str(world)


def test_a_difference_is_never_agreed():
    for world in holding(lambda w: w.here != w.there):
        assert world.merged().agreed == {}, str(world)


def test_an_edit_in_drchrono_alone_travels_to_salesforce():
    for world in holding(lambda w: w.moves(D) and not w.moves(S)):
        assert world.merged().to == {D: {}, S: {"note": world.here}}, str(world)


def test_an_edit_in_salesforce_alone_travels_to_drchrono():
    for world in holding(lambda w: w.is_two_way and w.moves(S) and not w.moves(D)):
        assert world.merged().to == {D: {"note": world.there}, S: {}}, str(world)


def test_an_edit_on_one_side_alone_is_no_conflict():
    for world in holding(lambda w: w.moves(D) != w.moves(S)):
        assert world.merged().conflicts == (), str(world)


@pytest.mark.parametrize("owner", Side, ids=[side.value for side in Side])
def test_where_both_moved_apart_the_owners_value_travels(owner):
    def speaks(w):
        both = w.moves(D) and w.moves(S) and w.here != w.there
        return both and w.is_two_way and w.owner is owner and w.on_conflict is OnConflict.OWNER

    for world in holding(speaks):
        merged = world.merged()

        assert merged.to[owner.other] == {"note": world.here if owner is D else world.there}, str(world)
        assert merged.to[owner] == {}, str(world)
        assert merged.conflicts == ("note",), str(world)


def test_where_both_moved_apart_a_hold_rule_writes_nowhere():
    def speaks(w):
        both = w.moves(D) and w.moves(S) and w.here != w.there
        return both and w.is_two_way and w.on_conflict is OnConflict.HOLD

    for world in holding(speaks):
        merged = world.merged()

        assert merged.to == {D: {}, S: {}}, str(world)
        assert merged.held == merged.conflicts == ("note",), str(world)


def test_nothing_is_held_but_a_conflict_whose_rule_says_so():
    for world in holding(lambda w: w.is_held):
        assert world.moves(D), str(world)
        assert world.moves(S), str(world)
        assert world.on_conflict is OnConflict.HOLD, str(world)


def test_where_both_moved_to_the_same_value_there_is_no_conflict():
    for world in holding(lambda w: w.moves(D) and w.here == w.there):
        assert world.merged().conflicts == (), str(world)


def test_without_a_base_the_owners_value_travels():
    def speaks(w):
        return w.is_two_way and w.base is NO_BASE and w.here != w.there and None not in w.holds

    for world in holding(speaks):
        winner = world.here if world.owner is D else world.there

        assert world.written().holds == (winner, winner), str(world)


def test_without_a_base_emptiness_never_beats_a_value():
    def speaks(w):
        return w.is_two_way and w.base is NO_BASE and w.here != w.there and None in w.holds

    for world in holding(speaks):
        value = world.here or world.there

        assert world.written().holds == (value, value), str(world)


def test_a_one_way_field_is_never_written_to_drchrono():
    for world in holding(lambda w: not w.is_two_way):
        assert world.merged().to[D] == {}, str(world)


def test_an_edit_of_a_one_way_field_in_salesforce_is_put_back_and_named():
    def speaks(w):
        return not w.is_two_way and w.moves(S) and not w.moves(D)

    for world in holding(speaks):
        assert world.merged().to[S] == {"note": world.here}, str(world)
        assert world.merged().put_backs == ("note",), str(world)


def test_nothing_else_is_called_a_put_back():
    for world in holding(lambda w: w.is_two_way or w.moves(D) or not w.moves(S)):
        assert world.merged().put_backs == (), str(world)


def test_a_field_that_was_not_read_on_both_sides_is_left_alone():
    by, link = rules(a_row("note"), a_row("memo")), a_link({}, rules(a_row("note"), a_row("memo")))

    merged = merge(by, link, {"note": "a"}, {"memo": "b"})

    assert (merged.to, merged.agreed) == ({D: {}, S: {}}, {})


def test_an_untouched_field_survives_an_edit_on_the_other_side():
    by = rules(a_row("note"), a_row("memo", owner=S))
    link = a_link({"note": "a", "memo": "a"}, by)

    merged = merge(by, link, {"note": "b", "memo": "a"}, {"note": "a", "memo": "c"})

    assert merged.to == {S: {"note": "b"}, D: {"memo": "c"}}
