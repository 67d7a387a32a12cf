"""Picking an endpoint and telling how the call went."""

import random
from itertools import cycle, repeat

import pytest

from benchmarks.measure import Row
from trafficcore.core.balance import (
    Endpoint,
    MaglevMaker,
    RingMaker,
    TableMaker,
    TwoChoices,
    build_hashed,
    build_picker,
)
from trafficcore.core.balance.xxhash64 import xxhash64
from trafficcore.core.outlier import Ejector, Settings
from trafficcore.engine.hashing import hash_of


def _endpoints(count: int) -> list[Endpoint]:
    return [Endpoint(f"10.0.{n >> 8}.{n & 255}:80") for n in range(count)]


def _outcome(row: Row, name: str, count: int) -> None:
    endpoints = _endpoints(count)
    ejector = Ejector(Settings())
    for endpoint in endpoints:
        endpoint.tally = ejector.add(endpoint, 0)
    picker = build_picker(endpoints)
    pick = picker.pick

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            endpoint = pick()
            if endpoint is not None:
                yes += 1
                endpoint.tally.good()
        return yes

    row.measure(name, batch)
    counted = [endpoint.tally.successes for endpoint in endpoints]
    assert max(counted) - min(counted) <= 1


def test_ten(row: Row) -> None:
    _outcome(row, "pick-outcome-10", 10)


def test_ten_thousand(row: Row) -> None:
    _outcome(row, "pick-outcome-10k", 10_000)


def test_least_request(row: Row) -> None:
    endpoints = _endpoints(100)
    ejector = Ejector(Settings())
    for endpoint in endpoints:
        endpoint.tally = ejector.add(endpoint, 0)
    pick = TwoChoices(endpoints, random.random).pick

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            endpoint = pick()
            if endpoint is not None:
                yes += 1
                endpoint.tally.good()
        return yes

    row.measure("least-request-outcome", batch)


tables = pytest.mark.parametrize(
    ("name", "make"), [("ring", RingMaker), ("maglev", MaglevMaker)], ids=["ring", "maglev"]
)


@tables
def test_hashed(row: Row, name: str, make: type[RingMaker] | type[MaglevMaker]) -> None:
    """A key that is known, its hash looked up, its endpoint found; a hundred users take turns."""
    find = build_hashed(_endpoints(100), table=make()).find
    keys = cycle([f"user-{n}" for n in range(100)])

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if find(hash_of(next(keys))) is not None:
                yes += 1
        return yes

    row.measure(f"hash-{name}-pick", batch)


def test_hash_of_a_new_key(row: Row) -> None:
    def batch(calls: int) -> int:
        return sum(xxhash64(b"a user of 24 letters %d" % n) >= 0 for n in range(calls))

    row.measure("hash-of-a-new-key", batch)


@tables
def test_hash_rebuild(row: Row, name: str, make: type[RingMaker] | type[MaglevMaker]) -> None:
    """One of ten endpoints goes, another each time: what an ejection costs."""
    endpoints, maker = _endpoints(10), make()
    leaving = cycle(endpoints)

    def batch(calls: int) -> int:
        for _ in range(calls):
            gone = next(leaving)
            gone.healthy = False
            build_hashed(endpoints, table=maker)
            gone.healthy = True
        return calls

    row.measure(f"hash-{name}-rebuild", batch, calls=3)


def _moved(table: TableMaker, count: int) -> float:
    """Return how much moves when one of `count` leaves, in 1 / count, over some that may."""
    endpoints, keys = _endpoints(count), [xxhash64(b"%d" % n) for n in range(20_000)]
    before = [*map(build_hashed(endpoints, table=table).find, keys)]
    moved = leavers = 0
    for gone in endpoints[:: max(1, count // 10)]:
        leavers += 1
        gone.healthy = False
        after = map(build_hashed(endpoints, table=table).find, keys)
        moved += sum(one is not two for one, two in zip(before, after, strict=True))
        gone.healthy = True
    return moved * count / (leavers * len(keys))


@pytest.mark.parametrize(
    ("name", "make", "count"),
    [("maglev-churn-10", MaglevMaker, 10), ("ring-churn-100", RingMaker, 100),
     ("ring-churn-10", RingMaker, 10), ("maglev-churn-100", MaglevMaker, 100)],
)  # fmt: skip
def test_churn(row: Row, name: str, make: type[RingMaker] | type[MaglevMaker], count: int) -> None:
    row.publish(f"hash-{name}", _moved(make(), count))
