"""What a dismissed record showed is told from what it shows now, field by field, without any value that is kept."""

from dataclasses import replace

import pytest

from app.sync.base import HashKeys
from app.sync.decide import decide
from app.sync.dismissals import is_as_shown, shown_by
from app.sync.model import Absent, Deleted, FieldResolution, NeedsConfirmation, NothingNew, Seen, Side
from app.sync.plan import StayDismissed
from app.sync.trust import trusted_snapshot
from tests.build import (
    KEYS,
    NOW,
    OTHER_KEYS,
    STAMP,
    a_body,
    a_contact,
    a_link,
    a_lone_ref,
    a_snapshot,
    a_ticked_contact,
    rules,
)

RULES = rules()
BOTH = OTHER_KEYS.keys + KEYS.keys
FAILED = Seen(a_snapshot(city="Oldham"), a_contact())
HERE, THERE = Side.DRCHRONO, Side.SALESFORCE


def dismissed(seen=FAILED, link=None, written=None, ours=RULES):
    """A link that was dismissed after both sides were seen so, and some fields were written."""
    link = link or a_link()
    return replace(link, is_failed=True, is_dismissed=True, shown=shown_by(ours, link, seen, written or {}))


def stays(seen, link=None, ours=RULES):
    return isinstance(decide(ours, link or dismissed(), seen, NOW), StayDismissed)


def test_it_stays_while_both_sides_show_the_same():
    assert stays(FAILED)
    assert stays(replace(FAILED, drchrono=NothingNew.UNHEARD))


@pytest.mark.parametrize(
    "seen",
    [
        Seen(a_snapshot(city="Newtown"), a_contact()),
        Seen(a_snapshot(), a_contact()),
        Seen(a_snapshot(city="Oldham"), a_contact(email="new@example.com")),
        Seen(a_snapshot(city="Oldham"), replace(a_contact(), key="999")),
        Seen(a_snapshot(city="Oldham"), Absent.ABSENT),
        Seen(a_snapshot(city="Oldham"), Deleted()),
        Seen(Absent.ABSENT, a_contact()),
        Seen(
            replace(
                a_snapshot(city="Oldham"),
                fields={"email": a_snapshot().fields["email"]},
                unreadable={"city": "too_long"},
            ),
            a_contact(),
        ),
        replace(FAILED, decided={"city": FieldResolution("d", HERE)}),
    ],
    ids=["edited", "as agreed", "in Salesforce", "another key", "not shown", "deleted", "no chart", "odd", "decided"],
)
def test_it_is_dealt_with_once_a_side_shows_something_else(seen):
    assert not stays(seen)


def test_a_doubted_body_says_neither():
    assert not is_as_shown(RULES, dismissed(), HERE, NeedsConfirmation("not_newer"))


def test_what_we_have_written_in_the_look_that_failed_is_no_change():
    link = dismissed(written={THERE: {"email": "written@example.com"}})

    assert stays(replace(FAILED, salesforce=a_contact(email="written@example.com")), link)
    assert not stays(FAILED, link)


def test_a_contact_that_was_made_in_the_look_that_failed_is_no_change():
    made = {THERE: dict(a_contact().fields)}

    assert stays(FAILED, dismissed(replace(FAILED, salesforce=Absent.ABSENT), written=made))


def test_a_side_that_was_not_read_showed_what_was_agreed_or_what_it_had_shown_before():
    agreed = dismissed(replace(FAILED, drchrono=NothingNew.UNHEARD))
    shown = shown_by(RULES, dismissed(), replace(FAILED, drchrono=NothingNew.UNHEARD), {})

    assert stays(replace(FAILED, drchrono=a_snapshot()), agreed)
    assert shown == dismissed().shown


def test_a_field_that_is_mapped_since_changes_nothing():
    less = dismissed()
    less = replace(less, shown={side: {n: s for n, s in of.items() if n != "city"} for side, of in less.shown.items()})

    assert stays(replace(FAILED, drchrono=a_snapshot(city="Newtown")), less)


def test_an_older_key_still_tells_and_a_key_that_is_gone_has_it_dealt_with():
    link = dismissed()

    assert stays(FAILED, link, rules(keys=HashKeys(BOTH)))
    assert not stays(Seen(a_snapshot(city="Newtown"), a_contact()), link, rules(keys=HashKeys(BOTH)))
    assert not stays(FAILED, link, rules(keys=OTHER_KEYS))


def test_nothing_is_kept_of_one_that_was_never_seen_so_it_is_dealt_with():
    assert not stays(FAILED, replace(dismissed(), shown={}))


def test_a_lone_contact_stays_until_it_names_its_chart():
    contact = a_ticked_contact()
    lone = Seen(NeedsConfirmation("nothing_delivered"), contact)
    link = dismissed(lone, replace(a_lone_ref(salesforce_id=contact.id), drchrono_id=None))

    assert stays(lone, link)
    assert not stays(replace(lone, salesforce=replace(contact, key="220000777")), link)


def test_a_body_that_shows_what_was_dismissed_asks_nothing_of_drchrono():
    body = a_body(STAMP, city="Oldham")

    assert trusted_snapshot(RULES, dismissed(), [body], a_contact()) == body
    assert isinstance(trusted_snapshot(RULES, dismissed(), [a_body(STAMP, city="X")], a_contact()), NeedsConfirmation)
