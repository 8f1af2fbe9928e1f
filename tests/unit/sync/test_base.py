"""The base: equal values are recognised, nothing else can be told from a stamp, and an unreadable one says nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sync.base import HashKeys
from app.sync.merge import merge
from app.sync.model import Base, Side, Snapshot
from tests.build import KEYS, OTHER_KEYS, a_link, a_patient, a_row, rules

NORMAL = st.none() | st.text()


@given(value=NORMAL)
def test_a_stamp_recognises_the_value_it_was_made_of(value):
    stamp = KEYS.stamp("link", "email", 1, value)

    assert KEYS.matches(stamp, "link", "email", 1, value) is True


@given(one=NORMAL, other=NORMAL)
def test_a_stamp_tells_different_values_apart(one, other):
    stamp = KEYS.stamp("link", "email", 1, one)

    assert KEYS.matches(stamp, "link", "email", 1, other) is (one == other)


def test_emptiness_and_an_equals_sign_are_not_one_value():
    assert KEYS.stamp("link", "email", 1, None) != KEYS.stamp("link", "email", 1, "")


@pytest.mark.parametrize(
    ("scope", "name"), [("other", "email"), ("link", "city")], ids=["another link", "another field"]
)
def test_equal_values_of_two_links_or_fields_do_not_look_equal(scope, name):
    ours = KEYS.stamp("link", "email", 1, "Testville")

    theirs = KEYS.stamp(scope, name, 1, "Testville")

    assert ours.rsplit(".", 1)[1] != theirs.rsplit(".", 1)[1]


@given(value=st.text(min_size=4))
def test_a_stamp_does_not_hold_the_value(value):
    stamp = KEYS.stamp("link", "email", 1, value)

    assert value not in stamp.split(".", 2)[2]
    assert len(stamp) < 40


def test_a_stamp_of_an_unknown_key_says_nothing():
    stamp = OTHER_KEYS.stamp("link", "email", 1, "a")

    assert KEYS.matches(stamp, "link", "email", 1, "a") is None


def test_a_stamp_of_another_codec_version_says_nothing():
    stamp = KEYS.stamp("link", "email", 1, "a")

    assert KEYS.matches(stamp, "link", "email", 2, "a") is None


@pytest.mark.parametrize("stamp", ["", "1", "1.abcdef", "1.{id}.é"], ids=["empty", "short", "no hash", "no ascii"])
def test_a_stamp_of_another_form_says_nothing(stamp):
    key_id = KEYS.keys[0][0]

    assert not KEYS.matches(stamp.format(id=key_id), "link", "email", 1, "a")


def test_old_bases_stay_readable_when_a_new_key_is_put_in_front():
    before, rotated = HashKeys.of((b"k" * 32,)), HashKeys.of((b"n" * 32, b"k" * 32))

    stamp = before.stamp("link", "email", 1, "a")

    assert rotated.matches(stamp, "link", "email", 1, "a") is True
    assert rotated.matches(stamp, "link", "email", 1, "b") is False


def test_new_stamps_are_made_with_the_newest_key():
    newest, rotated = HashKeys.of((b"n" * 32,)), HashKeys.of((b"n" * 32, b"k" * 32))

    stamp = rotated.stamp("link", "email", 1, "a")

    assert newest.matches(stamp, "link", "email", 1, "a") is True


def test_a_base_made_with_a_dropped_key_counts_as_none():
    link = a_link(by=rules(keys=OTHER_KEYS))

    moved = {rules().moved(link, name, value) for name, value in a_patient().items()}

    assert moved == {None}


def test_a_field_without_a_stamp_has_no_base():
    assert rules().moved(a_link(base=Base()), "email", "a") is None


def test_another_way_of_writing_the_agreed_value_has_not_moved():
    assert rules().moved(a_link(a_patient(cell_phone="(555) 010-0142")), "cell_phone", "+1 555-010-0142") is False


def test_a_base_advances_for_the_agreed_fields_and_no_others():
    ours, link = rules(), a_link(a_patient(city="Oldtown"))

    base = ours.advanced(link, link.base, {"city": "Newtown"})

    assert {name for name in base.stamps if base.stamps[name] != link.base.stamps[name]} == {"city"}


def test_what_changed_is_named_also_where_there_is_no_base():
    by = rules(a_row("note"), a_row("memo"), a_row("text"))
    link = a_link({"note": "a", "memo": "a"}, by)

    assert by.changed(link, {"note": "a", "memo": "b", "text": "a"}) == {"memo", "text"}


def test_a_value_that_nobody_can_read_is_news():
    odd = Snapshot("1", {"note": "a"}, unreadable={"memo": "not_text"})
    by = rules(a_row("note"), a_row("memo"))

    assert by.news(a_link({"note": "a", "memo": "a"}, by), odd) == {"memo"}


def test_a_keyed_digest_depends_on_the_key_and_on_where_its_parts_end():
    digests = {KEYS.digest(b"a", b"bc"), KEYS.digest(b"ab", b"c"), OTHER_KEYS.digest(b"a", b"bc")}

    assert len(digests) == 3


def joined(row, **other):
    """The row, joining other fields."""
    return replace(row, names={side: other.get(side.value, name) for side, name in row.names.items()})


@pytest.mark.parametrize(
    "other",
    [
        joined(a_row("note"), salesforce="Memo__c"),
        joined(a_row("note"), drchrono="memo"),
        a_row("note", codec="phone"),
    ],
    ids=["another field of Salesforce's", "another field of DrChrono's", "another codec"],
)
def test_a_row_that_joins_other_fields_than_it_did_has_no_base(other):
    link = a_link({"note": "a"}, rules(a_row("note")))

    moved = [rules(other).moved(link, "note", value) for value in ("a", None)]

    assert moved == [None, None]


def test_what_never_agreed_is_filled_and_empties_nothing():
    link = a_link({"note": "a"}, rules(a_row("note")))
    renamed = rules(joined(a_row("note"), salesforce="Memo__c"))

    merged = merge(renamed, link, {"note": "a"}, {"note": None})

    assert merged.to == {Side.SALESFORCE: {"note": "a"}, Side.DRCHRONO: {}}


def test_the_case_of_a_field_of_salesforces_makes_it_no_other():
    link = a_link({"note": "a"}, rules(a_row("note")))

    assert rules(joined(a_row("note"), salesforce="NOTE__C")).moved(link, "note", "a") is False


def test_a_base_that_an_older_version_made_still_counts():
    ours, link = rules(a_row("note")), a_link({"note": "a"}, rules(a_row("note")))
    older = replace(link, base=Base({"note": link.base.stamps["note"].rpartition(".")[0]}))

    assert [ours.moved(older, "note", value) for value in ("a", "b")] == [False, True]
