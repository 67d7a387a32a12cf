"""`Gradient`: how far a load is cut, and how it comes back."""

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.core.load import Gradient
from trafficcore.errors import ConfigError


def test_it_begins_by_letting_everything_pass_and_goes_on_so():
    gradient = Gradient()
    for _ in range(100):
        assert gradient.update(1, 1, 1) is None


def test_overload_cuts_by_the_ratio():
    assert Gradient().update(F(2), F(1), 1) == F(1, 2)
    assert Gradient().update(F(2), F(1), F(1, 2)) == F(1, 4)
    assert Gradient(slope=-2).update(F(2), F(1), 1) == F(1, 4)


def test_the_cut_is_held_between_its_bounds():
    assert Gradient().update(F(1000), F(1), 1) == 0.1
    assert Gradient(most=F(1, 2)).update(F(11, 10), F(1), 1) == F(1, 2)


def test_it_comes_back_by_growing_increments_and_opens_at_the_most():
    gradient = Gradient(increment=F(1, 4), open_at=2)
    assert gradient.update(F(2), F(1), 1) == F(1, 2)
    found = [gradient.update(F(1), F(1), F(1, 2)) for _ in range(7)]
    assert found == [F(1, 2) + F(n, 4) for n in range(1, 6)] + [None, None]


def test_another_overload_begins_the_increments_anew():
    gradient = Gradient(increment=F(1, 4))
    gradient.update(F(2), F(1), 1)
    gradient.update(F(1), F(1), F(1, 2))
    gradient.update(F(2), F(1), 1)
    assert gradient.update(F(1), F(1), F(1, 2)) == F(3, 4)


@pytest.mark.parametrize(("signal", "setpoint"), [(None, 1), (1, None), (1, 0), (None, None)])
def test_without_a_signal_everything_passes(signal, setpoint):
    gradient = Gradient()
    gradient.update(F(2), F(1), 1)
    assert gradient.update(signal, setpoint, 0) is None
    assert gradient.added == 0


@given(st.lists(st.tuples(st.fractions(0, 9), st.fractions(0, 9), st.fractions(0, 1)), max_size=20))
def test_it_never_lets_less_than_nothing_pass_nor_more_than_the_most(steps):
    gradient = Gradient(least=F(1, 10), increment=F(1, 40))
    for signal, setpoint, observed in steps:
        found = gradient.update(signal, setpoint, observed)
        assert found is None or 0 <= found < 2
        if setpoint and signal > setpoint:
            assert found <= observed


@pytest.mark.parametrize("given_", [{"least": -1}, {"least": 2}, {"increment": -1}])
def test_bounds(given_):
    with pytest.raises(ConfigError, match="not"):
        Gradient(**given_)
