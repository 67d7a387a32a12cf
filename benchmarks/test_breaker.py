"""Breakers: the machine with `now` given, and the handle with its own clock."""

import time
from itertools import repeat

from benchmarks.measure import Row
from trafficcore import CircuitBreaker
from trafficcore.core.breaker import Breaker, Open, Rule, Settings, Time
from trafficcore.live import CircuitOpen

SETTINGS = Settings(
    window=Time(10, buckets=10),
    slow_after=0.5,
    trip=(Rule("slow_count", 5), Rule("error_rate", 0.5, min_calls=20)),
    open=Open(3600),
    half_open=None,
)


def test_core_good(row: Row) -> None:
    breaker = Breaker(SETTINGS)
    acquire, good = breaker.try_acquire, breaker.good
    now = time.monotonic()

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            era = acquire(now)
            if era:
                yes += 1
                good(era, now)
        return yes

    row.measure("breaker-core-good", batch)
    assert breaker.snapshot(now)["errors"] == 0


def test_handle_good(row: Row) -> None:
    breaker = CircuitBreaker(window=10, slow_after=0.5, max_slow=5, open_for=60)
    acquire, good = breaker.try_acquire, breaker.good

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            era = acquire()
            if era:
                yes += 1
                good(era)
        return yes

    row.measure("breaker-handle-good", batch)


def test_bad_that_evaluates(row: Row) -> None:
    """Every error here comes at its edge: the rules are looked at each time, and none holds."""
    settings = Settings(
        window=Time(10, buckets=10),
        trip=(Rule("error_count", 10**9),),
        open=Open(60),
        half_open=None,
    )
    breaker = Breaker(settings)
    acquire, bad = breaker.try_acquire, breaker.bad
    now = time.monotonic()

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            breaker._error_edge = 0
            era = acquire(now)
            if era:
                yes += 1
                bad(era, now)
        return yes

    row.measure("breaker-bad-evaluating", batch)
    assert breaker.state(now).value == "closed"


def test_refusal(row: Row) -> None:
    breaker = CircuitBreaker(window=10, slow_after=0.5, max_slow=5, open_for=3600)
    breaker.to("open")
    acquire = breaker.try_acquire

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if acquire():
                yes += 1
        return yes

    row.measure("breaker-refuse", batch, wanted=0)


def test_refusal_raised(row: Row) -> None:
    breaker = CircuitBreaker(window=10, slow_after=0.5, max_slow=5, open_for=3600)
    breaker.to("open")
    call = breaker(answer)

    def batch(calls: int) -> int:
        no = 0
        for _ in repeat(None, calls):
            try:
                call()
            except CircuitOpen:
                no += 1
        return no

    row.measure("breaker-refuse-raise", batch)


def answer() -> bool:
    return True


async def answer_later() -> bool:
    return True


def test_decorated(row: Row) -> None:
    call = CircuitBreaker(window=10, slow_after=0.5, max_slow=5, open_for=60)(answer)

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if call():
                yes += 1
        return yes

    row.measure("breaker-decorated", batch)


def test_decorated_coroutine(row: Row) -> None:
    """Driven by hand: a loop would cost more than what is measured."""
    call = CircuitBreaker(window=10, slow_after=0.5, max_slow=5, open_for=60)(answer_later)

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            try:
                call().send(None)
            except StopIteration:
                yes += 1
        return yes

    row.measure("breaker-decorated-coroutine", batch)
