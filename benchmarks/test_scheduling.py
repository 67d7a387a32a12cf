"""The fair queue alone, and the quota in front of it."""

import time
from itertools import repeat

import pytest

from benchmarks.measure import Row
from trafficcore import QuotaScheduler
from trafficcore.core.fair import FairQueue, QuotaQueue, TokenBucket

_seen: dict[str, float] = {}


def _queue(row: Row, name: str, flows: int, waiting: int) -> None:
    queue = FairQueue()
    names = [f"flow-{n}" for n in range(flows)]
    for n in range(waiting):
        queue.push(names[n % flows], 1, 1 + n % flows % 7, None)
    push, pop = queue.push, queue.pop

    newcomers = [(names[n % flows], 1 + n % flows % 7) for n in range(row.calls)]

    def batch(calls: int) -> int:
        for flow, weight in newcomers:
            push(flow, 1, weight)
            pop()
        return calls

    _seen[name] = row.measure(name, batch)
    assert queue.waiting == waiting


def test_ten_thousand_wait(row: Row) -> None:
    _queue(row, "fair-queue-10k", 2, 10_000)


def test_a_million_wait(row: Row) -> None:
    _queue(row, "fair-queue-1m", 2, 1_000_000)


def test_a_million_over_ten_thousand(row: Row) -> None:
    if "fair-queue-1m" not in _seen:
        pytest.skip("needs the two rows before it")
    row.publish("fair-queue-1m-over-10k", _seen["fair-queue-1m"] / _seen["fair-queue-10k"])


def test_a_thousand_flows(row: Row) -> None:
    _queue(row, "fair-queue-1000-flows", 1000, 100_000)


def test_nobody_waits(row: Row) -> None:
    acquire = QuotaQueue(TokenBucket(10**9, 10**9, 1)).try_acquire
    now = time.monotonic()

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if acquire(now, 1):
                yes += 1
        return yes

    row.measure("quota-now-given", batch)


def test_handle_nobody_waits(row: Row) -> None:
    acquire = QuotaScheduler(10**9, workloads={"guest": 50}).try_acquire

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if acquire():
                yes += 1
        return yes

    row.measure("quota-handle", batch)


def test_queued_and_granted(row: Row) -> None:
    """A thousand wait throughout; in each step one comes and one is granted."""
    queue = QuotaQueue(TokenBucket(1, 1000, 1))
    now = 1.0
    assert queue.try_acquire(now, 1)
    newcomers = [(("guest", 50), ("subscriber", 200))[n % 2] for n in range(row.calls)]
    for flow, weight in newcomers[:1000]:
        queue.enqueue(now, flow, weight)
    enqueue, poll = queue.enqueue, queue.poll

    def batch(_: int) -> int:
        nonlocal now
        yes = 0
        for flow, weight in newcomers:
            enqueue(now, flow, weight)
            now += 0.001
            yes += len(poll(now))
        return yes

    # the bucket's rounding may shift a grant from one round to the next
    row.measure("quota-queued-granted", lambda n: n if abs(batch(n) - n) <= 1 else -1)
    assert abs(queue.waiting - 1000) <= 1
