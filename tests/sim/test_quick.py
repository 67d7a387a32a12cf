"""A scenario from a few words: each does what it says, and the file runs to the same result."""

import pytest

from support.simulation import limit, quota
from trafficcore import manifest
from trafficcore.errors import ConfigError
from trafficcore.manifest.write import to_yaml
from trafficcore.sim import prepare, simulate
from trafficcore.sim.quick import Words, scenario_of
from trafficcore.spec import Direction, Policy

RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: out, namespace: shop}
spec:
  host: cart
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3, maxEjectionPercent: 100}}
"""
GATEWAY = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {name: limit, namespace: istio-system}
spec:
  isGateway: true
  workloadSelector: {labels: {istio: ingressgateway}}
  configs:
  - match: {vhost: {name: web.example.com}}
    limit: {fill_interval: {seconds: 1}, quota: 5}
"""
INGRESS = quota(10)
EGRESS = quota(10, outbound=True)


def scenario(policies="", **words):
    """The scenario as it is read back from the file that the words make."""
    policy = manifest.load(policies) if policies else Policy()
    data = scenario_of(Words(**words), policy, [])
    (prepared,) = prepare(to_yaml(data))
    return prepared.scenario


def test_policies_of_one_control_point_get_their_load_there():
    made = scenario(quota(10).replace("ingress", "render"))
    assert {load.control_point for load in made.loads} == {"render"}
    assert {load.control_point for load in scenario(INGRESS).loads} == {""}
    mixed = quota(10).replace("ingress", "render") + "---" + RULE
    assert {load.control_point for load in scenario(mixed).loads} == {""}


def test_words_that_say_nothing_make_a_scenario_that_runs():
    made = scenario()
    (service,) = made.services
    assert service.name == "example.default.svc.cluster.local"
    assert [s.address for s in service.servers] == [f"10.0.0.{n}:80" for n in (1, 2, 3)]
    (load,) = made.loads
    assert (load.name, load.segments[0].rate, load.poisson) == ("calls", 100, True)
    assert (made.duration, made.seed) == (60, 1)


@pytest.mark.parametrize(
    ("policies", "host"),
    [
        (RULE, "cart.shop.svc.cluster.local"),
        (limit(1), "web.default.svc.cluster.local"),
        (INGRESS, "web.default.svc.cluster.local"),
        (GATEWAY, "web.example.com"),
    ],
)
def test_the_host_and_the_process_are_those_of_the_first_policy_so_that_it_acts(policies, host):
    policy = manifest.load(policies)
    data = scenario_of(Words(duration="5s"), policy, [])
    (prepared,) = prepare(f"{to_yaml(data)}---\n{policies}")
    assert prepared.scenario.loads[0].host == host
    (rule,) = simulate(prepared.scenario, prepared.policy).snapshot["rules"]
    assert rule["applies"]
    assert rule["hits"] > 400


def test_who_the_process_is_may_be_said():
    made = scenario(GATEWAY, labels=(("a", "b"),), namespace="mine")
    assert made.process.labels == (("a", "b"),)
    assert made.process.namespace == "mine"
    assert made.process.gateway, "as the policy says"
    assert not scenario().process.gateway
    assert scenario(gateway=True).process.gateway


def test_a_host_is_completed_with_the_namespace():
    assert scenario(host="reviews").services[0].name == "reviews.default.svc.cluster.local"
    assert scenario(host="a.example.com").services[0].name == "a.example.com"


@pytest.mark.parametrize(
    ("policies", "direction"),
    [
        ("", "inbound"),
        (RULE, "outbound"),
        (limit(1), "inbound"),
        (EGRESS, "outbound"),
        (INGRESS, "inbound"),
    ],
)
def test_the_direction_is_that_of_the_policies(policies, direction):
    assert scenario(policies).loads[0].direction is Direction(direction)
    assert scenario(policies, outbound=True).loads[0].direction is Direction.OUTBOUND
    assert scenario(policies, outbound=False).loads[0].direction is Direction.INBOUND


def test_endpoints_are_dealt_to_zones_in_turn():
    servers = scenario(endpoints=5, zones=2).services[0].servers
    assert [s.locality for s in servers] == [f"region/zone-{n}" for n in (1, 2, 1, 2, 1)]
    many = scenario(endpoints=600).services[0].servers
    assert len({s.address for s in many}) == 600
    assert many[-1].address == "10.0.2.100:80"


def test_a_process_that_calls_out_is_in_the_first_zone():
    assert scenario(RULE, zones=3).process.locality == "region/zone-1"
    assert scenario(zones=3).process.locality == ""


