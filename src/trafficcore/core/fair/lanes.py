"""Lanes: the FIFOs of a fair queue, and how the fairness keys of one flow share its weight.

Law    a flow with n lanes in which somebody waits charges each n times the cost, so that it gets
       its weight as a whole and its keys equal parts. The tag S + n share of a head therefore
       moves whenever n does. Heads of equal share keep their order whatever n is: they share a
       heap by S, and the best of a flow is the best of the first of each heap.
State  a deque a lane; a heap for each share among the heads of a flow with keys.
Cost   O(log lanes + different shares among the heads of the flow).
"""

from collections import deque
from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Any, Final

__all__ = ["Entry", "Home", "Lane"]

#: Dead entries are tolerated up to this many above the live ones.
_SLACK: Final = 64


class Entry:
    """One that waits, or waited: `cost` and `item` are its owner's, the rest is the queue's."""

    __slots__ = ("cost", "item", "lane", "pushed", "seq", "waiting", "weight")

    cost: Any
    item: Any
    lane: "Lane"
    pushed: Any
    seq: int
    waiting: bool
    weight: Any


class Lane:
    """A FIFO with a clock. Its first entry, where there is one, always waits.

    `top` is the one valid entry of the queue's heap, if this lane has it; `mark` likewise for the
    heap of its home. `since` names the busy period that `clock` belongs to. `pushed` is the cost
    of all that came since the lane was last empty, `buried` that of the `dead` still in it.
    """

    __slots__ = (
        "buried",
        "clock",
        "dead",
        "fifo",
        "flow",
        "home",
        "mark",
        "pushed",
        "since",
        "top",
    )

    def __init__(self, flow: Hashable, home: "Home | None") -> None:
        self.flow = flow
        self.home = home
        self.fifo: deque[Any] = deque()
        self.clock: Any = 0
        self.since = -1
        self.pushed: Any = 0
        self.buried: Any = 0
        self.dead = 0
        self.top: Any = None
        self.mark: Any = None

    def step(self, entry: Any) -> Any:
        """Return what serving `entry` now would add to the clock."""
        share = entry.cost / entry.weight
        return share if self.home is None else share * self.home.busy

    def tagged(self, *, start: bool) -> list[Any]:
        """Return the head's place in a heap: its tag, its arrival, its lane."""
        head = self.fifo[0]
        return [self.clock if start else self.clock + self.step(head), head.seq, self]

    def backlog(self) -> Any:
        """Return the cost that waits here."""
        fifo = self.fifo
        return self.pushed - fifo[0].pushed + fifo[0].cost - self.buried if fifo else 0

    def last(self) -> Any:
        """Return the newest that waits; somebody does."""
        return next(entry for entry in reversed(self.fifo) if entry.waiting)

    def trim(self) -> None:
        """Drop the dead at the front, so that the first one waits."""
        fifo = self.fifo
        while fifo and not fifo[0].waiting:
            self.dead -= 1
            self.buried -= fifo.popleft().cost
        if not self.dead:
            self.buried = 0

    def bury(self, entry: Any) -> None:
        """Note that one behind the head is dead; now and then drop all of them."""
        self.dead += 1
        self.buried += entry.cost
        if self.dead > _SLACK and 2 * self.dead > len(self.fifo):
            self._exhume()

    def _exhume(self) -> None:
        fifo = deque(entry for entry in self.fifo if entry.waiting)
        pushed: Any = 0
        for entry in fifo:
            entry.pushed = pushed = pushed + entry.cost
        self.fifo, self.pushed = fifo, pushed
        self.dead, self.buried = 0, 0


class Home:
    """The lanes of one flow with fairness keys: one of them, `first`, stands for all."""

    __slots__ = ("_heaps", "busy", "first", "lanes")

    def __init__(self) -> None:
        self.lanes: dict[Hashable, Lane] = {}
        self.busy = 0
        self.first: Lane | None = None
        self._heaps: dict[Any, list[Any]] = {}

    def adopt(self, lane: Lane, *, start: bool) -> None:
        """Take in the lane that the flow had before it had keys."""
        self.lanes[None] = lane
        lane.home = self
        if lane.fifo:
            self.note(lane, again=False, start=start)
            self.first = lane

    def backlogged(self) -> list[Lane]:
        """Return the lanes in which somebody waits."""
        return [lane for lane in self.lanes.values() if lane.fifo]

    def note(self, lane: Lane, *, again: bool, start: bool) -> None:
        """Note that a lane has a new head, or none; `again`: it had one before."""
        if not again:
            self.busy += 1
        elif not lane.fifo:
            self.busy -= 1
        lane.mark = None
        if not lane.fifo:
            return
        head = lane.fifo[0]
        share = 0 if start else head.cost / head.weight
        heap = self._heaps.setdefault(share, [])
        lane.mark = mark = (lane.clock, head.seq, lane)
        heappush(heap, mark)
        if len(heap) > 2 * self.busy + _SLACK:
            heap[:] = [found for found in heap if found[2].mark is found]
            heapify(heap)

    def best(self, *, start: bool) -> Lane | None:
        """Return the lane whose head has the smallest tag, the earlier arrival on a tie."""
        best: Any = None
        for share, heap in list(self._heaps.items()):
            while heap and heap[0][2].mark is not heap[0]:
                heappop(heap)
            if not heap:
                del self._heaps[share]
                continue
            clock, seq, lane = heap[0]
            found = (clock if start else clock + share * self.busy, seq, lane)
            if best is None or found < best:
                best = found
        return None if best is None else best[2]
