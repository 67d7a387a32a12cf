"""`QuotaQueue` does what the model does, to the letter, whatever happens in whatever order."""

from fractions import Fraction
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from model.fair import ModelBucket, ModelQuota, ModelSlots
from trafficcore.core.fair import QuotaQueue, Slots, TokenBucket

FLOWS = ["guest", "subscriber", "batch"]
WEIGHTS = {"guest": Fraction(50), "subscriber": Fraction(200), "batch": Fraction(7, 3)}
COSTS = st.sampled_from([Fraction(1), Fraction(1), Fraction(2), Fraction(7, 2), Fraction(5)])
STEPS = st.sampled_from([Fraction(1, 10), Fraction(1, 3), Fraction(1), Fraction(5)])
PATIENCE = st.sampled_from([None, None, Fraction(2), Fraction(9), Fraction(0)])
KEYS = st.sampled_from([None, None, "a", "b", "c"])


class QuotaMachine(RuleBasedStateMachine):
    """Every verb at any time; what is decided, when, in which order and at what level agree."""

    tags = "finish"
    max_waiting: int | None = None

    def budgets(self):
        raise NotImplementedError

    @initialize(data=st.data())
    def start(self, data):
        ours, model = self.budgets(data)
        self.ours = QuotaQueue(ours, tags=self.tags, max_waiting=self.max_waiting)
        self.model = ModelQuota(model, tags=self.tags, max_waiting=self.max_waiting)
        self.budget = ours
        self.now = Fraction(0)
        self.pairs = []
        self.fast = 0

    @rule(crowd=st.lists(st.tuples(st.sampled_from(FLOWS), KEYS, COSTS, PATIENCE), min_size=1))
    def come(self, crowd):
        for flow, key, cost, patience in crowd:
            self.fast += 1
            lease = self.ours.try_acquire(self.now, cost)
            assert bool(lease) == self.model.try_acquire(self.now, cost, ("fast", self.fast))
            if lease:
                continue
            deadline = inf if patience is None else self.now + patience
            number, weight = len(self.pairs), WEIGHTS[flow]
            ours = self.ours.enqueue(self.now, flow, weight, cost, deadline, number, key)
            model = self.model.enqueue(self.now, flow, weight, cost, deadline, key)
            self.pairs.append((ours, model))

    @rule(step=STEPS)
    def wait(self, step):
        self.now += step

    @rule(turns=st.integers(1, 4))
    def poll_when_due(self, turns):
        for _ in range(turns):
            due = self.ours.next_deadline()
            if self.now < due < inf:
                self.now = due
            self.poll()

    @rule()
    def poll(self):
        ours = [(w.item, w.fate.value) for w in self.ours.poll(self.now)]
        numbers = {id(model): number for number, (_, model) in enumerate(self.pairs)}
        assert ours == [(numbers[id(w)], w.fate) for w in self.model.poll(self.now)]

    @precondition(lambda self: self.pairs)
    @rule(data=st.data())
    def cancel(self, data):
        ours, model = data.draw(st.sampled_from(self.pairs))
        assert self.ours.cancel(ours, self.now) == self.model.cancel(model, self.now)

    @invariant()
    def everything_agrees(self):
        if not hasattr(self, "ours"):
            return
        for ours, model in self.pairs:
            assert ours.fate.value == model.fate
        assert self.ours.waiting == len(self.model.queue.waiters)
        assert max(self.ours.next_deadline(), self.now) == self.model.next_deadline(self.now)
        self.levels_agree()
        self.ours._fair._check()

    def levels_agree(self):
        assert self.budget.level(self.now) == self.model.budget.level(self.now)


class BucketMachine(QuotaMachine):
    def budgets(self, data):
        capacity = data.draw(st.sampled_from([Fraction(1), Fraction(3), Fraction(4)]))
        fill = data.draw(st.sampled_from([Fraction(1), Fraction(2), Fraction(3, 2)]))
        interval = data.draw(st.sampled_from([Fraction(1), Fraction(2, 3)]))
        even, delay = data.draw(st.booleans()), data.draw(st.booleans())
        initial = data.draw(st.sampled_from([Fraction(0), None]))
        return (
            TokenBucket(capacity, fill, interval, even, delay, initial_tokens=initial),
            ModelBucket(capacity, fill, interval, even=even, delay=delay, initial=initial),
        )

    @precondition(lambda self: any(model.fate == "granted" for _, model in self.pairs))
    @rule(data=st.data(), actual=st.sampled_from([Fraction(0), Fraction(1, 2), Fraction(6)]))
    def reconcile(self, data, actual):
        granted = [pair for pair in self.pairs if pair[1].fate == "granted"]
        ours, model = data.draw(st.sampled_from(granted))
        assert self.ours.reconcile(self.now, ours, actual)
        self.model.reconcile(self.now, model, actual)

    @rule(cost=COSTS)
    def refund(self, cost):
        self.ours.refund(self.now, cost)
        self.model.budget.give(self.now, cost)


class StartTagMachine(BucketMachine):
    tags = "start"


class BoundedMachine(BucketMachine):
    max_waiting = 3


class SlotsMachine(QuotaMachine):
    def budgets(self, data):
        limit = data.draw(st.sampled_from([Fraction(1), Fraction(4)]))
        duration = data.draw(st.sampled_from([inf, Fraction(2)]))
        return Slots(limit, duration), ModelSlots(limit, duration)

    def levels_agree(self):
        model = self.model.budget
        assert self.budget.level(self.now) == model.limit - model.in_flight(self.now)

    @precondition(lambda self: any(model.fate == "granted" for _, model in self.pairs))
    @rule(data=st.data())
    def release(self, data):
        granted = [pair for pair in self.pairs if pair[1].fate == "granted"]
        ours, model = data.draw(st.sampled_from(granted))
        self.model.budget.in_flight(self.now)
        held = self.model.budget.leases.pop(model.number, None) is not None
        self.budget.level(self.now)
        assert self.ours.release(ours.lease) == held


@pytest.mark.parametrize("machine", [BucketMachine, StartTagMachine, BoundedMachine, SlotsMachine])
def test_the_quota_does_what_the_model_does(machine):
    machine.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
    machine.TestCase("runTest").runTest()