def test_the_rest_goes_where_it_belongs():
    made = scenario(
        rate=7.5, latency="5ms", capacity=3, path="/a%20b", seed=9, duration="9s",
        headers=(("x-a", "b"),), expect=("no 5xx",),
    )  # fmt: skip
    (load,) = made.loads
    assert (load.segments[0].rate, load.path, load.headers) == (7.5, "/a b", (("x-a", "b"),))
    assert made.services[0].servers[0].latency.a == 0.005
    assert made.services[0].servers[0].capacity == 3
    assert (made.seed, made.duration, made.expect) == (9, 9, ("no 5xx",))
    assert scenario(clients=4).loads[0].clients == 4


def test_each_workload_that_a_header_tells_apart_is_a_load():
    loads = scenario(INGRESS).loads
    assert {load.name: load.headers for load in loads} == {
        "guest": (("user_type", "guest"),), "subscriber": (("user_type", "subscriber"),),
    }  # fmt: skip
    (load,) = scenario(INGRESS, headers=(("user_type", "guest"),)).loads
    assert load.headers == (("user_type", "guest"),)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("1@10s..60s", {"servers": ("1",), "start": 10, "end": 60, "status": 503}),
        ("1,3@10s..60s=500", {"servers": ("1", "3"), "status": 500}),
        ("10.0.0.2:80@0s..1m", {"servers": ("10.0.0.2:80",), "start": 0, "end": 60}),
        ("zone-2@10s..60s=refused", {"zone": "region/zone-2", "refused": True, "servers": ()}),
        ("all@5s..=hangs", {"hangs": True, "end": float("inf"), "servers": (), "zone": ""}),
        ("all@5s..9s=1.5s", {"status": 0, "start": 5}),
    ],
)
def test_a_failure_is_read(text, failure):
    (found,) = scenario(fail=(text,), zones=2).services[0].failures
    assert {name: getattr(found, name) for name in failure} == failure


def test_a_slow_failure_has_its_latency():
    (found,) = scenario(fail=("all@5s..9s=1.5s",)).services[0].failures
    assert (found.latency.kind, found.latency.a) == ("constant", 1.5)


@pytest.mark.parametrize(
    ("fail", "duration"),
    [
        ((), 60), (("1@10s..60s",), 90), (("1@10s..60s", "2@1m..2m"), 150), (("1@20s..",), 50),
        (("1@0s..300h",), 1080030),
    ],
)  # fmt: skip
def test_a_run_goes_on_after_the_last_failure(fail, duration):
    assert scenario(fail=fail).duration == duration


@pytest.mark.parametrize(
    "text", ["", "1", "1@", "1@10s", "1@..60s", "@1s..2s", "1@1s..2s=", "1@soon..later"]
)
def test_a_failure_that_cannot_be_read_says_how_one_is_written(text):
    with pytest.raises(ConfigError, match="--fail must"):
        scenario(fail=(text,))


@pytest.mark.parametrize("text", ["9@1s..2s", "zone-7@1s..2s", "1@2s..1s", "1@1s..2s=9000"])
def test_a_failure_of_nobody_is_a_fault_of_the_scenario(text):
    with pytest.raises(ConfigError):
        scenario(fail=(text,))


def test_the_file_is_the_run():
    """What is shown, written down and read again, gives the same bytes."""
    words = Words(fail=("1@2s..4s",), duration="8s", endpoints=4, zones=2, rate=50)
    data = scenario_of(words, manifest.load(RULE), [])
    results = []
    for _ in range(2):
        (prepared,) = prepare(f"{to_yaml(data)}---\n{RULE}")
        results.append(simulate(prepared.scenario, prepared.policy).to_json())
    assert results[0] == results[1]
    assert results[0]["classes"]["calls"]["codes"]["503"] >= 3


ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: it}
spec:
  hosts: [api.example.com]
  resolution: STATIC
  endpoints:
  - {address: 10.9.0.1, locality: eu/a, weight: 3}
  - {address: 10.9.0.2, locality: eu/b}
---
"""


def test_endpoints_that_a_service_entry_lists_are_played():
    made = scenario(ENTRY + RULE.replace("host: cart", "host: api.example.com"))
    (service,) = made.services
    assert service.name == "api.example.com"
    assert [(one.address, one.locality, one.weight) for one in service.servers] == [
        ("10.9.0.1", "eu/a", 3),
        ("10.9.0.2", "eu/b", 1),
    ]
    assert made.process.locality == "eu/a"
    assert len(scenario(ENTRY, endpoints=5, host="api.example.com").services[0].servers) == 5
    assert len(scenario(ENTRY, host="cart").services[0].servers) == 3
