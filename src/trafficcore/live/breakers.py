"""Breakers by name (a service, a host, a route), each made when it is first asked for.

Law     A name has one breaker for as long as anybody holds it. Those that are closed with nothing
        in their window are let go of where room is needed; an open or half-open one never is. With
        none to let go, a new name passes unguarded and is counted: to share a breaker would trip
        strangers.
State   the breakers by name, and the order in which they are looked at again.
Cost    a known name is one look into a dict; a new one takes the lock; at the bound it looks at 16.
Source  rule R29; `core.breaker.KeyedBreaker` is the same for machines.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

from trafficcore.core.breaker import IllegalMove, Settings, State
from trafficcore.engine.guard import new_lock
from trafficcore.errors import ConfigError
from trafficcore.live.breaker import CircuitBreaker

__all__ = ["Breakers"]

#: Old names looked at for a new one, at the bound.
_LOOKS: Final = 16
_WHY: Final = "all names that are too many share one breaker"


class _OpenDoor(CircuitBreaker):
    """What all names share that there is no room for: it lets by, and nobody may change that."""

    __slots__ = ()

    def to(self, state: State | str, duration: float | None = None) -> None:  # noqa: ARG002
        """Refuse: it would be done to strangers."""
        raise IllegalMove(f"it cannot be made {state}, there being no room for its name: {_WHY}")

    def update(self, settings: Settings) -> bool:  # noqa: ARG002  # a breaker's shape
        """Refuse: it would be done to strangers."""
        raise IllegalMove(f"it cannot be set, there being no room for its name: {_WHY}")


class Breakers:
    """A registry: `breakers["payments"]` is a `CircuitBreaker` of that name, always the same.

    `settings` are those of every breaker, as `CircuitBreaker` takes them; `named` holds what is
    different for some names. At most `bound` are kept.
    """

    def __init__(
        self,
        *,
        named: Mapping[str, Mapping[str, Any]] | None = None,
        bound: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
        **settings: Any,
    ) -> None:
        if bound < 1:
            raise ConfigError(f"bound must be at least 1, not {bound!r}")
        self._named = dict(named or {})
        self._bound = bound
        self._clock = clock
        self._settings = settings
        self._lock = new_lock()
        self._held: dict[str, CircuitBreaker] = {}
        self._order: deque[str] = deque()
        self._alive: WeakValueDictionary[str, CircuitBreaker] = WeakValueDictionary()
        #: Times that there was no room for a name.
        self.unguarded = 0
        self._open_door = _OpenDoor(
            settings=Settings(initial_state="disabled"), name="(unguarded)", clock=clock
        )
        for name in ("", *self._named):  # a setting that cannot work is told now
            self._make(name)

    def __getitem__(self, name: str) -> CircuitBreaker:
        breaker = self._held.get(name)
        return self._add(name) if breaker is None else breaker

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __len__(self) -> int:
        return len(self._held)

    def snapshot(self) -> dict[str, Any]:
        """Return what each of them shows, as plain data. It is of this `process` alone."""
        with self._lock:
            held = dict(self._held)
        shown = {name: breaker.snapshot() for name, breaker in held.items()}
        return {"process": os.getpid(), "unguarded": self.unguarded, "breakers": shown}

    def _make(self, name: str) -> CircuitBreaker:
        settings = {**self._settings, **self._named.get(name, {})}
        return CircuitBreaker(name=name, clock=self._clock, **settings)

    def _add(self, name: str) -> CircuitBreaker:
        with self._lock:
            held = self._held
            if name in held:
                return held[name]
            if len(held) >= self._bound:
                self._let_go()
            if len(held) >= self._bound:
                self.unguarded += 1
                return self._open_door
            breaker = self._alive.get(name)
            if breaker is None:
                breaker = self._alive[name] = self._make(name)
            held[name] = breaker
            self._order.append(name)
            return breaker

    def _let_go(self) -> None:
        """Drop what is idle among the next few."""
        order, now = self._order, self._clock()
        for _ in range(min(_LOOKS, len(order))):
            name = order.popleft()
            if self._held[name].machine.idle(now):
                del self._held[name]
            else:
                order.append(name)
