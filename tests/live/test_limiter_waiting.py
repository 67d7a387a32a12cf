"""Waiting for tokens: in order, exactly as long as needed, and leaving no trace when given up."""

import asyncio
import contextlib
import threading
import time

import pytest

from support.exactness import hammer
from trafficcore.engine.guard import locked
from trafficcore.errors import ConfigError, Rejected
from trafficcore.live.limiter import RateLimiter
from trafficcore.live.waiting import Line
from trafficcore.outcome import Reason
from trafficcore.testing import VirtualTime

KINDS = pytest.mark.parametrize("kind", [RateLimiter, locked(RateLimiter)], ids=["free", "locked"])


@KINDS
def test_a_thread_waits_exactly_as_long_as_needed(kind, clock):
    slept = []
    limiter = kind(2, 2, clock=clock, sleep=lambda s: (slept.append(s), clock.advance(s)))
    limiter.acquire(2)
    assert slept == []
    limiter.acquire()
    assert sum(slept) == pytest.approx(0.5, abs=1e-5)
    limiter.acquire(2)
    assert clock.now == pytest.approx(101.5, abs=1e-5)


def test_a_thread_is_told_at_once_where_the_tokens_would_come_too_late(clock):
    limiter = RateLimiter(1, clock=clock, sleep=clock.advance, name="slow")
    limiter.acquire(timeout=0)
    with pytest.raises(Rejected) as refusal:
        limiter.acquire(timeout=0.9)
    assert clock.now == 100
    assert refusal.value.reason is Reason.RATE_LIMITED
    assert refusal.value.source == "slow"
    assert refusal.value.retry_after == pytest.approx(1, abs=1e-5)
    assert limiter.snapshot()["waiting"] == 0
    limiter.acquire(timeout=1.1)
    assert clock.now == pytest.approx(101, abs=1e-5)


def test_a_rate_of_0_is_not_waited_for(clock):
    limiter = RateLimiter(0, 2, clock=clock)
    limiter.acquire(2)
    with pytest.raises(Rejected) as refusal:
        limiter.acquire()
    assert refusal.value.retry_after is None
    with pytest.raises(Rejected):
        asyncio.run(limiter.acquire_async())


@KINDS
def test_eight_threads_wait_in_line_and_never_exceed_the_limit(kind, clock):
    """Only the first in line lets time pass; everybody else waits to be woken."""
    grants = []
    limiter = kind(10, 4, clock=clock, sleep=clock.advance)

    def work(_):
        for _ in range(25):
            limiter.acquire()
            grants.append(clock.now)

    hammer(work)
    assert len(grants) == 200
    assert clock.now == pytest.approx(100 + 196 / 10, abs=1e-4)
    grants.sort()
    for first, start in enumerate(grants):
        for last in range(first, min(first + 30, 200)):
            assert last - first + 1 <= 4 + 10 * (grants[last] - start) + 0.001
    assert limiter.snapshot()["waiting"] == 0
    assert limiter._desk.line.ahead == 0


def test_tasks_are_served_in_the_order_in_which_they_came_and_on_time():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(10, 1, clock=loop.time)
        start, done = loop.time(), []

        async def work(number, cost):
            await limiter.acquire_async(cost)
            done.append((number, round(loop.time() - start, 4)))

        await asyncio.gather(*(work(n, cost) for n, cost in enumerate([1, 1, 0.5, 1, 0.5, 1])))
        assert done == [(0, 0), (1, 0.1), (2, 0.15), (3, 0.25), (4, 0.3), (5, 0.4)]
        assert not limiter._waiting

    VirtualTime(1000).run(main())


@KINDS
def test_nobody_goes_past_those_who_wait(kind, clock):
    async def main():
        limiter = kind(1, clock=clock)
        assert limiter.try_acquire()
        waiting = asyncio.create_task(limiter.acquire_async())
        await asyncio.sleep(0)
        clock.advance(1)
        assert limiter.tokens() == 1
        assert not limiter.try_acquire()
        with pytest.raises(Rejected), limiter:
            pytest.fail("went past")
        assert limiter.earliest() == pytest.approx(clock.now + 1)
        limiter.refund()  # wakes the one who waits
        await waiting
        assert limiter.tokens() == pytest.approx(0, abs=0.001)

    asyncio.run(main())


def test_a_dense_limiter_lets_nobody_past_either(clock):
    async def main():
        limiter = RateLimiter(2e6, 1, clock=clock)
        assert limiter.try_acquire()
        waiting = asyncio.create_task(limiter.acquire_async())
        await asyncio.sleep(0)
        clock.advance(1)
        assert not limiter.try_acquire()
        await waiting

    asyncio.run(main())


def test_tokens_that_come_back_wake_the_first_in_line():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(0.001, 2, clock=loop.time)
        assert limiter.try_acquire(2)
        waiting = [asyncio.create_task(limiter.acquire_async()) for _ in range(2)]
        await asyncio.sleep(1)
        limiter.refund(2)
        await asyncio.gather(*waiting)
        assert loop.time() - 1000 == pytest.approx(1, abs=1e-3)

    VirtualTime(1000).run(main())


