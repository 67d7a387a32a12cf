"""DestinationRule, row by row."""

import pytest

from manifest.helpers import (
    clean,
    destination,
    document,
    faults,
    remarks,
    the_destination,
    the_fault,
)
from trafficcore.manifest import check
from trafficcore.spec import (
    ConsistentHash,
    HashCookie,
    LocalityLb,
    OutlierDetection,
    RetryCaps,
    Subset,
    TrafficPolicy,
    Warmup,
    ZoneAwareLb,
)

POLICY = "spec.trafficPolicy"
LATER = "has no effect in this version"
NEVER = "has no effect in process"
INSTEAD = "endpoints are chosen as by LEAST_REQUEST"


def spec(text):
    return document("DestinationRule", text, "networking.istio.io/v1")


def outlier(text):
    return destination(f"{{outlierDetection: {text}}}")


def balancer(text):
    return destination(f"{{outlierDetection: {{}}, loadBalancer: {text}}}")


def locality(text):
    return balancer(f"{{localityLbSetting: {text}}}")


def pool(text):
    return destination(f"{{connectionPool: {text}}}")


# -- host, selector, subsets ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "full"),
    [
        ("httpbin", "httpbin.shop.svc.cluster.local"),
        ("HttpBin.Default.svc.cluster.local", "httpbin.default.svc.cluster.local"),
        ("www.googleapis.com", "www.googleapis.com"),
        ("www.googleapis.com.", "www.googleapis.com"),
        ("'*'", "*"),
        ("'*.example.com'", "*.example.com"),
        ("'*-api.example.com'", "*-api.example.com"),
        ("10.0.0.7", "10.0.0.7"),
    ],
)
def test_a_host_is_a_full_name_or_a_wildcard(host, full):
    text = spec(f"host: {host}\n")
    clean(text)
    assert the_destination(text).host == full
    assert the_destination(text).namespace == "shop"


@pytest.mark.parametrize(
    "host",
    ["''", "a b", "a..b", "-a", "a.*.b", "a*", "http://a", "a:80", "'a\n  b'", "x" * 64, "a_b"],
)
def test_nothing_else_is_a_host(host):
    assert the_fault(spec(f"host: {host}\n")).startswith(
        "spec.host: must be a host name or a wildcard, not "
    )


def test_a_host_is_required():
    assert the_fault(spec("subsets: []\n")) == "spec.host: is required"


def test_all_else_may_be_absent():
    assert the_destination(spec("host: a\n")).policy == TrafficPolicy()
    assert the_destination(spec("host: a\n")).ports == ()


def test_labels_select_the_callers():
    text = spec("host: a\nworkloadSelector: {matchLabels: {app: web}}\n")
    clean(text)
    assert the_destination(text).labels == (("app", "web"),)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("{'a*': b}", ": must be a label's name, without *, not 'a*'"),
        ("{'': b}", ": must be a label's name, not empty, not ''"),
        ("{a: 'b*'}", ".a: must be a label's value, without *, not 'b*'"),
        (f"{{a: {'b' * 64}}}", f".a: must be a text of at most 63 characters, not '{'b' * 60}'…"),
    ],
)
def test_bounds_of_the_selector(labels, message):
    found = the_fault(spec(f"host: a\nworkloadSelector: {{matchLabels: {labels}}}\n"))
    assert found == f"spec.workloadSelector.matchLabels{message}"


def test_subsets_are_read_and_checked():
    text = spec("host: a\nsubsets:\n- name: v1\n  labels: {version: v1}\n- name: v2\n")
    clean(text)
    assert the_destination(text).subsets == (
        Subset(name="v1", labels=(("version", "v1"),)),
        Subset(name="v2"),
    )
    clean(spec("host: a\nsubsets: []\n"))
    assert the_fault(spec("host: a\nsubsets: [{name: v1}, {name: v1}]\n")) == (
        "spec.subsets: 'v1' is there twice"
    )
    assert (
        the_fault(spec("host: a\nsubsets: [{labels: {}}]\n")) == "spec.subsets[0].name: is required"
    )
    assert the_fault(spec("host: a\nsubsets: [{name: a, trafficPolicy: {}}]\n")) == (
        "spec.subsets[0].trafficPolicy: must have at least one field"
    )


OUT = OutlierDetection(consecutive_5xx=7)


