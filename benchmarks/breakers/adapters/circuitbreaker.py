"""circuitbreaker: errors in a row, without a lock."""

from collections.abc import Callable
from typing import Any

from circuitbreaker import CircuitBreaker, CircuitBreakerError

DISTRIBUTION = "circuitbreaker"
LAW = "errors in a row"
REFUSED = CircuitBreakerError


def closed() -> Callable[[Any], Any]:
    return CircuitBreaker(failure_threshold=10**9)


def tripping(seconds: float) -> Callable[[Any], Any]:
    return CircuitBreaker(failure_threshold=1, recovery_timeout=seconds)


def asking(seconds: float) -> tuple[Callable[[Any], Any], Callable[[], object]]:
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=seconds)
    return breaker, lambda: not breaker.opened


asynchronous = closed
