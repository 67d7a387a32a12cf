"""One `QuotaScheduler` under threads, event loops and forks at once: not a token is lost."""

import asyncio
import os
import threading
import time
from collections import Counter
from itertools import combinations

import pytest

from support.crowd import WORKLOADS, Pumped
from support.exactness import hammer
from trafficcore import QuotaScheduler
from trafficcore.core.fair import FairQueue, QuotaQueue, TokenBucket, quota
from trafficcore.engine.guard import locked, new_lock
from trafficcore.live import fair


@pytest.mark.stress
def test_what_is_granted_is_what_left_the_bucket():
    Pumped().run(threads=8, loops=3, tasks=20, calls=40)


@pytest.mark.stress
def test_the_same_where_every_atomic_method_takes_the_lock(monkeypatch):
    monkeypatch.setattr(fair, "guarded", locked)
    own = Pumped()
    own.run(threads=4, loops=2, tasks=5, calls=30)
    assert type(own.scheduler._queue).try_acquire is not QuotaQueue.try_acquire


class Recorded(FairQueue):
    """A fair queue that writes down who came, went and was served, in the order of its lock.

    Of each: the flow, by how many more wait of it, the cost served, its weight, and whether its
    clock is where the virtual time is.
    """

    __slots__ = ("events",)

    def __init__(self, **more):
        super().__init__(**more)
        self.events = []

    def note(self, entry, change, cost=0, level=True):
        self.events.append((entry.lane.flow, change, cost, entry.weight, level))

    def push(self, *what):
        entry = super().push(*what)
        self.note(entry, 1)
        return entry

    def pop(self):
        entry = super().pop()
        self.note(entry, -1, entry.cost, entry.lane.clock >= self._virtual)
        return entry

    def cancel(self, entry):
        if entry.waiting:
            self.note(entry, -1)
        return super().cancel(entry)

    def correct(self, entry, difference):
        if entry.seq > self._since:
            self.note(entry, 0, 0, False)
        super().correct(entry, difference)


def check_shares(events, largest=7):
    """Hold the theorem of the tags for each pair, over every stretch in which both had waiters.

    What was granted to one who was just cancelled comes back, and moves the clock of its workload
    back: until it has caught up with the virtual time it has something in hand, and is left out.
    Return how many servings were held to the bound.
    """
    weights = {flow: weight for flow, _, _, weight, _ in events}
    checked = 0
    for pair in combinations(weights, 2):
        bound = sum(largest / weights[flow] for flow in pair) * (1 + 1e-9)
        waiting, behind, drift, low, high = Counter(), set(), 0.0, 0.0, 0.0
        for flow, change, cost, weight, level in events:
            if flow not in pair:
                continue
            if cost and not behind and all(waiting[one] for one in pair):
                drift += cost / weight * (1 if flow == pair[0] else -1)
                low, high = min(low, drift), max(high, drift)
                assert high - low <= bound
                checked += 1
            waiting[flow] += change
            if not level:
                behind.add(flow)
            elif (cost and flow in behind) or not waiting[flow]:
                behind.discard(flow)
                drift = low = high = 0.0
    return checked


@pytest.mark.stress
def test_ten_thousand_wait_in_three_loops_and_thirty_threads_and_have_their_shares(monkeypatch):
    monkeypatch.setattr(quota, "FairQueue", Recorded)
    own = Pumped(crowd=10_000, correct=False)
    own.run(threads=30, loops=3, tasks=7_000, calls=1, switch_interval=1e-4)
    assert own.most >= 10_000
    assert check_shares(own.scheduler._queue._fair.events) > 10_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.stress
def test_the_same_in_a_forked_child_whose_parent_has_waiters():
    own = Pumped()
    own.run(threads=8, loops=2, tasks=10, calls=10)
    crew = [
        threading.Thread(target=lambda: own.note(own.scheduler.acquire("guest", 3), 3))
        for _ in range(10)
    ]
    own.scheduler._queue._budget.tokens -= 10**6  # so that they do wait
    own.granted.append(10**6)
    for member in crew:
        member.start()
    while own.scheduler.waiting < len(crew):
        time.sleep(0)
    child = os.fork()
    if not child:
        status = 1
        try:
            if own.scheduler.waiting == 0:
                own.scheduler._queue._budget.tokens += 10**6
                own.granted.remove(10**6)
                own.run(threads=30, loops=3, tasks=20, calls=10)
                status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    own.scheduler._queue._budget.tokens += 10**6
    own.granted.remove(10**6)
    with own.pumping():
        pass
    for member in crew:
        member.join(30)
    assert status == 0
    own.check()


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
