"""A breaker as a plain log of results: every question is answered by reading it all again.

Written from the rules R1 to R28 of the reference, not from the machine: no running sums, no edges,
no gates, no lock. Rates are fractions, windows are filters, eras are counted by hand.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from math import inf
from typing import Any, NamedTuple

from trafficcore.core.breaker import Count, Ratio, Settings, Time

ANYWHERE = {"closed", "disabled", "forced_open", "metrics_only"}
BY_HAND = {
    "closed": ANYWHERE | {"open"},
    "metrics_only": ANYWHERE,
    "open": ANYWHERE | {"open", "half_open"},
    "half_open": ANYWHERE | {"open", "half_open"},
    "forced_open": ANYWHERE | {"open", "half_open"},
    "disabled": ANYWHERE | {"open", "half_open"},
}


class Refused(Exception):
    """A move by hand that is not allowed."""


class Result(NamedTuple):
    """One recorded call; `at` is the time that decides which bucket it is in."""

    at: Any
    error: bool
    slow: bool
    gateway: bool
    duration: Any


class Move(NamedTuple):
    """A change of state, as the machine's `Change` tells it."""

    from_: str
    to: str
    era: int
    at: Any
    until: Any
    counts: tuple[Any, ...]


@dataclass
class Period:
    """One stay in a state."""

    state: str
    since: Any
    log: list[Result] = field(default_factory=list)
    rejected: int = 0
    exceeded: set[int] = field(default_factory=set)
    until: Any = None
    came_from_closed: bool = False
    probes: int = 0
    flying: int = 0
    first_probe: Any = None
    wait: Any = None


def counts(results: list[Result]) -> tuple[Any, ...]:
    return (
        len(results),
        sum(r.error for r in results),
        sum(r.slow for r in results),
        sum(r.error and r.slow for r in results),
        sum(r.gateway for r in results),
        sum((r.duration for r in results), start=0),
    )


