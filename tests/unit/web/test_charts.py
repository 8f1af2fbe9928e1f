"""A chart says what its values say: bars as high as they are, one scale, times that the clinic's clock shows."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from babel import Locale

from app.operations.activity import Activity, ActivityStep
from app.operations.clinic_time import ClinicTime
from app.sync.model import Side
from app.web import charts
from app.web.charts import Chart, ChartForm, ChartSeries, Tick, TimeAxis

NOW = datetime(2026, 11, 28, 16, 30, tzinfo=UTC)
NEW_YORK = ClinicTime(ZoneInfo("America/New_York"), Locale("en", "US"), NOW)
HOUR = timedelta(hours=1)


def chart(*rows, top=10, form=ChartForm.BARS, **given):
    series = [ChartSeries(f"row {at}", "first", row) for at, row in enumerate(rows)]
    time = TimeAxis([f"step {at}" for at in range(len(rows[0]))], [])
    return Chart("Title", "What it says.", series, time, charts.in_whole, top, form, **given)


def drawn(one):
    """Give the drawing's elements; it is well-formed, or this fails."""
    return ET.fromstring(str(one.svg))


def bars(one):
    return [
        (float(bar.get("y").rstrip("%")), float(bar.get("height").rstrip("%")))
        for bar in drawn(one).iter("rect")
        if bar.get("class") != "hit"
    ]


def test_a_bar_is_as_high_as_its_value_and_what_is_stacked_stands_on_it():
    assert bars(chart([5, 10], [2.5, 0])) == [(50, 50), (25, 25), (0, 100)]


def test_what_is_there_at_all_is_seen_and_nothing_leaves_the_drawing():
    assert bars(chart([1], top=100_000)) == [(98.5, 1.5)]
    assert bars(chart([9], [9], top=10)) == [(10, 90), (0, 90)]
    assert bars(chart([0], [None])) == []


def test_a_pointer_is_told_of_every_step_what_it_holds():
    titles = [title.text for title in drawn(chart([1, 0], [1234, 2])).iter("title")]

    assert titles == ["step 0\nrow 0: 1\nrow 1: 1,234", "step 1\nrow 0: 0\nrow 1: 2"]


def test_a_line_leaves_out_what_is_not_there():
    one = chart([1, 2, None, 4], form=ChartForm.LINE)

    assert len(drawn(one).findall("line[@class='first']")) == 1
    assert len(list(drawn(one).iter("circle"))) == 3


def test_a_drawing_has_no_style_of_its_own_which_the_policy_would_not_allow():
    text = str(chart([1], [2]).svg)

    assert not re.search(r"style|script|\bon\w+=", text)
    assert "What it says." in drawn(chart([1])).get("aria-label")


def test_what_stands_in_a_label_is_escaped():
    one = Chart("T", '<"&', [ChartSeries("<b>", "first", [1])], TimeAxis(["<i>"], [Tick(0, "<u>")]), charts.in_whole, 1)

    assert drawn(one).get("aria-label") == '<"&'
    assert [title.text for title in drawn(one).iter("title")] == ["<i>\n<b>: 1"]
    assert "&lt;u&gt;" in one.axis


@pytest.mark.parametrize(
    ("most", "top"), [(0, 1), (1, 1), (7, 8), (10, 10), (11, 15), (24, 25), (26, 30), (101, 150), (999, 1000)]
)
def test_the_scale_ends_at_a_round_whole_number_above_the_highest_stack(most, top):
    series = [ChartSeries("a", "first", [0, most // 2]), ChartSeries("b", "second", [None, most - most // 2])]

    assert charts.top_of_counts(series) == top


@pytest.mark.parametrize(("most", "top"), [(None, 0.1), (0.3, 0.5), (9, 10), (31, 60), (4000, 7200), (9999, 7200)])
def test_the_scale_of_spans_ends_where_people_count(most, top):
    assert charts.top_of_seconds([None, most]) == top


@pytest.mark.parametrize(("top", "marks"), [(10, ["10", "5", "0"]), (5, ["5", "0"]), (1500, ["1,500", "750", "0"])])
def test_the_axis_of_values_names_whole_numbers_only(top, marks):
    assert chart([1], top=top).marks == marks


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (0.05, "0.05 s"), (4.25, "4.25 s"), (10, "10 s"), (90, "1 min"), (7200, "2 h")]
)
def test_a_span_is_said_as_exactly_as_it_matters(value, said):
    assert charts.in_seconds(value) == said


def ticks(begin, span, clinic=NEW_YORK):
    since = datetime.fromisoformat(begin)
    return charts.ticks(since, since + span, clinic)


@pytest.mark.parametrize(
    ("begin", "span", "words"),
    [
        ("2026-11-28T15:30Z", HOUR, ["10:30 AM", "10:45 AM", "11 AM", "11:15 AM"]),
        ("2026-11-27T16:30Z", 24 * HOUR, ["12 PM", "6 PM", "Nov 28", "6 AM"]),
        ("2026-11-21T05:00Z", 168 * HOUR, ["Nov 21", "Nov 23", "Nov 25", "Nov 27"]),
        ("2026-11-01T04:00Z", 25 * HOUR, ["Nov 1", "6 AM", "12 PM", "6 PM"]),  # the clock is put back
        ("2026-03-08T05:00Z", 5 * HOUR, ["Mar 8", "1 AM", "3 AM", "4 AM", "5 AM"]),  # it leaves out two o'clock
    ],
)
def test_ticks_are_where_the_clinics_clock_is_round(begin, span, words):
    assert [tick.words for tick in ticks(begin, span)] == words


def test_ticks_lie_in_their_order_within_the_axis_in_every_zone():
    for zone in ("Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Kiritimati", "America/St_Johns"):
        for span in (HOUR, 6 * HOUR, 24 * HOUR, 50 * HOUR, 168 * HOUR, 840 * HOUR):
            places = [tick.at for tick in ticks("2026-04-04T11:05Z", span, ClinicTime(ZoneInfo(zone), now=NOW))]
            assert places == sorted(set(places)), (zone, span)
            assert 1 <= len(places) <= 6, (zone, span)
            assert all(0 <= place < 1 for place in places)


def test_a_step_over_midnight_names_both_days():
    begin = datetime(2026, 11, 29, 4, 30, tzinfo=UTC)

    assert charts.words_of_step(begin, HOUR, NEW_YORK) == "Sat, Nov 28, 11:30 PM to Sun, Nov 29, 12:30 AM"


def test_activity_is_four_charts_of_which_each_says_its_sum():
    steps = [
        ActivityStep(NOW - HOUR, {Side.DRCHRONO: 3, Side.SALESFORCE: 1}, failed=2, latency={3: 95, 6: 5}),
        ActivityStep(NOW - HOUR / 2, applied={Side.DRCHRONO: 0, Side.SALESFORCE: 4}),
    ]

    drawn_ones = charts.of_activity(Activity(NOW - HOUR, NOW, HOUR / 2, steps), "the last hour", NEW_YORK)

    assert [one.label for one in drawn_ones] == [
        "Received: deliveries received in the last hour. From DrChrono 3, From Salesforce 1.",
        "Applied: changes applied in the last hour. To DrChrono 0, To Salesforce 4.",
        "Needs attention: records that began to fail or to need review in the last hour. Failed 2, Needs review 0.",
        "Time until applied in the last hour: 95 of 100 within 1 s.",
    ]
