"""How long the n-th opening in a row lasts.

Law     min(max, duration * multiplier ** (n - 1)), times a factor drawn from [1 - j, 1 + j]; or
        whatever the callable says that was given as the duration.
Source  rule R16.
"""

import math
from collections.abc import Callable

from trafficcore.core.breaker.counts import Counts
from trafficcore.core.breaker.settings import Open
from trafficcore.errors import ConfigError

__all__ = ["open_for"]


def open_for(
    settings: Open,
    n: int,
    draw: Callable[[], float] | None,
    counts: Counts,
    reason: str,
    last: str | None,
) -> float:
    """Return the length of the n-th opening, in seconds; raise what the callable does."""
    if callable(settings.duration):
        length = settings.duration(n, counts, reason, last)
        if not length >= 0:  # nor NaN, which would be for ever
            raise ConfigError(f"an open duration must be a number from 0, not {length!r}")
        return length
    duration = settings.duration
    if settings.multiplier != 1:
        try:
            duration = duration * settings.multiplier ** (n - 1)
        except OverflowError:  # growing: floats end before attempts do
            duration = math.inf
    if settings.max is not None and duration > settings.max:
        duration = settings.max
    if settings.jitter:
        if draw is None:
            raise ConfigError(f"jitter {settings.jitter!r} needs a draw")
        duration = duration * (1 - settings.jitter + 2 * settings.jitter * draw())
    return duration
