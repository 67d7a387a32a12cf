"""Breakers in words, and that the words are what the engine does."""

from explain.helpers import example, meanings, text, texts, values
from support.policies import breaker, engine, request
from trafficcore.engine import Permit, Rejection
from trafficcore.outcome import Outcome


def test_the_articles_breaker() -> None:
    assert texts(example("breaker")) == [
        "For workloads in knative-serving with app=activator.",
        "It looks at inbound requests to httpbin-00001-private.default.svc.cluster.local:8012.",
        "The 5th answer within 10 s that takes more than 500 ms to begin trips it.",
        (
            "The window has 10 parts of 1 s: results leave it a part at a time, so that between"
            " 9 s and 10 s are seen."
        ),
        "min_request_amount 2 touches nothing: no share is set.",
        "Errors that come quickly count for nothing here.",
        (
            "Once tripped it answers 498 with the body 'delay break!', and x-envoy-overload: true;"
            " retry-after says how long."
        ),
        "After 60 s all traffic returns at once: there is no half-open.",
    ]


def test_shares_wait_for_their_requests_and_counts_of_slow_ones_do_not() -> None:
    rule = meanings(
        breaker(
            rule={"error_percent": 50, "gateway_error_percent": 20, "min_requests": 20},
            response=None,
        )
    )
    found = values(rule)
    assert found["slow calls"] == "5 slower than 500 ms"
    assert found["error share"] == "50 % 5xx of at least 20 requests"
    assert found["gateway error share"] == "20 % 502, 503 or 504 of at least 20 requests"
    assert text(rule, "fewest requests") == (
        "A share counts from 20 requests on; the count of slow answers does not wait for them."
    )
    assert text(rule, "errors").startswith("4xx answers and this process's own refusals are no")
    assert found["refusal"] == "503 (x-envoy-overloaded: true)"


def test_one_request_is_enough_for_a_share_without_a_least_amount() -> None:
    rule = meanings(
        breaker(rule={"slow_after": None, "max_slow": None, "error_percent": 50, "window": 7})
    )
    assert values(rule)["fewest requests"] == "1"
    assert text(rule, "fewest requests") == "A share counts from 1 request on."
    assert values(rule)["window"] == "7 s in 10 parts"
    assert "parts of 700 ms" in text(rule, "window")


def test_a_breaker_that_cannot_trip_says_only_that() -> None:
    rule = meanings(breaker(rule={"slow_after": None}))
    assert values(rule)["break"] == "never"
    assert rule.why_not == "nothing can trip it"
    assert len(rule.meanings) == 3


def test_a_breaker_does_what_is_said_of_it() -> None:
    rule = breaker(rule={"max_slow": 3, "open_for": 60})
    said = values(meanings(rule))
    made = engine(rule)
    slow = int(said["slow calls"].split()[0])
    for at in range(slow):
        permit = made.admit(request(), at)
        assert isinstance(permit, Permit)
        permit.settle(Outcome.SUCCESS, at + 0.6)
    tripped = slow - 1 + 0.6
    refused = made.admit(request(), tripped)
    assert isinstance(refused, Rejection)
    assert said["refusal"] == f"{refused.status} {refused.body}"
    rest = float(said["break"].split()[0])
    assert isinstance(made.admit(request(), tripped + rest - 0.001), Rejection)
    after = [made.admit(request(), tripped + rest) for _ in range(50)]
    assert all(isinstance(verdict, Permit) for verdict in after)
