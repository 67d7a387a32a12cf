"""RateLimiter: a token bucket with a clock, in one line and for any kind of caller.

Law     That of `core.limit.Gcra` (of `TokenBucket` where one float does not hold it), written
        out in `try_acquire`; the tests hold it to the machine. Nobody goes past those who wait or
        have reserved: what is reserved is in the bucket's own number.
State   The machine's, and its `Desk`: the line of those who wait, the book of what is reserved.
Cost    One clock reading, no lock. Waiting holds no lock either.
Source  hot-path measurements in docs/explanation; x/time/rate for the verbs.
"""

# ruff: noqa: PLR1730  # min() and max() are calls: inside a run they would let others in

import time
from collections.abc import Callable
from typing import Any, ClassVar

from trafficcore.core.limit import FASTEST_GCRA, Bucket, Gcra, TokenBucket, suits_gcra
from trafficcore.core.limit.amounts import check_cost, refused_cost
from trafficcore.engine.guard import after_fork, guarded, new_lock
from trafficcore.errors import ConfigError
from trafficcore.live.desk import Desk
from trafficcore.live.followers import Followers
from trafficcore.live.keyed_limiter import KeyedRateLimiter
from trafficcore.live.rates import read_rate, read_update
from trafficcore.live.reservation import Reservation
from trafficcore.live.sharing import counted_here, shared_class
from trafficcore.live.verbs import Verbs
from trafficcore.live.waiting import Line, Sleep, Source

__all__ = ["KeyedRateLimiter", "RateLimiter"]


