"""The histogram against sorted lists."""

from math import ceil
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.sim.histogram import Histogram

DURATIONS = st.lists(
    st.one_of(st.floats(1e-9, 1e5), st.sampled_from([0.0, 0.001, 0.02, 1.0, 1.5, 2.0])),
    min_size=1,
    max_size=300,
)


def filled(values, settle_each=None):
    made = Histogram()
    for count, value in enumerate(values, 1):
        made.add(value)
        if settle_each and count % settle_each == 0:
            made.settle()
    return made


def exact(values, share):
    """The least value that a share of all are at or below."""
    return sorted(values)[max(1, ceil(share * len(values) - 1e-9)) - 1]


@given(DURATIONS, st.sampled_from([0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1]))
def test_a_quantile_is_off_by_less_than_0_8_percent(values, share):
    found, true = filled(values).quantile(share), exact(values, share)
    assert abs(found - true) <= 0.008 * true + 1e-12


@given(DURATIONS, st.sampled_from([None, 1, 3]))
def test_counts_and_ends_are_exact_and_sums_to_rounding(values, settle_each):
    made = filled(values, settle_each)
    assert (made.count, made.least, made.most) == (len(values), min(values), max(values))
    assert made.sum == pytest.approx(sum(values))
    assert made.mean == pytest.approx(fmean(values))
    scale = max(values)
    assert made.deviation == pytest.approx(pstdev(values), rel=1e-6, abs=1e-9 * scale)


@given(DURATIONS)
def test_bars_hold_everything_once_in_order(values):
    bars = filled(values).bars()
    assert sum(count for _, _, count in bars) == len(values)
    assert bars[0][0] == min(values)
    assert bars[-1][1] == max(values)
    for (low, high, _), following in zip(bars, [*bars[1:], None], strict=True):
        assert low <= high
        assert following is None or high <= following[0]
    for low, high, count in bars:
        inside = sum(low <= value <= high for value in values)
        assert inside >= count


def test_a_small_spread_far_from_0_is_not_lost():
    values = [1000 + at * 1e-6 for at in range(1000)]
    assert filled(values, settle_each=7).deviation == pytest.approx(pstdev(values), rel=1e-3)


def test_an_empty_one_is_all_0():
    made = Histogram()
    assert (made.count, made.sum, made.least, made.most, made.mean) == (0, 0, 0, 0, 0)
    assert made.deviation == made.quantile(0.5) == 0
    assert made.bars() == []


def test_nothing_but_0_is_0():
    made = filled([0.0] * 10)
    assert (made.quantile(0.5), made.quantile(1), made.deviation) == (0, 0, 0)
    assert made.bars() == [(0, 0, 10)]


def test_what_is_beyond_the_buckets_is_still_between_its_ends():
    values = [1e-15, 2e-14, 1.0, 3e7, 9e9]
    made = filled(values)
    assert made.quantile(0) == 1e-15
    assert made.quantile(1) == 9e9
    assert 8e6 < made.quantile(0.8) <= 9e9
    assert sum(count for *_, count in made.bars()) == 5


def test_it_is_full_once_a_block_waits_and_not_before():
    made = Histogram()
    for _ in range(4095):
        made.add(1)
    assert not made.full
    made.add(1)
    assert made.full
    made.settle()
    assert not made.full
    assert made.count == 4096
