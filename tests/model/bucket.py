"""A token bucket by the book: nothing kept but what happened, the level recounted every time.

Exact on Fractions, for times that never fall. Slow on purpose.
"""

from fractions import Fraction


class ModelBucket:
    """Every grant and refund since the start, and the level as their sum, capped at each step."""

    def __init__(self, capacity: Fraction | int, rate: Fraction | int) -> None:
        self.capacity = Fraction(capacity)
        self.rate = Fraction(rate)
        self.events: list[tuple[Fraction, Fraction]] = []

    def tokens_at(self, now: Fraction) -> Fraction:
        level, then = self.capacity, now if not self.events else self.events[0][0]
        for at, change in [*self.events, (now, Fraction(0))]:
            assert at >= then, "the model's clock never falls"
            level = min(self.capacity, level + self.rate * (at - then))
            level = min(self.capacity, level + change)
            then = at
        return level

    def try_acquire(self, now: Fraction, cost: Fraction | int = 1) -> bool:
        if self.tokens_at(now) < cost:
            return False
        self.events.append((now, -Fraction(cost)))
        return True

    def due(self, now: Fraction, cost: Fraction | int) -> Fraction | None:
        """When so much has come in, be it more than it holds. None: never."""
        lacking = cost - self.tokens_at(now)
        if lacking > 0 and self.rate == 0:
            return None
        return now + (lacking / self.rate if lacking > 0 else 0)

    def reserve(self, now: Fraction, cost: Fraction | int) -> Fraction | None:
        due = self.due(now, cost)
        if cost > self.capacity or due is None:
            return None
        self.charge(cost, now)
        return due

    def charge(self, cost: Fraction | int, now: Fraction) -> None:
        self.events.append((now, -Fraction(cost)))

    def update(self, now: Fraction, capacity: Fraction | int, rate: Fraction | int) -> None:
        """Begin anew, with the level scaled and a debt as it is."""
        level = self.tokens_at(now)
        if level > 0:
            level = level * capacity / self.capacity
        self.capacity, self.rate = Fraction(capacity), Fraction(rate)
        self.events = [(now, level - self.capacity)]

    def take_up_to(self, now: Fraction, cost: Fraction | int) -> Fraction:
        whole = max(Fraction(0), Fraction(min(Fraction(cost), self.tokens_at(now) // 1)))
        self.events.append((now, -whole))
        return whole

    def refund(self, cost: Fraction | int, now: Fraction) -> None:
        self.events.append((now, Fraction(cost)))

    def reset(self, tokens: Fraction | int, now: Fraction) -> None:
        self.events.append((now, min(Fraction(tokens), self.capacity) - self.tokens_at(now)))

    def earliest(self, now: Fraction, cost: Fraction | int = 1) -> Fraction | None:
        """None: never."""
        lacking = cost - self.tokens_at(now)
        if cost > self.capacity or (lacking > 0 and self.rate == 0):
            return None
        return now + (lacking / self.rate if lacking > 0 else 0)
