"""Eight threads on one handle: the limit is never exceeded by one, and nothing is lost."""

import itertools

import pytest

from support.exactness import hammer
from trafficcore.engine.guard import locked
from trafficcore.live.limiter import KeyedRateLimiter, RateLimiter, _DenseRateLimiter

pytestmark = pytest.mark.stress


def both(*classes):
    return pytest.mark.parametrize(
        "kind",
        [variant for cls in classes for variant in (cls, locked(cls))],
        ids=[f"{cls.__name__}-{how}" for cls in classes for how in ("free", "locked")],
    )


def ticking(seconds):
    """A clock that each reading moves on; threads use what they read in any order."""
    ticks = itertools.count()

    def clock():
        return next(ticks) * seconds

    return clock


@both(RateLimiter, _DenseRateLimiter)
def test_exactly_the_capacity_is_granted(kind):
    limiter = kind(1e-6, 40_000, clock=ticking(1e-6))
    assert sum(hammer(lambda _: sum(limiter.try_acquire() for _ in range(12_000)))) == 40_000


@both(RateLimiter, _DenseRateLimiter)
def test_exactly_what_comes_in_is_granted(kind):
    """Half a token a reading: what was granted and what is left are what came in, to a crumb."""
    clock = ticking(1e-5)
    limiter = kind(50_000, 1_000, clock=clock)
    first = clock() + 1e-5
    assert limiter.try_acquire(500)  # far from its rim, where what comes in would be lost
    granted = 500 + sum(hammer(lambda _: sum(limiter.try_acquire() for _ in range(12_000))))
    left = limiter.tokens()
    end = clock() - 1e-5
    assert granted + left == pytest.approx(1_000 + 50_000 * (end - first), abs=0.01)
    assert granted > 40_000


@both(RateLimiter, _DenseRateLimiter)
def test_what_is_given_back_is_there_again(kind):
    limiter = kind(1e-6, 100, clock=ticking(1e-6))
    assert limiter.try_acquire(60)

    def work(_):
        for _ in range(2_000):
            if limiter.try_acquire(3):
                limiter.refund(3)

    hammer(work)
    assert limiter.tokens() == pytest.approx(40, abs=0.01)


@both(KeyedRateLimiter)
def test_exactly_the_capacity_of_every_key_is_granted(kind):
    limiter = kind(1e-6, 5, clock=ticking(1e-6))
    keys = [f"key {i}" for i in range(300)]
    granted = hammer(lambda _: [sum(limiter.try_acquire(k) for _ in "two") for k in keys])
    assert [sum(column) for column in zip(*granted, strict=True)] == [5] * len(keys)


@both(KeyedRateLimiter)
def test_exactly_what_comes_in_for_a_key_is_granted(kind):
    clock = ticking(1e-5)
    limiter = kind(50_000, 1_000, clock=clock)
    first = clock() + 1e-5
    assert limiter.try_acquire("a", 500)
    granted = 500 + sum(hammer(lambda _: sum(limiter.try_acquire("a") for _ in range(12_000))))
    left = limiter.tokens("a")
    end = clock() - 1e-5
    assert granted + left == pytest.approx(1_000 + 50_000 * (end - first), abs=0.01)


@both(KeyedRateLimiter)
def test_what_is_given_back_to_a_key_is_there_again(kind):
    limiter = kind(1e-6, 100, clock=ticking(1e-6))
    assert limiter.try_acquire("a", 60)

    def work(_):
        for _ in range(2_000):
            if limiter.try_acquire("a", 3):
                limiter.refund("a", 3)

    hammer(work)
    assert limiter.tokens("a") == pytest.approx(40, abs=0.01)


@both(RateLimiter)
def test_dropping_and_waiting_together_never_exceed_the_limit(kind):
    """Some try, some wait; waiting moves the clock, as trying does."""
    clock = ticking(1e-5)
    limiter = kind(20_000, 50, clock=clock, sleep=lambda _: None)

    def work(index):
        if index < 4:
            return sum(limiter.try_acquire() for _ in range(3_000))
        for _ in range(200):
            limiter.acquire()
        return 200

    first = clock()
    granted = sum(hammer(work))
    assert granted <= 50 + 20_000 * (clock() - first)
    assert limiter.snapshot()["waiting"] == 0
