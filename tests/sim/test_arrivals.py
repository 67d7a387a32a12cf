"""Arrivals against closed forms, and against a slow model that adds up the rate in small steps."""

from itertools import islice
from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.sim.arrivals import arrivals, expected
from trafficcore.sim.spec import Load, Segment


def times(*segments, end=inf, poisson=False, seed=1, most=100_000, **more):
    load = Load(
        name="x", host="x", segments=tuple(Segment(*s) for s in segments), poisson=poisson, **more
    )
    return list(islice(arrivals(load, end, np.random.default_rng(seed)), most))


def steps(*rates_and_spans):
    at = 0.0
    for rate, span in rates_and_spans:
        yield at, at + span, rate, rate
        at += span


def area(segments, t):
    """Λ(t), by the book."""
    total = 0.0
    for start, end, rate, last in segments:
        span = min(t, end) - start
        if span > 0:
            slope = 0 if rate == last else (last - rate) / (end - start)
            total += rate * span + slope * span * span / 2
    return total


def test_a_constant_rate_is_even_from_0():
    assert times((0, inf, 4, 4), end=2) == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]


def test_the_count_of_a_constant_rate_is_rate_times_time():
    for rate, end in ((10, 30), (3, 30), (0.1, 30), (7, 1000), (1 / 15, 240)):
        assert len(times((0, inf, rate, rate), end=end)) == round(rate * end)


def test_a_ramp_is_the_root_of_its_parabola():
    found = times((0, 10, 0, 10), (10, inf, 10, 10), end=12)
    assert found[:51] == pytest.approx([sqrt(2 * k) for k in range(51)])
    assert found[50:] == pytest.approx([10 + k / 10 for k in range(20)])


@pytest.mark.parametrize("last", [(), ((10, inf, 0, 0),)], ids=["ends", "stays at 0"])
def test_a_ramp_down_to_nothing_has_all_its_calls(last):
    found = times((0, 10, 10, 0), *last, end=100)
    assert found == pytest.approx([10 - sqrt(100 - 2 * k) for k in range(50)])


def test_a_rate_of_0_has_no_calls():
    assert times((0, inf, 0, 0), end=60) == []
    assert times((0, 5, 0, 0), end=60) == []
    assert times((0, inf, 0, 0), end=60, poisson=True) == []


def test_steps_have_their_counts_and_nothing_comes_where_the_rate_is_0():
    found = times(*steps((10, 1), (0, 1), (10, 1)))
    assert found == pytest.approx([k / 10 for k in range(10)] + [2 + k / 10 for k in range(10)])
    assert times(*steps((0, 3), (2, 1))) == pytest.approx([3, 3.5])


def test_the_end_of_the_last_step_is_no_call_however_its_product_is_rounded():
    for rate, span in ((1.1, 50), (1.1, 170), (2.2, 25), (0.14, 50), (0.1, 30), (3, 7)):
        assert len(times(*steps((rate, span)))) == round(rate * span), (rate, span)


def test_blocks_are_sewn_together_without_a_seam():
    found = times((0, inf, 1000, 1000), end=20)
    assert len(found) == 20_000
    assert np.diff(found) == pytest.approx(0.001)


@pytest.mark.parametrize("poisson", [False, True], ids=["even", "poisson"])
def test_start_calls_and_end_hold_for_every_kind(poisson):
    plain = times((0, inf, 5, 5), end=4, poisson=poisson)
    shifted = times((0, inf, 5, 5), end=14, start=10, poisson=poisson)
    assert shifted == pytest.approx([10 + at for at in plain])
    assert times((0, inf, 5, 5), end=4, calls=3, poisson=poisson) == plain[:3]


def test_bursts_come_together():
    load = Load(name="x", host="x", bursts=(3, 2.0), start=1)
    assert list(arrivals(load, 5, np.random.default_rng())) == [1, 1, 1, 3, 3, 3]
    load = Load(name="x", host="x", bursts=(3, 2.0), calls=4)
    assert list(arrivals(load, 9, np.random.default_rng())) == [0, 0, 0, 2]


def test_a_poisson_process_has_exponential_gaps_and_a_variance_like_its_mean():
    gaps = np.diff(times((0, inf, 50, 50), end=1000, poisson=True))
    n = len(gaps)
    assert abs(n - 50_000) < 5 * sqrt(50_000)
    assert gaps.mean() == pytest.approx(1 / 50, abs=5 / 50 / sqrt(n))
    assert gaps.std() == pytest.approx(1 / 50, abs=5 * sqrt(2) / 50 / sqrt(n))
    beyond = (gaps > 2 / 50).mean()
    assert beyond == pytest.approx(np.exp(-2), abs=5 * sqrt(0.12 / n))


def test_a_poisson_process_follows_its_rate():
    """Counts in each part of a ramp and a step, five standard deviations at most off their mean."""
    segments = [(0, 50, 0, 100), (50, 80, 20, 20), (80, 100, 200, 0)]
    found = np.array(times(*segments, poisson=True))
    edges = np.arange(0, 101, 10)
    counts, _ = np.histogram(found, edges)
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        mean = area(segments, high) - area(segments, low)
        assert abs(count - mean) < 5 * sqrt(mean)


def test_two_seeds_differ_and_one_repeats():
    first, again, other = (times((0, 9, 9, 9), poisson=True, seed=s) for s in (1, 1, 2))
    assert first == again != other


SEGMENTS = st.lists(
    st.tuples(st.floats(0.1, 20), st.floats(0, 40), st.floats(0, 40)), min_size=1, max_size=4
)


@given(SEGMENTS)
def test_the_kth_even_call_comes_where_the_integral_is_k(parts):
    at, segments = 0.0, []
    for span, rate, last in parts:
        segments.append((at, at + span, rate, last))
        at += span
    found = times(*segments)
    total = area(segments, at)
    assert total == pytest.approx(expected([Segment(*s) for s in segments]))
    assert abs(len(found) - total) <= 1 + 1e-6
    assert found == sorted(found)
    for k, time in enumerate(found):
        assert area(segments, time) == pytest.approx(k, abs=1e-6 * (1 + total))


@given(SEGMENTS)
def test_even_calls_are_those_of_a_slow_model(parts):
    """The model adds the rate up in steps of a hundredth and calls at each whole number."""
    at, segments = 0.0, []
    for span, rate, last in parts:
        segments.append((at, at + span, rate, last))
        at += span
    found = times(*segments)
    grid = np.linspace(0, at, 500)
    for time in grid:
        ahead = sum(t < time for t in found)
        assert area(segments, time) - 1e-6 <= ahead <= area(segments, time) + 1 + 1e-6
