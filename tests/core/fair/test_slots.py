"""`Slots`: what fits, what runs alone, what comes back and when."""

from fractions import Fraction
from math import inf, nan

import pytest

from trafficcore.core.fair import QuotaQueue, Slots
from trafficcore.errors import ConfigError


def test_what_fits_fits_and_comes_back_once():
    slots = Slots(3)
    one, two = slots.take(0, 1), slots.take(0, 2)
    assert one
    assert two
    assert not slots.take(0, 1)
    assert slots.earliest(1) == inf
    assert slots.release(two)
    assert not slots.release(two)
    assert slots.earliest(2) == -inf
    assert slots.level(0) == 2


def test_one_above_the_limit_runs_alone():
    slots = Slots(3)
    small = slots.take(0, 1)
    assert not slots.take(0, 7)
    slots.release(small)
    large = slots.take(0, 7)
    assert large
    assert slots.level(0) == -4
    assert not slots.take(0, 1)
    slots.release(large)
    assert slots.take(0, 1)


def test_a_lost_end_is_taken_for_an_end_after_the_longest_time():
    slots = Slots(2, max_inflight_duration=5)
    first, second = slots.take(0, 1), slots.take(1, 1)
    assert slots.earliest(1) == 5
    assert not slots.take(4, 1)
    assert slots.take(5, 1)
    assert not slots.release(first)
    assert slots.release(second)
    assert slots.earliest(2) == 10


def test_leases_given_back_in_time_are_forgotten():
    slots = Slots(2, max_inflight_duration=10**6)
    kept = slots.take(0, 1)
    for now in range(10_000):
        assert slots.release(slots.take(now, 1))
    assert len(slots._ends) < 100
    assert slots.level(10**6) == 2
    assert not slots.release(kept)


def test_a_limit_of_nothing_lets_nothing_run_and_refuses_at_once():
    quota = QuotaQueue(Slots(0))
    assert not quota.try_acquire(0)
    quota.enqueue(0, "w")
    assert quota.next_deadline() == -inf
    assert [waiter.fate.value for waiter in quota.poll(0)] == ["refused"]


def test_a_grant_that_is_not_wanted_frees_its_slots():
    quota = QuotaQueue(Slots(Fraction(1)))
    lease = quota.try_acquire(0)
    first, second = quota.enqueue(0, "w"), quota.enqueue(0, "w")
    assert quota.next_deadline() == inf
    assert quota.release(lease)
    assert quota.next_deadline() == -inf
    assert quota.poll(1) == [first]
    assert quota.give_back(first, 1)
    assert not quota.give_back(first, 1)
    assert quota.poll(1) == [second]


@pytest.mark.parametrize("settings", [(-1,), (nan,), (1, 0), (1, nan)])
def test_settings_that_cannot_work_are_refused(settings):
    with pytest.raises(ConfigError):
        Slots(*settings)
