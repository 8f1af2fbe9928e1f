"""The waits of the service fit each other, in production and shortened for tests."""

import pytest

from app.timings import REAL, of_this_process


@pytest.mark.parametrize("scale", [1.0, 0.25, 2.0])
def test_a_call_ends_before_its_lease_and_a_worker_beats_often_before_it_counts_as_dead(scale):
    it = REAL.times(scale)
    lease_s = it.lease.total_seconds()

    assert it.connect_s < it.read_s < it.call_s
    assert it.call_s + lease_s / 4 < lease_s, "even just before a renewal a write may begin"
    assert it.beat_s * 3 < it.alive.total_seconds()
    assert it.probe_s < it.probe_old_s


def test_without_a_word_it_is_production_that_a_process_goes_by(monkeypatch):
    assert of_this_process() == REAL

    monkeypatch.setenv("CHRONOBRIDGE_TIME_SCALE", "0.5")

    assert of_this_process().lease == REAL.lease / 2