@pytest.mark.parametrize("given_up", [0, 1, 2], ids=["first", "middle", "last"])
def test_one_that_is_cancelled_has_taken_nothing(given_up):
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(1, clock=loop.time)
        await limiter.acquire_async()
        start, done = loop.time(), []

        async def work(number):
            await limiter.acquire_async()
            done.append((number, round(loop.time() - start, 4)))

        waiting = [asyncio.create_task(work(n)) for n in range(3)]
        await asyncio.sleep(0.5)
        waiting[given_up].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        left = [n for n in range(3) if n != given_up]
        assert done == [(left[0], 1), (left[1], 2)]
        assert not limiter._waiting
        assert limiter._desk.line.ahead == 0

    VirtualTime(1000).run(main())


def test_what_is_ahead_is_nothing_when_nobody_waits():
    async def main():
        limiter = RateLimiter(0.01, 1, clock=asyncio.get_running_loop().time)
        assert limiter.try_acquire()
        costs = (0.1, 0.2, 0.3)
        waiting = [asyncio.create_task(limiter.acquire_async(cost)) for cost in costs]
        await asyncio.sleep(0)
        assert limiter._desk.line.ahead == pytest.approx(0.6)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert limiter._desk.line.ahead == 0

    VirtualTime(1000).run(main())


def test_hundreds_of_cancellations_leave_no_trace():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(100, 1, clock=loop.time)
        await limiter.acquire_async()
        waiting = [asyncio.create_task(limiter.acquire_async()) for _ in range(500)]
        for pause, task in enumerate(waiting):
            if pause % 5:
                task.cancel()
            if pause % 50 == 0:
                await asyncio.sleep(0.013)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        served = sum(result is None for result in results)
        assert served >= 100
        assert loop.time() - 1000 == pytest.approx(served / 100, abs=0.15)
        assert limiter.snapshot()["waiting"] == 0
        await asyncio.sleep(1)
        assert limiter.try_acquire()

    VirtualTime(1000).run(main())


def test_a_task_gives_up_at_its_timeout():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(1, clock=loop.time)
        await limiter.acquire_async()
        first = asyncio.create_task(limiter.acquire_async(timeout=5))
        await asyncio.sleep(0)
        start = loop.time()
        # second in line: whether it will do is not known before it is first
        with pytest.raises(Rejected) as refusal:
            await limiter.acquire_async(timeout=0.25)
        assert loop.time() - start == pytest.approx(0.25)
        assert refusal.value.retry_after == pytest.approx(1.75, abs=1e-3)
        await first
        start = loop.time()
        with pytest.raises(Rejected):
            await limiter.acquire_async(timeout=0.25)
        assert loop.time() == start

    VirtualTime(1000).run(main())


def test_ten_thousand_tasks_wait_without_stalling_the_loop(monkeypatch):
    """What counts is the work: each asks when it comes, when it is first, and when it is due."""
    asked = [0]
    ask = Line.ask

    def counted(self, ticket, deadline):
        asked[0] += 1
        return ask(self, ticket, deadline)

    monkeypatch.setattr(Line, "ask", counted)

    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter(1000, 10, clock=loop.time)
        order = []

        async def work(number):
            await limiter.acquire_async()
            order.append(number)

        started = time.perf_counter()
        await asyncio.gather(*(work(n) for n in range(10_000)))
        assert order == list(range(10_000))
        assert loop.time() - 1000 == pytest.approx(9.99, abs=0.01)
        return time.perf_counter() - started

    assert VirtualTime(1000).run(main()) < 20  # about 0.5 s where nobody else is using the machine


def test_one_whose_loop_was_closed_is_passed_over(clock):
    limiter = RateLimiter(1, clock=clock)
    assert limiter.try_acquire()
    loop = asyncio.new_event_loop()
    abandoned = limiter.acquire_async()
    stuck = loop.create_task(abandoned)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    clock.advance(1)
    assert not limiter.try_acquire()

    async def main():
        waiting = asyncio.create_task(limiter.acquire_async())
        await asyncio.sleep(0)
        limiter.refund()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(main())
    stuck._log_destroy_pending = False
    abandoned.close()


