"""QuotaSchedulingPolicy, row by row."""

import pytest

from manifest.helpers import QUOTA, clean, document, faults, quota, remarks, the_fault, the_quota
from trafficcore import manifest
from trafficcore.spec import (
    Direction,
    Expression,
    LabelKeys,
    LabelMatcher,
    QuotaSelector,
    RequestParts,
    Requirement,
    RequirementOp,
    Workload,
    WorkloadParameters,
)

AT = "spec.quota_scheduler"
LATER = "has no effect in this version"
SECTION = "has no effect in process: a service is found by its name, namespace and port"


def scheduler(text, more=""):
    return quota(f"{QUOTA}scheduler: {text}\n{more}")


def matcher(text):
    return scheduler(f"{{workloads: [{{name: w, label_matcher: {text}}}]}}")


def limiter(text):
    return quota(f"bucket_capacity: 10\nfill_amount: 10\nrate_limiter: {text}\n")


def test_defaults():
    text = quota(QUOTA)
    clean(text)
    rule = the_quota(text)
    assert (rule.capacity, rule.fill_amount, rule.interval) == (10, 10, 1)
    assert (rule.continuous_fill, rule.delay_initial_fill) == (True, False)
    assert (rule.namespace, rule.labels, rule.direction, rule.gateway) == ("shop", (), None, None)
    assert rule.selectors == (QuotaSelector(service="", control_point="ingress"),)
    assert (rule.workloads, rule.default, rule.denied_status) == ((), WorkloadParameters(), 503)
    assert rule.source.path == AT
    assert rule.source.line == 8


def test_the_bucket():
    text = quota(
        "bucket_capacity: 30.5\nfill_amount: 15\n"
        "rate_limiter: {interval: 1m, continuous_fill: false, delay_initial_fill: true}\n"
    )
    clean(text)
    rule = the_quota(text)
    assert (rule.capacity, rule.fill_amount, rule.interval) == (30.5, 15, 60)
    assert (rule.continuous_fill, rule.delay_initial_fill) == (False, True)


def test_what_is_required():
    assert the_fault(document("QuotaSchedulingPolicy", "apply_to_traffic: gateway\n",
                              "istio.alibabacloud.com/v1")) == f"{AT}: is required"  # fmt: skip
    assert faults(quota("scheduler: {}\n")) == [
        f"{AT}.bucket_capacity: is required",
        f"{AT}.fill_amount: is required",
        f"{AT}.rate_limiter: is required",
    ]
    assert the_fault(limiter("{}")) == f"{AT}.rate_limiter.interval: is required"


@pytest.mark.parametrize("name", ["bucket_capacity", "fill_amount"])
def test_a_bucket_of_nothing_loads_and_says_so(name):
    text = quota(QUOTA.replace(f"{name}: 10", f"{name}: 0"))
    assert remarks(text) == [f"{AT}.{name}: 0 lets no request through"]
    assert the_quota(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{interval: 0s}", "interval: must be a duration above 0s, not '0s'"),
        ("{interval: 1}", "interval: must be a duration with its unit, such as 1s, not '1'"),
        ("{interval: 1s, continuous_fill: yes}",
         "continuous_fill: must be true or false (write true), not 'yes'"),
        ("{interval: 1s, lazy_sync: {num_sync: 0}}",
         "lazy_sync.num_sync: must be a whole number from 1, not '0'"),
        ("{interval: 1s, max_idle_time: 1}",
         "max_idle_time: must be a duration with its unit, such as 1s, not '1'"),
        ("{interval: 1s, continous_fill: true}", ("continous_fill: the field 'continous_fill' is "
                                                 "unknown; did you mean 'continuous_fill'?")),
    ],
)  # fmt: skip
def test_bounds_of_the_limiter(text, fault):
    assert the_fault(limiter(text)) == f"{AT}.rate_limiter.{fault}"


