"""A machine and its model side by side: whatever is done to both must show the same."""

from fractions import Fraction
from itertools import cycle
from typing import Any

from model.breaker_log import BreakerLog, Refused
from trafficcore.core.breaker import Breaker, IllegalMove, Settings
from trafficcore.engine import guard

__all__ = ["Pair"]

COUNTS = ("total", "errors", "slow", "slow_errors", "gateway_errors", "duration_total")
DRAWS = [Fraction(n, 7) for n in (0, 3, 6, 1, 5)]


class Pair:
    """Does everything twice and compares after each step."""

    def __init__(
        self, settings: Settings, machine: type[Breaker] = Breaker, number: type = Fraction
    ) -> None:
        draws = [number(draw) for draw in DRAWS]
        self.model = BreakerLog(settings, cycle(draws).__next__, number(0))
        self.breaker = machine(
            settings, lock=guard.new_lock(), draw=cycle(draws).__next__, now=number(0)
        )
        self.now: Any = number(0)
        self.permits: list[tuple[int, Any]] = []

    def acquire(self) -> None:
        would = self.breaker.would_admit(self.now)
        era = self.breaker.try_acquire(self.now)
        assert era == self.model.acquire(self.now)
        assert would is bool(era)
        if era:
            self.permits.append((era, self.breaker.now))

    def record(self, which: int, error: bool, gateway: bool, duration: Any) -> None:
        era, start = self.permits.pop(which)
        self.breaker.record(era, self.now, error, duration, gateway, start)
        self.model.record(
            era, self.now, error=error, duration=duration, gateway=gateway, start=start
        )

    def settle(self, which: int, kind: int) -> None:
        era, _ = self.permits.pop(which)
        if kind:
            self.breaker.bad(era, self.now, kind)
        else:
            self.breaker.good(era, self.now)
        flags = {"error": bool(kind & 1), "slow": bool(kind & 2), "gateway": bool(kind & 4)}
        self.model.settle(era, self.now, **flags)

    def give_up(self, which: int, how: str) -> None:
        era, _ = self.permits.pop(which)
        getattr(self.breaker, how)(era, self.now)
        getattr(self.model, how)(era, self.now)

    def to(self, state: str, duration: Any = None) -> None:
        try:
            self.model.to(state, self.now, duration)
        except Refused:
            try:
                self.breaker.to(state, self.now, duration)
            except IllegalMove:
                return
            raise AssertionError("the machine makes a move that the model refuses") from None
        self.breaker.to(state, self.now, duration)

    def reset(self) -> None:
        self.model.reset(self.now)
        self.breaker.reset(self.now)

    def update(self, settings: Settings) -> None:
        self.model.update(settings, self.now)
        self.breaker.update(settings, self.now)

    def compare(self) -> None:
        expected = self.model.view(self.now)
        found = self.breaker.snapshot(self.now)
        assert {name: found[name] for name in expected} == expected
        moves = [
            (c.from_, c.to, c.era, c.at, c.until, tuple(getattr(c.counts, n) for n in COUNTS))
            for c in self.breaker.take_changes()
        ]
        assert moves == self.model.moves
        assert [signal.index for signal in self.breaker.take_signals()] == self.model.signals
        self.model.moves.clear()
        self.model.signals.clear()