class BreakerLog:
    """The same operations as `Breaker`, answered from the log."""

    def __init__(self, settings: Settings, draw: Any = None, now: Any = 0) -> None:
        self.settings = settings
        self.draw = draw
        self.now = now
        self.era = 1
        self.attempts = 0
        self.late = 0
        self.ignored = 0
        self.opened_for = None
        self.moves: list[Move] = []
        self.signals: list[int] = []
        self.period = Period("", now)
        self.enter(settings.initial_state.value, now)
        if settings.initial_state == "half_open":
            self.attempts = 1
        self.era = 1
        self.moves.clear()

    # Reading the log

    def in_window(self, results: list[Result], now: Any) -> list[Result]:
        window = self.settings.window
        if isinstance(window, Time):
            length = Fraction(window.size) / window.buckets
            return [r for r in results if now // length - r.at // length < window.buckets]
        return results[-window.size :] if isinstance(window, Count) else results

    def shown(self) -> list[Result]:
        period = self.period
        if period.state in ("closed", "metrics_only"):
            return self.in_window(period.log, self.now)
        return period.log if period.state in ("open", "half_open") else []

    def run(self) -> int:
        run = 0
        for result in self.period.log:
            run = run + 1 if result.error else 0
        return run

    def holds(self, rule: Any, results: list[Result], minimum: int) -> bool:
        total, errors, slow, slow_errors, gateway, _ = counts(results)
        if total < minimum:
            return False
        share, _, what = rule.measure.rpartition("_")
        measured = {
            "error": errors,
            "slow": slow,
            "bad": errors + slow - slow_errors,
            "gateway_error": gateway,
            "consecutive": self.run(),
        }[share]
        value = Fraction(measured, total) if what == "rate" else measured
        return value > rule.value if rule.op == ">" else value >= rule.value

    def first_rule(self, results: list[Result], minimums: bool = True) -> int | None:
        for index, rule in enumerate(self.settings.trip):
            minimum = self.minimum(rule.min_calls) if minimums else 0
            if index not in self.period.exceeded and self.holds(rule, results, minimum):
                return index
        return None

    def minimum(self, own: int | None = None) -> int:
        least = self.settings.min_calls if own is None else own
        window = self.settings.window
        return min(least, window.size) if isinstance(window, Count) else least

    def is_bad(self, result: Result) -> bool:
        measures = [rule.measure for rule in self.settings.trip]
        for measure in measures:
            if result.error and measure.startswith(("error", "bad", "consecutive")):
                return True
            if result.slow and measure.startswith(("slow", "bad")):
                return True
            if result.gateway and measure.startswith("gateway"):
                return True
        return False

    # What time does

    def pass_time(self, now: Any, asked: bool = False) -> None:
        self.now = max(self.now, now)
        while self.one_step(asked):
            pass

    def one_step(self, asked: bool) -> bool:
        period, opening, half_open = self.period, self.settings.open, self.settings.half_open
        if period.state == "open":
            over = self.now > period.until or (self.now == period.until and opening.edge == ">=")
            if not over or not (opening.auto or asked):
                return False
            if half_open is None:
                self.enter("closed", period.until)
            else:
                self.enter("half_open", self.now)
            return True
        if period.state == "half_open" and self.now >= self.wait_ends():
            self.enter(half_open.max_wait_to, self.wait_ends())
            return True
        return False

    def wait_ends(self) -> Any:
        period = self.period
        from_entry = self.settings.half_open.max_wait_from == "entry"
        begins = period.since if from_entry else period.first_probe
        return inf if begins is None or not period.wait else begins + period.wait

    # Moves

    def enter(self, state: str, at: Any, duration: Any = None) -> None:
        old, seen = self.period, self.shown()
        new = Period(state, at)
        self.era += 1
        if state in ("closed", "disabled", "metrics_only"):
            self.attempts = 0
        if state == "open":
            if duration is None:
                self.attempts += 1
                duration = self.length(self.attempts)
            self.opened_for = duration
            new.until = at + duration
            new.log = list(seen)
            new.came_from_closed = old.state == "closed"
        if state == "half_open":
            new.wait = self.settings.half_open.max_wait
            if new.wait == "open":
                new.wait = self.opened_for
                if new.wait is None:  # by hand, before any opening: as long as one would last
                    new.wait = self.length(max(self.attempts, 1))
        self.period = new
        if state != old.state:
            self.moves.append(Move(old.state, state, self.era, at, new.until, counts(seen)))

    def length(self, n: int) -> Any:
        opening = self.settings.open
        length = opening.duration * opening.multiplier ** (n - 1)
        if opening.max is not None:
            length = min(length, opening.max)
        if opening.jitter:
            length *= 1 + opening.jitter * (2 * self.draw() - 1)
        return length

    # Operations

    def acquire(self, now: Any) -> int:
        self.pass_time(now, asked=True)
        period, half_open = self.period, self.settings.half_open
        if period.state in ("closed", "metrics_only", "disabled"):
            return self.era
        if period.state == "half_open":
            few = half_open.permits is None or period.probes < half_open.permits
            free = half_open.max_concurrent is None or period.flying < half_open.max_concurrent
            if few and free:
                period.probes += 1
                period.flying += 1
                if period.first_probe is None:
                    period.first_probe = self.now
                return self.era
        period.rejected += 1
        return 0

    def record(
        self, era: int, now: Any, *, error: bool, duration: Any, gateway: bool, start: Any
    ) -> None:
        self.pass_time(now)
        own = era == self.era
        if not own:
            self.late += 1
            if self.settings.late == "drop":
                return
        slow_after = self.settings.slow_after
        slow = slow_after is not None and duration > slow_after
        self.take(Result(self.now, error or gateway, slow, gateway, duration), start, own)

    def settle(self, era: int, now: Any, *, error: bool, slow: bool, gateway: bool) -> None:
        """Record what the caller calls slow; no duration, and no start but the end."""
        self.pass_time(now)
        own = era == self.era
        self.late += not own
        if own or self.settings.late == "count":
            self.take(Result(self.now, error, slow, gateway, 0), self.now, own)

    def take(self, result: Result, start: Any, own: bool) -> None:
        period, window = self.period, self.settings.window
        if period.state in ("closed", "metrics_only"):
            if isinstance(window, Time) and window.attribute == "start":
                result = result._replace(at=start)
                if not self.in_window([result], self.now):
                    return
            period.log.append(result)
            if self.settings.evaluate_on == "any" or self.is_bad(result):
                self.evaluate()
        elif period.state == "half_open":
            period.flying -= own
            period.log.append(result)
            self.judge()
        elif period.state == "open":
            period.log.append(result)

    def evaluate(self) -> None:
        while (index := self.first_rule(self.shown())) is not None:
            if self.period.state == "closed":
                self.enter("open", self.now)
                return
            self.period.exceeded.add(index)
            self.signals.append(index)

    def judge(self) -> None:
        results, verdict = self.period.log, self.settings.half_open.verdict
        bad = sum(map(self.is_bad, results))
        if isinstance(verdict, Ratio):
            if len(results) - bad >= verdict.need:
                self.enter("closed", self.now)
            elif bad > verdict.of - verdict.need:
                self.enter("open", self.now)
        elif len(results) >= verdict.after:
            well = self.first_rule(results, minimums=False) is None
            self.enter("closed" if well else "open", self.now)

    def ignore(self, era: int, now: Any) -> None:
        self.ignored += 1
        self.release(era, now)

    def release(self, era: int, now: Any) -> None:
        self.pass_time(now)
        period = self.period
        if era == self.era and period.state == "half_open":
            period.probes -= 1
            period.flying -= 1
            if not period.probes:
                period.first_probe = None

    def to(self, state: str, now: Any, duration: Any = None) -> None:
        self.pass_time(now)
        if state not in BY_HAND[self.period.state]:
            raise Refused(f"{self.period.state} to {state}")
        if state == "half_open" and self.settings.half_open is None:
            raise Refused("no half-open")
        self.enter(state, self.now, duration)

    def reset(self, now: Any) -> None:
        self.pass_time(now)
        self.enter("closed", self.now)

    def update(self, settings: Settings, now: Any) -> None:
        self.pass_time(now)
        old = self.settings
        parts = ("window", "trip", "open", "half_open")
        if all(getattr(old, part) == getattr(settings, part) for part in parts):
            self.settings = settings
            return
        seen = self.shown()
        self.settings = settings
        self.opened_for = None
        before = self.period.state
        self.period = Period("", self.now)
        self.enter("closed", self.now)
        self.moves.pop()
        if before != "closed":
            self.moves.append(Move(before, "closed", self.era, self.now, None, counts(seen)))

    # What can be seen

    def view(self, now: Any) -> dict[str, Any]:
        self.pass_time(now)
        period = self.period
        total, errors, slow, slow_errors, gateway, duration = counts(self.shown())
        floor = self.floor()
        rated = total >= max(floor, 1)
        is_open = period.state == "open"
        return {
            "state": period.state,
            "era": self.era,
            "attempts": self.attempts,
            "rejected": period.rejected,
            "late": self.late,
            "ignored": self.ignored,
            "total": total,
            "errors": errors,
            "successes": total - errors,
            "slow": slow,
            "slow_errors": slow_errors,
            "gateway_errors": gateway,
            "duration_total": duration,
            "error_rate": errors / total if rated else None,
            "slow_rate": slow / total if rated else None,
            "retry_after": max(period.until - self.now, 0) if is_open else None,
            "exceeded": sorted(period.exceeded),
        }

    def floor(self) -> int:
        period = self.period
        if period.state == "half_open":
            verdict = self.settings.half_open.verdict
            return 1 if isinstance(verdict, Ratio) else verdict.after
        return 1 if period.state == "open" and not period.came_from_closed else self.minimum()
