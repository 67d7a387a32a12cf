"""Rounds of the floor and of a rival in turn, medians, a ratio; every verdict counted.

As in `benchmarks/measure.py`, but with no fixture around it: each rival has a process of its own.
What is counted is the processor's time, all threads together; `clock` may say otherwise.
"""

import gc
import statistics
import time
from collections.abc import Callable
from itertools import repeat

from benchmarks.floor import Floor

ROUNDS = 15
CALLS = 5000

Clock = Callable[[], float]
#: Makes so many calls; returns how many were answered yes.
Batch = Callable[[int], int]


def batch_of(ask: Callable[[], bool]) -> Batch:
    """Return what asks so many times and counts yes."""

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if ask():
                yes += 1
        return yes

    return batch


def floors(
    *batches: Batch, wanted: int | None = None, calls: int = CALLS, clock: Clock = time.process_time
) -> list[float]:
    """Return what a call of each batch costs in floors; all are timed in turn, once for warmth."""
    floor = Floor().call
    base: list[float] = []
    spent: list[list[float]] = [[] for _ in batches]
    for turn in range(ROUNDS + 1):
        gc.collect()
        gc.disable()
        begun = clock()
        for _ in repeat(None, CALLS):
            floor()
        base.append((clock() - begun) / CALLS)
        for batch, times in zip(batches, spent, strict=True):
            begun = clock()
            yes = batch(calls)
            times.append((clock() - begun) / calls)
            expected = calls if wanted is None else wanted
            if yes != expected:
                raise ArithmeticError(f"{yes} of {calls} said yes, not {expected}")
        gc.enable()
        if not turn:
            base.clear()
            for times in spent:
                times.clear()
    unit = statistics.median(base)
    return [statistics.median(times) / unit for times in spent]


def floor_now() -> float:
    """Return the seconds of one floor."""
    call = Floor().call
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in repeat(None, CALLS):
            call()
        times.append((time.process_time() - begun) / CALLS)
    return statistics.median(times)
