"""The periodic detectors: one endpoint against the others, and against a fixed share.

Law     rate = 100 * successes / requests, of the endpoints with enough requests.
        Success rate: outlier where rate < mean - factor / 1000 * stdev (of the population).
        Failure percentage: outlier where 100 - rate >= threshold.
State   None: pure functions of the counts of one settled interval.
Cost    O(endpoints); numpy from `MANY` on, about twice as fast.
Source  Envoy, `processSuccessRateEjections`.

Floats are added up by `fsum`, which is exact and rounds once, so that neither the order of the
endpoints nor numpy changes a verdict. Endpoints that all do equally well have a stdev of exactly
0: rounding makes no outlier. Fractions stay fractions.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import fsum, isqrt, sqrt
from typing import Any, Final

import attrs

from trafficcore.core.outlier.settings import Settings

__all__ = ["MANY", "Finding", "periodic", "threshold"]

#: From how many endpoints on numpy is worth its import.
MANY: Final = 2000


@attrs.frozen(kw_only=True)
class Finding:
    """What the two detectors make of an interval; the outliers by index, in order.

    `average` and `threshold` are -1 where the success rates were not compared.
    """

    rates: list[float]
    average: float = -1
    threshold: float = -1
    below: list[int] = attrs.Factory(list)
    failing: list[int] = attrs.Factory(list)


def periodic(successes: Sequence[Any], totals: Sequence[Any], settings: Settings) -> Finding:
    """Find the outliers among endpoints, each with at least one request."""
    if len(totals) >= MANY and isinstance(totals[0], int):
        return _by_numpy(successes, totals, settings)
    volume = settings.success_rate_request_volume
    rates = [100 * good / total for good, total in zip(successes, totals, strict=True)]
    compared = [i for i, total in enumerate(totals) if total >= volume]
    average: float = -1
    edge: float = -1
    below: list[int] = []
    if compared and len(compared) >= settings.success_rate_minimum_hosts:
        average, edge = threshold([rates[i] for i in compared], settings.success_rate_stdev_factor)
        below = [i for i in compared if rates[i] < edge]
    volume = settings.failure_percentage_request_volume
    limit = settings.failure_percentage_threshold
    measured = [i for i, total in enumerate(totals) if total >= volume]
    failing: list[int] = []
    if measured and len(measured) >= settings.failure_percentage_minimum_hosts:
        failing = [i for i in measured if 100 - rates[i] >= limit]
    return Finding(rates=rates, average=average, threshold=edge, below=below, failing=failing)


def threshold(rates: list[Any], factor: int) -> tuple[Any, Any]:
    """Return the mean of rates, and the rate below which one of them is an outlier."""
    count = len(rates)
    if min(rates) == max(rates):
        return rates[0], rates[0]
    add = fsum if isinstance(rates[0], float) else sum
    mean = add(rates) / count
    variance = add([(rate - mean) * (rate - mean) for rate in rates]) / count
    return mean, mean - factor * _root(variance) / 1000


def _root(square: Any) -> Any:
    """Return a square root, exactly where there is an exact one."""
    if isinstance(square, Fraction):
        top, bottom = isqrt(square.numerator), isqrt(square.denominator)
        if top * top == square.numerator and bottom * bottom == square.denominator:
            return Fraction(top, bottom)
    return sqrt(square)


def _by_numpy(successes: Sequence[int], totals: Sequence[int], settings: Settings) -> Finding:
    """Do as `periodic` does, with the same roundings."""
    # Only a process with thousands of endpoints pays for this.
    import numpy as np

    requests = np.array(totals, dtype=float)
    rates = np.array(successes, dtype=float) * 100 / requests
    average: float = -1
    edge: float = -1
    below: list[int] = []
    compared = requests >= settings.success_rate_request_volume
    count = int(compared.sum())
    if count and count >= settings.success_rate_minimum_hosts:
        chosen = rates[compared]
        average = edge = float(chosen[0])
        if chosen.min() != chosen.max():
            average = fsum(chosen.tolist()) / count
            apart = chosen - average
            variance = fsum((apart * apart).tolist()) / count
            edge = average - settings.success_rate_stdev_factor * sqrt(variance) / 1000
        below = np.flatnonzero(compared & (rates < edge)).tolist()
    failing: list[int] = []
    measured = requests >= settings.failure_percentage_request_volume
    count = int(measured.sum())
    if count and count >= settings.failure_percentage_minimum_hosts:
        bad = 100 - rates >= settings.failure_percentage_threshold
        failing = np.flatnonzero(measured & bad).tolist()
    return Finding(
        rates=rates.tolist(), average=average, threshold=edge, below=below, failing=failing
    )
