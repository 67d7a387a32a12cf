"""Readings of a fair queue, for people and for full queues; nothing here changes what counts.

Each takes the busy lanes flow by flow. Cost as each says: none is on a hot path.
"""

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from trafficcore.core.fair.lanes import Lane

__all__ = ["ahead", "flows", "newest_of_heaviest", "preceding", "snapshot"]

Flows = Iterable[list[Lane]]


def ahead(entry: Any, busy: Flows, *, start: bool) -> tuple[int, Any]:
    """Return how many go before `entry` and their cost, if nobody comes or leaves.

    With fairness keys it is an estimate: a flow's keys are counted as they are now.
    """
    count, cost = 0, 0
    if not entry.waiting:
        return count, cost
    own = next(tag for tag, other in _tagged(entry.lane, start=start) if other is entry)
    for lanes in busy:
        for lane in lanes:
            for tag, other in _tagged(lane, start=start):
                if (tag, other.seq) >= (own, entry.seq):
                    break
                count += 1
                cost += other.cost
    return count, cost


def preceding(entry: Any, busy: Flows, *, start: bool) -> Any:
    """Return at least what goes before the newest of a lane, and itself, if nobody comes or leaves.

    Where the requests of a lane are alike in cost and weight it is short by one of each at most;
    O(lanes), whatever waits in them.
    """
    own = entry.lane
    total = own.backlog()
    share = total - entry.cost if start else total
    tag = own.clock + share * _width(own) / entry.weight
    for lanes in busy:
        for lane in lanes:
            if lane is not own:
                head = lane.fifo[0]
                due = (tag - lane.clock) * head.weight / _width(lane) - head.cost
                backlog = lane.backlog()
                if due > 0:
                    total += due if due < backlog else backlog
    return total


def flows(busy: Flows) -> dict[Hashable, tuple[int, Any]]:
    """Return how many wait in each flow and the cost they wait for."""
    found: dict[Hashable, tuple[int, Any]] = {}
    for lanes in busy:
        costs = [entry.cost for lane in lanes for entry in lane.fifo if entry.waiting]
        found[lanes[0].flow] = (len(costs), sum(costs))
    return found


def snapshot(found: dict[Hashable, tuple[int, Any]]) -> dict[str, Any]:
    """Return what `flows` found as plain data, each flow by its name where it has one."""
    return {
        "waiting": sum(waiting for waiting, _ in found.values()),
        "flows": {
            str(getattr(flow, "name", flow)): {"waiting": waiting, "tokens": cost}
            for flow, (waiting, cost) in found.items()
        },
    }


def newest_of_heaviest(busy: Flows) -> Any:
    """Return the newest of the lane that waits for most, in the flow that waits for most.

    Most is by weight. On a tie the newest of all leaves: nobody makes room for his like.
    """
    newest, heaviest = None, None
    for lanes in busy:
        last = max((lane.last() for lane in lanes), key=lambda e: (e.lane.backlog(), e.seq))
        weight = (sum(lane.backlog() for lane in lanes) / last.weight, last.seq)
        if heaviest is None or weight > heaviest:
            newest, heaviest = last, weight
    return newest


def _width(lane: Lane) -> int:
    """Return among how many lanes of its flow a lane's weight is divided."""
    return 1 if lane.home is None else lane.home.busy


def _tagged(lane: Lane, *, start: bool) -> Iterator[tuple[Any, Any]]:
    """Yield the entries of a lane with the tags they would get in their turn."""
    clock = lane.clock
    for entry in lane.fifo:
        if entry.waiting:
            before, clock = clock, clock + lane.step(entry)
            yield (before if start else clock), entry
