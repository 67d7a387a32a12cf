"""KeyedRateLimiter: a rate limit for each key, with a clock and in bounded memory.

Law     That of `core.limit.KeyedGcra`, written out in `try_acquire` for a key that is known; the
        tests hold it to the machine. Nobody goes past those who wait or have reserved.
State   The machine's, and a `Desk` for each key that somebody waits for or has reserved of.
Cost    A known key: one clock reading, no lock. A new one: O(1) under a lock.
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

import time
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, ClassVar, ParamSpec, TypeVar

from trafficcore.core.limit import KeyedGcra
from trafficcore.core.limit.amounts import check_cost, refused_cost
from trafficcore.engine.guard import after_fork, guarded, new_lock
from trafficcore.errors import ImpossibleCost, Rejected
from trafficcore.live.calls import Entry, before
from trafficcore.live.desks import Desks
from trafficcore.live.followers import Followers
from trafficcore.live.functions import check_function, check_plain
from trafficcore.live.key_limiter import KeyLimiter
from trafficcore.live.overflow import warn_of_overflow
from trafficcore.live.parking import wait_in_loop, wait_in_thread
from trafficcore.live.rates import read_rate, read_update
from trafficcore.live.reservation import Reservation
from trafficcore.live.sharing import counted_here, shared_class
from trafficcore.live.waiting import Sleep
from trafficcore.outcome import Reason

__all__ = ["KeyedRateLimiter"]

P = ParamSpec("P")
R = TypeVar("R")


@guarded
class KeyedRateLimiter:
    """Grants `rate` tokens a second to each key, and up to `capacity` of them at once.

    `rate`, `capacity`, costs and verbs are those of `RateLimiter`, with the key (a string) first.
    A key's rate is at most 1e6 tokens/s. At most `max_keys` keys are held: only full buckets are
    forgotten, which changes no verdict, and while none is full new keys share one bucket (said
    once in the log; `snapshot()["overflowed"]` counts what it answered). Keys for which
    `known(key)` holds always have a bucket of their own, and do not count among the `max_keys`;
    it is asked of keys that have no bucket yet, and must be quick. With `share="host"` and a name
    the buckets are one for all workers of this machine; `members` is that of `RateLimiter`. What
    cannot be is a `ConfigError`, a file that cannot be shared a `StoreError`.

        limiter = KeyedRateLimiter("100/min", max_keys=50_000)
        limiter.try_acquire(user)
        with limiter.limited(user): ...
        @limiter.by(lambda request: request.user)
        limiter.of(user)                          # a limiter of that key alone
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("try_acquire",)
    __slots__ = (
        "__weakref__",
        "_burst",
        "_clock",
        "_desks",
        "_full_at",
        "_inc",
        "_lines",
        "_lock",
        "_machine",
        "_sleep",
        "_told",
        "capacity",
        "followers",
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
        known: Callable[[str], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
        sleep: Sleep | None = None,
        share: str | None = None,
        members: int = 1,
        member: int | None = None,
    ) -> None:
        if known is not None:
            check_function("known", known)
        numbers = read_rate(rate, capacity)
        self.rate, self.capacity = counted_here(*numbers, name, share, members, member)
        self.name = name
        self._clock = clock
        self._sleep = sleep
        self._lock = new_lock()
        self._machine = self._new_machine(max_keys, known)
        #: Lines that are to be nudged when tokens come back, as `Together` has one.
        self.followers = Followers()
        ring, shared = self.followers.ring, share == "host"
        self._desks = Desks(self._machine, clock, self._lock, ring, shared=shared)
        self._lines = self._desks.lines
        self._told = False
        after_fork(self)

    def _new_machine(self, max_keys: int, known: Callable[[str], bool] | None) -> Any:
        machine = KeyedGcra(
            self.capacity, self.rate, max_keys=max_keys, known=known, lock=self._lock
        )
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
            try:
                fits = 0 < cost <= self.capacity
            except TypeError:
                return refused_cost(cost, self.capacity)
            if not fits:
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
        do; nothing is granted after them. A cost above the capacity is an `ImpossibleCost`.
        """
        if not self.try_acquire(key, cost):
            check_cost(cost, self.capacity)
            with self._desks.waiting(key) as place:
                granted = wait_in_thread(*place, cost, timeout, self._clock, self._sleep)
            if not granted:
                check_cost(cost, self.capacity)  # it may be another by now
                raise self._rejected(key, cost)

    async def acquire_async(self, key: str, cost: float = 1, timeout: float | None = None) -> None:  # noqa: ASYNC109  # the same verb as `acquire`
        """Do what `acquire` does in a task; a cancelled one has taken nothing."""
        if not self.try_acquire(key, cost):
            check_cost(cost, self.capacity)
            with self._desks.waiting(key) as place:
                granted = await wait_in_loop(*place, cost, timeout, self._clock)
            if not granted:
                check_cost(cost, self.capacity)
                raise self._rejected(key, cost)

    def reserve(self, key: str, cost: float = 1, *, timeout: float | None = None) -> Reservation:
        """Take `cost` of `key`'s tokens now, for use from the reservation's `at` on.

        As `RateLimiter.reserve`. What was reserved of the bucket that new keys share while there
        is no room does not come back and cannot be corrected.
        """
        made = self._desks.reserve(key, cost, timeout)
        if made is None:
            raise self._rejected(key, cost)
        return made

    def earliest(self, key: str, cost: float = 1) -> float:
        """Return the time, on the limiter's clock, from which `cost` can be granted to `key`.

        With others waiting it is the time by which they can have been served. A cost above the
        capacity is an `ImpossibleCost`.
        """
        check_cost(cost, self.capacity)
        with self._lock:
            desk = self._desks.find(key)
            if desk is not None:
                return desk.earliest(cost)
            due: float = self._machine.earliest(key, self._clock(), cost)
            return due

    def refund(self, key: str, cost: float = 1) -> None:
        """Give `cost` tokens back to `key`, never above the capacity."""
        self._desks.get(key).refund(cost)

    def correct(self, key: str, estimated: float, actual: float) -> None:
        """Settle a call of `key`'s: more than was estimated is a debt, less comes back."""
        self._desks.get(key).correct(estimated, actual)

    def update(self, rate: float | str | None = None, capacity: float | None = None) -> None:
        """Go on with another rate or capacity for every key; what is not given stays.

        As `RateLimiter.update`; takes a moment for each key that is held, in which requests wait.
        """
        with self._lock:
            new_rate, new_capacity = read_update(rate, capacity, self.rate, self.capacity)
            # With no key to be found every request comes to the lock, and waits.
            self._full_at = {}
            machine = self._machine
            try:
                machine.update(self._clock(), new_capacity, new_rate)
                self._desks.follow()
            finally:
                self.rate, self.capacity = machine.rate, machine.capacity
                self._inc, self._burst = machine.inc, machine.burst
                self._full_at = machine.full_at
        self._desks.nudge()

    def tokens(self, key: str) -> float:
        """Return how many tokens `key` has now; 0 where some are owed."""
        with self._lock:
            level: float = self._machine.tokens_at(key, self._clock())
            return level

    def snapshot(self) -> dict[str, Any]:
        """Return counts and settings, as plain data."""
        with self._lock:
            state = self._machine.snapshot(self._clock())
            return {"name": self.name, "waiting": self._desks.count, **state}

    def after_fork(self) -> None:
        """Forget who waits: they do so in the parent."""
        self._desks.clear()

    def limited(self, key: str, cost: float = 1) -> Entry:
        """Return a block: `with` and `async with` enter with tokens of `key`'s, or raise."""
        return Entry(partial(self._check, key, cost))

    def of(self, key: str) -> KeyLimiter:
        """Return a limiter of `key` alone, with the verbs of `RateLimiter`."""
        return KeyLimiter(self, key, self._clock)

    def by(self, key: Callable[P, str]) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorate a function: each call takes a token of `key(*its arguments)`, or raises."""
        check_plain("by", key)

        def check(*args: P.args, **kwargs: P.kwargs) -> None:
            self._check(key(*args, **kwargs), 1)

        return lambda function: before(function, check)

    def _meet(self, key: str, now: float, cost: float) -> bool:
        """Answer for a key that has no bucket of its own. *Guarded*."""
        with self._lock:
            granted = key not in self._lines and self._machine.try_acquire(key, now, cost)
        self._tell()
        return granted

    def _tell(self) -> None:
        """Say in the log, once, that there is no room for new keys."""
        if not self._told:
            what = self.name or "a keyed limiter"
            self._told = warn_of_overflow(what, self._machine, self._clock())

    def _check(self, key: str, cost: float) -> None:
        if not self.try_acquire(key, cost):
            raise self._rejected(key, cost)

    def _rejected(self, key: str, cost: float) -> Rejected:
        try:
            due = self.earliest(key, cost)
        except ImpossibleCost:
            due = inf
        after = max(0, due - self._clock()) if due < inf else None
        return Rejected(Reason.RATE_LIMITED, source=self.name, retry_after=after)
