"""The one-line form of a breaker's settings.

Law     Counts are compared as they are, shares once `min_calls` results are in. Where no rule is
        given it is half of all calls failing.
"""

from collections.abc import Callable
from typing import Final

from trafficcore.core.breaker import Count, Cumulative, HalfOpen, Open, Ratio, Rule, Settings, Time
from trafficcore.core.breaker.settings import Window
from trafficcore.errors import ConfigError
from trafficcore.live.functions import check_plain

__all__ = ["Ignored", "read_exceptions", "read_settings"]

#: What `ignore=` takes: classes of exceptions, or a predicate on one.
Ignored = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool] | None

_DEFAULT: Final = 0.5


def read_settings(
    *,
    window: float | Window,
    slow_after: float | None,
    open_for: float | Open,
    half_open: int | HalfOpen | None,
    min_calls: int,
    rules: dict[str, float | None],
) -> Settings:
    """Return settings for what `CircuitBreaker` takes; `rules` maps measures to their limits."""
    given = {measure: value for measure, value in rules.items() if value is not None}
    slow = any(measure.startswith("slow") for measure in given)
    if slow and slow_after is None:
        raise ConfigError("a limit of slow calls needs slow_after: which calls are slow?")
    if slow_after is not None and not slow:
        raise ConfigError(f"slow_after={slow_after!r} needs max_slow or slow_rate")
    trip = [
        Rule(measure, value, min_calls=min_calls if measure.endswith("_rate") else 1)
        for measure, value in (given or {"error_rate": _DEFAULT}).items()
    ]
    if not isinstance(window, Time | Count | Cumulative):
        window = Time(window)
    if isinstance(half_open, int):
        half_open = HalfOpen(half_open, verdict=Ratio(half_open, half_open))
    return Settings(
        window=window,
        slow_after=slow_after,
        trip=trip,
        open=open_for if isinstance(open_for, Open) else Open(open_for),
        half_open=half_open,
    )


def read_exceptions(name: str, given: Ignored) -> Callable[[Exception], bool]:
    """Return a predicate for what `CircuitBreaker(ignore=...)` takes, and `errors` alike."""
    if given is None:
        return lambda _: False
    if isinstance(given, type | tuple):
        kinds = given if isinstance(given, tuple) else (given,)
        if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
            raise ConfigError(f"{name} must hold classes of exceptions, not {given!r}")
        return lambda error: isinstance(error, kinds)
    if not callable(given):
        raise ConfigError(f"{name} must be classes of exceptions or a predicate, not {given!r}")
    check_plain(name, given)
    return given
