"""`QuotaQueue`: what the model does not show. The rest is in test_quota_machine."""

import random
from fractions import Fraction
from math import inf, nan

import pytest

from support.exactness import assert_atomic
from trafficcore.core.fair import Fate, QuotaQueue, Slots, TokenBucket
from trafficcore.engine.guard import locked, new_lock
from trafficcore.errors import ConfigError
from trafficcore.outcome import Reason


def empty(rate=1, capacity=1, **more):
    queue = QuotaQueue(TokenBucket(capacity, rate, 1, initial_tokens=0), **more)
    assert not queue.try_acquire(0)
    return queue


def test_the_fast_path_is_one_run():
    constants = {"_acquire_guarded", "_budget", "_fair", "_free_or_odd", "_unit", "capacity",
                 "floor", "plain", "rate"}  # fmt: skip
    state = {"heap", "tokens", "last"}
    assert_atomic(QuotaQueue.try_acquire, state, constants=constants, untrusted=["cost"])


@pytest.mark.parametrize("build", [QuotaQueue, locked(QuotaQueue)])
def test_it_is_the_same_with_a_lock(build):
    queue = build(TokenBucket(1, 1, 1), lock=new_lock())
    assert queue.try_acquire(0) is True
    assert queue.try_acquire(0) is False
    first, second = queue.enqueue(0, "a"), queue.enqueue(0, "a")
    assert queue.next_deadline() == 1
    assert queue.poll(1) == [first]
    assert queue.cancel(second, 1)
    assert queue.waiting == 0


def test_nobody_goes_past_those_who_wait():
    queue = empty(rate=10, capacity=10)
    queue.enqueue(0, "a", cost=5)
    assert not queue.try_acquire(0.4, 1)
    assert queue.try_acquire(0.4, 0)
    assert queue.try_acquire(0.4, -1)


def test_a_late_poll_gives_no_more_than_the_bucket_holds_and_nothing_to_the_late():
    queue = empty(capacity=2)
    gone = queue.enqueue(0, "a", deadline=Fraction(3, 2))
    rest = [queue.enqueue(0, "a") for _ in range(5)]
    assert queue.poll(100) == [gone, *rest[:2]]
    assert gone.fate is Fate.TIMED_OUT
    assert gone.reason is Reason.QUEUE_TIMEOUT
    assert [waiter.fate for waiter in rest[:3]] == [Fate.GRANTED, Fate.GRANTED, Fate.WAITING]


def test_at_the_deadline_itself_there_is_still_a_grant():
    queue = empty()
    just, late = queue.enqueue(0, "a", deadline=1), queue.enqueue(0, "a", deadline=1)
    assert queue.poll(1) == [just, late]
    assert (just.fate, late.fate) == (Fate.GRANTED, Fate.TIMED_OUT)


def test_whoever_never_waits_is_refused_in_the_answer():
    queue = empty()
    waiter = queue.enqueue(5, "a", deadline=5)
    assert (waiter.fate, waiter.reason) == (Fate.REFUSED, Reason.QUEUE_TIMEOUT)
    assert queue.next_deadline() == inf
    assert not queue.cancel(waiter, 5)
    none = empty(queue=False).enqueue(0, "a")
    assert none.reason is Reason.RATE_LIMITED


def test_one_pushed_out_is_told_by_the_next_poll():
    queue = empty(max_waiting=2)
    old, new = queue.enqueue(0, "a"), queue.enqueue(0, "a")
    other = queue.enqueue(0, "b")
    assert new.reason is Reason.QUEUE_FULL
    assert queue.next_deadline() == -inf
    assert queue.poll(0) == [new]
    assert queue.enqueue(0, "b").reason is Reason.QUEUE_FULL
    assert queue.poll(0) == []
    assert (old.fate, other.fate) == (Fate.WAITING, Fate.WAITING)
    assert empty(max_waiting=0).enqueue(0, "a").reason is Reason.QUEUE_FULL