def test_a_bucket_per_label():
    text = limiter("{interval: 1s, limit_by_label_key: k}")
    clean(text)
    assert the_quota(text).keys == LabelKeys(limit="k")
    old = limiter("{interval: 1s, label_key: k}")
    assert the_quota(old).keys == LabelKeys(limit="k")
    assert remarks(old) == [f"{AT}.rate_limiter.label_key: is deprecated: write limit_by_label_key"]
    both = limiter("{interval: 1s, label_key: old, limit_by_label_key: new}")
    assert the_quota(both).keys == LabelKeys(limit="new")
    assert the_quota(limiter("{interval: 1s, limit_by_label_key: ''}")).keys == LabelKeys()


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("7200s", 7200), ("2h", 7200)])
def test_idle_time(text, seconds):
    found = limiter(f"{{interval: 1s, max_idle_time: {text}}}")
    clean(found)
    assert the_quota(found).max_idle_time == seconds


def test_lazy_sync_is_a_notice():
    (problem,) = manifest.check(
        limiter("{interval: 1s, lazy_sync: {enabled: true, num_sync: 4}}")
    ).warnings
    assert problem.severity == "notice"
    assert problem.message == "has no effect in process: there is nobody to agree with"


# -- who and what --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("traffic", "direction", "gateway"),
    [
        ("gateway", Direction.INBOUND, True),
        ("sidecar_inbound", Direction.INBOUND, False),
        ("sidecar_outbound", Direction.OUTBOUND, False),
    ],
)
def test_which_traffic(traffic, direction, gateway):
    rule = the_quota(quota(QUOTA, f"apply_to_traffic: {traffic}\n"))
    assert (rule.direction, rule.gateway) == (direction, gateway)


def test_there_are_no_waypoints_here():
    assert the_fault(quota(QUOTA, "apply_to_traffic: waypoint\n")) == (
        "spec.apply_to_traffic: must be one of gateway, sidecar_inbound, sidecar_outbound, "
        "not 'waypoint'"
    )


def test_labels_select_workloads():
    rule = the_quota(quota(QUOTA, "workload_selector: {labels: {app: web}}\n"))
    assert rule.labels == (("app", "web"),)


def test_names_in_camel_case_are_unknown_here():
    assert the_fault(quota(QUOTA, "workloadSelector: {}\n")) == (
        "spec.workloadSelector: the field 'workloadSelector' is unknown; "
        "did you mean 'workload_selector'?"
    )


def test_classifiers_are_named_unless_there_are_none():
    clean(quota(QUOTA, "resources: {flow_control: {classifiers: []}}\n"))
    clean(quota(QUOTA, "resources: {}\n"))
    assert remarks(quota(QUOTA, "resources: {flow_control: {classifiers: [{x: y}]}}\n")) == [
        f"spec.resources.flow_control.classifiers: {LATER}"
    ]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("{}", QuotaSelector()),
        ("{service: any}", QuotaSelector()),
        ("{service: ''}", QuotaSelector()),
        ("{service: httpbin}", QuotaSelector(service="httpbin.shop.svc.cluster.local")),
        ("{service: A.b.svc.cluster.local, control_point: egress}",
         QuotaSelector(service="a.b.svc.cluster.local", control_point="egress")),
        ("{control_point: my-feature, agent_group: default}",
         QuotaSelector(control_point="my-feature")),
        ("{label_matcher: {match_labels: {a: b}}}",
         QuotaSelector(matcher=LabelMatcher(labels=(("a", "b"),)))),
    ],
)  # fmt: skip
def test_selectors(selector, expected):
    text = quota(f"{QUOTA}selectors: [{selector}]\n")
    clean(text)
    assert the_quota(text).selectors == (expected,)


def test_several_selectors_and_none():
    assert (
        len(the_quota(quota(f"{QUOTA}selectors: [{{service: a}}, {{service: b}}]\n")).selectors)
        == 2
    )
    assert the_quota(quota(f"{QUOTA}selectors: []\n")).selectors == (QuotaSelector(),)


