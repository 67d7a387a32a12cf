"""Scalars are read by the type of their field, from the text that stands there."""

import pytest

from manifest.helpers import (
    breaker,
    clean,
    faults,
    limit,
    limiter,
    quota,
    remarks,
    the_breaker,
    the_fault,
    the_limit,
    the_quota,
)

REFUSES = "Kubernetes would refuse a {} here; quote it"


def header(value):
    return limit(f"{{fill_interval: 1s, quota: 5, response_headers_to_add: {{x-a: {value}}}}}")


@pytest.mark.parametrize(
    "text", ["true", "True", "false", "on", "off", "yes", "No", "y", "n", "010", "0x10", "1e3",
             "1.0", ".5", "60", "-3", "1_000", ".inf", ".nan", "+12", "0o17", "0b11"]
)  # fmt: skip
def test_a_text_keeps_what_yaml_would_have_changed_and_a_warning_says_so(text):
    manifest = header(text)
    assert the_limit(manifest).limit.headers == (("x-a", text),)
    kind = "boolean" if text.isalpha() else "number"
    path = "spec.configs[0].limit.response_headers_to_add.x-a"
    assert remarks(manifest) == [f"{path}: {REFUSES.format(kind)}"]


@pytest.mark.parametrize(
    "text",
    ["plain", "1:30", "2024-12-18", "1.2.3", "v1", "none", "0.5s", "a b", "yesno", "1e", "-"],
)
def test_other_plain_texts_are_texts_to_kubernetes_too(text):
    manifest = header(text if text != "-" else "'-'")
    clean(manifest)
    assert the_limit(manifest).limit.headers == (("x-a", text),)


@pytest.mark.parametrize("quote", ["'true'", '"true"', "!!str true"])
def test_a_quoted_text_needs_no_warning(quote):
    clean(header(quote))
    assert the_limit(header(quote)).limit.headers == (("x-a", "true"),)


def test_a_block_text_is_a_text():
    manifest = limiter(
        "configs:\n- limit:\n    fill_interval: 1s\n    quota: 5\n"
        "    custom_response_body: |\n      true\n      no more\n"
    )
    assert the_limit(manifest).limit.body == "true\nno more\n"


@pytest.mark.parametrize(("text", "value"), [("5", 5), ("+5", 5), ("5.0", 5), ("1e2", 100)])
def test_a_whole_number_is_decimal(text, value):
    assert the_limit(limit(f"{{fill_interval: 1s, quota: {text}}}")).limit.quota == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sixty", "must be a whole number from 0, not 'sixty'"),
        ("-1", "must be a whole number from 0, not '-1'"),
        ("5.5", "must be a whole number from 0, not '5.5'"),
        ("0x10", "must be a whole number from 0, not '0x10'"),
        ("1_000", "must be a whole number from 0, not '1_000'"),
        ("true", "must be a whole number from 0, not 'true'"),
        ("010", "must be a decimal number without leading zeros, such as 10 from 0, not '010'"),
        ("2147483648", "must be a whole number of at most 2147483647, not '2147483648'"),
        ('"60"', "must be a whole number from 0, not the text '60': remove the quotes"),
        ("[60]", "must be a whole number from 0, not a list"),
        ("{a: 60}", "must be a whole number from 0, not a mapping"),
    ],
)
def test_what_is_no_whole_number_is_told_with_its_value(text, message):
    found = the_fault(limit(f"{{fill_interval: 1s, quota: {text}}}"))
    assert found == f"spec.configs[0].limit.quota: {message}"


def test_a_64_bit_number_may_be_a_text():
    assert the_limit(limit('{fill_interval: {seconds: "60"}, quota: 5}')).limit.fill_interval == 60


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("false", False), ("True", True), ("FALSE", False)],
)
def test_a_boolean_is_true_or_false(text, value):
    manifest = limiter(f"isGateway: {text}\nconfigs:\n- limit: {{fill_interval: 1s, quota: 5}}\n")
    assert the_limit(manifest).scope.gateway is value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yes", "must be true or false (write true), not 'yes'"),
        ("on", "must be true or false (write true), not 'on'"),
        ("Off", "must be true or false (write false), not 'Off'"),
        ("n", "must be true or false (write false), not 'n'"),
        ("1", "must be true or false, not '1'"),
        ("tRue", "must be true or false, not 'tRue'"),
        ('"true"', "must be true or false, not the text 'true': remove the quotes"),
        ("[true]", "must be true or false, not a list"),
    ],
)
def test_no_other_spelling_is_a_boolean(text, message):
    assert the_fault(limiter(f"isGateway: {text}\nconfigs: []\n")) == f"spec.isGateway: {message}"