@pytest.mark.parametrize(
    ("own", "policy", "ports"),
    [
        # what is not its own is the destination's, object by object; ports have none of it
        ("{loadBalancer: {simple: RANDOM}}",
         TrafficPolicy(outlier=OUT, simple="RANDOM"),
         {80: TrafficPolicy(simple="RANDOM", max_requests=3)}),
        ("{outlierDetection: {consecutive5xxErrors: 1}}",
         TrafficPolicy(outlier=OutlierDetection(consecutive_5xx=1), simple="ROUND_ROBIN"),
         {80: TrafficPolicy(outlier=OutlierDetection(consecutive_5xx=1), max_requests=3)}),
        # an empty object is one: nothing of the other comes through
        ("{outlierDetection: {}, loadBalancer: {}}",
         TrafficPolicy(outlier=OutlierDetection()),
         {80: TrafficPolicy(outlier=OutlierDetection(), max_requests=3)}),
        # a port of its own stands alone
        ("{portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}",
         TrafficPolicy(outlier=OUT, simple="ROUND_ROBIN"),
         {80: TrafficPolicy(simple="RANDOM")}),
        ("{portLevelSettings: [{port: {number: 81}, loadBalancer: {simple: RANDOM}}]}",
         TrafficPolicy(outlier=OUT, simple="ROUND_ROBIN"),
         {80: TrafficPolicy(max_requests=3), 81: TrafficPolicy(simple="RANDOM")}),
    ],
)  # fmt: skip
def test_a_subset_overrides_whole_objects(own, policy, ports):
    text = destination(
        "{outlierDetection: {consecutive5xxErrors: 7}, loadBalancer: {simple: ROUND_ROBIN},"
        " portLevelSettings: [{port: {number: 80},"
        " connectionPool: {http: {http2MaxRequests: 3}}}]}",
        f"subsets: [{{name: v1, trafficPolicy: {own}}}]\n",
    )
    clean(text)
    (subset,) = the_destination(text).subsets
    assert subset.policy == policy
    assert dict(subset.ports) == ports


def test_failover_in_a_subset_needs_outlier_detection_in_it_or_above():
    own = "{loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}}"
    subsets = f"subsets: [{{name: v1, trafficPolicy: {own}}}]\n"
    clean(destination("{outlierDetection: {}}", subsets))
    field = "spec.subsets[0].trafficPolicy.loadBalancer.localityLbSetting.failover"
    assert remarks(destination("{loadBalancer: {simple: RANDOM}}", subsets)) == [
        f"{field}: has no effect without outlierDetection beside it"
    ]
    assert len(remarks(spec(f"host: a\n{subsets}"))) == 1


def test_export_to_is_named_unless_it_says_what_holds_anyway():
    assert remarks(spec("host: a\nexportTo: ['.']\n")) == [f"spec.exportTo: {NEVER}"]
    clean(spec("host: a\nexportTo: ['*']\n"))
    assert the_fault(spec("host: a\nexportTo: [a, b, a]\n")) == "spec.exportTo: 'a' is there twice"


# -- trafficPolicy -------------------------------------------------------------------------------


def test_a_traffic_policy_has_a_field():
    assert the_fault(destination("{}")) == f"{POLICY}: must have at least one field"


def test_tls_is_checked_and_named():
    text = destination(
        "{tls: {mode: SIMPLE, sni: a, subjectAltNames: [b], insecureSkipVerify: true}}"
    )
    assert remarks(text) == [f"{POLICY}.tls: {NEVER}"]
    assert the_fault(destination("{tls: {mode: TLS}}")) == (
        f"{POLICY}.tls.mode: must be one of DISABLE, SIMPLE, MUTUAL, ISTIO_MUTUAL, not 'TLS'"
    )


def test_tunnel_and_proxy_protocol_are_named_and_exclude_each_other():
    tunnel = "tunnel: {targetHost: a, targetPort: 80}"
    assert remarks(destination(f"{{{tunnel}}}")) == [f"{POLICY}.tunnel: {NEVER}"]
    assert remarks(destination("{proxyProtocol: {version: V2}}")) == [
        f"{POLICY}.proxyProtocol: {NEVER}"
    ]
    assert the_fault(destination(f"{{{tunnel}, proxyProtocol: {{}}}}")) == (
        f"{POLICY}: tunnel and proxyProtocol exclude each other"
    )
    assert faults(destination("{tunnel: {protocol: GET}}")) == [
        f"{POLICY}.tunnel.targetHost: is required",
        f"{POLICY}.tunnel.targetPort: is required",
        f"{POLICY}.tunnel.protocol: must be one of CONNECT, POST, \"\", not 'GET'",
    ]


@pytest.mark.parametrize(
    ("policy", "caps"),
    [
        (
            "{retryBudget: {percent: 25, minRetryConcurrency: 7}}",
            RetryCaps(budget_percent=25, min_retry_concurrency=7),
        ),
        ("{retryBudget: {percent: 0.5}}", RetryCaps(budget_percent=0.5)),
        (
            "{retryBudget: {minRetryConcurrency: 0}}",
            RetryCaps(budget_percent=20, min_retry_concurrency=0),
        ),
        ("{connectionPool: {http: {maxRetries: 2}}}", RetryCaps(max_retries=2)),
        ("{connectionPool: {http: {maxRetries: 0}}}", None),
        ("{connectionPool: {http: {http2MaxRequests: 1}}}", None),
        ("{loadBalancer: {simple: RANDOM}}", None),
    ],
)
def test_how_many_retries_may_be_under_way(policy, caps):
    clean(destination(policy))
    assert the_destination(destination(policy)).policy.retry_caps == caps


