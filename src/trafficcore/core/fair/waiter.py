"""`Waiter`: one request's place in a quota's queue, and what became of it."""

from collections.abc import Callable
from enum import Enum
from typing import Any

from trafficcore.core.fair.lanes import Entry
from trafficcore.outcome import Reason

__all__ = ["Fate", "Waiter"]


class Fate(Enum):
    """What became of one that waited."""

    WAITING = "waiting"
    GRANTED = "granted"
    TIMED_OUT = "timed_out"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    #: Granted, and given back by one who no longer wanted it.
    RETURNED = "returned"


class Waiter(Entry):
    """A place in the queue; made by `QuotaQueue.enqueue`.

    `fate` changes under the quota's lock alone, and `reason` is set where it is a refusal. `at` is
    when it was decided, `lease` what slots are released by. `wake` and `verdict` belong to
    whoever waits.
    """

    __slots__ = ("at", "deadline", "fate", "lease", "reason", "verdict", "wake")

    at: Any
    deadline: Any
    fate: Fate
    lease: int
    reason: Reason | None
    verdict: Any
    wake: Callable[[Any], object] | None

    @classmethod
    def refused(
        cls, now: float, cost: float, deadline: float, item: Any, reason: Reason
    ) -> "Waiter":
        """Return one that never got a place."""
        waiter = cls()
        waiter.waiting = False
        waiter.cost, waiter.deadline, waiter.item = cost, deadline, item
        waiter.fate, waiter.reason, waiter.at = Fate.REFUSED, reason, now
        waiter.wake = waiter.verdict = None
        waiter.lease = 0
        return waiter

    def __repr__(self) -> str:
        return f"<Waiter {self.fate.value} cost={self.cost!r} deadline={self.deadline!r}>"
