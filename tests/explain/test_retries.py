"""Timeouts, retries and their caps in words."""

import attrs
import pytest

from explain.helpers import meanings, text
from support.policies import destination
from trafficcore.engine import Facts, Identity
from trafficcore.explain.request import explain_request
from trafficcore.explain.retries import route_words
from trafficcore.explain.rules import Hosts
from trafficcore.manifest import load
from trafficcore.spec import Direction, Retries, RetryCaps, TrafficPolicy

UP_TO = "By its route a client transport makes up to"


def capped(caps: RetryCaps) -> str:
    rule = attrs.evolve(destination(), policy=TrafficPolicy(retry_caps=caps))
    return text(meanings(rule), "retries under way")


def test_how_many_retries_may_be_under_way() -> None:
    assert capped(RetryCaps(max_retries=7)) == (
        "At most 7 retries are under way at once, of the client transports'; a call without room"
        " has its answer."
    )
    assert capped(RetryCaps(budget_percent=12.5, min_retry_concurrency=2)).startswith(
        "No more retries than 12.5 % of the calls in flight, but 2 always are under way at once"
    )


def test_how_long_a_connection_is_waited_for() -> None:
    rule = attrs.evolve(destination(), policy=TrafficPolicy(connect_timeout=0.5))
    said = "A call of a client transport waits at most 500 ms for its connection."
    assert text(meanings(rule), "connect timeout") == said


@pytest.mark.parametrize(
    ("retries", "words"),
    [
        (None, []),
        (
            Retries(0, (), timeout=1.5),
            ["By its route a client transport gives it 1.5 s in all."],
        ),
        (
            Retries(1, "5xx", per_try_timeout=0.5),
            [f"{UP_TO} one more try of 500 ms after 5xx."],
        ),
        (
            Retries(3, "gateway-error,reset,429"),
            [f"{UP_TO} 3 more tries after gateway-error, reset or 429."],
        ),
        (
            Retries(2, ()),
            [f"{UP_TO} 2 more tries after nothing."],
        ),
    ],
)  # fmt: skip
def test_what_a_route_makes_of_a_call(retries: Retries | None, words: list[str]) -> None:
    assert list(route_words(retries)) == words


SERVICE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [web]
  http:
  - match: [{uri: {prefix: /slow}}]
    timeout: 30s
  - retries: {attempts: 2, retryOn: gateway-error}
"""


def test_a_call_has_what_its_route_says_and_what_comes_in_has_not() -> None:
    policy, identity = load(SERVICE), Identity(namespace="shop")

    def outcome(direction: Direction, path: str) -> tuple[str, ...]:
        facts = Facts(direction, "web", path)
        return explain_request(policy, identity, Hosts(), facts).outcome[2:]

    assert outcome(Direction.OUTBOUND, "/slow/one") == (
        "By its route a client transport gives it 30 s in all.",
    )
    assert outcome(Direction.OUTBOUND, "/") == (
        "By its route a client transport makes up to 2 more tries after gateway-error.",
    )
    assert outcome(Direction.INBOUND, "/") == ()
