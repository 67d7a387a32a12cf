"""SlidingWindow counts as the model does, and says when there is room."""

import math
from fractions import Fraction as F

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model.sliding import ModelSliding
from trafficcore.core.limit import SlidingWindow
from trafficcore.errors import ConfigError

STEPS = st.lists(
    st.tuples(
        st.fractions(0, 2, max_denominator=6) | st.integers(3, 9),
        st.fractions(F(1, 2), 5, max_denominator=2),
    ),
    max_size=25,
)


@given(limit=st.integers(1, 6), window=st.fractions(F(1, 2), 3, max_denominator=3), steps=STEPS)
def test_as_the_model(limit, window, steps):
    real, model, now = SlidingWindow(limit, window), ModelSliding(limit, window), F(-2)
    for wait, cost in steps:
        now += wait
        assert real.tokens_at(now) == limit - model.used(now)
        due = model.earliest(now, cost)
        assert real.earliest(now, cost) == (math.inf if due is None else due)
        assert real.try_acquire(now, cost) is model.try_acquire(now, cost)


@given(limit=st.integers(1, 6), window=st.fractions(F(1, 2), 3, max_denominator=3), steps=STEPS)
def test_a_window_grants_its_limit_and_any_stretch_less_than_twice(limit, window, steps):
    real, now, grants = SlidingWindow(limit, window), F(0), []
    for wait, cost in steps:
        now += wait
        if real.try_acquire(now, cost):
            grants.append((now, cost))
    for start, _ in grants:
        stretch = sum(cost for at, cost in grants if start <= at < start + window)
        assert stretch < 2 * limit
        index = start // window
        assert sum(cost for at, cost in grants if at // window == index) <= limit


@given(
    limit=st.integers(1, 1000),
    window=st.floats(0.1, 1e5),
    now=st.floats(0, 1e6),
    steps=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 1000)), max_size=12),
    cost=st.integers(1, 1000),
)
def test_the_earliest_time_is_granted_on_floats_and_refused_before(limit, window, now, steps, cost):
    assume(cost <= limit)
    machine = SlidingWindow(limit, window)
    for wait, amount in steps:
        now += wait * window
        machine.try_acquire(now, min(amount, limit))
    due = machine.earliest(now, cost)
    before = due - 1e-6 * window
    if due > now and before < due:
        assert not machine.try_acquire(max(now, before), cost)
    assert machine.try_acquire(due, cost)


def test_what_is_given_back_can_be_had_again():
    machine = SlidingWindow(4, F(10))
    assert machine.try_acquire(F(9), 4)
    machine.refund(1, F(9))
    assert machine.try_acquire(F(9))
    assert not machine.try_acquire(F(10))
    machine.refund(2, F(10))
    assert machine.tokens_at(F(10)) == 2
    machine.refund(50, F(10))
    assert machine.tokens_at(F(10)) == 4
    machine.try_acquire(F(11), 3)
    machine.refund(1, F(25))  # of the window before
    assert machine.tokens_at(F(25)) == 3
    with pytest.raises(ConfigError, match="cost must be"):
        machine.refund(0, F(25))


def test_a_clock_that_steps_back_never_earns():
    machine = SlidingWindow(2, F(10))
    assert machine.try_acquire(F(15), 2)
    assert not machine.try_acquire(F(3))
    assert not machine.try_acquire(F(-99))
    assert machine.tokens_at(F(3)) == 0
    machine.refund(1, F(3))
    assert machine.tokens_at(F(15)) == 1
    assert not machine.try_acquire(F(20), 2)


def test_a_year_later_there_is_room():
    machine = SlidingWindow(2, 60.0)
    assert machine.try_acquire(5.0, 2)
    assert machine.earliest(5.0) == 90.0
    assert machine.try_acquire(5.0 + 365 * 86400, 2)
    assert not machine.try_acquire(5.0 + 365 * 86400)


@pytest.mark.parametrize("cost", [0, -1, math.nan, math.inf])
def test_a_cost_that_is_no_amount_is_an_error(cost):
    machine = SlidingWindow(2, 1.0)
    for ask in (machine.try_acquire, machine.earliest):
        with pytest.raises(ConfigError, match="cost must be"):
            ask(0.0, cost)
    assert not machine.try_acquire(0.0, 3)
    assert machine.earliest(0.0, 3) == math.inf


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, None])
def test_settings_that_cannot_work_are_refused_with_their_value(value):
    with pytest.raises(ConfigError, match=f"limit must be .* not {value!r}"):
        SlidingWindow(value, 1)
    with pytest.raises(ConfigError, match=f"window must be .* not {value!r}"):
        SlidingWindow(1, value)
    with pytest.raises(ConfigError, match="window must be above 0"):
        SlidingWindow(1, 0)


def test_the_snapshot_is_plain_data():
    machine = SlidingWindow(4, 10)
    machine.try_acquire(5, 1)
    assert machine.snapshot(5) == {"tokens": 3, "limit": 4, "window": 10}
