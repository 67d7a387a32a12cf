"""TokenBucket: a bucket that fills evenly, kept as a level and the time it was read.

Law     tokens(now) = min(capacity, tokens + rate * (now - last)); a cost is granted where
        tokens(now) >= cost, and taken. What is refused changes nothing. What is reserved or
        charged is taken at once, whether it is there or not: `tokens` may be a debt.
State   `tokens` and `last`, two numbers. Nothing is rounded: exact on `Fraction`.
Clock   A time before one already seen finds fewer tokens, never more. A new bucket is full
        whatever the time is.
Cost    O(1). Right at any rate, also where `Gcra` would round (above about 1e6 tokens/s).
Source  Envoy's token bucket; Turner 1986, the leaky bucket as a meter.
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

from contextlib import AbstractContextManager
from math import inf
from typing import Any, ClassVar

from trafficcore.core.limit.amounts import check_amount, checked, refused_cost, round_up
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["TokenBucket"]


class TokenBucket:
    """Holds at most `capacity` tokens and earns `rate` of them a second; starts full.

    With `tokens`, starts with that many as of `last`. A rate of 0 never fills again, a capacity
    of 0 refuses everything. Times and amounts may be floats, ints or Fractions; on Fractions (the
    rate as well) every answer is exact.
    """

    ATOMIC: ClassVar[tuple[str, ...]] = (
        "try_acquire",
        "take_up_to",
        "reserve",
        "charge",
        "refund",
        "reset",
        "update",
        "tokens_at",
        "level_at",
        "due",
        "earliest",
        "snapshot",
    )
    __slots__ = ("_lock", "capacity", "last", "rate", "tokens")

    def __init__(
        self,
        capacity: float,
        rate: float,
        *,
        tokens: float | None = None,
        last: float | None = None,
        lock: AbstractContextManager[Any] = NO_LOCK,
    ) -> None:
        self.capacity: float = checked("capacity", capacity)
        self.rate: float = checked("rate", rate)
        if (tokens is None) != (last is None):
            raise ConfigError("tokens and last go together: how many there are, and as of when")
        # As of "always", so full by any now. A bucket that never fills needs no such date.
        self.last: float = (-inf if rate else 0) if last is None else last
        self.tokens: float = capacity if tokens is None else checked("tokens", tokens)
        self._lock = lock

    def try_acquire(self, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there at `now`. *Atomic*.

        Law: see the module. Twin: tests/model/bucket.py. The sum goes on where `now` falls below
        `last`: fewer tokens then, and the same line through both points.
        """
        if not 0 < cost <= self.capacity:
            return refused_cost(cost, self.capacity)
        tokens = self.tokens + (now - self.last) * self.rate
        if tokens > self.capacity:
            tokens = self.capacity
        if tokens < cost:
            return False
        self.tokens = tokens - cost
        self.last = now
        return True

    def take_up_to(self, now: float, cost: float) -> float:
        """Take as many whole tokens as there are, at most `cost`; return how many. *Atomic*."""
        if cost != 1:
            check_amount(cost)
        tokens = self.tokens + (now - self.last) * self.rate
        if tokens > self.capacity:
            tokens = self.capacity
        whole = tokens // 1
        if whole <= 0:
            return 0
        if whole > cost:
            whole = cost
        self.tokens = tokens - whole
        self.last = now
        return whole

    def reserve(self, now: float, cost: float = 1, latest: float = inf) -> float:
        """Take `cost` tokens now, to be used from the time returned on. *Atomic*.

        `inf`: that would be after `latest`, or never, and nothing is taken.
        """
        if not 0 < cost <= self.capacity:
            refused_cost(cost, self.capacity)
            return inf
        tokens = self.tokens + (now - self.last) * self.rate
        if tokens > self.capacity:
            tokens = self.capacity
        tokens -= cost
        due = now
        if tokens < 0:
            due = now - tokens / self.rate if self.rate else inf
        if due > latest or due == inf:
            return inf
        self.tokens = tokens
        self.last = now
        return due

    def charge(self, cost: float, now: float) -> None:
        """Take `cost` tokens, there or not, however many: what is missing is a debt. *Atomic*."""
        if cost != 1:
            check_amount(cost)
        tokens = self.tokens + (now - self.last) * self.rate
        if tokens > self.capacity:
            tokens = self.capacity
        self.tokens = tokens - cost
        self.last = now

    def refund(self, cost: float, now: float) -> None:
        """Give `cost` tokens back; what would not fit is lost. *Atomic*."""
        if cost != 1:
            check_amount(cost)
        tokens = self.tokens + (now - self.last) * self.rate + cost
        if tokens > self.capacity:
            tokens = self.capacity
        self.tokens = tokens
        self.last = now

    def reset(self, tokens: float, now: float) -> None:
        """Hold `tokens` as of `now`, at most `capacity`. *Atomic*."""
        checked("tokens", tokens)
        if tokens > self.capacity:
            tokens = self.capacity
        self.tokens = tokens
        self.last = now

    def update(self, now: float, capacity: float, rate: float) -> None:
        """Go on with other settings: the level is scaled, a debt is kept. *Atomic*.

        Half full stays half full. What is owed is owed in tokens, whatever the bucket holds.
        """
        checked("capacity", capacity)
        checked("rate", rate)
        tokens = self.tokens + (now - self.last) * self.rate
        if tokens > self.capacity:
            tokens = self.capacity
        if tokens > 0:
            tokens = tokens * capacity / self.capacity
        self.tokens = tokens
        self.last = now
        self.capacity = capacity
        self.rate = rate

    def tokens_at(self, now: float) -> float:
        """Return how many tokens there are at `now`, from 0. *Atomic*."""
        tokens = self.tokens + (now - self.last) * self.rate
        if tokens > self.capacity:
            return self.capacity
        return tokens if tokens > 0 else 0

    def level_at(self, now: float) -> float:
        """Return how many tokens there are at `now`; below 0, how many are owed. *Atomic*."""
        tokens = self.tokens + (now - self.last) * self.rate
        return self.capacity if tokens > self.capacity else tokens

    def due(self, now: float, cost: float) -> float:
        """Return the time by which `cost` tokens, be it more than it holds, have come in. *Atomic*.

        For a sum of costs that are taken one after the other; `inf` where none come in.
        """
        tokens = self.tokens + (now - self.last) * self.rate
        if tokens > self.capacity:
            tokens = self.capacity
        lacking = cost - tokens
        if lacking <= 0:
            return now
        return now + lacking / self.rate if self.rate else inf

    def earliest(self, now: float, cost: float = 1) -> float:
        """Return the first time from `now` on at which `cost` is granted; `inf` if never. *Atomic*.

        Absolute, and if nobody else takes or gives, granted at exactly that time.
        """
        capacity, rate = self.capacity, self.rate
        if not 0 < cost <= capacity:
            refused_cost(cost, capacity)
            return inf
        tokens, last = self.tokens, self.last

        def granted(at: float) -> bool:
            return tokens + (at - last) * rate >= cost

        if granted(now):
            return now
        if not rate:
            return inf
        due = last + (cost - tokens) / rate
        return round_up(due if due > now else now, granted)

    def snapshot(self, now: float) -> dict[str, float]:
        """Return the level at `now` and the settings, as plain data. *Atomic*."""
        return {"tokens": self.tokens_at(now), "capacity": self.capacity, "rate": self.rate}
