"""When waiting ends: the deadlines of those who wait, in order.

State  a heap; who has left it for another reason stays in it, dead, until passed or too many.
Cost   O(log n) amortized.
"""

from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, Final

from trafficcore.core.fair.waiter import Waiter

__all__ = ["Deadlines"]

#: The dead are tolerated up to this many above the live ones.
_SLACK: Final = 64


class Deadlines:
    """A waiter that never times out is not noted. Held under its owner's lock.

    `heap` is there for a look at its first entry: no deadline of one that waits is earlier.
    """

    __slots__ = ("heap",)

    def __init__(self) -> None:
        self.heap: list[tuple[Any, int, Waiter]] = []

    def note(self, waiter: Waiter, waiting: int) -> None:
        """Keep a waiter's deadline in mind; `waiting` is how many wait at all."""
        heap = self.heap
        heappush(heap, (waiter.deadline, waiter.seq, waiter))
        if len(heap) > 2 * waiting + _SLACK:
            heap[:] = [found for found in heap if found[2].waiting]
            heapify(heap)

    def first(self) -> Any:
        """Return the earliest deadline of one that waits, `inf` where there is none."""
        heap = self.heap
        while heap and not heap[0][2].waiting:
            heappop(heap)
        return heap[0][0] if heap else inf

    def passed(self, now: float, *, also_now: bool) -> list[Waiter]:
        """Take out those whose deadline lies before `now`, or is `now`; the earliest first."""
        heap = self.heap
        found = []
        while heap and (heap[0][0] < now or (also_now and heap[0][0] == now)):
            waiter = heappop(heap)[2]
            if waiter.waiting:
                found.append(waiter)
        return found

    def clear(self) -> None:
        """Forget all."""
        self.heap.clear()
