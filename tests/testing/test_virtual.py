"""Virtual time: it moves when told to, stops where somebody is due, and never goes back."""

import asyncio
import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.shells import Queueing, eventually, http_scope, soon
from support.simulation import quota
from trafficcore import AsgiTraffic, CircuitBreaker, Engine, QuotaScheduler, RateLimiter
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.drivers import Driver
from trafficcore.testing import VirtualTime


def test_it_stands_still_until_it_is_moved():
    time = VirtualTime(5)
    assert (time(), time.now, repr(time)) == (5, 5, "VirtualTime(5)")
    assert time.advance(1.5) == time() == 6.5
    assert time.advance_to(7) == time() == 7
    time.sleep(3)
    assert time() == 10


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan"), float("-inf")])
def test_it_goes_by_in_seconds_from_0(seconds):
    time = VirtualTime(5)
    with pytest.raises(ConfigError, match="from 0"):
        time.advance(seconds)
    with pytest.raises(ConfigError, match="does not go back from 5 to 4"):
        time.advance_to(4)
    assert time() == 5


def test_whatever_takes_a_clock_takes_it():
    time = VirtualTime()
    limiter = RateLimiter("1/s", clock=time)
    assert [limiter.try_acquire(), limiter.try_acquire()] == [True, False]
    time.advance(1)
    assert limiter.try_acquire()
    breaker = CircuitBreaker(clock=time, consecutive_errors=1, open_for=60, min_calls=1)
    breaker.record(breaker.try_acquire(), error=True)
    assert not breaker.try_acquire()
    time.advance(60)
    assert breaker.try_acquire()


def test_a_thread_that_sleeps_by_it_takes_no_time():
    time = VirtualTime()
    limiter = RateLimiter("1/min", capacity=1, clock=time, sleep=time.sleep)
    for _ in range(3):
        limiter.acquire()
    assert time() == pytest.approx(120)


class Due:
    """A queue by hand: tickets due at given times, each told when it was polled."""

    def __init__(self, times):
        self.times = sorted(times)
        self.polled = []

    def next_deadline(self):
        return self.times[0] if self.times else float("inf")

    def poll(self, now):
        decided = []
        while self.times and self.times[0] <= now:
            decided.append((self.times.pop(0), now))
        self.polled += decided
        return [(Ticket(), None) for _ in decided]

    def cancel(self, ticket, now):
        return False


class Ticket:
    wake = verdict = None


def test_advance_polls_at_the_exact_times_at_which_somebody_is_due():
    time = VirtualTime(100)
    one, other = Due([101.5, 103, 120]), Due([102, 103])
    drivers = [Driver(one, time), Driver(other, time)]
    time.advance(10)
    assert one.polled == [(101.5, 101.5), (103, 103)]
    assert other.polled == [(102, 102), (103, 103)]
    assert time.due() == 120
    time.advance_to(120)
    assert one.polled[-1] == (120, 120)
    assert len(drivers) == 2


def test_what_is_overdue_is_polled_at_once():
    time = VirtualTime(100)
    late = Due([90])
    driver = Driver(late, time)
    time.advance(0)
    assert late.polled == [(90, 100)]
    assert driver.clock is time


def test_somebody_who_is_due_and_cannot_go_yet_holds_nobody_else_up():
    """Its deadline is three bits too early, as rounding makes them; the other is due later."""
    time = VirtualTime()

    class Early(Due):
        def poll(self, now):
            return super().poll(now) if now > 1.0000000000000004 else []

    early, other = Early([1.0]), Due([2.0, 3.0])
    drivers = [Driver(early, time), Driver(other, time)]
    time.advance(5)
    assert early.polled == [(1.0, pytest.approx(1.0))]
    assert other.polled == [(2.0, 2.0), (3.0, 3.0)]
    assert len(drivers) == 2


@given(st.floats(0.1, 1e6), st.floats(0.1, 1000), st.integers(1, 20))
def test_every_grant_in_a_step_comes_at_its_time_however_times_are_rounded(start, rate, count):
    time = VirtualTime(start)
    scheduler = QuotaScheduler(rate, capacity=1, clock=time)
    assert scheduler.try_acquire()
    waiters = [scheduler._queue.enqueue(time(), "default") for _ in range(count)]
    time.advance((count + 1) / rate)
    assert scheduler.waiting == 0
    expected = [start + (at + 1) / rate for at in range(count)]
    assert [waiter.at for waiter in waiters] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_threads_that_wait_are_let_go():
    time = VirtualTime()
    scheduler = QuotaScheduler(2, capacity=1, workloads={"guest": 1}, clock=time)
    assert scheduler.try_acquire()
    threads = [threading.Thread(target=scheduler.acquire, args=("guest",)) for _ in range(5)]
    for thread in threads:
        thread.start()
    eventually(lambda: scheduler.waiting == 5)
    time.advance(1)
    eventually(lambda: sum(thread.is_alive() for thread in threads) == 3)
    assert scheduler.waiting == 3
    time.advance(10)
    for thread in threads:
        thread.join(10)
    assert scheduler.waiting == 0


