"""Wall clocks: what goes to UTC comes back equal, or says that its hour comes twice or not at all.

The truth these tests compare with is a walk through the quarter hours of UTC: what the clock shows once, twice or
never.
"""
# ruff: noqa: DTZ001, DTZ901 - a wall clock has no zone

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app.sync.mappings.local_time import ClockFlag, known_zone, to_local, to_utc

TZDATA = resources.files("tzdata")
EVERYWHERE = sorted({*(TZDATA / "zones").read_text().split()} - {"Factory"})
NEW_YORK = ZoneInfo("America/New_York")
QUARTER = timedelta(minutes=15)
FIRST_YEAR, LAST_YEAR = 2024, 2033
YEARS = range(FIRST_YEAR, LAST_YEAR + 1)
AMERICAN = ("US", "PR", "GU", "VI", "AS", "MP")  # the states and their territories, as tzdata's zone.tab says


def american_zones():
    """Give every name the United States go by: the `US/` ones, the places of zone.tab, and the old short ones."""
    rows = (TZDATA / "zoneinfo" / "zone.tab").read_text().splitlines()
    places = [row.split("\t")[2] for row in rows if row.split("\t")[0] in AMERICAN]
    aliases = [name for name in EVERYWHERE if name.startswith("US/")]
    return sorted({*places, *aliases, "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "Navajo"})


ZONES = american_zones()
A_SLICE = random.Random(20261101).sample([(name, year) for name in ZONES for year in YEARS], 24)


def changes(zone, year):
    """Give the days on which a zone's clock is put forward or back; New York's for one that never is."""

    def offset(day):
        return day.replace(hour=12, tzinfo=zone).utcoffset()

    days = [datetime(year, 1, 1) + timedelta(days=n) for n in range(365)]
    moved = [day for day in days if offset(day) != offset(day + timedelta(days=1))]
    return [day + timedelta(days=1) for day in moved] or changes(NEW_YORK, year)


def quarters(first, last):
    while first < last:
        yield first
        first += QUARTER


def shown_around(day, zone):
    """Give what the clock shows from two days before a day to two after -> the instants at which it does."""
    shown = defaultdict(list)
    for moment in quarters(day.replace(tzinfo=UTC) - timedelta(days=4), day.replace(tzinfo=UTC) + timedelta(days=5)):
        shown[to_local(moment, zone)].append(moment)
    return shown


def assert_the_clock_is_followed(name, year):
    zone = known_zone(name)
    for day in changes(zone, year):
        shown = shown_around(day, zone)
        for quarter in quarters(day - timedelta(days=2), day + timedelta(days=3)):
            local = quarter.isoformat()
            instants = shown[local]
            answer, flag = to_utc(local, zone)
            back = to_local(answer, zone)

            if instants:
                assert (back, answer) == (local, instants[0]), (name, local)
                assert flag is (ClockFlag.REPEATED_HOUR if len(instants) > 1 else None), (name, local)
            else:
                assert flag is ClockFlag.MISSING_HOUR, (name, local)
                assert back == (quarter + timedelta(hours=1)).isoformat(), (name, local)


@pytest.mark.parametrize(("name", "year"), A_SLICE)
def test_every_quarter_hour_around_a_change_of_clocks_comes_back_or_is_flagged(name, year):
    assert_the_clock_is_followed(name, year)


@pytest.mark.long
@pytest.mark.parametrize("name", ZONES)
def test_ten_years_of_every_american_zone_come_back_or_are_flagged(name):
    for year in YEARS:
        assert_the_clock_is_followed(name, year)


def test_the_zones_of_the_suite_are_the_ones_clinics_live_in():
    assert {"US/Eastern", "US/Hawaii", "America/New_York", "America/Phoenix", "America/Indiana/Knox"} < set(ZONES)
    assert {"America/Puerto_Rico", "Pacific/Guam", "America/Adak", "Pacific/Honolulu"} < set(ZONES)
    assert sum(name.startswith("US/") for name in ZONES) == 12


@pytest.mark.parametrize("name", ZONES)
def test_every_american_zone_is_known(name):
    assert known_zone(name).key == name


@pytest.mark.parametrize(
    ("local", "utc", "flag"),
    [
        ("2026-11-25T10:30:00", "2026-11-25T15:30:00", None),
        ("2026-07-01T10:30:00", "2026-07-01T14:30:00", None),
        ("2026-11-01T00:59:59", "2026-11-01T04:59:59", None),
        ("2026-11-01T01:00:00", "2026-11-01T05:00:00", ClockFlag.REPEATED_HOUR),
        ("2026-11-01T01:59:59", "2026-11-01T05:59:59", ClockFlag.REPEATED_HOUR),
        ("2026-11-01T02:00:00", "2026-11-01T07:00:00", None),
        ("2027-03-14T01:59:59", "2027-03-14T06:59:59", None),
        ("2027-03-14T02:00:00", "2027-03-14T07:00:00", ClockFlag.MISSING_HOUR),
        ("2027-03-14T02:59:59", "2027-03-14T07:59:59", ClockFlag.MISSING_HOUR),
        ("2027-03-14T03:00:00", "2027-03-14T07:00:00", None),
    ],
)
def test_new_york_by_hand(local, utc, flag):
    assert to_utc(local, NEW_YORK) == (datetime.fromisoformat(utc + "+00:00"), flag)


def test_an_island_may_move_its_clock_by_half_an_hour():
    lord_howe = known_zone("Australia/Lord_Howe")

    moment, flag = to_utc("2026-10-04T02:15:00", lord_howe)

    assert (to_local(moment, lord_howe), flag) == ("2026-10-04T02:45:00", ClockFlag.MISSING_HOUR)


@given(name=st.sampled_from(EVERYWHERE), local=st.datetimes())
@example(name="Africa/Monrovia", local=datetime(1972, 1, 7, 0, 30))
@example(name="Pacific/Apia", local=datetime(2011, 12, 30, 12))
@example(name="Asia/Tokyo", local=datetime(1, 1, 1))
@example(name="Pacific/Honolulu", local=datetime(9999, 12, 31, 23))
def test_any_wall_time_of_any_zone_comes_back_equal_or_is_flagged(name, local):
    zone = known_zone(name)
    text = local.isoformat()
    try:
        moment, flag = to_utc(text, zone)
    except ValueError:
        assert local.year in {1, 9999}
        return

    back = to_local(moment, zone)
    assert moment.utcoffset() == timedelta(0)
    assert (back == text[:19]) is (flag is not ClockFlag.MISSING_HOUR)
    assert back >= text[:19]


@given(
    name=st.sampled_from(EVERYWHERE),
    moment=st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC)),
)
@example(name="US/Eastern", moment=datetime(2026, 11, 1, 6, 30, tzinfo=UTC))
def test_any_moment_comes_back_equal_or_is_the_second_of_a_repeated_hour(name, moment):
    zone = known_zone(name)
    moment = moment.replace(microsecond=0)

    back, flag = to_utc(to_local(moment, zone), zone)

    assert flag is not ClockFlag.MISSING_HOUR
    assert back == moment or (back < moment and flag is ClockFlag.REPEATED_HOUR)


