"""Picking an endpoint and telling how the call went."""

import random
from itertools import repeat

from benchmarks.measure import Row
from trafficcore.core.balance import Endpoint, TwoChoices, build_picker
from trafficcore.core.outlier import Ejector, Settings


def _outcome(row: Row, name: str, count: int) -> None:
    endpoints = [Endpoint(f"10.0.{n >> 8}.{n & 255}:80") for n in range(count)]
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
    endpoints = [Endpoint(f"10.0.0.{n}:80") for n in range(100)]
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
