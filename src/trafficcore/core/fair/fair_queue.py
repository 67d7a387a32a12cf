"""Self-clocked fair queueing (Golestani 1994), or start-time fair queueing (Goyal et al. 1996).

Law    each lane (a FIFO of one flow, or of one fairness key of it) has a clock S; V is the virtual
       time. A lane that gets somebody to wait sets S = max(S, V). Its head's finish tag is
       S + n cost / weight, n the lanes of its flow in which somebody waits (1 without keys). The
       smallest tag leaves first, the earlier arrival on a tie; then S = V = that tag. By start
       tags the smallest S leaves, V becomes that S, and S its finish tag. While lanes i and j
       both have somebody waiting, |W_i / w_i - W_j / w_j| <= l_i / w_i + l_j / w_j (W served,
       w weight, l largest cost). Who leaves unserved moves no clock. When nobody waits, the busy
       period is over: all clocks start again at 0.
State  a FIFO a lane; one heap of the lanes' heads, replaced entries left in it as dead ones.
Cost   push + pop O(log lanes), whatever waits behind the heads; cancel marks, O(1) behind a head.
Twin   tests/model/fair.py
Source reference: Golestani, INFOCOM 1994; Goyal, Vin, Cheng, SIGCOMM 1996.
"""

# ruff: noqa: PLR1730  # a comparison costs a third of a call to min, and gives way to nobody
from collections.abc import Callable, Hashable
from heapq import heapify, heappop, heappush, heapreplace
from typing import Any, Final

from trafficcore.core.fair import views
from trafficcore.core.fair.invariants import check
from trafficcore.core.fair.lanes import Entry, Home, Lane
from trafficcore.errors import ConfigError

__all__ = ["FairQueue"]

#: Lanes in which nobody waits are remembered up to this many: a flow's name is a caller's choice.
_IDLE: Final = 4096
#: Dead entries are tolerated up to this many above the live ones.
_SLACK: Final = 64


