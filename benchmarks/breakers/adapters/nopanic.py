"""nopanic: shares over a time window."""

from collections.abc import Callable
from typing import Any

import nopanic

DISTRIBUTION = "nopanic"
LAW = "error and slow rate, time window"
REFUSED = nopanic.CircuitOpen


def closed() -> Callable[[Any], Any]:
    return nopanic.circuit_breaker(window=10, min_calls=10**9)


def slow() -> Callable[[Any], Any]:
    return nopanic.circuit_breaker(window=10, min_calls=10**9, slow_call_duration=1e-9)


def tripping(seconds: float) -> Callable[[Any], Any]:
    return nopanic.circuit_breaker(window=10, min_calls=1, reset_timeout=seconds)


asynchronous = closed
