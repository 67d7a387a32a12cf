"""ASMCircuitBreaker, row by row."""

import pytest

from manifest.helpers import (
    BREAKER,
    breaker,
    clean,
    document,
    faults,
    remarks,
    the_breaker,
    the_fault,
)
from trafficcore import manifest
from trafficcore.spec import Response, Service, VirtualHost

AT = "spec.configs[0]"


def spec(text):
    return document("ASMCircuitBreaker", text, "istio.alibabacloud.com/v1")


def test_defaults():
    rule = the_breaker(breaker("{error_percent: {value: 50}}"))
    assert (rule.window, rule.open_for, rule.min_requests) == (10, 30, 0)
    assert (rule.slow_after, rule.max_slow, rule.gateway_error_percent) == (None, None, None)
    assert (rule.error_percent, rule.response) == (50, None)


def test_every_field_that_acts():
    text = breaker(
        "{window_size: 12s, break_duration: 1m30s, slow_request_rt: 0.5s, max_slow_requests: 5, "
        "error_percent: {value: 60}, gateway_error_percent: {value: 40}, min_request_amount: 3, "
        'custom_response: {status_code: 498, header_to_add: {x-a: "true"}, body: delay break!}}'
    )
    clean(text)
    rule = the_breaker(text)
    assert (rule.window, rule.open_for, rule.slow_after, rule.max_slow) == (12, 90, 0.5, 5)
    assert (rule.error_percent, rule.gateway_error_percent, rule.min_requests) == (60, 40, 3)
    assert rule.response == Response(status=498, headers=(("x-a", "true"),), body="delay break!")
    assert rule.scope.vhost == VirtualHost("web.shop.svc.cluster.local")
    assert rule.can_trip


def test_spec_and_configs_are_required():
    assert the_fault(spec("").replace("spec:", "")) == "spec: is required"
    assert the_fault(spec("isGateway: true\n")) == "spec.configs: is required"
    assert the_fault(spec("configs: []\n")) == "spec.configs: must hold at least 1 item"


def test_one_of_match_and_target_services():
    def config(text):
        return spec(f"configs:\n- {{breaker_config: {BREAKER}{text}}}\n")

    wanted = f"{AT}: must have one of match, target_services"
    assert the_fault(config("")) == wanted
    assert the_fault(config(", match: {}, target_services: [{name: a}]")) == (
        f"{AT}: match and target_services exclude each other"
    )
    clean(config(", match: {}"))
    rule = the_breaker(config(", target_services: [{name: httpbin, port: 8000}]"))
    assert rule.scope.services == (Service("httpbin.shop.svc.cluster.local", 8000),)


def test_a_breaker_config_is_required_and_has_a_field():
    assert the_fault(spec("configs:\n- match: {}\n")) == f"{AT}.breaker_config: is required"
    assert f"{AT}.breaker_config: must have at least one field" in faults(breaker("{}"))
    assert f"{AT}.breaker_config: must have at least one field" in faults(
        breaker("{window_size: }")
    )


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ("window_size: 0s", "window_size", "must be a duration above 0s, not '0s'"),
        ("window_size: 10", "window_size",
         "must be a duration with its unit, such as 1s, not '10'"),
        ("window_size: -1s", "window_size", "must be a duration from 0s, not '-1s'"),
        ("break_duration: soon", "break_duration",
         "must be a duration such as 1s, 500ms or 1m30s, not 'soon'"),
        ("max_slow_requests: -1", "max_slow_requests", "must be a whole number from 0, not '-1'"),
        ("max_slow_requests: 4294967296", "max_slow_requests",
         "must be a whole number of at most 4294967295, not '4294967296'"),
        ("min_request_amount: 1.5", "min_request_amount",
         "must be a whole number from 0, not '1.5'"),
        ("error_percent: 60", "error_percent", "must be a mapping, not '60'"),
        ("error_percent: {value: 101}", "error_percent.value",
         "must be a whole number from 0 to 100, not '101'"),
        ("gateway_error_percent: {value: -1}", "gateway_error_percent.value",
         "must be a whole number from 0 to 100, not '-1'"),
        ("error_percent: {percent: 5}", "error_percent.percent", "the field 'percent' is unknown"),
        ("average_request_rt: fast", "average_request_rt",
         "must be a duration such as 1s, 500ms or 1m30s, not 'fast'"),
        ("custom_response: {}", "custom_response", "must have at least one field"),
        ("custom_response: {status_code: 199}", "custom_response.status_code",
         "must be a whole number from 200 to 599, not '199'"),
        ("custom_response: {status_code: 600}", "custom_response.status_code",
         "must be a whole number from 200 to 599, not '600'"),
        ("custom_response: {body: ''}", "custom_response.body",
         "must be a text that is not empty, not ''"),
        ("custom_response: {header_to_add: {}}", "custom_response.header_to_add",
         "must not be empty"),
        ('custom_response: {header_to_add: {a: "x\\r\\ny"}}', "custom_response.header_to_add.a",
         "must be a header value, without line breaks or controls, not 'x\\r\\ny'"),
    ],
)  # fmt: skip
def test_bounds(fields, path, message):
    base = "slow_request_rt: 1s, max_slow_requests: 5, "
    if fields.startswith("max_slow"):
        base = "slow_request_rt: 1s, "
    assert the_fault(breaker(f"{{{base}{fields}}}")) == f"{AT}.breaker_config.{path}: {message}"


