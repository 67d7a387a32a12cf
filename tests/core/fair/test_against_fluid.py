"""Fair queues against the fluid: how far behind it anybody is ever served, for any load at all."""

from fractions import Fraction as F

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.gps import Fluid
from trafficcore.core.fair import QuotaQueue, TokenBucket

FLOWS = "abc"
RATE = F(3)
LARGEST = 7
TAGS = pytest.mark.parametrize("tags", ["finish", "start"])
ARRIVALS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(FLOWS), st.integers(1, LARGEST)),
    min_size=1,
    max_size=40,
).map(lambda found: [(F(time, 4), flow, F(cost)) for time, flow, cost in sorted(found)])
WEIGHTS = st.fixed_dictionaries({flow: st.integers(1, 20).map(F) for flow in FLOWS})


def served(arrivals, weights, tags, capacity=LARGEST):
    """Return when each is admitted by a queue in front of an empty bucket, and its busy period."""
    queue = QuotaQueue(TokenBucket(F(capacity), RATE, initial_tokens=F(0)), tags=tags)
    at, period, number = {}, {}, 0

    def poll(until):
        while queue.waiting and (due := queue.next_deadline()) <= until:
            for waiter in queue.poll(max(due, now)):
                at[waiter.item] = waiter.at

    now = F(0)
    for number, (time, flow, cost) in enumerate(arrivals):
        poll(time)
        now = time
        if not queue.waiting:
            begins = number
        period[number] = begins
        if queue.try_acquire(now, cost):
            at[number] = now
        else:
            queue.enqueue(now, flow, weights[flow], cost, item=number)
    poll(F(10**6))
    return [at[number] for number in range(len(arrivals))], period


@TAGS
def test_nobody_is_later_than_its_share_has_it_but_for_one_request_of_each_other(tags):
    """Goyal, Vin and Cheng: by its reserved rate, and the largest of each other flow at the whole.

    Finish tags count a request itself at its reserved rate, start tags at the whole one.
    """

    @given(ARRIVALS, WEIGHTS)
    def hold(arrivals, weights):
        found, period = served(arrivals, weights, tags)
        for flow in FLOWS:
            fluid = Fluid(RATE, weights, always=set(FLOWS) - {flow})
            others = sum(
                max((cost for _, other, cost in arrivals if other == one), default=0)
                for one in FLOWS if one != flow
            ) / RATE  # fmt: skip
            for begin in sorted(set(period.values())):
                own = [
                    number for number, (_, of, _) in enumerate(arrivals)
                    if of == flow and period[number] == begin
                ]  # fmt: skip
                wanted = fluid.finishes([arrivals[number] for number in own])
                for number, due in zip(own, wanted, strict=True):
                    cost = arrivals[number][2]
                    sooner = cost / fluid.share(flow) - cost / RATE if tags == "start" else 0
                    assert found[number] <= due - sooner + others

    hold()


@TAGS
def test_while_all_have_work_each_has_had_its_part_of_the_fluid_to_within_a_request_of_each(tags):
    @given(
        st.lists(
            st.tuples(st.sampled_from(FLOWS), st.integers(1, LARGEST)), min_size=3, max_size=60
        ),
        WEIGHTS,
    )
    def hold(requests, weights):
        arrivals = [(F(0), flow, F(cost)) for flow, cost in requests]
        found, _ = served(arrivals, weights, tags)
        whole = sum(weights.values())
        had = dict.fromkeys(FLOWS, F(0))
        left = {flow: sum(of == flow for _, of, _ in arrivals) for flow in FLOWS}
        for number in sorted(range(len(arrivals)), key=lambda one: found[one]):
            if not all(left.values()):
                break
            _, flow, cost = arrivals[number]
            had[flow] += cost
            left[flow] -= 1
            total = sum(had.values())
            for one in FLOWS:
                off = sum(
                    weights[other] * (LARGEST / weights[one] + LARGEST / weights[other])
                    for other in FLOWS if other != one
                )  # fmt: skip
                part = weights[one] / whole
                assert abs(had[one] - part * total) <= part * off

    hold()


def test_the_bound_is_no_larger_than_it_must_be():
    """A request of the lightest flow does wait for one of each other, and more by finish tags."""
    weights = {"a": F(1), "b": F(1), "c": F(1)}
    arrivals = [(F(0), flow, F(7)) for flow in "abc"] + [(F(0), "c", F(7))]
    found, _ = served(arrivals, weights, "finish")
    assert max(found) == F(28) / RATE
