from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.balance import SlowStart
from trafficcore.errors import ConfigError


def test_the_weight_grows_in_a_straight_line_and_exactly():
    start = SlowStart(window=Fraction(60))
    assert start.weight(30, Fraction(12), Fraction(0)) == 6
    assert start.weight(30, Fraction(60), Fraction(0)) == 30
    assert start.weight(30, Fraction(0), Fraction(0)) == 3


def test_the_first_moment_is_a_millisecond():
    start = SlowStart(window=Fraction(1), minimum_percent=0)
    assert start.factor(Fraction(0)) == Fraction(1, 1000)
    assert start.factor(Fraction(-5)) == Fraction(1, 1000)
    assert start.factor(Fraction(1, 500)) == Fraction(1, 500)
    assert SlowStart(window=Fraction(1, 2000)).factor(Fraction(0)) == 1


def test_aggression_bends_the_line():
    assert SlowStart(window=10, aggression=2).factor(2.5) == pytest.approx(0.5)
    assert SlowStart(window=Fraction(10), aggression=Fraction(1, 2)).factor(
        Fraction(5)
    ) == Fraction(1, 4)
    for senseless in (0, -1, float("nan")):
        assert SlowStart(window=10, aggression=senseless).factor(5) == 0.5


def test_who_is_not_healthy_or_past_the_window_has_the_full_weight():
    start = SlowStart(window=10)
    assert start.weight(7, 100, None) == 7
    assert start.weight(7, 100, 90) == 7
    assert SlowStart(window=0).weight(7, 0, 0) == 7


@given(st.floats(0.1, 100), st.floats(0.2, 5), st.floats(0, 100), st.floats(0, 1), st.floats(0, 1))
def test_the_factor_never_falls_and_stays_between_minimum_and_one(window, bend, least, a, b):
    start = SlowStart(window=window, aggression=bend, minimum_percent=least)
    early, late = sorted((start.factor(a * window), start.factor(b * window)))
    assert (early, late) == (start.factor(min(a, b) * window), start.factor(max(a, b) * window))
    assert least / 100 <= early + 1e-12
    assert late <= 1


@pytest.mark.parametrize(
    "settings",
    [{"window": -1}, {"window": 1, "minimum_percent": 101}, {"window": 1, "minimum_percent": -1}],
)
def test_what_cannot_be_is_refused(settings):
    with pytest.raises(ConfigError):
        SlowStart(**settings)
