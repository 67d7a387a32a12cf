"""What always holds inside a fair queue, asserted one by one. For tests; O(everything)."""

# ruff: noqa: S101, SLF001  # assertions on privates are the whole point
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trafficcore.core.fair.fair_queue import FairQueue
    from trafficcore.core.fair.lanes import Home, Lane

__all__ = ["check"]


def check(queue: "FairQueue") -> None:
    """Raise `AssertionError` at the first invariant of `queue` that does not hold."""
    lanes = [*queue._lanes.values()]
    for home in queue._homes.values():
        lanes += [lane for key, lane in home.lanes.items() if key is not None]
        _check_home(home, start=queue._start)
    assert len(set(map(id, lanes))) == len(lanes) == queue._size
    entries = [entry for lane in lanes for entry in lane.fifo if entry.waiting]
    assert queue.waiting == len(entries)
    assert _close(queue.backlog(), sum(entry.cost for entry in entries))
    heap = queue.heap
    assert all(heap[(i - 1) // 2] <= heap[i] for i in range(1, len(heap)))
    for lane in lanes:
        _check_lane(lane)
        stands = lane.home is None or lane.home.first is lane
        assert (lane.top is not None) == (bool(lane.fifo) and stands)
        if lane.top is not None:
            assert lane.top == lane.tagged(start=queue._start)
            assert sum(found is lane.top for found in heap) == 1
        if lane.fifo:
            assert lane.since == queue._since
    assert bool(heap) == bool(entries)
    if not entries:
        assert queue._virtual == 0


def _check_lane(lane: "Lane") -> None:
    fifo = lane.fifo
    assert not fifo or fifo[0].waiting
    assert lane.dead == sum(not entry.waiting for entry in fifo)
    assert all(entry.lane is lane for entry in fifo)
    seqs = [entry.seq for entry in fifo]
    assert seqs == sorted(set(seqs))
    assert _close(lane.backlog(), sum(entry.cost for entry in fifo if entry.waiting))


def _check_home(home: "Home", *, start: bool) -> None:
    busy = [lane for lane in home.lanes.values() if lane.fifo]
    assert home.busy == len(busy)
    assert all(lane.home is home for lane in home.lanes.values())
    tags = [lane.tagged(start=start) for lane in busy]
    assert home.first is (min(tags)[2] if tags else None)


def _close(one: Any, other: Any) -> bool:
    """Whether two sums agree: to the letter on exact numbers, to rounding on floats."""
    return bool(abs(one - other) <= (abs(other) * 2**-30 if isinstance(one, float) else 0))
