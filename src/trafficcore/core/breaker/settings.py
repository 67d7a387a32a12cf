"""Everything that can be set on a breaker, frozen, checked once.

Shares are kept as the ratio they were meant as: 0.07 is seven of a hundred, not the nearest binary
fraction, so that seven errors of a hundred reach it. Times may be float or `Fraction`.
"""

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, Final, Literal

import attrs

from trafficcore.core.breaker.counts import Counts
from trafficcore.core.breaker.response import Response
from trafficcore.core.breaker.states import State
from trafficcore.errors import ConfigError

__all__ = [
    "MEASURES",
    "Count",
    "Cumulative",
    "HalfOpen",
    "Open",
    "OpenTime",
    "Ratio",
    "Rule",
    "Rules",
    "Settings",
    "Time",
    "Window",
]

#: What a rule can look at. `bad`: an error or slow, once. `gateway`: errors told as 502, 503, 504.
MEASURES: Final = frozenset(
    {
        "error_rate",
        "slow_rate",
        "bad_rate",
        "gateway_error_rate",
        "error_count",
        "slow_count",
        "bad_count",
        "consecutive_errors",
    }
)

#: Shares are taken for fractions with a denominator up to this, if they look like one.
_SIMPLE: Final = 10_000

#: How long the n-th opening lasts: (n, counts, reason, last outcome or None) → seconds. It runs
#: under the breaker's lock: quick, and without calling the breaker.
OpenTime = Callable[[int, Counts, str, str | None], float]


def _number(name: str, value: Any, *, least: float = 0, above: bool = False) -> None:
    fine = isinstance(value, int | float | Fraction) and value is not True and value >= least
    if not fine or (above and value == least):
        bound = f"above {least}" if above else f"at least {least}"
        raise ConfigError(f"{name} must be a number {bound}, not {value!r}")


def _whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name} must be a whole number from {least}, not {value!r}")


def _state(value: Any) -> State:
    try:
        return State(value)
    except ValueError:
        names = ", ".join(State)
        raise ConfigError(f"initial_state must be one of {names}, not {value!r}") from None


def _choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


@attrs.frozen
class Time:
    """The last `size` seconds, in equal buckets on whole multiples of their length.

    `attribute` says which bucket a result belongs to: that of its end, or of its call's start.
    """

    size: float = 10
    buckets: int = 10
    attribute: Literal["end", "start"] = "end"

    def __attrs_post_init__(self) -> None:
        _number("window size", self.size, above=True)
        if math.isinf(self.size):
            raise ConfigError(f"window size must be finite, not {self.size!r}")
        _whole("buckets", self.buckets, 1)
        _choice("attribute", self.attribute, ("end", "start"))


@attrs.frozen
class Count:
    """The last `size` results."""

    size: int = 100

    def __attrs_post_init__(self) -> None:
        _whole("window size", self.size, 1)


@attrs.frozen
class Cumulative:
    """All results since the state was entered."""


Window = Time | Count | Cumulative


@attrs.frozen
class Rule:
    """One reason to trip: `measure` compared with `value`, once `min_calls` results are in.

    `min_calls` None: that of the settings.
    """

    measure: str
    value: float | Fraction
    op: Literal[">=", ">"] = ">="
    min_calls: int | None = None

    def __attrs_post_init__(self) -> None:
        _choice("measure", self.measure, tuple(sorted(MEASURES)))
        _number(self.measure, self.value)
        if not math.isfinite(self.value) or (self.is_rate and self.value > 1):
            limit = "from 0 to 1" if self.is_rate else "that is finite"
            raise ConfigError(f"{self.measure} must be a number {limit}, not {self.value!r}")
        _choice("op", self.op, (">=", ">"))
        if self.min_calls is not None:
            _whole("min_calls", self.min_calls, 0)

    @property
    def is_rate(self) -> bool:
        """Whether the value is a share of all results."""
        return self.measure.endswith("_rate")

    @property
    def exact(self) -> Fraction:
        """The value as it was meant: 7/100 for 0.07, 5/6 for 5 / 6."""
        if not isinstance(self.value, float):
            return Fraction(self.value)
        value = float(self.value)
        simple = Fraction(value).limit_denominator(_SIMPLE)
        return simple if float(simple) == value else Fraction(repr(value))

    def __str__(self) -> str:
        return f"{self.measure} {self.op} {self.value}"


