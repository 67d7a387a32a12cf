"""`Budgets`: several budgets spent together, by weight, for threads and tasks together.

Law    that of `core.fair.Purse`: a use is queued once, goes when every budget has room for its
       part, and is charged all or nothing; each part is corrected apart once its true cost is
       known. Who waits goes by weight, first come first served inside a workload.
State  the queue's, and a driver that wakes those who wait.
Cost   one clock reading and one lock while nobody waits.
"""

import time
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from math import inf
from types import MappingProxyType
from typing import Any, Final

from trafficcore.core.fair import Costs, Purse, PurseQueue, Slots, TokenBucket, Waiter
from trafficcore.engine.guard import after_fork, new_lock
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.blocks import Block
from trafficcore.live.drivers import Driver
from trafficcore.live.fair import DEFAULT
from trafficcore.live.rates import read_rate
from trafficcore.live.tickets import Tickets, refusal
from trafficcore.live.waiting import patience

__all__ = ["Budgets", "Spending"]

_NONE: Final = MappingProxyType[str, float]({})
#: What a use says besides its costs.
_OWN_WORDS: Final = frozenset(("self", "workload", "timeout", "key", "slots"))


class Spending:
    """What a use has been granted. `costs` is what it is charged for, by budget."""

    __slots__ = ("_budgets", "_cost", "_lease", "_open", "_waiter")

    def __init__(self, budgets: "Budgets", cost: Costs, lease: int, waiter: Waiter | None) -> None:
        self._budgets = budgets
        self._cost = cost
        self._lease = lease
        self._waiter = waiter
        self._open = True

    @property
    def costs(self) -> dict[str, float]:
        """What it is charged for, by budget."""
        return dict(zip(self._budgets.names, self._cost.parts, strict=True))

    @property
    def waited(self) -> bool:
        """Whether it had to wait."""
        return self._waiter is not None

    def cost(self, **actual: float) -> None:
        """Correct what is named, now that it is known; as often as it is known better.

        `permit.cost(output=512)` makes 512 the whole cost of that budget, not one more. What was
        charged too much goes to the next in the queue at once; what was charged too little is owed
        by the budget and by the workload's place in the order. Also after the use has ended.
        """
        budgets = self._budgets
        with budgets.lock:
            before = self._cost
            self._cost = budgets.correct(self._waiter, before, actual)
        budgets.kick()

    def end(self) -> None:
        """Say that the use is over: its slot goes to the next. Nothing happens the second time."""
        if self._open:
            self._open = False
            self._budgets.release(self._lease)

    def give_back(self, now: float) -> None:
        """Undo it: nobody was there to take it. Nothing happens the second time."""
        if self._open:
            self._open = False
            self._budgets.undo(self._waiter, self._cost, self._lease, now)


