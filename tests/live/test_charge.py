"""`charge`: quotas corrected by what a request truly cost."""

import pytest

from support import policies as p
from trafficcore.engine import Permit, Queued
from trafficcore.errors import ConfigError
from trafficcore.live import charge
from trafficcore.live.drivers import driver_of
from trafficcore.spec import LabelKeys, QuotaRule, WorkloadParameters


def quota(name="tokens", capacity=10, fill=1, **more):
    return QuotaRule(
        source=p.source("QuotaSchedulingPolicy", name),
        namespace="default",
        capacity=capacity,
        fill_amount=fill,
        **more,
    )


def tokens(engine, now, at=0):
    return engine.snapshot(now)["rules"][at]["quota"]["queue"]["tokens"]


def ask(engine, clock, **labels):
    return engine.admit(p.request(labels=labels or None), clock())


PLAIN = {"default": WorkloadParameters(tokens=4)}
KINDS = pytest.mark.parametrize(
    "more", [PLAIN, {"keys": LabelKeys(tokens="size"), **PLAIN}], ids=["plain", "labelled"]
)


@KINDS
def test_a_quota_is_corrected_as_often_as_it_is_known_better(clock, more):
    engine = p.engine(quota(**more))
    first, second = ask(engine, clock), ask(engine, clock)
    assert tokens(engine, clock()) == 2
    charge(engine, first, {"tokens": 1}, clock=clock)
    assert tokens(engine, clock()) == 5
    charge(engine, first, {"tokens": 9, "others": 3}, clock=clock)
    assert tokens(engine, clock()) == -3
    first.settle(None, clock(), 200)
    charge(engine, first, {"tokens": 8}, clock=clock)
    assert tokens(engine, clock()) == -2
    second.give_back(clock())
    assert tokens(engine, clock()) == 2, "it gives back its own, whatever the other's cost was"


def test_what_was_corrected_is_what_a_call_that_was_never_made_gives_back(clock):
    engine = p.engine(quota(**PLAIN))
    permit = ask(engine, clock)
    charge(engine, permit, {"tokens": 7}, clock=clock)
    assert tokens(engine, clock()) == 3
    permit.give_back(clock())
    assert tokens(engine, clock()) == 10


def test_what_was_charged_too_much_lets_the_next_go_at_once(clock):
    engine = p.engine(quota(**PLAIN))
    first, second = ask(engine, clock), ask(engine, clock)
    ticket = ask(engine, clock)
    assert isinstance(ticket, Queued)
    woken = []
    ticket.wake = lambda: woken.append(ticket.verdict)
    charge(engine, first, {"tokens": 2}, clock=clock)
    (permit,) = woken
    assert isinstance(permit, Permit)
    charge(engine, permit, {"tokens": 1}, clock=clock)
    assert tokens(engine, clock()) == 3
    charge(engine, second, {"tokens": 0}, clock=clock)
    assert tokens(engine, clock()) == 7


def test_a_budget_of_each_key_is_corrected_apart(clock):
    engine = p.engine(quota(keys=LabelKeys(limit="user"), **PLAIN))
    ann, bob = ask(engine, clock, user="ann"), ask(engine, clock, user="bob")
    waiting = [ask(engine, clock, user="ann") for _ in range(2)][1]
    assert isinstance(waiting, Queued)
    charge(engine, ann, {"tokens": 2}, clock=clock)
    permit = waiting.verdict
    assert isinstance(permit, Permit)
    charge(engine, permit, {"tokens": 3}, clock=clock)
    stage = engine.policies.table.quotas[0]
    levels = {key: record.queue._budget.level(clock()) for key, record in
              stage.queue._records.items()}  # fmt: skip
    assert levels == {"ann": 1, "bob": 6}
    charge(engine, bob, {"tokens": 4}, clock=clock)
    clock.advance(100_000)
    for number in range(10):
        ask(engine, clock, user=f"new {number}")
    assert "bob" not in stage.queue._records
    charge(engine, bob, {"tokens": 6}, clock=clock)
    assert "bob" not in stage.queue._records, "who was forgotten is full"


def test_several_policies_are_corrected_by_their_names(clock):
    engine = p.engine(quota("requests"), quota("llm-tokens", 100, 10, **PLAIN))
    permit = ask(engine, clock)
    charge(engine, permit, {"llm-tokens": 64}, clock=clock)
    assert (tokens(engine, clock(), 0), tokens(engine, clock(), 1)) == (9, 36)


@pytest.mark.parametrize("cost", [-1, float("inf"), float("nan")])
def test_what_is_no_amount_is_told_and_changes_nothing(clock, cost):
    engine = p.engine(quota(**PLAIN))
    permit = ask(engine, clock)
    with pytest.raises(ConfigError, match="the cost at 'tokens' must be from 0"):
        charge(engine, permit, {"tokens": cost}, clock=clock)
    assert tokens(engine, clock()) == 6
    assert driver_of(engine) is engine.driver
