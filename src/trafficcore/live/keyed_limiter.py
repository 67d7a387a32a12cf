"""KeyedRateLimiter: a rate limit for each key, with a clock and in bounded memory.

Law     That of `core.limit.KeyedGcra`, written out in `try_acquire` for a key that is known; the
        tests hold it to the machine. Nobody goes past those who wait for the same key.
State   The machine's, and a line for each key that somebody waits for.
Cost    A known key: one clock reading, no lock. A new one: O(1) under a lock.
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

import time
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, ClassVar, ParamSpec, TypeVar

from trafficcore.core.limit import KeyedGcra
from trafficcore.core.limit.amounts import refused_cost
from trafficcore.engine.guard import after_fork, guarded, new_lock
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.calls import Entry, before
from trafficcore.live.rates import read_rate
from trafficcore.live.sharing import counted_here, shared_class
from trafficcore.live.waiting import Line, Sleep, wait_in_loop, wait_in_thread
from trafficcore.outcome import Reason

__all__ = ["KeyedRateLimiter"]

P = ParamSpec("P")
R = TypeVar("R")


@guarded
class KeyedRateLimiter:
    """Grants `rate` tokens a second to each key, and up to `capacity` of them at once.

    `rate`, `capacity`, costs and verbs are those of `RateLimiter`, with the key (a string) first.
    A key's rate is at most 1e6 tokens/s. At most `max_keys` keys are held: only full buckets are
    forgotten, which changes no verdict, and while none is full new keys share one bucket
    (`snapshot()["overflowed"]` counts what it answered). With `share="host"` and a name the buckets
    are one for all workers of this machine; `members` is that of `RateLimiter`.

        limiter = KeyedRateLimiter("100/min", max_keys=50_000)
        limiter.try_acquire(user)
        with limiter.limited(user): ...
        @limiter.by(lambda request: request.user)
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("try_acquire",)
    __slots__ = (
        "__weakref__",
        "_burst",
        "_clock",
        "_full_at",
        "_inc",
        "_lines",
        "_lock",
        "_machine",
        "_sleep",
        "capacity",
        "name",
        "rate",
    )

    def __new__(  # noqa: PYI034  # or a subclass
        cls, *_: Any, share: str | None = None, **__: Any
    ) -> "KeyedRateLimiter":
        """Choose the class whose buckets are in memory, or in a file."""
        if share == "host":
            from trafficcore.live.shared_limiter import SharedKeyedRateLimiter

            return object.__new__(shared_class(cls, KeyedRateLimiter, SharedKeyedRateLimiter))
        return object.__new__(cls)

    def __init__(
        self,
        rate: float | str,
        capacity: float | None = None,
        *,
        max_keys: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
        sleep: Sleep | None = None,
        share: str | None = None,
        members: int = 1,
        member: int | None = None,
    ) -> None:
        numbers = read_rate(rate, capacity)
        self.rate, self.capacity = counted_here(*numbers, name, share, members, member)
        self.name = name
        self._clock = clock
        self._sleep = sleep
        self._lock = new_lock()
        self._machine = self._new_machine(max_keys)
        self._lines: dict[str, Line] = {}
        after_fork(self)

    def _new_machine(self, max_keys: int) -> Any:
        machine = KeyedGcra(self.capacity, self.rate, max_keys=max_keys, lock=self._lock)
        self._inc, self._burst = machine.inc, machine.burst
        self._full_at = machine.full_at
        return machine

    def try_acquire(self, key: str, cost: float = 1) -> bool:
        """Take `cost` of `key`'s tokens if they are there. *Atomic*; for a new key *guarded*.

        Law: full = max(full_at[key], now) + cost * inc; granted where full - burst <= now.
        Twin: `KeyedGcra.try_acquire`.
        """
        now = self._clock()
        need = self._inc
        if cost != 1:
            if not 0 < cost <= self.capacity:
                return refused_cost(cost, self.capacity)
            need *= cost
        full_at = self._full_at
        if key in full_at:
            t = full_at[key]
            if t < now:
                t = now
            t += need
            if t - self._burst > now or (self._lines and key in self._lines):
                return False
            full_at[key] = t
            return True
        return self._meet(key, now, cost)

    def acquire(self, key: str, cost: float = 1, timeout: float | None = None) -> None:
        """Take `cost` of `key`'s tokens, waiting in this thread, first come first served.

        Raises `Rejected` after `timeout` seconds, or as soon as it is clear that they will not
        do. A cost above the capacity is a `ConfigError`.
        """
        if not self.try_acquire(key, cost):
            line = self._line(key, cost)
            patience = inf if timeout is None else timeout
            try:
                granted = wait_in_thread(line, cost, patience, self._clock, self._sleep)
            finally:
                self._tidy(key, line)
            if not granted:
                raise self._rejected(key, cost)

    async def acquire_async(self, key: str, cost: float = 1, timeout: float | None = None) -> None:  # noqa: ASYNC109  # the same verb as `acquire`
        """Do what `acquire` does in a task; a cancelled one has taken nothing."""
        if not self.try_acquire(key, cost):
            line = self._line(key, cost)
            patience = inf if timeout is None else timeout
            try:
                granted = await wait_in_loop(line, cost, patience, self._clock)
            finally:
                self._tidy(key, line)
            if not granted:
                raise self._rejected(key, cost)

    def earliest(self, key: str, cost: float = 1) -> float:
        """Return the time, on the limiter's clock, from which `cost` can be granted to `key`.

        With others waiting it is the time by which they can have been served; `inf`: never.
        """
        with self._lock:
            due: float = self._machine.earliest(key, self._clock(), cost)
            line = self._lines.get(key)
            return due if line is None else due + line.ahead / self.rate

    def refund(self, key: str, cost: float = 1) -> None:
        """Give `cost` tokens back to `key`, never above the capacity."""
        with self._lock:
            self._machine.refund(key, cost, self._clock())
            line = self._lines.get(key)
        if line is not None:
            line.nudge()

    def tokens(self, key: str) -> float:
        """Return how many tokens `key` has now."""
        with self._lock:
            level: float = self._machine.tokens_at(key, self._clock())
            return level

    def snapshot(self) -> dict[str, Any]:
        """Return counts and settings, as plain data."""
        with self._lock:
            waiting = sum(line.waiting for line in self._lines.values())
            state = self._machine.snapshot(self._clock())
        return {"name": self.name, "waiting": waiting, **state}

    def after_fork(self) -> None:
        """Forget who waits: they do so in the parent."""
        self._lines.clear()

    def limited(self, key: str, cost: float = 1) -> Entry:
        """Return what `with` and `async with` enter with tokens of `key`'s, or raise `Rejected`."""
        return Entry(partial(self._check, key, cost))

    def by(self, key: Callable[P, str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a function: each call takes a token of `key(*its arguments)`, or raises."""

        def check(*args: P.args, **kwargs: P.kwargs) -> None:
            self._check(key(*args, **kwargs), 1)

        return lambda function: before(function, check)

    def _meet(self, key: str, now: float, cost: float) -> bool:
        """Answer for a key that has no bucket of its own. *Guarded*."""
        with self._lock:
            return key not in self._lines and self._machine.try_acquire(key, now, cost)

    def _check(self, key: str, cost: float) -> None:
        if not self.try_acquire(key, cost):
            raise self._rejected(key, cost)

    def _rejected(self, key: str, cost: float) -> Rejected:
        due = self.earliest(key, cost)
        after = max(0, due - self._clock()) if due < inf else None
        return Rejected(Reason.RATE_LIMITED, source=self.name, retry_after=after)

    def _line(self, key: str, cost: float) -> Line:
        """Return the line of those who wait for `key`; refuse to wait for what never comes."""
        if cost > self.capacity:
            raise ConfigError(f"a cost of {cost!r} is above the capacity, {self.capacity!r}")
        with self._lock:
            line = self._lines.get(key)
            if line is None:
                take = partial(self._machine.try_acquire, key)
                earliest = partial(self._machine.earliest, key)
                line = self._lines[key] = Line(self._clock, take, earliest, self._lock)
            line.users += 1
            return line

    def _tidy(self, key: str, line: Line) -> None:
        """Drop the line when its last waiter has gone."""
        with self._lock:
            line.users -= 1
            if not line.users and self._lines.get(key) is line:
                del self._lines[key]
