"""Guessing gets slow: the first mistakes are free, then the wait doubles, and an hour later all is forgotten."""

import pytest

from app.metrics.definitions import WRONG_SECRETS
from app.operations.throttle import FREE, Secret, Throttle
from app.store.counters import ProcessCounters

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
HOUR_S = 3600.0


@pytest.fixture
def throttle(clock):
    return Throttle(ProcessCounters(), clock)


def guesses(throttle, times, address=HERE, secret=Secret.SIGN_IN):
    """Guess so often, one at once after the other; gives how long each was told to wait."""
    return [throttle.refuse(secret, address) for _ in range(times)]


def patient_guesses(throttle, clock, times, address=HERE):
    """Guess so often, each time after the wait that was told."""
    waits = []
    for _ in range(times):
        while wait_s := throttle.refuse(Secret.SIGN_IN, address):
            waits.append(wait_s)
            clock.now += wait_s
    return waits


def test_the_first_mistakes_cost_nothing(throttle):
    assert guesses(throttle, FREE) == [0.0] * FREE


def test_after_them_each_mistake_doubles_the_wait_up_to_five_minutes(throttle, clock):
    waits = patient_guesses(throttle, clock, FREE + 12)

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_guesses_while_one_waits_make_it_no_longer(throttle, clock):
    guesses(throttle, FREE + 100)

    clock.now += 1

    assert guesses(throttle, 1) == [0.0]


def test_waiting_makes_the_wait_shorter_until_it_is_over(throttle, clock):
    patient_guesses(throttle, clock, FREE + 3)

    waits = []
    for _ in range(3):
        waits += guesses(throttle, 1)
        clock.now += 3

    assert waits == [8, 5, 2]


def test_an_address_waits_for_its_own_mistakes_only(throttle):
    guesses(throttle, 50)

    assert guesses(throttle, 1, ELSEWHERE) == [0.0]


def test_all_secrets_are_counted_together(throttle):
    told = [throttle.refuse(secret, HERE) for secret in [*Secret] * 2]

    assert (told[:FREE], told[FREE]) == ([0.0] * FREE, 1.0)


@pytest.mark.parametrize(
    ("one", "other", "is_one_place"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
    ],
)
def test_an_ipv6_network_is_one_place(throttle, one, other, is_one_place):
    guesses(throttle, FREE + 1, one)

    assert (guesses(throttle, 1, other) != [0.0]) is is_one_place


def test_whoever_knew_the_token_begins_anew(throttle):
    guesses(throttle, FREE)

    throttle.forget(HERE)

    assert guesses(throttle, FREE) == [0.0] * FREE


def test_knowing_the_token_from_a_stranger_is_nothing_to_forget(throttle):
    throttle.forget(HERE)

    assert guesses(throttle, 1) == [0.0]


@pytest.mark.parametrize(("later_s", "waits_s"), [(200.0, 100.0), (HOUR_S + 1, 0.0)], ids=["within it", "after it"])
def test_an_hour_without_mistakes_forgets_them(throttle, clock, later_s, waits_s):
    patient_guesses(throttle, clock, FREE + 20)
    clock.now += later_s

    assert guesses(throttle, FREE)[0] == waits_s


def test_the_oldest_are_forgotten_beyond_ten_thousand(throttle):
    guesses(throttle, FREE + 1)

    for number in range(10_000):
        throttle.refuse(Secret.BEARER, f"2001:db8:{number:x}::1")

    assert len(throttle._wrong) == 10_000
    assert guesses(throttle, 1) == [0.0]


def test_every_wrong_secret_is_counted_and_each_kind_logged_once_a_minute_with_its_address(throttle, clock, capsys):
    guesses(throttle, 30)
    guesses(throttle, 3, secret=Secret.OUTBOUND)
    clock.now += 60
    guesses(throttle, 1)

    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    events = [next(word for word in line if word.endswith(".refused")) for line in said]
    assert events == ["login.refused", "outbound.refused", "login.refused"]
    assert [f"address={HERE}" in line for line in said] == [True] * 3
    assert "count=30" in said[2]
    counted = throttle._counts._new
    assert counted == {f"{WRONG_SECRETS.name}|login": 31, f"{WRONG_SECRETS.name}|outbound": 3}
