"""A breaker a key (host, route), as many as there is need of.

Law     A key's breaker is made at its first call. One that is closed and has nothing in its window
        may be dropped at any time, an open or half-open one never. At the bound, with none to
        drop, a new key passes unguarded and is counted: to share one would trip strangers.
State   a dict of breakers, and the order in which their keys are looked at again.
Cost    a hit is one look into a dict; a new key looks at up to two old ones, under the lock.
Source  the reference's rule R29.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any, ClassVar, Generic, TypeVar

from trafficcore.core.breaker.breaker import Breaker
from trafficcore.core.breaker.states import State
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["KeyedBreaker"]

K = TypeVar("K", bound=Hashable)


class KeyedBreaker(Generic[K]):
    """Breakers by key, at most `bound` of them. `make(now)` returns a new one, with its lock."""

    __slots__ = ("_bound", "_breakers", "_lock", "_make", "_order", "unguarded")

    ATOMIC: ClassVar[tuple[str, ...]] = ("find",)

    def __init__(
        self, make: Callable[[float], Breaker], *, bound: int = 10_000, lock: Any = NO_LOCK
    ) -> None:
        if bound < 1:
            raise ConfigError(f"bound must be at least 1, not {bound!r}")
        self._make = make
        self._bound = bound
        self._lock = lock
        self._breakers: dict[K, Breaker] = {}
        self._order: deque[K] = deque()
        #: Calls of keys that there was no room for.
        self.unguarded = 0

    def find(self, key: K, now: float) -> Breaker | None:
        """Return the breaker of `key`, None if there is no room for one. *Atomic* for old keys."""
        breakers = self._breakers
        return breakers[key] if key in breakers else self._add(key, now)

    def _add(self, key: K, now: float) -> Breaker | None:
        with self._lock:
            breakers = self._breakers
            if key in breakers:
                return breakers[key]
            self._sweep(now, len(self._order) if len(breakers) >= self._bound else 2)
            if len(breakers) >= self._bound:
                self.unguarded += 1
                return None
            made = self._make(now)
            breakers[key] = made
            self._order.append(key)
            return made
