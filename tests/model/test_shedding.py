"""The model of shedding, by hand."""

import pytest

from model.shedding import Shed
from trafficcore.core.load import LoadSettings


def test_ten_a_second_whose_latency_doubles_are_halved_by_what_is_allowed():
    model = Shed(LoadSettings(tolerance=1, long_window=60, long_step=30))
    model.at(0)
    model.began = 0
    for second in range(60):
        model.at(second)
        model.came.append((second, 10))
        model.passed.append((second, 10))
        model.latencies.append((second, 1 if second < 30 else 3))
    model.at(60)
    # the mean of the last 30 s is 3, that of the last 60 s is 2
    assert model.multiplier == pytest.approx(2 / 3)
    assert model.rate == pytest.approx(10 * 2 / 3)
    model.at(100)
    assert model.rate is None
