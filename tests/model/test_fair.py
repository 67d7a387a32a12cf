"""The model of a quota passes the shared vectors by itself, and what they leave open by hand."""

from fractions import Fraction
from math import inf
from pathlib import Path

import pytest

from conformance import formats, scheduling
from model.fair import ModelBucket, ModelQueue, ModelQuota, ModelSlots, ModelWaiter
from trafficcore.core.fair import TokenBucket
from trafficcore.outcome import Reason

VECTORS = Path(__file__).parents[1] / "conformance" / "vectors" / "scheduling"
DRIVEN = ("trace", "property", "closed_loop")
CASES = {
    path.stem: case
    for path in sorted(VECTORS.glob("*.json"))
    if (case := formats.load(path))["kind"] in DRIVEN
}
#: So many requests at once are too slow for a model that looks at all of them each time.
TOO_LARGE = {"11-share-200-to-50-backlogged"}


class AsQuota:
    """The model behind the verbs that the kernel of the vectors uses."""

    def __init__(self, budget, *, tags, queue):
        if isinstance(budget, TokenBucket):
            budget = ModelBucket(
                budget.capacity,
                budget.fill_amount,
                budget.interval,
                even=budget._even,
                delay=budget._delayed,
                initial=budget.tokens,
            )
        else:
            budget = ModelSlots(budget.capacity, budget.max_inflight_duration)
        self.model = ModelQuota(budget, tags=tags)
        self.queueing = queue
        self.now = Fraction(0)
        self.leases = 0

    def try_acquire(self, now, cost):
        self.now = now
        self.leases += 1
        lease = ("fast", self.leases)
        return lease if self.model.try_acquire(now, cost, lease) else None

    def enqueue(self, now, flow, weight, cost, deadline, item, key):
        self.now = now
        waiter = self.model.enqueue(
            now, flow, weight, cost, deadline if self.queueing else now, key
        )
        waiter.item, waiter.lease = item, waiter.number
        waiter.reason = None if waiter.fate == "waiting" else Reason.QUEUE_TIMEOUT
        return waiter

    def poll(self, now):
        self.now = now
        decided = self.model.poll(now)
        for waiter in decided:
            waiter.reason = None if waiter.fate == "granted" else Reason.QUEUE_TIMEOUT
        return decided

    def next_deadline(self):
        return self.model.next_deadline(self.now)

    def cancel(self, waiter, now):
        return self.model.cancel(waiter, now)

    def release(self, lease):
        self.model.budget.leases.pop(lease, None)

    def reconcile(self, now, waiter, actual):
        self.model.reconcile(now, waiter, actual)
        return True

    def refund(self, now, cost):
        self.model.budget.give(now, cost)


@pytest.mark.parametrize("tags", ["finish", "start"])
@pytest.mark.parametrize("name", sorted(set(CASES) - TOO_LARGE))
def test_the_model_passes_the_vector(name, tags):
    scheduling.run(CASES[name], tags=tags, quota=AsQuota)


def test_fairness_keys_multiply_the_cost_by_the_keys_that_wait():
    queue = ModelQueue()
    one = ModelWaiter(1, "w", "ann", Fraction(2), Fraction(1), inf)
    queue.push(one)
    assert queue.tag(one) == Fraction(1, 2)
    two = ModelWaiter(2, "w", "bob", Fraction(2), Fraction(1), inf)
    queue.push(two)
    assert queue.tag(one) == queue.tag(two) == 1
    queue.serve(one)
    assert queue.virtual == 1
    assert queue.tag(two) == Fraction(1, 2)


def test_a_late_poll_grants_as_of_now():
    quota = ModelQuota(ModelBucket(1, 1, initial=0))
    late = [quota.enqueue(0, "w", 1, 1, deadline) for deadline in (2, inf, inf)]
    assert quota.next_deadline(0) == 1
    assert [waiter.fate for waiter in quota.poll(5)] == ["timed_out", "granted"]
    assert late[2].fate == "waiting"


def test_a_full_queue_drops_the_newest_of_whoever_waits_for_most():
    quota = ModelQuota(ModelBucket(1, 1, initial=0), max_waiting=3)
    mine = [quota.enqueue(0, "a", 1, 1, inf) for _ in range(2)]
    other = quota.enqueue(0, "b", 1, Fraction(3, 2), inf)
    assert quota.enqueue(0, "b", 4, 1, inf).fate == "waiting"
    assert [waiter.fate for waiter in (*mine, other)] == ["waiting", "refused", "waiting"]