def test_how_long_a_call_may_wait_for_its_connection():
    text = destination("{connectionPool: {tcp: {connectTimeout: 1500ms}}}")
    clean(text)
    assert the_destination(text).policy.connect_timeout == 1.5


def test_a_budget_stands_in_the_place_of_a_number_and_says_so():
    text = destination("{retryBudget: {percent: 10}, connectionPool: {http: {maxRetries: 2}}}")
    assert remarks(text) == [
        f"{POLICY}.connectionPool.http.maxRetries: has no effect beside retryBudget"
    ]
    assert the_destination(text).policy.retry_caps == RetryCaps(budget_percent=10)


def test_a_retry_budget_is_checked_and_its_interval_named():
    text = destination(
        "{retryBudget: {percent: 20.5, minRetryConcurrency: 3, budgetInterval: 10s}}"
    )
    note = "retries are held against the calls in flight"
    assert remarks(text) == [f"{POLICY}.retryBudget.budgetInterval: {NEVER}: {note}"]
    assert the_fault(text.replace("20.5", "101")) == (
        f"{POLICY}.retryBudget.percent: must be a number from 0 to 100, not '101'"
    )


def test_port_settings_stand_in_the_place_of_the_policy():
    text = destination(
        "{outlierDetection: {consecutive5xxErrors: 3}, portLevelSettings: ["
        "{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}, "
        "{port: {number: 443}, outlierDetection: {consecutive5xxErrors: 7}}]}"
    )
    clean(text)
    rule = the_destination(text)
    assert rule.policy == TrafficPolicy(outlier=OutlierDetection(consecutive_5xx=3))
    assert rule.ports == (
        (80, TrafficPolicy(simple="ROUND_ROBIN")),
        (443, TrafficPolicy(outlier=OutlierDetection(consecutive_5xx=7))),
    )


def test_of_two_settings_for_a_port_the_first_stands():
    text = destination(
        "{portLevelSettings: [{port: {number: 80}, outlierDetection: {interval: 1s}}, "
        "{port: {number: 80}, outlierDetection: {interval: 2s}}]}"
    )
    assert remarks(text) == [
        f"{POLICY}.portLevelSettings[1]: port 80 was set before: the first setting stands"
    ]
    ((_, policy),) = the_destination(text).ports
    assert policy.outlier == OutlierDetection(interval=1)


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        ("{outlierDetection: {}}", ".port: is required"),
        ("{port: {}, outlierDetection: {}}", ".port.number: is required"),
        ("{port: {number: 0}, outlierDetection: {}}",
         ".port.number: must be a whole number from 1 to 65535, not '0'"),
        ("{port: {number: 80}}", ": must have a field besides port"),
        ("{port: {number: 80}, outlierDetection: {}, portLevelSettings: []}",
         ".portLevelSettings: the field 'portLevelSettings' is unknown"),
    ],
)  # fmt: skip
def test_bounds_of_port_settings(setting, fault):
    found = the_fault(destination(f"{{portLevelSettings: [{setting}]}}"))
    assert found.startswith(f"{POLICY}.portLevelSettings[0]{fault}")


def test_there_may_be_4096_port_settings():
    one = "{port: {number: 80}, tls: {}}"
    many = ", ".join([one] * 4097)
    assert the_fault(destination(f"{{portLevelSettings: [{many}]}}")) == (
        f"{POLICY}.portLevelSettings: must hold at most 4096 items, not 4097"
    )


# -- outlierDetection ----------------------------------------------------------------------------


def test_defaults_of_outlier_detection():
    rule = the_destination(outlier("{}"))
    assert rule.policy.outlier == OutlierDetection(
        consecutive_5xx=5,
        consecutive_gateway_errors=0,
        consecutive_local_origin_failures=0,
        split_local_origin=False,
        interval=10,
        base_ejection_time=30,
        max_ejection_percent=10,
        min_health_percent=0,
    )


def test_every_field_of_outlier_detection():
    text = outlier(
        "{consecutive5xxErrors: 3, consecutiveGatewayErrors: 2, "
        "splitExternalLocalOriginErrors: true, "
        "consecutiveLocalOriginFailures: 4, interval: 8ms, baseEjectionTime: 1m, "
        "maxEjectionPercent: 11, minHealthPercent: 50}"
    )
    clean(text)
    assert the_destination(text).policy.outlier == OutlierDetection(
        consecutive_5xx=3,
        consecutive_gateway_errors=2,
        consecutive_local_origin_failures=4,
        split_local_origin=True,
        interval=0.008,
        base_ejection_time=60,
        max_ejection_percent=11,
        min_health_percent=50,
    )