def test_a_window_longer_than_asm_allows_is_accepted_with_a_warning():
    text = breaker(f"{{window_size: 12001ms, {BREAKER[1:]}")
    assert the_breaker(text).window == 12.001
    assert remarks(text) == [
        f"{AT}.breaker_config.window_size: ASM allows at most 12s; accepted here"
    ]
    clean(breaker(f"{{window_size: 12s, {BREAKER[1:]}"))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ("{max_slow_requests: 5}", "max_slow_requests needs slow_request_rt"),
        ("{slow_request_rt: 1s}", "slow_request_rt needs max_slow_requests"),
        ("{window_size: 5s}", "no rule has a threshold above 0"),
        ("{slow_request_rt: 1s, max_slow_requests: 0}", "no rule has a threshold above 0"),
        ("{error_percent: {}}", "no rule has a threshold above 0"),
        ("{error_percent: {value: 0}, gateway_error_percent: {value: 0}}",
         "no rule has a threshold above 0"),
    ],
)  # fmt: skip
def test_a_breaker_that_can_never_trip_loads_and_says_why(fields, why):
    text = breaker(fields)
    assert remarks(text) == [f"{AT}.breaker_config: can never trip: {why}"]
    assert not the_breaker(text).can_trip


def test_an_absent_percentage_is_zero():
    rule = the_breaker(breaker("{error_percent: {}, slow_request_rt: 1s, max_slow_requests: 5}"))
    assert rule.error_percent == 0


def test_a_break_of_no_time_is_left_out_and_named():
    text = breaker(f"{{break_duration: 0s, {BREAKER[1:]}")
    assert manifest.load(text).breakers == ()
    assert remarks(text) == [
        f"{AT}.breaker_config.break_duration: 0s never refuses: the rule is left out"
    ]


def test_the_average_rule_is_named_as_without_effect():
    text = breaker(f"{{average_request_rt: 1s, {BREAKER[1:]}")
    assert remarks(text) == [
        (
            f"{AT}.breaker_config.average_request_rt: has no effect: "
            "what it should do is documented nowhere"
        )
    ]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("{status_code: 200}", Response(status=200)),
        ("{body: b}", Response(body="b")),
        ("{header_to_add: {x-a: b}}", Response(headers=(("x-a", "b"),))),
    ],
)
def test_a_custom_response_may_have_any_part(response, expected):
    assert (
        the_breaker(breaker(f"{{custom_response: {response}, {BREAKER[1:]}")).response == expected
    )


def test_the_articles_boolean_header_stays_the_text_it_was():
    text = breaker(
        f"{{custom_response: {{header_to_add: {{x-envoy-overload: true}}}}, {BREAKER[1:]}"
    )
    response = the_breaker(text).response
    assert response is not None
    assert response.headers == (("x-envoy-overload", "true"),)
    assert remarks(text) == [
        (
            f"{AT}.breaker_config.custom_response.header_to_add.x-envoy-overload: "
            "Kubernetes would refuse a boolean here; quote it"
        ),
        (
            f"{AT}.breaker_config.custom_response.header_to_add.x-envoy-overload: "
            "clients look for x-envoy-overloaded; nobody looks for x-envoy-overload"
        ),
    ]


def test_several_configs_are_several_rules_in_their_order():
    text = spec(
        f"configs:\n- {{name: a, match: {{}}, breaker_config: {BREAKER}}}\n"
        f"- {{name: b, match: {{}}, breaker_config: {BREAKER}}}\n"
    )
    assert [rule.source.rule for rule in manifest.load(text).breakers] == ["a", "b"]


@pytest.mark.parametrize("percent", ["{value: 101}", "5"])
def test_a_faulty_rule_is_told_once_and_not_as_one_that_never_trips(percent):
    report = manifest.check(breaker(f"{{error_percent: {percent}}}"))
    assert len(report.problems) == 1


def test_one_whole_rule_is_enough_to_trip():
    text = breaker("{slow_request_rt: 1s, max_slow_requests: 0, error_percent: {value: 50}}")
    clean(text)
    assert the_breaker(text).can_trip
    clean(breaker("{slow_request_rt: 1s, gateway_error_percent: {value: 1}}"))
