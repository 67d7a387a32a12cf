"""Calls in flight, bounded by a DestinationRule's connection pool."""

import threading

import pytest

from trafficcore import Engine, Facts, Outcome, Permit, Reason, Rejection
from trafficcore.spec import Direction

HOST = "web.default.svc.cluster.local"
RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: it}
spec:
  host: web
  trafficPolicy:
    connectionPool: {http: {http2MaxRequests: 2}}
"""
QUOTA = """
---
apiVersion: istio.alibabacloud.com/v1
kind: QuotaSchedulingPolicy
metadata: {name: it}
spec:
  quota_scheduler:
    bucket_capacity: 10
    fill_amount: 10
    rate_limiter: {interval: 1h}
    selectors: [{control_point: egress}]
"""


def engine(text=RULE, endpoints=("a:1", "b:1"), **more):
    return Engine.load(text, listeners=(), endpoints={HOST: list(endpoints)}, **more)


def ask(made, now=0.0):
    return made.admit(Facts(Direction.OUTBOUND, HOST), now)


def test_more_calls_than_may_be_in_flight_are_refused_as_envoy_does():
    made = engine()
    first, second, refusal = ask(made), ask(made), ask(made)
    assert isinstance(refusal, Rejection)
    assert (refusal.status, refusal.reason) == (503, Reason.OVERLOADED)
    assert refusal.headers == (("x-envoy-overloaded", "true"),)
    assert refusal.body.endswith("reset reason: overflow")
    assert refusal.rule.name == "it"
    first.settle(None, 1.0, 200)
    third = ask(made, 1.0)
    assert isinstance(third, Permit)
    assert isinstance(ask(made, 1.0), Rejection)
    for permit in (second, third):
        permit.settle(Outcome.CANCELLED, 2.0)
    cluster = made.snapshot(2.0)["clusters"][0]
    assert (cluster["in_flight"], cluster["max_requests"]) == (0, 2)


@pytest.mark.parametrize("end", ["settle twice", "give back", "fail"])
def test_however_a_call_ends_its_place_is_free_once(end):
    made = engine()
    permits = [ask(made), ask(made)]
    if end == "give back":
        permits[0].give_back(0.0)
        permits[0].give_back(0.0)
    else:
        permits[0].settle(Outcome.FAILURE, 0.0, 500)
        permits[0].settle(Outcome.FAILURE, 0.0, 500)
    assert isinstance(ask(made), Permit)
    assert isinstance(ask(made), Rejection)


@pytest.mark.parametrize("by", ["mode", "annotation", "switch"])
def test_in_shadow_whoever_is_one_too_many_is_counted_and_goes_on(by):
    noted = "annotations: {trafficcore/mode: shadow}"
    text = RULE.replace("{name: it}", f"{{name: it, {noted}}}") if by == "annotation" else RULE
    made = engine(text, mode="shadow" if by == "mode" else "enforce")
    if by == "switch":
        made.shadow("DestinationRule */it")
    permits = [ask(made) for _ in range(5)]
    assert all(isinstance(permit, Permit) for permit in permits)
    (rule,) = made.snapshot(0.0)["rules"]
    assert (rule["refused"], rule["shadowed"]) == (0, 3)
    for permit in permits[:3]:
        permit.settle(None, 1.0, 200)
    assert made.snapshot(1.0)["clusters"][0]["in_flight"] == 2
    ask(made, 1.0)
    assert made.snapshot(1.0)["rules"][0]["shadowed"] == 4
    if by == "switch":
        made.shadow("DestinationRule */it", on=False)
        assert isinstance(ask(made, 1.0), Rejection)


def test_a_refusal_gives_the_tokens_of_a_quota_back():
    made = engine(RULE + QUOTA)
    permits = [ask(made) for _ in range(2)]
    assert all(isinstance(ask(made), Rejection) for _ in range(20))
    for permit in permits:
        permit.settle(None, 1.0, 200)
    admitted = 0
    while isinstance(permit := ask(made, 1.0), Permit):
        permit.settle(None, 1.0, 200)
        admitted += 1
    assert admitted == 8


def test_a_place_is_not_lost_where_no_endpoint_is_left():
    rule = RULE + "    outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}\n"
    made = engine(rule)
    for _ in range(2):
        ask(made).settle(Outcome.FAILURE, 0.0, 500)
    reasons = [ask(made).reason for _ in range(5)]
    assert set(reasons) == {Reason.NO_HEALTHY_ENDPOINT}
    assert [isinstance(ask(made, 1000.0), Permit) for _ in range(3)] == [True, True, False]


def test_a_bound_that_comes_while_calls_are_in_flight_counts_them():
    made = engine(RULE.replace("http2MaxRequests: 2", "http2MaxRequests: 0"))
    permits = [ask(made) for _ in range(3)]
    made.reload(RULE)
    assert isinstance(ask(made), Rejection)
    permits[0].settle(None, 0.0, 200)
    assert isinstance(ask(made), Rejection)
    permits[1].settle(None, 0.0, 200)
    assert isinstance(ask(made), Permit)
    made.reload(RULE.replace("http2MaxRequests: 2", "http2MaxRequests: 3"))
    assert isinstance(ask(made), Permit)
    assert isinstance(ask(made), Rejection)


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_other_modes_refuse_nothing_and_count_right(mode):
    made = engine(mode=mode)
    permits = [ask(made) for _ in range(5)]
    assert all(isinstance(permit, Permit) for permit in permits)
    if mode == "shadow":
        assert made.snapshot(0.0)["rules"][0]["shadowed"] == 3
    for permit in permits:
        permit.settle(None, 0.0, 200)
    made.mode = "enforce"
    assert [isinstance(ask(made), Permit) for _ in range(3)] == [True, True, False]


@pytest.mark.stress
@pytest.mark.parametrize("locked", [False, True])
def test_threads_never_exceed_the_bound_by_one(locked):
    made = Engine(
        Engine.load(RULE, listeners=()).policies.source(),
        endpoints={HOST: ["a:1", "b:1"]}, locked=locked,
    )  # fmt: skip
    inside, most, lock = 0, 0, threading.Lock()

    def work():
        nonlocal inside, most
        for _ in range(2000):
            permit = ask(made)
            if isinstance(permit, Permit):
                with lock:
                    inside += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1
                permit.settle(None, 0.0, 200)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= 2
    assert made.snapshot(0.0)["clusters"][0]["in_flight"] == 0
    assert [isinstance(ask(made), Permit) for _ in range(3)] == [True, True, False]
