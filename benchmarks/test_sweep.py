"""What is done off the hot path: a sweep over many endpoints, a picker made anew; and the spread.

A sweep settles the interval of every endpoint and compares them. With thousands of them numpy does
the comparing; the loop that it replaces is timed beside it.
"""

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

import pytest

from benchmarks.measure import Row
from trafficcore.core.balance import (
    Endpoint,
    MaglevMaker,
    Picker,
    RandomChoice,
    RingMaker,
    TwoChoices,
    build_hashed,
    build_picker,
)
from trafficcore.core.balance.xxhash64 import xxhash64
from trafficcore.core.outlier import Ejector, Settings, detect

MANY = 10_000
#: Both periodic detectors at work, and nobody found: the usual sweep.
SETTINGS = Settings(enforcing_failure_percentage=100)


def _endpoints(count: int) -> list[Endpoint]:
    return [Endpoint(f"10.0.{n >> 8}.{n & 255}:80", weight=1) for n in range(count)]


@contextmanager
def _from(hosts: float) -> Iterator[None]:
    """Have numpy used from so many hosts on."""
    usual, detect.MANY = detect.MANY, hosts  # type: ignore[assignment]
    try:
        yield
    finally:
        detect.MANY = usual


class _Cluster:
    """An ejector over many endpoints, each with an interval of calls behind it."""

    def __init__(self) -> None:
        self.ejector = Ejector(SETTINGS)
        self.tallies = [self.ejector.add(endpoint, 0) for endpoint in _endpoints(MANY)]
        rng = random.Random(7)
        self.failed = [rng.randrange(3) for _ in self.tallies]
        self.now = 0.0

    def fill(self, _calls: int = 0) -> None:
        for tally, failed in zip(self.tallies, self.failed, strict=True):
            tally.successes, tally.failures = 100 - failed, failed

    def sweep(self, calls: int = 1) -> int:
        for _ in range(calls):
            self.now += 10
            self.ejector.force_sweep(self.now)
        return calls


def test_sweep(row: Row) -> None:
    """In floors an endpoint."""
    cluster = _Cluster()
    ratio = row.measure("sweep-10k", cluster.sweep, prepare=cluster.fill, calls=1)
    row.publish_over("sweep-10k", ratio / MANY)
    assert cluster.ejector.success_rate[0] > 98


def _seconds(work: Callable[[], object], prepare: Callable[[], object], rounds: int = 15) -> float:
    spent = []
    for _ in range(rounds):
        prepare()
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return statistics.median(spent)


def test_numpy_over_a_loop(row: Row) -> None:
    cluster = _Cluster()
    with _from(inf):
        loop = _seconds(cluster.sweep, cluster.fill)
    by_numpy = _seconds(cluster.sweep, cluster.fill)
    row.publish("sweep-10k-numpy-over-loop", by_numpy / loop)


def test_comparing_by_numpy_over_a_loop(row: Row) -> None:
    """The comparing alone, without the settling of 10,000 tallies before it."""
    rng = random.Random(7)
    totals = [100 + rng.randrange(50) for _ in range(MANY)]
    good = [total - rng.randrange(3) for total in totals]

    def compare() -> object:
        return detect.periodic(good, totals, SETTINGS)

    with _from(inf):
        wanted, loop = compare(), _seconds(compare, lambda: None)
    assert compare() == wanted
    row.publish("compare-10k-numpy-over-loop", _seconds(compare, lambda: None) / loop)


def test_rebuild(row: Row) -> None:
    """In floors an endpoint: one of 10,000 goes, or comes back."""
    endpoints = _endpoints(MANY)
    picker = build_picker(endpoints)

    def batch(calls: int) -> int:
        nonlocal picker
        for _ in range(calls):
            endpoints[0].healthy = not endpoints[0].healthy
            picker = build_picker(endpoints, previous=picker)
        return calls

    ratio = row.measure("rebuild-10k", batch, calls=1)
    row.publish_over("rebuild-10k", ratio / MANY)


def _worst(pick: Callable[[int], Endpoint | None], hosts: int, calls: int) -> float:
    """Return what the busiest host got, over its ideal part."""
    counts = Counter(pick(number) for number in range(calls))
    return max(counts.values()) * hosts / calls


def _pick(picker: Picker) -> Callable[[int], Endpoint | None]:
    return lambda _: picker.pick()


@pytest.mark.parametrize("kind", ["turns", "random", "two-choices", "ring", "maglev"])
def test_spread(row: Row, kind: str) -> None:
    """A thousand calls for each of ten hosts: what the busiest got, in its ideal parts."""
    hosts, draw = _endpoints(10), random.Random(7).random
    keys = [xxhash64(b"user-%d" % number) for number in range(10_000)]
    ring, maglev = (build_hashed(hosts, table=make) for make in (RingMaker(), MaglevMaker()))
    picks = {
        "turns": _pick(build_picker(hosts)),
        "random": _pick(RandomChoice(hosts, draw)),
        "two-choices": _pick(TwoChoices(hosts, draw)),
        "ring": lambda number: ring.find(keys[number]),
        "maglev": lambda number: maglev.find(keys[number]),
    }
    row.publish(f"spread-{kind}", _worst(picks[kind], len(hosts), len(keys)))
