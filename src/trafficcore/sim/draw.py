"""Draws from distributions, made by numpy in blocks: a draw on the path costs a list's iterator."""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, Final

import numpy as np

from trafficcore.sim.spec import Distribution

__all__ = ["draws", "uniforms"]

_BLOCK: Final = 4096
#: The 99th percentile of a standard normal distribution.
_Z99: Final = 2.3263478740408408


def _blocks(make: Callable[[], Any]) -> Iterator[float]:
    while True:
        yield from make().tolist()


def draws(of: Distribution, rng: np.random.Generator) -> Iterator[float]:
    """Return endless draws, in seconds; never negative."""
    a, b = float(of.a), float(of.b)
    if of.kind == "constant":
        return repeat(a)
    if of.kind == "uniform":
        return _blocks(lambda: rng.uniform(a, b, _BLOCK))
    if of.kind == "exponential":
        return _blocks(lambda: rng.exponential(a, _BLOCK))
    # log-normal, given by its median and its 99th percentile
    sigma = float(np.log(b / a)) / _Z99
    return _blocks(lambda: a * np.exp(sigma * rng.standard_normal(_BLOCK)))


def uniforms(rng: np.random.Generator) -> Iterator[float]:
    """Return endless draws from 0 up to 1."""
    return _blocks(lambda: rng.random(_BLOCK))
