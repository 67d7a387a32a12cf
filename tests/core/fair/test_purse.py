"""`PurseQueue`, against its model; and what one budget of several may not do."""

from fractions import Fraction as F
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.purse import ModelPurse
from trafficcore.core.fair import Fate, Purse, PurseQueue, Slots, TokenBucket
from trafficcore.errors import ConfigError, ImpossibleCost

NAMES = ("requests", "tokens")
BUCKETS = ((F(3), F(1)), (F(40), F(10)))
WEIGHTS = {"a": 1, "b": 3}
NOTHING = dict.fromkeys(NAMES, 0)


def queue(slots=None, buckets=BUCKETS, **more):
    made = {
        name: TokenBucket(capacity, rate)
        for name, (capacity, rate) in zip(NAMES, buckets, strict=True)
    }
    return PurseQueue(Purse(made, None if slots is None else Slots(slots)), **more)


def price(made, *parts):
    return made.purse.price(dict(zip(NAMES, parts, strict=True)), NOTHING)


def levels(made, now):
    found = made.purse.level(now)
    return [found[name] for name in NAMES]


PARTS = st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 10, 25, 40])).filter(any)
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from("ab"), PARTS, st.sampled_from([1, 3, 50, inf])),
        st.tuples(st.just("end"), st.integers(0, 30)),
        st.tuples(st.just("correct"), st.integers(0, 30), PARTS),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("pass"), st.sampled_from([F(1, 3), F(1), F(5)])),
    ),
    max_size=50,
)


class Twin:
    """A queue and its model, done the same to."""

    def __init__(self, slots):
        self.real, self.model = queue(slots), ModelPurse(list(BUCKETS), slots)
        self.now = F(0)
        #: Who runs: number → (lease, cost, waiter, the model's waiter).
        self.running = {}
        self.waiting = {}
        self.number = 0

    def ask(self, flow, parts, patience):
        self.number += 1
        who, now, cost = self.number, self.now, price(self.real, *map(F, parts))
        weight, deadline = WEIGHTS[flow], now + patience
        lease = self.real.try_acquire(now, cost)
        went = self.model.ask(now, who, flow, weight, [F(part) for part in parts], deadline)
        assert bool(lease) is went
        if lease:
            self.running[who] = [lease, cost, None, None]
            return
        waiter = self.real.enqueue(now, flow, weight, cost, deadline, who)
        twin = next((one for one in self.model.queue.waiters if one.number == who), None)
        if waiter.reason is None:
            self.waiting[who] = (waiter, twin)

    def poll(self):
        gone = [waiter for waiter in self.real.poll(self.now) if waiter.fate is Fate.GRANTED]
        assert [waiter.item for waiter in gone] == [one.number for one in self.model.poll(self.now)]
        for waiter in gone:
            _, twin = self.waiting[waiter.item]
            self.running[waiter.item] = [waiter.lease, waiter.cost, waiter, twin]
        self.waiting = {
            who: pair for who, pair in self.waiting.items() if pair[0].fate is Fate.WAITING
        }
        assert {one.number for one in self.model.queue.waiters} == set(self.waiting)

    def end(self, who):
        if who in self.running:
            self.real.release(self.running[who][0])
            self.model.end(who)

    def correct(self, who, parts):
        if who not in self.running:
            return
        _, before, waiter, twin = self.running[who]
        after = price(self.real, *map(F, parts))
        if waiter is None:
            self.real.purse.change(self.now, before, after)
        else:
            assert self.real.reconcile(self.now, waiter, after)
        self.running[who][1] = after
        self.model.correct(self.now, who, [F(part) for part in parts], twin)

    def cancel(self, who):
        if who in self.waiting:
            waiter, _ = self.waiting.pop(who)
            assert self.real.cancel(waiter, self.now)
            self.model.leave(lambda one: one.number == who)

    def check(self):
        self.poll()
        assert levels(self.real, self.now) == [b.level(self.now) for b in self.model.buckets]
        # nothing is due now that was not done
        assert self.real.next_deadline() > self.now or self.real.next_deadline() == self.now


@given(OPS, st.sampled_from([None, 1, 2]))
def test_it_does_what_its_model_does(ops, slots):
    twin = Twin(slots)
    for name, *arguments in ops:
        if name == "pass":
            twin.now += arguments[0]
        else:
            getattr(twin, name)(*arguments)
        twin.check()


