"""Activity in steps: where they begin, which can be shown, and within how long most of it was applied."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.operations.activity import (
    KEPT_FOR,
    SLOT,
    Activity,
    ActivityStep,
    begin_of_step,
    problem_of,
    quantile,
    step_for,
)
from app.sync.model import Side

NOW = datetime(2026, 11, 28, 16, 27, 37, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("span", "step"),
    [(HOUR, 5 * MINUTE), (6 * HOUR, 10 * MINUTE), (DAY, 30 * MINUTE), (7 * DAY, 3 * HOUR), (35 * DAY, 12 * HOUR * 2)],
)
def test_a_span_is_shown_in_some_dozens_of_steps(span, step):
    assert step_for(span) == min(step, 12 * HOUR)


@pytest.mark.parametrize(
    ("at", "step", "zone", "begin"),
    [
        ("2026-11-28T16:27:37Z", 5 * MINUTE, "America/New_York", "2026-11-28T16:25Z"),
        ("2026-11-28T16:27:37Z", 3 * HOUR, "America/New_York", "2026-11-28T14:00Z"),  # nine o'clock
        ("2026-11-28T16:27:37Z", 12 * HOUR, "Asia/Kathmandu", "2026-11-28T06:15Z"),  # noon
        ("2026-11-01T16:27:37Z", 6 * HOUR, "America/New_York", "2026-11-01T16:00Z"),  # the day has had an hour more
        ("2026-11-28T04:59:59Z", DAY, "America/New_York", "2026-11-27T05:00Z"),
    ],
)
def test_steps_begin_with_the_clinics_day(at, step, zone, begin):
    found = begin_of_step(datetime.fromisoformat(at), step, ZoneInfo(zone))

    assert found == datetime.fromisoformat(begin)


@pytest.mark.parametrize(
    ("since", "until", "step", "problem"),
    [
        (NOW - HOUR, NOW, None, None),
        (NOW - KEPT_FOR, NOW, HOUR, None),
        (NOW - HOUR, NOW, SLOT, None),
        (NOW, NOW + HOUR, None, "has not begun"),
        (NOW - HOUR, NOW - HOUR, None, "ends before it begins"),
        (NOW - KEPT_FOR - HOUR, NOW, None, "kept for 35 days"),
        (NOW - HOUR, NOW, timedelta(0), "A step is 5 minutes"),
        (NOW - HOUR, NOW, -SLOT, "A step is 5 minutes"),
        (NOW - HOUR, NOW, 7 * MINUTE, "A step is 5 minutes"),
        (NOW - HOUR, NOW, timedelta(days=36), "35 days at most"),
        (NOW - 30 * DAY, NOW, SLOT, "more than 1,000 steps"),
    ],
)
def test_what_cannot_be_shown_is_said(since, until, step, problem):
    found = problem_of(since, until, NOW, step)

    assert found is None if problem is None else problem in found


@pytest.mark.parametrize(
    ("buckets", "p95_s"),
    [
        ({}, None),
        ({0: 0}, None),
        ({2: 100}, 0.25 + 0.25 * 0.95),
        ({2: 95, 5: 5}, 0.5),
        ({2: 94, 5: 6}, 2.5 + 2.5 / 6),
        ({2: 1, 12: 99}, 7200),  # longer than the last bound
        ({12: 1}, 7200),
    ],
)
def test_95_of_100_are_within_it(buckets, p95_s):
    found = quantile(buckets, 0.95)

    assert found == (None if p95_s is None else pytest.approx(p95_s))


def test_all_steps_as_one_are_their_sum():
    steps = [
        ActivityStep(NOW, {Side.DRCHRONO: 1, Side.SALESFORCE: 2}, {"kept": 3}, failed=1, latency={2: 5}),
        ActivityStep(NOW, {Side.DRCHRONO: 4, Side.SALESFORCE: 0}, {"skipped": 4}, needs_review=2, latency={2: 1, 3: 1}),
    ]

    total = Activity(NOW, NOW, HOUR, steps).total

    assert total.received == {Side.DRCHRONO: 5, Side.SALESFORCE: 2}
    assert (total.outcomes, total.failed, total.needs_review) == ({"kept": 3, "skipped": 4}, 1, 2)
    assert (total.latency, total.applied) == ({2: 6, 3: 1}, {Side.DRCHRONO: 0, Side.SALESFORCE: 0})
