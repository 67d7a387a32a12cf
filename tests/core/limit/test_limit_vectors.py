"""The adapters of the limit vectors know their whole format, and can fail."""

import copy
import json
from fractions import Fraction
from importlib import import_module

import pytest

FILES = ("token_bucket", "local_rate_limit", "circuit_breaker")


def run(kind, case):
    import_module(f"conformance.envoy.{kind}").run(case)


def case(kind, config, *steps, **more):
    """A case as its file would hold it: by way of JSON, with exact numbers."""
    text = json.dumps({"name": "own", "config": config, "hosts": [], "steps": steps, **more})
    return kind, json.loads(text, parse_float=Fraction)


def request(t=0, *entries, **more):
    step = {"t": t, "op": "request", **more}
    if entries:
        step["descriptors"] = [{"entries": entries}]
    return step


def expect(**what):
    return {"expect": what}


BUCKET = {"max_tokens": 2, "tokens_per_fill": 1, "fill_interval": 1}
AB = ["a", "b"]
OWN = {
    "partial, next token and reset": case(
        "token_bucket",
        {"max_tokens": 16, "fill_rate": 16},
        {"t": 0, "op": "consume", "tokens": 18, "allow_partial": True},
        expect(consumed=16, next_token_ms=63, remaining=0),
        {"t": 0.062, "op": "consume", "tokens": 1, "allow_partial": True},
        expect(consumed=0, next_token_ms=63),
        {"t": 0.063, "op": "consume", "tokens": 2, "allow_partial": True},
        expect(consumed=1),
        {"t": 1, "op": "reset", "tokens": 1},
        expect(remaining=1, next_token_ms=0),
        {"t": 1, "op": "consume", "tokens": 0},
        expect(consumed=0, remaining=1),
    ),
    "the slowest rate is a token a year": case(
        "token_bucket",
        {"max_tokens": 1, "fill_rate": 1e-9},
        {"t": 0, "op": "consume", "tokens": 1},
        {"t": 31535999, "op": "consume", "tokens": 1},
        expect(consumed=0),
        {"t": 31536000, "op": "consume", "tokens": 1},
        expect(consumed=1),
    ),
    "wildcards, their LRU, and what is reported": case(
        "local_rate_limit",
        {
            "descriptors": [{"entries": [["u", ""]], "token_bucket": BUCKET}],
            "max_dynamic_descriptors": 1,
        },
        request(0, ["u", "ann"], n=3),
        expect(allowed=False, limit=2, remaining=0),
        request(0, ["u", "bob"]),
        expect(allowed=True, remaining=1),
        request(0, ["u", "ann"]),
        expect(allowed=True, remaining=1),
        {"t": 1, "op": "advance"},
        expect(remaining=2),
        request(1, ["x", "y"]),
        expect(allowed=True, bucket="none"),
    ),
    "refunds in both spellings, and hits": case(
        "local_rate_limit",
        {"descriptors": [{"entries": [AB], "token_bucket": {**BUCKET, "max_tokens": 9}}]},
        {"t": 0, "op": "request", "descriptors": [{"entries": [AB], "hits_addend": 9}]},
        expect(allowed=True, remaining=0),
        {
            "t": 0,
            "op": "request",
            "descriptors": [{"entries": [AB], "hits_addend": 4, "refund": True}],
        },
        expect(allowed=True, remaining=4),
        {"t": 0, "op": "request", "descriptors": [{"entries": [AB], "hits_addend": -100}]},
        expect(remaining=9),
    ),
    "a share of the fleet's tokens": case(
        "local_rate_limit",
        {"token_bucket": {**BUCKET, "max_tokens": 6}, "share_factor": 0.5},
        request(0, n=3),
        expect(allowed=True, remaining=0),
        request(1.5),
        expect(allowed=False),
        request(2),
        expect(allowed=True),
    ),
    "per connection": case(
        "local_rate_limit",
        {"token_bucket": BUCKET, "local_rate_limit_per_downstream_connection": True},
        request(0, connection="c1", n=3),
        expect(allowed=False),
        request(0, connection="c2", n=2),
        expect(allowed=True),
    ),
    "a share per connection": case(
        "local_rate_limit",
        {
            "token_bucket": BUCKET,
            "local_rate_limit_per_downstream_connection": True,
            "share_factor": 0.5,
        },
        expect_error=True,
    ),
    "the default spared": case(
        "local_rate_limit",
        {
            "token_bucket": BUCKET,
            "descriptors": [{"entries": [AB], "token_bucket": {**BUCKET, "max_tokens": 9}}],
            "always_consume_default_token_bucket": False,
        },
        request(0, AB, n=9),
        expect(allowed=True, limit=9),
        request(0),
        expect(allowed=True, limit=2, remaining=1),
    ),
    "timer": case(
        "local_rate_limit",
        {
            "mode": "timer",
            "token_bucket": {"max_tokens": 4, "tokens_per_fill": 3, "fill_interval": 0.05},
            "descriptors": [
                {
                    "entries": [AB],
                    "token_bucket": {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": 0.1},
                }
            ],
        },
        request(0, AB),
        expect(allowed=True, limit=1, remaining=0),
        request(0.049, n=4),
        expect(allowed=False, limit=4),
        {"t": 0.05, "op": "tick"},
        expect(remaining=3),
        request(0.05, AB),
        expect(allowed=False, limit=1),
        {"t": 0.1, "op": "tick"},
        request(0.1, AB),
        expect(allowed=True),
    ),
    "timer and share": case(
        "local_rate_limit",
        {
            "mode": "timer",
            "token_bucket": {"max_tokens": 4, "tokens_per_fill": 3, "fill_interval": 0.05},
            "share_factor": 0.5,
        },
        request(0, n=4),
        expect(allowed=True, remaining=0),
        {"t": 0.05, "op": "tick"},
        expect(remaining=2),
    ),
    "timer with an interval that is no multiple": case(
        "local_rate_limit",
        {
            "mode": "timer",
            "token_bucket": {"max_tokens": 1, "fill_interval": 0.059},
            "descriptors": [
                {"entries": [AB], "token_bucket": {"max_tokens": 10, "fill_interval": 0.1}}
            ],
        },
        expect_error=True,
    ),
    "http: not enforced": case(
        "local_rate_limit",
        {
            "token_bucket": {**BUCKET, "max_tokens": 1},
            "http": {
                "enabled": True,
                "request_headers_to_add_when_not_enforced": [{"key": "x-Limited", "value": "yes"}],
            },
        },
        request(0),
        expect(allowed=True, request_headers={}, status=200),
        request(0),
        expect(
            allowed=True,
            request_headers={"x-limited": "yes"},
            stats={"enabled": 2, "ok": 1, "rate_limited": 1, "enforced": 0},
        ),
    ),
    "http: headers": case(
        "local_rate_limit",
        {
            "token_bucket": {"max_tokens": 1, "fill_interval": 1000},
            "http": {"enabled": True, "enforced": 100, "x_ratelimit_headers": "DRAFT_VERSION_03"},
        },
        request(0),
        expect(
            headers={
                "x-ratelimit-limit": 1,
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": 1000,
            },
            body="",
        ),
        request(0),
        expect(status=429, headers={"x-ratelimit-limit": "1", "x-envoy-ratelimited": True}),
    ),
    "http: no bucket, no headers": case(
        "local_rate_limit",
        {"http": {"enabled": True, "enforced": True, "x_ratelimit_headers": True}},
        request(0),
        expect(allowed=True, headers={}, bucket="none"),
    ),
    "thresholds: budget, inc and unlimited pools": case(
        "circuit_breaker",
        {"thresholds": [{"retry_budget": {"budget_percent": 50, "min_retry_concurrency": 1}}]},
        {"op": "inc", "resource": "requests", "n": 5},
        expect(current=5, remaining=1019),
        {"op": "inspect", "resource": "retries"},
        expect(max=2, remaining=0, open=False, allowed=True),
        {"op": "acquire", "resource": "retries", "n": 3},
        expect(granted=2, allowed=False, open=True),
        {"op": "acquire", "resource": "connection_pools"},
        expect(granted=1, max=2**64 - 1),
        {"op": "inspect", "resource": "connections", "priority": "high"},
        expect(max=1024, current=0),
    ),
    "thresholds: the first of a priority": case(
        "circuit_breaker",
        {"thresholds": [{"max_retries": 0}, {"max_retries": 9}]},
        {"op": "acquire", "resource": "retries"},
        expect(granted=0, allowed=False, open=True, max=0),
    ),
    "thresholds: an unknown priority": case(
        "circuit_breaker", {"thresholds": [{"priority": "low"}]}, expect_error=True
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_the_rest_of_the_format_works(name):
    run(*OWN[name])


def wrong(value):
    if isinstance(value, dict):
        return {key: wrong(each) for key, each in value.items()} or {"x-missing": "1"}
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | Fraction) else f"not {value}"


@pytest.mark.parametrize("name", OWN)
def test_each_expectation_can_fail(name):
    kind, original = OWN[name]
    for index, step in enumerate(original["steps"]):
        for key in step.get("expect", ()):
            broken = copy.deepcopy(original)
            broken["steps"][index]["expect"][key] = wrong(step["expect"][key])
            with pytest.raises(AssertionError):
                run(kind, broken)
    broken = {**original, "expect_error": not original.get("expect_error", False)}
    with pytest.raises((AssertionError, ValueError)):
        run(kind, {**broken, "steps": broken["steps"] if not broken["expect_error"] else []})


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    "change",
    [
        {"mood": 1},
        {"config": {"mood": 1}},
        {"hosts": ["h1"]},
        {"steps": [{"t": 0, "op": "dance"}]},
        {"steps": [{"t": 0}]},
        {"steps": [{"expect": {"mood": 1}}]},
    ],
    ids=str,
)
def test_nothing_unknown_is_passed_over(kind, change):
    config = {
        "token_bucket": {"max_tokens": 1, "fill_rate": 1},
        "local_rate_limit": {"token_bucket": BUCKET},
        "circuit_breaker": {"thresholds": []},
    }[kind]
    first = {"circuit_breaker": {"op": "inspect", "resource": "requests"}}.get(
        kind, {"t": 0, "op": "request" if kind == "local_rate_limit" else "consume"}
    )
    _, good = case(kind, config, first)
    run(kind, good)
    broken = {**good, **change}
    if "config" in change:
        broken["config"] = {**config, **change["config"]}
    if "steps" in change:
        broken["steps"] = [dict(first), *copy.deepcopy(change["steps"])]
        if kind == "circuit_breaker" and broken["steps"][1].get("op"):
            broken["steps"][1] = {"op": "dance", "resource": "requests"}
    with pytest.raises(AssertionError):
        run(kind, broken)
