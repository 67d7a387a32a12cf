"""Counts and series."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficcore.sim.stats import ClassStats, Series, bin_width, code_name


@pytest.mark.parametrize(
    ("duration", "width"), [(60, 0.5), (120, 1), (300, 2.5), (90, 1), (10, 0.1), (3600, 50)]
)
def test_bins_have_round_widths(duration, width):
    assert bin_width(duration) == pytest.approx(width)
    assert bin_width(duration, 60) == pytest.approx(width)


@given(st.floats(1e-9, 1e9), st.floats(0, 1e9))
def test_there_are_never_many_bins(duration, drain):
    width = bin_width(duration, drain)
    assert (duration + drain) / width <= 120 * 120 * (1 + 1e-6)
    assert duration / width <= 120 * (1 + 1e-6)
    assert drain > duration or duration / width >= 40


def test_a_series_adds_up_by_bins():
    series = Series(0.5)
    for now in (0, 0.4, 0.5, 2.6, 0.1):
        series.add(now)
    assert series.bins == [3, 1, 0, 0, 0, 1]
    series.add(3.9, 2.5)
    assert series.bins == [3, 1, 0, 0, 0, 1, 0, 2.5]


def test_a_class_counts_codes_and_times():
    stats = ClassStats(1.0)
    for now, code, took in ((0.5, 200, 0.1), (1.5, 200, 0.3), (2.5, 0, 0.2)):
        stats.sent += 1
        stats.answered(now, code, took)
    shown = stats.snapshot()
    assert shown["codes"] == {"timeout": 1, "200": 2}
    assert (shown["sent"], shown["answered"], stats.last) == (3, 3, 2.5)
    assert shown["latency"]["mean"] == pytest.approx(0.2)
    assert shown["latency"]["max"] == 0.3
    assert stats.over_time[200].bins == [1, 1]
    assert stats.over_time[0].bins == [0, 0, 1]
    assert stats.took_over_time.bins == pytest.approx([0.1, 0.3, 0.2])


def test_a_class_keeps_no_more_than_a_block_of_latencies():
    stats = ClassStats(1.0)
    for _ in range(10_000):
        stats.answered(0.5, 200, 0.1)
        assert not stats.took.full
    assert stats.took.count == 10_000


def test_codes_are_named_as_people_read_them():
    assert [code_name(code) for code in (0, 200, 503)] == ["timeout", "200", "503"]