def test_the_old_name_acts_as_the_new_one_with_a_warning():
    text = outlier("{consecutiveErrors: 3}")
    assert the_destination(text).policy.outlier == OutlierDetection(consecutive_5xx=3)
    assert remarks(text) == [
        (
            f"{POLICY}.outlierDetection.consecutiveErrors: is deprecated, and Istio no longer "
            f"acts on "
            "it; here it acts as consecutive5xxErrors"
        )
    ]
    assert the_destination(outlier("{consecutiveErrors: 0}")).policy.outlier == OutlierDetection(
        consecutive_5xx=0
    )
    assert the_destination(outlier("{consecutiveErrors: -1}")).policy.outlier == OutlierDetection(
        consecutive_5xx=0
    )


def test_of_both_names_the_new_one_wins():
    text = outlier("{consecutiveErrors: 3, consecutive5xxErrors: 7}")
    assert the_destination(text).policy.outlier == OutlierDetection(consecutive_5xx=7)
    assert remarks(text) == [
        f"{POLICY}.outlierDetection.consecutiveErrors: has no effect beside consecutive5xxErrors"
    ]


def test_zero_switches_a_detector_off():
    assert the_destination(outlier("{consecutive5xxErrors: 0}")).policy.outlier == OutlierDetection(
        consecutive_5xx=0
    )


@pytest.mark.parametrize("failures", ["", "consecutiveLocalOriginFailures: 0, "])
def test_split_without_a_threshold_takes_envoys(failures):
    rule = the_destination(outlier(f"{{{failures}splitExternalLocalOriginErrors: true}}"))
    assert rule.policy.outlier == OutlierDetection(
        split_local_origin=True, consecutive_local_origin_failures=5
    )


def test_no_share_means_the_default_share_as_in_istio():
    text = outlier("{maxEjectionPercent: 0}")
    assert the_destination(text).policy.outlier == OutlierDetection(max_ejection_percent=10)
    assert remarks(text) == [
        f"{POLICY}.outlierDetection.maxEjectionPercent: 0 means the default, 10, as in Istio"
    ]


def test_error_codes_are_checked_and_named():
    text = outlier("{outlierDetectionHttpErrorCodes: [429, 503]}")
    assert remarks(text) == [
        (
            f"{POLICY}.outlierDetection.outlierDetectionHttpErrorCodes: {LATER}: "
            "every 5xx counts as an error"
        )
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{consecutive5xxErrors: -1}",
         "consecutive5xxErrors: must be a whole number from 0, not '-1'"),
        ("{consecutive5xxErrors: 4294967296}",
         "consecutive5xxErrors: must be a whole number of at most 4294967295, not '4294967296'"),
        ("{consecutiveErrors: 2147483648}",
         "consecutiveErrors: must be a whole number of at most 2147483647, not '2147483648'"),
        ("{consecutiveLocalOriginFailures: 1}",
         "consecutiveLocalOriginFailures: above 0 needs splitExternalLocalOriginErrors: true"),
        ("{consecutiveLocalOriginFailures: 1, splitExternalLocalOriginErrors: false}",
         "consecutiveLocalOriginFailures: above 0 needs splitExternalLocalOriginErrors: true"),
        ("{interval: 0s}", "interval: must be a duration from 1ms, whole milliseconds, not '0s'"),
        ("{interval: 1.5ms}", "interval: must be a duration of whole milliseconds, not '1.5ms'"),
        ("{interval: 500us}",
         "interval: must be a duration from 1ms, whole milliseconds, not '500us'"),
        ("{baseEjectionTime: 30}",
         "baseEjectionTime: must be a duration with its unit, such as 1s, not '30'"),
        ("{maxEjectionPercent: 101}",
         "maxEjectionPercent: must be a whole number from 0 to 100, not '101'"),
        ("{minHealthPercent: -1}",
         "minHealthPercent: must be a whole number from 0 to 100, not '-1'"),
        ("{outlierDetectionHttpErrorCodes: [99]}",
         "outlierDetectionHttpErrorCodes[0]: must be a whole number from 100 to 599, not '99'"),
        ("{consecutive_5xx: 1}", ("consecutive_5xx: the field 'consecutive_5xx' is unknown; "
                                 "did you mean 'consecutive5xxErrors'?")),
    ],
)  # fmt: skip
def test_bounds_of_outlier_detection(text, fault):
    assert the_fault(outlier(text)) == f"{POLICY}.outlierDetection.{fault}"


def test_no_local_failures_need_no_split():
    clean(outlier("{consecutiveLocalOriginFailures: 0}"))


# -- loadBalancer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "simple"),
    [*((name, name) for name in ("ROUND_ROBIN", "RANDOM", "LEAST_REQUEST")), ("UNSPECIFIED", "")],
)
def test_simple_algorithms_that_act(name, simple):
    clean(balancer(f"{{simple: {name}}}"))
    assert the_destination(balancer(f"{{simple: {name}}}")).policy.simple == simple


