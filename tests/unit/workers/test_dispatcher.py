"""How long a batch gathers: told to a clock of its own, by what comes and what a pass takes."""

import pytest

from workers.dispatcher import FULL, Stream


def batches(arrivals, pass_s=0.05):
    """Work off what comes at these moments; gives of each batch how many it took, and how long its first one waited."""
    now, left, taken = [0.0], sorted(arrivals), []
    stream = Stream(lambda: now[0])
    while left:
        now[0] = max(now[0], left[0])
        now[0] += stream.wait_s()
        due = [one for one in left if one <= now[0]][:FULL]
        stream.took(len(due))
        taken.append((len(due), now[0] - due[0]))
        left = left[len(due) :]
        now[0] += pass_s
    return taken


def every(gap_s, count):
    return [100 + n * gap_s for n in range(count)]


@pytest.mark.parametrize("gap_s", [30, 1, 0.3, 0.06])
def test_a_lone_edit_never_waits(gap_s):
    assert all(count == 1 and waited == 0 for count, waited in batches(every(gap_s, 40)))


def test_what_is_saved_together_is_taken_at_once():
    taken = batches([100.0] * 100 + [100.04] * 3 + [100.14])

    assert taken == [(100, 0), (3, pytest.approx(0.01)), (1, 0)]


def test_a_stream_of_200_a_second_is_taken_in_few_batches_and_nothing_waits_for_a_second():
    taken = batches(every(1 / 200, 1000))

    assert len(taken) <= 9
    assert max(waited for _, waited in taken) < 1


def test_what_is_behind_does_not_gather():
    taken = batches([100.0 + n / 2000 for n in range(2000)], pass_s=0.2)

    assert [count for count, _ in taken[2:-1]] == [FULL] * (len(taken) - 3)
    assert sum(count for count, _ in taken) == 2000


@pytest.mark.parametrize("per_s", [100, 200, 400, 600, 800])
def test_a_stream_is_taken_in_batches_that_are_nearly_full_however_short_a_pass_is(per_s):
    taken = batches(every(1 / per_s, 2000), pass_s=0.01)

    assert len(taken) < 50
    assert min(count for count, _ in taken[-5:-1]) >= min(190, per_s * 0.9) - 2
    assert max(waited for _, waited in taken) < 1


def test_after_a_stream_a_lone_edit_is_taken_at_once_again():
    *_, last = batches([*every(1 / 200, 400), 103.5])

    assert last == (1, 0)
