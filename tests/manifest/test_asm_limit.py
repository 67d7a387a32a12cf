"""ASMLocalRateLimiter, row by row."""

import pytest

from manifest.helpers import LIMIT, clean, faults, limit, limiter, remarks, the_fault, the_limit
from trafficcore import manifest
from trafficcore.spec import (
    AddressMatch,
    Direction,
    HeaderMatch,
    Op,
    QueryMatch,
    RequestMatch,
    Service,
    VirtualHost,
)

AT = "spec.configs[0]"


def config(text):
    return limiter(f"configs:\n- {{limit: {LIMIT}, {text}}}\n")


def override(match, more=LIMIT):
    return config(f"limit_overrides: [{{request_match: {match}, limit: {more}}}]")


# -- who and what --------------------------------------------------------------------------------


def test_all_that_is_absent_means_every_inbound_request_of_the_namespace():
    scope = the_limit(limit(LIMIT)).scope
    assert scope.direction is Direction.INBOUND
    assert (scope.namespace, scope.labels, scope.gateway) == ("shop", (), False)
    assert (scope.vhost, scope.services) == (None, ())


@pytest.mark.parametrize(
    ("fields", "direction", "gateway"),
    [
        ("", Direction.INBOUND, False),
        ("isGateway: false\n", Direction.INBOUND, False),
        ("isGateway: true\n", Direction.INBOUND, True),
        ("applyToTraffic: gateway\n", Direction.INBOUND, True),
        ("applyToTraffic: sidecar_inbound\n", Direction.INBOUND, False),
        ("applyToTraffic: sidecar_outbound\n", Direction.OUTBOUND, False),
        ("applyToTraffic: gateway\nisGateway: true\n", Direction.INBOUND, True),
        ("applyToTraffic: sidecar_outbound\nisGateway: false\n", Direction.OUTBOUND, False),
    ],
)
def test_which_traffic(fields, direction, gateway):
    text = limiter(f"{fields}configs:\n- limit: {LIMIT}\n")
    clean(text)
    assert (the_limit(text).scope.direction, the_limit(text).scope.gateway) == (direction, gateway)


def test_apply_to_traffic_goes_before_is_gateway_and_says_so():
    text = limiter(
        f"applyToTraffic: sidecar_outbound\nisGateway: true\nconfigs:\n- limit: {LIMIT}\n"
    )
    assert remarks(text) == [
        "spec.applyToTraffic: sidecar_outbound goes before what isGateway says"
    ]
    assert the_limit(text).scope.gateway is False


def test_waypoint_rules_are_left_out_and_named():
    text = limiter(f"applyToTraffic: waypoint\nconfigs:\n- limit: {LIMIT}\n")
    assert manifest.load(text).limits == ()
    assert remarks(text) == [
        "spec.applyToTraffic: has no effect in this version as waypoint: its rules are left out"
    ]


def test_no_other_traffic_is_known():
    text = limiter("applyToTraffic: inbound\nconfigs: []\n")
    assert the_fault(text) == (
        "spec.applyToTraffic: must be one of gateway, sidecar_inbound, sidecar_outbound, waypoint, "
        "not 'inbound'"
    )


def test_labels_select_workloads():
    text = limiter(
        f"workloadSelector: {{labels: {{app: web, tier: 'on'}}}}\nconfigs:\n- limit: {LIMIT}\n"
    )
    assert the_limit(text).scope.labels == (("app", "web"), ("tier", "on"))
    for empty in ("{}", "{labels: {}}"):
        assert the_limit(text.replace("{labels: {app: web, tier: 'on'}}", empty)).scope.labels == ()


def test_target_refs_are_named():
    text = limiter(f"targetRefs: [{{kind: Gateway, name: x}}]\nconfigs:\n- limit: {LIMIT}\n")
    assert remarks(text) == ["spec.targetRefs: has no effect in this version"]


@pytest.mark.parametrize("spec", ["configs: []\n", "isGateway: true\n"])
def test_no_configs_do_nothing_and_say_so(spec):
    assert remarks(limiter(spec)) == ["spec: has no configs: the policy does nothing"]


def test_the_type_requires_no_spec():
    text = limiter("").replace("spec:", "")
    assert remarks(text) == ["spec: is absent: the policy does nothing"]


@pytest.mark.parametrize(
    ("vhost", "name", "port"),
    [
        ("{name: Web.Example.com, port: 80}", "web.example.com", 80),
        ("{name: web}", "web.shop.svc.cluster.local", 0),
        ("{name: '*', port: 0}", "*", 0),
        ("{port: 65535}", "*", 65535),
        ("{}", "*", 0),
        ("{name: '*.example.com', port: 1}", "*.example.com", 1),
    ],
)
def test_virtual_hosts(vhost, name, port):
    assert the_limit(config(f"match: {{vhost: {vhost}}}")).scope.vhost == VirtualHost(name, port)


