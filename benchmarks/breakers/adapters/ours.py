"""trafficcore's handle: slow calls and a share of errors in the last ten seconds."""

from collections.abc import Callable
from typing import Any

from trafficcore import CircuitBreaker
from trafficcore.live import CircuitOpen

DISTRIBUTION = "trafficcore"
LAW = "error and slow rate, time window"
REFUSED = CircuitOpen


def closed() -> Callable[[Any], Any]:
    """A breaker that never trips, whatever happens."""
    return CircuitBreaker(window=10, error_rate=0.5, min_calls=10**9)


def slow() -> Callable[[Any], Any]:
    """The same, to which every call is slow."""
    return CircuitBreaker(window=10, slow_after=0, slow_rate=1, min_calls=10**9)


def tripping(seconds: float) -> Callable[[Any], Any]:
    """One that trips at the first error, for so long; then one call tries."""
    return CircuitBreaker(window=10, error_rate=0.5, min_calls=1, open_for=seconds)


def asking(seconds: float) -> tuple[Callable[[Any], Any], Callable[[], object]]:
    """One that trips at the first error, and what asks it without an exception."""
    breaker = CircuitBreaker(window=10, error_rate=0.5, min_calls=1, open_for=seconds)
    return breaker, breaker.try_acquire


def steps() -> Callable[[], bool]:
    """Acquire and record in two steps."""
    breaker = CircuitBreaker(window=10, slow_after=0.5, slow_rate=0.5, min_calls=10**9)

    def step() -> bool:
        era = breaker.try_acquire()
        breaker.good(era)
        return bool(era)

    return step


asynchronous = closed
