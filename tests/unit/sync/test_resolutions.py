"""A person's word, over every small case there is: followed while it is about what is there, never over an edit."""

from itertools import product

from app.sync.mappings.table import Direction
from app.sync.merge import merge
from app.sync.model import WHOLE_RECORD, FieldResolution
from app.sync.resolutions import apply_resolutions
from tests.build import a_link, a_row, rules
from tests.unit.sync.worlds import VALUES, D, S

BOTH, ONE_WAY = Direction.BOTH, Direction.TO_SALESFORCE
SMALL = (None, "a", "b")


def judged(decision, here, there, direction=BOTH):
    """What the word on the only field comes to: (what DrChrono takes, what Salesforce takes), agreed, overtaken."""
    by = rules(a_row(direction=direction))
    found = apply_resolutions(by, a_link({}, by), {"note": decision}, {"note": here}, {"note": there})
    return (found.to[D], found.to[S]), dict(found.agreed), set(found.overtaken)


def a_pick(side, here, there, by=None):
    by = by or rules(a_row())
    link = a_link({}, by)
    stamps = {D: by.stamp(link, "note", here), S: by.stamp(link, "note", there)}
    return FieldResolution("1", side, stamps)


def an_undo(value, both, by=None):
    by = by or rules(a_row())
    stamp = by.stamp(a_link({}, by), "note", both)
    return FieldResolution("1", D, {D: stamp, S: stamp}, puts_back=True, value=value)


def test_the_picked_sides_value_goes_to_the_other_one_and_to_no_other():
    for side, here, there in product((D, S), VALUES, VALUES):
        to, agreed, overtaken = judged(a_pick(side, here, there), here, there)

        wanted = here if side is D else there
        assert overtaken == set()
        if here == there:
            assert (to, agreed) == (({}, {}), {"note": wanted})
        else:
            taken = {"note": wanted}
            assert to == (({}, taken) if side is D else (taken, {}))


def test_a_pick_never_overwrites_what_the_person_did_not_see_and_never_carries_it_across():
    for side, here, there, now_here, now_there in product((D, S), SMALL, SMALL, VALUES, VALUES):
        to, agreed, overtaken = judged(a_pick(side, here, there), now_here, now_there)

        as_seen = (now_here, now_there) == (here, there)
        is_wanted = now_here == now_there == (here if side is D else there)
        assert (overtaken == set()) == (as_seen or is_wanted), (side, here, there, now_here, now_there)
        if overtaken:
            assert (to, agreed) == (({}, {}), {})


def test_an_old_value_goes_to_each_side_that_holds_what_the_rule_had_it_hold():
    for value, ruled in product(SMALL, SMALL):
        to, agreed, overtaken = judged(an_undo(value, ruled), ruled, ruled)

        if value == ruled:
            assert (to, agreed) == (({}, {}), {"note": value})
        else:
            assert (to, overtaken) == (({"note": value}, {"note": value}), set())


def test_an_old_value_never_overwrites_a_later_edit_on_either_side():
    for value, ruled, here, there in product(SMALL, SMALL, VALUES, VALUES):
        to, _, overtaken = judged(an_undo(value, ruled), here, there)

        is_ours = all(one in (value, ruled) for one in (here, there))
        assert (overtaken == set()) == is_ours, (value, ruled, here, there)
        if overtaken:
            assert to == ({}, {})


def test_dying_after_either_write_leads_to_the_same_end():
    for value, ruled in product(SMALL, SMALL):
        for here, there in ((value, ruled), (ruled, value), (value, value)):
            (to_drchrono, to_salesforce), _, overtaken = judged(an_undo(value, ruled), here, there)

            assert overtaken == set()
            assert (to_drchrono.get("note", here), to_salesforce.get("note", there)) == (value, value)


def test_nothing_is_ever_written_to_drchrono_of_a_field_that_travels_one_way():
    by = rules(a_row(direction=ONE_WAY))
    for side, here, there in product((D, S), VALUES, VALUES):
        (to_drchrono, _), _, overtaken = judged(a_pick(side, here, there, by), here, there, ONE_WAY)

        assert to_drchrono == {}
        assert (overtaken == {"note"}) == (side is S and here != there)


def test_a_word_whose_stamps_no_key_can_read_counts_nowhere():
    for stamps in ({}, {D: "1.zzzzzz.x", S: ""}):
        to, _, overtaken = judged(FieldResolution("1", D, stamps), "a", "b")

        assert (to, overtaken) == (({}, {}), {"note"})


def test_a_word_on_a_field_that_is_mapped_no_more_is_over_and_one_on_which_record_is_not_the_merges():
    by = rules(a_row())
    words = {"fax": a_pick(D, "a", "b"), WHOLE_RECORD: FieldResolution("2", S, twin="003SYN0000000015EAA")}

    found = apply_resolutions(by, a_link({}, by), words, {"note": "a"}, {"note": "b"})

    assert (found.overtaken, found.names) == ({"fax"}, frozenset())


def test_a_merge_follows_the_word_and_counts_no_conflict_or_leaves_the_field_to_its_rule():
    by = rules(a_row(owner=S))
    link = a_link({"note": "c"}, by)
    followed_, left = a_pick(D, "a", "b", by), a_pick(D, "a", "x", by)

    merged = merge(by, link, {"note": "a"}, {"note": "b"}, {"note": followed_})
    assert (merged.to, merged.conflicts, merged.decided) == ({D: {}, S: {"note": "a"}}, (), ("note",))
    merged = merge(by, link, {"note": "a"}, {"note": "b"}, {"note": left})
    assert (merged.to, merged.conflicts, merged.overtaken) == ({D: {"note": "b"}, S: {}}, ("note",), ("note",))