class Budgets:
    """Spends all of `budgets` at once, and one of `at_once` slots (None: any number run at once).

    Either may be left out: slots alone are a bound on what runs, by weight.

    A budget is a rate by its name, a number a second or a text ("30000/min"), and holds one period
    of it. A use says what it takes of each, and takes 1 of what it does not name. Its weight is
    that of its workload, as in `QuotaScheduler`; what counts is the budget of which it takes most::

        provider = Budgets(
            {"requests": "500/min", "input": "30000/min", "output": "8000/min"},
            at_once=20, workloads={"chat": 10, "batch": 1},
        )
        async with provider.slot("chat", input=1200, output=800, timeout=30) as permit:
            reply = await call(prompt)
            permit.cost(input=reply.usage.input, output=reply.usage.output)

    A use that takes more of a budget than it ever holds is an `ImpossibleCost`. Who is not served
    in `timeout` seconds gets `Rejected`. After a fork it goes on with what there was, and with
    nobody waiting or running.
    """

    __slots__ = (
        "__weakref__", "_clock", "_driver", "_ones", "_queue", "_usual", "lock", "name", "names",
        "workloads",
    )  # fmt: skip

    def __init__(
        self,
        budgets: Mapping[str, float | str] = MappingProxyType[str, float]({}),
        *,
        at_once: int | None = None,
        workloads: Mapping[str, float] = _NONE,
        max_waiting: int | None = 10_000,
        tags: str = "finish",
        clock: Callable[[], float] = time.monotonic,
        name: str = "",
    ) -> None:
        for taken in _OWN_WORDS & set(budgets):
            raise ConfigError(
                f"a budget cannot be called {taken!r}: a use says something else by it"
            )
        for workload, weight in workloads.items():
            if not 0 < weight < inf:
                raise ConfigError(f"the weight of {workload!r} must be above 0, not {weight!r}")
        self.name = name
        self.workloads = {DEFAULT: 1, **workloads}
        self._clock = clock
        start = clock()
        buckets = {name: _bucket(rate, start) for name, rate in budgets.items()}
        purse = Purse(buckets, None if at_once is None else Slots(at_once))
        self.names = purse.names
        self._ones = dict.fromkeys(purse.names, 1)
        self._usual = purse.price({}, self._ones)
        self.lock = new_lock()
        self._queue = PurseQueue(purse, lock=self.lock, tags=tags, max_waiting=max_waiting)
        self._driver = Driver(Tickets(self._queue, self._grant), clock)
        after_fork(self)

    def try_acquire(self, **costs: float) -> Spending | None:
        """Spend the costs if they are all there and nobody waits; None: they are not."""
        cost = self._price(costs)
        lease = self._queue.try_acquire(self._clock(), cost)
        return Spending(self, cost, lease, None) if lease else None

    def acquire(
        self,
        workload: str | None = None,
        timeout: float | None = None,
        *,
        key: Hashable = None,
        **costs: float,
    ) -> Spending:
        """Spend the costs, waiting for them in this thread; raise `Rejected` where that fails.

        `key` is a user of the workload: each key that waits gets an equal part of its share.
        """
        found = self._ask(workload, timeout, key, costs)
        if isinstance(found, Waiter):
            found = self._granted(found, self._driver.park_thread(found))
        return found

    async def acquire_async(
        self,
        workload: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # the same verb as `acquire`
        *,
        key: Hashable = None,
        **costs: float,
    ) -> Spending:
        """Do what `acquire` does in a task; a cancelled one has spent nothing."""
        found = self._ask(workload, timeout, key, costs)
        if isinstance(found, Waiter):
            found = self._granted(found, await self._driver.park_async(found))
        return found

    def slot(
        self,
        workload: str | None = None,
        timeout: float | None = None,
        *,
        key: Hashable = None,
        **costs: float,
    ) -> Block[Spending]:
        """Return a block and a decorator, sync and async, that acquires before it runs."""
        return Block(
            partial(self.acquire, workload, timeout, key=key, **costs),
            partial(self.acquire_async, workload, timeout, key=key, **costs),
            lambda spending, _: spending.end(),
        )

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._queue.waiting

    def snapshot(self) -> dict[str, Any]:
        """Return what there is of each budget, queues and counts as plain data."""
        found = self._queue.snapshot(self._clock())
        return {"name": self.name, "workloads": dict(self.workloads), **found}

    def correct(self, waiter: Waiter | None, before: Costs, actual: Mapping[str, float]) -> Costs:
        """Charge what a use truly cost. Call `Spending.cost`, which holds the lock."""
        purse, now = self._queue.purse, self._clock()
        after = purse.price(actual, dict(zip(purse.names, before.parts, strict=True)))
        if waiter is None:
            purse.change(now, before, after)
        else:
            self._queue.reconcile(now, waiter, after)
        return after

    def undo(self, waiter: Waiter | None, cost: Costs, lease: int, now: float) -> None:
        """Put everything back that a use has taken. Call `Spending.give_back`."""
        if waiter is None:
            self._queue.refund(now, cost)
            self._queue.release(lease)
        else:
            self._queue.give_back(waiter, now)

    def release(self, lease: int) -> None:
        """Give a slot to the next. Call `Spending.end`."""
        self._queue.release(lease)
        if self._queue.waiting:
            self._driver.kick()

    def kick(self) -> None:
        """Let those go for whom there is room now."""
        self._driver.kick()

    def after_fork(self) -> None:
        """In a fork's child: who waits or runs does so in the parent."""
        self._queue.clear()

    def _price(self, costs: Mapping[str, float]) -> Costs:
        if not costs:
            return self._usual
        purse = self._queue.purse
        cost = purse.price(costs, self._ones)
        purse.check(cost)
        return cost

    def _ask(
        self,
        workload: str | None,
        timeout: float | None,
        key: Hashable,
        costs: Mapping[str, float],
    ) -> Spending | Waiter:
        """Spend if nobody waits; else take a place in the queue."""
        cost = self._price(costs)
        now = self._clock()
        lease = self._queue.try_acquire(now, cost)
        if lease:
            return Spending(self, cost, lease, None)
        flow = workload if workload in self.workloads else DEFAULT
        deadline = inf if timeout is None else now + patience(timeout)
        waiter = self._queue.enqueue(now, flow, self.workloads[flow], cost, deadline, None, key)
        if waiter.reason is not None:
            raise self._rejected(waiter)
        return waiter

    def _grant(self, waiter: Waiter) -> Spending:
        return Spending(self, waiter.cost, waiter.lease, waiter)

    def _granted(self, waiter: Waiter, verdict: Any) -> Spending:
        if isinstance(verdict, Spending):
            return verdict
        raise self._rejected(waiter)

    def _rejected(self, waiter: Waiter) -> Rejected:
        return refusal(self._queue, waiter, self._clock(), self.name)


def _bucket(rate: float | str, start: float) -> TokenBucket:
    per_second, capacity = read_rate(rate)
    return TokenBucket(capacity, per_second, start=start)
