"""SlidingWindow: the sliding-window counter, two numbers for what a log would need all calls for.

Law     Windows begin at multiples of `window`. Of the one before, as much counts as still lies
        within the last `window` seconds if its calls came evenly; with what this one has granted:
            used(now) = previous * (1 - elapsed / window) + current
        and a cost is granted where used + cost <= limit. What is refused changes nothing.
State   The number of the window, what it has granted, and what the one before had.
Bound   At most `limit` in each window. In a stretch of that length across two of them more than
        `limit` can pass, where calls came unevenly, but less than twice of it: a bucket is
        stricter (`limits` in docs/explanation says when to take which).
Clock   A time before one already seen counts as the start of the window seen last: never looser.
Cost    O(1).   Source  the approximated sliding window of CDNs' and gateways' limiters.
Twin    tests/model/sliding.py
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

from contextlib import AbstractContextManager
from math import inf
from typing import Any, ClassVar

from trafficcore.core.limit.amounts import check_amount, checked, is_finite, refused_cost, round_up
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["SlidingWindow"]


class SlidingWindow:
    """Grants `limit` in each `window` seconds, smoothed over the edge between two windows."""

    ATOMIC: ClassVar[tuple[str, ...]] = (
        "try_acquire",
        "refund",
        "tokens_at",
        "earliest",
        "snapshot",
    )
    __slots__ = ("_lock", "current", "index", "limit", "previous", "window")

    def __init__(
        self, limit: float, window: float, *, lock: AbstractContextManager[Any] = NO_LOCK
    ) -> None:
        self.limit: float = checked("limit", limit)
        self.window: float = checked("window", window)
        if not window:
            raise ConfigError("window must be above 0, not 0")
        # The number of a window on clocks up to 2^31 s, and what the law multiplies.
        if not (is_finite(2**31 / window) and is_finite(limit * window)):
            raise ConfigError(f"window must be one that can hold {limit!r}, not {window!r}")
        self.index: float = -inf
        self.current: float = 0
        self.previous: float = 0
        self._lock = lock

    def try_acquire(self, now: float, cost: float = 1) -> bool:
        """Count `cost` in if there is room for it at `now`. *Atomic*.

        Law: see the module, multiplied out by `window`. Twin: tests/model/sliding.py.
        """
        limit = self.limit
        window = self.window
        if not 0 < cost <= limit:
            return refused_cost(cost, limit)
        index = now // window
        current = self.current
        previous = self.previous
        if index > self.index:
            previous = current if index == self.index + 1 else 0
            current = 0
        else:
            index = self.index
        left = (index + 1) * window - now
        if left > window:
            left = window
        current += cost
        if previous * left > (limit - current) * window:
            return False
        self.index = index
        self.current = current
        self.previous = previous
        return True

    def refund(self, cost: float, now: float) -> None:
        """Count `cost` out again, of this window first and then of the one before. *Atomic*."""
        if cost != 1:
            check_amount(cost)
        index = now // self.window
        current = self.current
        previous = self.previous
        if index > self.index:
            previous = current if index == self.index + 1 else 0
            current = 0
        else:
            index = self.index
        current -= cost
        if current < 0:
            previous += current
            current = 0
        if previous < 0:
            previous = 0
        self.index = index
        self.current = current
        self.previous = previous

    def tokens_at(self, now: float) -> float:
        """Return how much there is room for at `now`. *Atomic*."""
        _, current, previous, left = self._read(now)
        room = self.limit - current - previous * left / self.window
        return room if room > 0 else 0

    def earliest(self, now: float, cost: float = 1) -> float:
        """Return the first time from `now` on at which `cost` is granted; `inf` if never. *Atomic*.

        Absolute, and if nobody else takes or gives, granted at exactly that time.
        """
        limit, window = self.limit, self.window
        if not 0 < cost <= limit:
            refused_cost(cost, limit)
            return inf
        index, current, previous, left = self._read(now)
        if previous * left <= (limit - current - cost) * window:
            return now
        end = (index + 1) * window
        if current + cost > limit:  # in the next window then, as what this one granted fades
            previous, current, end = current, 0, end + window
        due = end - (limit - current - cost) * window / previous

        def granted(at: float) -> bool:
            _, current, previous, left = self._read(at)
            return bool(previous * left <= (limit - current - cost) * window)

        return round_up(due if due > now else now, granted)

    def snapshot(self, now: float) -> dict[str, float]:
        """Return the room at `now` and the settings, as plain data. *Atomic*."""
        return {"tokens": self.tokens_at(now), "limit": self.limit, "window": self.window}

    def _read(self, now: float) -> tuple[float, float, float, float]:
        """Return window, counts, and the seconds that the window before still counts for."""
        seen, current, previous = self.index, self.current, self.previous
        index = now // self.window
        if index > seen:
            current, previous = 0, current if index == seen + 1 else 0
        else:
            index = seen
        left = (index + 1) * self.window - now
        return index, current, previous, left if left < self.window else self.window
