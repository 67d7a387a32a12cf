"""A breaker a key (host, route), as many as there is need of.

Law     A key's breaker is made at its first call. One that is closed and has nothing in its window
        may be dropped at any time, an open or half-open one never. At the bound, with none to
        drop, a new key passes unguarded and is counted: to share one would trip strangers.
        (Not all keys are looked at for one call: an idle one may be found some new keys later.)
State   a dict of breakers, and the order in which their keys are looked at again.
Cost    a hit is one look into a dict; a new key looks at two old ones under the lock, 16 if full.
Source  the reference's rule R29.
"""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, ClassVar, Final, Generic, TypeVar

from trafficcore.core.breaker.breaker import Breaker
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError

__all__ = ["KeyedBreaker"]

K = TypeVar("K", bound=Hashable)


#: Old keys looked at for each new one: so many that idle ones go faster than new ones come.
_LOOKS: Final = 2
_LOOKS_WHEN_FULL: Final = 16


class KeyedBreaker(Generic[K]):
    """Breakers by key, at most `bound` of them. `make(now)` returns a new one, with its lock."""

    __slots__ = ("__weakref__", "_bound", "_breakers", "_lock", "_make", "_order", "unguarded")

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
        breaker = self._breakers.get(key)
        return self._add(key, now) if breaker is None else breaker

    def _add(self, key: K, now: float) -> Breaker | None:
        with self._lock:
            breakers = self._breakers
            if key in breakers:
                return breakers[key]
            self._sweep(now, _LOOKS_WHEN_FULL if len(breakers) >= self._bound else _LOOKS)
            if len(breakers) >= self._bound:
                self.unguarded += 1
                return None
            made = self._make(now)
            breakers[key] = made
            self._order.append(key)
            return made

    def _sweep(self, now: float, looks: int) -> None:
        """Drop what is idle among the next few keys."""
        order, breakers = self._order, self._breakers
        for _ in range(min(looks, len(order))):
            key = order.popleft()
            if breakers[key].idle(now):
                del breakers[key]
            else:
                order.append(key)

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return how many there are, and what each shows. *Guarded*."""
        with self._lock:
            breakers = dict(self._breakers)
        shown = {str(key): breaker.snapshot(now) for key, breaker in breakers.items()}
        return {"keys": len(breakers), "unguarded": self.unguarded, "breakers": shown}
