"""Limiters through their public names, with the default clock."""

import random
import time
import tracemalloc
from itertools import repeat

from benchmarks.measure import Row
from trafficcore import KeyedRateLimiter, RateLimiter

#: More than all rounds ask for, and of the kind that everyday limits are: kept in one number.
EVERYDAY = {"rate": 1e-4, "capacity": 5 * 10**9}


def _allowed(row: Row, name: str, limiter: RateLimiter) -> None:
    acquire = limiter.try_acquire

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if acquire():
                yes += 1
        return yes

    row.measure(name, batch)


def test_allow(row: Row) -> None:
    _allowed(row, "limiter-allow", RateLimiter(**EVERYDAY))


def test_allow_of_a_large_one(row: Row) -> None:
    """Of a capacity times rate above 2 ** 19, which takes two numbers."""
    _allowed(row, "limiter-allow-large", RateLimiter(rate=10**9, capacity=10**9))


def test_refuse(row: Row) -> None:
    limiter = RateLimiter(rate=1e-6, capacity=1)
    assert limiter.try_acquire()
    acquire = limiter.try_acquire

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if acquire():
                yes += 1
        return yes

    row.measure("limiter-refuse", batch, wanted=0)


def _keyed(row: Row, name: str, count: int) -> None:
    keys = [f"client-{n}" for n in range(count)]
    limiter = KeyedRateLimiter(rate=1000, capacity=10**9, max_keys=2 * count)
    for key in keys:
        limiter.try_acquire(key)
    chosen = random.Random(1).choices(keys, k=row.calls)
    acquire = limiter.try_acquire

    def batch(_: int) -> int:
        yes = 0
        for key in chosen:
            if acquire(key):
                yes += 1
        return yes

    row.measure(name, batch)


def test_a_thousand_keys(row: Row) -> None:
    _keyed(row, "keyed-1k", 1000)


def test_a_million_keys(row: Row) -> None:
    _keyed(row, "keyed-1m", 1_000_000)


def test_bytes_a_key(row: Row) -> None:
    keys = [f"client-{n}" for n in range(1_000_000)]
    tracemalloc.start()
    limiter = KeyedRateLimiter(rate=1, capacity=1000, max_keys=2_000_000)
    for key in keys:
        limiter.try_acquire(key)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert limiter.snapshot()["keys"] == len(keys)
    row.publish("keyed-bytes-1m", used / len(keys))


def test_the_limit_holds_while_it_is_measured() -> None:
    """A limiter that always says yes fails here, whatever its speed."""
    rate, capacity = 1000, 100
    limiter = RateLimiter(rate=rate, capacity=capacity)
    begun = time.monotonic()
    yes = sum(limiter.try_acquire() for _ in range(200_000))
    assert capacity <= yes <= capacity + rate * (time.monotonic() - begun) + 1
