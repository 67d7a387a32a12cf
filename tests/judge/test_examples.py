"""Each code: its example on the page raises it, and a near miss does not."""

import pytest

from judge.helpers import judged
from trafficcore.manifest.codes import CODES

#: What no text can show: files and folders, and too much of anything.
WITHOUT = {"TC001", "TC008", "TC907", "TC908"}
#: What else must be known for the example to be wrong.
KNOWN = {"TC510": {"locality": "eu/a"}}
#: What to change about an example so that it is right, of each that can be judged.
NEAR_MISSES = {
    "TC101": [("quota: 60", "quota: 59"), ("seconds: 2", "seconds: 60")],
    "TC102": [("quota: 0", "quota: 1")],
    "TC103": [("status: 200", "status: 400")],
    "TC104": [("- limit: {f", "- request_match: {header_match: [{name: a}]}\n      limit: {f")],
    "TC105": [("/api/login", "/app/login"), ("prefix_match: /api}", "exact_match: /api}")],
    "TC106": [("configs: []", "configs: [{limit: {fill_interval: 1s, quota: 1}}]")],
    "TC107": [
        ("fill_interval: 1s, quota: 50", "fill_interval: 60s, quota: 50"),
        (
            "port: 80}}\n    limit: {fill_interval: 1s, quota: 50",
            "port: 81}}\n    limit: {fill_interval: 1s, quota: 50",
        ),
    ],
    "TC201": [("60s", "12s")],
    "TC202": [("0s", "1s")],
    "TC203": [
        ("max_slow_requests: 5", "max_slow_requests: 5\n      slow_request_rt: 1s"),
        ("max_slow_requests: 5", "error_percent: {value: 1}"),
    ],
    "TC204": [
        ("min_request_amount: 2", "min_request_amount: 0"),
        ("min_request_amount: 2", "min_request_amount: 2\n      error_percent: {value: 9}"),
    ],
    "TC205": [
        ("window_size: 1s", "window_size: 2s"),
        ("max_slow_requests: 5", "max_slow_requests: 1"),
    ],
    "TC206": [("x-envoy-overload", "x-envoy-overloaded")],
    "TC207": [
        (
            "vhost: {name: web}}\n    breaker_config:\n      error",
            "vhost: {name: cart}}\n    breaker_config:\n      error",
        )
    ],
    "TC301": [("consecutive5xxErrors: 5", "maxEjectionPercent: 34")],
    "TC302": [("maxEjectionPercent: 30", "maxEjectionPercent: 34")],
    "TC303": [
        ("maxEjectionPercent: 100", "maxEjectionPercent: 99"),
        ("maxEjectionPercent: 100", "maxEjectionPercent: 100, minHealthPercent: 1"),
    ],
    "TC304": [
        ("- address: 10.0.0.1", "- address: 10.0.0.1\n  - address: 10.0.0.2"),
        ("- address: 10.0.0.1", "- address: api.internal"),
    ],
    "TC305": [
        ("    loadBalancer:", "    outlierDetection: {}\n    loadBalancer:"),
        ("      localityLbSetting:\n", "      localityLbSetting:\n        enabled: false\n"),
    ],
    "TC306": [
        (
            "    outlierDetection",
            "    loadBalancer: {localityLbSetting: {enabled: true}}\n    outlierDetection",
        )
    ],
    "TC307": [("maxEjectionPercent: 0", "maxEjectionPercent: 1")],
    "TC308": [
        ("consecutive5xxErrors: 0", "consecutive5xxErrors: 0, consecutiveGatewayErrors: 1"),
        ("consecutive5xxErrors: 0", "consecutive5xxErrors: 1"),
    ],
    "TC310": [
        ("{maxConnections: 100}", "{maxConnections: 100}, http: {http1MaxPendingRequests: 9}")
    ],
    "TC311": [("{maglev: {}}", "{maglev: {}, httpHeaderName: x-user}")],
    "TC313": [("useSourceIp: true", "useSourceIp: false, httpHeaderName: x-user")],
    "TC314": [("STATIC", "STATIC\n  endpoints: [{address: 10.0.0.1}]"), ("STATIC", "NONE")],
    "TC316": [("{enabled: true}", "{enabled: false}"), ("{enabled: true}", "{minClusterSize: 3}")],
    "TC315": [
        ("minHealthPercent: 50", "minHealthPercent: 40"),
        ("maxEjectionPercent: 60", "maxEjectionPercent: 50"),
        ("60, minHealthPercent: 50", "28, minHealthPercent: 100"),
    ],
    "TC309": [("number: 80}, outlier", "number: 81}, outlier")],
    "TC401": [("fill_amount: 0", "fill_amount: 1")],
    "TC402": [("name: all", "name: all\n        label_matcher: {match_labels: {a: b}}")],
    "TC403": [("user: guest, client", "user: other, client")],
    "TC404": [("user: member", "client: mobile")],
    "TC405": [("operator: In", "operator: In, values: [guest]")],
    "TC407": [("target_accept_percentage: 50", "target_accept_percentage: 100")],
    "TC408": [
        ("threshold: 200", "threshold: 50"),
        ("reset: {threshold: 100}", "reset: {threshold: 300}"),
    ],
    "TC406": [("service: web", "service: cart"), ("service: web", "control_point: egress")],
    "TC320": [("{retryOn", "{attempts: 2, retryOn")],
    "TC321": [("{maxRetries: 2}", "{maxRetries: 0}"), ("{maxRetries: 2}", "{http2MaxRequests: 2}")],
    "TC501": [("name: wbe", "name: web"), ("name: wbe", "name: wbe.other.svc.cluster.local")],
    "TC502": [("port: 8080", "port: 80"), ("port: 8080", "port: 0")],
    "TC503": [("name_match: chekout", "name_match: checkout")],
    "TC504": [("- name: all\n", "- name: all\n    match: [{uri: {prefix: /app}}]\n")],
    "TC505": [
        ("metadata: {name: b, namespace: shop}", "metadata: {name: b, namespace: other}"),
        ("trafficPolicy: {outlierDetection: {maxEjectionPercent: 50}}", "subsets: []"),
    ],
    "TC506": [
        (
            "{name: b, namespace: shop}\nspec: {hosts: [web]}",
            "{name: b, namespace: shop}\nspec: {hosts: [web], gateways: [edge]}",
        )
    ],
    "TC507": [("applyToTraffic: sidecar_inbound", "applyToTraffic: gateway")],
    "TC508": [("name: x-user", "name: x-user, present_match: true")],
    "TC509": [("regex_match", "exact_match")],
    "TC510": [("{from: us/*", "{from: eu/*"), ("{from: us/*", "{from: '*'")],
    "TC511": [("subset: v2", "subset: v1"), ("host: web, subset: v2", "host: shop, subset: v2")],
    "TC512": [
        ("labels: {version: v2}", "labels: {version: v1}"),
        ("host: api.example.com", "host: web"),
    ],
    "TC601": [("x-slow: true", 'x-slow: "true"')],
    "TC602": [("consecutiveErrors", "consecutive5xxErrors")],
    "TC603": [("TC930", "TC905")],
    "TC901": [("    distinct: [user]\n", "")],
    "TC902": [("    tls: {mode: ISTIO_MUTUAL}", "    loadBalancer: {simple: ROUND_ROBIN}")],
    "TC903": [(", lazy_sync: {enabled: true}", "")],
    "TC904": [("kind: Deployment", "kind: Scenario\napiVersion: trafficcore/v1")],
    "TC905": [("ASMCircuitBraker", "CircuitBoard")],
    "TC906": [("kind: VirtualService", "kind: Service")],
}
SHOWN = [code for code in CODES.values() if code.id not in WITHOUT]


def raised(text, code):
    report = judged(text, **KNOWN.get(code, {}))
    return {(problem.code, problem.severity) for problem in report.problems}


@pytest.mark.parametrize("code", SHOWN, ids=lambda code: code.id)
def test_the_example_of_a_code_raises_it(code):
    assert (code.id, code.severity) in raised(code.example, code.id)


def test_only_what_no_text_can_show_has_no_example():
    assert {code.id for code in CODES.values() if not code.example} == WITHOUT


@pytest.mark.parametrize(
    ("code", "change"),
    [pytest.param(code, change, id=f"{code}-{at}")
     for code, changes in NEAR_MISSES.items() for at, change in enumerate(changes)],
)  # fmt: skip
def test_a_near_miss_does_not(code, change):
    old, new = change
    example = CODES[code].example
    assert old in example
    head, _, tail = example.rpartition(old)
    assert code not in {found for found, _ in raised(head + new + tail, code)}


def test_every_judgement_has_a_near_miss():
    judgements = {code.id for code in SHOWN if code.severity != "error"}
    assert set(NEAR_MISSES) == judgements
