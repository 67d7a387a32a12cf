"""`Recent`: how many came lately, and what they add up to, in whole slots of time.

Law    slot k is [k slot, (k + 1) slot). At slot k count what came in the `slots` before it: the
       running one is not over, and says nothing yet.
State  a ring of (slot, how many, sum), oldest first; empty slots are not in it.
Cost   O(1) to add, O(slots) to read: readings are seldom, and a running sum would drift.
Source the token counters of Aperture's load scheduler; `increase()` over whole steps.
"""

from collections import deque
from typing import Any

from trafficcore.errors import ConfigError

__all__ = ["Recent"]


class Recent:
    """Held under its owner's lock. A clock that steps back counts in the newest slot."""

    __slots__ = ("_ring", "_slots", "slot")

    def __init__(self, slots: int, slot: float = 1) -> None:
        if slots < 1:
            raise ConfigError(f"slots must be at least 1, not {slots!r}")
        if not slot > 0:
            raise ConfigError(f"slot must be above 0 s, not {slot!r}")
        self._slots = slots
        self.slot = slot
        self._ring: deque[tuple[int, int, Any]] = deque()

    def at(self, now: float) -> int:
        """Return the number of the slot that `now` is in."""
        return int(now // self.slot)

    def add(self, now: float, amount: float, count: int = 1) -> None:
        """Note one more, or `count` of them, and what they amount to."""
        ring, index = self._ring, self.at(now)
        if ring and ring[-1][0] >= index:
            last, before, total = ring.pop()
            ring.append((last, before + count, total + amount))
            return
        ring.append((index, count, amount))
        while ring[0][0] < index - self._slots:
            ring.popleft()

    def before(self, index: int) -> tuple[int, Any]:
        """Return how many came in the slots before `index` that count there, and their sum."""
        first = index - self._slots
        count, total = 0, 0
        for slot, some, amount in self._ring:
            if first <= slot < index:
                count += some
                total += amount
        return count, total

    def mean(self, index: int) -> Any:
        """Return their mean; None: nobody came."""
        count, total = self.before(index)
        return total / count if count else None
