"""Merging again: after everything went well, after dying at any point, and after an edit nobody waited with."""

from dataclasses import replace

import pytest

from app.sync.merge import merge
from tests.build import a_link, a_row, an_own_write, rules
from tests.unit.sync.worlds import NO_BASE, VALUES, D, S, holding


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
