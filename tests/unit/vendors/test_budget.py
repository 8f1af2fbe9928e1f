"""How the calls of an hour are shared out: whatever the lanes want, the hour holds, and none of it is wasted."""

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sync.records import Lane
from app.vendors import budget
from app.vendors.budget import EDGE_S, HOUR_S, Allowance

ALLOWED = Allowance(500, 4)
HOUR = 400_000
START = HOUR * HOUR_S


@dataclass(frozen=True)
class Stand:
    at: float
    made: dict = field(default_factory=dict)
    in_second: int = 0
    closed_until: float = 0.0
    failures: int = 0


def stand(into_s, made=0, **more):
    return Stand(START + into_s, {HOUR: made}, **more)


@pytest.mark.parametrize(
    ("lane", "most"),
    [(Lane.LIVE, 500), (Lane.RETRY, 475), (Lane.CONFIRM, 450), (Lane.COMPARE, 350), (Lane.BACKFILL, 300)],
)
def test_a_lane_leaves_its_reserve_while_the_hour_is_young(lane, most):
    assert ALLOWED.up_to(lane, 0.0) == most


@pytest.mark.parametrize("lane", list(Lane))
def test_at_the_end_of_the_hour_every_lane_may_use_all_that_is_left(lane):
    assert ALLOWED.up_to(lane, 1.0) == 500


@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from(list(Lane)))
def test_a_lane_never_brings_the_hour_beyond_its_limit_and_urgency_never_costs(limit, share, lane):
    allowed = [Allowance(limit, 4).up_to(one, share) for one in Lane]

    assert all(0 < one <= limit for one in allowed)
    assert allowed == sorted(allowed, reverse=True)


@pytest.mark.parametrize(
    ("into_s", "hours"),
    [(5, (HOUR - 1, HOUR)), (EDGE_S + 1, (HOUR,)), (1800, (HOUR,)), (3595, (HOUR, HOUR + 1))],
    ids=["just begun", "begun", "in the middle", "nearly over"],
)
def test_near_the_full_hour_a_call_counts_in_both(into_s, hours):
    assert budget.hours(START + into_s) == hours


def test_just_after_the_full_hour_a_call_must_fit_the_hour_before_as_well():
    ledger = Stand(START + 5, {HOUR - 1: 500, HOUR: 0})

    assert not budget.has_room(ledger, ALLOWED, Lane.LIVE)


@pytest.mark.parametrize(("in_second", "waits"), [(2, False), (3, True)])
def test_the_last_call_of_a_second_is_left_to_live_edits(in_second, waits):
    ledger = stand(1800.25, in_second=in_second)

    assert bool(budget.second_s(ledger, ALLOWED, Lane.BACKFILL)) is waits
    assert budget.second_s(ledger, ALLOWED, Lane.LIVE) == 0.0


def test_whoever_waits_for_his_second_waits_until_it_is_over():
    assert budget.second_s(stand(1800.25, in_second=4), ALLOWED, Lane.LIVE) == pytest.approx(0.75)


def test_a_call_that_does_not_fit_comes_when_its_lanes_reserve_has_melted_enough():
    at = budget.fits_at(stand(60, made=300), ALLOWED, Lane.BACKFILL, {})

    assert at == pytest.approx(START + HOUR_S / 200)  # one call of the 200 reserved, an hour long


def test_each_that_does_not_fit_comes_behind_those_that_were_told_before():
    moments = [budget.fits_at(stand(60, made=320), ALLOWED, Lane.BACKFILL, {HOUR: ahead}) for ahead in range(180)]

    assert moments == sorted(moments)
    assert moments[-1] <= START + HOUR_S - EDGE_S
    assert min(later - one for one, later in itertools.pairwise(moments)) > 0.3


def test_what_this_hour_cannot_hold_comes_in_the_next_at_the_vendors_pace():
    ledger = stand(1800, made=500)

    first = budget.fits_at(ledger, ALLOWED, Lane.LIVE, {})
    later = budget.fits_at(ledger, ALLOWED, Lane.LIVE, {HOUR + 1: 40})

    assert first == START + HOUR_S + EDGE_S
    assert later == pytest.approx(first + 10)


def test_promises_fill_one_hour_after_the_other():
    at = budget.fits_at(stand(1800, made=500), ALLOWED, Lane.LIVE, {HOUR + 1: 500, HOUR + 2: 500})

    assert at == START + 3 * HOUR_S + EDGE_S


@given(st.integers(0, 600), st.floats(0, 3599), st.sampled_from(list(Lane)), st.integers(1, 2000))
def test_a_moment_that_is_told_is_never_past_and_holds_when_nobody_else_calls(made, into_s, lane, more):
    ledger = stand(into_s, made=min(made, 500))

    at = budget.fits_at(ledger, ALLOWED, lane, {}, more=more)

    assert at >= ledger.at
    done = more - 1  # those before have been called by then, as early as they could
    first = min(done, 500 - ledger.made[HOUR])
    hour = int(at // HOUR_S)
    made_by_then = {HOUR: ledger.made[HOUR] + first} | dict.fromkeys(range(HOUR + 1, hour), 500)
    if hour > HOUR:
        made_by_then[hour] = (done - first) % 500
    calm = hour * HOUR_S + EDGE_S <= at <= (hour + 1) * HOUR_S - EDGE_S
    assert not calm or budget.has_room(Stand(at + 0.001, made_by_then), ALLOWED, lane)


def test_nobody_waiting_is_caught_up():
    assert budget.caught_up_at(stand(60), ALLOWED, {}) is None


@pytest.mark.parametrize(
    ("made", "waiting", "when_s"),
    [
        (320, {Lane.LIVE: 180}, 60 + 179 / 4),
        (320, {Lane.LIVE: 212}, HOUR_S + EDGE_S + 31 / 4),
        (0, {Lane.LIVE: 10, Lane.BACKFILL: 490}, HOUR_S - EDGE_S),
        (500, {Lane.BACKFILL: 1000}, 3 * HOUR_S - EDGE_S),
    ],
    ids=["within the hour", "into the next", "behind live edits", "two hours more"],
)
def test_when_all_that_wait_are_caught_up(made, waiting, when_s):
    at = budget.caught_up_at(stand(60, made=made), ALLOWED, waiting)

    assert at - START == pytest.approx(when_s, abs=1.0)


@pytest.mark.parametrize(("failures", "closed_s"), [(1, 0.0), (2, 0.0), (3, 3.75), (4, 7.5), (20, 150.0)])
def test_one_failure_is_a_records_own_and_many_close_the_side(failures, closed_s):
    assert budget.closed_s(failures, jitter=0.0) == closed_s


def test_an_application_with_a_single_call_an_hour_may_make_it():
    one = Allowance(1, 1)

    assert budget.has_room(stand(1800), one, Lane.BACKFILL)
    assert not budget.has_room(stand(1800, made=1), one, Lane.LIVE)
