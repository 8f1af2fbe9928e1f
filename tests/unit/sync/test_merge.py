"""The merge, over every small case there is: one field, values from {empty, a, b, c}, any base, owner and rule."""

from dataclasses import dataclass, replace
from itertools import product

import pytest

from app.sync.mapping import Direction, OnConflict
from app.sync.merge import merge
from app.sync.records import Side
from tests.build import a_link, a_row, an_own_write, rules

NO_BASE = object()
D, S = Side.DRCHRONO, Side.SALESFORCE
VALUES = (None, "a", "b", "c")


@dataclass(frozen=True)
class World:
    """One field of one link: the base, what each side holds, its rule, and writes of ours that are not settled."""

    base: object
    here: str | None
    there: str | None
    owner: Side = D
    direction: Direction = Direction.BOTH
    on_conflict: OnConflict = OnConflict.OWNER
    own_writes: tuple = ()

    @property
    def rules(self):
        return rules(a_row(owner=self.owner, direction=self.direction, on_conflict=self.on_conflict))

    @property
    def link(self):
        link = a_link({} if self.base is NO_BASE else {"note": self.base}, self.rules)
        writes = tuple(an_own_write(link, self.rules, {"note": old}, {"note": new}) for old, new in self.own_writes)
        return replace(link, own_writes=writes)

    @property
    def holds(self):
        return self.here, self.there

    def merged(self):
        return merge(self.rules, self.link, {"note": self.here}, {"note": self.there})

    def written(self):
        """Carry the plan out on both sides, and die before it is recorded; the write to Salesforce stays unsettled."""
        to = self.merged().to
        here, there = to[D].get("note", self.here), to[S].get("note", self.there)
        own = ((self.there, there),) if to[S] else ()
        return replace(self, here=here, there=there, own_writes=(*self.own_writes, *own))

    def recorded(self):
        """Record what both sides agree on."""
        agreed = self.merged().agreed
        return replace(self, base=agreed.get("note", self.base), own_writes=())

    def moves(self, side):
        value = self.here if side is D else self.there
        return self.base is not NO_BASE and value != self.base

    @property
    def is_two_way(self):
        return self.direction is Direction.BOTH

    @property
    def is_held(self):
        return bool(self.merged().held)

    def __str__(self):
        base = "never" if self.base is NO_BASE else self.base
        return f"{base}:{self.here}|{self.there} {self.owner} {self.direction} {self.on_conflict}"


ALL = [
    World(base, here, there, owner, direction, rule)
    for direction, owner, rule, base, here, there in product(
        Direction, Side, OnConflict, (NO_BASE, None, "a", "b"), VALUES, VALUES
    )
    if not (direction is Direction.TO_SALESFORCE and owner is S)
]


def holding(predicate):
    """The worlds a rule speaks of, each of which must keep it; none at all would prove nothing."""
    worlds = [world for world in ALL if predicate(world)]
    assert worlds
    return worlds


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


def test_a_second_merge_after_the_first_was_carried_out_writes_nothing():
    for world in holding(lambda w: not w.is_held):
        assert world.written().recorded().merged().to == {D: {}, S: {}}, str(world)


def test_after_a_merge_was_carried_out_both_sides_agree():
    for world in holding(lambda w: not w.is_held):
        after = world.written()

        assert after.here == after.there, str(world)
        assert after.recorded().base == after.here, str(world)


def test_dying_after_the_writes_and_before_the_record_leads_to_the_same_fields():
    for world in holding(lambda w: not w.is_held):
        calm = world.written()

        assert calm.written().holds == calm.holds, str(world)


def test_dying_before_the_planned_write_went_out_leads_to_the_same_fields():
    for world in holding(lambda w: not w.is_held):
        calm = world.written()
        lost = replace(world, own_writes=calm.own_writes)

        assert lost.written().holds == calm.holds, str(world)


def edited_after_our_unsettled_write(predicate):
    """Our write landed, nobody recorded it, and then DrChrono's user edits while Salesforce's leaves ours alone."""
    for world in holding(lambda w: not w.is_held and w.merged().to[S] and predicate(w)):
        for edit in VALUES:
            if edit != world.here:
                yield edit, replace(world.written(), here=edit)


def test_our_own_unsettled_write_is_nobodys_edit():
    for edit, world in edited_after_our_unsettled_write(lambda w: w.base is not NO_BASE):
        assert world.written().holds == (edit, edit), str(world)
        assert world.merged().conflicts == (), str(world)


def test_our_own_unsettled_write_is_nobodys_edit_on_a_first_match_too():
    for edit, world in edited_after_our_unsettled_write(lambda w: w.base is NO_BASE and w.is_two_way):
        assert world.written().holds == (edit, edit), str(world)


def test_a_field_that_was_not_read_on_both_sides_is_left_alone():
    by, link = rules(a_row("note"), a_row("memo")), a_link({}, rules(a_row("note"), a_row("memo")))

    merged = merge(by, link, {"note": "a"}, {"memo": "b"})

    assert (merged.to, merged.agreed) == ({D: {}, S: {}}, {})


def test_an_untouched_field_survives_an_edit_on_the_other_side():
    by = rules(a_row("note"), a_row("memo", owner=S))
    link = a_link({"note": "a", "memo": "a"}, by)

    merged = merge(by, link, {"note": "b", "memo": "a"}, {"note": "a", "memo": "c"})

    assert merged.to == {S: {"note": "b"}, D: {"memo": "c"}}


@pytest.mark.parametrize("landed", ["note", "memo"], ids=["the write to Salesforce", "the write to DrChrono"])
def test_dying_after_one_of_two_writes_leaves_only_the_other(landed):
    by = rules(a_row("note"), a_row("memo", owner=S))
    link = a_link({"note": "a", "memo": "a"}, by)
    here, there = {"note": "b", "memo": "a"}, {"note": "a", "memo": "c"}
    to = merge(by, link, here, there).to
    link = replace(link, own_writes=(an_own_write(link, by, there, to[S]),))
    here, there = (here, {**there, **to[S]}) if landed == "note" else ({**here, **to[D]}, there)

    again = merge(by, link, here, there)

    expected = {"note": {S: {}, D: to[D]}, "memo": {S: to[S], D: {}}}
    assert again.to == expected[landed]
