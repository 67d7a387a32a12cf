"""The fair queue alone, and the quota in front of it."""

import asyncio
import random
import threading
import time
from itertools import repeat

import pytest

from benchmarks.measure import Row
from trafficcore import QuotaScheduler
from trafficcore.core.fair import FairQueue, QuotaQueue, TokenBucket
from trafficcore.live import Budgets

_seen: dict[str, float] = {}


def _queue(row: Row, name: str, flows: int, waiting: int) -> None:
    queue = FairQueue()
    names = [f"flow-{n}" for n in range(flows)]
    for n in range(waiting):
        queue.push(names[n % flows], 1, 1 + n % flows % 7, None)
    push, pop = queue.push, queue.pop

    newcomers = [(names[n % flows], 1 + n % flows % 7) for n in range(row.calls)]

    def batch(calls: int) -> int:
        for flow, weight in newcomers:
            push(flow, 1, weight)
            pop()
        return calls

    _seen[name] = row.measure(name, batch)
    assert queue.waiting == waiting


def test_ten_thousand_wait(row: Row) -> None:
    _queue(row, "fair-queue-10k", 2, 10_000)


def test_a_million_wait(row: Row) -> None:
    _queue(row, "fair-queue-1m", 2, 1_000_000)


def test_a_million_over_ten_thousand(row: Row) -> None:
    if "fair-queue-1m" not in _seen:
        pytest.skip("needs the two rows before it")
    row.publish("fair-queue-1m-over-10k", _seen["fair-queue-1m"] / _seen["fair-queue-10k"])


def test_a_thousand_flows(row: Row) -> None:
    _queue(row, "fair-queue-1000-flows", 1000, 100_000)


def test_nobody_waits(row: Row) -> None:
    acquire = QuotaQueue(TokenBucket(10**9, 10**9, 1)).try_acquire
    now = time.monotonic()

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if acquire(now, 1):
                yes += 1
        return yes

    row.measure("quota-now-given", batch)


def test_handle_nobody_waits(row: Row) -> None:
    acquire = QuotaScheduler(10**9, workloads={"guest": 50}).try_acquire

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            if acquire():
                yes += 1
        return yes

    row.measure("quota-handle", batch)


def test_queued_and_granted(row: Row) -> None:
    """A thousand wait throughout; in each step one comes and one is granted."""
    queue = QuotaQueue(TokenBucket(1, 1000, 1))
    now = 1.0
    assert queue.try_acquire(now, 1)
    newcomers = [(("guest", 50), ("subscriber", 200))[n % 2] for n in range(row.calls)]
    for flow, weight in newcomers[:1000]:
        queue.enqueue(now, flow, weight)
    enqueue, poll = queue.enqueue, queue.poll

    def batch(_: int) -> int:
        nonlocal now
        yes = 0
        for flow, weight in newcomers:
            enqueue(now, flow, weight)
            now += 0.001
            yes += len(poll(now))
        return yes

    # the bucket's rounding may shift a grant from one round to the next
    row.measure("quota-queued-granted", lambda n: n if abs(batch(n) - n) <= 1 else -1)
    assert abs(queue.waiting - 1000) <= 1


def _cancel(row: Row, name: str, waiting: int) -> None:
    """In each step one gives up, wherever it stands, and another comes."""
    queue = QuotaQueue(TokenBucket(1, 1, 1, initial_tokens=0))
    enqueue, cancel = queue.enqueue, queue.cancel
    flows = ("guest", "subscriber")
    waiters = [enqueue(0.0, flows[n % 2], 1, 1, 1e9) for n in range(waiting)]
    places = random.Random(1).choices(range(waiting), k=row.calls)

    def batch(_: int) -> int:
        yes = 0
        for place in places:
            if cancel(waiters[place], 0.0):
                yes += 1
            waiters[place] = enqueue(0.0, flows[place % 2], 1, 1, 1e9)
        return yes

    _seen[name] = row.measure(name, batch)
    assert queue.waiting == waiting


def test_one_of_ten_thousand_gives_up(row: Row) -> None:
    _cancel(row, "quota-cancel-10k", 10_000)


def test_one_of_a_million_gives_up(row: Row) -> None:
    _cancel(row, "quota-cancel-1m", 1_000_000)


def test_giving_up_among_a_million_over_ten_thousand(row: Row) -> None:
    if "quota-cancel-1m" not in _seen:
        pytest.skip("needs the two rows before it")
    row.publish("quota-cancel-1m-over-10k", _seen["quota-cancel-1m"] / _seen["quota-cancel-10k"])


class _Stopped:
    """A scheduler whose time goes by a token at a step."""

    def __init__(self) -> None:
        self.now = 0.0
        self.scheduler = QuotaScheduler(1, workloads={"guest": 50}, clock=lambda: self.now)
        assert self.scheduler.try_acquire()

    def step(self) -> None:
        self.now += 1
        self.scheduler._driver.kick()


def test_a_task_waits_and_is_woken(row: Row) -> None:
    own = _Stopped()
    acquire = own.scheduler.acquire_async

    async def all_of(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            task = asyncio.ensure_future(acquire("guest"))
            await asyncio.sleep(0)
            own.step()
            yes += (await task).waited
        return yes

    row.measure("wake-task", lambda calls: asyncio.run(all_of(calls)), calls=row.calls // 4)


def test_a_thread_waits_and_is_woken(row: Row) -> None:
    own = _Stopped()
    acquire, scheduler = own.scheduler.acquire, own.scheduler

    def batch(calls: int) -> int:
        seen: list[bool] = []
        thread = threading.Thread(
            target=lambda: seen.extend(acquire("guest").waited for _ in range(calls))
        )
        thread.start()
        while thread.is_alive():
            if scheduler.waiting:
                own.step()
            else:
                time.sleep(0)
        return sum(seen)

    row.measure("wake-thread", batch, calls=row.calls // 40)


def test_several_budgets_and_a_slot(row: Row) -> None:
    budgets = Budgets({"requests": 10**9, "input": 10**9, "output": 10**9}, at_once=10)
    take = budgets.try_acquire

    def batch(calls: int) -> int:
        yes = 0
        for _ in repeat(None, calls):
            spending = take(input=3, output=5)
            if spending is not None:
                yes += 1
                spending.cost(output=4)
                spending.end()
        return yes

    row.measure("budgets-three-and-a-slot", batch)