@pytest.mark.parametrize("port", ["-1", "65536", "http", '"80"'])
def test_a_port_is_a_number_up_to_65535(port):
    found = the_fault(config(f"match: {{vhost: {{port: {port}}}}}"))
    assert found.startswith(f"{AT}.match.vhost.port: must be a whole number from 0 to 65535, not ")


def test_a_match_without_a_virtual_host_is_about_all():
    assert the_limit(config("match: {}")).scope.vhost is None


def test_a_route_by_name_is_kept():
    text = config("match: {vhost: {name: a.b, route: {name_match: r}}}")
    assert the_limit(text).scope.vhost == VirtualHost("a.b", route="r")
    clean(text)


def test_headers_of_a_route():
    text = config("match: {vhost: {route: {header_match: [{name: ':path', prefix_match: /}]}}}")
    assert the_limit(text).scope.vhost == VirtualHost(
        headers=(HeaderMatch(":path", Op.PREFIX, "/"),)
    )


def test_target_services_by_their_full_names():
    text = config(
        "target_services: [{name: httpbin, port: 8000}, "
        "{group: '', kind: Service, name: Web, namespace: bank}, {name: api.example.com}]"
    )
    clean(text)
    assert the_limit(text).scope.services == (
        Service("httpbin.shop.svc.cluster.local", 8000),
        Service("web.bank.svc.cluster.local"),
        Service("api.example.com"),
    )


@pytest.mark.parametrize(
    ("service", "path", "message"),
    [
        ("{port: 80}", ".name", "is required"),
        ("{name: ''}", ".name", "must be a text that is not empty, not ''"),
        ("{name: a, port: 0}", ".port", "must be a whole number from 1 to 65535, not '0'"),
        ("{name: a, kind: Pod}", ".kind",
         "must be one of Service, ServiceEntry, VirtualService, not 'Pod'"),
    ],
)  # fmt: skip
def test_bounds_of_target_services(service, path, message):
    found = the_fault(config(f"target_services: [{service}]"))
    assert found == f"{AT}.target_services[0]{path}: {message}"


@pytest.mark.parametrize("kind", ["ServiceEntry", "VirtualService"])
def test_targets_of_later_kinds_are_left_out_and_a_rule_without_targets_too(kind):
    text = config(f"target_services: [{{kind: {kind}, name: a, section_name: r}}]")
    assert manifest.load(text).limits == ()
    assert remarks(text) == [
        f"{AT}.target_services[0].section_name: has no effect in this version",
        (
            f"{AT}.target_services[0]: has no effect in this version with kind {kind}: "
            "this target is left out"
        ),
    ]
    both = config(f"target_services: [{{kind: {kind}, name: a}}, {{name: web}}]")
    assert the_limit(both).scope.services == (Service("web.shop.svc.cluster.local"),)


def test_no_targets_are_none():
    assert the_limit(config("target_services: []")).scope.services == ()


def test_match_and_targets_exclude_each_other():
    text = config("match: {vhost: {name: web}}, target_services: [{name: web}]")
    assert the_fault(text) == f"{AT}: match and target_services exclude each other"


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("{seconds: 60}", 60),
        ("{seconds: '60', nanos: 0}", 60),
        ("{seconds: 1, nanos: 500000000}", 1.5),
        ("{nanos: 50000000}", 0.05),
        ("{seconds: 9007199254740993}", 9007199254740993),
        ("60s", 60),
        ("500ms", 0.5),
        ("1m30s", 90),
    ],
)
def test_a_fill_interval_is_a_message_or_a_text(text, seconds):
    value = the_limit(limit(f"{{fill_interval: {text}, quota: 5}}")).limit.fill_interval
    assert value == seconds
    assert type(value) is type(seconds)


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("{}", "", "must be a duration from 50ms, not '0s'"),
        ("{nanos: 49999999}", "", "must be a duration from 50ms, not '0.049999999s'"),
        ("49ms", "", "must be a duration from 50ms, not '49ms'"),
        ("0s", "", "must be a duration from 50ms, not '0s'"),
        ("2", "", "must be a duration with its unit, such as 1s, not '2'"),
        ("{seconds: -1}", ".seconds", "must be a whole number from 0, not '-1'"),
        ("{seconds: 1s}", ".seconds", "must be a whole number from 0, not '1s'"),
        ("{nanos: 1000000000}", ".nanos",
         "must be a whole number from 0 to 999999999, not '1000000000'"),
        ("{seconds: 9223372036854775808}", ".seconds",
         "must be a whole number of at most 9223372036854775807, not '9223372036854775808'"),
        ("{second: 1}", ".second",
         "the field 'second' is unknown; did you mean 'seconds'?"),
        ("[1s]", "", "must be a duration such as 1s, 500ms or 1m30s, not a list"),
    ],
)  # fmt: skip
def test_bounds_of_the_fill_interval(text, path, message):
    found = the_fault(limit(f"{{fill_interval: {text}, quota: 5}}"))
    assert found == f"{AT}.limit.fill_interval{path}: {message}"


