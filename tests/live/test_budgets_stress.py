"""`Budgets` under threads and event loops at once: not a token and not a slot is lost."""

import asyncio
import contextlib
import random
import threading
import time

import pytest

from support.exactness import hammer
from trafficcore import Rejected
from trafficcore.live import Budgets

STEP = 1 / 1024
RATES = {"requests": 4096, "tokens": 16384}
AT_ONCE = 5


class Provider:
    """Everything is a small multiple of a power of two, so what is left adds up to the letter."""

    def __init__(self):
        self.now = 0.0
        self.budgets = Budgets(
            RATES, at_once=AT_ONCE, workloads={"a": 4, "b": 1}, clock=lambda: self.now
        )
        for bucket in self.budgets._queue.purse._buckets:
            bucket.capacity, bucket.tokens = 2**30, 0
        self.spent = []
        self.running = self.most = 0
        self.lock = threading.Lock()
        self.done = threading.Event()

    def pump(self):
        while not self.done.is_set():
            self.now += STEP
            self.budgets.kick()
            time.sleep(0)

    def count(self, change):
        with self.lock:
            self.running += change
            self.most = max(self.most, self.running)

    @contextlib.contextmanager
    def running_as(self, permit, draw):
        """Count a use, which corrects what it costs, or not, and may end itself."""
        self.spent.append(permit)
        self.count(1)
        try:
            yield
            if draw.random() < 0.5:
                permit.cost(tokens=draw.randint(0, 14))
        finally:
            self.count(-1)
        if draw.random() < 0.2:
            permit.end()

    def thread(self, index):
        draw = random.Random(index)
        for _ in range(60):
            timeout = draw.choice([None, 64 * STEP, 0])
            try:
                slot = self.budgets.slot(draw.choice("ab"), timeout, tokens=draw.randint(0, 7))
                with slot as permit, self.running_as(permit, draw):
                    pass
            except Rejected:
                continue

    async def task(self, draw):
        async def one():
            async with self.budgets.slot(draw.choice("ab"), tokens=draw.randint(0, 7)) as permit:
                with self.running_as(permit, draw):
                    await asyncio.sleep(0)

        task = asyncio.ensure_future(one())
        if draw.random() < 0.4:
            for _ in range(draw.randint(0, 6)):
                await asyncio.sleep(0)
            if not task.done():
                task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def loop(self, index):
        async def main():
            draws = [random.Random(index * 1000 + n) for n in range(60)]
            await asyncio.gather(*(self.task(draw) for draw in draws))

        asyncio.run(main())


@pytest.mark.stress
def test_what_is_spent_is_what_left_every_budget_and_every_slot_comes_back():
    own = Provider()
    work = [lambda i=i: own.thread(i) for i in range(6)]
    work += [lambda i=i: own.loop(i + 10) for i in range(3)]
    pump = threading.Thread(target=own.pump)
    pump.start()
    try:
        hammer(lambda i: work[i](), threads=len(work), switch_interval=1e-5)
    finally:
        own.done.set()
        pump.join()
    own.budgets.kick()
    assert own.budgets.waiting == 0
    assert own.most <= AT_ONCE
    left = own.budgets.snapshot()["tokens"]
    assert left["slots"] == AT_ONCE
    taken = {name: sum(permit.costs[name] for permit in own.spent) for name in RATES}
    assert {name: left[name] + taken[name] for name in RATES} == {
        name: own.now * rate for name, rate in RATES.items()
    }
