"""How the calls of an hour are shared out: whatever the lanes want, the hour holds, and none of it is wasted."""

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import StoreUnavailable
from app.sync.model import Lane
from app.vendors.rate_limit import policy
from app.vendors.rate_limit.drchrono import DrChronoRateLimit
from app.vendors.rate_limit.policy import EDGE_S, HOUR_S, Allowance
from app.vendors.rate_limit.salesforce import SalesforceRateLimit

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
    assert policy.quota_hours(START + into_s) == hours


def test_just_after_the_full_hour_a_call_must_fit_the_hour_before_as_well():
    ledger = Stand(START + 5, {HOUR - 1: 500, HOUR: 0})

    assert not policy.has_room(ledger, ALLOWED, Lane.LIVE)


@pytest.mark.parametrize(
    ("into_s", "in_second", "waits_s"),
    [(0.1, 0, 0.0), (0.1, 1, 0.15), (0.3, 1, 0.0), (0.3, 3, 0.7), (0.6, 0, 0.0), (0.8, 0, 0.2), (0.8, 4, 0.2)],
    ids=["first", "too soon", "its turn", "none is left", "some went by", "live edits' part", "over"],
)
def test_each_part_of_a_second_has_its_part_of_the_calls_and_the_last_is_left_to_live_edits(into_s, in_second, waits_s):
    ledger = stand(1800 + into_s, in_second=in_second)

    assert policy.second_s(ledger, ALLOWED, Lane.BACKFILL) == pytest.approx(waits_s, abs=1e-6)
    assert not waits_s or policy.second_s(ledger, ALLOWED, Lane.LIVE) <= waits_s + 1e-6


def test_a_live_edit_may_have_the_last_call_of_a_second():
    assert policy.second_s(stand(1800.8, in_second=3), ALLOWED, Lane.LIVE) == 0.0


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("per_second", [1, 2, 3, 4, 5, 10, 1000])
def test_a_second_that_is_asked_all_the_time_gives_all_its_calls_and_no_more(per_second, lane):
    allowed, in_second, made = Allowance(500, per_second), 0, 0

    for ms in range(1000):
        while not policy.second_s(ledger := stand(1800 + ms / 1000, in_second=in_second), allowed, lane):
            in_second, made = policy.taken(ledger, allowed), made + 1

    assert made == allowed.in_a_second(lane)