def test_a_limit_needs_its_interval_and_its_quota():
    assert faults(limit("{}")) == [
        f"{AT}.limit.fill_interval: is required",
        f"{AT}.limit.quota: is required",
    ]
    assert the_fault(limiter("configs:\n- name: x\n")) == f"{AT}.limit: is required"


def test_a_limit_of_nothing_refuses_all_and_says_so():
    text = limit("{fill_interval: 1s, quota: 0}")
    assert the_limit(text).limit.quota == 0
    assert remarks(text) == [f"{AT}.limit.quota: 0 refuses every request"]


def test_defaults_of_a_limit():
    rule = the_limit(limit(LIMIT)).limit
    assert (rule.status, rule.body, rule.headers) == (429, "local_rate_limited", ())
    assert rule.per_connection is False


@pytest.mark.parametrize("status", [400, 429, 503, 599])
def test_a_status_is_an_error_status(status):
    text = limit(f"{{fill_interval: 1s, quota: 5, status: {status}}}")
    clean(text)
    assert the_limit(text).limit.status == status


@pytest.mark.parametrize("status", [0, 200, 399])
def test_a_status_below_400_becomes_429_with_a_warning(status):
    text = limit(f"{{fill_interval: 1s, quota: 5, status: {status}}}")
    assert the_limit(text).limit.status == 429
    assert remarks(text) == [f"{AT}.limit.status: below 400 a refusal is sent as 429"]


@pytest.mark.parametrize("status", ["600", "-1", "TooManyRequests"])
def test_no_other_number_is_a_status(status):
    found = the_fault(limit(f"{{fill_interval: 1s, quota: 5, status: {status}}}"))
    assert found == f"{AT}.limit.status: must be a whole number from 0 to 599, not '{status}'"


def test_a_bucket_per_connection_is_kept():
    text = limit("{fill_interval: 1s, quota: 5, per_downstream_connection: true}")
    assert the_limit(text).limit.per_connection is True
    clean(text)


def test_a_custom_body_is_sent_as_written_and_is_not_empty():
    text = limit("{fill_interval: 1s, quota: 5, custom_response_body: '{\"ret\": 1}'}")
    assert the_limit(text).limit.body == '{"ret": 1}'
    assert the_fault(text.replace("'{\"ret\": 1}'", "''")) == (
        f"{AT}.limit.custom_response_body: must be a text that is not empty, not ''"
    )


def test_both_names_of_headers_are_merged_and_the_current_one_wins():
    text = limit(
        "{fill_interval: 1s, quota: 5, response_headers_to_add: {x-a: new, X-B: b}, "
        "response_header_to_add: {X-A: old, x-c: c}}"
    )
    assert the_limit(text).limit.headers == (("x-a", "new"), ("x-c", "c"), ("X-B", "b"))
    assert remarks(text) == [
        f"{AT}.limit.response_header_to_add: is deprecated: write response_headers_to_add"
    ]


@pytest.mark.parametrize("name", ["response_headers_to_add", "response_header_to_add"])
@pytest.mark.parametrize(
    ("headers", "path", "message"),
    [
        ("{}", "", "must not be empty"),
        ('{x-a: "a\\r\\nb: c"}', ".x-a", "must be a header value, without line breaks or controls"),
        ('{x-a: "a\\nb"}', ".x-a", "must be a header value, without line breaks or controls"),
        ('{x-a: "\\0"}', ".x-a", "must be a header value, without line breaks or controls"),
        ("{'a b': c}", "", "must be the name of a header"),
        ('{"a\\n": c}', "", "must be the name of a header"),
        ("{'': c}", "", "must be the name of a header"),
        ("{x-a: [b]}", ".x-a", "must be a text, not a list"),
    ],
)
def test_bounds_of_headers(name, headers, path, message):
    found = the_fault(limit(f"{{fill_interval: 1s, quota: 5, {name}: {headers}}}"))
    assert found.startswith(f"{AT}.limit.{name}{path}: {message}")


