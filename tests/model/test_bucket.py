"""The model itself, against numbers worked out by hand and against a bucket fed drop by drop."""

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.bucket import ModelBucket


def test_by_hand():
    model = ModelBucket(capacity=3, rate=F(1, 2))
    assert [model.try_acquire(F(0)) for _ in range(4)] == [True, True, True, False]
    assert model.tokens_at(F(1)) == F(1, 2)
    assert not model.try_acquire(F(1))
    assert model.earliest(F(1)) == 2
    assert model.try_acquire(F(2))
    assert model.tokens_at(F(2)) == 0
    assert model.earliest(F(2), 3) == 8
    assert model.tokens_at(F(1000)) == 3
    assert model.earliest(F(1000), 3) == 1000
    assert model.earliest(F(1000), F(31, 10)) is None


def test_refund_take_up_to_and_reset_by_hand():
    model = ModelBucket(capacity=5, rate=1)
    assert model.take_up_to(F(0), 9) == 5
    model.refund(2, F(0))
    assert model.tokens_at(F(0)) == 2
    model.refund(20, F(0))
    assert model.tokens_at(F(0)) == 5
    model.reset(1, F(0))
    assert model.tokens_at(F(1, 2)) == F(3, 2)
    assert model.take_up_to(F(1, 2), 9) == 1
    assert model.tokens_at(F(1, 2)) == F(1, 2)


def test_debts_reservations_and_new_settings_by_hand():
    model = ModelBucket(capacity=4, rate=1)
    assert model.reserve(F(0), 4) == 0
    assert model.reserve(F(0), 3) == 3
    assert model.reserve(F(0), 5) is None
    assert model.due(F(0), 5) == 8
    model.charge(9, F(1))
    assert model.tokens_at(F(1)) == -11
    model.update(F(1), 8, 2)
    assert model.tokens_at(F(1)) == -11
    assert model.tokens_at(F(9)) == 5
    model.update(F(9), 16, 0)
    assert model.tokens_at(F(99)) == 10
    assert model.reserve(F(99), 11) is None
    assert model.due(F(99), 10) == 99


def test_a_bucket_that_never_fills():
    model = ModelBucket(capacity=1, rate=0)
    assert model.earliest(F(7)) == 7
    assert model.try_acquire(F(7))
    assert model.earliest(F(8)) is None
    assert not model.try_acquire(F(10**9))


def test_a_clock_that_falls_is_no_input_for_the_model():
    model = ModelBucket(capacity=2, rate=1)
    model.try_acquire(F(5))
    with pytest.raises(AssertionError):
        model.tokens_at(F(4))


@given(
    capacity=st.integers(0, 4),
    rate=st.integers(0, 3),
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), max_size=12),
)
def test_equals_a_bucket_fed_drop_by_drop(capacity, rate, steps):
    """Time in tenths; the other bucket gains rate/10 in each, and spills over its rim."""
    model = ModelBucket(capacity, rate)
    drops, level, now = F(rate, 10), F(capacity), 0
    for wait, cost in steps:
        for _ in range(wait):
            level = min(F(capacity), level + drops)
        now += wait
        granted = level >= cost
        level -= cost if granted else 0
        assert model.try_acquire(F(now, 10), cost) is granted
        assert model.tokens_at(F(now, 10)) == level
