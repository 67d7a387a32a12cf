"""A bucket with reservations, by the book: every use that is past or to come, recounted each time.

Exact on Fractions, for times that never fall. Slow on purpose.
"""

from fractions import Fraction


class ModelBookings:
    """Uses of tokens in the order of their times: reservations are uses to come."""

    def __init__(self, capacity: Fraction | int, rate: Fraction | int) -> None:
        self.capacity = Fraction(capacity)
        self.rate = Fraction(rate)
        self.uses: list[list[Fraction]] = []

    def level(self, at: Fraction) -> Fraction:
        """The level at a time, after all that is used up to it."""
        level, then = self.capacity, at if not self.uses else self.uses[0][0]
        for when, cost in self.uses:
            if when > at:
                break
            level = min(self.capacity, level + self.rate * (when - then))
            level = min(self.capacity, level - cost)
            then = when
        return min(self.capacity, level + self.rate * (at - then))

    def free(self, now: Fraction) -> Fraction:
        """What is there at `now` for those who come later, or is owed: all uses behind them."""
        end = max(now, self.end)
        return self.level(end) - self.rate * (end - now)

    @property
    def end(self) -> Fraction:
        return self.uses[-1][0] if self.uses else Fraction(-(10**9))

    def reserve(self, now: Fraction, cost: Fraction | int) -> list[Fraction]:
        lacking = max(Fraction(0), cost - self.free(now))
        return self._write(max(now + lacking / self.rate, self.end, now), Fraction(cost))

    def cancel(self, use: list[Fraction]) -> None:
        self.uses = [each for each in self.uses if each is not use]

    def change(self, now: Fraction, cost: Fraction | int) -> list[Fraction]:
        return self._write(now, Fraction(cost))

    def _write(self, at: Fraction, cost: Fraction) -> list[Fraction]:
        use = [at, cost]
        self.uses = sorted([*self.uses, use], key=lambda each: each[0])
        return use
