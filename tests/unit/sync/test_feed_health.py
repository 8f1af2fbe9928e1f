"""When a quiet feed is looked into, and what a look proves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.sync.feed_health import (
    Feed,
    FeedVerdict,
    UnannouncedChange,
    is_due,
    judge,
    shown_again,
    still_doubted,
    taken_up,
    unannounced,
)
from app.sync.model import Side
from app.sync.office_hours import parse

HOURS, QUIET = parse("Mon-Fri 08:00-18:00 UTC"), timedelta(minutes=15)
TEN = datetime(2026, 1, 12, 10, tzinfo=UTC)  # a Monday
FRIDAY = datetime(2026, 1, 9, 19, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FEED = Feed(Side.DRCHRONO, heard_at=TEN)
A, B = "appointment 1 x", "patient 2 y"
A_AGAIN, A_TAKEN = "appointment 1 z", "appointment 1 x taken_up"


@pytest.mark.parametrize(
    ("feed", "now", "due"),
    [
        (FEED, TEN + 14 * MINUTE, False),
        (FEED, TEN + 15 * MINUTE, True),
        (replace(FEED, heard_at=None), TEN + 15 * MINUTE, False),
        (FEED, TEN + timedelta(hours=9), False),
        (replace(FEED, heard_at=FRIDAY), TEN.replace(hour=8, minute=14), False),
        (replace(FEED, heard_at=FRIDAY), TEN.replace(hour=8, minute=15), True),
        (replace(FEED, asked_at=TEN + 15 * MINUTE), TEN + 29 * MINUTE, False),
        (replace(FEED, asked_at=TEN + 15 * MINUTE), TEN + 30 * MINUTE, True),
        (replace(FEED, asked_at=TEN + 15 * MINUTE, doubted=frozenset({A})), TEN + 24 * MINUTE, False),
        (replace(FEED, asked_at=TEN + 15 * MINUTE, doubted=frozenset({A})), TEN + 25 * MINUTE, True),
        (replace(FEED, heard_at=TEN + 14 * MINUTE, asked_at=TEN), TEN + 15 * MINUTE, True),
        (replace(FEED, heard_at=TEN + 14 * MINUTE, asked_at=TEN, doubted=frozenset({A})), TEN + 28 * MINUTE, False),
        (replace(FEED, heard_at=TEN + 14 * MINUTE, asked_at=TEN, doubted=frozenset({A})), TEN + 29 * MINUTE, True),
        (replace(FEED, asked_at=TEN + 5 * MINUTE, doubted=frozenset({A})), TEN + 19 * MINUTE, False),
        (replace(FEED, asked_at=TEN + 5 * MINUTE, doubted=frozenset({A})), TEN + 20 * MINUTE, True),
        (replace(FEED, asked_at=TEN, silent_since=TEN), TEN + 9 * MINUTE, False),
        (replace(FEED, asked_at=TEN, silent_since=TEN), TEN + timedelta(hours=12), True),
    ],
    ids=[
        "not long enough", "quiet", "never delivered", "closed", "over a week-end", "and then in office hours",
        "looked at", "looked at long ago", "too early to be sure", "time to be sure",
        "lively, too", "doubted, not quiet", "doubted and quiet", "quiet for less, and too early",
        "quiet for less, and later", "silent", "silent at night",
    ],
)  # fmt: skip
def test_a_feed_is_looked_into_when_it_is_quiet_in_office_hours(feed, now, due):
    assert is_due(feed, HOURS, QUIET, now) is due


def of(*changes):
    return frozenset(changes)


@pytest.mark.parametrize(
    ("feed", "shown", "verdict"),
    [
        (FEED, (), FeedVerdict()),
        (FEED, (A,), FeedVerdict(doubted=of(A))),
        (replace(FEED, doubted=of(A)), (A, B), FeedVerdict(explained=of(A, B), silent_since=TEN, new=2)),
        (replace(FEED, doubted=of(A)), (), FeedVerdict()),
        (replace(FEED, doubted=of(A)), (B,), FeedVerdict(doubted=of(B))),
        (replace(FEED, doubted=of(A)), (A_AGAIN,), FeedVerdict(explained=of(A_AGAIN), silent_since=TEN, new=1)),
        (replace(FEED, doubted=of(A_TAKEN)), (), FeedVerdict(silent_since=TEN, new=1)),
        (replace(FEED, explained=of(A)), (A,), FeedVerdict(explained=of(A))),
        (
            replace(FEED, silent_since=TEN, explained=of(A)),
            (A, B),
            FeedVerdict(explained=of(A, B), silent_since=TEN, new=1),
        ),
    ],
    ids=["quiet", "perhaps", "proven", "came late", "others", "changed again", "taken up", "known", "and goes on"],
)
def test_only_what_is_there_at_a_second_look_proves_a_feed_silent(feed, shown, verdict):
    assert judge(feed, shown) == verdict


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ((), (A, B)),
        ((UnannouncedChange("appointment", "1", "w"),), (B,)),
        ((UnannouncedChange("appointment", "7", "w"),), (A, B)),
        ((UnannouncedChange("appointment", "7", "y"),), (B,)),
        ((UnannouncedChange("appointment", "7", ""), UnannouncedChange("doctor", "7", "z")), (A, B)),
    ],
    ids=["nothing", "it itself", "an older one", "a later one", "none that can be compared"],
)
def test_a_delivery_speaks_against_the_doubt_it_names_and_those_of_changes_before_its_own(told, left):
    assert unannounced((A, B), told) == of(*left)


@pytest.mark.parametrize(("after", "left"), [(14, (A,)), (15, ())])
def test_whatever_arrives_later_than_a_delivery_may_be_under_way_ends_every_doubt(after, left):
    assert still_doubted(replace(FEED, asked_at=TEN, doubted=of(A)), (), TEN + after * MINUTE) == of(*left)


def test_what_a_compare_is_shown_begins_a_doubt_and_is_taken_up_when_it_is_shown_again():
    first = replace(FEED, doubted=shown_again(replace(FEED, explained=of(B)), (A, B)))

    assert first.doubted == of(A)
    assert shown_again(first, (A,)) == of(A_TAKEN)
    assert shown_again(replace(first, doubted=of(A_TAKEN)), (A, B)) == of(A_TAKEN)


def test_what_a_pass_takes_up_begins_a_doubt_only_where_it_may():
    assert taken_up(FEED, (A,), may_begin=True) == of(A_TAKEN)
    assert taken_up(FEED, (A,), may_begin=False) == of()
    assert taken_up(replace(FEED, doubted=of(A, B)), (A_AGAIN,), may_begin=False) == of(A_TAKEN, B)
