"""Earliest deadline first: weighted round robin over weights that may change while it runs.

Law    an item put back at time t with weight w is due at t + 1 / w; the earliest goes next, those
       put back first among equals. Time is the deadline of the latest pick.
State  a heap of (deadline, turn, item), the time, the next turn.   Cost  O(log items) a pick
Source Envoy edf_scheduler.h. Exact on Fraction weights.
"""

import heapq
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final, Generic, TypeVar

__all__ = ["Edf", "Number"]

T = TypeVar("T")
Number = float | Fraction

#: No start is further in than this many picks.
MOST_PICKS: Final = 429_496_729
#: Added to weights while a start is worked out, to keep multiples of each other apart.
SLACK: Final = Fraction(1, 10**13)


class Edf(Generic[T]):
    """A schedule of items with weights above 0. For one thread, or under the owner's lock."""

    __slots__ = ("_heap", "_now", "_turn")

    def __init__(self) -> None:
        self._heap: list[tuple[Number, int, T]] = []
        self._now: Number = 0
        self._turn = 0

    @classmethod
    def started(
        cls, items: Sequence[T], weight_of: Callable[[T], Number], picks: int = 0
    ) -> "Edf[T]":
        """Return a schedule of `items` as it stands after some picks, without making most of them.

        Owners that start at different points do not all go to the same item first.
        """
        picks %= MOST_PICKS
        edf = cls()
        if not items:
            return edf
        weights = [weight_of(item) + SLACK for item in items]
        total = sum(weights)
        done = 0
        for index, (item, weight) in enumerate(zip(items, weights, strict=True)):
            own = int(weight * picks / total)
            if own and own / weight >= picks / total:
                own -= 1
            edf._heap.append(((own + 1) / weight, index, item))
            edf._now = max(edf._now, own / weight)
            done += own
        edf._turn = len(items)
        heapq.heapify(edf._heap)
        for _ in range(picks - done):
            edf.pick(weight_of)
        return edf

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, item: T, weight: Number) -> None:
        """Put an item in. *guarded*."""
        heapq.heappush(self._heap, (self._now + 1 / weight, self._turn, item))
        self._turn += 1

    def pick(self, weight_of: Callable[[T], Number]) -> T | None:
        """Return the item that is due and put it back with its weight as of now. *guarded*."""
        if not self._heap:
            return None
        deadline, _, item = self._heap[0]
        again = deadline + 1 / weight_of(item)
        self._now = deadline
        heapq.heapreplace(self._heap, (again, self._turn, item))
        self._turn += 1
        return item
