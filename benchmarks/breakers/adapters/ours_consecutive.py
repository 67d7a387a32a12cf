"""trafficcore's handle by the rule that the simple ones have: errors in a row."""

from collections.abc import Callable
from typing import Any

from trafficcore import CircuitBreaker
from trafficcore.live import CircuitOpen

DISTRIBUTION = "trafficcore"
LAW = "errors in a row"
REFUSED = CircuitOpen


def closed() -> Callable[[Any], Any]:
    return CircuitBreaker(consecutive_errors=10**9)


def tripping(seconds: float) -> Callable[[Any], Any]:
    return CircuitBreaker(consecutive_errors=1, open_for=seconds)


asynchronous = closed
