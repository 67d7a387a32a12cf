"""The bucket of a quota: it fills evenly or by intervals, holds so much at most, and may owe.

Law    level(now) = min(capacity, tokens + rate (now - last)), or with interval fill `fill_amount`
       at each whole interval counted from `start`. A cost is taken when the level covers it. One
       above the capacity is chosen when the bucket is full, drives the level below 0, and its
       owner waits until it is back at 0. With `delay_initial_fill` a draw from a full bucket
       stops the filling for the time a fill from empty takes.
State  tokens at `last` (with an interval fill: at the last fill); nothing else moves.
Cost   O(1). `take`, `refund` and `level` on an even fill keep the rule of atomic methods, so that
       a quota may draw from it without a lock; every other use is under the quota's lock.
Twin   tests/model/fair.py
Source the token bucket of Aperture's quota scheduler, in the words of our scheduling vectors.
"""

# ruff: noqa: PLR1730  # a comparison costs a third of a call to min, and gives way to nobody
from fractions import Fraction
from math import ceil, inf, isfinite, nextafter
from typing import Any

from trafficcore.errors import ConfigError

__all__ = ["TokenBucket"]


class TokenBucket:
    """`fill_amount` tokens per `interval` seconds, `capacity` at most; full at `start` by default.

    On floats a cost is granted up to a thousandth of a token early, so that rounding never takes
    a token out of a burst; what was lent so stays owed, and adds up to nothing. On `Fraction`
    every answer is exact.
    """

    __slots__ = (
        "_delayed",
        "_even",
        "_first",
        "_index",
        "_next",
        "capacity",
        "dry",
        "fill_amount",
        "floor",
        "interval",
        "last",
        "plain",
        "rate",
        "tokens",
        "unit",
    )

    def __init__(
        self,
        capacity: float,
        fill_amount: float,
        interval: float = 1,
        continuous_fill: bool = True,
        delay_initial_fill: bool = False,
        *,
        initial_tokens: float | None = None,
        start: float = 0,
    ) -> None:
        self._put(capacity, fill_amount, interval, continuous_fill, delay_initial_fill)
        #: Interval fill: the instants are `_first + k interval`; `_index` is the last k counted.
        self.last: Any = start
        self._first: Any = start
        tokens = capacity if initial_tokens is None else initial_tokens
        if not tokens <= capacity:
            raise ConfigError(f"initial_tokens must be at most {capacity!r}, not {tokens!r}")
        self.tokens: Any = tokens * self.unit
        #: Whether `take` is the law in one run: an even fill that nothing delays.
        self.plain = bool(self._even and not self._delayed)

    def _put(
        self, capacity: float, fill_amount: float, interval: float, even: bool, delayed: bool
    ) -> None:
        if not (capacity >= 0 and isfinite(capacity)):
            raise ConfigError(f"capacity must be a number from 0, not {capacity!r}")
        if not (fill_amount >= 0 and isfinite(fill_amount)):
            raise ConfigError(f"fill_amount must be a number from 0, not {fill_amount!r}")
        if not (interval > 0 and isfinite(interval)):
            raise ConfigError(f"interval must be above 0 s, not {interval!r}")
        self.fill_amount: Any = fill_amount
        self.interval: Any = interval
        self.rate: Any = fill_amount / interval
        #: 1 in the number class of the rate; all that is compared is of that class, for speed.
        self.unit: Any = self.rate * 0 + 1
        self.capacity: Any = capacity * self.unit
        #: Whether no token will ever come.
        self.dry = not fill_amount
        #: The level that a grant may leave at the least: 0, but for rounding.
        exact = isinstance(self.rate, Fraction)
        self.floor: Any = 0 if exact else -min(capacity, 1) / 1024
        self._even = even
        self._delayed = delayed
        self._index = 0
        #: Settings to go on with, from the next look.
        self._next: tuple[Any, ...] | None = None

    def change(
        self,
        capacity: float,
        fill_amount: float,
        interval: float = 1,
        continuous_fill: bool = True,
        delay_initial_fill: bool = False,
    ) -> None:
        """Go on with other settings from the next look, as of then: the level scaled, debts kept.

        An interval fill begins with it.
        """
        self._next = capacity, fill_amount, interval, continuous_fill, delay_initial_fill
        self.plain = False

    def _turn(self, settings: tuple[Any, ...], now: float) -> None:
        self._next = None
        tokens, capacity = self.level(now), self.capacity
        self._put(*settings)
        self.last = self._first = now
        scaled = tokens > 0 and capacity > 0
        self.tokens = tokens * self.capacity / capacity if scaled else tokens * self.unit
        self.plain = self._even and not self._delayed  # last: now anybody may take

    def level(self, now: float) -> Any:
        """Return how many tokens are there; below 0 they are owed."""
        if self._next is not None:
            self._turn(self._next, now)
        if not self._even:
            self._fill(now)
        tokens = self.tokens
        last = self.last
        if self._even and now > last:
            tokens += (now - last) * self.rate
            if tokens > self.capacity:
                tokens = self.capacity
        return tokens

    def take(self, now: float, cost: float) -> int:
        """Take the tokens if they are there."""
        if not self.plain:
            return self._take_otherwise(now, cost)
        rate, capacity, floor = self.rate, self.capacity, self.floor
        tokens = self.tokens
        last = self.last
        if now > last:
            tokens += (now - last) * rate
            if tokens > capacity:
                tokens = capacity
            last = now
        tokens -= cost
        if tokens < floor:
            return 0
        self.tokens = tokens
        self.last = last
        return 1

    def refund(self, now: float, cost: float) -> None:
        """Put `cost` tokens in, never above capacity; below 0 it takes them, on credit."""
        if self._next is not None:
            self._turn(self._next, now)
        if not self._even:
            self._fill(now)
            now = self.last
        rate, capacity = self.rate, self.capacity
        tokens = self.tokens
        last = self.last
        if now > last:
            tokens += (now - last) * rate
            last = now
        if tokens > capacity:
            tokens = capacity
        tokens += cost
        if tokens > capacity:
            tokens = capacity
        self.tokens = tokens
        self.last = last

    def overdraw(self, now: float, cost: float) -> bool:
        """Take more than the bucket holds, on credit, if it is full."""
        if self.level(now) - self.capacity < self.floor or self.dry:
            return False
        self._draw(now, cost)
        return True

    def solvent(self, now: float) -> bool:
        """Whether nothing is owed."""
        return bool(self.level(now) >= self.floor)

    def earliest(self, cost: float) -> Any:
        """Return when the level reaches `cost`, if nothing is taken; -inf: it has, `inf`: never."""
        tokens = self.tokens
        if tokens - cost >= self.floor or self._next is not None:
            return -inf
        if not cost <= self.capacity or self.dry:
            return inf
        if not self._even:
            return self._when(cost)
        last, rate = self.last, self.rate
        short = cost - tokens
        when = last + short / rate
        step: Any = 0
        while (when - last) * rate - short < self.floor:  # only where floats are too coarse for it
            step = 2 * step or nextafter(when, inf) - when
            when += step
        return when

    def supplied(self, now: float, amount: float) -> Any:
        """Return when `amount` has been there to take, were each token taken as it comes."""
        if self.level(now) >= amount:
            return now
        return None if self.dry else max(now, self._when(amount))

    def release(self, lease: int) -> bool:  # noqa: ARG002  # the verb of slots
        """Do nothing: tokens are spent, there is nothing to release."""
        return False

    def clear(self) -> None:
        """Do nothing: tokens are spent, whoever spent them."""

    def _when(self, amount: float) -> Any:
        short = amount - self.tokens
        if self._even:
            return self.last + short / self.rate
        return self._first + (self._index + ceil(short / self.fill_amount)) * self.interval

    def _take_otherwise(self, now: float, cost: float) -> int:
        if self.level(now) - cost < self.floor:
            return 0
        self._draw(now, cost)
        return 1

    def _draw(self, now: float, cost: float) -> None:
        """Take, come what may; a full bucket that delays its filling starts to do so."""
        full = self._delayed and self.level(now) == self.capacity
        self.refund(now, -cost)
        if full and not self.dry:
            if self._even:
                self.last = max(self.last, now + self.capacity / self.rate)
            else:
                fills = ceil(self.capacity / self.fill_amount)
                self._first, self._index = now + fills * self.interval, -1
                self.last = self._first - self.interval

    def _fill(self, now: float) -> None:
        """Count the intervals that have ended since the last look."""
        first, interval = self._first, self.interval
        if not now >= first + (self._index + 1) * interval:
            return
        index = int((now - first) / interval)
        if first + index * interval > now:  # the division may round either way
            index -= 1
        elif first + (index + 1) * interval <= now:
            index += 1
        tokens = self.tokens + (index - self._index) * self.fill_amount
        self.tokens = self.capacity if tokens > self.capacity else tokens
        self._index = index
        self.last = first + index * interval