@given(st.lists(st.floats(0, 10), max_size=300), st.integers(1, 8))
def test_however_calls_come_no_part_of_a_second_has_more_than_its_calls(moments, per_second):
    allowed, made, second, in_second = Allowance(500, per_second), [], 0, 0
    parts = min(4, per_second)  # quarters, where a second has a call for each

    for at in sorted(moments):
        in_second = in_second if int(at) == second else 0
        second = int(at)
        if not policy.second_s(ledger := stand(at, in_second=in_second), allowed, Lane.LIVE):
            in_second = policy.taken(ledger, allowed)
            made.append((second, int(at % 1 * parts)))

    assert all(made.count(part) <= -(-per_second // parts) for part in made)


@given(st.floats(0, 3), st.integers(0, 8), st.integers(1, 8), st.sampled_from(list(Lane)))
def test_whoever_waits_for_his_second_finds_room_then(into_s, in_second, per_second, lane):
    allowed = Allowance(500, per_second)
    ledger = stand(1800 + into_s, in_second=min(in_second, per_second))

    wait_s = policy.second_s(ledger, allowed, lane)
    then = ledger.at + wait_s + 1e-6

    in_second = ledger.in_second if int(then) == int(ledger.at) else 0
    assert policy.second_s(Stand(then, ledger.made, in_second), allowed, lane) == 0.0


def test_a_call_that_does_not_fit_comes_when_its_lanes_reserve_has_melted_enough():
    at = policy.fits_at(stand(60, made=300), ALLOWED, Lane.BACKFILL, {})

    assert at == pytest.approx(START + HOUR_S / 200)  # one call of the 200 reserved, an hour long


def test_each_that_does_not_fit_comes_behind_those_that_were_told_before():
    moments = [policy.fits_at(stand(60, made=320), ALLOWED, Lane.BACKFILL, {HOUR: ahead}) for ahead in range(180)]

    assert moments == sorted(moments)
    assert moments[-1] <= START + HOUR_S - EDGE_S
    assert min(later - one for one, later in itertools.pairwise(moments)) > 0.3


def test_what_this_hour_cannot_hold_comes_in_the_next_at_the_vendors_pace():
    ledger = stand(1800, made=500)

    first = policy.fits_at(ledger, ALLOWED, Lane.LIVE, {})
    later = policy.fits_at(ledger, ALLOWED, Lane.LIVE, {HOUR + 1: 40})

    assert first == START + HOUR_S + EDGE_S
    assert later == pytest.approx(first + 10)


def test_promises_fill_one_hour_after_the_other():
    at = policy.fits_at(stand(1800, made=500), ALLOWED, Lane.LIVE, {HOUR + 1: 500, HOUR + 2: 500})

    assert at == START + 3 * HOUR_S + EDGE_S


@given(st.integers(0, 600), st.floats(0, 3599), st.sampled_from(list(Lane)), st.integers(1, 2000))
def test_a_moment_that_is_told_is_never_past_and_holds_when_nobody_else_calls(made, into_s, lane, more):
    ledger = stand(into_s, made=min(made, 500))

    at = policy.fits_at(ledger, ALLOWED, lane, {}, more=more)

    assert at >= ledger.at
    done = more - 1  # those before have been called by then, as early as they could
    first = min(done, 500 - ledger.made[HOUR])
    hour = int(at // HOUR_S)
    made_by_then = {HOUR: ledger.made[HOUR] + first} | dict.fromkeys(range(HOUR + 1, hour), 500)
    if hour > HOUR:
        made_by_then[hour] = (done - first) % 500
    calm = hour * HOUR_S + EDGE_S <= at <= (hour + 1) * HOUR_S - EDGE_S
    assert not calm or policy.has_room(Stand(at + 0.001, made_by_then), ALLOWED, lane)


def test_nobody_waiting_is_caught_up():
    assert policy.caught_up_at(stand(60), ALLOWED, {}, {Lane.LIVE: 100}) is None


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
    at = policy.caught_up_at(stand(60, made=made), ALLOWED, waiting, {})

    assert at - START == pytest.approx(when_s, abs=1.0)


def test_as_many_urgent_calls_as_in_the_hour_before_are_expected_to_come_between():
    waiting, of_late = {Lane.BACKFILL: 1100}, {Lane.LIVE: 80, Lane.COMPARE: 20, Lane.BACKFILL: 400}

    at = policy.caught_up_at(stand(0, made=0), ALLOWED, waiting, of_late)

    assert at - START == pytest.approx(2.5 * HOUR_S, abs=EDGE_S)


def test_nothing_less_urgent_comes_between():
    of_late = dict.fromkeys((Lane.LIVE, Lane.RETRY, Lane.COMPARE), 400)

    alone = policy.caught_up_at(stand(60, made=320), ALLOWED, {Lane.LIVE: 180}, {})

    assert policy.caught_up_at(stand(60, made=320), ALLOWED, {Lane.LIVE: 180}, of_late) == alone


def test_however_busy_the_hour_before_was_half_of_the_next_is_expected_to_be_free():
    at = policy.caught_up_at(stand(0), ALLOWED, {Lane.BACKFILL: 600}, {Lane.LIVE: 500})

    assert 2 * HOUR_S <= at - START <= 2.5 * HOUR_S


@pytest.mark.parametrize(("failures", "closed_s"), [(1, 0.0), (2, 0.0), (3, 3.75), (4, 7.5), (20, 150.0)])
def test_one_failure_is_a_records_own_and_many_close_the_side(failures, closed_s):
    assert policy.breaker_wait_s(failures, jitter=0.0) == closed_s


def test_an_application_with_a_single_call_an_hour_may_make_it():
    one = Allowance(1, 1)

    assert policy.has_room(stand(1800), one, Lane.BACKFILL)
    assert not policy.has_room(stand(1800, made=1), one, Lane.LIVE)


class Away:
    """What both limits keep their notes in, of a database that is away."""

    def __getattr__(self, _name):
        async def note(*_given, **_more):
            raise StoreUnavailable("the database is away")

        return note


@pytest.mark.parametrize(
    "note",
    [
        lambda: DrChronoRateLimit("drchrono", Away(), ALLOWED).answered(429),
        lambda: DrChronoRateLimit("drchrono", Away(), ALLOWED).answered(503),
        lambda: DrChronoRateLimit("drchrono", Away(), ALLOWED).failed(),
        lambda: SalesforceRateLimit("salesforce", Away(), 0.5).answered("api-usage=1/9"),
        lambda: SalesforceRateLimit("salesforce", Away(), 0.5).failed(),
        lambda: SalesforceRateLimit("salesforce", Away(), 0.5).refused(1.0),
    ],
)
async def test_what_is_noted_of_an_answer_costs_nobody_the_answer(note):
    assert await note() is None
