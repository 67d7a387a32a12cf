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

# ruff: noqa: PLR1730  # a comparison costs a third of a call to min, and gives way to nobody
from collections.abc import Hashable
from math import inf
from typing import Any, ClassVar

from trafficcore.core.fair import views
from trafficcore.core.fair.bucket import TokenBucket
from trafficcore.core.fair.deadlines import Deadlines
from trafficcore.core.fair.fair_queue import FairQueue
from trafficcore.core.fair.slots import Slots
from trafficcore.core.fair.till import Till
from trafficcore.core.fair.waiter import Fate, Waiter
from trafficcore.core.nolock import NO_LOCK
from trafficcore.errors import ConfigError
from trafficcore.outcome import Reason

__all__ = ["QuotaQueue"]

WAITING = Fate.WAITING


class QuotaQueue:
    """`try_acquire`, and where that refuses `enqueue`; then `poll` when `next_deadline` is due.

    `lock` is re-entrant. `max_waiting` bounds the queue: when full, the newest of the flow that
    waits for most by weight leaves, which may be the newcomer. `queue=False`: nobody waits at all.
    `foresee` refuses at once who could not go by his deadline even if nobody else came any more.
    """

    ATOMIC: ClassVar[tuple[str, ...]] = ("try_acquire",)

    __slots__ = (
        "_budget", "_deadlines", "_decided", "_fair", "_foresee", "_lock", "_max_waiting",
        "_queueing", "_till", "_unit", "cancelled", "refused", "timed_out",
    )  # fmt: skip

    def __init__(
        self,
        budget: TokenBucket | Slots,
        *,
        lock: Any = NO_LOCK,
        tags: str = "finish",
        max_waiting: int | None = None,
        queue: bool = True,
        foresee: bool = False,
    ) -> None:
        if max_waiting is not None and max_waiting < 0:
            raise ConfigError(f"max_waiting must be from 0, not {max_waiting!r}")
        self._budget: Any = budget
        self._lock, self._deadlines = lock, Deadlines()
        self._fair = FairQueue(tags=tags, entry=Waiter)
        self._max_waiting, self._queueing, self._foresee = max_waiting, queue, foresee
        #: Multiplied with a cost it makes a plain number of whatever number class a caller has.
        self._unit = budget.unit
        self._decided: list[Waiter] = []
        self._till = Till(budget, self._fair)
        self.timed_out = self.refused = self.cancelled = 0

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
            return self._free_or_odd(need)
        budget = self._budget
        if not budget.plain:
            return self._acquire_guarded(now, need)
        rate, capacity, floor = budget.rate, budget.capacity, budget.floor
        if self._fair.heap:
            return False
        tokens = budget.tokens
        last = budget.last
        if now > last:
            tokens += (now - last) * rate
            if tokens > capacity:
                tokens = capacity
            last = now
        tokens -= need
        if tokens < floor:
            return False
        budget.tokens = tokens
        budget.last = last
        return True

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
            if not (self._queueing and deadline > now):
                reason = Reason.QUEUE_TIMEOUT if self._queueing else Reason.RATE_LIMITED
                self.refused += 1
                return Waiter.refused(now, cost, deadline, item, reason)
            fair = self._fair
            waiter: Waiter = fair.push(flow, cost, weight, item, key)
            waiter.fate, waiter.deadline, waiter.lease = WAITING, deadline, 0
            waiter.reason = waiter.wake = waiter.verdict = None
            if deadline < inf:
                self._deadlines.note(waiter, fair.waiting)
            if self._foresee and deadline < inf and self._till.too_late(now, waiter):
                self._refuse(waiter, now, Reason.QUEUE_TIMEOUT)
            elif self._max_waiting is not None and fair.waiting > self._max_waiting:
                self.evict(now, waiter)
            return waiter

    def evict(self, now: float, newcomer: Waiter) -> None:
        """Refuse the newest of the flow that waits for most, be it the newcomer. *Guarded*."""
        with self._lock:
            victim = self._fair.newest_of_heaviest()
            self._refuse(victim, now, Reason.QUEUE_FULL)
            if victim is not newcomer:
                self._decided.append(victim)

    def poll(self, now: float) -> list[Waiter]:
        """Grant and time out what is due; return whose fate was decided, in that order. *Guarded*.

        A late poll grants as of `now`: no more than the bucket holds now, and to nobody whose
        deadline has passed. At a deadline itself there is still a grant, if the tokens are there.
        """
        with self._lock:
            decided, self._decided = self._decided, []
            deadlines = self._deadlines.heap
            if deadlines and deadlines[0][0] < now:
                self._time_out(now, decided, also_now=False)
            fair = self._fair
            if fair.heap:
                self._till.spend(now, decided)
                if self._budget.dry:
                    while (waiter := fair.head()) is not None:
                        self._refuse(waiter, now, Reason.RATE_LIMITED)
                        decided.append(waiter)
            if deadlines and deadlines[0][0] <= now:
                self._time_out(now, decided, also_now=True)
            return decided

    def next_deadline(self) -> float:
        """Return when `poll` has something to decide: -inf, now; `inf`, never. *Guarded*.

        Valid until somebody comes, cancels, or gives something back.
        """
        with self._lock:
            if self._decided or (self._fair.heap and self._budget.dry):
                return -inf
            due = self._till.due(self._fair.head())
            if self._deadlines.heap:
                first = self._deadlines.first()
                if first < due:
                    due = first
            return due  # type: ignore[no-any-return]

    def cancel(self, waiter: Waiter, now: float) -> bool:
        """Give a place up at no charge; False: its fate was decided before. *Guarded*."""
        with self._lock:
            if waiter.fate is not WAITING:
                return False
            self._leave(waiter, now, Fate.CANCELLED)
            self.cancelled += 1
            return True

    def give_back(self, waiter: Waiter, now: float) -> bool:
        """Undo a grant that nobody will use; False: there is none to undo. *Guarded*."""
        with self._lock:
            if not self.reconcile(now, waiter, 0):
                return False
            self._budget.release(waiter.lease)
            waiter.fate = Fate.RETURNED
            return True

    def reconcile(self, now: float, waiter: Waiter, actual: float) -> bool:
        """Correct budget and clock by what a grant truly cost; may be repeated. *Guarded*.

        The level may go below 0; what comes back is capped by the capacity. The clock is corrected
        as long as the busy period of the grant is on. False: the waiter holds no grant.
        """
        with self._lock:
            if waiter.fate is not Fate.GRANTED:
                return False
            difference = actual - waiter.cost
            self.refund(now, -difference)
            self._fair.correct(waiter, difference)
            waiter.cost = actual
            return True

    def refund(self, now: float, cost: float = 1) -> None:
        """Put tokens back; below 0 takes them, on credit. *Guarded*."""
        if not -inf < cost < inf:
            raise ConfigError(f"cost must be finite, not {cost!r}")
        with self._lock:
            self._budget.refund(now, cost)

    def release(self, lease: int) -> bool:
        """Give slots back by their lease; False: they had come back before. *Guarded*."""
        with self._lock:
            return bool(self._budget.release(lease))

    def change(self, *settings: Any) -> None:
        """Have the budget go on with other settings; see its `change`. *Guarded*."""
        with self._lock:
            self._budget.change(*settings)

    def retry_at(self, now: float, cost: float = 1) -> Any:
        """Return by when a newcomer's cost is there, after all others; None: unknown. *Guarded*."""
        with self._lock:
            return self._till.retry_at(now, self._fair.backlog() + cost)

    def ahead(self, waiter: Waiter) -> tuple[int, Any]:
        """Return how many go before `waiter` and their cost, as things stand. *Guarded*."""
        with self._lock:
            return self._fair.ahead(waiter)

    def ready_at(self, now: float, waiter: Waiter) -> Any:
        """Return when `waiter` goes, as things stand; None: unknown. *Guarded*."""
        with self._lock:
            return self._till.retry_at(now, self._fair.ahead(waiter)[1] + waiter.cost)

    def idle(self, now: float) -> bool:
        """Whether it is as it was when it was new: nothing taken, nobody there. *Guarded*."""
        with self._lock:
            full = self._budget.level(now) >= self._budget.capacity
            return full and not (self._fair.waiting or self._decided)

    def clear(self) -> None:
        """Drop who is undecided, untold or in flight: in the parent of a fork. *Guarded*."""
        with self._lock:
            self._budget.clear()
            for waiter in self._fair.clear():
                waiter.fate = Fate.CANCELLED
                self._till.drop(waiter)
            self._decided.clear()
            self._deadlines.clear()

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return tokens, queues and counts as plain data. *Guarded*."""
        with self._lock:
            own = {name: getattr(self, name) for name in ("timed_out", "refused", "cancelled")}
            found = {"tokens": self._budget.level(now), "granted": self._till.granted, **own}
            return {**views.snapshot(self._fair.flows()), **found}

    def _free_or_odd(self, cost: float) -> int:
        if not cost <= 0:
            raise ConfigError(f"cost must be a number, not {cost!r}")
        return 1

    def _acquire_guarded(self, now: float, cost: float) -> int:
        with self._lock:
            return 0 if self._fair.heap else int(self._budget.take(now, cost))

    def _leave(self, waiter: Waiter, now: float, fate: Fate) -> None:
        """Take one out of the queue; if its debt was being paid, what it took comes back."""
        self._fair.cancel(waiter)
        waiter.fate = fate
        waiter.at = now
        self._till.drop(waiter, now)

    def _refuse(self, waiter: Waiter, now: float, reason: Reason) -> None:
        self._leave(waiter, now, Fate.REFUSED)
        waiter.reason = reason
        self.refused += 1

    def _time_out(self, now: float, decided: list[Waiter], *, also_now: bool) -> None:
        for waiter in self._deadlines.passed(now, also_now=also_now):
            self._leave(waiter, now, Fate.TIMED_OUT)
            waiter.reason = Reason.QUEUE_TIMEOUT
            decided.append(waiter)
            self.timed_out += 1
