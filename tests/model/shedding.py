"""Shedding, the slow and obvious way: everything that ever happened, summed up at each look."""

from trafficcore.core.load import LoadSettings

EVERY, WINDOW = 10, 30


class Shed:
    """What a `LoadBucket` decides, from lists; `rate` None: everything passes."""

    def __init__(self, settings: LoadSettings) -> None:
        self.settings = settings
        self.came: list[tuple[float, float]] = []
        self.passed: list[tuple[float, float]] = []
        self.latencies: list[tuple[float, float]] = []
        self.rate: float | None = None
        self.multiplier: float | None = None
        self.added = 0.0
        self.looked: int | None = None
        self.began: int | None = None

    def at(self, now: float) -> None:
        """Look as often as was due."""
        look = int(now // EVERY)
        if self.looked is None:
            self.looked = look
        while self.looked < look:
            self.looked += 1
            self._look(self.looked * EVERY)

    def _between(
        self, events: list[tuple[float, float]], second: float, back: float
    ) -> list[float]:
        return [amount for at, amount in events if second - back <= int(at) < second]

    def _mean(self, second: float, back: float) -> float | None:
        found = self._between(self.latencies, second, back)
        return sum(found) / len(found) if found else None

    def _look(self, second: float) -> None:
        own = self.settings
        came = self._between(self.came, second, WINDOW)
        if not came:
            self.began = None
        tokens = sum(came)
        passed = sum(self._between(self.passed, second, WINDOW))
        observed = min(1, max(0, passed / tokens)) if tokens else 1
        signal = self._mean(second, WINDOW)
        read_at = second // own.long_step * own.long_step
        mean = self._mean(read_at, own.long_window)
        if signal is None or not mean:
            self.multiplier, self.added = None, 0
        elif signal > mean * own.tolerance:
            cut = (signal / (mean * own.tolerance)) ** own.slope
            self.multiplier = observed * max(own.min_gradient, min(own.max_gradient, cut))
            self.added = 0
        elif self.multiplier is not None:
            self.added += own.increment
            self.multiplier = observed + self.added
            if self.multiplier >= own.max_multiplier:
                self.multiplier = None
        ready = self.began is not None and second - self.began >= WINDOW
        self.rate = None
        if ready and self.multiplier is not None:
            self.rate = tokens / WINDOW * self.multiplier