@pytest.mark.parametrize(("seconds", "quota"), [(2, 60), (10, 3600), (30, 60)])
def test_two_numbers_that_look_swapped_are_pointed_out(seconds, quota):
    (remark,) = remarks(limit(f"{{fill_interval: {{seconds: {seconds}}}, quota: {quota}}}"))
    assert remark.startswith(f"{AT}.limit.quota: {quota} each {seconds}s is ")
    assert remark.endswith(f"if {seconds} each {quota}s is meant, swap the two numbers")


@pytest.mark.parametrize(("seconds", "quota"), [(60, 2), (1, 60), (60, 60), (1, 10), (2, 100)])
def test_other_numbers_are_not(seconds, quota):
    clean(limit(f"{{fill_interval: {{seconds: {seconds}}}, quota: {quota}}}"))


# -- overrides -----------------------------------------------------------------------------------


def test_an_override_has_its_own_limit_and_its_requests():
    text = override(
        "{header_match: [{name: X-Tier, exact_match: gold}], "
        "query_match: [{name: debug, present_match: true}], "
        "remote_address: {address: 10.0.0.0, v4_prefix_mask_len: 8}}",
        "{fill_interval: 2s, quota: 50, status: 503}",
    )
    clean(text)
    (found,) = the_limit(text).overrides
    assert (found.limit.quota, found.limit.fill_interval, found.limit.status) == (50, 2, 503)
    assert found.match == RequestMatch(
        headers=(HeaderMatch("x-tier", Op.EXACT, "gold"),),
        queries=(QueryMatch("debug", Op.PRESENT),),
        address=AddressMatch("10.0.0.0", 8, None),
    )


def test_an_override_needs_its_limit():
    text = config("limit_overrides: [{request_match: {}}]")
    assert the_fault(text) == f"{AT}.limit_overrides[0].limit: is required"


@pytest.mark.parametrize("text", ["{limit: %s}", "{request_match: {}, limit: %s}"])
def test_an_override_for_every_request_says_so(text):
    manifest_text = config(f"limit_overrides: [{text % LIMIT}]")
    assert remarks(manifest_text) == [
        f"{AT}.limit_overrides[0]: matches every request: later ones are never reached"
    ]
    assert the_limit(manifest_text).overrides[0].match == RequestMatch()


def test_distinct_is_named_in_both_places():
    text = config(
        f"distinct: [a], limit_overrides: [{{request_match: {{header_match: [{{name: a, "
        f"exact_match: b}}]}}, "
        f"limit: {LIMIT}, distinct: [b]}}]"
    )
    assert sorted(remarks(text)) == [
        f"{AT}.distinct: has no effect in this version: one bucket serves all values",
        (
            f"{AT}.limit_overrides[0].distinct: has no effect in this version: one bucket serves "
            f"all values"
        ),
    ]


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ("exact_match: a", HeaderMatch("x", Op.EXACT, "a")),
        ("prefix_match: a", HeaderMatch("x", Op.PREFIX, "a")),
        ("suffix_match: a", HeaderMatch("x", Op.SUFFIX, "a")),
        ("regex_match: a.*", HeaderMatch("x", Op.REGEX, "a.*")),
        ("present_match: true", HeaderMatch("x", Op.PRESENT)),
        ("present_match: false", HeaderMatch("x", Op.PRESENT, "false")),
        ("is_exact_match_empty: true", HeaderMatch("x", Op.EXACT, "")),
        ("exact_match: a, invert_match: true", HeaderMatch("x", Op.EXACT, "a", invert=True)),
        ("exact_match: a, invert_match: false", HeaderMatch("x", Op.EXACT, "a")),
        ("exact_match: a, present_match: false", HeaderMatch("x", Op.EXACT, "a")),
        ("exact_match: '', prefix_match: a", HeaderMatch("x", Op.PREFIX, "a")),
    ],
)
def test_header_matchers(matcher, expected):
    text = override(f"{{header_match: [{{name: X, {matcher}}}]}}")
    clean(text)
    assert the_limit(text).overrides[0].match.headers == (expected,)


@pytest.mark.parametrize("matcher", ["", "exact_match: ''", "is_exact_match_empty: false"])
def test_a_header_matcher_without_a_test_looks_at_presence_and_says_so(matcher):
    text = override(f"{{header_match: [{{name: x, {matcher}}}]}}")
    assert the_limit(text).overrides[0].match.headers == (HeaderMatch("x", Op.PRESENT),)
    assert remarks(text) == [
        (
            f"{AT}.limit_overrides[0].request_match.header_match[0]: "
            "tests no value, only that the header is there"
        )
    ]


