"""The till of a quota: it spends the budget on the heads of the queue, one after the other.

Law    the head goes when the budget covers its cost, and nobody goes before it. One above the
       capacity is chosen when the bucket is full, paid on credit, and goes when the debt is back
       at 0; until then it is the next, whoever comes.
State  the budget, and the one whose debt is being paid.   Cost  that of the queue's pop.

While somebody waits nobody draws from the budget but the till, whose owner holds the lock: the
level may be kept at hand from one head to the next. It is stored before the head leaves.
"""

# ruff: noqa: PLR1730  # a comparison costs a third of a call to min
from math import inf
from typing import Any

from trafficcore.core.fair.bucket import TokenBucket
from trafficcore.core.fair.fair_queue import FairQueue
from trafficcore.core.fair.slots import Slots
from trafficcore.core.fair.waiter import Fate, Waiter

__all__ = ["Till"]

GRANTED = Fate.GRANTED


class Till:
    """Held under its owner's lock."""

    __slots__ = ("_budget", "_dropped", "_fair", "chosen")

    def __init__(self, budget: TokenBucket | Slots, fair: FairQueue) -> None:
        self._budget: Any = budget
        self._fair = fair
        #: The one above the capacity whose debt is being paid.
        self.chosen: Waiter | None = None
        self._dropped = 0

    @property
    def granted(self) -> int:
        """How many went: who left the queue and was not dropped."""
        return self._fair.left - self._dropped

    def spend(self, now: float, granted: list[Waiter]) -> None:
        """Let go who can go at `now`, in order; somebody waits."""
        budget, fair = self._budget, self._fair
        if self.chosen is not None and not self._settle(now, granted):
            return
        if not budget.plain:
            self._spend_by_rule(now, granted)
            return
        tokens, last, floor = budget.tokens, budget.last, budget.floor
        if now > last:
            tokens += (now - last) * budget.rate
            if tokens > budget.capacity:
                tokens = budget.capacity
            last = now
        heap, pop = fair.heap, fair.pop
        while heap:
            _, _, lane = top = heap[0]
            waiter: Waiter = lane.fifo[0] if lane.top is top else fair.head()
            cost = waiter.cost
            left = tokens - cost
            if left < floor:
                if cost > budget.capacity:
                    self._choose(now, waiter)
                return
            budget.tokens = tokens = left
            budget.last = last
            pop()
            waiter.fate = GRANTED
            waiter.at = now
            granted.append(waiter)

    def _spend_by_rule(self, now: float, granted: list[Waiter]) -> None:
        """Spend a budget that is no plain bucket."""
        budget, fair = self._budget, self._fair
        while fair.heap:
            waiter: Waiter = fair.head()
            lease = budget.take(now, waiter.cost)
            if not lease:
                if waiter.cost > budget.capacity:
                    self._choose(now, waiter)
                return
            fair.pop()
            self._go(waiter, now, lease, granted)

    def _choose(self, now: float, waiter: Waiter) -> None:
        if self._budget.overdraw(now, waiter.cost):
            self.chosen = waiter

    def _settle(self, now: float, granted: list[Waiter]) -> bool:
        """Let the one chosen go, if its debt is paid."""
        chosen = self.chosen
        if chosen is None or not self._budget.solvent(now):
            return False
        self.chosen = None
        self._fair.serve(chosen)
        self._go(chosen, now, 1, granted)
        return True

    def _go(self, waiter: Waiter, now: float, lease: int, granted: list[Waiter]) -> None:
        waiter.fate = GRANTED
        waiter.lease = lease
        waiter.at = now
        granted.append(waiter)

    def due(self, head: Waiter | None) -> Any:
        """Return when the next may go: -inf, now; `inf`, when something is given back."""
        if head is None:
            return inf
        budget = self._budget
        cost: Any = head.cost if self.chosen is None else 0
        return budget.earliest(cost if cost <= budget.capacity else budget.capacity)

    def retry_at(self, now: float, cost: float) -> Any:
        """Return when a cost is there, after what was paid before it; None: unknown."""
        if self.chosen is not None:
            cost -= self.chosen.cost
        return self._budget.supplied(now, cost)

    def too_late(self, now: float, waiter: Waiter) -> bool:
        """Whether a newcomer could not go by his deadline, as far as those who wait can tell."""
        at = self.retry_at(now, self._fair.preceding(waiter))
        return at is not None and bool(at > waiter.deadline)

    def drop(self, waiter: Waiter, now: float = -inf) -> None:
        """Note one who leaves before he may go; what he has paid comes back."""
        self._dropped += 1
        if self.chosen is waiter:
            self.chosen = None
            self._budget.refund(now, waiter.cost)