def test_run_does_what_asyncio_run_does_and_takes_no_time():
    time = VirtualTime()

    async def main():
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.sleep(3600)
        await asyncio.sleep(5 * 86_400)
        return loop.time() - begun, "done"

    took, answer = time.run(main())
    assert (took, answer) == (pytest.approx(3600 + 5 * 86_400), "done")
    assert time() == pytest.approx(took)


def test_run_lets_timers_come_in_their_order_at_their_times():
    time = VirtualTime(1e6)
    seen = []

    async def one(pause):
        await asyncio.sleep(pause)
        seen.append((round(time() - 1e6, 6), pause))

    async def main():
        await asyncio.gather(*(one(pause) for pause in (3, 1, 2, 0, 1)))

    time.run(main())
    assert seen == [(0, 0), (1, 1), (1, 1), (2, 2), (3, 3)]


def test_a_rate_limiter_waits_in_it_however_its_times_are_rounded():
    """A timer a nanosecond early would find no token and ask again for ever: time stands still."""
    draw = random.Random(1)
    for _ in range(100):
        time = VirtualTime(draw.uniform(0, 1e6))
        rate = draw.uniform(0.01, 1e5)
        limiter = RateLimiter(rate, 1, clock=time)
        begun = time()

        async def main(limiter=limiter):
            for _ in range(10):
                await limiter.acquire_async()

        time.run(main())
        assert time() - begun == pytest.approx(9 / rate, rel=1e-3, abs=1e-9)


def test_a_wait_that_takes_too_long_is_given_up_in_it():
    time = VirtualTime()
    scheduler = QuotaScheduler(1, interval=60, capacity=1, clock=time)

    async def main():
        await scheduler.acquire_async()
        with pytest.raises(Rejected):
            await scheduler.acquire_async(timeout=10)
        assert time() == pytest.approx(10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(scheduler.acquire_async(), 20)
        assert time() == pytest.approx(30)
        await scheduler.acquire_async()
        return time()

    assert time.run(main()) == pytest.approx(60)
    assert scheduler.waiting == 0


def test_a_scheduler_shares_by_weight_in_it():
    time = VirtualTime()
    scheduler = QuotaScheduler(
        10, capacity=1, workloads={"guest": 50, "subscriber": 200}, clock=time
    )
    served = []

    async def client(workload):
        while time() < 30:
            await scheduler.acquire_async(workload)
            served.append(workload)

    async def main():
        await asyncio.gather(*(client(name) for name in ("guest", "subscriber") for _ in range(5)))

    time.run(main())
    counts = [served.count(name) for name in ("guest", "subscriber")]
    assert counts[1] / counts[0] == pytest.approx(4, rel=0.15)
    assert len(served) == pytest.approx(300 + 10, abs=3)


def test_an_application_whose_quota_queues_is_called_when_its_turn_has_come():
    time = VirtualTime()
    engine = Engine.load(quota(2, 1), listeners=())
    called = []

    async def app(scope, receive, send):
        called.append(time())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    traffic = AsgiTraffic(app, engine, clock=time)

    async def request():
        sent = []

        async def receive():
            if not sent:
                return {"type": "http.request", "body": b"", "more_body": False}
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        scope = http_scope()
        scope["headers"] = [(b"host", b"web.default.svc.cluster.local")]
        await traffic(scope, receive, send)
        return sent[0]["status"]

    async def main():
        return await asyncio.gather(*(request() for _ in range(5)))

    assert time.run(main()) == [200] * 5
    assert called == pytest.approx([0, 0.5, 1, 1.5, 2])
    side = engine.snapshot(time())["traffic"]["inbound"]
    assert (side["in_flight"], side["queued"], side["admitted"]) == (0, 0, 5)


def test_tasks_on_a_plain_loop_are_woken_by_advance():
    async def main():
        time = VirtualTime()
        own = Queueing(time)
        await own.spend()
        first, second = await own.queue(), await own.queue()
        time.advance(1)
        await soon(first.done)
        assert not second.done()
        time.advance(1)
        assert (await second).status == 200

    asyncio.run(main())


def test_a_deadlock_is_told_and_does_not_hang():
    async def main():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="every task waits, and nothing is ever due"):
        VirtualTime().run(main())


def test_another_thread_that_is_about_to_wake_somebody_is_waited_for():
    async def main():
        return await asyncio.to_thread(lambda: "back")

    assert VirtualTime().run(main()) == "back"


def test_clocks_do_not_move_each_other():
    one, other = VirtualTime(), VirtualTime()
    scheduler = QuotaScheduler(1, capacity=1, clock=other)
    assert scheduler.try_acquire()
    scheduler._queue.enqueue(0.0, "default")
    one.advance(10)
    assert scheduler.waiting == 1
    assert one.due() == float("inf")
    assert other.due() == pytest.approx(1)