def test_passing_through_says_that_endpoints_are_not_looked_at():
    text = balancer("{simple: PASSTHROUGH}")
    assert the_destination(text).policy.simple == "PASSTHROUGH"
    assert remarks(text) == [
        (
            f"{POLICY}.loadBalancer.simple: PASSTHROUGH sends each call to the address it names,"
            " whatever endpoints there are: fields that are about endpoints have no effect"
        )
    ]


def test_the_old_name_of_least_request():
    text = balancer("{simple: LEAST_CONN}")
    assert the_destination(text).policy.simple == "LEAST_REQUEST"
    assert remarks(text) == [
        f"{POLICY}.loadBalancer.simple: LEAST_CONN is deprecated: write LEAST_REQUEST",
    ]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("{backendUtilization: {weightUpdatePeriod: 1s}}",
         f"backendUtilization: {LATER}: {INSTEAD}"),
    ],
)  # fmt: skip
def test_what_comes_later_is_checked_and_named(text, note):
    assert remarks(balancer(text)) == [f"{POLICY}.loadBalancer.{note}"]


@pytest.mark.parametrize(
    ("text", "hashing"),
    [
        ("httpHeaderName: X-User", ConsistentHash(header="x-user")),
        ("httpHeaderName: a, ringHash: {minimumRingSize: 9}", ConsistentHash(header="a", size=9)),
        ("httpHeaderName: a, ringHash: {minimumRingSize: 0}", ConsistentHash(header="a")),
        ("httpHeaderName: a, ringHash: {}", ConsistentHash(header="a")),
        ("httpQueryParameterName: q, maglev: {}",
         ConsistentHash(query="q", maglev=True, size=65537)),
        ("httpQueryParameterName: q, maglev: {tableSize: 101}",
         ConsistentHash(query="q", maglev=True, size=101)),
        ("httpCookie: {name: a}", ConsistentHash(cookie=HashCookie(name="a"))),
        ("httpCookie: {name: a, path: /p, ttl: 1m, attributes: [{name: b}, {name: c, value: d}]}",
         ConsistentHash(cookie=HashCookie(
             name="a", path="/p", ttl=60, attributes=(("b", ""), ("c", "d"))))),
        ("httpCookie: {name: a, ttl: 0s}", ConsistentHash(cookie=HashCookie(name="a", ttl=0))),
    ],
)  # fmt: skip
def test_what_is_hashed(text, hashing):
    text = f"{{consistentHash: {{{text}}}}}"
    assert the_destination(balancer(text)).policy.hashing == hashing
    assert remarks(balancer(text)) == []


def test_without_a_hash_there_is_none():
    assert the_destination(balancer("{simple: RANDOM}")).policy.hashing is None


HASH = f"{POLICY}.loadBalancer.consistentHash"
OF_NOTHING = f"{HASH}: names nothing to hash: endpoints are drawn at random"


@pytest.mark.parametrize(
    ("text", "told", "hashing"),
    [
        ("", [OF_NOTHING], ConsistentHash()),
        ("useSourceIp: false", [OF_NOTHING], ConsistentHash()),
        ("httpHeaderName: ''", [OF_NOTHING], ConsistentHash()),
        ("useSourceIp: true", [], ConsistentHash(source_address=True)),
        ("httpHeaderName: a, minimumRingSize: 42",
         [f"{HASH}.minimumRingSize: is deprecated: write ringHash.minimumRingSize"],
         ConsistentHash(header="a", size=42)),
    ],
)  # fmt: skip
def test_a_hash_that_is_told_about(text, told, hashing):
    text = f"{{consistentHash: {{{text}}}}}"
    assert [one for one in remarks(balancer(text)) if "source address" not in one] == told
    assert the_destination(balancer(text)).policy.hashing == hashing


def test_the_source_address_is_the_shells_to_give():
    (told,) = check(balancer("{consistentHash: {useSourceIp: true}}")).problems
    assert (told.code, told.severity) == ("TC313", "notice")


@pytest.mark.parametrize(
    ("text", "warmup"),
    [
        ("{duration: 100s}", Warmup(duration=100, minimum_percent=10, aggression=1)),
        (
            "{duration: 1500ms, minimumPercent: 0, aggression: 0.5}",
            Warmup(duration=1.5, minimum_percent=0, aggression=0.5),
        ),
    ],
)
def test_a_warmup(text, warmup):
    text = balancer(f"{{warmup: {text}}}")
    clean(text)
    assert the_destination(text).policy.warmup == warmup


def test_the_old_name_of_the_warmup_acts_and_is_told():
    field = f"{POLICY}.loadBalancer.warmupDurationSecs"
    text = balancer("{warmupDurationSecs: 100s}")
    assert the_destination(text).policy.warmup == Warmup(duration=100)
    assert remarks(text) == [f"{field}: is deprecated: write warmup.duration"]


