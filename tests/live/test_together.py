"""Several limits as one verdict: all of them pay, or none."""

import asyncio
import math
import sys
import threading
import time
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.exactness import hammer
from trafficcore.errors import ConfigError, ImpossibleCost, Rejected
from trafficcore.live import KeyedRateLimiter, RateLimiter, SlidingWindowLimiter, Together
from trafficcore.live.waiting import Line
from trafficcore.testing import VirtualTime


def test_whoever_refuses_nobody_has_paid(clock):
    second, minute = RateLimiter("2/s", clock=clock), RateLimiter("3/min", clock=clock)
    both = Together(second, minute, clock=clock)
    assert [both.try_acquire() for _ in range(3)] == [True, True, False]
    assert minute.tokens() == pytest.approx(1, abs=0.001)
    clock.advance(1)
    assert both.try_acquire()
    assert not both.try_acquire()
    assert second.tokens() == pytest.approx(1, abs=0.001)
    assert both.earliest() == pytest.approx(120, abs=0.001)
    both.refund()
    assert both.try_acquire()


def test_a_cost_for_each(clock):
    requests, tokens = RateLimiter(2, clock=clock), KeyedRateLimiter(1000, clock=clock)
    both = Together(requests, tokens.of("ann"), clock=clock)
    assert both.try_acquire((1, 700))
    assert not both.try_acquire((1, 350))
    assert requests.tokens() == pytest.approx(1, abs=0.001)
    assert tokens.tokens("ann") == pytest.approx(300, abs=0.1)
    with pytest.raises(ConfigError, match=r"2 limits, and 3 costs: \(1, 2, 3\)"):
        both.try_acquire((1, 2, 3))
    for wrong in (0, -1, math.nan):
        with pytest.raises(ConfigError, match="cost must be"):
            both.try_acquire((1, wrong))
    assert requests.tokens() == pytest.approx(1, abs=0.001)
    assert not both.try_acquire((1, 5000))
    with pytest.raises(ImpossibleCost, match="a cost of 5000"):
        both.earliest((1, 5000))
    with pytest.raises(ImpossibleCost):
        both.acquire((1, 5000))


def test_what_one_of_them_raises_leaves_the_others_unpaid(clock):
    class Broken:
        def try_acquire(self, cost=1):
            raise ZeroDivisionError

    limiter = RateLimiter(2, clock=clock)
    with pytest.raises(ZeroDivisionError):
        Together(limiter, Broken()).try_acquire()
    assert limiter.tokens() == 2


def test_none_together_is_an_error():
    with pytest.raises(ConfigError, match="at least one limit"):
        Together()
    with pytest.raises(ConfigError, match="a bucket for each key: give limiter"):
        Together(RateLimiter(1), KeyedRateLimiter(1))


def test_a_thread_waits_for_the_last_of_them(clock):
    one, other = RateLimiter(1, clock=clock), RateLimiter(0.5, clock=clock)
    both = Together(one, other, clock=clock, sleep=clock.advance, name="both")
    both.acquire()
    both.acquire()
    assert clock.now == pytest.approx(102, abs=1e-4)
    with pytest.raises(Rejected) as refusal:
        both.acquire(timeout=1.5)
    assert refusal.value.source == "both"
    assert refusal.value.retry_after == pytest.approx(2, abs=1e-4)
    clock.advance(1)
    assert one.tokens() == pytest.approx(1, abs=1e-3)
    with pytest.raises(Rejected), both:
        pytest.fail("entered")


def test_tasks_are_served_in_order_and_hear_of_what_changes():
    async def main():
        loop = asyncio.get_running_loop()
        slow = RateLimiter("1/h", 1, clock=loop.time)
        window = SlidingWindowLimiter(100, 1, clock=loop.time)
        both = Together(slow, window, clock=loop.time)
        assert both.try_acquire()
        order = []

        async def work(number):
            await both.acquire_async()
            order.append(number)

        waiting = [asyncio.create_task(work(n)) for n in range(4)]
        await asyncio.sleep(1)
        assert not both.try_acquire()
        slow.refund()
        await asyncio.sleep(1)
        assert order == [0]
        waiting[1].cancel()
        slow.update("1/s")
        await asyncio.wait(waiting)
        assert order == [0, 2, 3]
        assert loop.time() - 1000 == pytest.approx(4, abs=0.1)

    VirtualTime(1000).run(main())