@attrs.frozen
class Open:
    """How long to refuse: the n-th time running min(max, duration * multiplier**(n - 1)).

    `jitter` j draws a factor from 1 - j to 1 + j. `edge` ">=" ends it when that time has passed,
    ">" only after. `auto`: whatever looks at the breaker ends it, else only a call that asks.
    `duration` may be a function of that number, the counts, the reason and the kind of the last
    result. It runs under the breaker's lock: it must be quick, and wait for nothing. Where it
    raises or gives no number from 0, it is as if `duration` had been left out, and logged.
    """

    duration: float | OpenTime = 60
    multiplier: float = 1
    max: float | None = None
    jitter: float = 0
    edge: Literal[">=", ">"] = ">="
    auto: bool = True

    def __attrs_post_init__(self) -> None:
        if not callable(self.duration):
            _number("open duration", self.duration)
        _number("multiplier", self.multiplier, above=True)
        if self.max is not None:
            _number("open max", self.max)
        _number("jitter", self.jitter)
        if self.jitter > 1:
            raise ConfigError(f"jitter must be a number from 0 to 1, not {self.jitter!r}")
        _choice("edge", self.edge, (">=", ">"))


@attrs.frozen
class Ratio:
    """Closed again at `need` good probes; open when more than `of - need` were bad."""

    need: int = 1
    of: int = 1

    def __attrs_post_init__(self) -> None:
        _whole("need", self.need, 1)
        _whole("of", self.of, self.need)


@attrs.frozen
class Rules:
    """After so many probes the trip rules, without their minimums, decide."""

    after: int

    def __attrs_post_init__(self) -> None:
        _whole("after", self.after, 1)


@attrs.frozen
class HalfOpen:
    """Which probes are let through, how they are judged, and how long that may take.

    `permits` bounds probes in all, `max_concurrent` those in flight (None: no bound). Without a
    verdict `max_wait` seconds after the first probe (or the entry) the state ends in
    `max_wait_to`; "open" means as long as the opening before lasted, None for ever.
    """

    permits: int | None = 1
    max_concurrent: int | None = None
    verdict: Ratio | Rules = Ratio(1, 1)
    max_wait: float | Literal["open"] | None = "open"
    max_wait_from: Literal["first_probe", "entry"] = "first_probe"
    max_wait_to: Literal["open", "closed"] = "open"

    def __attrs_post_init__(self) -> None:
        for name in ("permits", "max_concurrent"):
            if getattr(self, name) is not None:
                _whole(name, getattr(self, name), 1)
        if not isinstance(self.verdict, Ratio | Rules):
            raise ConfigError(f"verdict must be a Ratio or Rules, not {self.verdict!r}")
        if self.max_wait is not None and self.max_wait != "open":
            _number("max_wait", self.max_wait, above=True)
        _choice("max_wait_from", self.max_wait_from, ("first_probe", "entry"))
        _choice("max_wait_to", self.max_wait_to, ("open", "closed"))


def _rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(rules)


@attrs.frozen(kw_only=True)
class Settings:
    """A breaker as it is configured. Without rules in `trip` it never trips, which is allowed."""

    window: Window = Time()
    slow_after: float | None = None
    min_calls: int = 1
    evaluate_on: Literal["any", "bad"] = "any"
    late: Literal["drop", "count"] = "drop"
    trip: tuple[Rule, ...] = attrs.field(default=(), converter=_rules)
    open: Open = Open()
    half_open: HalfOpen | None = HalfOpen()
    initial_state: State = attrs.field(default=State.CLOSED, converter=_state)
    response: Response | None = None

    def __attrs_post_init__(self) -> None:
        for name, kinds in _PARTS.items():
            if not isinstance(getattr(self, name), kinds):
                raise ConfigError(f"{name} cannot be {getattr(self, name)!r}")
        for rule in self.trip:
            if not isinstance(rule, Rule):
                raise ConfigError(f"trip must hold rules, not {rule!r}")
        if self.slow_after is not None:
            _number("slow_after", self.slow_after)
        _whole("min_calls", self.min_calls, 0)
        _choice("evaluate_on", self.evaluate_on, ("any", "bad"))
        _choice("late", self.late, ("drop", "count"))
        if self.initial_state is State.HALF_OPEN and self.half_open is None:
            raise ConfigError("initial_state cannot be half_open where half_open is None")

    def minimum(self, rule: Rule | None = None) -> int:
        """Return how many results `rule` (None: the rates shown) waits for."""
        own = self.min_calls if rule is None or rule.min_calls is None else rule.min_calls
        return min(own, self.window.size) if isinstance(self.window, Count) else own

    @property
    def law(self) -> tuple[Window, tuple[Rule, ...], Open, HalfOpen | None]:
        """What a breaker is known by: as long as this is equal, its state outlives an update."""
        return self.window, self.trip, self.open, self.half_open

    @property
    def can_trip(self) -> bool:
        """Whether any rule could ever hold."""
        return any(
            not (rule.measure.startswith("slow") and self.slow_after is None)
            and not (rule.is_rate and rule.op == ">" and rule.exact == 1)
            for rule in self.trip
        )


_PARTS: Final[dict[str, Any]] = {
    "window": Time | Count | Cumulative,
    "open": Open,
    "half_open": HalfOpen | None,
    "response": Response | None,
}
