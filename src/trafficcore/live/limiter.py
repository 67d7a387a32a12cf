"""RateLimiter: a token bucket with a clock, in one line and for any kind of caller.

Law     That of `core.limit.Gcra` (of `TokenBucket` above 1e6 tokens/s and for a rate of 0), written
        out in `try_acquire`; the tests hold it to the machine. Nobody goes past those who wait.
State   The machine's, and the line of those who wait.
Cost    One clock reading, no lock. Waiting holds no lock either.
Source  hot-path measurements in docs/explanation; x/time/rate for the verbs.
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

import time
from collections.abc import Callable
from math import inf
from types import TracebackType
from typing import Any, ClassVar, ParamSpec, Self, TypeVar

from trafficcore.core.limit import Gcra, TokenBucket, suits_gcra
from trafficcore.core.limit.amounts import refused_cost
from trafficcore.engine.guard import after_fork, guarded, new_lock
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.calls import before
from trafficcore.live.keyed_limiter import KeyedRateLimiter
from trafficcore.live.rates import read_rate
from trafficcore.live.sharing import counted_here
from trafficcore.live.waiting import Line, Sleep, wait_in_loop, wait_in_thread
from trafficcore.outcome import Reason

__all__ = ["KeyedRateLimiter", "RateLimiter"]

P = ParamSpec("P")
R = TypeVar("R")


@guarded
class RateLimiter:
    """Grants `rate` tokens a second, and up to `capacity` of them at once; starts full.

    `rate` is a number of tokens a second or a text: "100/min", "10/s", "5/hour", "2/60s".
    `capacity` is one period's worth if it is not given (100 of "100/min"; a second's, and at least
    1, of a number). Costs are numbers above 0; one above the capacity is never granted.

        limiter = RateLimiter("100/min")
        limiter.try_acquire()                     # drop: True or False, never waits
        limiter.acquire(timeout=2)                # wait, in a thread; Rejected when it takes longer
        await limiter.acquire_async()             # wait, in a task
        with limiter: ...                         # or raise Rejected, with `retry_after`
        @limiter                                  # the same, on functions and coroutine functions

    With `share="host"` and a name, all workers of this machine that know the name and the numbers
    draw on one bucket (`StoreError` where that cannot be); with `members=4` each of four has its
    part in memory. See docs/explanation/sharing.

    Safe for threads and tasks, together. In the child of a fork it goes on with the tokens that
    there were, and with nobody waiting. Times are those of `clock`; `sleep` stands in for waiting
    in threads, for tests.
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("try_acquire",)
    __slots__ = (
        "__weakref__",
        "_bucket",
        "_burst",
        "_clock",
        "_inc",
        "_line",
        "_lock",
        "_sleep",
        "_waiting",
        "capacity",
        "name",
        "rate",
    )
    _bucket: Any

    def __new__(  # noqa: PYI034  # or a subclass
        cls, rate: float | str, *_: Any, share: str | None = None, **__: Any
    ) -> "RateLimiter":
        """Choose the class whose law is right at this rate, in memory or in a file."""
        if cls is not RateLimiter:
            return object.__new__(cls)
        if share == "host":
            from trafficcore.live.shared_limiter import SharedRateLimiter

            return object.__new__(SharedRateLimiter)
        return object.__new__(cls if suits_gcra(read_rate(rate)[0]) else _DenseRateLimiter)

    def __init__(
        self,
        rate: float | str,
        capacity: float | None = None,
        *,
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
        self._bucket = self._new_bucket()
        self._line = Line(clock, self._bucket.try_acquire, self._bucket.earliest, self._lock)
        self._waiting = self._line.tickets
        after_fork(self)

    def _new_bucket(self) -> Any:
        machine = Gcra(self.capacity, self.rate)
        self._inc, self._burst = machine.inc, machine.burst
        return machine

    def try_acquire(self, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there; answer at once. *Atomic*.

        Law: full = max(full_at, now) + cost * inc; granted where full - burst <= now.
        Twin: `Gcra.try_acquire`.
        """
        now = self._clock()
        need = self._inc
        if cost != 1:
            if not 0 < cost <= self.capacity:
                return refused_cost(cost, self.capacity)
            need *= cost
        bucket = self._bucket
        t = bucket.full_at
        if t < now:
            t = now
        t += need
        if t - self._burst > now or self._waiting:
            return False
        bucket.full_at = t
        return True

    def acquire(self, cost: float = 1, timeout: float | None = None) -> None:
        """Take `cost` tokens, waiting for them in this thread, first come first served.

        Raises `Rejected` after `timeout` seconds, or as soon as it is clear that they will not
        do. A cost above the capacity is a `ConfigError`.
        """
        if not self.try_acquire(cost):
            self._check_wait(cost)
            patience = inf if timeout is None else timeout
            if not wait_in_thread(self._line, cost, patience, self._clock, self._sleep):
                raise self._rejected(cost)

    async def acquire_async(self, cost: float = 1, timeout: float | None = None) -> None:  # noqa: ASYNC109  # the same verb as `acquire`
        """Do what `acquire` does in a task; a cancelled one has taken nothing."""
        if not self.try_acquire(cost):
            self._check_wait(cost)
            patience = inf if timeout is None else timeout
            if not await wait_in_loop(self._line, cost, patience, self._clock):
                raise self._rejected(cost)

    def earliest(self, cost: float = 1) -> float:
        """Return the time, on the limiter's clock, from which `cost` can be granted.

        With others waiting it is the time by which they can have been served; `inf`: never.
        """
        with self._lock:
            due: float = self._bucket.earliest(self._clock(), cost)
            ahead = self._line.ahead
            return due + ahead / self.rate if ahead else due

    def refund(self, cost: float = 1) -> None:
        """Give `cost` tokens back, never above the capacity."""
        with self._lock:
            self._bucket.refund(cost, self._clock())
        if self._waiting:
            self._line.nudge()

    def tokens(self) -> float:
        """Return how many tokens there are now."""
        with self._lock:
            level: float = self._bucket.tokens_at(self._clock())
            return level

    def snapshot(self) -> dict[str, Any]:
        """Return level and settings, as plain data."""
        with self._lock:
            state: dict[str, Any] = self._bucket.snapshot(self._clock())
            return {"name": self.name, "waiting": self._line.waiting, **state}

    def after_fork(self) -> None:
        """Forget who waits: they do so in the parent."""
        self._line.clear()

    def __enter__(self) -> Self:
        self._check()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    async def __aenter__(self) -> Self:
        self._check()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function: each call takes a token or raises `Rejected`."""
        return before(function, self._check)

    def _check(self, *_: Any, **__: Any) -> None:
        if not self.try_acquire():
            raise self._rejected(1)

    def _rejected(self, cost: float) -> Rejected:
        due = self.earliest(cost)
        after = max(0, due - self._clock()) if due < inf else None
        return Rejected(Reason.RATE_LIMITED, source=self.name, retry_after=after)

    def _check_wait(self, cost: float) -> None:
        """Refuse to wait for what never comes."""
        if cost > self.capacity:
            raise ConfigError(f"a cost of {cost!r} is above the capacity, {self.capacity!r}")
        if not self.rate:
            raise self._rejected(cost)


@guarded
class _DenseRateLimiter(RateLimiter):
    """For rates that one float does not hold: above 1e6 tokens/s, and 0."""

    __slots__ = ("_one", "_rate")

    def _new_bucket(self) -> TokenBucket:
        # A float for an argument that may be of any class: what it is multiplied by is plain.
        self._one = float(1)
        self._rate = self.rate
        return TokenBucket(self.capacity, self.rate)

    def try_acquire(self, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there; answer at once. *Atomic*.

        Law: tokens = min(capacity, tokens + rate * (now - last)); granted where tokens >= cost.
        Twin: `TokenBucket.try_acquire`.
        """
        now = self._clock()
        need = self._one
        if cost != 1:
            if not 0 < cost <= self.capacity:
                return refused_cost(cost, self.capacity)
            need *= cost
        bucket = self._bucket
        tokens = bucket.tokens + (now - bucket.last) * self._rate
        if tokens > self.capacity:
            tokens = self.capacity
        if tokens < need or self._waiting:
            return False
        bucket.tokens = tokens - need
        bucket.last = now
        return True
