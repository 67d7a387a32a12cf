"""KeyedGcra: a bucket for every key, in one dict of floats.

Law     `Gcra` for each key; an absent key is a full bucket, as of `swept`, the latest time at which
        a forgotten one was full: else a thread whose `now` is older than that would gain a token.
        Which keys are remembered is the law of `Keys`. While there is no room, new keys share one
        overflow bucket: evicting one that is not full would hand its owner a new burst.
State   `full_at`, key -> when full; the overflow bucket; `Keys`.
Cost    A known key: O(1), no lock. A new key: O(1) under the lock handed in.
Source  hot-path measurements in docs/explanation.
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import Any, ClassVar

from trafficcore.core.limit.amounts import check_amount, refused_cost
from trafficcore.core.limit.bucket import FASTEST_GCRA
from trafficcore.core.limit.gcra import first_grant, rescaled, spacing
from trafficcore.core.limit.keys import Keys
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["KeyedGcra"]


class KeyedGcra:
    """Holds at most `capacity` tokens for each key, and earns `rate` a second for each.

    Keys are strings (anything whose hash and equality run no Python code will do). A lock handed
    in must be re-entrant. The rate is above 0 and at most 1e6: a key that never fills again could
    never be forgotten. A capacity of 0 refuses everything, and goes with a rate of 0 too.

    At most `max_keys` keys are held. Those for which `known(key)` holds always have a bucket of
    their own, and are not counted among them; it is asked once for each key that is new, outside
    the lock.
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("try_acquire", "refund", "tokens_at", "earliest")
    __slots__ = (
        "_lock",
        "burst",
        "capacity",
        "full_at",
        "inc",
        "keys",
        "overflow_full_at",
        "overflowed",
        "rate",
    )

    def __init__(
        self,
        capacity: float,
        rate: float,
        *,
        max_keys: int = 100_000,
        known: Callable[[str], bool] | None = None,
        lock: AbstractContextManager[Any] = NO_LOCK,
    ) -> None:
        self.inc, self.burst = _spacing(capacity, rate)
        self.capacity = capacity
        self.rate = rate
        self.keys = Keys(max_keys, known)
        self.full_at = self.keys.full_at
        #: How many requests the overflow bucket has answered, and its state.
        self.overflowed = 0
        self.overflow_full_at: float = -inf
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
        return self._meet(key, now, cost, now) <= now

    def reserve(self, key: str, now: float, cost: float = 1, latest: float = inf) -> float:
        """Take `cost` of `key`'s tokens now, to be used from the time returned on. *Guarded*.

        `inf`: that would be after `latest`, or never, and nothing is taken.
        """
        if not 0 < cost <= self.capacity:
            refused_cost(cost, self.capacity)
            return inf
        return self._meet(key, now, cost, latest)

    def charge(self, key: str, cost: float, now: float) -> None:
        """Take `cost` of `key`'s tokens, there or not, however many: a debt. *Guarded*."""
        if cost != 1:
            check_amount(cost)
        self._meet(key, now, cost, inf)

    def refund(self, key: str, cost: float, now: float) -> None:
        """Give `cost` tokens back to `key`; what would not fit is lost. *Atomic*.

        A key that has been forgotten is full, and one that drew on the overflow bucket has none
        of its own: neither gets anything back.
        """
        if cost != 1:
            check_amount(cost)
        earned = cost * self.inc
        full_at = self.full_at
        if key in full_at:
            t = full_at[key]
            t -= earned
            if not t > now:  # as `Gcra.refund`
                t = now
            full_at[key] = t

    def update(self, now: float, capacity: float, rate: float) -> None:
        """Go on with other settings, every key as `Gcra.update` has it. *Guarded*; O(keys).

        Hits find no key meanwhile, and wait for the lock.
        """
        inc, burst = _spacing(capacity, rate)
        with self._lock:
            old, new = (self.capacity, self.inc), (capacity, inc)
            former = self.full_at
            self.full_at = self.keys.full_at = {}
            self.inc, self.burst, self.capacity, self.rate = inc, burst, capacity, rate
            # Sizes are known: no list is made of a million keys.
            while former:
                key, t = former.popitem()
                self.full_at[key] = rescaled(t, now, old, new)
            self.overflow_full_at = rescaled(self.overflow_full_at, now, old, new)

    def tokens_at(self, key: str, now: float) -> float:
        """Return how many tokens `key` has at `now`, from 0. *Atomic*."""
        t = self._full(key)
        tokens = (self.burst - (t - now)) / self.inc
        if tokens > self.capacity:
            return self.capacity
        return tokens if tokens > 0 else 0

    def level_at(self, key: str, now: float) -> float:
        """Return how many tokens `key` has at `now`; below 0, how many are owed."""
        t = self._full(key)
        return self.capacity if t < now else self.capacity - (t - now) / self.inc

    def due(self, key: str, now: float, cost: float) -> float:
        """Return the time by which `cost` tokens, be it above capacity, have come in for `key`."""
        t = max(self._full(key), now) + cost * self.inc - self.burst
        return max(t, now)

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
            "keys": len(self.keys),
            "known": len(self.keys.known),
            "max_keys": self.keys.max_keys,
            "overflowed": self.overflowed,
            "capacity": self.capacity,
            "rate": self.rate,
        }

    def owns(self, key: str) -> bool:
        """Whether `key` has a bucket of its own; else it is full, or shares the overflow bucket."""
        return key in self.full_at

    def __len__(self) -> int:
        return len(self.keys)

    def _full(self, key: str) -> float:
        """Return the time at which the bucket that answers `key` is full."""
        own = self.full_at.get(key)
        keys = self.keys
        if own is not None:
            return own
        if keys.crowded and self.overflow_full_at > keys.swept and not self._is_known(key):
            return self.overflow_full_at
        return keys.swept

    def _is_known(self, key: str) -> bool:
        ask = self.keys.is_known
        return ask is not None and bool(ask(key))

    def _meet(self, key: str, now: float, cost: float, latest: float) -> float:
        """Reserve for a key that may be new; return the time, `inf` if nothing is taken. *Guarded*.

        A key that is already there is treated as `Gcra` treats it.
        """
        known = key not in self.full_at and self._is_known(key)
        with self._lock:
            need = cost * self.inc
            if key in self.full_at:
                return self._take(key, now, need, latest)
            if not self.keys.make_room(now, known):
                return self._overflow(now, need, latest)
            t = max(now, self.keys.swept) + need
            due = max(now, t - self.burst)
            if due > latest:
                return inf
            self.keys.add(key, t, known)
            return due

    def _take(self, key: str, now: float, need: float, latest: float) -> float:
        """Reserve for a key that has a bucket. *Atomic*: hits take from it without the lock."""
        full_at = self.full_at
        t = full_at[key]
        if t < now:
            t = now
        t += need
        due = t - self.burst
        if due < now:
            due = now
        if due > latest:
            return inf
        full_at[key] = t
        return due

    def _overflow(self, now: float, need: float, latest: float) -> float:
        """Reserve in the bucket that new keys share. *Guarded*."""
        self.overflowed += 1
        t = max(now, self.overflow_full_at, self.keys.swept) + need
        due = max(now, t - self.burst)
        if due > latest:
            return inf
        self.overflow_full_at = t
        return due


def _spacing(capacity: float, rate: float) -> tuple[float, float]:
    """Return `spacing` of settings that a keyed bucket may have."""
    if rate > FASTEST_GCRA:
        raise ConfigError(f"rate must be at most {FASTEST_GCRA} for each key, not {rate!r}")
    # With no tokens there is nothing to fill, whatever the rate.
    return spacing(capacity, 1 if capacity == 0 == rate else rate)
