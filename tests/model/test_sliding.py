"""The model of the sliding window, against numbers worked out by hand."""

from fractions import Fraction as F

from model.sliding import ModelSliding


def test_by_hand():
    model = ModelSliding(limit=4, window=10)
    assert [model.try_acquire(F(9)) for _ in range(5)] == [True] * 4 + [False]
    assert model.used(F(10)) == 4
    assert model.used(F(15)) == 2
    assert model.earliest(F(9)) == F("12.5")
    assert not model.try_acquire(F("12.499"))
    assert model.try_acquire(F("12.5"))
    assert model.earliest(F("12.5"), 4) == 30
    assert model.earliest(F("12.5"), 5) is None
    assert model.used(F(15)) == 3
    assert model.used(F(30)) == 0
