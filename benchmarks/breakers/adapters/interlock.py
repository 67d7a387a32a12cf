"""interlock-cb: shares over a time window in buckets of a second."""

from collections.abc import Callable
from typing import Any

from interlock import CircuitBreaker, CircuitOpenError, Config, WindowType

DISTRIBUTION = "interlock-cb"
LAW = "error and slow rate, time window"
REFUSED = CircuitOpenError


def _breaker(**more: Any) -> Callable[[Any], Any]:
    config = Config(window_type=WindowType.TIME_BASED, window_size=10, **more)
    return CircuitBreaker(name="peers", config=config)


def closed() -> Callable[[Any], Any]:
    return _breaker(minimum_number_of_calls=10**9)


def slow() -> Callable[[Any], Any]:
    return _breaker(minimum_number_of_calls=10**9, slow_call_duration_threshold=1e-9)


def tripping(seconds: float) -> Callable[[Any], Any]:
    return _breaker(
        minimum_number_of_calls=1, wait_duration_in_open=seconds, permitted_calls_in_half_open=1
    )


asynchronous = closed
