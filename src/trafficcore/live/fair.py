"""`QuotaScheduler`: a quota shared by weight, with a clock, for threads and tasks together.

Law    that of `core.fair.QuotaQueue`: while nobody waits, tokens go to whoever comes; as soon as
       somebody waits, to the workload whose turn it is by weight, first come first served inside
       it. No workload is ever starved, and what one leaves unused the others share.
State  the queue's, and a driver that wakes those who wait.
Cost   one clock reading and no lock while nobody waits.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any, Final

from trafficcore.core.fair import QuotaQueue, TokenBucket, Waiter
from trafficcore.engine.guard import after_fork, guarded, new_lock
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.drivers import Driver
from trafficcore.live.fair_grant import Grant, Slot
from trafficcore.live.rates import read_rate
from trafficcore.live.tickets import Tickets, refusal
from trafficcore.live.waiting import patience

__all__ = ["Grant", "QuotaScheduler", "Slot"]

#: The workload of those that are in none.
DEFAULT: Final = "default"
_NONE: Final = MappingProxyType[str, float]({})


class QuotaScheduler:
    """Spends `rate` tokens an `interval`, `capacity` of them at once, on workloads by weight.

    `rate` is a number or a text ("600/min", "10/s"); `capacity` is one fill's worth by default.
    `workloads` maps names to weights: twice the weight is twice the share while both have somebody
    waiting. Any other name, and none, is the workload `default`, of weight 1 unless it is given.
    At most `max_waiting` wait; past that the newest of the workload that waits for most leaves::

        scheduler = QuotaScheduler(10, workloads={"guest": 50, "subscriber": 200})
        with scheduler.slot("guest", timeout=2): ...          # in a thread
        async with scheduler.slot("subscriber") as grant: ... # in a task
        @scheduler.slot("guest")                              # on functions and coroutine functions
        scheduler.try_acquire()                               # never waits: True or False

    Whoever is not served in `timeout` seconds (None: waits for ever, 0: never waits) gets
    `Rejected`, with `retry_after`; with `foresee` at once where it could not be, even if nobody
    else came any more. Leave that off where costs are corrected: what will come back is not
    foreseen. In the child of a fork it goes on with the tokens that there were, and with nobody
    waiting.
    """

    __slots__ = (
        "__weakref__", "_clock", "_driver", "_lock", "_queue", "_try", "name", "workloads",
    )  # fmt: skip

    def __init__(
        self,
        rate: float | str,
        interval: float = 1,
        capacity: float | None = None,
        workloads: Mapping[str, float] = _NONE,
        *,
        max_waiting: int | None = 10_000,
        tags: str = "finish",
        foresee: bool = False,
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
    ) -> None:
        if isinstance(rate, str):
            rate, capacity = read_rate(rate, capacity)
        for workload, weight in workloads.items():
            if not 0 < weight < inf:
                raise ConfigError(f"the weight of {workload!r} must be above 0, not {weight!r}")
        self.name = name
        self.workloads = {DEFAULT: 1, **workloads}
        self._clock = clock
        bucket = TokenBucket(rate if capacity is None else capacity, rate, interval, start=clock())
        self._lock = lock = new_lock()
        self._queue: Any = guarded(QuotaQueue)(
            bucket, lock=lock, tags=tags, max_waiting=max_waiting, foresee=foresee
        )
        self._try: Callable[[float, float], Any] = self._queue.try_acquire
        self._driver = Driver(Tickets(self._queue, self._grant), clock)
        after_fork(self)

    def try_acquire(self, cost: float = 1) -> bool:
        """Spend `cost` if it is there and nobody waits; never waits. *Atomic*.

        The workload does not matter: nobody is let past those who wait.
        """
        return self._try(self._clock(), cost)  # type: ignore[no-any-return]

    def acquire(
        self,
        workload: str | None = None,
        cost: float = 1,
        timeout: float | None = None,
        *,
        priority: float | None = None,
        key: Hashable = None,
    ) -> Grant:
        """Spend `cost`, waiting for it in this thread; raise `Rejected` where it cannot be had.

        `priority` overrides the weight of the workload, in a queue of its own. `key` is a user of
        the workload: each key that waits gets an equal part of the workload's share.
        """
        _check(workload, timeout, priority, key)
        now = self._clock()
        if self._try(now, cost):
            return Grant(self, None, cost)
        waiter = self._enqueue(now, workload, cost, timeout, priority, key)
        if waiter.reason is None:
            return self._granted(waiter, self._driver.park_thread(waiter))
        raise self._rejected(waiter)

    async def acquire_async(  # the same verb as `acquire`
        self,
        workload: str | None = None,
        cost: float = 1,
        timeout: float | None = None,  # noqa: ASYNC109
        *,
        priority: float | None = None,
        key: Hashable = None,
    ) -> Grant:
        """Do what `acquire` does in a task; a cancelled one has spent nothing."""
        _check(workload, timeout, priority, key)
        now = self._clock()
        if self._try(now, cost):
            return Grant(self, None, cost)
        waiter = self._enqueue(now, workload, cost, timeout, priority, key)
        if waiter.reason is None:
            return self._granted(waiter, await self._driver.park_async(waiter))
        raise self._rejected(waiter)

    def slot(
        self,
        workload: str | None = None,
        cost: float = 1,
        timeout: float | None = None,
        *,
        priority: float | None = None,
        key: Hashable = None,
    ) -> Slot:
        """Return a block and a decorator, sync and async, that acquires before it runs."""
        return Slot(self, workload, cost, timeout, {"priority": priority, "key": key})

    @property
    def waiting(self) -> int:
        """How many wait."""
        waiting: int = self._queue.waiting
        return waiting

    def snapshot(self) -> dict[str, Any]:
        """Return tokens, queues and counts as plain data."""
        found: dict[str, Any] = self._queue.snapshot(self._clock())
        return {"name": self.name, "workloads": dict(self.workloads), **found}

    def charge(self, grant: Grant, waiter: Waiter | None, actual: float) -> None:
        """Charge what a grant truly cost, and let those go for whom there are tokens now.

        Call `grant.reconcile`, which comes here.
        """
        now = self._clock()
        with self._lock:
            before, grant.cost = grant.cost, actual
            if waiter is None:
                self._queue.refund(now, before - actual)
            else:
                self._queue.reconcile(now, waiter, actual)
        self._driver.kick()

    def _enqueue(
        self,
        now: float,
        workload: str | None,
        cost: float,
        timeout: float | None,
        priority: float | None,
        key: Hashable,
    ) -> Waiter:
        flow: Hashable = workload if workload in self.workloads else DEFAULT
        weight = self.workloads[flow]  # type: ignore[index]
        if priority is not None:
            flow, weight = (flow, priority), priority
        deadline = inf if timeout is None else now + patience(timeout)
        waiter: Waiter = self._queue.enqueue(now, flow, weight, cost, deadline, None, key)
        return waiter

    def _granted(self, waiter: Waiter, verdict: Any) -> Grant:
        if isinstance(verdict, Grant):
            return verdict
        raise self._rejected(waiter)

    def _grant(self, waiter: Waiter) -> Grant:
        return Grant(self, waiter, waiter.cost)

    def _rejected(self, waiter: Waiter) -> Rejected:
        return refusal(self._queue, waiter, self._clock(), self.name)

    def after_fork(self) -> None:
        """In a fork's child: who waits waits in the parent."""
        self._queue.clear()


def _check(
    workload: str | None, timeout: float | None, priority: float | None, key: Hashable
) -> None:
    """Tell what is wrong at the first call, and not at the first that has to wait."""
    if not (workload is None or isinstance(workload, str)):
        raise ConfigError(f"a workload must be a text, not {workload!r}")
    if not (priority is None or 0 < priority < inf):
        raise ConfigError(f"priority must be above 0 and finite, not {priority!r}")
    if timeout is not None:
        patience(timeout)
    if key is not None and not isinstance(key, Hashable):
        raise ConfigError(f"a key must be hashable, not {key!r}")