@guarded
class RateLimiter(Verbs[float]):
    """Grants `rate` tokens a second, and up to `capacity` of them at once; starts full.

    `rate` is a number of tokens a second or a text: "100/min", "10/s", "5/hour", "2/60s".
    `capacity` is one period's worth if it is not given (100 of "100/min"; a second's, and at least
    1, of a number). Costs are numbers above 0; one above the capacity is never granted.

        limiter = RateLimiter("100/min")
        limiter.try_acquire()                     # drop: True or False, never waits
        limiter.reserve()                         # be told: take it now, use it from `at` on
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
        "_clock",
        "_desk",
        "_lock",
        "_sleep",
        "_waiting",
        "followers",
        "name",
    )
    _bucket: Any

    def __new__(  # noqa: PYI034  # or a subclass
        cls,
        rate: float | str,
        capacity: float | None = None,
        *,
        share: str | None = None,
        **_: Any,
    ) -> "RateLimiter":
        """Choose the class whose law is right at these numbers, in memory or in a file."""
        if share == "host":
            from trafficcore.live.shared_limiter import SharedRateLimiter

            return object.__new__(shared_class(cls, RateLimiter, SharedRateLimiter))
        dense = cls is RateLimiter and not suits_gcra(*read_rate(rate, capacity))
        return object.__new__(_DenseRateLimiter if dense else cls)

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
        rate, capacity = read_rate(rate, capacity)
        rate, capacity = counted_here(rate, capacity, name, share, members, member)
        self.name = name
        self._clock = clock
        self._sleep = sleep
        self._lock = new_lock()
        self._bucket = self._new_bucket(capacity, rate)
        #: Lines that are to be nudged when tokens come back, as `Together` has one.
        self.followers = Followers()
        ring, shared = self.followers.ring, share == "host"
        self._desk = Desk(self._bucket, clock, self._lock, ring, shared=shared)
        self._waiting = self._desk.line.tickets
        after_fork(self)

    def _new_bucket(self, capacity: float, rate: float) -> Bucket:
        return Gcra(capacity, rate)

    @property
    def rate(self) -> float:
        """How many tokens come in a second."""
        rate: float = self._bucket.rate
        return rate

    @property
    def capacity(self) -> float:
        """How many tokens there can be at once."""
        capacity: float = self._bucket.capacity
        return capacity

    def try_acquire(self, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there; answer at once. *Atomic*.

        Law: full = max(full_at, now) + cost * inc; granted where full - burst <= now.
        Twin: `Gcra.try_acquire`.
        """
        now = self._clock()
        bucket = self._bucket
        need = bucket.inc
        if cost != 1:
            try:
                fits = 0 < cost <= bucket.capacity
            except TypeError:
                return refused_cost(cost, bucket.capacity)
            if not fits:
                return refused_cost(cost, bucket.capacity)
            need *= cost
        t = bucket.full_at
        if t < now:
            t = now
        t += need
        if t - bucket.burst > now or self._waiting:
            return False
        bucket.full_at = t
        return True

    def reserve(self, cost: float = 1, *, timeout: float | None = None) -> Reservation:
        """Take `cost` tokens now, for use from the reservation's `at` on.

        Who reserved is ahead of all who come later. Where the delay would be longer than `timeout`
        seconds nothing is taken, and `Rejected` is raised as `acquire` raises it: a false
        reservation would be used by mistake. A cost above the capacity is an `ImpossibleCost`.
        """
        made = self._desk.reserve(cost, timeout)
        if made is None:
            raise self._rejected(cost)
        return made

    def earliest(self, cost: float = 1) -> float:
        """Return the time, on the limiter's clock, from which `cost` can be granted.

        With others waiting it is the time by which they can have been served. `inf`: never, for
        none come in; a cost above the capacity is an `ImpossibleCost`.
        """
        return self._desk.earliest(cost)

    def refund(self, cost: float = 1) -> None:
        """Give `cost` tokens back, never above the capacity."""
        self._desk.refund(cost)

    def correct(self, estimated: float, actual: float) -> None:
        """Settle a call that was let in for `estimated` tokens and has used `actual`.

        More is a debt that those who come later wait for, less comes back.
        """
        self._desk.correct(estimated, actual)

    def update(self, rate: float | str | None = None, capacity: float | None = None) -> None:
        """Go on with another rate or capacity; what is not given stays.

        The level is scaled by the capacity: half full stays half full. What is owed, and times
        that were named, stay. Those who wait are told. A rate of 0 or above 1e6 tokens/s is kept
        in another way: there a limiter must have been made for such a rate (a capacity of 0
        refuses everything too).
        """
        with self._lock:
            new_rate, new_capacity = read_update(rate, capacity, self.rate, self.capacity)
            self._check_rate(new_rate)
            self._bucket.update(self._clock(), new_capacity, new_rate)
            self._desk.follow()
        self._desk.nudge()

    def _check_rate(self, rate: float) -> None:
        if not 0 < rate <= FASTEST_GCRA:
            raise ConfigError(f"rate must stay above 0 and at most {FASTEST_GCRA}, not {rate!r}")

    def tokens(self) -> float:
        """Return how many tokens there are now; 0 where some are owed."""
        with self._lock:
            level: float = self._bucket.tokens_at(self._clock())
            return level

    def snapshot(self) -> dict[str, Any]:
        """Return level and settings, as plain data."""
        with self._lock:
            state: dict[str, Any] = self._bucket.snapshot(self._clock())
            return {"name": self.name, "waiting": self._desk.line.waiting, **state}

    def after_fork(self) -> None:
        """Forget who waits: they do so in the parent."""
        self._desk.line.clear()

    def _place(self, cost: float) -> tuple[Line, Source, float]:
        check_cost(cost, self.capacity)
        return self._desk.line, self._bucket, cost


@guarded
class _DenseRateLimiter(RateLimiter):
    """For what one float does not hold: a rate of 0, above 1e6, large and fast buckets; and all."""

    __slots__ = ("_one",)

    def _new_bucket(self, capacity: float, rate: float) -> Bucket:
        # A float for an argument that may be of any class: what it is multiplied by is plain.
        self._one = float(1)
        return TokenBucket(capacity, rate)

    def _check_rate(self, rate: float) -> None:
        pass

    def try_acquire(self, cost: float = 1) -> bool:
        """Take `cost` tokens if they are there; answer at once. *Atomic*.

        Law: tokens = min(capacity, tokens + rate * (now - last)); granted where tokens >= cost.
        Twin: `TokenBucket.try_acquire`.
        """
        now = self._clock()
        bucket = self._bucket
        need = self._one
        if cost != 1:
            try:
                fits = 0 < cost <= bucket.capacity
            except TypeError:
                return refused_cost(cost, bucket.capacity)
            if not fits:
                return refused_cost(cost, bucket.capacity)
            need *= cost
        tokens = bucket.tokens + (now - bucket.last) * bucket.rate
        if tokens > bucket.capacity:
            tokens = bucket.capacity
        if tokens < need or self._waiting:
            return False
        bucket.tokens = tokens - need
        bucket.last = now
        return True
