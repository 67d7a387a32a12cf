"""When the calls of an open loop come.

Law    With Λ(t) the integral of the rate, evenly spaced calls come where Λ is 0, 1, 2, …; those
       of a Poisson process where it is a sum of exponential gaps of mean 1 (inversion, exact for
       any rate). A rate goes in straight lines, so Λ is a parabola on each segment. Where the
       rate is 0 nobody comes: a call that is due as it falls to 0 comes when it rises again.
Cost   numpy in blocks, memory of one block.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from trafficcore.sim.spec import Load, Segment

__all__ = ["arrivals", "expected"]

_BLOCK: Final = 4096
#: What is no more than rounding before the end of the last segment is its end, where none comes.
_SLACK: Final = 1e-12


def arrivals(load: Load, end: float, rng: np.random.Generator) -> Iterator[float]:
    """Yield the times of an open load's calls, in order, all before `end`."""
    times = _bursts(*load.bursts) if load.bursts else _along(load.segments, load.poisson, rng)
    start = load.start
    for count, time in enumerate(times):
        at = start + time
        if at >= end or (load.calls and count >= load.calls):
            return
        yield at


def expected(segments: Sequence[Segment]) -> float:
    """Return how many calls all segments come to."""
    return sum((s.end - s.start) * (s.rate + s.last) / 2 for s in segments)


def _bursts(size: int, every: float) -> Iterator[float]:
    number = 0
    while True:
        for _ in range(size):
            yield number * every
        number += 1


def _along(segments: Sequence[Segment], poisson: bool, rng: np.random.Generator) -> Iterator[float]:
    starts = np.array([s.start for s in segments], float)
    rates = np.array([s.rate for s in segments], float)
    # a segment without end is one of constant rate, and the last
    spans = np.array([s.end - s.start for s in segments], float)
    slopes = np.array(
        [0.0 if s.rate == s.last else (s.last - s.rate) / (s.end - s.start) for s in segments]
    )
    # what a segment comes to; one without end and without rate comes to nothing
    areas = np.where((rates == 0) & (slopes == 0), 0, spans) * rates
    areas += slopes * np.where(slopes, spans, 0) ** 2 / 2
    sums = np.concatenate(([0.0], np.cumsum(areas)))
    end = sums[-1] * (1 - _SLACK)
    done = 0.0
    while True:
        marks = done + _marks(poisson, rng)
        done = float(marks[-1]) if poisson else done + _BLOCK
        inside = marks[marks < end]
        at = np.searchsorted(sums, inside, side="right") - 1
        yield from (starts[at] + _time(inside - sums[at], rates[at], slopes[at])).tolist()
        if len(inside) < len(marks):
            return


def _marks(poisson: bool, rng: np.random.Generator) -> Any:
    if poisson:
        return np.cumsum(rng.exponential(1.0, _BLOCK))
    return np.arange(_BLOCK, dtype=float)


def _time(area: Any, rate: Any, slope: Any) -> Any:
    """Solve rate·t + slope·t²/2 = area for t, in the form that loses no digits near slope 0."""
    root = np.sqrt(np.maximum(rate * rate + 2 * slope * area, 0.0))
    return np.where(area > 0, 2 * area / np.where(rate + root > 0, rate + root, 1.0), 0.0)
