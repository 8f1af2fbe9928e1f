"""So many a minute for each asker, as many at once, and no more of one for what another does."""

import pytest

from app.vendors.rate_limit.bucket import TokenBuckets


@pytest.fixture
def buckets(clock):
    return TokenBuckets(30, clock)


def taken(buckets, times, asker="one"):
    return [buckets.take(asker) for _ in range(times)]


def test_as_many_as_a_minute_has_may_come_at_once(buckets):
    assert taken(buckets, 31) == [0.0] * 30 + [2.0]


def test_who_waits_as_told_may_go_on(buckets, clock):
    taken(buckets, 30)

    clock.now += buckets.take("one")

    assert taken(buckets, 2) == [0.0, 2.0]


def test_asking_in_vain_makes_the_wait_no_longer(buckets, clock):
    taken(buckets, 100)

    clock.now += 1

    assert taken(buckets, 1) == [1.0]


def test_a_long_rest_saves_up_no_more_than_a_minutes(buckets, clock):
    taken(buckets, 30)
    clock.now += 100_000

    assert taken(buckets, 31)[-2:] == [0.0, 2.0]


def test_one_asker_leaves_another_what_is_theirs(buckets):
    taken(buckets, 50)

    assert taken(buckets, 1, "other") == [0.0]


def test_the_oldest_are_forgotten_beyond_ten_thousand(buckets):
    for number in range(10_001):
        buckets.take(str(number))

    assert len(buckets._left) == 10_000