def test_the_old_name_of_the_warmup_says_nothing_beside_the_new_one():
    text = balancer("{warmupDurationSecs: 100s, warmup: {duration: 2s}}")
    assert the_destination(text).policy.warmup == Warmup(duration=2)
    assert remarks(text) == [
        f"{POLICY}.loadBalancer.warmupDurationSecs: has no effect beside warmup"
    ]


def test_a_warmup_is_nothing_to_what_hashes():
    assert remarks(balancer("{consistentHash: {httpHeaderName: a}, warmup: {duration: 2s}}")) == [
        f"{POLICY}.loadBalancer.warmup: has no effect with consistentHash"
    ]


def test_a_warmup_is_nothing_to_what_draws_without_regard_to_it():
    assert remarks(balancer("{simple: RANDOM, warmup: {duration: 2s}}")) == [
        f"{POLICY}.loadBalancer.warmup: has no effect with RANDOM"
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{simple: FASTEST}", (".simple: must be one of UNSPECIFIED, LEAST_REQUEST, LEAST_CONN, "
                              "ROUND_ROBIN, RANDOM, PASSTHROUGH, not 'FASTEST'")),
        ("{simple: ROUND_ROBIN, consistentHash: {}}",
         ": simple and consistentHash exclude each other"),
        ("{consistentHash: {}, backendUtilization: {}}",
         ": consistentHash and backendUtilization exclude each other"),
        ("{localityLbSetting: {}, zoneAwareLbSetting: {}}",
         ": localityLbSetting and zoneAwareLbSetting exclude each other"),
        ("{consistentHash: {httpHeaderName: a, useSourceIp: true}}",
         ".consistentHash: httpHeaderName and useSourceIp exclude each other"),
        ("{consistentHash: {ringHash: {}, maglev: {}}}",
         ".consistentHash: ringHash and maglev exclude each other"),
        ("{consistentHash: {minimumRingSize: 42, maglev: {}}}",
         ".consistentHash: minimumRingSize and maglev exclude each other"),
        ("{consistentHash: {httpCookie: {}}}", ".consistentHash.httpCookie.name: is required"),
        ("{consistentHash: {maglev: {tableSize: 65536}}}",
         ".consistentHash.maglev.tableSize: must be a prime below 5000011, not 65536"),
        ("{consistentHash: {maglev: {tableSize: 5000011}}}",
         ".consistentHash.maglev.tableSize: must be a prime below 5000011, not 5000011"),
        ("{consistentHash: {maglev: {tableSize: 1}}}",
         ".consistentHash.maglev.tableSize: must be a prime below 5000011, not 1"),
        ("{consistentHash: {httpCookie: {name: a, attributes: [{name: ''}]}}}",
         (".consistentHash.httpCookie.attributes[0].name: "
         "must be a text that is not empty, not ''")),
        ("{consistentHash: {maglev: {tableSize: 0}}}",
         ".consistentHash.maglev.tableSize: must be a prime below 5000011, not 0"),
        ("{consistentHash: {httpHeaderName: a, ringHash: {minimumRingSize: 8388609}}}",
         ".consistentHash.ringHash.minimumRingSize: must be at most 8388608, not 8388609"),
        ("{consistentHash: {httpHeaderName: a, minimumRingSize: 8388609}}",
         ".consistentHash.minimumRingSize: must be at most 8388608, not 8388609"),
        ("{consistentHash: {ringHash: {minimumRingSize: -1}}}",
         ".consistentHash.ringHash.minimumRingSize: must be a whole number from 0, not '-1'"),
        ("{zoneAwareLbSetting: {minClusterSize: 0}}",
         ".zoneAwareLbSetting.minClusterSize: must be a whole number from 1, not '0'"),
        ("{warmup: {minimumPercent: 5}}", ".warmup.duration: is required"),
        ("{warmup: {duration: 1s, minimumPercent: 101}}",
         ".warmup.minimumPercent: must be a number from 0 to 100, not '101'"),
        ("{warmup: {duration: 1s, aggression: 0}}",
         ".warmup.aggression: must be a number above 0, not '0'"),
        ("{warmupDurationSecs: 100}",
         ".warmupDurationSecs: must be a duration with its unit, such as 1s, not '100'"),
    ],
)  # fmt: skip
def test_bounds_of_the_load_balancer(text, fault):
    assert the_fault(balancer(text)) == f"{POLICY}.loadBalancer{fault}"


@pytest.mark.parametrize("size", [2, 3, 5, 65537, 4999999])
def test_primes_are_primes(size):
    assert faults(balancer(f"{{consistentHash: {{maglev: {{tableSize: {size}}}}}}}")) == []


