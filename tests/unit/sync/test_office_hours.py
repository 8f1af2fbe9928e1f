"""Office hours: what may be written, when it is open, and for how long, on the days whose clock is moved too."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from app.sync.office_hours import parse

WEEK = "Mon-Fri 08:00-18:00 America/New_York"
LUNCH = "Mon-Thu 08:00-12:00, mon-thu 13:00-18:00, Fri 8:00-12:00 America/New_York"
HOUR, LONG = timedelta(hours=1), timedelta(days=400)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment", "is_open"),
    [
        (WEEK, "2026-01-12T13:00", True),
        (WEEK, "2026-01-12T12:59", False),
        (WEEK, "2026-01-12T22:59", True),
        (WEEK, "2026-01-12T23:00", False),
        (WEEK, "2026-01-17T15:00", False),
        (WEEK, "2026-07-13T12:00", True),  # an hour earlier in summer
        (LUNCH, "2026-01-12T17:30", False),
        (LUNCH, "2026-01-16T18:30", False),
        ("Sat-Mon 20:00-24:00 UTC", "2026-01-11T23:59", True),
        ("Sat-Mon 20:00-24:00 UTC", "2026-01-13T00:00", False),
        ("Sat-Mon 20:00-24:00 UTC", "2026-01-14T21:00", False),
        ("Never", "2026-01-12T15:00", False),
    ],
)
def test_it_is_open_by_the_clock_on_the_wall(text, moment, is_open):
    assert parse(text).is_open(at(moment)) is is_open


@pytest.mark.parametrize(
    ("text", "begin", "end", "hours"),
    [
        (WEEK, "2026-01-12T14:00", "2026-01-12T15:30", 1.5),
        (WEEK, "2026-01-09T22:00", "2026-01-12T14:00", 2),  # an hour on Friday, one on Monday
        (WEEK, "2026-01-10T00:00", "2026-01-12T00:00", 0),
        (LUNCH, "2026-01-12T13:00", "2026-01-12T23:00", 9),
        (WEEK, "2026-01-12T15:00", "2026-01-12T14:00", 0),
        ("Sun 00:00-06:00 America/New_York", "2026-03-08T00:00", "2026-03-09T00:00", 5),  # 02:00 is left out
        ("Sun 00:00-06:00 America/New_York", "2026-11-01T00:00", "2026-11-02T00:00", 7),  # 01:00 comes twice
        ("Sun 00:00-24:00 America/New_York", "2026-03-07T00:00", "2026-03-10T00:00", 23),
    ],
)
def test_only_open_hours_count(text, begin, end, hours):
    assert parse(text).open_for(at(begin), at(end), LONG) == hours * HOUR


def test_it_stops_counting_when_it_is_enough():
    counted = parse(WEEK).open_for(at("1990-01-01T00:00"), at("2026-01-12T20:00"), HOUR)

    assert HOUR <= counted <= 10 * HOUR


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Mon-Fri 08:00-18:00", "'08:00-18:00' is no time zone; end it with one such as America/New_York"),
        ("Mon-Fri 08:00-18:00 Mars/Olympus", "'Mars/Olympus' is no time zone"),
        ("weekdays America/New_York", "'weekdays' is no span; write it like Mon-Fri 08:00-18:00"),
        ("Mo-Fri 08:00-18:00 UTC", "'Mo' is no day; write Mon, Tue, Wed, Thu, Fri, Sat, Sun"),
        ("Mon 08:00-25:00 UTC", "25:00 is no time of day; write it like 08:00"),
        ("Mon 18:00-08:00 UTC", "ends before it begins; write a night as two spans"),
        ("Mon 08:00-12:00, Mon-Tue 11:00-18:00 UTC", "two spans overlap"),
        ("Mon 08:00-12:00,, UTC", "'' is no span"),
        ("", "is no time zone"),
    ],
)
def test_what_is_wrong_is_said_with_the_fix(text, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        parse(text)
