"""`QuotaQueue`: a budget (a bucket, or slots) spent by whoever is next in a fair queue.

Law    while nobody waits, a cost the budget covers is granted at once and moves no clock. As soon
       as somebody waits, the budget goes to the head of the fair queue as it stands at the
       instant the head's cost is there (late binding), and nobody smaller goes before. One above
       the bucket's capacity is chosen when the bucket is full and granted when its debt is paid;
       nobody goes in between. Who times out or cancels pays nothing, in tokens or in turn.
State  the budget, a fair queue, a heap of deadlines.
Cost   `try_acquire` takes no lock; enqueue + poll O(log flows + log waiters); cancel O(1) mostly.
Twin   tests/model/fair.py
Source the reference rules of our scheduling vectors; Aperture's quota scheduler without its flaws.
"""

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, ClassVar, Final

from trafficcore.core.fair.bucket import TokenBucket
from trafficcore.core.fair.fair_queue import FairQueue
from trafficcore.core.fair.slots import Slots
from trafficcore.core.fair.waiter import Fate, Waiter
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError
from trafficcore.outcome import Reason

__all__ = ["QuotaQueue"]

WAITING, GRANTED, TIMED_OUT = Fate.WAITING, Fate.GRANTED, Fate.TIMED_OUT
REFUSED, CANCELLED, RETURNED = Fate.REFUSED, Fate.CANCELLED, Fate.RETURNED
QUEUE_TIMEOUT, QUEUE_FULL = Reason.QUEUE_TIMEOUT, Reason.QUEUE_FULL
RATE_LIMITED = Reason.RATE_LIMITED
#: Deadlines of those who left are tolerated up to this many above those who wait.
_SLACK: Final = 64


class QuotaQueue:
    """`try_acquire`, and where that refuses `enqueue`; then `poll` when `next_deadline` is due.

    `max_waiting` bounds the queue: when full, the newest of the flow that waits for most by weight
    leaves, which may be the newcomer. With `queue=False` nobody waits at all.
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("try_acquire",)

    __slots__ = (
        "_budget",
        "_counts",
        "_deadlines",
        "_decided",
        "_fair",
        "_lock",
        "_max_waiting",
        "_pinned",
        "_queueing",
        "_unit",
    )

    def __init__(
        self,
        budget: TokenBucket | Slots,
        *,
        lock: Any = NO_LOCK,
        tags: str = "finish",
        max_waiting: int | None = None,
        queue: bool = True,
    ) -> None:
        if max_waiting is not None and max_waiting < 0:
            raise ConfigError(f"max_waiting must be from 0, not {max_waiting!r}")
        self._budget: Any = budget
        self._lock = lock
        self._fair = FairQueue(tags=tags, entry=Waiter)
        self._max_waiting = max_waiting
        self._queueing = queue
        #: Multiplied with a cost it makes a plain number of whatever number class a caller has.
        self._unit = budget.unit
        self._deadlines: list[tuple[Any, int, Waiter]] = []
        self._decided: list[Waiter] = []
        #: One above the capacity, chosen, whose debt is being paid.
        self._pinned: Waiter | None = None
        self._counts = dict.fromkeys(Fate, 0)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._fair.waiting

    def try_acquire(self, now: float, cost: float = 1) -> int:
        """Spend `cost` if nobody waits and it is there. *Atomic*.

        The answer is truth; with slots it is the lease to `release`. A cost of 0 or less is free.
        """
        need = cost * self._unit
        if not need > 0:
            return self._free(need)
        budget = self._budget
        if not budget.plain:
            return self._acquire_guarded(now, need)
        rate, capacity, floor = budget.rate, budget.capacity, budget.floor
        if self._fair.waiting:
            return 0
        tokens = budget.tokens
        last = budget.last
        if now > last:
            tokens += (now - last) * rate
            if tokens > capacity:
                tokens = capacity
            last = now
        tokens -= need
        if tokens < floor:
            return 0
        budget.tokens = tokens
        budget.last = last
        return 1

    def enqueue(
        self,
        now: float,
        flow: Hashable,
        weight: float = 1,
        cost: float = 1,
        deadline: float = inf,
        item: Any = None,
        key: Hashable = None,
    ) -> Waiter:
        """Take a place in the queue of `flow` (and fairness `key`) until `deadline`. *Guarded*.

        A refusal is decided in the answer: `reason` is set, and no poll will name it. Everything
        else is decided by `poll`, be it at once: `next_deadline` tells.
        """
        if not 0 < cost < inf:
            raise ConfigError(f"cost must be above 0 and finite, not {cost!r}")
        if not 0 < weight < inf:
            raise ConfigError(f"weight must be above 0 and finite, not {weight!r}")
        with self._lock:
            fair = self._fair
            waiter: Waiter = fair.push(flow, cost, weight, item, key)
            waiter.fate = WAITING
            waiter.deadline = deadline
            waiter.reason = waiter.wake = waiter.verdict = None
            waiter.lease = 0
            if not self._queueing:
                self._refuse(waiter, now, RATE_LIMITED)
            elif not deadline > now:
                self._refuse(waiter, now, QUEUE_TIMEOUT)
            else:
                if deadline < inf:
                    self._note_deadline(waiter)
                if self._max_waiting is not None and fair.waiting > self._max_waiting:
                    victim = fair.newest_of_heaviest()
                    self._refuse(victim, now, QUEUE_FULL)
                    if victim is not waiter:
                        self._decided.append(victim)
            return waiter

    def poll(self, now: float) -> list[Waiter]:
        """Grant and time out what is due; return whose fate was decided, in that order. *Guarded*.

        A late poll grants as of `now`: no more than the bucket holds now, and to nobody whose
        deadline has passed. At a deadline itself there is still a grant, if the tokens are there.
        """
        with self._lock:
            decided, self._decided = self._decided, []
            deadlines = self._deadlines
            if deadlines and deadlines[0][0] < now:
                self._time_out(now, decided, also_now=False)
            fair, budget = self._fair, self._budget
            while fair.waiting:
                waiter = self._pinned
                if waiter is not None:
                    if not budget.solvent(now):
                        break
                    self._pinned = None
                    fair.serve(waiter)
                    lease = 1
                else:
                    waiter = fair.head()
                    lease = budget.take(now, waiter.cost)
                    if lease:
                        fair.pop()
                    elif self._overdraw(waiter, now):
                        continue
                    else:
                        break
                waiter.fate = GRANTED
                waiter.lease = lease
                waiter.at = now
                decided.append(waiter)
                self._counts[GRANTED] += 1
            if budget.dry and fair.waiting:
                for waiter in fair.clear():
                    self._refuse(waiter, now, RATE_LIMITED)
                    decided.append(waiter)
            if deadlines and deadlines[0][0] <= now:
                self._time_out(now, decided, also_now=True)
            return decided

    def next_deadline(self) -> float:
        """Return when `poll` has something to decide: -inf, now; `inf`, never. *Guarded*.

        Valid until somebody comes, cancels, or gives something back.
        """
        with self._lock:
            fair = self._fair
            if self._decided:
                return -inf
            if not fair.waiting:
                return inf
            budget = self._budget
            if budget.dry:
                return -inf
            if self._pinned is not None:
                due = budget.earliest(0)
            else:
                due = budget.earliest(min(fair.head().cost, budget.limit))
            deadlines = self._deadlines
            while deadlines and not deadlines[0][2].waiting:
                heappop(deadlines)
            if deadlines and deadlines[0][0] < due:
                due = deadlines[0][0]
            return due  # type: ignore[no-any-return]
