"""Slots: how much may run at once, given back when it ends or when it is taken for ended.

Law    a cost fits while cost in flight + cost <= `max_concurrency`; one above the limit runs when
       nothing else does. After `max_inflight_duration` a call is taken for ended, should its end
       be lost: its slots come back once, then or by `release`, whichever is first.
State  cost in flight; with a duration also every lease, in the order in which they end.
Cost   O(1) amortized.
Source the concurrency limiter of Aperture, counted exactly.
"""

from collections import deque
from math import inf
from typing import Any, Final

from trafficcore.errors import ConfigError

__all__ = ["Slots"]

#: Leases given back in time are left in the order of ends up to this many above the live ones.
_SLACK: Final = 64


class Slots:
    """At most `max_concurrency` in flight; 0 lets nothing run. Held under its owner's lock."""

    __slots__ = (
        "_ends",
        "_lease",
        "_leases",
        "_out",
        "capacity",
        "dry",
        "max_inflight_duration",
        "plain",
        "unit",
    )

    def __init__(self, max_concurrency: float, max_inflight_duration: float = inf) -> None:
        if not max_concurrency >= 0:
            raise ConfigError(f"max_concurrency must be from 0, not {max_concurrency!r}")
        if not max_inflight_duration > 0:
            raise ConfigError(
                f"max_inflight_duration must be above 0 s, not {max_inflight_duration!r}"
            )
        self.capacity: Any = max_concurrency
        self.max_inflight_duration = max_inflight_duration
        self.unit: Any = max_concurrency * 0 + 1
        #: Whether nothing will ever run.
        self.dry = not max_concurrency
        #: Leases are more than one number: every use is under the lock.
        self.plain = False
        self._out: Any = 0
        self._lease = 0
        self._leases: dict[int, Any] = {}
        self._ends: deque[tuple[Any, int]] = deque()

    def change(self, max_concurrency: float, max_inflight_duration: float = inf) -> None:
        """Let so many run from now on; those that run go on, for as long as they were let."""
        self.capacity = max_concurrency
        self.dry = not max_concurrency
        self.max_inflight_duration = max_inflight_duration

    def level(self, now: float) -> Any:
        """Return how much more fits; below 0 while one above the limit runs."""
        self._expire(now)
        return self.capacity - self._out

    def take(self, now: float, cost: float) -> int:
        """Take slots if they fit; the answer is the lease to release them by, 0: they do not."""
        self._expire(now)
        out = self._out
        if out + cost > self.capacity and (out or not self.capacity):
            return 0
        self._out = out + cost
        self._lease = lease = self._lease + 1
        self._leases[lease] = cost
        if self.max_inflight_duration < inf:
            self._ends.append((now + self.max_inflight_duration, lease))
        return lease

    def release(self, lease: int) -> bool:
        """Give a lease back; False: it had come back before."""
        cost = self._leases.pop(lease, None)
        if cost is None:
            return False
        self._out -= cost
        if not self._leases:
            self._out = 0
        if len(self._ends) > 2 * len(self._leases) + _SLACK:
            self._ends = deque(end for end in self._ends if end[1] in self._leases)
        return True

    def clear(self) -> None:
        """Take every call for ended."""
        self._out = 0
        self._leases.clear()
        self._ends.clear()

    def earliest(self, cost: float) -> Any:
        """Return when to look again: -inf, it fits; the next end that is certain; `inf`: never."""
        if not self.capacity:
            return inf
        if self._out + cost <= self.capacity or not self._out:
            return -inf
        ends = self._ends
        while ends and ends[0][1] not in self._leases:
            ends.popleft()
        return ends[0][0] if ends else inf

    def overdraw(self, now: float, cost: float) -> bool:  # noqa: ARG002  # the verb of buckets
        """Answer no: one above the limit runs alone, on no credit."""
        return False

    def refund(self, now: float, cost: float) -> None:
        """Do nothing: slots come back by `release`, and are not corrected."""

    def supplied(self, now: float, amount: float) -> Any:
        """Return `now` if the amount is there; nobody knows when calls end."""
        return now if self.level(now) >= amount else None

    def _expire(self, now: float) -> None:
        ends = self._ends
        while ends and ends[0][0] <= now:
            self.release(ends.popleft()[1])
