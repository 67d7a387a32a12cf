"""How a row is measured: rounds of the floor and of the operation in turn, the median of ratios.

pytest-benchmark times the operation; the floor is timed in its `setup`, right before each round, so
that both see the same weather. What is counted is the processor's time, so that whatever else runs
on the machine takes none of it. Garbage collection is off inside a round.
"""

import gc
import statistics
import time
from collections.abc import Callable
from itertools import repeat
from typing import Any

from benchmarks.floor import Floor

#: Calls a round, for floor and operation alike; `--smoke` takes a quarter.
CALLS = 20_000
ROUNDS = 31


class Row:
    """One row of the table: run an operation many times, count its verdicts, publish the ratio."""

    def __init__(self, benchmark: Any, *, smoke: bool) -> None:
        self._benchmark = benchmark
        self._calls = CALLS // 4 if smoke else CALLS
        self._rounds = 5 if smoke else ROUNDS
        self._floor = Floor()

    @property
    def calls(self) -> int:
        """Operations a round."""
        return self._calls

    def measure(
        self,
        name: str,
        batch: Callable[[int], int],
        *,
        wanted: int | None = None,
        prepare: Callable[[int], None] | None = None,
        calls: int | None = None,
    ) -> float:
        """Time `batch(calls)`, which returns how many verdicts were yes; `wanted` None: all."""
        calls = calls or self._calls
        floors: list[float] = []

        def setup() -> tuple[tuple[int], dict[str, Any]]:
            if prepare is not None:
                prepare(calls)
            gc.collect()
            gc.disable()
            floors.append(self._time_floor())
            return (calls,), {}

        def timed(count: int) -> int:
            yes = batch(count)
            gc.enable()
            return yes

        yes = self._benchmark.pedantic(timed, setup=setup, rounds=self._rounds, warmup_rounds=1)
        assert yes == (calls if wanted is None else wanted), f"{name}: {yes} said yes of {calls}"
        spent = self._benchmark.stats.stats.data
        rounds = zip(spent, floors[-len(spent) :], strict=True)  # the first floor is the warm-up's
        ratio: float = statistics.median(one / calls / floor for one, floor in rounds)
        self._benchmark.extra_info.update(name=name, floors=ratio)
        return ratio

    @property
    def median(self) -> float:
        """Seconds of the median round measured last."""
        return float(self._benchmark.stats.stats.median)

    def publish_over(self, name: str, figure: float) -> None:
        """Publish another figure for what was just measured."""
        self._benchmark.extra_info.update(name=name, floors=figure)

    def publish(self, name: str, figure: float) -> None:
        """Publish a figure that is no ratio to the floor."""
        self._benchmark.pedantic(lambda: None)
        self._benchmark.extra_info.update(name=name, floors=figure)

    def _time_floor(self) -> float:
        call = self._floor.call
        count = self._calls
        begun = time.process_time()
        for _ in repeat(None, count):
            call()
        return (time.process_time() - begun) / count
