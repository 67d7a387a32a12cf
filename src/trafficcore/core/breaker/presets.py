"""Settings that make a breaker behave as another one does: plain values, no code of their own.

Each function's defaults are those that the library documents, and its arguments are the words of
this package: seconds, shares from 0 to 1. What a peer cannot do is not set, so it may be added:
`attrs.evolve(gobreaker(), half_open=HalfOpen(3, verdict=Ratio(2, 3)))`.
Source  part 5 of the reference, "to behave like"; the vectors named after each library.
"""

from trafficcore.core.breaker.settings import (
    Count,
    Cumulative,
    HalfOpen,
    Open,
    Ratio,
    Rule,
    Rules,
    Settings,
    Time,
)
from trafficcore.errors import ConfigError

__all__ = ["asm", "consecutive", "gobreaker", "resilience4j", "sentinel"]


def asm(
    *,
    window: float = 10,
    open_for: float = 30,
    slow_after: float | None = None,
    max_slow: int | None = None,
    error_rate: float | None = None,
    gateway_error_rate: float | None = None,
    min_calls: int = 0,
) -> Settings:
    """Return what an `ASMCircuitBreaker` says: no half-open, and shares alone have a minimum."""
    trip: list[Rule] = []
    if slow_after is not None and max_slow:
        trip.append(Rule("slow_count", max_slow))
    rates = {"error_rate": error_rate, "gateway_error_rate": gateway_error_rate}
    for measure, rate in rates.items():
        if rate:
            trip.append(Rule(measure, rate, min_calls=max(1, min_calls)))
    return Settings(
        window=Time(window, buckets=10),
        slow_after=slow_after,
        trip=trip,
        open=Open(open_for),
        half_open=None,
    )


def resilience4j(
    *,
    window: Count | Time = Count(100),  # noqa: B008  # frozen
    min_calls: int = 100,
    error_rate: float = 0.5,
    slow_rate: float = 1,
    slow_after: float = 60,
    open_for: float = 60,
    probes: int = 10,
    max_wait: float | None = None,
    auto: bool = False,
) -> Settings:
    """Return resilience4j's: shares over the last calls or seconds, then a few probes judged alike.

    Give a window of n seconds as `Time(n, n)`: it has a bucket a second. `max_wait` is how long
    the probes may take (None: for ever, as there), `auto` its automatic transition out of open.
    """
    return Settings(
        window=window,
        slow_after=slow_after,
        min_calls=min_calls,
        late="count",
        trip=(Rule("error_rate", error_rate), Rule("slow_rate", slow_rate)),
        open=Open(open_for, edge=">", auto=auto),
        half_open=HalfOpen(
            probes,
            verdict=Rules(max(1, min(min_calls, probes))),
            max_wait=max_wait,
            max_wait_from="entry",
        ),
    )


def sentinel(
    *,
    slow_after: float | None = None,
    slow_ratio: float | None = None,
    error_ratio: float | None = None,
    error_count: int | None = None,
    open_for: float,
    window: float = 1,
    min_calls: int = 5,
) -> Settings:
    """Return one rule of Sentinel's: *above* a ratio of slow calls or errors, or a number of them.

    `slow_after` without a ratio trips when all calls are slow. Its `timeWindow`, here `open_for`,
    has no default there either. Several rules of one resource are several breakers.
    """
    if slow_after is not None and slow_ratio is None:
        slow_ratio = 1
    rules = {"slow_rate": slow_ratio, "error_rate": error_ratio, "error_count": error_count}
    given = [(measure, value) for measure, value in rules.items() if value is not None]
    if len(given) != 1:
        raise ConfigError("a rule of Sentinel's has one of slow_ratio, error_ratio, error_count")
    if (slow_ratio is None) != (slow_after is None):
        raise ConfigError("slow_ratio needs slow_after: which calls are slow?")
    measure, value = given[0]
    return Settings(
        window=Time(window, buckets=1),
        slow_after=slow_after,
        min_calls=min_calls,
        late="count",
        trip=(Rule(measure, value, ">=" if slow_ratio == 1 else ">"),),
        open=Open(open_for, auto=False),
        half_open=HalfOpen(1, verdict=Ratio(1, 1), max_wait=None),
    )


def gobreaker(
    *, max_requests: int = 1, interval: float = 0, timeout: float = 60, consecutive_errors: int = 5
) -> Settings:
    """Return gobreaker's: open at *more* than five errors in a row.

    Half-open, `max_requests` good ones in a row close it. `interval` 0: the counts of the closed
    state are never cleared; else they are, after so many seconds.
    """
    return Settings(
        window=Time(interval, buckets=1, attribute="start") if interval else Cumulative(),
        evaluate_on="bad",
        trip=(Rule("consecutive_errors", consecutive_errors, ">"),),
        open=Open(timeout, edge=">"),
        half_open=HalfOpen(max_requests, verdict=Ratio(max_requests, max_requests), max_wait=None),
    )


def consecutive(errors: int = 5, *, open_for: float = 60, need: int = 1) -> Settings:
    """Return pybreaker's, circuitbreaker's and purgatory's: so many errors in a row.

    The defaults are pybreaker's (`fail_max`, `reset_timeout`, `success_threshold`). A probe that
    hangs counts as bad after `open_for`: there it would hold the breaker for ever.
    """
    return Settings(
        window=Cumulative(),
        trip=(Rule("consecutive_errors", errors),),
        open=Open(open_for, auto=False),
        half_open=HalfOpen(need, verdict=Ratio(need, need)),
    )
