"""A sliding-window counter by the book: every grant kept, the windows counted anew each time."""

from fractions import Fraction


class ModelSliding:
    """Exact on Fractions, for times that never fall. Slow on purpose."""

    def __init__(self, limit: Fraction | int, window: Fraction | int) -> None:
        self.limit = Fraction(limit)
        self.window = Fraction(window)
        self.grants: list[tuple[Fraction, Fraction]] = []

    def counted(self, index: int) -> Fraction:
        return sum((cost for at, cost in self.grants if at // self.window == index), Fraction(0))

    def used(self, now: Fraction) -> Fraction:
        index = now // self.window
        elapsed = now / self.window - index
        return self.counted(index - 1) * (1 - elapsed) + self.counted(index)

    def try_acquire(self, now: Fraction, cost: Fraction | int = 1) -> bool:
        granted = self.used(now) + cost <= self.limit
        if granted:
            self.grants.append((now, Fraction(cost)))
        return granted

    def earliest(self, now: Fraction, cost: Fraction | int = 1) -> Fraction | None:
        """By trying: the room grows evenly within each window. None: never."""
        if cost > self.limit:
            return None
        while self.used(now) + cost > self.limit:
            edge = (now // self.window + 1) * self.window
            lacking = self.used(now) + cost - self.limit
            fades = self.counted(now // self.window - 1) / self.window
            now = min(edge, now + lacking / fades) if fades else edge
        return now
