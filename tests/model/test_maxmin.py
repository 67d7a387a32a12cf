from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.maxmin import max_min

AMOUNT = st.fractions(0, 50, max_denominator=6)
WEIGHT = st.fractions(Fraction(1, 4), 9, max_denominator=4)


@pytest.mark.parametrize(
    ("capacity", "demands", "weights", "shares"),
    [
        (10, [2, 3, 4], None, [2, 3, 4]),  # enough for all
        (10, [8, 8], None, [5, 5]),
        (10, [2, 8, 8], None, [2, 4, 4]),  # what one leaves the others share
        (10, [1, 4, 9, 9], None, [1, 3, 3, 3]),
        (10, [20, 20], [4, 1], [8, 2]),
        (10, [4, 20, 20], [4, 1, 1], [4, 3, 3]),
        (0, [1, 2], None, [0, 0]),
        (5, [0, 7], None, [0, 5]),
        (5, [], None, []),
    ],
)
def test_it_divides_as_by_hand(capacity, demands, weights, shares):
    assert max_min(capacity, demands, weights) == shares


@given(AMOUNT, st.lists(st.tuples(AMOUNT, WEIGHT), min_size=1, max_size=6))
def test_nobody_gets_more_than_he_asks_for_and_nothing_wanted_is_left(capacity, parties):
    demands, weights = zip(*parties, strict=True)
    shares = max_min(capacity, demands, weights)
    assert all(0 <= share <= demand for share, demand in zip(shares, demands, strict=True))
    assert sum(shares) == min(capacity, sum(demands))


@given(AMOUNT, st.lists(st.tuples(AMOUNT, WEIGHT), min_size=2, max_size=6))
def test_whoever_goes_short_has_no_less_by_weight_than_anybody(capacity, parties):
    demands, weights = zip(*parties, strict=True)
    shares = max_min(capacity, demands, weights)
    levels = [share / weight for share, weight in zip(shares, weights, strict=True)]
    for share, demand, level in zip(shares, demands, levels, strict=True):
        assert share == demand or level == max(levels)
