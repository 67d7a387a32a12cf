"""The periodic detectors: exact on fractions, the same with numpy and without, in any order."""

import math
from fractions import Fraction

import attrs
import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from trafficcore.core.outlier import Settings, detect
from trafficcore.core.outlier.detect import _by_numpy, periodic, threshold

LOW = Settings(success_rate_request_volume=10, failure_percentage_request_volume=5)
calls = st.tuples(st.integers(0, 300), st.integers(0, 300)).filter(any)


def counts(samples):
    return [good for good, _ in samples], [good + bad for good, bad in samples]


def test_the_example_of_the_source():
    assert threshold([Fraction(50)] + [Fraction(100)] * 4, 1900) == (90, 52)
    assert threshold([50.0] + [100.0] * 4, 1900) == (90, 52)


def test_fractions_stay_fractions_where_the_root_is_one():
    mean, edge = threshold([Fraction(1, 3), Fraction(2, 3)], 1000)
    assert (mean, edge) == (Fraction(1, 2), Fraction(1, 3))
    mean, edge = threshold([Fraction(0), Fraction(0), Fraction(3)], 1000)
    assert mean == 1
    assert edge == pytest.approx(1 - math.sqrt(2))


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(2, 50), st.integers(0, 3000))
def test_who_all_do_equally_well_are_no_outliers(good, bad, hosts, factor):
    settings = attrs.evolve(LOW, success_rate_stdev_factor=factor, success_rate_request_volume=0)
    found = periodic([good] * hosts, [good + bad] * hosts, settings)
    assert found.below == []
    if hosts >= 5:
        assert found.average == found.threshold == found.rates[0]


@hypothesis_settings(deadline=None)
@given(st.lists(calls, min_size=1, max_size=60), st.sampled_from([0, 700, 1100, 1900]))
def test_numpy_agrees_to_the_last_bit(samples, factor):
    settings = attrs.evolve(LOW, success_rate_stdev_factor=factor)
    goods, totals = counts(samples)
    assert _by_numpy(goods, totals, settings) == periodic(goods, totals, settings)


@given(st.lists(calls, min_size=5, max_size=20), st.randoms())
def test_the_order_of_the_endpoints_changes_nothing(samples, random):
    goods, totals = counts(samples)
    first = periodic(goods, totals, LOW)
    order = list(range(len(samples)))
    random.shuffle(order)
    again = periodic([goods[i] for i in order], [totals[i] for i in order], LOW)
    assert (again.average, again.threshold) == (first.average, first.threshold)
    assert sorted(order[i] for i in again.below) == first.below
    assert sorted(order[i] for i in again.failing) == first.failing


@given(st.lists(calls, min_size=5, max_size=20), st.sampled_from([700, 1100, 1900]))
def test_floats_find_what_fractions_find(samples, factor):
    settings = attrs.evolve(LOW, success_rate_stdev_factor=factor)
    goods, totals = counts(samples)
    found = periodic(goods, totals, settings)
    exact = periodic([Fraction(good) for good in goods], totals, settings)
    assert all(isinstance(rate, Fraction) for rate in exact.rates)
    assert found.failing == exact.failing
    assert found.average == pytest.approx(float(exact.average))
    # the two may differ on a rate that is at the threshold but for rounding
    for i in set(found.below) ^ set(exact.below):
        assert exact.rates[i] == pytest.approx(float(exact.threshold), abs=1e-9)


def test_a_failure_percentage_is_met_at_the_threshold():
    settings = attrs.evolve(LOW, failure_percentage_threshold=50)
    totals = [10, 10, 10, 10, 10, 4]
    found = periodic([5, 6, 4, 10, 10, 0], totals, settings)
    assert found.failing == [0, 2]  # the last has too few requests


def test_too_few_with_enough_requests_are_not_compared():
    found = periodic([9] * 4, [10] * 4, LOW)
    assert (found.average, found.threshold, found.failing) == (-1, -1, [])
    found = periodic([9] * 5, [9] * 5, LOW)
    assert (found.average, found.threshold) == (-1, -1)
    one = attrs.evolve(LOW, success_rate_minimum_hosts=0, failure_percentage_minimum_hosts=0)
    assert periodic([], [], one).below == []
    assert periodic([1], [10], one).average == 10


def test_thousands_go_through_numpy_and_fractions_never_do(monkeypatch):
    used = []

    def by_numpy(*arguments):
        used.append(arguments)
        return _by_numpy(*arguments)

    monkeypatch.setattr(detect, "_by_numpy", by_numpy)
    many = detect.MANY
    goods = [90 + i % 10 for i in range(many)]
    periodic(goods[1:], [100] * (many - 1), LOW)
    assert not used
    found = periodic(goods, [100] * many, LOW)
    assert len(used) == 1
    exact = periodic([Fraction(good) for good in goods], [Fraction(100)] * many, LOW)
    assert len(used) == 1
    assert found.average == exact.average == Fraction(sum(goods), many)
