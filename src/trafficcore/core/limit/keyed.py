"""KeyedGcra: a bucket for every key, in one dict of floats.

Law     `Gcra` for each key; an absent key is a full bucket. A key that is full again says nothing
        that its absence would not say, so only such keys are ever forgotten. An absent key is full
        as of `swept`, the latest time at which a forgotten one was: else a thread whose `now` is
        older than that would gain a token.
State   `full_at`, key -> when full; `swept`; the keys in the order of their next look.
Bounds  At most `max_keys` keys. For each new key two old ones are looked at, the longest
        unchecked first, and forgotten if they have been full for a minute; where room is needed,
        if they are full at all. (Forgetting a key that comes back at once costs more than it
        saves.) While there is no room and none of the two is full, new keys share one overflow
        bucket: evicting one that is not full would hand its owner a new burst.
Cost    A known key: O(1), no lock. A new key: O(1) under the lock handed in. 55 bytes a key and
        8 for its place in the order.
Source  hot-path measurements in docs/explanation.
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

from collections import deque
from contextlib import AbstractContextManager
from math import inf
from typing import Any, ClassVar, Final

from trafficcore.core.limit.amounts import refused_cost
from trafficcore.core.limit.bucket import FASTEST_GCRA
from trafficcore.core.limit.gcra import first_grant, spacing
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["KeyedGcra"]

#: Old keys looked at for each new one: two, so that forgetting outruns learning.
_LOOKS: Final = 2
#: Seconds for which a full bucket is kept while there is room.
_IDLE: Final = 60


class KeyedGcra:
    """Holds at most `capacity` tokens for each key, and earns `rate` a second for each.

    Keys are strings (anything whose hash and equality run no Python code will do). A lock handed
    in must be re-entrant. The rate is above 0 and at most 1e6: a key that never fills again could
    never be forgotten. A capacity of 0 refuses everything, and goes with a rate of 0 too.
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("try_acquire", "refund", "tokens_at", "earliest")
    __slots__ = (
        "_lock",
        "_order",
        "burst",
        "capacity",
        "full_at",
        "inc",
        "max_keys",
        "overflow_full_at",
        "overflowed",
        "rate",
        "swept",
    )

    def __init__(
        self,
        capacity: float,
        rate: float,
        *,
        max_keys: int = 100_000,
        lock: AbstractContextManager[Any] = NO_LOCK,
    ) -> None:
        # With no tokens there is nothing to fill, whatever the rate.
        self.inc, self.burst = spacing(capacity, 1 if capacity == 0 == rate else rate)
        if rate > FASTEST_GCRA:
            raise ConfigError(f"rate must be at most {FASTEST_GCRA} for each key, not {rate!r}")
        if not max_keys >= 1:
            raise ConfigError(f"max_keys must be at least 1, not {max_keys!r}")
        self.capacity = capacity
        self.rate = rate
        self.max_keys = max_keys
        self.full_at: dict[str, float] = {}
        self.swept: float = -inf
        #: How many requests the overflow bucket has answered, and its state.
        self.overflowed = 0
        self.overflow_full_at: float = -inf
        self._order: deque[str] = deque()
        self._lock = lock

    def try_acquire(self, key: str, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens of `key`'s if they are there. *Atomic*; for a new key *guarded*."""
        need = self.inc
        if cost != 1:
            if not 0 < cost <= self.capacity:
                return refused_cost(cost, self.capacity)
            need *= cost
        full_at = self.full_at
        if key in full_at:
            t = full_at[key]
            if t < now:
                t = now
            t += need
            if t - self.burst > now:
                return False
            full_at[key] = t
            return True
        return self._meet(key, now, need)

    def refund(self, key: str, cost: float, now: float) -> None:
        """Give `cost` tokens back to `key`; what would not fit is lost. *Atomic*.

        A key that has been forgotten is full, and one that drew on the overflow bucket has none
        of its own: neither gets anything back.
        """
        if not cost > 0:
            refused_cost(cost, self.capacity)
        earned = cost * self.inc
        full_at = self.full_at
        if key in full_at:
            t = full_at[key]
            t -= earned
            if t < now:
                t = now
            full_at[key] = t

    def tokens_at(self, key: str, now: float) -> float:
        """Return how many tokens `key` has at `now`. *Atomic*."""
        t = self._full(key)
        tokens = (self.burst - (t - now)) / self.inc
        if tokens > self.capacity:
            return self.capacity
        return tokens if tokens > 0 else 0

    def earliest(self, key: str, now: float, cost: float = 1) -> float:
        """Return the first time from `now` on at which `cost` is granted; `inf` if never. *Atomic*.

        Absolute. A key without a bucket of its own is told when the overflow bucket grants it.
        """
        if not 0 < cost <= self.capacity:
            refused_cost(cost, self.capacity)
            return inf
        return first_grant(now, cost * self.inc, self.burst, self._full(key))

    def snapshot(self, now: float) -> dict[str, float]:  # noqa: ARG002  # as every machine's
        """Return counts and settings, as plain data."""
        return {
            "keys": len(self.full_at),
            "max_keys": self.max_keys,
            "overflowed": self.overflowed,
            "capacity": self.capacity,
            "rate": self.rate,
        }

    def __len__(self) -> int:
        return len(self.full_at)

    def _full(self, key: str) -> float:
        """Return the time at which the bucket that answers `key` is full."""
        known = self.full_at.get(key)
        if known is not None:
            return known
        if len(self.full_at) >= self.max_keys and self.overflow_full_at > self.swept:
            return self.overflow_full_at
        return self.swept

    def _meet(self, key: str, now: float, need: float) -> bool:
        """Answer for a key that was not there a moment ago. *Guarded*."""
        with self._lock:
            if key not in self.full_at:
                full_by = now if len(self.full_at) >= self.max_keys else now - _IDLE
                for _ in range(_LOOKS):
                    if self._order:
                        self._look(self._order.popleft(), full_by)
                if len(self.full_at) >= self.max_keys:
                    return self._overflow(now, need)
                t = max(now, self.swept) + need
                if t - self.burst > now:
                    return False
                self.full_at[key] = t
                self._order.append(key)
                return True
            return self._again(key, now, need)

    def _again(self, key: str, now: float, need: float) -> bool:
        """Do what `try_acquire` does for a key that another thread has just brought. *Atomic*."""
        full_at = self.full_at
        t = full_at[key]
        if t < now:
            t = now
        t += need
        if t - self.burst > now:
            return False
        full_at[key] = t
        return True

    def _look(self, key: str, full_by: float) -> None:
        """Forget `key` if it was full by then, else queue it for another look. *Guarded*."""
        if not self._forget(key, full_by):
            self._order.append(key)

    def _forget(self, key: str, full_by: float) -> bool:
        """Forget `key` if it was full by then. *Atomic*: a hit comes before or after, not between.

        Only the holder of the lock adds or removes keys, so it is there.
        """
        full_at = self.full_at
        t = full_at[key]
        if t > full_by:
            return False
        # The date first: whoever misses the key must find it.
        if t > self.swept:
            self.swept = t
        del full_at[key]
        return True

    def _overflow(self, now: float, need: float) -> bool:
        """Answer from the bucket that new keys share. *Guarded*."""
        self.overflowed += 1
        t = max(now, self.overflow_full_at, self.swept) + need
        if t - self.burst > now:
            return False
        self.overflow_full_at = t
        return True