def test_groups_of_selectors_are_named_and_ports_act():
    text = quota(f"{QUOTA}selectors: [{{agent_group: other, port: {{number: 80}}}}]\n")
    assert remarks(text) == [
        f"{AT}.selectors[0].agent_group: has no effect in process: this process is its own agent",
    ]
    assert the_quota(text).selectors == (QuotaSelector(port=80),)


def test_match_requests_are_further_ways_to_select():
    entry = (
        "{method: GET, path: /a/*, host: a.example, scheme: http, headers: {a: b}, "
        "target_service: {name: web, port: 80, kind: Service}}"
    )
    text = quota(f"{QUOTA}match_requests: [{entry}]\n")
    clean(text)
    parts = RequestParts(
        method="GET", path="/a/*", host="a.example", scheme="http", headers=(("a", "b"),)
    )
    service = "web.shop.svc.cluster.local"
    wanted = QuotaSelector(service=service, port=80, request=parts)
    assert the_quota(text).selectors == (wanted,)
    both = quota(f"{QUOTA}selectors: [{{service: other}}]\nmatch_requests: [{entry}]\n")
    other = QuotaSelector(service="other.shop.svc.cluster.local")
    assert the_quota(both).selectors == (other, wanted)
    assert the_quota(quota(f"{QUOTA}match_requests: []\n")).selectors == (QuotaSelector(),)
    section = quota(
        f"{QUOTA}match_requests:\n- target_service: {{name: w, namespace: far, section_name: s}}\n"
    )
    assert remarks(section) == [f"{AT}.match_requests[0].target_service.section_name: {SECTION}"]
    assert the_quota(section).selectors[0].service == "w.far.svc.cluster.local"
    assert the_fault(quota(f"{QUOTA}match_requests: [{{target_service: {{}}}}]\n")) == (
        f"{AT}.match_requests[0].target_service.name: is required"
    )


def test_an_alerter_is_a_notice():
    text = quota(
        f"{QUOTA}alerter: {{alert_name: a, severity: crit, resolve_timeout: 5s, labels: {{a: "
        f"b}}}}\n"
    )
    (problem,) = manifest.check(text).warnings
    assert (problem.severity, problem.path) == ("notice", f"{AT}.alerter")
    assert the_fault(text.replace("crit", "loud")) == (
        f"{AT}.alerter.severity: must be one of info, warn, crit, not 'loud'"
    )


# -- scheduler -----------------------------------------------------------------------------------


def test_workloads_in_their_order():
    text = scheduler(
        "{workloads: [{name: guest, parameters: {priority: 50.0}}, "
        "{label_matcher: {match_labels: {a: b}}, "
        "parameters: {priority: 0.5, tokens: 2, queue_timeout: 100ms}}], "
        "default_workload_parameters: {priority: 3, tokens: 0, queue_timeout: 0s}}"
    )
    rule = the_quota(text)
    assert rule.workloads == (
        Workload(name="guest", parameters=WorkloadParameters(priority=50)),
        Workload(
            name="1",
            matcher=LabelMatcher(labels=(("a", "b"),)),
            parameters=WorkloadParameters(priority=0.5, tokens=2, queue_timeout=0.1),
        ),
    )
    assert rule.default == WorkloadParameters(priority=3, tokens=0, queue_timeout=0)
    assert type(rule.workloads[0].parameters.priority) is int
    assert remarks(text) == [
        f"{AT}.scheduler.workloads[0]: matches every request: later workloads are never reached"
    ]