@given(seconds=st.integers(0, 86399), hours=st.integers(-12, 12))
def test_a_moment_is_read_by_its_own_zone(seconds, hours):
    moment = datetime(2026, 11, 25, tzinfo=UTC) + timedelta(seconds=seconds)
    elsewhere = moment.astimezone(ZoneInfo(f"Etc/GMT{hours:+d}"))

    assert to_local(elsewhere, NEW_YORK) == to_local(moment, NEW_YORK)


@pytest.mark.parametrize("fraction", [".5", ".250000", ".1234567"])
def test_a_fraction_of_a_second_goes_out_and_does_not_come_back(fraction):
    moment, flag = to_utc("2026-11-25T10:30:00" + fraction, NEW_YORK)

    assert moment.microsecond == int(float(fraction) * 1_000_000)
    assert (to_local(moment, NEW_YORK), flag) == ("2026-11-25T10:30:00", None)


@pytest.mark.parametrize(
    "local",
    [
        "",
        "2026-11-25",
        "2026-11-25T10:30",
        "2026-11-25 10:30:00",
        "2026-11-25T10:30:00Z",
        "2026-11-25T10:30:00+00:00",
        "2026-11-25T10:30:00-05:00",
        "2026-11-25T10:30:00.",
        "2026-11-25T10:30:00,5",
        "20261125T103000",
        "2026-W48-3T10:30:00",
        "2026-02-30T10:30:00",
        "2026-11-25T25:30:00",
        "2026-11-25T10:60:00",
        "2026-11-25T10:30:60",
        "0000-11-25T10:30:00",
        "\uff12026-11-25T10:30:00",  # a digit, but not one of ours
        "2026-11-25T10:30:00\n",
        " 2026-11-25T10:30:00",
    ],
)
def test_what_is_no_local_time_is_refused_without_quoting_it(local):
    with pytest.raises(ValueError) as raised:
        to_utc(local, NEW_YORK)

    assert not local or local.strip() not in str(raised.value)


@given(text=st.text())
def test_no_text_is_worse_than_no_local_time(text):
    assume("T" not in text)

    with pytest.raises(ValueError):
        to_utc(text, NEW_YORK)


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError):
        to_local(datetime(2026, 11, 25, 10, 30), NEW_YORK)


@pytest.mark.parametrize("moment", [datetime.min, datetime.max], ids=["first", "last"])
def test_a_moment_whose_wall_time_no_calendar_has_is_refused(moment):
    beyond = ZoneInfo("America/New_York" if moment == datetime.min else "Asia/Tokyo")

    with pytest.raises(ValueError):
        to_local(moment.replace(tzinfo=UTC), beyond)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "Nowhere/Land",
        "US/eastern",
        "us/Eastern",
        " US/Eastern",
        "US/Eastern\n",
        "US",
        "America",
        "localtime",
        "Factory",
        "right/US/Eastern",
        "posix/US/Eastern",
        "posixrules",
        "tzdata.zi",
        "zone.tab",
        "/etc/passwd",
        "/usr/share/zoneinfo/US/Eastern",
        "../../../etc/passwd",
        "US/../US/Eastern",
        "US//Eastern",
        "US/Eastern\x00",
        "EST5EDT,M3.2.0,M11.1.0",
        "UTC+5",
        "-05:00",
        "\ud800",
        "A" * 100_000,
    ],
    ids=lambda name: ascii(name[:40]),
)
def test_what_names_no_zone_gives_none(name):
    assert known_zone(name) is None


@given(name=st.text())
def test_no_text_is_worse_than_an_unknown_zone(name):
    assert known_zone(name) is None or known_zone(name).key == name
