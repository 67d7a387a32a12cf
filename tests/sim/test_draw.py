"""Draws: means, quantiles, and never below 0."""

from itertools import islice
from math import exp, log, sqrt

import numpy as np
import pytest

from trafficcore.sim.draw import draws, uniforms
from trafficcore.sim.spec import Distribution

N = 200_000


def sample(kind, a, b=0.0, seed=1, n=N):
    made = draws(Distribution(kind, a, b), np.random.default_rng(seed))
    return np.array(list(islice(made, n)))


def test_a_constant_is_constant():
    assert set(sample("constant", 0.25, n=1000)) == {0.25}


def test_a_uniform_one_is_flat_between_its_ends():
    found = sample("uniform", 0.1, 0.3)
    assert 0.1 <= found.min() < 0.1001 < 0.2999 < found.max() <= 0.3
    assert found.mean() == pytest.approx(0.2, abs=5 * 0.2 / sqrt(12 * N))
    assert (found < 0.15).mean() == pytest.approx(0.25, abs=0.005)


def test_an_exponential_one_has_its_mean_and_its_tail():
    found = sample("exponential", 0.02)
    assert found.min() >= 0
    assert found.mean() == pytest.approx(0.02, abs=5 * 0.02 / sqrt(N))
    assert (found > 0.06).mean() == pytest.approx(exp(-3), abs=0.003)


def test_a_lognormal_one_has_its_median_and_its_99th_percentile():
    found = sample("lognormal", 0.02, 0.3)
    assert found.min() > 0
    assert np.quantile(found, 0.5) == pytest.approx(0.02, rel=0.02)
    assert np.quantile(found, 0.99) == pytest.approx(0.3, rel=0.06)
    assert np.log(found).mean() == pytest.approx(log(0.02), abs=0.02)


def test_a_lognormal_one_of_two_equal_quantiles_is_constant():
    assert sample("lognormal", 0.02, 0.02, n=100) == pytest.approx(0.02)


@pytest.mark.parametrize("kind", ["uniform", "exponential", "lognormal"])
def test_how_blocks_are_cut_changes_no_draw(kind):
    rng = np.random.default_rng(1)
    whole = {
        "uniform": lambda: rng.uniform(1, 2, 10_000),
        "exponential": lambda: rng.exponential(1, 10_000),
        "lognormal": lambda: np.exp(log(2) / 2.3263478740408408 * rng.standard_normal(10_000)),
    }[kind]()
    assert sample(kind, 1.0, 2.0, n=10_000) == pytest.approx(whole, rel=1e-12)


def test_one_draw_of_ten_thousand_servers_makes_few():
    """A block is as large as what was drawn before, so who is called once holds little."""

    class Counting:
        made = 0

        def random(self, size):
            self.made += size
            return np.zeros(size)

    rng = Counting()
    made = uniforms(rng)
    next(made)
    assert rng.made <= 64
    list(islice(made, 20))
    assert rng.made <= 100
    list(islice(made, 100_000))
    assert rng.made <= 110_000


def test_uniforms_are_from_0_to_1():
    found = list(islice(uniforms(np.random.default_rng(1)), 10_000))
    assert 0 <= min(found) < 0.01 < 0.99 < max(found) < 1
