"""`TokenBucket`: the model to the letter on fractions, and within a thousandth on floats."""

from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.fair import ModelBucket
from support.exactness import assert_atomic
from trafficcore.core.fair import TokenBucket
from trafficcore.errors import ConfigError

AMOUNT = st.sampled_from([Fraction(1), Fraction(2), Fraction(5, 2), Fraction(10)])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "refund", "overdraw", "wait"]),
        st.sampled_from([Fraction(1, 3), Fraction(1), Fraction(4), Fraction(-2)]),
        st.sampled_from([Fraction(0), Fraction(1, 10), Fraction(1), Fraction(7, 3), Fraction(40)]),
    ),
    max_size=40,
)


@given(AMOUNT, AMOUNT, AMOUNT, st.booleans(), st.booleans(), STEPS)
def test_it_does_what_the_model_does(capacity, fill, interval, even, delay, steps):
    bucket = TokenBucket(capacity, fill, interval, even, delay)
    model = ModelBucket(capacity, fill, interval, even=even, delay=delay)
    now = Fraction(0)
    for what, amount, pause in steps:
        now += pause
        if what == "take" and amount > 0:
            there = model.level(now) >= amount
            assert bool(bucket.take(now, amount)) == there
            if there:
                model.take(now, amount)
        elif what == "refund":
            bucket.refund(now, amount)
            model.give(now, amount)
        elif what == "overdraw":
            full = model.level(now) == capacity
            assert bucket.overdraw(now, capacity + 3) == full
            if full:
                model.take(now, capacity + 3)
        assert bucket.level(now) == model.level(now)
        assert bucket.solvent(now) == (model.level(now) >= 0)
        for cost in (Fraction(0), Fraction(1), capacity):
            assert max(now, bucket.earliest(cost)) == max(now, model.when(cost))


@given(
    st.sampled_from([1, 3, 10, 1000]),
    st.sampled_from([1, 7, 10, 1e4, 1e7]),
    st.sampled_from([0, 1e3, 1e7]),
    st.lists(st.floats(0, 3), max_size=30),
)
def test_on_floats_what_is_due_is_there_when_it_is_due(capacity, rate, start, pauses):
    """No early instant, no busy loop: `earliest` is never refused, and never generous."""
    bucket = TokenBucket(capacity, rate, 1, start=start)
    now, taken = start, 0
    for pause in pauses:
        now += pause
        while bucket.take(now, 1):
            taken += 1
        now = max(now, bucket.earliest(1))
        assert bucket.take(now, 1)
        taken += 1
        assert taken <= capacity + (now - start) * rate * (1 + 1e-12) + 1e-2


@pytest.mark.parametrize("capacity", [1, 3, 7, 10, 100, 1000])
@pytest.mark.parametrize("rate", [1, 3, 7, 10, 1000])
def test_on_floats_a_full_burst_is_whole_after_any_pause(capacity, rate):
    bucket = TokenBucket(capacity, rate, 1)
    now = 12345.678
    for _ in range(20):
        assert sum(bucket.take(now, 1) for _ in range(capacity + 1)) == capacity
        now += capacity / rate


@given(st.lists(st.floats(0, 100), max_size=20), st.floats(0.001, 10))
def test_on_floats_lots_come_once_and_on_the_grid(instants, interval):
    bucket = TokenBucket(1000, 1, interval, continuous_fill=False, initial_tokens=0)
    for now in sorted(instants):
        level = bucket.level(now)
        assert level == min(1000, level)
        assert level * interval <= now
        assert level == 1000 or now < (level + 1) * interval
    due = bucket.earliest(1000) if bucket.tokens < 1000 else 0
    assert bucket.level(due) == 1000


def test_a_step_back_of_the_clock_earns_nothing():
    bucket = TokenBucket(2, 1)
    assert bucket.take(10, 2)
    assert not bucket.take(5, 1)
    assert not bucket.take(10.5, 1)
    assert bucket.take(11, 1)


def test_it_may_start_empty_and_late():
    bucket = TokenBucket(5, 1, initial_tokens=0, start=100)
    assert not bucket.take(100.5, 1)
    assert bucket.take(101, 1)


def test_without_a_fill_nothing_comes():
    bucket = TokenBucket(2, 0)
    assert bucket.dry
    assert bucket.take(0, 2)
    assert bucket.earliest(1) == inf
    assert bucket.supplied(0, 1) is None
    assert not bucket.overdraw(0, 3)


def test_what_is_supplied_may_exceed_the_capacity():
    bucket = TokenBucket(2, Fraction(1), Fraction(2))
    assert bucket.supplied(3, 2) == 3
    assert bucket.supplied(0, 5) == 6
    lots = TokenBucket(2, Fraction(1), Fraction(2), continuous_fill=False)
    assert lots.supplied(0, Fraction(9, 2)) == 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"capacity": -1}, "capacity .* not -1"),
        ({"capacity": nan}, "capacity .* not nan"),
        ({"fill_amount": inf}, "fill_amount .* not inf"),
        ({"interval": 0}, "interval .* not 0"),
        ({"initial_tokens": 11}, "initial_tokens .* not 11"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        TokenBucket(**{"capacity": 10, "fill_amount": 1, **settings})


@pytest.mark.parametrize("method", [TokenBucket.take, TokenBucket.refund])
def test_the_even_law_is_one_run(method):
    constants = {"_even", "_fill", "_next", "_take_otherwise", "_turn"}
    constants |= {"capacity", "floor", "plain", "rate"}
    assert_atomic(method, {"tokens", "last"}, constants=constants)


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("left", [10, 5, 0, -3])
def test_other_settings_scale_the_level_as_of_the_next_look_and_keep_debts(even, left):
    bucket = TokenBucket(10, Fraction(1), Fraction(1), even, initial_tokens=left)
    bucket.change(40, Fraction(10), Fraction(1), even)
    assert bucket.earliest(40) == float("-inf")  # look, and it will tell
    before = min(10, left + 2)
    scaled = before * 4 if before > 0 else before
    assert bucket.level(2) == scaled
    assert bucket.level(3) == min(40, scaled + 10)
    assert bucket.plain is even


def test_takes_and_gives_are_by_the_new_settings_at_once():
    bucket = TokenBucket(10, Fraction(1), Fraction(1))
    assert bucket.take(0, 10)
    bucket.change(100, Fraction(50), Fraction(1))
    assert not bucket.take(0, 1)
    bucket.change(100, Fraction(60), Fraction(1))
    bucket.refund(0, 5)
    assert bucket.take(1, 65)
    bucket.change(0, 0)
    assert not bucket.overdraw(1, 1)
    assert bucket.dry
