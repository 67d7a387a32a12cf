"""Overrides, workloads and routes behind one that takes all they take."""

import time

import pytest

from judge.helpers import found, said, whole
from trafficcore import manifest
from trafficcore.judge import judge
from trafficcore.judge.conditions import contradict

LIMIT = "{fill_interval: 1s, quota: 5}"


def overrides(*matches):
    items = "".join(f"    - {{request_match: {it}, limit: {LIMIT}}}\n" for it in matches)
    head = f"kind: ASMLocalRateLimiter\nspec:\n  configs:\n  - limit: {LIMIT}\n"
    return f"{head}    limit_overrides:\n{items}"


def header(text):
    return f"{{header_match: [{text}]}}"


def query(text):
    return f"{{query_match: [{{name: q, {text}}}]}}"


def address(text):
    return f"{{remote_address: {{{text}}}}}"


SHADOWED = [
    (header("{name: a, present_match: true}"), header("{name: a, exact_match: x}")),
    (header("{name: a, present_match: true}"), header("{name: a, regex_match: x.*}")),
    (header("{name: a, prefix_match: x}"), header("{name: A, exact_match: xyz}")),
    (header("{name: a, prefix_match: x}"), header("{name: a, prefix_match: xy}")),
    (header("{name: a, suffix_match: z}"), header("{name: a, exact_match: xyz}")),
    (header("{name: a, suffix_match: z}"), header("{name: a, suffix_match: yz}")),
    (header("{name: a, regex_match: x.*}"), header("{name: a, regex_match: x.*}")),
    (header("{name: a, exact_match: x}"), header("{name: a, exact_match: x}, {name: b}")),
    (header("{name: ':method', present_match: true}"), header("{name: a, exact_match: x}")),
    (
        header("{name: a, exact_match: x, invert_match: true}"),
        header("{name: a, exact_match: x, invert_match: true}, {name: b}"),
    ),
    (header("{name: a, present_match: false}"), header("{name: a, invert_match: true}")),
    (header("{name: ':path', prefix_match: /}"), header("{name: ':path', exact_match: /x}")),
    (query("prefix_match: x"), query("exact_match: xy")),
    (query("prefix_match: X, ignore_case: true"), query("exact_match: xy")),
    (query("exact_match: X, ignore_case: true"), query("exact_match: x, ignore_case: true")),
    (query("present_match: true"), query("contains_match: x")),
    (address("address: 10.0.0.0, v4_prefix_mask_len: 8"), address("address: 10.1.2.3")),
    (
        address("address: 10.0.0.0, v4_prefix_mask_len: 0"),
        address("address: 10.1.0.0, v4_prefix_mask_len: 16"),
    ),
    (address("address: 'fd00::', v6_prefix_mask_len: 8"), address("address: 'fd00::1'")),
]
REACHED = [
    (header("{name: a, exact_match: x}"), header("{name: a, prefix_match: x}")),
    (header("{name: a, exact_match: x}"), header("{name: b, exact_match: x}")),
    (header("{name: a, prefix_match: xy}"), header("{name: a, prefix_match: x}")),
    (header("{name: a, prefix_match: x}"), header("{name: a, exact_match: X}")),
    (header("{name: a, prefix_match: x}"), header("{name: a, suffix_match: x}")),
    (header("{name: a, regex_match: .*}"), header("{name: a, exact_match: x}")),
    (header("{name: a, present_match: true}"), header("{name: a, present_match: false}")),
    (header("{name: a, present_match: true}"),
     header("{name: a, exact_match: x, invert_match: true}")),
    (header("{name: a, exact_match: x}, {name: b}"), header("{name: a, exact_match: x}")),
    (query("exact_match: X"), query("exact_match: x, ignore_case: true")),
    (query("exact_match: X"), query("exact_match: x")),
    (address("address: 10.0.0.0, v4_prefix_mask_len: 8"), address("address: 11.1.2.3")),
    (address("address: 10.1.0.0, v4_prefix_mask_len: 16"),
     address("address: 10.0.0.0, v4_prefix_mask_len: 8")),
    (address("address: 0.0.0.0, v4_prefix_mask_len: 0"), address("address: 'fd00::1'")),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), SHADOWED)
