"""What a VirtualService and a DestinationRule say of timeouts and retries, in every client."""

import pytest

from support.clients import KINDS, Script, client
from trafficcore import Engine, Facts
from trafficcore.engine.elsewhere import move
from trafficcore.spec import Direction, Retries

ROUTES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [web, "*.wild.example"]
  http:
  - name: orders
    match: [{uri: {prefix: /orders}, method: {exact: GET}}]
    timeout: 8s
    retries: {attempts: 3, perTryTimeout: 2s, retryOn: "5xx,connect-failure", backoff: 10ms}
  - match: [{uri: {prefix: /once}}]
    timeout: 1s
  - match: [{headers: {x-again: {exact: "yes"}}}]
    retries: {attempts: 1, retryOn: "404"}
  - route: [{destination: {host: web}}]
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec:
  host: web
  trafficPolicy: POLICY
"""
A, B = "10.0.0.1:8080", "10.0.0.2:8080"


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def engine(policy="{loadBalancer: {simple: ROUND_ROBIN}}", routes=ROUTES, **settings):
    settings.setdefault("endpoints", {"web": [A, B]})
    text = routes + "---" + RULE.replace("POLICY", policy)
    return Engine.load(text, namespace="shop", listeners=(), **settings)


def made(kind, script, clock, gate, **settings):
    return client(kind, script, gate, clock=clock, sleep=clock.advance, **settings)


def statuses(kind, script, clock, *paths, method="GET", gate=None, **how):
    one = made(kind, script, clock, gate or engine())
    return [one.call(method, f"http://web{path}", **how).status_code for path in paths]


def test_a_route_says_how_often_and_after_what(kind, clock):
    script = Script(500, "connect", 503, 200)
    assert statuses(kind, script, clock, "/orders/7") == [200]
    assert [seen["address"] for seen in script.tries] in ([A, B, A, B], [B, A, B, A])
    assert script.tries[0]["waits"] == (2, 2)
    assert 100 <= clock() < 100.07


def test_another_route_has_its_own_word_and_its_silence_stands(kind, clock):
    for path, method in (("/", "GET"), ("/orders", "POST"), ("/once", "GET")):
        script = Script(500, 200)
        assert statuses(kind, script, clock, path, method=method) == [500]
        assert len(script.tries) == 1
    assert script.tries[0]["waits"] == (1, 1)
    script = Script(404, 200)
    assert statuses(kind, script, clock, "/", headers={"x-again": "yes"}) == [200]


@pytest.mark.parametrize(
    "host", ["web", "web.shop", "web.shop.svc.cluster.local", "a.wild.example"]
)
def test_a_host_is_known_by_every_spelling(kind, clock, host):
    script = Script(500, 200)
    one = made(kind, script, clock, engine())
    assert one.call("GET", f"http://{host}:80/orders").status_code == 200
    other = made(kind, Script(500, 200), clock, engine())
    assert other.call("GET", "http://strange.example/orders").status_code == 500


def test_what_the_shell_is_told_holds_where_no_route_says_anything(kind, clock):
    one = made(kind, Script(503, 200), clock, engine(), retries=Retries(1))
    assert one.call("GET", "http://web/").status_code == 200
    script = Script(404, 404, 404)
    one = made(kind, script, clock, engine(), retries=Retries(1, "404"))
    assert one.call("GET", "http://web/orders").status_code == 404  # the route's word comes first
    assert len(script.tries) == 1


@pytest.mark.parametrize(
    ("policy", "tries"),
    [
        ("{connectionPool: {http: {maxRetries: 2}}}", 4),
        ("{connectionPool: {http: {maxRetries: 0}}}", 4),
        ("{retryBudget: {percent: 20, minRetryConcurrency: 0}}", 1),
        ("{retryBudget: {percent: 100}}", 4),
    ],
)
def test_a_destination_rule_bounds_them(kind, clock, policy, tries):
    script = Script(500)
    assert statuses(kind, script, clock, "/orders", gate=engine(policy)) == [500]
    assert len(script.tries) == tries


def test_a_destination_rule_says_how_long_a_connection_is_waited_for(kind, clock):
    gate = engine("{connectionPool: {tcp: {connectTimeout: 3s}}}", endpoints={"web": [A]})
    script = Script()
    statuses(kind, script, clock, "/", gate=gate, timeout=9)
    statuses(kind, script, clock, "/", gate=gate, timeout=2)
    statuses(kind, script, clock, "/orders", gate=gate, timeout=9)
    assert [seen["waits"] for seen in script.tries] == [(3, 9), (2, 2), (2, 2)]
    one = made(kind, script, clock, gate)
    one.call("GET", "http://elsewhere.example/", timeout=9)
    assert script.tries[-1]["waits"] == (9, 9)


def test_the_bound_is_of_all_calls_to_the_service_by_whatever_name_and_shell(kind, clock):
    gate = engine("{connectionPool: {http: {maxRetries: 1}}}")
    counts = []

    def nested(number):
        if number == 2:  # the first retry is under way: there is no room for another
            script = Script(500)
            one = made("httpx2" if kind.startswith("httpx2") else "requests", script, clock, gate)
            if not kind.endswith("async"):
                assert one.call("GET", "http://web.shop/orders").status_code == 500
                counts.append(len(script.tries))
        return 500 if number < 2 else 200

    assert statuses(kind, Script(nested), clock, "/orders", gate=gate) == [200]
    assert counts == ([] if kind.endswith("async") else [1])
    (room,) = gate.snapshot(clock())["retries"].values()
    assert (room["active"], room["retries"]) == (0, 0)
    assert room["overflow"] == len(counts)


def test_a_reload_changes_the_bound_and_the_routes(kind, clock):
    gate = engine("{connectionPool: {http: {maxRetries: 5}}}")
    assert statuses(kind, Script(500, 200), clock, "/orders", gate=gate) == [200]
    gate.reload(ROUTES + "---" + RULE.replace("POLICY", "{retryBudget: {minRetryConcurrency: 0}}"))
    assert statuses(kind, Script(500, 200), clock, "/orders", gate=gate) == [500]
    gate.reload(RULE.replace("POLICY", "{loadBalancer: {simple: RANDOM}}"))
    assert statuses(kind, Script(500, 200), clock, "/orders", gate=gate) == [500]


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_out_of_force_manifests_make_no_try(kind, clock, mode):
    gate = engine(mode=mode)
    assert statuses(kind, Script(500, 200), clock, "/orders", gate=gate) == [500]


def test_previous_hosts_are_tried_again_where_a_route_says_so(clock):
    routes = ROUTES.replace("backoff: 10ms", "backoff: 10ms, retryIgnorePreviousHosts: false")
    policy = "{loadBalancer: {consistentHash: {httpHeaderName: x-key}}}"
    for text, hosts in ((routes, 1), (ROUTES, 2)):
        script = Script(500, 500, 500, 200)
        gate = engine(policy, text)
        how = {"headers": {"x-key": "seven"}}
        assert statuses("httpx2", script, clock, "/orders", gate=gate, **how) == [200]
        assert len({seen["address"] for seen in script.tries}) == hosts


def test_a_permit_moves_only_where_there_is_somebody_else(clock):

    gate = engine()
    permit = gate.admit(Facts(Direction.OUTBOUND, "web"), clock())
    first = permit.endpoint
    move(permit, [])
    assert permit.endpoint is first
    move(permit, [first])
    assert permit.endpoint is not first
    assert (first.active, permit.endpoint.active) == (0, 1)
    second = permit.endpoint
    move(permit, [first, second])
    assert permit.endpoint is second
    permit.settle(None, clock(), 200)
    assert (first.active, second.active) == (0, 0)
