"""One rule in shadow: it counts what it would refuse and changes nothing, and can be switched."""

import pytest

from trafficcore import ConfigError, Engine, Facts, ManifestError, Outcome, Permit, Rejection
from trafficcore.engine.events import EndpointEjected, Refusals
from trafficcore.spec import Direction

HOST = "web.default.svc.cluster.local"
SHADOW = "metadata: {name: it, annotations: {trafficcore/mode: shadow}}"
LIMIT = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {name: it}
spec:
  configs:
  - name: one
    match: {vhost: {name: web}}
    limit: {fill_interval: {seconds: 60}, quota: 2}
"""
BREAKER = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMCircuitBreaker
metadata: {name: it}
spec:
  configs:
  - match: {vhost: {name: web}}
    breaker_config:
      {window_size: 10s, break_duration: 60s, slow_request_rt: 1s, max_slow_requests: 2}
"""
QUOTA = """
apiVersion: istio.alibabacloud.com/v1
kind: QuotaSchedulingPolicy
metadata: {name: it}
spec:
  quota_scheduler:
    bucket_capacity: 2
    fill_amount: 2
    rate_limiter: {interval: 60s}
"""
DESTINATION = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: it}
spec:
  host: web
  trafficPolicy:
    outlierDetection:
      {consecutive5xxErrors: 2, maxEjectionPercent: 100, baseEjectionTime: 30s}
"""


def engine(text, *, shadow=True, listeners=(), **more):
    text = text.replace("metadata: {name: it}", SHADOW) if shadow else text
    return Engine.load(text, listeners=listeners, **more)


def ask(made, now, direction=Direction.INBOUND):
    return made.admit(Facts(direction, HOST), now)


def rule(made, now=0):
    return made.snapshot(now)["rules"][0]


def call(made, now, took=0.0, direction=Direction.INBOUND, outcome=None, status=200):
    permit = ask(made, now, direction)
    assert isinstance(permit, Permit)
    permit.started(status, now + took)
    permit.settle(outcome, now + took, status)
    return permit


def test_a_limit_counts_and_admits():
    told = []
    made = engine(LIMIT, listeners=[told.append])
    assert all(isinstance(ask(made, now), Permit) for now in (0, 0, 0, 0, 31))
    found = rule(made)
    assert (found["shadow"], found["refused"], found["shadowed"], found["hits"]) == (True, 0, 2, 5)
    assert [event.enforced for event in told if isinstance(event, Refusals)] == [False]


def test_a_limit_in_shadow_refuses_where_it_would_have_refused():
    """Its bucket goes on as if those it would have refused had been turned away."""
    shadowed, enforced = engine(LIMIT), engine(LIMIT, shadow=False)
    times = [0, 1, 2, 30, 31, 59, 60, 61, 200, 200, 200]
    refused = 0
    for now in times:
        assert isinstance(ask(shadowed, now), Permit)
        refused += isinstance(ask(enforced, now), Rejection)
        assert rule(shadowed)["shadowed"] == refused > 0 or not refused


def test_a_breaker_trips_and_admits_all_the_same():
    made = engine(BREAKER)
    for now in (0, 2):
        call(made, now, took=1.5)
    assert rule(made, 4)["breaker"]["state"] == "open"
    assert isinstance(call(made, 5), Permit)
    assert isinstance(call(made, 6, took=1.5), Permit)
    found = rule(made, 10)
    assert (found["refused"], found["shadowed"]) == (0, 2)
    call(made, 70)
    assert rule(made, 71)["breaker"]["state"] == "closed"


def test_a_quota_makes_nobody_wait():
    made = engine(QUOTA)
    assert all(isinstance(ask(made, 0), Permit) for _ in range(5))
    assert rule(made)["shadowed"] == 3
    assert made.next_deadline() == float("inf")


def test_ejections_are_on_paper():
    told = []
    endpoints = {HOST: ["a:1", "b:1"]}
    made = engine(DESTINATION, listeners=[told.append], endpoints=endpoints)
    for now in range(8):
        call(made, now, direction=Direction.OUTBOUND, outcome=Outcome.FAILURE, status=500)
    addresses = {ask(made, 9, Direction.OUTBOUND).endpoint.address for _ in range(4)}
    assert addresses == {"a:1", "b:1"}
    ejected = [event for event in told if isinstance(event, EndpointEjected)]
    assert {event.address for event in ejected} == {"a:1", "b:1"}
    assert all(not event.enforced and event.until is None for event in ejected)


def test_a_rule_in_shadow_leaves_others_as_they_are():
    second = LIMIT.replace("name: it", "name: other").replace("quota: 2", "quota: 3")
    text = LIMIT.replace("metadata: {name: it}", SHADOW) + "---" + second
    made = Engine.load(text, listeners=())
    assert [isinstance(ask(made, 0), Permit) for _ in range(4)] == [True, True, True, False]
    names = {it["name"]: (it["refused"], it["shadowed"]) for it in made.snapshot(0)["rules"]}
    assert names["other"] == (1, 0)
    assert names["it"][0] == 0


def test_it_is_switched_while_running_and_keeps_its_state():
    made = engine(LIMIT, shadow=False)
    ask(made, 0)
    made.shadow("ASMLocalRateLimiter default/it")
    assert [isinstance(ask(made, 0), Permit) for _ in range(3)] == [True] * 3
    assert rule(made)["shadowed"] == 2
    made.shadow("ASMLocalRateLimiter default/it one", on=False)
    assert isinstance(ask(made, 0), Rejection)
    assert rule(made)["hits"] == 5


def test_what_was_switched_stays_so_over_reloads():
    made = engine(LIMIT, shadow=False)
    made.shadow("* default/*")
    made.reload()
    made.reload(LIMIT.replace("quota: 2", "quota: 1"))
    assert rule(made)["shadow"]
    assert all(isinstance(ask(made, 0), Permit) for _ in range(3))


def test_a_cluster_is_switched_too():
    endpoints = {HOST: ["a:1", "b:1"]}
    made = engine(DESTINATION, shadow=False, endpoints=endpoints)
    for now in range(8):
        call(
            made, now, direction=Direction.OUTBOUND, outcome=Outcome.FAILURE, status=500
        ) if now < 4 else None
    assert isinstance(ask(made, 5, Direction.OUTBOUND), Rejection)
    made.shadow("DestinationRule default/it")
    assert isinstance(ask(made, 5, Direction.OUTBOUND), Permit)
    made.shadow("DestinationRule default/it", on=False)
    assert isinstance(ask(made, 5, Direction.OUTBOUND), Rejection)


def test_a_name_that_no_rule_has_is_told():
    with pytest.raises(ConfigError, match="no rule is called 'Nope default/it'"):
        engine(LIMIT).shadow("Nope default/it")


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ("{trafficcore/mode: shadows}", "must be enforce or shadow, not 'shadows'"),
        ("{trafficcore/mod: shadow}", "did you mean trafficcore/mode?"),
    ],
)
def test_an_annotation_of_ours_that_says_nothing_is_a_fault(annotations, message):
    with pytest.raises(ManifestError, match=message):
        Engine.load(LIMIT.replace("{name: it}", f"{{name: it, annotations: {annotations}}}"))


def test_rules_that_are_loaded_say_that_they_are_in_shadow():
    told = []
    engine(LIMIT, listeners=[told.append])
    assert told[0].about.endswith("in shadow")