def test_an_override_is_shadowed_by_a_wider_one(first, second):
    (line,) = said(overrides(first, second), "TC105")
    assert line == (
        "spec.configs[0].limit_overrides[1]: "
        "is never reached: limit_overrides[0] takes all its requests"
    )


@pytest.mark.parametrize(("first", "second"), REACHED)
def test_an_override_is_reached_behind_another(first, second):
    assert said(overrides(first, second), "TC105") == []


def test_the_place_is_that_of_the_override_and_the_first_taker_is_named():
    one = header("{name: a, exact_match: x}")
    first, second = found(overrides(one, header("{name: b}"), one, one), "TC105")
    assert (first.line, first.column) == (10, 7)
    assert second.message == "is never reached: limit_overrides[0] takes all its requests"


# -- workloads -----------------------------------------------------------------------------------


def workloads(*matchers):
    items = "".join(
        f"      - {{name: w{at}, label_matcher: {it}}}\n" for at, it in enumerate(matchers)
    )
    return (
        "kind: QuotaSchedulingPolicy\nspec:\n  quota_scheduler:\n    bucket_capacity: 10\n"
        "    fill_amount: 10\n    rate_limiter: {interval: 1s}\n    scheduler:\n"
        f"      workloads:\n{items}"
    )


def one_of(key, operator, *values):
    tail = f", values: [{', '.join(values)}]" if values else ""
    return f"{{match_list: [{{key: {key}, operator: {operator}{tail}}}]}}"


@pytest.mark.parametrize(
    ("first", "second"),
    [(one_of("a", "Exists"), "{match_labels: {a: x}}"),
     (one_of("a", "In", "x", "y"), "{match_labels: {a: x, b: z}}"),
     (one_of("a", "In", "x", "y"), one_of("a", "In", "y")),
     (one_of("a", "NotIn", "x"), "{match_labels: {a: y}}"),
     (one_of("a", "NotIn", "x"), one_of("a", "DoesNotExist")),
     (one_of("a", "NotIn", "x"), one_of("a", "NotIn", "x", "y")),
     (one_of("a", "NotIn", "x"), one_of("a", "In", "y", "z")),
     ("{match_labels: {http.request.header.x-user: x}}",
      "{match_labels: {http.request.header.x_user: x, b: z}}"),
     ("{expression: {label_equals: {label: a, value: x}}}", "{match_labels: {a: x}}"),
     ("{expression: {label_exists: a}}",
      "{expression: {label_matches: {label: a, regex: x.*}}}"),
     ("{expression: {not: {label_exists: a}}}", one_of("a", "DoesNotExist")),
     ("{expression: {not: {label_equals: {label: a, value: x}}}}", "{match_labels: {a: y}}"),
     ("{match_labels: {a: x}}",
      "{expression: {all: {of: [{label_exists: b}, {label_equals: {label: a, value: x}}]}}}"),
     ("{expression: {any: {of: [{label_exists: a}]}}}",
      "{expression: {any: {of: [{label_exists: a}]}}, match_labels: {b: x}}")],
)  # fmt: skip
def test_a_workload_is_shadowed_by_a_wider_one(first, second):
    (line,) = said(workloads(first, second), "TC403")
    assert line == (
        "spec.quota_scheduler.scheduler.workloads[1]: "
        "is never reached: the workload 'w0' takes all its requests"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [(one_of("a", "In", "x"), one_of("a", "In", "x", "y")),
     (one_of("a", "In", "x", "y"), "{match_labels: {b: x}}"),
     (one_of("a", "In", "x", "y"), one_of("a", "Exists")),
     (one_of("a", "NotIn", "x"), "{match_labels: {a: x}}"),
     (one_of("a", "NotIn", "x"), one_of("a", "Exists")),
     ("{match_labels: {x-user: x}}", "{match_labels: {x_user: x, b: z}}"),
     ("{expression: {label_matches: {label: a, regex: x.*}}}", "{match_labels: {a: xyz}}"),
     ("{expression: {any: {of: [{label_exists: a}, {label_exists: b}]}}}",
      "{match_labels: {a: x}}")],
)  # fmt: skip
def test_a_workload_is_reached_behind_another(first, second):
    assert said(workloads(first, second), "TC403") == []


# -- routes --------------------------------------------------------------------------------------


def routes(*items):
    lines = "".join(f"  - {item}\n" for item in items)
    return f"kind: VirtualService\nspec:\n  hosts: [web]\n  http:\n{lines}"