@given(st.lists(st.tuples(st.sampled_from("ab"), PARTS), min_size=1, max_size=30))
def test_told_when_to_poll_it_serves_everybody_as_early_as_can_be(asks):
    made, model = queue(), ModelPurse(list(BUCKETS))
    for who, (flow, given_) in enumerate(asks):
        parts = [F(part) for part in given_]
        if not made.try_acquire(F(0), price(made, *parts)):
            made.enqueue(F(0), flow, WEIGHTS[flow], price(made, *parts), item=who)
        model.ask(F(0), who, flow, WEIGHTS[flow], parts, inf)
    now, served = F(0), []
    while made.waiting:
        due = made.next_deadline()
        if due > now:
            assert model.poll(due - F(1, 10**9)) == [], "nobody could have gone before"
        now = max(now, due)
        gone = made.poll(now)
        assert gone
        assert [one.item for one in gone] == [one.number for one in model.poll(now)]
        served += gone
    assert made.retry_at(now, price(made, 0, 1)) >= now


@given(st.lists(PARTS, min_size=2, max_size=20))
def test_who_comes_last_is_served_by_the_time_that_is_named(asks):
    made = queue()
    for parts in asks:
        made.enqueue(F(0), "a", 1, price(made, *map(F, parts)))
    named = made.retry_at(F(0), price(made, 3, 40))
    last = made.enqueue(F(0), "a", 1, price(made, F(3), F(40)))
    now = F(0)
    while last.fate is Fate.WAITING:
        now = max(now, made.next_deadline())
        made.poll(now)
    assert now <= named + F(1, 10**6)


def test_what_asks_nothing_of_a_budget_in_debt_is_not_held_up_by_it():
    made = queue()
    assert made.try_acquire(0, price(made, 1, 40))
    made.purse.change(0, price(made, 0, 40), price(made, 0, 100))
    assert levels(made, 0) == [2, -60]
    assert made.try_acquire(0, price(made, 1, 0))
    assert not made.try_acquire(0, price(made, 1, 1))


def test_the_size_of_a_cost_is_its_dearest_part_in_seconds():
    made = queue()
    assert price(made, 1, 5) == 1
    assert price(made, 1, 25) == 2.5
    assert price(queue(slots=4), 0, 1) == 0.25
    assert price(made, 1, 5).parts == (1, 5)


def test_a_grant_given_back_is_as_if_it_had_not_been():
    made = queue(slots=1)
    first = made.enqueue(0, "a", 1, price(made, 1, 10))
    second = made.enqueue(0, "a", 1, price(made, 1, 10))
    assert made.poll(0) == [first]
    assert made.give_back(first, 0)
    assert not made.give_back(first, 0)
    assert made.poll(0) == [second]
    assert levels(made, 0) == [2, 30]
    assert not made.reconcile(0, first, price(made, 1, 1))


def test_a_fork_leaves_waiters_and_calls_behind_and_keeps_the_levels():
    made = queue(slots=1)
    assert made.try_acquire(0, price(made, 1, 40))
    made.enqueue(0, "a", 1, price(made, 1, 1))
    made.clear()
    assert made.waiting == 0
    assert made.snapshot(0)["tokens"] == {"requests": 2, "tokens": 0, "slots": 1}


def test_what_can_never_be():
    made = queue()
    with pytest.raises(ImpossibleCost, match="tokens of 41 is more than the"):
        made.purse.check(price(made, 1, 41))
    for parts in ({"request": 1}, {"requests": -1}, {"requests": inf}, {"tokens": float("nan")}):
        with pytest.raises(ConfigError):
            made.purse.price(parts, NOTHING)
    with pytest.raises(ConfigError, match="there is no budget 'request': there is requests"):
        made.purse.price({"request": 1}, NOTHING)
    with pytest.raises(ConfigError, match="a budget at least, or slots"):
        Purse({})
    with pytest.raises(ConfigError, match="'x' must fill"):
        Purse({"x": TokenBucket(1, 0)})
    with pytest.raises(ConfigError, match="run at once"):
        Purse({"x": TokenBucket(1, 1)}, Slots(0))
