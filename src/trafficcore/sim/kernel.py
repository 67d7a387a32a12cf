"""`Kernel`: virtual time and a heap of what is due.

Law    Events run in the order of their times; at one instant first those of rank 0 in the order
       they were put there, then those `late` ones that look at what the rest has done. Time never
       goes back, and nothing happens between two events.
Cost   A push and a pop an event, O(log of what is due).
"""

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any, Final

__all__ = ["Kernel"]

Action = Callable[[Any], None]
#: Far above any count of events.
_LATE: Final = 1 << 60


class Kernel:
    """A clock that jumps from event to event. `now` is seconds from 0."""

    __slots__ = ("_heap", "_order", "events", "now")

    def __init__(self) -> None:
        self.now: float = 0.0
        self.events = 0
        self._order = 0
        self._heap: list[tuple[float, int, Action, Any]] = []

    def at(self, time: float, action: Action, argument: Any = None) -> None:
        """Have `action(argument)` run at a time, which must not lie in the past."""
        order = self._order = self._order + 1
        heappush(self._heap, (time, order, action, argument))

    def late(self, time: float, action: Action, argument: Any = None) -> None:
        """Like `at`, but after everything else of that instant."""
        order = self._order = self._order + 1
        heappush(self._heap, (time, order + _LATE, action, argument))

    @property
    def next(self) -> float:
        """When the next event is due; `inf`: nothing is."""
        return self._heap[0][0] if self._heap else inf

    def run(self, until: float = inf, most: int | None = None) -> int:
        """Run what is due up to and at `until`, at most `most` events; return how many ran."""
        heap = self._heap
        left = most = 1 << 62 if most is None else most
        while heap and left and heap[0][0] <= until:
            self.now, _, action, argument = heappop(heap)
            action(argument)
            left -= 1
        ran = most - left
        self.events += ran
        return ran
