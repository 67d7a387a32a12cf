"""SharedGcra is Gcra, to the last bit, whoever asks in between."""

import itertools
import math
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.exactness import hammer
from support.shared import shared_gcra, shared_keyed
from trafficcore.core.limit import Gcra
from trafficcore.errors import ConfigError
from trafficcore.store import HostFile, SharedGcra

NUMBERS = itertools.count()
AMOUNTS = st.sampled_from([1, 2, 7]) | st.floats(1e-3, 20)
TIMES = st.floats(0, 1e3) | st.floats(0, 2**31)
STEPS = st.lists(
    st.tuples(st.sampled_from(["take", "reserve", "charge", "refund"]), TIMES, AMOUNTS),
    max_size=30,
)


def step(machine, verb, now, cost):
    """Do it, and return all there is to see afterwards."""
    answers = {
        "take": lambda: machine.try_acquire(now, cost),
        "reserve": lambda: machine.reserve(now, cost, now + 5),
        "charge": lambda: machine.charge(cost, now),
        "refund": lambda: machine.refund(cost, now),
    }
    return (
        answers[verb](),
        machine.full_at,
        machine.tokens_at(now),
        machine.level_at(now),
        machine.earliest(now, cost),
        machine.due(now, 3 * cost),
        machine.snapshot(now),
    )


@given(capacity=st.integers(0, 100) | st.floats(0, 50), rate=st.floats(1e-6, 1e6), steps=STEPS)
def test_it_does_what_gcra_does_for_times_in_any_order(capacity, rate, steps):
    shared, alone = shared_gcra(capacity, rate), Gcra(capacity, rate)
    for each in steps:
        assert step(shared, *each) == step(alone, *each)


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """Two openings of one file, as two processes have them."""
    path = tmp_path_factory.mktemp("host") / "limits"
    with closing(HostFile(path, slots=1024)) as one, closing(HostFile(path, slots=1024)) as other:
        yield one, other


@given(capacity=st.integers(1, 100), rate=st.floats(1e-6, 1e6), steps=STEPS)
def test_workers_that_take_turns_are_one_bucket(workers, capacity, rate, steps):
    key = f"bucket {next(NUMBERS)}"
    buckets = [SharedGcra(file, key, capacity, rate) for file in workers]
    alone = Gcra(capacity, rate)
    for turn, each in enumerate(steps):
        assert step(buckets[turn % 2], *each) == step(alone, *each)


@pytest.mark.parametrize("rate", [1_000_001, 1e9])
def test_rates_that_one_float_does_not_hold_are_refused(rate):
    with pytest.raises(ConfigError, match="a shared rate must be at most 1000000, not"):
        shared_gcra(1, rate)
    with pytest.raises(ConfigError, match="rate must be above 0"):
        shared_gcra(1, 0)


@pytest.mark.parametrize("cost", [0, -1, math.nan, math.inf])
def test_a_cost_that_is_no_amount_is_an_error_for_every_verb(cost):
    machine = shared_gcra(5, 1.0)

    def charge(now, cost):
        machine.charge(cost, now)

    for ask in (machine.try_acquire, machine.reserve, machine.earliest, charge):
        with pytest.raises(ConfigError, match="cost must be a finite number above 0, not"):
            ask(0.0, cost)
    assert machine.tokens_at(0.0) == 5


@pytest.mark.stress
def test_eight_threads_take_exactly_the_capacity_of_a_bucket_and_of_a_key():
    bucket, keyed = shared_gcra(4000, 1e-6), shared_keyed(4000, 1e-6)
    with closing(keyed._file):
        for take in (lambda: bucket.try_acquire(1.0), lambda: keyed.try_acquire("a", 1.0)):
            granted = hammer(lambda _, take=take: sum(take() for _ in range(1000)))
            assert sum(granted) == 4000


def test_a_cost_above_the_capacity_or_beyond_patience_is_not_reserved():
    machine = shared_gcra(5, 1.0)
    assert machine.reserve(0.0, 6) == math.inf
    assert machine.try_acquire(0.0, 5)
    assert machine.reserve(0.0, 2, 1.5) == math.inf
    assert not machine.try_acquire(0.0, 6)
    assert machine.tokens_at(0.0) == pytest.approx(0, abs=0.001)
    assert machine.reserve(0.0, 2, 2.0) == pytest.approx(2, abs=0.001)
    with pytest.raises(ConfigError, match="cost must be"):
        machine.refund(-1, 0.0)


@pytest.mark.parametrize("cell", [math.nan, math.inf])
@pytest.mark.parametrize("verb", ["take", "reserve", "charge", "refund"])
def test_a_cell_that_holds_no_time_is_an_empty_bucket_that_fills_again(cell, verb):
    machine = shared_gcra(4, 2.0)
    machine._file.floats[machine._at] = cell
    assert abs(machine.level_at(10.0)) < 0.01
    assert machine.tokens_at(10.0) < 0.01
    assert 10.4 < machine.earliest(10.0) < 10.6
    assert 11.9 < machine.due(10.0, 4) < 12.1
    if verb == "reserve":
        assert machine.reserve(10.0, 1, 10.1) == math.inf
    else:
        assert not step(machine, verb, 10.0, 1)[0]
    left = {"charge": 0.0, "refund": 2.0}.get(verb, 1.0)
    assert machine.level_at(10.5) == pytest.approx(left, abs=0.01)
    assert machine.level_at(13.0) == 4
