"""Hosts, ports and routes that nothing declares; workloads that nobody selects."""

import pytest

from judge.helpers import found
from trafficcore.manifest.codes import CODES


def limiter(vhost, spec=""):
    return (
        f"kind: ASMLocalRateLimiter\nspec:\n{spec}  configs:\n  - match: {{vhost: {vhost}}}\n"
        "    limit: {fill_interval: 1s, quota: 5}\n"
    )


def service(name="web", namespace="shop", ports="[{port: 80, targetPort: 8080}, {port: 443}]"):
    meta = f"{{name: {name}, namespace: {namespace}}}"
    return f"kind: Service\nmetadata: {meta}\nspec: {{ports: {ports}}}\n"


def routes(hosts, http="[{name: all}]"):
    return f"kind: VirtualService\nspec:\n  hosts: {hosts}\n  http: {http}\n"


def entry(host):
    return (
        f"kind: ServiceEntry\nspec:\n  hosts: ['{host}']\n  ports: [{{number: 443, name: https}}]\n"
    )


INGRESS = (
    "kind: Ingress\nspec:\n  rules:\n  - hosts: [hello.example.com]\n    http:\n      paths:\n"
    "      - splits: [{serviceName: hello-00001, serviceNamespace: shop}]\n"
)
OUT = "  applyToTraffic: sidecar_outbound\n"


def undeclared(declared, rule, code="TC501", **who):
    return found("---\n".join((*declared, rule)), code, **who)


@pytest.mark.parametrize(
    ("declared", "vhost"),
    [([service()], "{name: wbe}"),
     ([service()], "{name: wbe.shop.svc.cluster.local}"),
     ([service(), entry("api.example.com")], "{name: wbe}"),
     ([routes("[www.example.com]")], "{name: ww.example.com}"),
     ([routes("[www.example.com]")], "{name: '*.example.org'}"),
     ([INGRESS], "{name: helo.example.com}")],
)  # fmt: skip
def test_a_host_that_nothing_declares(declared, vhost):
    (problem,) = undeclared(declared, limiter(vhost))
    assert problem.path == "spec.configs[0].match.vhost.name"
    assert problem.message.startswith(f"nothing declares the host {problem.value}")


@pytest.mark.parametrize(
    ("declared", "vhost"),
    [([service()], "{name: WEB}"),
     ([service()], "{name: '*'}"),
     ([service()], "{port: 80}"),
     ([service()], "{name: '*.shop.svc.cluster.local'}"),
     ([service()], "{name: cart.bank.svc.cluster.local}"),
     ([service()], "{name: www.example.com}"),
     ([service()], "{name: web-00001-private}"),
     ([routes("[web]")], "{name: cart}"),
     ([entry("api.example.com")], "{name: www.example.com}"),
     ([routes("['*.example.com']")], "{name: www.example.com}"),
     ([routes("['*']")], "{name: www.example.com}"),
     ([service(), INGRESS], "{name: hello-00001}"),
     ([INGRESS], "{name: hello.example.com}"),
     (["kind: Pod\n"], "{name: web}")],
)  # fmt: skip
def test_a_host_that_is_declared_or_may_be_elsewhere(declared, vhost):
    assert undeclared(declared, limiter(vhost)) == []


def test_what_goes_out_is_compared_with_service_entries():
    declared = [entry("api.example.com")]
    assert len(undeclared(declared, limiter("{name: apl.example.com}", OUT))) == 1
    target = limiter("{}", OUT).replace(
        "match: {vhost: {}}", "target_services: [{name: wbe, port: 80}]"
    )
    (problem,) = undeclared([service()], target)
    assert problem.path == "spec.configs[0].target_services"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("wbe", "web.shop.svc.cluster.local"), ("wep", "web.shop.svc.cluster.local"),
     ("inventory", ""), ("web.bank.svc.cluster.local", "web.shop.svc.cluster.local")],
)  # fmt: skip
def test_the_name_that_was_meant(name, meant):
    declared = [service(), service("cart"), service("other", "bank")]
    (problem,) = undeclared(declared, limiter(f"{{name: {name}}}"))
    assert problem.message.partition("; did you mean ")[2] == (f"{meant}?" if meant else "")


def test_what_the_process_stands_for_is_declared():
    hosts = {"web.shop.svc.cluster.local:8012": ["web.example.com"]}
    who = {"stands_for": hosts, "namespace": "shop"}
    assert undeclared([], limiter("{name: web, port: 8012}"), **who) == []
    assert len(undeclared([], limiter("{name: wbe}"), **who)) == 1
    assert len(undeclared([], limiter("{name: web, port: 80}"), "TC502", **who)) == 1
    short = {"stands_for": {"web": []}, "namespace": "shop"}
    assert undeclared([], limiter("{name: web, port: 80}"), **short) == []


@pytest.mark.parametrize(
    ("declared", "vhost", "ports"),
    [([service()], "{name: web, port: 81}", "80, 443, 8080, not 81"),
     ([service(), service(ports="[{port: 81}]")], "{name: web, port: 82}", "80, 81, 443, 8080"),
     ([entry("api.example.com")], "{name: api.example.com, port: 80}", "443, not 80")],
)  # fmt: skip
def test_a_port_that_a_host_does_not_have(declared, vhost, ports):
    if len(declared) > 1:
        declared[1] = declared[1].replace("kind: Service\n", "kind: Service\napiVersion: v1\n")
    (problem,) = undeclared(declared, limiter(vhost), "TC502")
    assert ports in problem.message
    assert problem.path == "spec.configs[0].match.vhost.port"


