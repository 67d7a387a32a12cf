"""One `QuotaScheduler` under threads, event loops and forks at once: not a token is lost."""

import asyncio
import gc
import os
import random
import threading
import time

import pytest

from support.exactness import hammer
from trafficcore import QuotaScheduler, Rejected
from trafficcore.core.fair import QuotaQueue, TokenBucket
from trafficcore.engine.guard import locked, new_lock
from trafficcore.live import fair

WORKLOADS = {"guest": 50, "subscriber": 200, "batch": 1}
NAMES = [*WORKLOADS, "unknown"]
STEP = 1 / 1024
RATE = 8192


class Pumped:
    """A scheduler on a clock that only its pump moves; level and grants add up exactly.

    Every number is a small multiple of a power of two, so floats hold them to the letter, and
    the bucket is too large to be ever full again.
    """

    def __init__(self):
        self.now = 0.0
        self.scheduler = QuotaScheduler(RATE, 1, 2**30, WORKLOADS, clock=self.clock)
        self.scheduler._queue._budget.tokens = 0
        self.granted = []
        self.late = []
        self.done = threading.Event()

    def clock(self):
        return self.now

    def pump(self):
        while not self.done.is_set():
            self.now += STEP
            self.scheduler._driver.kick()
            time.sleep(0)

    def note(self, grant, cost):
        self.granted.append(cost)
        waiter = grant._waiter
        if waiter is not None and waiter.at > waiter.deadline:
            self.late.append(waiter)

    def thread(self, index, calls):
        draw = random.Random(index)
        for _ in range(calls):
            cost, timeout = draw.randint(1, 7), draw.choice([None, 2 * STEP, 64 * STEP, 0])
            try:
                grant = self.scheduler.acquire(draw.choice(NAMES), cost, timeout)
            except Rejected:
                continue
            if draw.random() < 0.1:
                cost += 2
                grant.reconcile(cost)
            self.note(grant, cost)

    async def task(self, index, calls):
        draw = random.Random(index)
        for _ in range(calls):
            cost, timeout = draw.randint(1, 7), draw.choice([None, 8 * STEP])
            wait = self.scheduler.acquire_async(draw.choice(NAMES), cost, timeout)
            task = asyncio.ensure_future(wait)
            if draw.random() < 0.4:
                for _ in range(draw.randint(0, 6)):
                    await asyncio.sleep(0)
                task.cancel()
            try:
                grant = await task
            except (Rejected, asyncio.CancelledError):
                continue
            self.note(grant, cost)

    def loop(self, index, tasks, calls):
        async def main():
            each = (self.task(index * 1000 + n, calls) for n in range(tasks))
            await asyncio.gather(*each)

        asyncio.run(main())

    def abandoned_loop(self):
        """A loop closed with coroutines parked on it."""
        loop = asyncio.new_event_loop()
        waits = (self.scheduler.acquire_async("guest", 3) for _ in range(20))
        tasks = [loop.create_task(wait) for wait in waits]
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        for task in tasks:
            task._log_destroy_pending = False
            if task.done():  # some did not have to wait
                self.granted.append(task.result().cost)

    def check(self):
        scheduler = self.scheduler
        gc.collect()  # what a closed loop left behind
        scheduler._driver.kick()
        assert scheduler.waiting == 0
        supplied = round(self.now * RATE)
        assert sum(self.granted) + scheduler.snapshot()["tokens"] == supplied
        assert not self.late


def crowd(threads, loops, tasks, calls):
    own = Pumped()
    work = [lambda i=i: own.thread(i, calls) for i in range(threads)]
    work += [lambda i=i: own.loop(i, tasks, calls) for i in range(loops)]
    work.append(own.abandoned_loop)
    pump = threading.Thread(target=own.pump)
    pump.start()
    try:
        hammer(lambda i: work[i](), threads=len(work), switch_interval=1e-5)
        while own.scheduler.waiting:
            time.sleep(0)
    finally:
        own.done.set()
        pump.join()
    own.check()
    assert len(own.granted) > calls
    return own


@pytest.mark.stress
def test_what_is_granted_is_what_left_the_bucket():
    crowd(threads=8, loops=3, tasks=20, calls=40)


@pytest.mark.stress
def test_the_same_where_every_atomic_method_takes_the_lock(monkeypatch):
    monkeypatch.setattr(fair, "guarded", locked)
    own = crowd(threads=4, loops=2, tasks=5, calls=30)
    assert type(own.scheduler._queue).try_acquire is not QuotaQueue.try_acquire


@pytest.mark.stress
@pytest.mark.parametrize("build", [QuotaQueue, locked(QuotaQueue)])
@pytest.mark.parametrize("rate", [0, 50_000])
def test_without_waiters_eight_threads_get_what_is_there(build, rate):
    bucket = TokenBucket(20_000, rate, 1, start=time.monotonic())
    queue = build(bucket, lock=new_lock())
    start = time.monotonic()

    def clock():  # a Python function: a thread may have to give way in it
        return time.monotonic()

    def work(_index):
        return sum(1 for _ in range(10_000) if queue.try_acquire(clock()))

    granted = sum(hammer(work))
    supplied = 20_000 + rate * (time.monotonic() - start)
    assert granted <= supplied + 1
    assert granted == 20_000 or rate
    left = bucket.level(time.monotonic())
    assert granted + left >= 20_000 - 1e-3


@pytest.mark.stress
def test_refunds_and_waiters_do_not_race_with_the_fast_path():
    """The bucket never fills and time stands still: what is left is what was not taken."""
    bucket = TokenBucket(10**6, 0, 1, initial_tokens=4000)
    bucket.dry = False  # tokens come back here, so waiting is not in vain
    queue = QuotaQueue(bucket, lock=new_lock())

    def work(index):
        taken = 0
        for n in range(3000):
            if queue.try_acquire(1.0, 1):
                taken += 1
                if n % 3 == index % 3:
                    queue.refund(1.0, 1)
                    taken -= 1
            elif n % 10 == 0:
                waiter = queue.enqueue(1.0, index % 2, 1, 1)
                queue.poll(1.0)
                if not queue.cancel(waiter, 1.0):
                    taken += 1
        return taken

    taken = sum(hammer(work))
    assert queue.waiting == 0
    assert taken + bucket.level(1.0) == 4000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_goes_on_alone():
    scheduler = QuotaScheduler(500, 1, 1, WORKLOADS)
    scheduler.try_acquire()
    crew = [
        threading.Thread(target=lambda: scheduler.acquire("guest", cost=0.5, timeout=30))
        for _ in range(20)
    ]
    for member in crew:
        member.start()
    child = os.fork()
    if not child:
        status = 1
        try:
            if scheduler.waiting == 0:
                calls = [lambda: scheduler.acquire("guest", timeout=20).cost for _ in range(4)]
                costs = hammer(lambda i: calls[i](), threads=4)

                async def main():
                    waits = (scheduler.acquire_async("subscriber", timeout=20) for _ in range(4))
                    return [grant.cost for grant in await asyncio.gather(*waits)]

                if costs + asyncio.run(main()) == [1] * 8:
                    status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    for member in crew:
        member.join(30)
    assert status == 0
    assert scheduler.waiting == 0
    assert not any(member.is_alive() for member in crew)
