"""SlidingWindowLimiter: the machine with a clock."""

import asyncio
import math

import pytest

from trafficcore.core.limit import SlidingWindow
from trafficcore.errors import ConfigError, ImpossibleCost, Rejected
from trafficcore.live import SlidingWindowLimiter
from trafficcore.testing import VirtualTime


def test_a_window_and_what_is_left_of_the_one_before(clock):
    limiter = SlidingWindowLimiter("4/10s", clock=clock, name="logins")
    machine = SlidingWindow(4, 10)
    for _ in range(40):
        clock.advance(1.7)
        assert limiter.tokens() == machine.tokens_at(clock.now)
        assert limiter.earliest() == machine.earliest(clock.now)
        assert limiter.try_acquire() is machine.try_acquire(clock.now)
    assert (limiter.limit, limiter.window) == (4, 10)
    assert limiter.snapshot() == {"name": "logins", "waiting": 0, **machine.snapshot(clock.now)}


def test_blocks_functions_and_refunds(clock):
    limiter = SlidingWindowLimiter(1, 10, clock=clock, name="mail")

    @limiter
    def send(text):
        return text

    assert send("a") == "a"
    with pytest.raises(Rejected) as refusal, limiter:
        pytest.fail("entered")
    assert refusal.value.source == "mail"
    assert refusal.value.retry_after == 20
    limiter.refund()
    with limiter:
        pass


def test_waiting_is_in_order_and_nobody_goes_past():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = SlidingWindowLimiter(2, 10, clock=loop.time)
        assert limiter.try_acquire(2)
        order = []

        async def work(number):
            await limiter.acquire_async()
            order.append((number, loop.time() - 1000))

        waiting = [asyncio.create_task(work(n)) for n in range(3)]
        await asyncio.sleep(15)
        assert not limiter.try_acquire()
        with pytest.raises(ConfigError, match="cost must be"):
            limiter.try_acquire(0)
        await asyncio.gather(*waiting)
        assert order == [(0, 15), (1, 20), (2, 30)]

    VirtualTime(1000).run(main())


def test_those_who_wait_hear_of_refunds_and_deadlines(clock):
    limiter = SlidingWindowLimiter(1, 10, clock=clock, sleep=clock.advance)
    limiter.acquire()
    limiter.acquire()
    assert clock.now == 120
    with pytest.raises(Rejected):
        limiter.acquire(timeout=19)

    async def main():
        waiting = asyncio.create_task(limiter.acquire_async())
        await asyncio.sleep(0)
        limiter.refund()
        await waiting

    asyncio.run(main())


def test_the_time_named_is_behind_those_who_wait(clock):
    limiter = SlidingWindowLimiter(4, 10, clock=clock)
    limiter.try_acquire(4)
    assert limiter.earliest() == 112.5
    limiter._line.join(None, 2, lambda: None)
    assert limiter.earliest() == 117.5
    limiter._line.join(None, 4, lambda: None)
    assert limiter.earliest() == 120


def test_after_a_fork_nobody_waits(clock):
    limiter = SlidingWindowLimiter(1, 10, clock=clock)
    limiter._line.join(None, 1, lambda: None)
    assert not limiter.try_acquire()
    limiter.after_fork()
    assert limiter.try_acquire()


def test_what_cannot_be():
    limiter = SlidingWindowLimiter(2, 10)
    assert not limiter.try_acquire(3)
    for ask in (limiter.acquire, limiter.earliest):
        with pytest.raises(ImpossibleCost, match="a cost of 3 is above the capacity, 2"):
            ask(3)
    for cost in (0, -1, math.nan, math.inf):
        with pytest.raises(ConfigError, match="cost must be"):
            limiter.try_acquire(cost)
    with pytest.raises(ConfigError, match="the window is in the text already"):
        SlidingWindowLimiter("2/min", 60)
    with pytest.raises(ConfigError, match="or have a window: 100"):
        SlidingWindowLimiter(100)
    with pytest.raises(ConfigError, match="limit must be"):
        SlidingWindowLimiter(-1, 1)
