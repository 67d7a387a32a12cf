"""Threads, event loops and a closed one on one scheduler, on a clock that only a pump moves."""

import asyncio
import contextlib
import gc
import random
import threading
import time

from support.exactness import hammer
from trafficcore import QuotaScheduler, Rejected

WORKLOADS = {"guest": 50, "subscriber": 200, "batch": 1}
NAMES = [*WORKLOADS, "unknown"]
STEP = 1 / 1024
RATE = 8192


class Pumped:
    """A scheduler on a clock that only its pump moves; level and grants add up exactly.

    Every number is a small multiple of a power of two, so floats hold them to the letter, and
    the bucket is too large to be ever full again. Time stands still until `crowd` wait at once.
    """

    def __init__(self, *, crowd=0, correct=True):
        self.now = 0.0
        self.scheduler = QuotaScheduler(
            RATE, 1, 2**30, WORKLOADS, clock=self.clock, max_waiting=None
        )
        self.scheduler._queue._budget.tokens = 0
        self.crowd = crowd
        self.correct = correct
        self.most = 0
        self.granted = []
        self.late = []
        self.done = threading.Event()

    def clock(self):
        return self.now

    def pump(self):
        while not self.done.is_set():
            self.most = max(self.most, self.scheduler.waiting)
            if self.most >= self.crowd:
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
            if self.correct and draw.random() < 0.1:
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
            each = (self.task(index * 100_000 + n, calls) for n in range(tasks))
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

    @contextlib.contextmanager
    def pumping(self):
        self.done.clear()
        pump = threading.Thread(target=self.pump)
        pump.start()
        try:
            yield
            while self.scheduler.waiting:
                time.sleep(0)
        finally:
            self.done.set()
            pump.join()

    def run(self, threads, loops, tasks, calls, switch_interval=1e-5):
        """Have all of them at it at once, and see that nothing was lost."""
        before = len(self.granted)
        work = [lambda i=i: self.thread(i, calls) for i in range(threads)]
        work += [lambda i=i: self.loop(i, tasks, calls) for i in range(loops)]
        work.append(self.abandoned_loop)
        with self.pumping():
            hammer(lambda i: work[i](), threads=len(work), switch_interval=switch_interval)
        self.check()
        assert len(self.granted) > before + calls

    def check(self):
        scheduler = self.scheduler
        gc.collect()  # what a closed loop left behind
        scheduler._driver.kick()
        assert scheduler.waiting == 0
        supplied = round(self.now * RATE)
        assert sum(self.granted) + scheduler.snapshot()["tokens"] == supplied
        assert not self.late
