"""Draws from distributions, made by numpy in blocks: a draw on the path costs a list's iterator.

Blocks begin small and grow: ten thousand servers that are called now and then hold little. How
they are cut changes no draw.
"""

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, Final

import numpy as np

from trafficcore.sim.spec import Distribution

__all__ = ["draws", "uniforms"]

_FIRST: Final = 16
_BLOCK: Final = 4096
#: The 99th percentile of a standard normal distribution.
_Z99: Final = 2.3263478740408408


def _blocks(make: Callable[[int], Any]) -> Iterator[float]:
    size = _FIRST
    while True:
        yield from make(size).tolist()
        size = min(4 * size, _BLOCK)


def draws(of: Distribution, rng: np.random.Generator) -> Iterator[float]:
    """Return endless draws, in seconds; never negative."""
    a, b = float(of.a), float(of.b)
    if of.kind == "constant":
        return repeat(a)
    if of.kind == "uniform":
        return _blocks(lambda size: rng.uniform(a, b, size))
    if of.kind == "exponential":
        return _blocks(lambda size: rng.exponential(a, size))
    # log-normal, given by its median and its 99th percentile
    sigma = float(np.log(b / a)) / _Z99
    return _blocks(lambda size: a * np.exp(sigma * rng.standard_normal(size)))


def uniforms(rng: np.random.Generator) -> Iterator[float]:
    """Return endless draws from 0 up to 1."""
    return _blocks(rng.random)
