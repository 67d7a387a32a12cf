"""Rounds of the floor and of a rival in turn, the median of their ratios; every verdict counted.

As in `benchmarks/measure.py`, but with no fixture around it: each rival has a process of its own.
What is counted is the processor's time, that of the system and of all threads with it.
"""

import gc
import statistics
import time
from collections.abc import Callable
from itertools import repeat

from benchmarks.floor import Floor

ROUNDS = 15
CALLS = 5000

#: Makes so many calls; returns how many were answered yes.
Batch = Callable[[int], int]


def batch_of(ask: Callable[[], object]) -> Batch:
    """Return what asks so many times and counts yes."""

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if ask():
                yes += 1
        return yes

    return batch


def floors(batch: Batch, *, wanted: int | None = None, calls: int = CALLS) -> float:
    """Return what a call costs in floors; `wanted` None: all are answered yes."""
    expected = calls if wanted is None else wanted
    return statistics.median(cost for (cost,) in _rounds((batch,), expected, calls))


def added(bare: Batch, limited: Batch, *, calls: int = 2000) -> float:
    """Return what a limit adds to a request, in floors.

    So many calls that starting an event loop for them does not show.
    """
    rounds = _rounds((bare, limited), calls, calls)
    return statistics.median(with_limit - without for without, with_limit in rounds)


def _rounds(batches: tuple[Batch, ...], expected: int, calls: int) -> list[tuple[float, ...]]:
    """Time all in turn, each round beside the floor; a round more goes first, for warmth."""
    floor = batch_of(Floor().call)
    rounds = []
    for _ in range(ROUNDS + 1):
        gc.collect()
        gc.disable()
        base = _each(floor, CALLS, 0)
        for batch in batches:  # none is the first to be asked after a collection
            _each(batch, calls // 10, expected // 10)
        rounds.append(tuple(_each(batch, calls, expected) / base for batch in batches))
        gc.enable()
    return rounds[1:]


def _each(batch: Batch, calls: int, expected: int) -> float:
    """Return the seconds of a call."""
    begun = time.process_time()
    yes = batch(calls)
    spent = time.process_time() - begun
    if yes != expected:
        raise ArithmeticError(f"{yes} of {calls} said yes, not {expected}")
    return spent / calls


def floor_now() -> float:
    """Return the seconds of one floor."""
    floor = batch_of(Floor().call)
    return statistics.median(_each(floor, CALLS, 0) for _ in range(ROUNDS))
