"""Rules about routes by name: which of the declared routes a request takes."""

import pytest

from trafficcore import Engine, Facts, Permit
from trafficcore.spec import Direction

RULE = """
apiVersion: istio.alibabacloud.com/v1
kind: ASMLocalRateLimiter
metadata: {{name: limit}}
spec:
  isGateway: true
  configs:
  - match: {{vhost: {{name: {host}, port: 80, route: {{name_match: {route}}}}}}}
    limit: {{fill_interval: {{seconds: 3600}}, quota: 1}}
"""
SERVICE = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [www.example.com, example.com]
  gateways: [public, mesh]
  http:
  - name: exact
    match: [{uri: {exact: /cart}}]
  - name: beta
    match:
    - name: header
      headers: {x-beta: {exact: "yes"}}
      withoutHeaders: {x-old: {}}
    - name: query
      queryParams: {beta: {regex: "1|true"}}
  - name: posts
    match: [{uri: {prefix: /api}, method: {exact: POST}, port: 443}]
  - name: any-case
    match: [{uri: {prefix: /SHOP}, ignoreUriCase: true}]
  - name: inner
    match: [{gateways: [mesh], uri: {prefix: /inner}}]
  - name: labels
    match: [{sourceLabels: {app: x}, uri: {prefix: /labels}}]
  - name: rest
"""
INGRESS = """
---
apiVersion: networking.internal.knative.dev/v1alpha1
kind: Ingress
metadata: {name: httpbin, namespace: default}
spec:
  rules:
  - hosts: [httpbin.default.example.com]
    visibility: ExternalIP
    http:
      paths:
      - splits: [{serviceName: httpbin-00001, serviceNamespace: default, percent: 100}]
"""


def engine(route, host="www.example.com", documents=SERVICE, *, gateway=True, rule=RULE):
    text = rule.format(host=host, route=route)
    text = text if gateway else text.replace("  isGateway: true\n", "")
    return Engine.load(text + documents, gateway=gateway, listeners=())


def ask(made, path="/", method="GET", host="www.example.com", query="", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    facts = Facts(Direction.INBOUND, host, path, method, query=query, headers=named)
    return made.admit(facts, 0)


def met(route, *args, **kwargs):
    made = engine(route)
    ask(made, *args, **kwargs)
    return made.snapshot(0)["rules"][0]["hits"] == 1


@pytest.mark.parametrize(
    ("route", "request_of"),
    [
        ("exact", {"path": "/cart"}),
        ("beta.header", {"x_beta": "yes"}),
        ("beta.query", {"query": "a=1&beta=true"}),
        ("posts", {"path": "/api/x", "method": "POST"}),
        ("any-case", {"path": "/shop/x"}),
        ("rest", {"path": "/"}),
        ("rest", {"path": "/api/x"}),
        ("rest", {"x_beta": "yes", "x_old": "1"}),
        ("rest", {"query": "beta=11"}),
        ("rest", {"path": "/inner"}),
        ("rest", {"path": "/labels"}),
    ],
)
def test_a_request_takes_the_first_route_whose_tests_all_hold(route, request_of):
    names = ["exact", "beta.header", "beta.query", "posts", "any-case", "rest", "inner", "labels"]
    assert [name for name in names if met(name, **request_of)] == [route]


def test_a_limit_on_a_route_refuses_there_and_nowhere_else():
    made = engine("exact")
    answers = [ask(made, "/cart"), ask(made, "/cart"), ask(made, "/other")]
    assert [isinstance(answer, Permit) for answer in answers] == [True, False, True]


def test_hosts_that_are_declared_together_are_one_virtual_host():
    made = engine("rest", host="example.com")
    assert isinstance(ask(made, host="www.example.com"), Permit)
    assert not isinstance(ask(made, host="example.com"), Permit)
    assert isinstance(ask(made, host="other.example.com"), Permit)


def test_routes_of_the_mesh_are_for_sidecars():
    made = engine("inner", gateway=False)
    assert isinstance(ask(made, "/inner"), Permit)
    assert not isinstance(ask(made, "/inner"), Permit)


@pytest.mark.parametrize(
    ("route", "documents", "why"),
    [
        ("cart", "", "route 'cart' is not known: nothing declares it"),
        ("nope", SERVICE, "route 'nope' is not declared for www.example.com; known: exact, beta."),
    ],
)
def test_a_route_that_is_not_declared_makes_the_rule_idle_and_says_so(route, documents, why):
    made = engine(route, documents=documents)
    rule = made.snapshot(0)["rules"][0]
    assert not rule["applies"]
    assert rule["why_not"].startswith(why)
    assert all(isinstance(ask(made, "/cart"), Permit) for _ in range(3))


def test_the_default_route_needs_no_declaration():
    made = engine("default", documents="")
    assert [isinstance(ask(made), Permit) for _ in range(2)] == [True, False]
    assert met("default") is False


def test_an_ingress_says_what_stands_behind_its_hosts():
    rule = RULE.replace(", route: {{name_match: {route}}}", "")
    private = "httpbin-00001-private.default.svc.cluster.local"
    made = engine("", host=private, documents=INGRESS, rule=rule)
    assert isinstance(ask(made, host="httpbin.default.example.com"), Permit)
    assert not isinstance(ask(made, host="httpbin.default.example.com"), Permit)


def test_a_reload_with_other_routes_takes_effect():
    made = engine("exact")
    ask(made, "/cart")
    text = RULE.format(host="www.example.com", route="exact") + SERVICE.replace("/cart", "/basket")
    made.reload(text)
    assert isinstance(ask(made, "/cart"), Permit)
    assert not isinstance(ask(made, "/basket"), Permit)