def test_no_timeout_waits_for_ever():
    assert (
        the_quota(scheduler("{workloads: [{name: a}]}")).workloads[0].parameters.queue_timeout
        is None
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{workloads: [{name: a, label_matcher: {match_labels: {x: y}}}, {name: a}]}",
         "workloads[1].name: the workload 'a' is there twice"),
        ("{workloads: [{label_matcher: {match_labels: {x: y}}}, {name: '0'}]}",
         "workloads[1].name: the workload '0' is there twice"),
        ("{workloads: [{name: ''}]}",
         "workloads[0].name: must be a text that is not empty, not ''"),
        ("{workloads: [{name: a, parameters: {priority: 0}}]}",
         "workloads[0].parameters.priority: must be a number above 0, not '0'"),
        ("{default_workload_parameters: {tokens: -1}}",
         "default_workload_parameters.tokens: must be a number from 0, not '-1'"),
        ("{default_workload_parameters: {queue_timeout: 5}}",
         ("default_workload_parameters.queue_timeout: "
         "must be a duration with its unit, such as 1s, not '5'")),
        ("{decision_deadline_margin: -1s}",
         "decision_deadline_margin: must be a duration from 0s, not '-1s'"),
        ("{workloads: {}}", "workloads: must be a list, not a mapping"),
    ],
)  # fmt: skip
def test_bounds_of_the_scheduler(text, fault):
    assert the_fault(scheduler(text)) == f"{AT}.scheduler.{fault}"


@pytest.mark.parametrize(
    "name", ["priority_label_key", "tokens_label_key", "fairness_label_key", "workload_label_key"]
)
def test_label_keys(name):
    text = scheduler(f"{{{name}: k}}")
    clean(text)
    assert the_quota(text).keys == LabelKeys(**{name.removesuffix("_label_key"): "k"})
    assert the_quota(scheduler(f"{{{name}: ''}}")).keys == LabelKeys()


def test_the_margin_is_ten_milliseconds_unless_it_is_said():
    clean(scheduler("{decision_deadline_margin: 20ms}"))
    assert the_quota(scheduler("{decision_deadline_margin: 20ms}")).deadline_margin == 0.02
    assert the_quota(scheduler("{}")).deadline_margin == the_quota(quota(QUOTA)).deadline_margin
    assert the_quota(scheduler("{}")).deadline_margin == 0.01


@pytest.mark.parametrize(
    ("status", "value"),
    [("429", 429), ('"429"', 429), ("TooManyRequests", 429), ("ServiceUnavailable", 503),
     ("Forbidden", 403), ("OK", 200), ("InternalServerError", 500)],
)  # fmt: skip
def test_a_status_is_a_number_its_text_or_its_name(status, value):
    text = scheduler(f"{{denied_response_status_code: {status}}}")
    clean(text)
    assert the_quota(text).denied_status == value


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("Continue", "must be a status from 200 to 599, or a name such as ServiceUnavailable"),
        ("TOO_MANY", "must be a status from 200 to 599, or a name such as ServiceUnavailable"),
        ("199", "must be a whole number from 200 to 599"),
        ("600", "must be a whole number from 200 to 599"),
    ],
)
def test_nothing_else_is_a_status(status, message):
    found = the_fault(scheduler(f"{{denied_response_status_code: {status}}}"))
    assert found == f"{AT}.scheduler.denied_response_status_code: {message}, not '{status}'"


# -- label matchers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", LabelMatcher()),
        ("{match_labels: {http.method: GET, tier: 'on'}}",
         LabelMatcher(labels=(("http.method", "GET"), ("tier", "on")))),
        ("{match_list: [{key: a, operator: In, values: [u, v]}, {key: b, operator: Exists}]}",
         LabelMatcher(requirements=(Requirement("a", RequirementOp.IN, ("u", "v")),
                                    Requirement("b", RequirementOp.EXISTS)))),
        ("{match_expressions: [{key: a, operator: NotIn, values: [x]}]}",
         LabelMatcher(requirements=(Requirement("a", RequirementOp.NOT_IN, ("x",)),))),
        ("{match_list: [{key: a, operator: DoesNotExist, values: [ignored]}]}",
         LabelMatcher(requirements=(
             Requirement("a", RequirementOp.DOES_NOT_EXIST, ("ignored",)),))),
        ("{expression: {label_exists: a}}",
         LabelMatcher(expression=Expression(kind="label_exists", label="a"))),
        ("{expression: {label_equals: {label: a, value: b}}}",
         LabelMatcher(expression=Expression(kind="label_equals", label="a", value="b"))),
        ("{expression: {label_equals: {label: a}}}",
         LabelMatcher(expression=Expression(kind="label_equals", label="a", value=""))),
        ("{expression: {label_matches: {label: a, regex: '^b(?!c)'}}}",
         LabelMatcher(expression=Expression(kind="label_matches", label="a", value="^b(?!c)"))),
        ("{expression: {not: {not: {label_exists: a}}}}",
         LabelMatcher(expression=Expression(kind="not", of=(
             Expression(kind="not", of=(Expression(kind="label_exists", label="a"),)),)))),
        ("{expression: {all: {of: [{label_exists: a}, {any: {of: []}}]}}}",
         LabelMatcher(expression=Expression(kind="all", of=(
             Expression(kind="label_exists", label="a"), Expression(kind="any"))))),
        ("{expression: {all: {}}}", LabelMatcher(expression=Expression(kind="all"))),
    ],
)  # fmt: skip
def test_label_matchers(text, expected):
    clean(matcher(text))
    assert the_quota(matcher(text)).workloads[0].matcher == expected