class FairQueue:
    """Who goes next, by weight. Not safe by itself: its owner holds a lock around every call.

    `heap` holds something while somebody waits, `left` counts who went; read them at will.
    """

    __slots__ = (
        "_arrived", "_homes", "_lanes", "_make", "_room", "_since", "_size", "_start", "_virtual",
        "heap", "left",
    )  # fmt: skip

    def __init__(self, *, tags: str = "finish", entry: type[Entry] = Entry) -> None:
        if tags not in ("finish", "start"):
            raise ConfigError(f"tags must be 'finish' or 'start', not {tags!r}")
        self._start = tags == "start"
        self._make = entry
        self._lanes: dict[Hashable, Lane] = {}
        self._homes: dict[Hashable, Home] = {}
        #: How many lanes there are, and how many there may be before the idle ones are dropped.
        self._size = 0
        self._room = _IDLE
        #: The heads of the lanes: [tag, arrival, lane]; the first is changed in place.
        self.heap: list[Any] = []
        #: How many ever came, which numbers them, and how many went; `_arrived` at the beginning
        #: of this busy period names it.
        self._arrived = self.left = self._since = 0
        self._virtual: Any = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._arrived - self.left

    def push(
        self,
        flow: Hashable,
        cost: float = 1,
        weight: float = 1,
        item: Any = None,
        key: Hashable = None,
    ) -> Any:
        """Append to the lane of `flow` (and fairness `key`); return the entry. `weight` > 0."""
        lane = self._lanes.get(flow) if key is None else self._keyed(flow, key)
        if lane is None:
            lane = self._open(flow, key)
        entry = self._make()
        entry.lane = lane
        entry.seq = self._arrived = seq = self._arrived + 1
        entry.cost = cost
        entry.weight = weight
        entry.item = item
        entry.waiting = True
        fifo = lane.fifo
        if fifo:
            entry.pushed = lane.pushed = lane.pushed + cost
            fifo.append(entry)
            return entry
        entry.pushed = lane.pushed = cost
        fifo.append(entry)
        clock = self._virtual
        if lane.since != self._since:
            lane.since = self._since
            lane.clock = clock
        elif clock > lane.clock:
            lane.clock = clock
        else:
            clock = lane.clock
        if lane.home is None:
            if not self._start:
                clock += cost / weight
            lane.top = top = [clock, seq, lane]
            heappush(self.heap, top)
        else:
            self._wake(lane)
        return entry

    def head(self) -> Any:
        """Return the entry that is to go next, None where nobody waits."""
        heap = self.heap
        while heap:
            _, _, lane = top = heap[0]
            if lane.top is top:
                return lane.fifo[0]
            heappop(heap)
        return None

    def pop(self) -> Any:
        """Serve the entry that is to go next and return it; IndexError where nobody waits."""
        heap = self.heap
        clock, _, lane = top = heap[0]
        while lane.top is not top:
            heappop(heap)
            clock, _, lane = top = heap[0]
        if lane.home is not None:
            entry = lane.fifo[0]
            self.serve(entry)
            return entry
        fifo = lane.fifo
        entry = fifo.popleft()
        entry.waiting = False
        if clock > self._virtual:
            self._virtual = clock
        if self._start:
            clock += entry.cost / entry.weight
        lane.clock = clock
        if lane.dead:
            lane.trim()
        if fifo:
            head = fifo[0]
            top[0] = clock if self._start else clock + head.cost / head.weight
            top[1] = head.seq
            heapreplace(heap, top)
        else:
            lane.top = None
            heappop(heap)
        self.left = left = self.left + 1
        if left == self._arrived:
            self._rest()
        return entry

    def serve(self, entry: Any) -> None:
        """Serve the head of a lane, be it its turn or not."""
        lane: Lane = entry.lane
        start = lane.clock
        lane.clock = start + lane.step(entry)
        tag = start if self._start else lane.clock
        if tag > self._virtual:
            self._virtual = tag
        self._leave(entry)

    def cancel(self, entry: Any) -> bool:
        """Take an entry out at no charge; False: it does not wait any more."""
        if not entry.waiting:
            return False
        self._leave(entry)
        return True

    def correct(self, entry: Any, difference: float) -> None:
        """Add `difference` / weight to the clock of a served entry's lane, in its busy period."""
        lane: Lane = entry.lane
        if entry.seq > self._since:
            lane.clock += difference / entry.weight
            if lane.fifo:
                self._wake(lane, again=True)

    def backlog(self) -> Any:
        """Return the cost that all who wait wait for; O(lanes)."""
        return sum(lane.backlog() for lanes in self.busy() for lane in lanes)

    def newest_of_heaviest(self) -> Any:
        """Return the newest entry of the flow that waits for most, by weight; O(lanes)."""
        return views.newest_of_heaviest(self.busy())

    def ahead(self, entry: Any) -> tuple[int, Any]:
        """Return how many go before `entry`, and their cost, as things stand; O(waiting)."""
        return views.ahead(entry, self.busy(), start=self._start)

    def preceding(self, entry: Any) -> Any:
        """Return at least what goes before the newest `entry` of its lane, and its own cost."""
        return views.preceding(entry, self.busy(), start=self._start)

    def flows(self) -> dict[Hashable, tuple[int, Any]]:
        """Return how many wait in each flow, and the cost they wait for; O(waiting)."""
        return views.flows(self.busy())

    def clear(self) -> list[Any]:
        """Take everybody out and return them in the order of their arrival."""
        entries = [e for lanes in self.busy() for lane in lanes for e in lane.fifo if e.waiting]
        for entry in entries:
            self.cancel(entry)
        return sorted(entries, key=lambda entry: entry.seq)

    def _leave(self, entry: Any) -> None:
        """Take a waiting entry out; what its lane's clock says is settled before."""
        lane: Lane = entry.lane
        entry.waiting = False
        self.left += 1
        if lane.fifo[0] is entry:
            lane.fifo.popleft()
            lane.trim()
            self._wake(lane, again=True)
        else:
            lane.bury(entry)
        if self.left == self._arrived:
            self._rest()

    def _wake(self, lane: Lane, *, again: bool = False) -> None:
        """Give a lane's new head, or none, its place in the heap; `again`: it had one before."""
        top: Any = None
        if lane.home is not None:
            home = lane.home
            before = home.first
            home.note(lane, again=again, start=self._start)
            home.first = first = home.best(start=self._start)
            if before is not None:
                before.top = None
            if first is not None:
                first.top = top = first.tagged(start=self._start)
        else:
            lane.top = None
            if lane.fifo:
                lane.top = top = lane.tagged(start=self._start)
        heap = self.heap
        if top is not None:
            heappush(heap, top)
        if len(heap) > 2 * self.waiting + _SLACK:
            heap[:] = [found for found in heap if found[2].top is found]
            heapify(heap)

    def _keyed(self, flow: Hashable, key: Hashable) -> Lane | None:
        home = self._homes.get(flow)
        return None if home is None else home.lanes.get(key)

    def _open(self, flow: Hashable, key: Hashable) -> Lane:
        """Return a new lane; the first fairness key of a flow makes it a home of lanes."""
        if self._size >= self._room:
            self._forget_idle()
        self._size += 1
        home = self._homes.get(flow)
        lane = Lane(flow, home)
        if key is None:
            self._lanes[flow] = lane
            if home is not None:
                home.lanes[None] = lane
            return lane
        if home is None:
            home = lane.home = self._homes[flow] = Home()
            plain = self._lanes.get(flow)
            if plain is not None:
                home.adopt(plain, start=self._start)
        home.lanes[key] = lane
        return lane

    def _forget_idle(self) -> None:
        """Drop lanes that nobody waits in: first those whose clock no longer matters.

        If that is not enough all of them go; one that comes back has gained a request at most.
        """
        since, virtual = self._since, self._virtual
        self._keep(lambda lane: lane.fifo or (lane.since == since and lane.clock > virtual))
        if self._size > self.waiting + _IDLE // 2:
            self._keep(lambda lane: lane.fifo)
        self._room = self._size + _IDLE

    def _keep(self, matters: Callable[[Lane], object]) -> None:
        self._lanes = {flow: lane for flow, lane in self._lanes.items() if matters(lane)}
        for home in self._homes.values():
            home.lanes = {key: lane for key, lane in home.lanes.items() if matters(lane)}
        self._homes = {flow: home for flow, home in self._homes.items() if home.lanes}
        keyed = sum(len(home.lanes) for home in self._homes.values())
        self._size = keyed + sum(lane.home is None for lane in self._lanes.values())

    def _rest(self) -> None:
        """End the busy period: clocks of an older period count as 0."""
        self.heap.clear()
        self._since = self._arrived
        self._virtual = 0

    def busy(self) -> list[list[Lane]]:
        """Return the lanes in which somebody waits, flow by flow; O(those lanes)."""
        tops = [lane for top in self.heap if (lane := top[2]).top is top]
        return [[lane] if lane.home is None else lane.home.backlogged() for lane in tops]

    def _check(self) -> None:
        """Assert every invariant of the structure; for tests."""
        check(self)