def test_nobody_comes_between_one_above_the_capacity_and_its_turn():
    queue = QuotaQueue(TokenBucket(Fraction(2), Fraction(1), Fraction(1)))
    assert queue.try_acquire(0, 1)
    large = queue.enqueue(0, "large", 1, 5)
    assert queue.next_deadline() == 1
    assert queue.poll(1) == []
    small = queue.enqueue(1, "small", 1000, Fraction(1, 10))
    assert queue.next_deadline() == 4
    assert queue.retry_at(1, 1) == Fraction(51, 10)
    assert queue.poll(Fraction(39, 10)) == []
    assert queue.poll(4) == [large]
    assert queue.poll(Fraction(41, 10)) == [small]


def test_what_one_above_the_capacity_paid_comes_back_if_it_leaves():
    for leave in ("cancel", "deadline", "clear"):
        bucket = TokenBucket(Fraction(2), Fraction(1), Fraction(1))
        queue = QuotaQueue(bucket)
        large = queue.enqueue(0, "a", 1, 5, deadline=1)
        queue.poll(0)
        assert bucket.level(0) == -3
        if leave == "cancel":
            assert queue.cancel(large, 0)
        elif leave == "deadline":
            assert queue.poll(1) == [large]
        else:
            queue.clear()
        assert bucket.level(1) == 2


def test_a_retry_is_due_when_all_who_wait_are_served():
    queue = empty(rate=Fraction(2), capacity=2)
    assert queue.retry_at(0, 1) == Fraction(1, 2)
    queue.enqueue(0, "a", cost=3)
    assert queue.retry_at(0, 1) == 2
    assert QuotaQueue(Slots(1)).retry_at(0, 1) == 0
    assert QuotaQueue(Slots(1)).retry_at(0, 2) is None


def test_a_grant_is_given_back_once_and_corrected_while_it_stands():
    bucket = TokenBucket(Fraction(4), Fraction(1), Fraction(1))
    queue = QuotaQueue(bucket)
    queue.try_acquire(0, 4)
    waiter = queue.enqueue(0, "a", cost=2)
    assert not queue.reconcile(0, waiter, 3)
    queue.poll(2)
    assert queue.reconcile(2, waiter, 3)
    assert bucket.level(2) == -1
    assert queue.give_back(waiter, 2)
    assert bucket.level(2) == 2
    assert waiter.fate is Fate.RETURNED
    assert not queue.give_back(waiter, 2)
    assert not queue.reconcile(2, waiter, 9)


def test_places_can_be_read():
    queue = empty()
    first, second = queue.enqueue(0, "a", cost=2), queue.enqueue(0, "a")
    assert queue.ahead(first) == (0, 0)
    assert queue.ahead(second) == (1, 2)
    assert repr(first) == "<Waiter waiting cost=2 deadline=inf>"


def test_clearing_leaves_no_trace():
    queue = empty(max_waiting=1)
    waiters = [queue.enqueue(0, "a", deadline=9), queue.enqueue(0, "b")]
    queue.clear()
    assert queue.next_deadline() == inf
    assert queue.poll(99) == []
    assert queue.waiting == 0
    assert Fate.CANCELLED in {waiter.fate for waiter in waiters}


def test_deadlines_of_those_who_left_do_not_pile_up():
    queue = empty()
    for _ in range(10_000):
        queue.cancel(queue.enqueue(0, "a", deadline=100), 0)
    assert len(queue._deadlines.heap) < 200


def test_on_floats_every_due_time_is_in_time():
    """Nobody is polled for in vain: a due time that is polled decides something."""
    queue = QuotaQueue(TokenBucket(10, 3.7, 1, initial_tokens=0))
    now = 1e6 + 1 / 3
    queue.try_acquire(now, 10)
    for _ in range(200):
        queue.enqueue(now, "a", 1, 1.1)
    while queue.waiting:
        now = max(now, queue.next_deadline())
        assert queue.poll(now)


@pytest.mark.parametrize(
    "wrong",
    [{"cost": 0}, {"cost": -1}, {"cost": nan}, {"cost": inf}, {"weight": 0}, {"weight": nan},
     {"weight": inf}],
)  # fmt: skip
def test_costs_and_weights_that_are_none_are_errors(wrong):
    queue = empty()
    with pytest.raises(ConfigError):
        queue.enqueue(0, "a", **wrong)
    assert queue.waiting == 0


