"""A range is what its address says by the clinic's clock, or the last day with what is wrong about it."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.operations.activity import Activity
from app.operations.clinic_time import ClinicTime
from app.web.ranges import read_range

NOW = datetime(2026, 11, 28, 16, 27, 37, tzinfo=UTC)
CLINIC = ClinicTime(ZoneInfo("America/New_York"), now=NOW)


def read(clinic=CLINIC, **given):
    given = {"from" if name == "since" else "to" if name == "until" else name: text for name, text in given.items()}
    return read_range(given, clinic, allows_all=True)


@pytest.mark.parametrize(
    ("name", "since"),
    [("1h", "2026-11-28T15:25Z"), ("24h", "2026-11-27T16:00Z"), ("7d", "2026-11-21T14:00Z"), ("", "2026-11-27T16:00Z")],
)
def test_a_preset_ends_now_and_begins_with_a_step_of_its_chart(name, since):
    found = read(range=name)

    assert (found.since, found.until, found.is_open) == (datetime.fromisoformat(since), NOW, True)
    assert found.problem == ""


def test_what_is_typed_is_the_clinics_clock():
    found = read(since="2026-11-01T01:30", until="2026-11-02T09:00")  # the first of two half past one

    assert (found.since, found.until) == (
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 2, 14, 0, tzinfo=UTC),
    )
    assert not found.is_open
    assert found.words(CLINIC) == "Nov 1, 1:30 AM EDT to Nov 2, 9:00 AM"


def test_an_hour_that_the_clock_leaves_out_is_moved_forward():
    march = ClinicTime(ZoneInfo("America/New_York"), now=datetime(2026, 3, 9, tzinfo=UTC))

    assert read(march, since="2026-03-08T02:30").since == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize("until", ["", "2026-11-28T12:00", "2999-12-31T23:59"])
def test_an_end_that_is_absent_or_to_come_is_now(until):
    found = read(since="2026-11-28T09:00", until=until)

    assert (found.until, found.is_open, found.problem) == (NOW, True, "")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"since": "2026-11-28T09:00", "until": "2026-11-28T09:00"}, "ends before it begins"),
        ({"since": "2026-11-28T11:28"}, "has not begun"),
        ({"since": "2026-10-01T00:00"}, "is kept for 35 days"),
        ({"until": "2026-11-28T09:00"}, "Choose a begin too"),
        ({"since": "yesterday"}, "are written like"),
        ({"since": "2026-11-28T09:00", "until": "2026-13-28T09:00"}, "are written like"),
        ({"since": "0001-01-01T00:00"}, "is kept for 35 days"),
        ({"range": "century"}, "no such range"),
    ],
)
def test_a_range_that_cannot_be_shown_is_answered_with_what_is_wrong_and_the_last_day(given, problem):
    found = read(**given)

    assert problem in found.problem
    assert (found.name, found.typed) == ("24h", (given.get("since", ""), given.get("until", "")))


def test_figures_of_whole_steps_say_where_those_begin_and_end():
    found = read(since="2026-11-27T09:10", until="2026-11-28T09:10")
    whole = Activity(
        found.since - timedelta(minutes=10), found.until + timedelta(minutes=20), timedelta(minutes=30), ()
    )

    assert found.words(CLINIC, whole) == "Nov 27, 9:00 AM to Nov 28, 9:30 AM"
    assert found.words(CLINIC) == "Nov 27, 9:10 AM to Nov 28, 9:10 AM"


@pytest.mark.parametrize("given", [{"range": "7d"}, {"since": "2026-11-27T09:00", "until": "2026-11-28T09:00"}])
def test_what_leads_here_again_does(given):
    once = read(**given)

    assert read_range(once.fields, CLINIC) == once


def test_all_that_is_stored_is_a_range_only_where_a_page_allows_it():
    assert read(range="all").is_all
    assert read_range({"range": "all"}, CLINIC).problem
    assert CLINIC.now - read(range="all").since <= timedelta(days=35)
