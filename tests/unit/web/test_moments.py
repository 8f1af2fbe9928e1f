"""Moments are told by the clinic's clock, as its locale writes them, through every change of clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from app.operations.clinic_time import ClinicTime, age
from app.web import moments

NOW = datetime(2026, 11, 28, 16, 27, 37, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


def clinic(zone=NEW_YORK, locale="en_US", now=NOW):
    return ClinicTime(zone, Locale.parse(locale), now)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (timedelta(seconds=4), "4 s ago · 11:27 AM"),
        (timedelta(minutes=5), "5 min ago · 11:22 AM"),
        (timedelta(hours=11), "11 h ago · 12:27 AM"),
        (timedelta(hours=12), "12 h ago · Nov 27, 11:27 PM"),
        (timedelta(days=1, hours=3), "1 day ago · Nov 27, 8:27 AM"),
        (timedelta(days=6), "6 days ago · Nov 22, 11:27 AM"),
        (timedelta(days=7), "Nov 21, 11:27 AM"),
        (timedelta(days=400), "Oct 24, 2025, 12:27 PM"),
        (timedelta(milliseconds=-900), "0 s ago · 11:27 AM"),
        (timedelta(minutes=-5), "in 5 min · 11:32 AM"),
        (timedelta(hours=-14), "in 14 h · Nov 29, 1:27 AM"),
    ],
)
def test_a_moment_is_how_long_ago_and_what_the_clinics_clock_showed(gone, said):
    assert clinic().said(NOW - gone) == said


@pytest.mark.parametrize(
    ("zone", "shown"), [("America/New_York", "Nov 28, 2026, 11:27:37 AM EST"), ("Asia/Kathmandu", "10:12:37 PM +0545")]
)
def test_an_exact_moment_names_its_second_and_its_offset(zone, shown):
    assert clinic(ZoneInfo(zone)).exact(NOW).endswith(shown)


def test_of_the_hour_that_a_clock_shows_twice_it_is_said_which():
    first, second = datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)

    assert [clinic().clock(at) for at in (first, second)] == ["1:30 AM EDT", "1:30 AM EST"]
    assert clinic().clock(datetime(2026, 11, 1, 7, 30, tzinfo=UTC)) == "2:30 AM"


@pytest.mark.parametrize(("now", "today"), [("2026-11-29T04:59:59Z", 28), ("2026-11-29T05:00:00Z", 29)])
def test_a_day_begins_at_the_clinics_midnight(now, today):
    assert clinic(now=datetime.fromisoformat(now)).today == date(2026, 11, today)


@pytest.mark.parametrize(
    ("locale", "clock", "day"),
    [
        ("en_US", "11:27 AM", "Nov 28"),
        ("en_GB", "11:27", "28 Nov"),
        ("de_DE", "11:27", "28. Nov."),
        ("ar_EG", "11:27", "28 نوفمبر"),
        ("ja_JP", "11:27", "11月28日"),
    ],
)
def test_dates_and_times_are_written_as_the_locale_writes_them(locale, clock, day):
    told = clinic(locale=locale)

    assert clock in told.clock(NOW)
    assert told.day(date(2026, 11, 28)) == day


@pytest.mark.parametrize("locale", ["root", "bn_BD", "my_MM", "ne_NP", "sv_SE", "th_TH", "zh_Hant_TW"])
def test_any_locale_gives_every_form(locale):
    told = clinic(locale=locale)

    said = [told.said(NOW), told.said(NOW - timedelta(days=500)), told.exact(NOW), told.weekday(NOW.date())]
    assert all(said)
    assert not {"\u202f", "\u00a0"} & set("".join(said))


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ((2, 1), "9:27 AM to 10:27 AM"),
        ((26, 25), "Nov 27, 9:27 AM to 10:27 AM"),
        ((26, 1), "Nov 27, 9:27 AM to Nov 28, 10:27 AM"),
    ],
)
def test_a_span_names_each_day_once(hours, said):
    since, until = (NOW - timedelta(hours=one) for one in hours)

    assert clinic().span(since, until) == said


@pytest.mark.parametrize(("locale", "said"), [("en_US", "6/15/1974"), ("de_DE", "15.6.1974"), ("root", "1974-06-15")])
def test_a_date_of_birth_is_shown_in_figures_as_the_locale_writes_it(locale, said):
    assert clinic(locale=locale).in_figures(date(1974, 6, 15)) == said


def test_what_is_no_date_of_birth_is_shown_as_it_stands():
    assert [moments.birth_date(born) for born in ("1974-06-15", "June 1974", "", None)] == [
        "6/15/1974", "June 1974", "", "",
    ]  # fmt: skip


def test_a_wall_clock_is_shown_as_it_stands():
    assert [clinic().wall_clock(f"2026-12-01T{time}") for time in ("00:30:00", "10:30:00", "23:05:00")] == [
        "12:30 AM",
        "10:30 AM",
        "11:05 PM",
    ]


def test_the_element_keeps_the_instant_for_machines_and_pointers():
    element = moments.exact("2026-11-28T16:27:37+00:00")

    assert 'datetime="2026-11-28T16:27:37+00:00" title="2026-11-28 16:27:37 UTC"' in element
    assert moments.moment(None) == "-"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (86400, "1 day"), (200_000, "2 days")],
)
def test_a_span_is_said_in_its_largest_unit(seconds, said):
    assert age(seconds) == said