@pytest.mark.parametrize(
    ("declared", "vhost"),
    [([service()], "{name: web, port: 80}"), ([service()], "{name: web, port: 8080}"),
     ([service()], "{name: web}"), ([service(ports="[]")], "{name: web, port: 81}"),
     ([service(ports="[{port: x}]")], "{name: web, port: 81}"),
     ([routes("[web]")], "{name: web, port: 81}"), ([service()], "{name: cart, port: 81}")],
)  # fmt: skip
def test_a_port_that_a_host_has_or_may_have(declared, vhost):
    assert undeclared(declared, limiter(vhost), "TC502") == []


HTTP = "[{name: buy, match: [{name: card, uri: {exact: /}}, {port: 80}]}, {name: look}, {}]"


@pytest.mark.parametrize("name", ["buy", "buy.card", "look", "default"])
def test_a_route_that_is_declared(name):
    rule = limiter(f"{{name: web, route: {{name_match: {name}}}}}")
    assert undeclared([routes("[web]", HTTP)], rule, "TC503") == []


@pytest.mark.parametrize(
    ("hosts", "vhost", "message"),
    [("[web]", "{name: web, route: {name_match: by}}",
      "web.shop.svc.cluster.local has no route 'by'; did you mean buy?"),
     ("[web]", "{name: web, route: {name_match: card}}", "did you mean buy.card?"),
     ("['*.example.com']", "{name: a.example.com, route: {name_match: lok}}", "mean look?"),
     ("[a.example.com]", "{name: '*.example.com', route: {name_match: lok}}", "mean look?"),
     ("[web]", "{route: {name_match: lok}}", "* has no route 'lok'; did you mean look?")],
)  # fmt: skip
def test_a_route_that_nothing_declares(hosts, vhost, message):
    (problem,) = undeclared([routes(hosts, HTTP)], limiter(vhost), "TC503")
    assert message in problem.message
    assert problem.path == "spec.configs[0].match.vhost.route.name_match"


@pytest.mark.parametrize("http", ["[]", "[{}]", "[{match: [{uri: {exact: /}}]}]"])
def test_where_no_route_has_a_name_none_is_met(http):
    rule = limiter("{name: web, route: {name_match: buy}}")
    for declared in ([routes("[web]", http)], [routes("[cart]", HTTP)], []):
        (problem,) = undeclared(declared, rule, "TC503")
        assert problem.message.startswith("nothing declares a route of web.shop.svc.cluster.local")
    wild = rule.replace("name: web", "name: '*.example.com'")
    assert undeclared([routes("[cart, '*.other.com']", HTTP)], wild, "TC503") != []


@pytest.mark.parametrize(
    "text",
    ["kind: Service\n", "kind: Service\nspec: x\n",
     "kind: VirtualService\nspec: [x]\n",
     "kind: VirtualService\nspec: {hosts: [web], http: [x, {match: [y, {uri: x, headers: z}]}]}\n",
     "kind: VirtualService\nspec: {hosts: [web], http: [{match: [{headers: {a: [b]}}]}]}\n",
     "kind: Ingress\nspec: {rules: [x, {hosts: [a], http: {paths: [y, {splits: [z]}]}}]}\n",
     "kind: Ingress\napiVersion: networking.k8s.io/v1\nspec: {rules: [{host: a}]}\n"],
)  # fmt: skip
def test_what_is_odd_declares_less_and_is_no_fault(text):
    for code in CODES:
        if code not in {"TC904", "TC501"}:
            assert found(f"{text}---\n{limiter('{name: www.example.com, port: 1}')}", code) == []


# -- selectors -----------------------------------------------------------------------------------


def quota(selectors, workload):
    return (
        "kind: QuotaSchedulingPolicy\nspec:\n  quota_scheduler:\n    bucket_capacity: 10\n"
        f"    fill_amount: 10\n    rate_limiter: {{interval: 1s}}\n    selectors: [{selectors}]\n"
        f"    scheduler:\n      workloads:\n      - name: it\n        label_matcher: {workload}\n"
    )


MEMBER = "{label_matcher: {match_labels: {user: member}}}"
KNOWN = "{label_matcher: {match_list: [{key: user, operator: In, values: [a, b]}]}}"
GUEST = "{match_labels: {user: guest}}"


@pytest.mark.parametrize(
    ("selectors", "demand"),
    [(MEMBER, "user=member"), (f"{KNOWN}, {MEMBER}", "user=member"), (KNOWN, "user in a, b"),
     ("{label_matcher: {match_list: [{key: user, operator: DoesNotExist}]}}", "user absent"),
     ("{label_matcher: {expression: {label_matches: {label: user, regex: ^m}}}}",
      "user like '^m'")],
)  # fmt: skip
def test_a_workload_that_no_selector_reaches(selectors, demand):
    (problem,) = found(quota(selectors, GUEST), "TC404")
    assert problem.path == "spec.quota_scheduler.scheduler.workloads[0]"
    assert problem.message == f"no selector lets its requests through: {demand} is demanded"


@pytest.mark.parametrize(
    "selectors",
    ["", "{service: web}", f"{MEMBER}, {{service: web}}",
     "{label_matcher: {match_labels: {tier: gold}}}",
     "{label_matcher: {expression: {any: {of: [{label_equals: {label: user, value: x}}]}}}}"],
)  # fmt: skip
def test_a_workload_that_some_selector_may_reach(selectors):
    assert found(quota(selectors, GUEST), "TC404") == []