# -- localities ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("{}", ZoneAwareLb()),
        ("{enabled: false}", ZoneAwareLb(enabled=False)),
        ("{minClusterSize: 2, failover: [{from: a, to: b}], failoverPriority: [x]}",
         ZoneAwareLb(min_cluster_size=2, failover=(("a", "b"),), failover_priority=("x",))),
    ],
)  # fmt: skip
def test_zones_by_their_callers(text, setting):
    text = balancer(f"{{zoneAwareLbSetting: {text}}}")
    clean(text)
    assert the_destination(text).policy.zone_aware == setting
    assert the_destination(text).policy.locality is None


def test_a_locality_setting_is_on_unless_it_says_otherwise():
    assert the_destination(locality("{}")).policy.locality == LocalityLb()
    assert the_destination(locality("{enabled: false}")).policy.locality == LocalityLb(
        enabled=False
    )
    assert the_destination(outlier("{}")).policy.locality is None


def test_shares_keep_their_order():
    text = locality(
        "{distribute: [{from: r1/z1/*, to: {r1/z1/*: 70, 'r1/z2/*': 20, r3: 10}}, "
        "{from: r2/*, to: {'*': 100}}]}"
    )
    clean(text)
    assert the_destination(text).policy.locality == LocalityLb(
        distribute=(
            ("r1/z1/*", (("r1/z1/*", 70), ("r1/z2/*", 20), ("r3", 10))),
            ("r2/*", (("*", 100),)),
        )
    )


def test_failover_and_its_priorities():
    text = locality(
        "{failover: [{from: r1, to: r2}, {from: r2, to: r1}], failoverPriority: [a, b=c]}"
    )
    clean(text)
    assert the_destination(text).policy.locality == LocalityLb(
        failover=(("r1", "r2"), ("r2", "r1")), failover_priority=("a", "b=c")
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{distribute: [{from: a, to: {a: 100}}], failover: [{from: a, to: b}]}",
         ": distribute and failover exclude each other"),
        ("{failover: [{from: a, to: b}], failoverPriority: [topology.kubernetes.io/zone]}",
         ": failover and failoverPriority with topology.kubernetes.io/zone exclude each other"),
        ("{distribute: [{from: a, to: {a: 0, b: 100}}]}",
         ".distribute[0].to.a: must be a whole number from 1 to 100, not '0'"),
        ("{distribute: [{from: a, to: {a: 101}}]}",
         ".distribute[0].to.a: must be a whole number from 1 to 100, not '101'"),
        ("{distribute: [{from: a, to: {a: 60, b: 39}}]}",
         ".distribute[0].to: must hold weights that sum to 100, not 99"),
        ("{distribute: [{from: a, to: {}}]}",
         ".distribute[0].to: must hold weights that sum to 100, not 0"),
        ("{distribute: [{from: a}]}", ".distribute[0].to: is required"),
        ("{distribute: [{to: {a: 100}}]}", ".distribute[0].from: is required"),
        ("{distribute: [{from: a, to: {a: 100}}, {from: a/b, to: {a: 100}}]}",
         ".distribute: 'a/b' overlaps with 'a'"),
        ("{distribute: [{from: a/b/c, to: {a: 100}}, {from: a/*, to: {a: 100}}]}",
         ".distribute: 'a/*' overlaps with 'a/b/c'"),
        ("{distribute: [{from: a, to: {r/z/*: 50, r/z/s: 50}}]}",
         ".distribute[0].to: 'r/z/s' overlaps with 'r/z/*'"),
        ("{distribute: [{from: a, to: {'*': 50, r: 50}}]}",
         ".distribute[0].to: 'r' overlaps with '*'"),
        ("{distribute: [{from: '*/z', to: {a: 100}}]}",
         ".distribute[0].from: must be a locality with * at its end only, not '*/z'"),
        ("{distribute: [{from: a//c, to: {a: 100}}]}",
         (".distribute[0].from: must be a locality such as region/zone, without empty parts, "
         "not 'a//c'")),
        ("{failover: [{from: a, to: a}]}", ".failover[0]: from and to must be different regions"),
        ("{failover: [{from: a/z, to: b}]}",
         ".failover[0].from: must be a region alone, without / and *, not 'a/z'"),
        ("{failover: [{from: a, to: '*'}]}",
         ".failover[0].to: must be a region alone, without / and *, not '*'"),
        ("{failover: [{}]}", ".failover[0]: from and to must be different regions"),
    ],
)  # fmt: skip
def test_bounds_of_localities(text, fault):
    assert the_fault(locality(text)) == f"{POLICY}.loadBalancer.localityLbSetting{fault}"


@pytest.mark.parametrize(
    ("one", "other"), [("r/z1/*", "r/z2/*"), ("r1", "r2/z"), ("r/z/s1", "r/z/s2"), ("r/z", "r2/z")]
)
def test_localities_apart_do_not_overlap(one, other):
    clean(locality(f"{{distribute: [{{from: a, to: {{{one}: 50, {other}: 50}}}}]}}"))