@pytest.mark.parametrize(
    ("matcher", "fault"),
    [
        ("{exact_match: a}", ".name: is required"),
        ("{name: '', exact_match: a}", ".name: must be a text that is not empty, not ''"),
        ("{name: x, exact_match: a, prefix_match: b}",
         ": exact_match and prefix_match exclude each other"),
        ("{name: x, regex_match: a, present_match: true}",
         ": regex_match and present_match exclude each other"),
        ("{name: x, contains_match: a}",
         ".contains_match: the field 'contains_match' is unknown; did you mean 'invert_match'?"),
    ],
)  # fmt: skip
def test_bounds_of_header_matchers(matcher, fault):
    found = the_fault(override(f"{{header_match: [{matcher}]}}"))
    assert found == f"{AT}.limit_overrides[0].request_match.header_match[0]{fault}"


def test_a_regular_expression_must_be_one():
    found = the_fault(override("{header_match: [{name: x, regex_match: 'a('}]}"))
    assert "regex_match: must be a regular expression (missing ), unterminated" in found
    clean(override(r"{header_match: [{name: x, regex_match: '[[:alpha:]]+\z'}]}"))


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ("exact_match: a", QueryMatch("X", Op.EXACT, "a")),
        ("prefix_match: a", QueryMatch("X", Op.PREFIX, "a")),
        ("suffix_match: a, ignore_case: true", QueryMatch("X", Op.SUFFIX, "a", ignore_case=True)),
        ("contains_match: a", QueryMatch("X", Op.CONTAINS, "a")),
        ("regex_match: a+", QueryMatch("X", Op.REGEX, "a+")),
        ("present_match: true", QueryMatch("X", Op.PRESENT)),
        ("present_match: false", QueryMatch("X", Op.PRESENT, "false")),
    ],
)
def test_query_matchers(matcher, expected):
    text = override(f"{{query_match: [{{name: X, {matcher}}}]}}")
    clean(text)
    assert the_limit(text).overrides[0].match.queries == (expected,)


@pytest.mark.parametrize("matcher", ["regex_match: a", "present_match: true"])
def test_ignore_case_has_no_effect_beside_some_tests(matcher):
    text = override(f"{{query_match: [{{name: x, {matcher}, ignore_case: true}}]}}")
    (remark,) = remarks(text)
    assert remark.endswith("ignore_case: has no effect beside regex_match and present_match")
    assert the_limit(text).overrides[0].match.queries[0].ignore_case is False


@pytest.mark.parametrize(
    ("matcher", "fault"),
    [
        ("{exact_match: a}", ".name: is required"),
        ("{name: x}", (": must have one of exact_match, prefix_match, suffix_match, "
                      "contains_match, regex_match, present_match")),
        ("{name: x, exact_match: a, present_match: true}",
         ": exact_match and present_match exclude each other"),
    ],
)  # fmt: skip
def test_a_query_matcher_has_exactly_one_test(matcher, fault):
    found = the_fault(override(f"{{query_match: [{matcher}]}}"))
    assert found == f"{AT}.limit_overrides[0].request_match.query_match[0]{fault}"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("{address: 10.1.2.3}", AddressMatch("10.1.2.3")),
        ("{address: 'fd00::', v6_prefix_mask_len: 8}", AddressMatch("fd00::", None, 8)),
        ("{address: 0.0.0.0, v4_prefix_mask_len: 0}", AddressMatch("0.0.0.0", 0)),
    ],
)
def test_remote_addresses(address, expected):
    text = override(f"{{remote_address: {address}}}")
    assert the_limit(text).overrides[0].match.address == expected


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("{v4_prefix_mask_len: 8}", ".address: is required"),
        ("{address: web}", ".address: must be an IP address, not 'web'"),
        ("{address: 10.0.0.0/8}", (".address: must be an IP address (the mask goes into "
                                  "v4_prefix_mask_len or v6_prefix_mask_len), not '10.0.0.0/8'")),
        ("{address: 10.0.0.0, v4_prefix_mask_len: 33}",
         ".v4_prefix_mask_len: must be a whole number from 0 to 32, not '33'"),
        ("{address: '::', v6_prefix_mask_len: 129}",
         ".v6_prefix_mask_len: must be a whole number from 0 to 128, not '129'"),
    ],
)  # fmt: skip
def test_bounds_of_remote_addresses(address, fault):
    found = the_fault(override(f"{{remote_address: {address}}}"))
    assert found == f"{AT}.limit_overrides[0].request_match.remote_address{fault}"
