"""Two rules for one thing."""

import pytest

from judge.helpers import found, said

MATCH = "  - match: {vhost: {name: web, port: 80}}\n    limit: {limit}\n"


def limits(*texts):
    return "kind: ASMLocalRateLimiter\nspec:\n  configs:\n" + "".join(
        MATCH.replace("{limit}", text) for text in texts
    )


@pytest.mark.parametrize(
    ("limit", "hidden"),
    [("{fill_interval: 1s, quota: 5}", True), ("{fill_interval: 1s, quota: 6}", True),
     ("{fill_interval: 60s, quota: 300}", True), ("{fill_interval: 60s, quota: 299}", False),
     ("{fill_interval: 1s, quota: 5, per_downstream_connection: true}", False)],
)  # fmt: skip
def test_a_limit_is_hidden_by_one_that_is_nowhere_laxer(limit, hidden):
    problems = found(limits("{fill_interval: 1s, quota: 5}", limit), "TC107")
    assert bool(problems) is hidden
    if hidden:
        (problem,) = problems
        assert (problem.line, problem.path) == (8, "spec.configs[1]")
        assert problem.message == (
            "ASMLocalRateLimiter it-0 (<text>:6) is about the same requests, and no laxer"
        )


def test_a_burst_and_a_rate_hide_a_third_limit_between_them():
    texts = ("{fill_interval: 1s, quota: 9}", "{fill_interval: 60s, quota: 60}",
             "{fill_interval: 1s, quota: 99}")  # fmt: skip
    assert [problem.path for problem in found(limits(*texts), "TC107")] == ["spec.configs[2]"]


def test_limits_with_other_overrides_are_not_compared():
    override = (
        "{fill_interval: 1s, quota: 5}\n    limit_overrides:\n"
        "    - {request_match: {header_match: [{name: a}]}, limit: {fill_interval: 1s, quota: 9}}"
    )
    assert found(limits("{fill_interval: 1s, quota: 5}", override), "TC107") == []
    assert len(found(limits(override, override), "TC107")) == 1


@pytest.mark.parametrize(
    "change",
    [("namespace: shop", "namespace: other"),
     ("port: 80", "port: 81"), ("name: web,", "name: cart,"), ("spec:", "spec:\n  isGateway: true"),
       ("spec:", "spec:\n  workloadSelector: {labels: {app: b}}"),
       ("port: 80", "port: 80, route: {header_match: [{name: a}]}")],
)  # fmt: skip
def test_limits_of_other_requests_or_processes_are_not_compared(change):
    text = limits("{fill_interval: 1s, quota: 5}")
    head = "metadata: {name: b, namespace: shop}\n"
    other = head + text
    assert len(found(f"{text}---\n{other}", "TC107")) == 1
    assert found(f"{text}---\n{other.replace(*change)}", "TC107") == []


def rule(name, more, namespace="shop"):
    return (
        f"kind: DestinationRule\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        f"spec:\n  host: web.shop.svc.cluster.local\n{more}"
    )


POLICY = "  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}\n"
SUBSETS = "  subsets: [{name: v1}]\n"
FOR_A = "  workloadSelector: {matchLabels: {app: a}}\n"


@pytest.mark.parametrize(
    ("first", "second", "twice"),
    [(rule("a", POLICY), rule("b", POLICY), True),
     (rule("a", POLICY + SUBSETS), rule("b", POLICY), True),
     (rule("a", POLICY), rule("b", SUBSETS), False),
     (rule("a", POLICY), rule("b", POLICY, "other"), False),
     (rule("a", POLICY), rule("b", POLICY + FOR_A), False),
     (rule("a", POLICY), rule("b", POLICY).replace("web.shop.svc.cluster.local", "WEB"), True)],
)  # fmt: skip
def test_a_host_with_two_traffic_policies(first, second, twice):
    lines = said(f"{first}---\n{second}", "TC505")
    message = (
        "spec.host: web.shop.svc.cluster.local has a trafficPolicy in DestinationRule a "
        "(<text>:5) already"
    )
    assert lines == ([message] if twice else [])


def service(name, more):
    return f"kind: VirtualService\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{{more}}}\n"


@pytest.mark.parametrize(
    ("first", "second", "hosts"),
    [("hosts: [web]", "hosts: [web]", 1),
     ("hosts: [web]", "hosts: [web.shop.svc.cluster.local, cart]", 1),
     ("hosts: [web, cart]", "hosts: [cart, web]", 2),
     ("hosts: [web]", "hosts: [web], gateways: [mesh, edge]", 1),
     ("hosts: [web]", "hosts: [web], gateways: [edge]", 0),
     ("hosts: [web], gateways: [a, b]", "hosts: [web], gateways: [b, a]", 1),
     ("hosts: [web, web]", "hosts: [cart]", 0),
     ("hosts: []", "hosts: []", 0)],
)  # fmt: skip
def test_a_host_with_two_virtual_services(first, second, hosts):
    problems = found(f"{service('a', first)}---\n{service('b', second)}", "TC506")
    assert len(problems) == hosts
    assert all("already, at" in problem.message for problem in problems)


def test_two_breakers_of_one_service_of_callers():
    one = (
        "  - target_services: [{name: web, port: 80}]\n    breaker_config:\n"
        "      error_percent: {value: 50}\n"
    )
    head = "kind: ASMCircuitBreaker\nspec:\n  applyToTraffic: sidecar_outbound\n  configs:\n"
    assert len(found(head + one + one, "TC207")) == 1
    assert found(head + one + one.replace("port: 80", "port: 81"), "TC207") == []