@pytest.mark.parametrize("setting", ["failover: [{from: a, to: b}]", "failoverPriority: [a]"])
def test_failover_without_outlier_detection_does_nothing_and_says_so(setting):
    text = destination(f"{{loadBalancer: {{localityLbSetting: {{{setting}}}}}}}")
    name = setting.partition(":")[0]
    assert remarks(text) == [
        (
            f"{POLICY}.loadBalancer.localityLbSetting.{name}: "
            "has no effect without outlierDetection beside it"
        )
    ]
    clean(
        destination("{loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {a: 100}}]}}}")
    )


# -- connectionPool ------------------------------------------------------------------------------


def test_a_pool_has_tcp_or_http():
    assert the_fault(pool("{}")) == f"{POLICY}.connectionPool: must have at least one field"


@pytest.mark.parametrize(
    ("text", "name", "note"),
    [
        ("{tcp: {idleTimeout: 0s}}", "tcp.idleTimeout", NEVER),
        ("{tcp: {idleTimeout: 1ms}}", "tcp.idleTimeout", NEVER),
        ("{tcp: {maxConnectionDuration: 1h}}", "tcp.maxConnectionDuration", NEVER),
        (
            "{tcp: {tcpKeepalive: {probes: 3, time: 7200s, interval: 75s}}}",
            "tcp.tcpKeepalive",
            NEVER,
        ),
        ("{http: {maxRequestsPerConnection: 1}}", "http.maxRequestsPerConnection", NEVER),
        ("{http: {maxConcurrentStreams: 1}}", "http.maxConcurrentStreams", NEVER),
        ("{http: {idleTimeout: 1s}}", "http.idleTimeout", NEVER),
        ("{http: {h2UpgradePolicy: UPGRADE}}", "http.h2UpgradePolicy", NEVER),
        ("{http: {useClientProtocol: true}}", "http.useClientProtocol", NEVER),
        ("{http: {http2KeepAlive: {interval: 15s, timeout: 5s}}}", "http.http2KeepAlive", NEVER),
    ],
)
def test_every_field_of_a_pool_is_named(text, name, note):
    assert remarks(pool(text)) == [f"{POLICY}.connectionPool.{name}: {note}"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{tcp: {maxConnections: -1}}",
         "tcp.maxConnections: must be a whole number from 0, not '-1'"),
        ("{tcp: {connectTimeout: 0s}}",
         "tcp.connectTimeout: must be a duration from 1ms, whole milliseconds, not '0s'"),
        ("{tcp: {idleTimeout: 10us}}",
         "tcp.idleTimeout: must be a duration of whole milliseconds, not '10us'"),
        ("{http: {idleTimeout: 0s}}",
         "http.idleTimeout: must be a duration from 1ms, whole milliseconds, not '0s'"),
        ("{http: {maxRetries: -1}}", "http.maxRetries: must be a whole number from 0, not '-1'"),
        ("{http: {h2UpgradePolicy: YES}}",
         "http.h2UpgradePolicy: must be one of DEFAULT, DO_NOT_UPGRADE, UPGRADE, not 'YES'"),
        ("{http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}",
         "http.useClientProtocol: true excludes h2UpgradePolicy: UPGRADE"),
        ("{http: {http2KeepAlive: {interval: 1s}}}", "http.http2KeepAlive.timeout: is required"),
    ],
)  # fmt: skip
def test_bounds_of_a_pool(text, fault):
    assert the_fault(pool(text)) == f"{POLICY}.connectionPool.{fault}"


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("{http: {http2MaxRequests: 7}}", 7),
        ("{http: {http2MaxRequests: 0}}", None),
        ("{tcp: {maxConnections: 3}, http: {http1MaxPendingRequests: 2}}", 5),
        ("{tcp: {maxConnections: 3}, http: {http1MaxPendingRequests: 2, http2MaxRequests: 4}}", 4),
        ("{tcp: {maxConnections: 0}, http: {http1MaxPendingRequests: 0}}", None),
    ],
)
def test_a_pool_bounds_the_calls_in_flight(text, most):
    assert the_destination(pool(text)).policy.max_requests == most
    assert remarks(pool(text)) == []


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("{tcp: {maxConnections: 3}}", "tcp.maxConnections: has no effect without http."),
        (
            "{http: {http1MaxPendingRequests: 2}}",
            "http.http1MaxPendingRequests: has no effect without tcp.maxConnections: ",
        ),
    ],
)
def test_half_a_pool_bounds_nothing_and_is_told(text, remark):
    assert the_destination(pool(text)).policy.max_requests is None
    (found,) = remarks(pool(text))
    assert found.startswith(f"{POLICY}.connectionPool.{remark}")


def test_what_a_pool_does_anyway_needs_no_word():
    clean(pool("{http: {h2UpgradePolicy: DEFAULT, useClientProtocol: false}}"))
