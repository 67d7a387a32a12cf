"""Queues by key: each as if it were alone, few remembered, all of them bounded."""

import random
from fractions import Fraction
from math import inf

import pytest

from trafficcore.core.fair import Fate, KeyedQueues, QuotaQueue, Slots, TokenBucket
from trafficcore.errors import ConfigError
from trafficcore.outcome import Reason


def keyed(capacity=2, fill=1, *, budget=None, queue_bound=None, **more):
    def make():
        own = budget() if budget else TokenBucket(Fraction(capacity), Fraction(fill))
        return QuotaQueue(own, max_waiting=queue_bound)

    return KeyedQueues(make, **more)


def take(queues, key, now, cost=1):
    return bool(queues.of(key).try_acquire(now, cost))


def wait(queues, key, now, deadline=inf, cost=1, item=None):
    return queues.of(key).enqueue(now, "flow", 1, cost, deadline, item)


def test_each_key_has_a_budget_of_its_own():
    queues = keyed()
    assert [take(queues, "a", 0) for _ in range(3)] == [True, True, False]
    assert take(queues, "b", 0)
    assert queues.snapshot(0)["keys"] == 2


def test_there_is_room_for_one_key_at_the_least():
    with pytest.raises(ConfigError, match="max_keys must be at least 1, not 0"):
        keyed(max_keys=0)


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("delayed", [True, False])
def test_forgetting_changes_no_verdict(even, delayed):
    """Against queues that are never forgotten, for many keys and gaps of any length."""

    def budget():
        return TokenBucket(Fraction(3), Fraction(2), Fraction(5), even, delayed)

    rng = random.Random(5)
    forgetful = keyed(budget=budget, max_idle_time=1)
    tight = keyed(budget=budget, max_idle_time=0, max_keys=60)
    never = {key: QuotaQueue(budget()) for key in range(50)}
    now = Fraction(0)
    forgotten = 0
    for _ in range(6000):
        now += Fraction(rng.choice((0, 1, 1, 7)), 10)
        key = rng.randrange(50) if rng.random() < 0.5 else rng.randrange(4)
        cost = rng.choice((1, 1, 2, 3))
        wanted = bool(never[key].try_acquire(now, cost))
        forgotten += key not in forgetful._records
        for queues in (forgetful, tight):
            of = queues.of(key)
            assert bool(of.try_acquire(now, cost)) is wanted
            if wanted and rng.random() < 0.1:
                of.refund(now, 0)
    assert forgotten > 100
    assert not tight.overflowed


def test_a_late_refund_finds_the_key_that_was_made_anew():
    queues = keyed(capacity=1, fill=1, max_idle_time=2)
    late = queues.of("a")
    assert late.try_acquire(0)
    for n in range(3):
        take(queues, f"other-{n}", 10)
    assert "a" not in queues._records
    late.refund(10)  # it is full: nothing comes of it
    assert [take(queues, "a", 10) for _ in range(2)] == [True, False]
    late.refund(10)
    assert [take(queues, "a", 10) for _ in range(2)] == [True, False]


def test_where_there_is_no_room_new_keys_share_one_budget():
    queues = keyed(max_keys=2)
    for key in "ab":
        assert take(queues, key, 0)
    assert [take(queues, key, 0) for key in "cde"] == [True, True, False]
    assert queues.overflowed == 3
    assert take(queues, "a", 0)
    assert queues.snapshot(0)["overflowed"] == 3
    assert take(queues, "f", 2)  # by then "a" or "b" is full again, and is forgotten for it
    assert queues.overflowed == 3


def test_who_waits_is_granted_when_his_key_has_tokens():
    queues = keyed(capacity=1)
    assert queues.next_deadline() == inf
    for key in "ab":
        assert take(queues, key, 0 if key == "a" else Fraction(1, 2))
    b, a = wait(queues, "b", 1 / 2, item="b"), wait(queues, "a", 1 / 2, item="a")
    assert queues.waiting == 2
    assert queues.next_deadline() == 1
    assert queues.poll(1) == [a]
    assert queues.next_deadline() == Fraction(3, 2)
    assert queues.poll(1) == []
    assert queues.poll(2) == [b]
    assert (a.fate, b.fate) == (Fate.GRANTED, Fate.GRANTED)
    assert (queues.waiting, queues.next_deadline()) == (0, inf)


def test_who_leaves_leaves_nothing_behind():
    queues = keyed(capacity=1)
    take(queues, "a", 0)
    of = queues.of("a")
    waiter = of.enqueue(0, "flow", 1, 1, inf, None)
    assert of.waiting == 1
    assert of.ahead(waiter) == (0, 0)
    assert of.ready_at(0, waiter) == 1
    assert of.retry_at(0) == 2
    assert of.cancel(waiter, 0)
    assert not of.cancel(waiter, 0)
    assert (queues.waiting, queues.next_deadline()) == (0, inf)


def test_a_grant_that_nobody_uses_goes_back_to_the_next():
    queues = keyed(capacity=1)
    take(queues, "a", 0)
    of = queues.of("a")
    first = of.enqueue(0, "flow", 1, 1, inf, "first")
    second = wait(queues, "a", 0, item="second")
    assert queues.poll(1) == [first]
    assert of.give_back(first, 1)
    assert not of.give_back(first, 1)
    assert queues.poll(1) == [second]


def test_slots_go_to_the_next_of_the_key():
    queues = keyed(budget=lambda: Slots(1, 10))
    of = queues.of("a")
    lease = of.try_acquire(0)
    waiter = wait(queues, "a", 0)
    assert queues.next_deadline() == 10  # taken for ended by then
    assert of.release(lease)
    assert not of.release(lease)
    assert queues.next_deadline() <= 0
    assert queues.poll(0) == [waiter]


def test_over_all_keys_so_many_wait_and_no_more():
    queues = keyed(capacity=1, max_waiting=3)
    for key in "ab":
        take(queues, key, 0)
    heavy = [wait(queues, "a", 0) for _ in range(3)]
    light = wait(queues, "b", 0)
    assert light.reason is None
    assert queues.next_deadline() == -inf
    assert queues.poll(0) == [heavy[-1]]
    assert heavy[-1].reason is Reason.QUEUE_FULL
    more = wait(queues, "a", 0)
    assert more.reason is Reason.QUEUE_FULL
    assert queues.poll(0) == []
    assert queues.waiting == 3


def test_a_fork_forgets_who_waits():
    queues = keyed(capacity=1)
    take(queues, "a", 0)
    wait(queues, "a", 0)
    found = queues.snapshot(0)
    assert (found["waiting"], list(found["busiest"])) == (1, ["a"])
    queues.clear()
    assert (queues.waiting, queues.next_deadline(), queues.poll(5)) == (0, inf, [])


def test_many_changes_leave_the_heap_small():
    queues = keyed(capacity=1)
    for n in range(1000):
        take(queues, n % 7, 0)
        queues.of(n % 7)
        waiter = wait(queues, n % 7, 0, deadline=n + 1)
        view = queues.of(n % 7)
        view.try_acquire(0)
        view.cancel(waiter, 0)
    assert queues.waiting == 0
    assert len(queues._heap) <= 128