def stop_while_waiting(limiter, turns=1):
    """A loop that somebody waits in has stopped, and is not closed."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(limiter.acquire_async())
    for _ in range(turns):
        loop.run_until_complete(asyncio.sleep(0))
    assert limiter.snapshot()["waiting"] >= 1
    return loop, task


def end(loop, *tasks):
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


def wait_in_a_thread(limiter):
    done = threading.Event()
    threading.Thread(target=lambda: (limiter.acquire(), done.set()), daemon=True).start()
    return done


def test_one_whose_loop_has_stopped_is_passed_over_when_it_would_be_woken(clock):
    limiter = RateLimiter(1, clock=clock)
    assert limiter.try_acquire()
    first, second = stop_while_waiting(limiter), stop_while_waiting(limiter)
    clock.advance(1)
    done = wait_in_a_thread(limiter)
    limiter.refund()
    assert done.wait(5), "both that stand before it are passed over"
    assert limiter.snapshot()["waiting"] == 0
    for loop, task in (first, second):
        end(loop, task)


def test_one_whose_loop_stops_as_it_is_first_holds_up_nobody_who_came_before():
    """Nobody wakes anybody here: the line itself sees that its first is due and does not ask."""
    limiter = RateLimiter("20/s", 1)
    limiter.acquire()
    loop, task = stop_while_waiting(limiter)
    done = wait_in_a_thread(limiter)
    assert done.wait(5)
    end(loop, task)


def test_one_that_was_passed_over_comes_to_the_end_when_its_loop_runs_again(clock):
    limiter = RateLimiter(1, clock=clock)
    assert limiter.try_acquire()
    loop, task = stop_while_waiting(limiter)
    clock.advance(1)
    done = wait_in_a_thread(limiter)
    limiter.refund()
    assert done.wait(5)
    clock.advance(1)
    loop.run_until_complete(asyncio.wait_for(task, 5))
    assert limiter.snapshot()["waiting"] == 0
    assert not limiter.try_acquire(), "it has taken the one that came"
    loop.close()


def test_a_loop_that_is_only_busy_keeps_its_place():
    limiter = RateLimiter("50/s", 1)
    limiter.acquire()
    order = []

    def elsewhere():
        limiter.acquire()
        order.append("thread")

    async def main():
        async def first():
            await limiter.acquire_async()
            order.append("task")

        task = asyncio.create_task(first())
        await asyncio.sleep(0)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        busy = time.perf_counter() + 0.3
        while time.perf_counter() < busy:
            pass
        await task
        await asyncio.to_thread(thread.join)

    asyncio.run(main())
    assert order == ["task", "thread"]


def test_threads_and_tasks_stand_in_one_line(clock):
    limiter = RateLimiter(1, clock=clock)
    assert limiter.try_acquire()
    order = []
    lined_up = threading.Event()

    async def task():
        waiting = asyncio.create_task(limiter.acquire_async())
        await asyncio.sleep(0)
        lined_up.set()
        await waiting
        order.append("task")

    def thread():
        lined_up.wait()
        limiter.acquire()
        order.append("thread")

    def let_time_pass():
        while limiter.snapshot()["waiting"] < 2:
            time.sleep(0)
        for served in (1, 2):
            clock.advance(1)
            while len(order) < served:
                limiter._desk.line.nudge()
                time.sleep(0)

    crew = [threading.Thread(target=work) for work in (thread, let_time_pass)]
    crew.append(threading.Thread(target=lambda: asyncio.run(task())))
    for member in crew:
        member.start()
    for member in crew:
        member.join()
    assert order == ["task", "thread"]


def test_those_who_leave_from_the_middle_are_not_kept():
    async def main():
        loop = asyncio.get_running_loop()
        limiter = RateLimiter("1/h", 1, clock=loop.time)
        limiter.try_acquire()
        first = asyncio.create_task(limiter.acquire_async())
        for _ in range(20):
            for _ in range(100):
                with contextlib.suppress(Rejected):
                    await limiter.acquire_async(timeout=0)
            crowd = [asyncio.create_task(limiter.acquire_async(timeout=1)) for _ in range(100)]
            await asyncio.gather(*crowd, return_exceptions=True)
            assert len(limiter._waiting) < 250
            assert limiter.snapshot()["waiting"] == 1
        last = asyncio.create_task(limiter.acquire_async())
        await asyncio.sleep(0)
        limiter.refund()
        await first
        limiter.refund()
        await last

    VirtualTime(1000).run(main())


@pytest.mark.parametrize("late", [0, 0.001, 5])
def test_nothing_is_granted_after_the_deadline_however_late_it_is_noticed(clock, late):
    """The thread is woken late, and there are tokens by then."""

    def oversleep(seconds):
        clock.advance(seconds + late)

    limiter = RateLimiter(1, 1, clock=clock, sleep=oversleep)
    limiter.acquire()
    due = limiter.earliest() - clock.now
    if late:
        with pytest.raises(Rejected):
            limiter.acquire(timeout=due)
        assert limiter.tokens() == 1
    else:
        limiter.acquire(timeout=due)
        assert limiter.tokens() == pytest.approx(0, abs=0.001)


def test_a_timeout_that_is_past_already_is_a_refusal_and_none_is_an_error(clock):
    limiter = RateLimiter(1, 1, clock=clock)
    limiter.acquire(timeout=-1)  # it was there
    with pytest.raises(Rejected):
        limiter.acquire(timeout=-1)
    with pytest.raises(ConfigError, match="timeout must be a number of seconds, not nan"):
        limiter.acquire(timeout=float("nan"))
    assert limiter.snapshot()["waiting"] == 0