@pytest.mark.parametrize(
    ("first", "second"),
    [("{name: all}", "{match: [{uri: {exact: /x}}]}"),
     ("{name: all}", "{name: again}"), ("{match: null}", "{match: []}"),
     ("{match: [{uri: {prefix: /}}]}", "{match: [{method: {exact: GET}}]}"),
     ("{match: [{uri: {prefix: /x}}, {uri: {prefix: /y}}]}",
      "{match: [{uri: {exact: /y/1}}, {uri: {exact: /x/1}}]}"),
     ("{match: [{uri: {prefix: /X}, ignoreUriCase: true}]}", "{match: [{uri: {exact: /xy}}]}"),
     ("{match: [{headers: {A: {}}}]}", "{match: [{headers: {a: {exact: x}}}]}"),
     ("{match: [{queryParams: {a: {exact: x}}}]}",
      "{match: [{name: n, queryParams: {a: {exact: x}}, method: {exact: GET}}]}"),
     ("{match: [{port: 80}]}", "{match: [{port: 80, uri: {exact: /}}]}")],
)  # fmt: skip
def test_a_route_is_shadowed_by_a_wider_one(first, second):
    assert said(routes(first, second), "TC504") == [
        "spec.http[1]: is never reached: http[0] takes all its requests"
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [("{match: [{uri: {exact: /x}}]}", "{name: all}"),
     ("{match: [{uri: {prefix: /x}}]}", "{match: [{uri: {exact: /x/1}}, {uri: {exact: /y}}]}"),
     ("{match: [{uri: {prefix: /x}}]}", "{match: [{uri: {prefix: /x}, ignoreUriCase: true}]}"),
     ("{match: [{port: 80}]}", "{match: [{port: 81}]}"), ("{match: x}", "{match: [{port: 81}]}"),
     ("{match: [{withoutHeaders: {a: {}}}]}", "{match: [{uri: {exact: /}}]}"),
     ("{match: [{sourceLabels: {a: b}}]}", "{match: [{sourceLabels: {a: c}}]}"),
     ("{match: [{gateways: [edge]}]}", "{match: [{gateways: [mesh]}]}")],
)  # fmt: skip
def test_a_route_is_reached_behind_another(first, second):
    assert said(routes(first, second), "TC504") == []


@pytest.mark.parametrize(
    "match",
    ["{{uri: {{prefix: /service-{at}/}}}}",
     "{{authority: {{exact: a-long-name.example.com}}, uri: {{prefix: /{at}/}}}}"],
)  # fmt: skip
def test_routes_without_end_take_no_more_time_each(match):
    def took(count):
        items = (f"{{match: [{match.format(at=at)}]}}" for at in range(count))
        last = (
            "{match: [{authority: {exact: a-long-name.example.com}, uri: {exact: /service-7/7/}}]}"
        )
        report = manifest.check(whole(routes(*items, last)))
        begun = time.process_time()
        assert judge(report).errors == ()
        return time.process_time() - begun

    few, many = (min(took(count) for _ in range(3)) for count in (300, 2400))
    assert many < 8 * few * 3


# -- contradictions ------------------------------------------------------------------------------


def label(how, value=""):
    return ("label", "a", how, value)


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [(label("exact", "x"), label("exact", "y"), True),
     (label("exact", "x"), label("exact", "x"), False),
     (label("exact", "x"), ("label", "b", "exact", "y"), False),
     (label("in", ("x", "y")), label("exact", "z"), True),
     (label("in", ("x", "y")), label("in", ("y", "z")), False),
     (label("not in", ("x",)), label("exact", "x"), True),
     (label("not in", ("x",)), label("in", ("x", "y")), False),
     (label("absent"), label("exact", "x"), True),
     (label("absent"), label("present"), True),
     (label("absent"), label("search", "x"), True),
     (label("absent"), label("not in", ("x",)), False),
     (label("present"), label("exact", "x"), False),
     (label("search", "^x"), label("exact", "y"), True),
     (label("search", "x"), label("exact", "axe"), False),
     (label("search", "x"), label("search", "y"), False),
     (label("in", ()), label("present"), True)],
)  # fmt: skip
def test_conditions_that_no_request_can_both_meet(one, other, answer):
    assert contradict(one, other) is answer
    assert contradict(other, one) is answer