@given(
    rates=st.lists(st.tuples(st.floats(0.5, 5), st.integers(1, 5)), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 6)), max_size=20),
)
def test_all_or_nothing_is_what_each_alone_would_have_said(rates, steps):
    now = [100.0]
    limits = [RateLimiter(rate, most, clock=lambda: now[0]) for rate, most in rates]
    both = Together(*limits, clock=lambda: now[0])
    for wait, cost in steps:
        now[0] += wait
        before = [limit.tokens() for limit in limits]
        could = all(level >= cost - 0.002 for level in before)
        granted = both.try_acquire(cost)
        assert granted <= could
        after = [limit.tokens() for limit in limits]
        wanted = [level - cost if granted else level for level in before]
        assert after == pytest.approx(wanted, abs=0.003)


@pytest.mark.stress
def test_eight_threads_take_exactly_what_the_smaller_has():
    small, large = RateLimiter(1e-6, 5_000), RateLimiter(1e-6, 50_000)
    both = Together(large, small)
    assert sum(hammer(lambda _: sum(both.try_acquire() for _ in range(2_000)))) == 5_000
    assert large.tokens() == pytest.approx(45_000, abs=0.01)


def test_after_a_fork_nobody_waits(clock):
    both = Together(RateLimiter(1, clock=clock), clock=clock)
    both._line.join(None, 0, lambda: None)
    assert not both.try_acquire()
    both.after_fork()
    assert both.try_acquire()


def test_one_who_waits_asks_at_the_time_it_was_told_and_not_before():
    class Counted(RateLimiter):
        asked = 0

        def try_acquire(self, cost=1):
            Counted.asked += 1
            assert Counted.asked <= 8
            return super().try_acquire(cost)

    async def main():
        loop = asyncio.get_running_loop()
        wide = Counted(1000, clock=loop.time)
        narrow = RateLimiter(1, clock=loop.time)
        both = Together(wide, narrow, clock=loop.time)
        assert both.try_acquire()
        await both.acquire_async()
        assert loop.time() - 1000 == pytest.approx(1, abs=0.01)
        assert wide.tokens() == pytest.approx(999, abs=0.1)

    VirtualTime(1000).run(main())


def test_one_who_waits_behind_a_line_of_one_limit_does_not_spin(clock):
    """The window has room for one, and says so; but somebody waits in front for more."""
    window = SlidingWindowLimiter(10, 10, clock=clock)
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        clock.advance(seconds)

    both = Together(RateLimiter(100, clock=clock), window, clock=clock, sleep=sleep)
    window._line.join(None, 10, lambda: None)
    with pytest.raises(Rejected):
        both.acquire(timeout=0.1)
    assert 1 <= len(pauses) <= 120
    assert min(pauses[:-1]) >= 0.0009


def test_what_a_source_rings_while_it_is_asked_is_rung_after_the_lock(clock):
    """Two that wait for the same limits would hold each its own lock and want the other's."""
    free = []

    class Lock:
        held = False

        def __enter__(self):
            self.held = True

        def __exit__(self, *_):
            self.held = False

    one, other = Lock(), Lock()
    asking, told = Line(clock, one), Line(clock, other)
    told.join(None, 1, lambda: free.append(not one.held))

    class Ringing:
        def try_acquire(self, now, cost):
            told.nudge()
            asking.nudge()
            return False

        def earliest(self, now, cost):
            return now + 1

    woken = []
    ticket = asking.join(Ringing(), 1, lambda: woken.append(1))
    assert asking.ask(ticket, math.inf) == 1
    assert free == [True]
    assert woken == []
    told.nudge()
    assert free == [True, True]


@pytest.mark.stress
def test_two_over_the_same_limits_go_on_and_lose_nothing():
    wide, narrow = RateLimiter(1e-6, 100_000), RateLimiter(2000, 1)
    pair = [Together(wide, narrow), Together(wide, narrow)]
    done = []
    end = time.monotonic() + 1

    def in_threads(number):
        while time.monotonic() < end:
            with suppress(Rejected):
                pair[number % 2].acquire(timeout=0.5)
                done.append(1)

    async def in_task(number):
        while time.monotonic() < end:
            with suppress(Rejected):
                await pair[number % 2].acquire_async(timeout=0.5)
                done.append(1)

    async def in_tasks():
        await asyncio.gather(*(in_task(number) for number in range(4)))

    calls = [partial(in_threads, number) for number in range(8)]
    calls.append(lambda: asyncio.run(in_tasks()))
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    was = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    finally:
        sys.setswitchinterval(was)
    assert not any(thread.is_alive() for thread in threads)
    assert wide.tokens() == pytest.approx(100_000 - len(done), abs=0.01)
    assert len(done) > 20
