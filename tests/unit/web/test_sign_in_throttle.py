"""Guessing gets slow: the first mistakes are free, then the wait doubles, and an hour later all is forgotten."""

import pytest

from app.operations.sign_in import FREE, SignInThrottle

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
HOUR_S = 3600.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.at = 1_000.0

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def throttle(clock):
    return SignInThrottle(clock)


def guess(throttle, times, address=HERE):
    for _ in range(times):
        throttle.wrong(address)


def test_a_stranger_does_not_wait(throttle):
    assert throttle.wait_s(HERE) == 0.0


def test_the_first_mistakes_cost_nothing(throttle):
    guess(throttle, FREE - 1)

    assert throttle.wait_s(HERE) == 0.0


def test_after_them_each_mistake_doubles_the_wait(throttle):
    guess(throttle, FREE - 1)

    waits = []
    for _ in range(6):
        throttle.wrong(HERE)
        waits.append(throttle.wait_s(HERE))

    assert waits == [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize("times", [20, 100, 5000])
def test_nobody_waits_longer_than_five_minutes(throttle, times):
    guess(throttle, times)

    assert throttle.wait_s(HERE) == 300.0


def test_waiting_makes_the_wait_shorter_until_it_is_over(throttle, clock):
    guess(throttle, FREE + 3)

    waits = []
    for _ in range(4):
        waits.append(throttle.wait_s(HERE))
        clock.at += 3

    assert waits == [8, 5, 2, 0]


def test_a_mistake_after_the_wait_still_doubles_it(throttle, clock):
    guess(throttle, FREE + 3)
    clock.at += 60

    throttle.wrong(HERE)

    assert throttle.wait_s(HERE) == 16.0


def test_an_address_waits_for_its_own_mistakes_only(throttle):
    guess(throttle, 50)

    assert throttle.wait_s(ELSEWHERE) == 0.0


def test_whoever_knew_the_token_begins_anew(throttle):
    guess(throttle, FREE)

    throttle.right(HERE)
    throttle.wrong(HERE)

    assert throttle.wait_s(HERE) == 0.0


def test_knowing_the_token_from_a_stranger_is_nothing_to_forget(throttle):
    throttle.right(HERE)

    assert throttle.wait_s(HERE) == 0.0


@pytest.mark.parametrize(("later_s", "waits_s"), [(HOUR_S, 300.0), (HOUR_S + 1, 0.0)], ids=["within it", "after it"])
def test_an_hour_without_mistakes_forgets_them(throttle, clock, later_s, waits_s):
    guess(throttle, 100)
    clock.at += later_s

    throttle.wrong(HERE)

    assert throttle.wait_s(HERE) == waits_s


def test_the_oldest_are_forgotten_beyond_ten_thousand(throttle):
    guess(throttle, 50)

    for number in range(10_000):
        throttle.wrong(f"2001:db8::{number:x}")

    assert len(throttle._wrong) == 10_000
    assert throttle.wait_s(HERE) == 0.0


def test_whoever_goes_on_guessing_is_not_the_oldest(throttle):
    guess(throttle, 50)
    for number in range(9_999):
        throttle.wrong(f"2001:db8::{number:x}")
    throttle.wrong(HERE)

    throttle.wrong(ELSEWHERE)

    assert throttle.wait_s(HERE) == 300.0
