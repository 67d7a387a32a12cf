"""The manifests that the project is held to, where they are at hand."""

from pathlib import Path

import pytest

from trafficcore import manifest
from trafficcore.spec import (
    BreakRule,
    Destination,
    Direction,
    LabelMatcher,
    Limit,
    OutlierDetection,
    QuotaSelector,
    Response,
    Service,
    TrafficPolicy,
    VirtualHost,
    Workload,
    WorkloadParameters,
)

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "manifests"
FILES = sorted(SHARED.glob("*/*.yaml"))
ANSWER = Response(status=498, headers=(("x-envoy-overload", "true"),), body="delay break!")
needs_shared = pytest.mark.skipif(not FILES, reason="the shared manifests are not here")


def load(name):
    return manifest.load(SHARED / name)


def words(policy):
    """The notices without their places."""
    return [notice.rpartition(" (")[0] for notice in policy.notices]


@needs_shared
@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_shared_manifest_loads(file):
    report = manifest.check(file)
    assert report.errors == ()
    skipped = "is not read in this version; skipped"
    rules = report.policy
    found = rules.limits + rules.breakers + rules.destinations + rules.quotas + rules.ramps
    assert found or any(skipped in notice for notice in report.notices)


@needs_shared
def test_the_articles_throttle():
    (rule,) = load("asm/01-throttle-as-in-the-article.yaml").limits
    assert rule.limit == Limit(quota=60, fill_interval=2)
    assert rule.scope.direction is Direction.INBOUND
    assert rule.scope.gateway is True
    assert rule.scope.namespace == "istio-system"
    assert rule.scope.labels == (("istio", "ingressgateway"),)
    assert rule.scope.vhost == VirtualHost("helloworld-go.default.svc.cluster.local", 80)
    assert rule.source.line == 8


@needs_shared
def test_the_articles_breaker():
    policy = load("asm/02-slow-breaker-as-in-the-article.yaml")
    (rule,) = policy.breakers
    assert rule == BreakRule(
        source=rule.source,
        scope=rule.scope,
        window=10,
        open_for=60,
        slow_after=0.5,
        max_slow=5,
        min_requests=2,
        response=ANSWER,
    )
    assert (rule.scope.gateway, rule.scope.namespace) == (False, "knative-serving")
    name = "httpbin-00001-private.default.svc.cluster.local"
    assert rule.scope.vhost == VirtualHost(name, 8012)
    assert len(policy.notices) == 3


@needs_shared
def test_the_articles_outlier_detection():
    (rule,) = load("asm/03-outlier-as-in-the-article.yaml").destinations
    outlier = OutlierDetection(
        consecutive_5xx=3, interval=5, base_ejection_time=20, max_ejection_percent=100
    )
    assert rule == Destination(
        source=rule.source,
        host="httpbin-00001-private.default.svc.cluster.local",
        namespace="default",
        policy=TrafficPolicy(outlier=outlier),
    )


@needs_shared
def test_the_articles_quota():
    policy = load("asm/04-quota-as-in-the-article.yaml")
    (rule,) = policy.quotas
    assert (rule.capacity, rule.fill_amount, rule.interval) == (10, 10, 1)
    name = "httpbin-00001-private.default.svc.cluster.local"
    assert rule.selectors == (QuotaSelector(service=name),)
    assert rule.workloads == tuple(
        Workload(
            name=kind,
            matcher=LabelMatcher(labels=(("http.request.header.user_type", kind),)),
            parameters=WorkloadParameters(priority=priority),
        )
        for kind, priority in (("guest", 50), ("subscriber", 200))
    )
    assert policy.notices == ()


@needs_shared
def test_a_limit_and_a_breaker_of_the_callers():
    (limit,) = load("asm/06-client-side-limit.yaml").limits
    (breaker,) = load("asm/07-client-side-breaker.yaml").breakers
    for rule in (limit, breaker):
        assert rule.scope.direction is Direction.OUTBOUND
        assert rule.scope.services == (Service("httpbin.default.svc.cluster.local", 8000),)
    assert limit.limit.body == '{"ret_code": 1, "message": "Your request be limited" }'
    assert breaker.error_percent == 60


@needs_shared
def test_every_field_of_the_mesh_that_does_nothing_is_named():
    pool = "field spec.trafficPolicy.connectionPool."
    never = " has no effect in process"
    assert words(load("destinationrule/01-all.yaml")) == [
        f"{pool}http.maxRequestsPerConnection{never}",
        f"field spec.trafficPolicy.tls{never}",
        (
            "spec.subsets[].trafficPolicy.loadBalancer.consistentHash.minimumRingSize:"
            " is deprecated: write ringHash.minimumRingSize"
        ),
    ]


@needs_shared
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("01-rate-limit-per-user", []),
        ("02-concurrency-limit", []),
        ("04-quota-two-workloads", ["rate_limiter.lazy_sync"]),
        ("05-quota-by-label", []),
        ("06-concurrency-two-workloads", ["alerter"]),
    ],
)
def test_the_suites_policies_load_and_say_what_has_no_effect_here(name, told):
    policy = load(f"scheduling/{name}.yaml")
    (rule,) = policy.quotas
    fields = [notice.split(" has no")[0].removeprefix("field spec.") for notice in words(policy)]
    assert [field.partition(".")[2] for field in fields] == told
    assert rule.source.name


@needs_shared
def test_the_suites_load_ramp_loads_without_a_remark():
    policy = load("scheduling/03-load-ramp.yaml")
    (rule,) = policy.ramps
    assert words(policy) == []
    assert (rule.steps, rule.started) == (((1, 0), (100, 300)), True)
    (driver,) = rule.drivers
    assert (driver.forward, driver.backward, driver.reset) == (0.1, None, 0.2)


@pytest.mark.parametrize("name", ["throttle", "breaker", "outlier", "quota"])
def test_every_example_loads_without_a_word(name):
    report = manifest.check(ROOT / "examples" / name)
    assert report.problems == ()
    rules = report.policy
    assert len(rules.limits + rules.breakers + rules.destinations + rules.quotas) == 1
    first = (ROOT / "examples" / name / "policy.yaml").read_text().partition("\n")[0]
    assert first.startswith("# ")


def test_all_examples_load_together():
    policy = manifest.load(ROOT / "examples")
    (limit,), (breaker,) = policy.limits, policy.breakers
    destinations = {rule.source.name: rule for rule in policy.destinations}
    assert destinations.keys() == {"httpbin", "payments"}
    destination, (quota, shed) = destinations["httpbin"], policy.quotas
    (ramp,) = policy.ramps
    (entry,) = policy.entries
    assert (entry.host, len(entry.endpoints)) == ("payments.example.com", 4)
    assert (limit.limit.quota, limit.limit.fill_interval) == (2, 60)
    assert (breaker.window, breaker.slow_after, breaker.max_slow, breaker.open_for) == (
        10,
        0.5,
        5,
        60,
    )
    assert breaker.response == ANSWER
    assert breaker.min_requests == 2
    assert destination.policy.outlier == OutlierDetection(
        consecutive_5xx=3, interval=5, base_ejection_time=20, max_ejection_percent=100
    )
    assert [work.parameters.priority for work in quota.workloads] == [50, 200]
    assert (ramp.steps, ramp.drivers[0].reset) == (((1, 0), (100, 120)), 0.2)
    assert shed.shedding is not None
    assert shed.shedding.tolerance == 1.5
    assert (quota.capacity, quota.fill_amount, quota.interval) == (10, 10, 1)
