"""When a quiet feed is looked into, and what a look proves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.sync.office_hours import parse
from app.sync.records import Side
from app.sync.silence import Feed, Verdict, is_due, judge

HOURS, QUIET = parse("Mon-Fri 08:00-18:00 UTC"), timedelta(minutes=15)
TEN = datetime(2026, 1, 12, 10, tzinfo=UTC)  # a Monday
FRIDAY = datetime(2026, 1, 9, 19, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FEED = Feed(Side.DRCHRONO, heard_at=TEN)
A, B = "appointment 1 x", "patient 2 y"


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
        (replace(FEED, asked_at=TEN, silent_since=TEN), TEN + 9 * MINUTE, False),
        (replace(FEED, asked_at=TEN, silent_since=TEN), TEN + timedelta(hours=12), True),
    ],
    ids=[
        "not long enough", "quiet", "never delivered", "closed", "over a week-end", "and then in office hours",
        "looked at", "looked at long ago", "too early to be sure", "time to be sure", "silent", "silent at night",
    ],
)  # fmt: skip
def test_a_feed_is_looked_into_when_it_is_quiet_in_office_hours(feed, now, due):
    assert is_due(feed, HOURS, QUIET, now) is due


def of(*changes):
    return frozenset(changes)


@pytest.mark.parametrize(
    ("feed", "shown", "verdict"),
    [
        (FEED, (), Verdict()),
        (FEED, (A,), Verdict(doubted=of(A))),
        (replace(FEED, doubted=of(A)), (A, B), Verdict(explained=of(A, B), silent_since=TEN, new=2)),
        (replace(FEED, doubted=of(A)), (), Verdict()),
        (replace(FEED, doubted=of(A)), (B,), Verdict(doubted=of(B))),
        (replace(FEED, explained=of(A)), (A,), Verdict(explained=of(A))),
        (
            replace(FEED, silent_since=TEN, explained=of(A)),
            (A, B),
            Verdict(explained=of(A, B), silent_since=TEN, new=1),
        ),
    ],
    ids=["quiet", "perhaps", "proven", "came late", "others", "known", "and goes on"],
)
def test_only_what_is_there_at_a_second_look_proves_a_feed_silent(feed, shown, verdict):
    assert judge(feed, shown) == verdict
