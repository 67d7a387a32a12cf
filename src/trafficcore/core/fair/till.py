"""The till of a quota: it pays the head of the queue, also one above what the bucket holds.

Law    a cost is paid when the budget covers it. One above the capacity is chosen when the bucket is
       full, paid on credit, and let go when the debt is back at 0; until then it is the only one.
State  the budget, and the one whose debt is being paid.   Cost  O(1).
"""

# a comparison costs a third of a call to min
from math import inf
from typing import Any

from trafficcore.core.fair.bucket import TokenBucket
from trafficcore.core.fair.slots import Slots
from trafficcore.core.fair.waiter import Waiter

__all__ = ["Till"]


class Till:
    """Held under its owner's lock."""

    __slots__ = ("_budget", "chosen")

    def __init__(self, budget: TokenBucket | Slots) -> None:
        self._budget: Any = budget
        #: The one above the capacity whose debt is being paid.
        self.chosen: Waiter | None = None

    def choose(self, now: float, head: Waiter) -> bool:
        """Pay for one above the capacity on credit, if the bucket is full: it will be the next."""
        budget = self._budget
        if head.cost <= budget.capacity or not budget.overdraw(now, head.cost):
            return False
        self.chosen = head
        return True

    def paid(self, now: float) -> bool:
        """Whether the debt of the one chosen is paid; then nobody is chosen any more."""
        if not self._budget.solvent(now):
            return False
        self.chosen = None
        return True

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

    def drop(self, waiter: Waiter, now: float = -inf) -> None:
        """Take back what one paid who leaves before he may go."""
        if self.chosen is waiter:
            self.chosen = None
            self._budget.refund(now, waiter.cost)
