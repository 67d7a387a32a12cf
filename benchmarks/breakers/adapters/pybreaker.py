"""pybreaker: errors in a row; its lock is held while the function runs."""

from collections.abc import Callable
from typing import Any

from pybreaker import CircuitBreaker, CircuitBreakerError

DISTRIBUTION = "pybreaker"
LAW = "errors in a row"
REFUSED = CircuitBreakerError


def closed() -> Callable[[Any], Any]:
    return CircuitBreaker(fail_max=10**9)


def tripping(seconds: float) -> Callable[[Any], Any]:
    return CircuitBreaker(fail_max=1, reset_timeout=seconds)