def test_more_that_is_no_number():
    queue = empty()
    for call in (lambda: queue.try_acquire(0, nan), lambda: queue.refund(0, inf)):
        with pytest.raises(ConfigError):
            call()
    with pytest.raises(ConfigError):
        QuotaQueue(TokenBucket(1, 1), max_waiting=-1)
    with pytest.raises(ConfigError):
        QuotaQueue(TokenBucket(1, 1), tags="lottery")


def test_the_snapshot_names_flows_by_their_names():
    class Flow:
        name = "gold"

    queue = empty()
    queue.enqueue(0, Flow(), cost=2)
    found = queue.snapshot(0)
    assert found["flows"] == {"gold": {"waiting": 1, "tokens": 2}}
    assert (found["waiting"], found["tokens"]) == (1, 0)


# -- foresight -----------------------------------------------------------------------------------


def foreseeing(capacity=1, fill=1, tags="finish"):
    return QuotaQueue(TokenBucket(Fraction(capacity), Fraction(fill)), tags=tags, foresee=True)


def test_who_cannot_go_in_time_is_refused_at_once():
    queue = foreseeing()
    assert queue.try_acquire(0)
    first = queue.enqueue(0, "a", 1, 1, 1)
    assert first.reason is None
    late = queue.enqueue(0, "a", 1, 1, Fraction(19, 10))
    assert (late.fate, late.reason, late.waiting) == (Fate.REFUSED, Reason.QUEUE_TIMEOUT, False)
    in_time = queue.enqueue(0, "a", 1, 1, 2)
    assert in_time.reason is None
    assert (queue.waiting, queue.refused, queue.retry_at(0)) == (2, 1, 3)
    assert [queue.poll(now) for now in (1, 2)] == [[first], [in_time]]


def test_a_heavy_newcomer_is_not_held_to_the_backlog_of_light_ones():
    queue = foreseeing()
    assert queue.try_acquire(0)
    for _ in range(10):
        assert queue.enqueue(0, "light", 1, 1, inf).reason is None
    assert queue.enqueue(0, "heavy", 100, 1, 2).reason is None
    assert queue.enqueue(0, "lighter", Fraction(1, 100), 1, 10).reason is Reason.QUEUE_TIMEOUT


@pytest.mark.parametrize("tags", ["finish", "start"])
@pytest.mark.parametrize("keys", [1, 3])
def test_nobody_is_refused_who_would_have_gone_in_time(tags, keys):
    """Where nobody comes any more: with equal costs the foresight never sees too much."""
    rng = random.Random(11)
    refused = 0
    for _ in range(300):
        queue = foreseeing(2, 1, tags)
        twin = QuotaQueue(TokenBucket(Fraction(2), Fraction(1)), tags=tags)
        weights = {name: Fraction(rng.choice((1, 2, 5, 20))) for name in "abc"}
        for each in (queue, twin):
            assert each.try_acquire(0, 2)
        for _ in range(rng.randrange(8)):
            flow, key = rng.choice("abc"), rng.randrange(keys) if keys > 1 else None
            for each in (queue, twin):
                each.enqueue(0, flow, weights[flow], 1, inf, None, key)
        flow, key = rng.choice("abc"), rng.randrange(keys) if keys > 1 else None
        deadline = rng.randrange(1, 10)
        seen = queue.enqueue(0, flow, weights[flow], 1, deadline, None, key)
        true = twin.enqueue(0, flow, weights[flow], 1, inf, None, key)
        for second in range(1, 12):
            twin.poll(second)
        if seen.reason is not None:
            refused += 1
            assert true.at > deadline
    assert refused > 20


def test_one_as_new_is_idle():
    queue = foreseeing()
    assert queue.idle(0)
    assert queue.try_acquire(0)
    assert not queue.idle(Fraction(1, 2))
    assert queue.idle(1)
    assert queue.try_acquire(1)
    waiter = queue.enqueue(1, "a")
    assert not queue.idle(5)
    assert queue.ready_at(1, waiter) == 2