def test_the_old_name_of_the_list_counts_only_alone():
    text = matcher(
        "{match_list: [{key: a, operator: Exists}], match_expressions: [{key: b, operator: "
        "Exists}]}"
    )
    assert the_quota(text).workloads[0].matcher.requirements == (
        Requirement("a", RequirementOp.EXISTS),
    )
    assert remarks(text) == [
        (
            f"{AT}.scheduler.workloads[0].label_matcher.match_expressions: has no effect beside "
            f"match_list"
        )
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{match_list: [{operator: In}]}", ".match_list[0].key: is required"),
        ("{match_list: [{key: a}]}", ".match_list[0].operator: is required"),
        ("{match_list: [{key: a, operator: Equals}]}",
         ".match_list[0].operator: must be one of In, NotIn, Exists, DoesNotExist, not 'Equals'"),
        ("{expression: {}}", (".expression: must have one of all, any, not, label_exists, "
                             "label_equals, label_matches")),
        ("{expression: {label_exists: a, not: {label_exists: b}}}",
         ".expression: not and label_exists exclude each other"),
        ("{expression: {label_equals: {value: b}}}",
         ".expression.label_equals.label: is required"),
        ("{expression: {label_matches: {regex: a}}}",
         ".expression.label_matches.label: is required"),
        ("{expression: {label_matches: {label: a}}}",
         ".expression.label_matches.regex: is required"),
        ("{expression: {all: {of: [{label_exists: ''}]}}}",
         ".expression.all.of[0].label_exists: must be a text that is not empty, not ''"),
        ("{expression: {not: {label_exist: a}}}",
         (".expression.not.label_exist: the field 'label_exist' is unknown; "
         "did you mean 'label_exists'?")),
    ],
)  # fmt: skip
def test_bounds_of_label_matchers(text, fault):
    assert the_fault(matcher(text)) == f"{AT}.scheduler.workloads[0].label_matcher{fault}"


def test_a_bad_pattern_is_told_with_its_reason():
    (fault,) = faults(matcher("{expression: {label_matches: {label: a, regex: '('}}}"))
    assert "regex: must be a regular expression (" in fault


@pytest.mark.parametrize(("operator", "holds"), [("In", "never"), ("NotIn", "always")])
def test_a_set_of_nothing_is_pointed_out(operator, holds):
    (remark,) = remarks(matcher(f"{{match_list: [{{key: a, operator: {operator}}}]}}"))
    assert remark.endswith(f"match_list[0]: {operator} without values {holds} holds")


def test_deep_expressions_are_read_as_far_as_the_file_may_be_deep():
    def nested(depth):
        return matcher("{expression: " + "{not: " * depth + "{label_exists: a}" + "}" * depth + "}")

    expression = the_quota(nested(85)).workloads[0].matcher.expression
    depth = 0
    while expression is not None and expression.kind == "not":
        expression, depth = expression.of[0], depth + 1
    assert depth == 85
    assert "nested deeper than 100 levels" in the_fault(nested(200))
