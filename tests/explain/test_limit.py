"""Limits in words, and that the words are what the engine does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.helpers import example, meanings, text, texts, values
from support.policies import engine, limit, request
from trafficcore.engine import Permit, Rejection
from trafficcore.explain.limit import pace
from trafficcore.spec import (
    AddressMatch,
    Direction,
    HeaderMatch,
    Limit,
    LimitOverride,
    Op,
    QueryMatch,
    RequestMatch,
    Scope,
    VirtualHost,
)


def test_the_articles_limit() -> None:
    rule = example("throttle")
    assert texts(rule) == [
        "For gateways of every namespace with istio=ingressgateway.",
        "It looks at inbound requests to helloworld-go.default.svc.cluster.local:80.",
        "2 requests at once, then one each 30 s.",
        "The bucket starts full and fills evenly, 2 tokens each 60 s; each process has its own.",
        (
            "A refusal is answered 429 with the body 'local_rate_limited', and"
            " x-local-rate-limit: true and x-envoy-ratelimited: true; retry-after says when."
        ),
    ]
    assert values(rule)["burst"] == "2"
    assert values(rule)["rate"] == "one each 30 s"
    assert rule.why_not == "for gateways; this process is none"


@pytest.mark.parametrize(
    ("quota", "fill", "said"),
    [
        (60, 2, "60 requests at once, then 30 per second"),
        (1, 10, "1 request at once, then one each 10 s"),
        (100, 60, "100 requests at once, then 100 each 60 s"),
        (0, 1, "no request at all"),
    ],
)
def test_burst_and_rate_in_a_phrase(quota: int, fill: float, said: str) -> None:
    assert pace(Limit(quota=quota, fill_interval=fill)) == said


def test_a_limit_of_nothing_says_so_and_promises_no_retry() -> None:
    rule = meanings(limit(0))
    assert text(rule, "burst") == "No request at all."
    assert "retry-after" not in text(rule, "refusal")


def test_who_and_what_a_rule_looks_at() -> None:
    headers = (
        HeaderMatch(":path", Op.PREFIX, "/api"),
        HeaderMatch("x-a", Op.EXACT, ""),
        HeaderMatch("x-b", Op.PRESENT, "false"),
        HeaderMatch("x-c", Op.REGEX, "[0-9]+", invert=True),
    )
    rule = meanings(limit(headers=headers, labels=(("b", "2"), ("a", "1"))))
    assert values(rule)["process"] == "workloads in default with a=1, b=2"
    assert text(rule, "requests") == (
        "It looks at inbound requests to any service where path begins with /api, header x-a is"
        " empty, header x-b is absent and header x-c does not match [0-9]+."
    )


def test_a_route_and_a_direction_alone() -> None:
    route = Scope(
        direction=Direction.INBOUND, namespace="default", vhost=VirtualHost("web", route="pay")
    )
    found = meanings(limit(scope=route))
    assert values(found)["requests"] == "inbound web where route is pay"
    everything = Scope(direction=Direction.OUTBOUND, namespace="shop", gateway=True)
    found = meanings(limit(scope=everything))
    assert text(found, "requests") == "It looks at outbound requests to any service."
    assert text(found, "process") == "For gateways in shop."


def test_an_override_holds_instead_and_says_only_what_differs() -> None:
    match = RequestMatch(
        queries=(QueryMatch("q", Op.CONTAINS, "x", ignore_case=True),),
        address=AddressMatch("10.0.0.0", 8),
    )
    own = Limit(quota=4, fill_interval=2)
    odd = Limit(quota=1, fill_interval=1, status=503)
    rule = meanings(
        limit(overrides=(LimitOverride(match, own), LimitOverride(RequestMatch(), odd)))
    )
    name = "query parameter q contains x (in any case) and the peer is in 10.0.0.0/8"
    assert [line for line in texts(rule) if line.startswith("Instead")] == [
        f"Instead, where {name}: 4 requests at once, then 2 per second.",
        "Instead, where any request: 1 request at once, then 1 per second.",
        (
            "Instead, where any request: A refusal is answered 503 with the body"
            " 'local_rate_limited', and x-local-rate-limit: true and"
            " x-envoy-ratelimited: true; retry-after says when."
        ),
    ]
    assert values(rule)[f"override [{name}] rate"] == "2 per second"
    assert values(rule)["override order"] == f"{name}; any request"


def test_one_bucket_for_all_connections_is_said() -> None:
    rule = meanings(limit(limit={"per_connection": True}))
    assert values(rule)["buckets"] == "one for all connections"


@given(quota=st.integers(1, 50), fill=st.fractions(1, 120, max_denominator=8))
def test_a_limit_does_what_is_said_of_it(quota: int, fill: float) -> None:
    fill = float(fill)
    rule = limit(quota, fill)
    said = values(meanings(rule))
    made = engine(rule)
    burst = int(said["burst"])
    assert all(isinstance(made.admit(request(), 0), Permit) for _ in range(burst))
    refused = made.admit(request(), 0)
    assert isinstance(refused, Rejection)
    assert said["refusal"].startswith(f"{refused.status} {refused.body} ")
    assert refused.retry_at is not None
    step = fill / quota
    assert refused.retry_at == pytest.approx(step, rel=1e-3)
    assert isinstance(made.admit(request(), step * 0.99), Rejection)
    assert isinstance(made.admit(request(), refused.retry_at), Permit)
    assert isinstance(made.admit(request(), refused.retry_at), Rejection)
    if said["rate"].endswith("per second"):
        assert float(said["rate"].split()[0]) == pytest.approx(1 / step, rel=1e-9)