@pytest.mark.parametrize(
    ("text", "value"), [("10", 10), ("10.0", 10), ("0.5", 0.5), ("1e3", 1000), ("2.5e-1", 0.25)]
)
def test_a_number_is_an_int_where_it_is_whole(text, value):
    rule = the_quota(
        quota(f"bucket_capacity: {text}\nfill_amount: 1\nrate_limiter: {{interval: 1s}}")
    )
    assert rule.capacity == value
    assert type(rule.capacity) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("many", "must be a number from 0, not 'many'"),
        ("-1", "must be a number from 0, not '-1'"),
        (".inf", "must be a number from 0, not '.inf'"),
        ("1e999", "must be a finite number from 0, not '1e999'"),
        ('"10"', "must be a number from 0, not the text '10': remove the quotes"),
        ("[1]", "must be a number from 0, not a list"),
    ],
)
def test_what_is_no_number_is_told_with_its_value(text, message):
    manifest = quota(f"bucket_capacity: {text}\nfill_amount: 1\nrate_limiter: {{interval: 1s}}")
    assert the_fault(manifest) == f"spec.quota_scheduler.bucket_capacity: {message}"


@pytest.mark.parametrize(
    ("text", "value"), [("0.5s", 0.5), ("500ms", 0.5), ("1m30s", 90), ('"2s"', 2), ("8ms", 0.008)]
)
def test_a_duration_is_seconds(text, value):
    assert (
        the_breaker(breaker(f"{{slow_request_rt: {text}, max_slow_requests: 1}}")).slow_after
        == value
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1", "must be a duration with its unit, such as 1s, not '1'"),
        ("-1s", "must be a duration from 0s, not '-1s'"),
        ("soon", "must be a duration such as 1s, 500ms or 1m30s, not 'soon'"),
        ("{seconds: 1}", "must be a duration such as 1s, 500ms or 1m30s, not a mapping"),
    ],
)
def test_what_is_no_duration_is_told_with_its_value(text, message):
    found = the_fault(breaker(f"{{slow_request_rt: {text}, max_slow_requests: 1}}"))
    assert found == f"spec.configs[0].breaker_config.slow_request_rt: {message}"


@pytest.mark.parametrize("null", ["", "~", "null", "Null", "NULL"])
def test_null_is_absent(null):
    clean(
        limiter(
            f"workloadSelector: {null}\nisGateway: {null}\nconfigs:\n- limit: "
            f"{{fill_interval: 1s, quota: 5}}\n"
        )
    )
    assert faults(limit(f"{{fill_interval: 1s, quota: {null}}}")) == [
        "spec.configs[0].limit.quota: is required"
    ]


def test_a_quoted_null_is_a_text():
    rule = the_limit(limiter('configs:\n- name: "null"\n  limit: {fill_interval: 1s, quota: 5}\n'))
    assert rule.source.rule == "null"


def test_a_null_in_a_map_is_a_fault_since_a_selector_without_it_would_select_more():
    found = the_fault(limiter("workloadSelector: {labels: {app: }}\nconfigs: []\n"))
    assert found == "spec.workloadSelector.labels.app: must be a text, not null"


def test_a_null_in_a_list_is_a_fault():
    assert the_fault(limiter("configs:\n- \n")) == "spec.configs[0]: must be a mapping, not null"


def test_a_long_value_is_cut_in_the_message():
    found = the_fault(limit(f"{{fill_interval: 1s, quota: {'x' * 500}}}"))
    assert found.endswith(f"not '{'x' * 60}'…")


@pytest.mark.parametrize("text", ["app", "true", "[a]"])
def test_a_mapping_must_be_one(text):
    assert faults(limiter(f"workloadSelector: {text}\nconfigs: []"))[0].startswith(
        "spec.workloadSelector: must be a mapping, not "
    )
